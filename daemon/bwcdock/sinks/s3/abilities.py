"""What an S3 store can do, found out by trying it on small objects of our own, each once in the life of the process.

Nothing is taken from the store's name or version. What is tried is harmless and of the same few keys each time: a
store that keeps its promises gets no further object from the second try on.
"""

import base64
import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from bwcdock.errors import Unreachable
from bwcdock.sinks.s3.bucket import Bucket
from bwcdock.sinks.s3.telling import answer, doubtful, told

T = TypeVar("T")

PROBE = ".bwcdock-probe"
"""Where what is tried lies; a dotted name, which no key of ours can be."""

_DATA = b"bwcdock tries here what this store can do. Nothing else depends on it.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """``conditional_puts`` and ``conditional_completes``: it refuses to write where something is already.

    ``versions``: what is written later does not overwrite. ``object_lock``: an object can be locked (WORM).
    ``checksums``: it refuses bytes that are not those of a SHA-256 sent with them. ``md5_etags``: it names a part by
    its MD5, so that a part from before a restart can be believed. ``ordered``: it lists keys in order of names.
    """

    conditional_puts: bool
    conditional_completes: bool
    versions: bool
    object_lock: bool
    checksums: bool
    md5_etags: bool
    ordered: bool


class Probing:
    """Asks of each ability when it is first needed. ``encrypted`` is what a put says of encryption.

    Every question may raise ``Unreachable``; then it is asked again the next time.
    """

    def __init__(self, bucket: Bucket, station: str, encrypted: dict[str, Any]) -> None:
        self._bucket = bucket
        self._encrypted = encrypted
        self._lock = threading.Lock()
        self._known: dict[str, bool] = {}
        self.folder = f"{PROBE}/{station or 'any'}"

    def all(self) -> Abilities:
        """Everything at once, for people."""
        return Abilities(
            conditional_puts=self.conditional_puts(),
            conditional_completes=self.conditional_completes(),
            versions=self.versions(),
            object_lock=self.object_lock(),
            checksums=self.checksums(),
            md5_etags=self.md5_etags(),
            ordered=self.ordered(),
        )

    def versions(self) -> bool:
        """Whether the bucket keeps every version."""
        return self._once("versions", self._versions)

    def object_lock(self) -> bool:
        """Whether the bucket was made with object lock."""
        return self._once("object_lock", self._object_lock)

    def conditional_puts(self) -> bool:
        """Whether a put can be made to depend on nothing being there."""
        return self._once("conditional_puts", lambda: self._refuses({"IfNoneMatch": "*"}, {409, 412}))

    def conditional_completes(self) -> bool:
        """Whether the end of an upload in parts can."""
        return self._once("conditional_completes", self._conditional_completes)

    def checksums(self) -> bool:
        """Whether bytes are held against a SHA-256 that was sent with them."""
        wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
        return self._once("checksums", lambda: self._refuses({"ChecksumSHA256": wrong}, {400}))

    def md5_etags(self) -> bool:
        """Whether the name the store gives to bytes is their MD5, also with the encryption that is set."""
        return self._once("md5_etags", self._md5_etags)

    def ordered(self) -> bool:
        """Whether keys are listed in order of names also across folders, which not every store does."""
        return self._once("ordered", self._ordered)

    def _once(self, name: str, ask: Callable[[], bool]) -> bool:
        with self._lock:
            if name not in self._known:
                with told("try the store", self._bucket.sink):
                    self._known[name] = ask()
            return self._known[name]

    def _versions(self) -> bool:
        return self._bucket.client.get_bucket_versioning(Bucket=self._bucket.name).get("Status") == "Enabled"

    def _object_lock(self) -> bool:
        try:
            told_ = self._bucket.client.get_object_lock_configuration(Bucket=self._bucket.name)
        except ClientError as error:
            # A bucket without it: 404. A store that knows of no such thing: 400, 405 or 501.
            if answer(error)[0] in {400, 404, 405, 501}:
                return False
            raise
        return told_.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"

    def _refuses(self, asked: dict[str, Any], statuses: set[int]) -> bool:
        """Whether it refuses, with one of these statuses, to put what ``asked`` should keep it from taking."""
        self._put("object", _DATA)
        try:
            self._bucket.client.put_object(**self._sent("object", _DATA), **asked)
        except ClientError as error:
            status = answer(error)[0]
            if status in {400, 405, 409, 412, 501}:  # another than those: it knows of no such thing
                return status in statuses
            raise
        return False

    def _conditional_completes(self) -> bool:
        self._put("parts", _DATA)
        client, at = self._bucket.client, self._bucket.at(f"{self.folder}/parts")
        upload = client.create_multipart_upload(**at, **self._encrypted)["UploadId"]
        try:
            etag = client.upload_part(
                **at, UploadId=upload, PartNumber=1, Body=_DATA, ContentMD5=_md5(_DATA), ContentLength=len(_DATA)
            )["ETag"]
            parts: Any = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
            client.complete_multipart_upload(**at, UploadId=upload, MultipartUpload=parts, IfNoneMatch="*")
        except ClientError as error:
            with suppress(ClientError, BotoCoreError):  # if it stays, it goes with what else is left behind
                client.abort_multipart_upload(**at, UploadId=upload)
            if doubtful(error) and answer(error)[0] != 501:
                raise
            return answer(error)[0] in {409, 412}
        return False

    def _md5_etags(self) -> bool:
        self._put("object", _DATA)
        found = self._bucket.head(f"{self.folder}/object")
        if found is None:
            what = f"{self._bucket.sink} took a small object and does not have it."
            raise Unreachable("try the store", what, "Look at the store.", self._bucket.sink)
        return found.etag == hashlib.md5(_DATA, usedforsecurity=False).hexdigest()

    def _ordered(self) -> bool:
        """A hyphen comes before the slash, and what is not ASCII behind all else.

        A store that walks folders, or sorts names as they are written in an address, tells them otherwise.
        """
        names = ("order/a-b", "order/a/b", "order/城")
        for name in names:
            self._put(name, b"")
        told_ = [key for keys, _ in self._bucket.pages(f"{self.folder}/order/") for key in keys]
        return told_ == [f"{self.folder}/{name}" for name in names]

    def _put(self, name: str, data: bytes) -> None:
        """Have it there, by a put where it is not yet."""
        if self._bucket.head(f"{self.folder}/{name}") is None:
            self._bucket.client.put_object(**self._sent(name, data))

    def _sent(self, name: str, data: bytes) -> dict[str, Any]:
        return {**self._bucket.at(f"{self.folder}/{name}"), "Body": data, "ContentMD5": _md5(data), **self._encrypted}


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
