"""One file on its way into the store: in one request, or in parts that a restart does not lose.

The order: the note of what is intended, the upload, the note of its id, the parts, a look at what the store has of
them, the end that gives them their name. If it dies anywhere, the next call asks the store what has arrived, and the
rest is sent.
"""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from blake3 import blake3
from botocore.exceptions import BotoCoreError, ClientError

from bwcdock.core.facts import Digests
from bwcdock.errors import BwcdockError, Unreachable
from bwcdock.settings import S3Sink
from bwcdock.sinks.s3.abilities import Probing
from bwcdock.sinks.s3.bodies import MIB, Part, Slice, Source
from bwcdock.sinks.s3.bucket import BLAKE3, SHA256, Bucket
from bwcdock.sinks.s3.senders import Senders
from bwcdock.sinks.s3.telling import doubtful, in_our_words, missing, taken, told
from bwcdock.sinks.s3.uploads import Begun, Uploads

MOST_PARTS = 9000
"""S3 takes 10,000 parts of an object; some room is left."""


class Unsure(Exception):
    """What became of it is not known; the object itself must be looked for. ``error`` is for where it is not there.

    ``gone``: the store does not know the upload any more, so that it may be complete, or has to begin anew.
    """

    def __init__(self, error: BwcdockError, *, gone: bool = False) -> None:
        super().__init__(error.what)
        self.error = error
        self.gone = gone


class Sending:
    """Sends into ``bucket`` what ``settings`` say; ``uploads`` are the notes, ``pace`` hears of every piece."""

    def __init__(
        self, bucket: Bucket, settings: S3Sink, probing: Probing, uploads: Uploads, pace: Callable[[int], None]
    ) -> None:
        self._bucket = bucket
        self._settings = settings
        self._probing = probing
        self._uploads = uploads
        self._pace = pace
        self.encrypted = encryption(settings)

    def send(self, key: str, path: Path, digests: Digests) -> None:
        """Have the file under ``key``, where nothing is.

        Raises :class:`Unsure` also where something is there already: it came meanwhile, or an earlier try was carried
        out and not told.
        """
        with Source(path) as source:
            if source.size <= self._settings.part:
                self._may_write(conditional=self._probing.conditional_puts())
                self._in_one(key, source, digests)
            else:
                self._may_write(conditional=self._probing.conditional_completes())
                self._in_parts(key, source, digests)

    def small(self, key: str, data: bytes) -> None:
        """As :meth:`send`, a small document."""
        self._may_write(conditional=self._probing.conditional_puts())
        digests = Digests(sha256=hashlib.sha256(data).hexdigest(), blake3=blake3(data).hexdigest())
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        self._put(key, data, len(data), md5, digests)

    def give_up(self, begun: Begun) -> None:
        """Have the store forget what was sent of an upload, and forget it ourselves."""
        upload = begun.upload or self._adopted(begun.key)
        if upload:
            self.drop(begun.key, upload)
        self._uploads.forget(begun.key)

    def drop(self, key: str, upload: str) -> None:
        """Have the store forget an upload; one that it has forgotten already is well."""
        with told("give up upload", self._bucket.sink):
            try:
                self._bucket.client.abort_multipart_upload(**self._bucket.at(key), UploadId=upload)
            except ClientError as error:
                if not missing(error):
                    raise

    # --- in one request ---

    def _in_one(self, key: str, source: Source, digests: Digests) -> None:
        whole = blake3()
        (part,) = source.parts(max(source.size, 1), whole, lambda _: self._pace(0))
        if whole.hexdigest() != digests.blake3:
            raise source.untrue()
        body = Slice(source, part, self._pace)
        try:
            self._put(key, body if part.size else b"", part.size, part.md5, digests)
        except BaseException:
            if body.error is not None:
                raise body.error from None
            raise
        finally:
            source.sent(part)

    def _put(self, key: str, body: Any, size: int, md5: str, digests: Digests) -> None:
        options: dict[str, Any] = {"IfNoneMatch": "*"} if self._probing.conditional_puts() else {}
        if self._settings.trust_server_digest:
            options["ChecksumSHA256"] = base64.b64encode(bytes.fromhex(digests.sha256)).decode()
        with self._unsure("put"):
            self._bucket.client.put_object(
                **self._bucket.at(key),
                Body=body,
                ContentLength=size,
                ContentMD5=_base64(md5),
                Metadata=_described(digests),
                **self.encrypted,
                **options,
            )

    # --- in parts ---

    def _in_parts(self, key: str, source: Source, digests: Digests) -> None:
        begun, there = self._begun(key, source, digests)
        whole, etags = blake3(), dict[int, str]()
        mutex, moved = threading.Lock(), [0, 0]

        def sending(size: int) -> None:
            with mutex:
                moved[0] += size
            self._pace(size)

        def pulse() -> None:
            """The threads have no lane of their own: their signs of life are given here, by the one that has."""
            if moved[0] != moved[1]:
                moved[1] = moved[0]
                self._pace(0)

        def send(part: Part) -> None:
            etags[part.number] = self._part(begun, source, part, sending)

        with Senders(self._settings.parts_at_once, self._bucket.sink, send, pulse) as senders:
            for part in source.parts(begun.part, whole, lambda _: self._pace(0)):
                if there.get(part.number) == (part.size, part.md5):
                    etags[part.number] = part.md5
                else:
                    senders.give(part)
            senders.finish()
        if whole.hexdigest() != digests.blake3:
            self.give_up(begun)
            raise source.untrue()
        self._all_there(begun, etags)
        self._complete(begun, etags)

    def _begun(self, key: str, source: Source, digests: Digests) -> tuple[Begun, dict[int, tuple[int, str]]]:
        """The upload to go on with, and what the store has of it: number to size and name."""
        noted = self._uploads.of(key)
        if noted is not None and (noted.blake3, noted.size) != (digests.blake3, source.size):
            self.give_up(noted)
            noted = None
        if noted is None:
            noted = Begun(key=key, blake3=digests.blake3, size=source.size, part=self._part_size(source.size))
            self._uploads.write(noted)  # if it dies after this, the store may have an upload that is found by its key
            upload = ""
        else:
            upload = noted.upload or self._adopted(key)
        if upload:
            with suppress(Unsure):  # the store has forgotten it
                begun = replace(noted, upload=upload)
                there = self._parts(begun) if self._probing.md5_etags() else {}
                self._uploads.write(begun)
                return begun, there
        with told("begin upload", self._bucket.sink, keyed=True):
            upload = self._bucket.client.create_multipart_upload(
                **self._bucket.at(key), Metadata=_described(digests), **self.encrypted
            )["UploadId"]
        begun = replace(noted, upload=upload)
        self._uploads.write(begun)
        return begun, {}

    def _adopted(self, key: str) -> str:
        """The id of the newest upload under exactly this key: that of an intent that died before it was told its id."""
        return next((upload for other, upload, _ in reversed(self._bucket.uploads(key)) if other == key), "")

    def _part_size(self, size: int) -> int:
        least = -(-size // MOST_PARTS)
        return max(self._settings.part, -(-least // MIB) * MIB)

    def _part(self, begun: Begun, source: Source, part: Part, sending: Callable[[int], None]) -> str:
        body = Slice(source, part, sending)
        try:
            with self._or_gone("send part"):
                said = self._bucket.client.upload_part(
                    **self._upload(begun),
                    PartNumber=part.number,
                    Body=body,  # type: ignore[arg-type]
                    ContentLength=part.size,
                    ContentMD5=_base64(part.md5),
                )
        except BaseException:
            if body.error is not None:
                raise body.error from None
            raise
        etag = said["ETag"].strip('"')
        if etag != part.md5 and self._probing.md5_etags():
            what = f"{self._bucket.sink} has other bytes of {begun.key} than were sent."
            raise Unreachable("send part", what, "Look after the store; they are sent again.", self._bucket.sink)
        source.sent(part)
        return etag

    def _parts(self, begun: Begun) -> dict[int, tuple[int, str]]:
        found: dict[int, tuple[int, str]] = {}
        options: dict[str, Any] = {}
        while True:
            with self._or_gone("list parts"):
                page = self._bucket.client.list_parts(**self._upload(begun), **options)
            for one in page.get("Parts", []):
                found[one["PartNumber"]] = (one["Size"], one["ETag"].strip('"'))
            if not page.get("IsTruncated"):
                return found
            options = {"PartNumberMarker": page["NextPartNumberMarker"]}

    def _all_there(self, begun: Begun, etags: dict[int, str]) -> None:
        """There is no delete: what was lost or cut must be found before it gets a name."""
        there = self._parts(begun)
        last = len(etags)
        sizes = {n: begun.part if n < last else begun.size - begun.part * (last - 1) for n in etags}
        wrong = [n for n, etag in sorted(etags.items()) if there.get(n) != (sizes[n], etag)]
        if wrong:
            what = f"{self._bucket.sink} took {last} parts of {begun.key} and has part {wrong[0]} not, or not whole."
            raise Unreachable("complete", what, "Look after the store; it is sent again.", self._bucket.sink)

    def _complete(self, begun: Begun, etags: dict[int, str]) -> None:
        options: dict[str, Any] = {"IfNoneMatch": "*"} if self._probing.conditional_completes() else {}
        parts: Any = {"Parts": [{"PartNumber": number, "ETag": f'"{etag}"'} for number, etag in sorted(etags.items())]}
        with self._unsure("complete"):
            self._bucket.client.complete_multipart_upload(**self._upload(begun), MultipartUpload=parts, **options)
        self._uploads.forget(begun.key)

    def _upload(self, begun: Begun) -> dict[str, Any]:
        return {**self._bucket.at(begun.key), "UploadId": begun.upload}

    @contextmanager
    def _or_gone(self, op: str) -> Iterator[None]:
        with told(op, self._bucket.sink, keyed=True):
            try:
                yield
            except ClientError as error:
                if missing(error):
                    raise Unsure(in_our_words(error, op, self._bucket.sink, keyed=True), gone=True) from error
                raise

    @contextmanager
    def _unsure(self, op: str) -> Iterator[None]:
        with self._or_gone(op):
            try:
                yield
            except (ClientError, BotoCoreError) as error:
                if doubtful(error) or taken(error):
                    raise Unsure(in_our_words(error, op, self._bucket.sink, keyed=True)) from error
                raise

    def _may_write(self, *, conditional: bool) -> None:
        """Two stations, or two tries, may write at the same moment: then the store must refuse one, or keep both."""
        if not conditional and not self._probing.versions():
            what = f"{self._bucket.sink} can neither refuse to overwrite nor keep what was there before."
            hint = "Have the store's administrator switch on versioning for the bucket."
            raise Unreachable("put", what, hint, self._bucket.sink)


def encryption(settings: S3Sink) -> dict[str, Any]:
    """What a request that stores something says of encryption."""
    if settings.encryption == "none":
        return {}
    key = {"SSEKMSKeyId": settings.kms_key} if settings.kms_key else {}
    return {"ServerSideEncryption": settings.encryption, **key}


def _described(digests: Digests) -> dict[str, str]:
    return {SHA256: digests.sha256, BLAKE3: digests.blake3}


def _base64(digest: str) -> str:
    return base64.b64encode(bytes.fromhex(digest)).decode()
