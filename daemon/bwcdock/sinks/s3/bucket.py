"""One place in a bucket: its objects by key and version, and the first version of each, which stays the truth."""

import base64
import hashlib
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blake3 import blake3
from botocore.exceptions import ClientError

from bwcdock.core.facts import Digests
from bwcdock.errors import Unreachable
from bwcdock.settings import S3Sink
from bwcdock.sinks.s3.telling import missing, told

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

READ = 1 << 20
"""Bytes per read of an answer."""

SHA256 = "sha256"
BLAKE3 = "blake3"
"""What is written beside an object (x-amz-meta-…): our own word on what it is, never a proof of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """One version of an object, as the store describes it.

    ``hidden`` says that a delete marker lies over it; ``sha256_full`` is a digest of the whole that the store itself
    computed, where it was asked for one and has one.
    """

    key: str
    version: str
    size: int
    etag: str
    meta_sha256: str = ""
    meta_blake3: str = ""
    sha256_full: str = ""
    hidden: bool = False


class Bucket:
    """What lies below ``prefix`` of the bucket. Keys in and out are without the prefix."""

    def __init__(self, client: "S3Client", settings: S3Sink) -> None:
        self.client = client
        self.sink = settings.name
        self.name = settings.bucket
        self._before = f"{settings.prefix}/" if settings.prefix else ""

    def at(self, key: str) -> dict[str, Any]:
        """Where it is, as the client's calls want it."""
        return {"Bucket": self.name, "Key": self._before + key}

    def first(self, key: str, *, versioned: bool) -> Object | None:
        """The first version under ``key``: whatever came after it did not overwrite it, and does not count.

        A listing may be behind: where it knows of nothing, the object itself is asked for.
        """
        if versioned:
            version, hidden = self._first_version(key)
            if version:
                return self.head(key, version, hidden=hidden)
        return self.head(key)

    def head(self, key: str, version: str = "", *, hidden: bool = False, digested: bool = False) -> Object | None:
        """What the store says of this version (of the newest, where none is named); ``None`` where there is none."""
        options: dict[str, Any] = {"VersionId": version} if version else {}
        if digested:
            options["ChecksumMode"] = "ENABLED"
        with told("look", self.sink, keyed=True):
            try:
                found = self.client.head_object(**self.at(key), **options)
            except ClientError as error:
                if missing(error):
                    return None
                raise
        meta = {name.lower(): value for name, value in found.get("Metadata", {}).items()}
        full = found.get("ChecksumSHA256", "") if found.get("ChecksumType", "") == "FULL_OBJECT" else ""
        return Object(
            key=key,
            version=found.get("VersionId", version),
            size=found["ContentLength"],
            etag=found.get("ETag", "").strip('"'),
            meta_sha256=meta.get(SHA256, ""),
            meta_blake3=meta.get(BLAKE3, ""),
            sha256_full=_hex(full),
            hidden=hidden,
        )

    def read(self, key: str, version: str = "") -> Generator[bytes]:
        """The stored bytes of this version in order; ``Unreachable`` where there is no such thing, or less than all."""
        options = {"VersionId": version} if version else {}
        with told("read", self.sink, keyed=True):
            try:
                body = self.client.get_object(**self.at(key), **options)["Body"]  # type: ignore[arg-type]
            except ClientError as error:
                if missing(error):
                    what = f"{self.sink} does not have {key}."
                    raise Unreachable("read", what, "Look at central storage.", self.sink) from error
                raise
        with closing(body):
            while True:
                with told("read", self.sink):
                    piece = body.read(READ)
                if not piece:
                    return
                yield piece

    def digested(self, found: Object, pace: Any) -> tuple[int, Digests]:
        """How many bytes are stored and what they are, by reading all of them."""
        evidential, working, size = hashlib.sha256(), blake3(), 0
        for piece in self.read(found.key, found.version):
            evidential.update(piece)
            working.update(piece)
            size += len(piece)
            pace(len(piece))
        return size, Digests(sha256=evidential.hexdigest(), blake3=working.hexdigest())

    def pages(self, prefix: str, *, delimiter: str = "") -> Iterator[tuple[list[str], list[str]]]:
        """The keys under ``prefix`` (taken as it is) and, with a delimiter, the folders, a page at a time."""
        options: dict[str, Any] = {"Delimiter": delimiter} if delimiter else {}
        while True:
            with told("list", self.sink):
                page = self.client.list_objects_v2(Bucket=self.name, Prefix=self._before + prefix, **options)
            keys = [one["Key"].removeprefix(self._before) for one in page.get("Contents", [])]
            folders = [one["Prefix"].removeprefix(self._before) for one in page.get("CommonPrefixes", [])]
            yield keys, folders
            if not page.get("IsTruncated"):
                return
            options["ContinuationToken"] = page["NextContinuationToken"]

    def uploads(self, prefix: str) -> list[tuple[str, str, Any]]:
        """Every unfinished upload whose key begins with ``prefix``: key, id, and when it was begun; oldest first."""
        found: list[tuple[str, str, Any]] = []
        options: dict[str, Any] = {}
        while True:
            with told("list uploads", self.sink):
                page = self.client.list_multipart_uploads(Bucket=self.name, Prefix=self._before + prefix, **options)
            found += [
                (one["Key"].removeprefix(self._before), one["UploadId"], one["Initiated"])
                for one in page.get("Uploads", [])
            ]
            if not page.get("IsTruncated"):
                return sorted(found, key=lambda one: one[2])
            options = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def _first_version(self, key: str) -> tuple[str, bool]:
        """The oldest version under exactly this key, and whether the newest is a delete marker; empty for none.

        A store lists the versions of a key from the newest to the oldest, markers among them.
        """
        first, hidden = "", False
        options: dict[str, Any] = {}
        while True:
            with told("list versions", self.sink, keyed=True):
                page = self.client.list_object_versions(Bucket=self.name, Prefix=self._before + key, **options)
            ours = self._before + key
            versions = [one["VersionId"] for one in page.get("Versions", []) if one["Key"] == ours]
            first = versions[-1] if versions else first
            hidden = hidden or any(one["IsLatest"] for one in page.get("DeleteMarkers", []) if one["Key"] == ours)
            if not page.get("IsTruncated"):
                return first, hidden
            options = {"KeyMarker": page["NextKeyMarker"]}
            if page.get("NextVersionIdMarker"):
                options["VersionIdMarker"] = page["NextVersionIdMarker"]


def _hex(encoded: str) -> str:
    """A digest as the store writes it, in hex; empty where it is none."""
    try:
        return base64.b64decode(encoded, validate=True).hex()
    except ValueError:
        return ""
