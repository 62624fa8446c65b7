"""What a strict S3 store keeps: versions, locks, unfinished uploads; in memory, by the rules of the protocol."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

_WRAP = 1 << 32


class Refused(Exception):
    """The store does not do it: a status and a code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What kind of store it is; as given, one that can do everything.

    ``page`` is how much a listing tells at a time, ``least_part`` how small a part may be that is not the last.
    ``wraps``: dates after 2105 wrap, as in Ceph 16. Not ``ordered``: listings walk folders, and sort
    names as they are written in an address, as SeaweedFS does.
    """

    versions: bool = True
    object_lock: bool = True
    conditional_puts: bool = True
    conditional_completes: bool = True
    checksums: bool = True
    md5_etags: bool = True
    ordered: bool = True
    wraps: bool = False
    page: int = 1000
    least_part: int = 5 << 20


@dataclass(slots=True, kw_only=True)
class Version:
    """One version of an object; without ``data`` a delete marker. ``etag`` is what the store says, true or not."""

    key: str
    id: str
    data: bytes | None
    etag: str
    modified: datetime
    meta: dict[str, str] = field(default_factory=dict)
    sha256: str = ""
    until: datetime | None = None
    hold: bool = False


@dataclass(slots=True, kw_only=True)
class Upload:
    """One that is not finished."""

    key: str
    id: str
    begun: datetime
    meta: dict[str, str]
    parts: dict[int, tuple[bytes, str]] = field(default_factory=dict)


class Vault:
    """One bucket. Versions of a key are kept from the oldest to the newest."""

    def __init__(self, habits: Habits, now: Callable[[], datetime]) -> None:
        self.habits = habits
        self.objects: dict[str, list[Version]] = {}
        self.uploads: dict[str, Upload] = {}
        self.now = now

    # --- objects ---

    def newest(self, key: str, version: str = "") -> Version:
        """The version named, or the newest; ``Refused`` where there is none, or it is a delete marker."""
        versions = self.objects.get(key, [])
        if version:
            found = next((one for one in versions if one.id == version), None)
            if found is None:
                raise Refused(404, "NoSuchVersion")
            if found.data is None:
                raise Refused(405, "MethodNotAllowed")
            return found
        if not versions or versions[-1].data is None:
            raise Refused(404, "NoSuchKey")
        return versions[-1]

    def put(
        self, key: str, data: bytes | None, *, etag: str = "", meta: dict[str, str] | None = None, sha256: str = ""
    ) -> Version:
        """A new version, the only one where the bucket keeps but one."""
        version = Version(
            key=key,
            id=secrets.token_hex(12) if self.habits.versions else "null",
            data=data,
            etag=etag or hashlib.md5(data or b"", usedforsecurity=False).hexdigest(),
            modified=self.now(),
            meta=dict(meta or {}),
            sha256=sha256,
        )
        if self.habits.versions:
            self.objects.setdefault(key, []).append(version)
        elif data is None:
            self.objects.pop(key, None)
        else:
            self.objects[key] = [version]
        return version

    def absent(self, key: str) -> None:
        """Refuse where something is."""
        versions = self.objects.get(key, [])
        if versions and versions[-1].data is not None:
            raise Refused(412, "PreconditionFailed")

    def delete(self, key: str, version: str) -> None:
        """A delete marker; or, with a version, the version itself, unless it is locked."""
        if not version:
            self.put(key, None)
            return
        versions = self.objects.get(key, [])
        found = next((one for one in versions if one.id == version), None)
        if found is None:
            return  # as the protocol has it: what is not there is gone
        if found.hold or (found.until is not None and found.until > self.now()):
            raise Refused(403, "AccessDenied")
        versions.remove(found)
        if not versions:
            del self.objects[key]

    # --- locks ---

    def retain(self, version: Version, until: datetime) -> None:
        """Lock it until then; never for shorter than it is locked."""
        if not self.habits.object_lock:
            raise Refused(400, "InvalidRequest")
        if until <= self.now():
            raise Refused(400, "InvalidArgument")
        if version.until is not None and until < version.until:
            raise Refused(403, "AccessDenied")
        version.until = self.keepable(until)

    def keepable(self, until: datetime) -> datetime:
        """What becomes of a date when it is stored."""
        return datetime.fromtimestamp(int(until.timestamp()) % _WRAP, UTC) if self.habits.wraps else until

    # --- uploads ---

    def begin(self, key: str, meta: dict[str, str]) -> Upload:
        """A new unfinished upload."""
        upload = Upload(key=key, id=secrets.token_hex(12), begun=self.now(), meta=meta)
        self.uploads[upload.id] = upload
        return upload

    def upload(self, key: str, id_: str) -> Upload:
        """One that was begun under this key."""
        found = self.uploads.get(id_)
        if found is None or found.key != key:
            raise Refused(404, "NoSuchUpload")
        return found

    def complete(self, upload: Upload, named: list[tuple[int, str]]) -> Version:
        """Put together the parts that are named, by number and etag, in order."""
        if not named or [number for number, _ in named] != sorted({number for number, _ in named}):
            raise Refused(400, "InvalidPartOrder")
        if any(upload.parts.get(number, (b"", ""))[1] != etag for number, etag in named):
            raise Refused(400, "InvalidPart")
        pieces = [upload.parts[number][0] for number, _ in named]
        if any(len(piece) < self.habits.least_part for piece in pieces[:-1]):
            raise Refused(400, "EntityTooSmall")
        md5s = b"".join(hashlib.md5(piece, usedforsecurity=False).digest() for piece in pieces)
        etag = f"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-{len(pieces)}"
        del self.uploads[upload.id]
        return self.put(upload.key, b"".join(pieces), etag=etag, meta=upload.meta)

    # --- listings ---

    def in_order(self, keys: list[str]) -> list[str]:
        """As this store lists them."""
        return sorted(keys) if self.habits.ordered else sorted(keys, key=lambda key: [quote(p) for p in key.split("/")])

    def current(self, prefix: str) -> list[Version]:
        """The newest version of each object that is not deleted."""
        keys = self.in_order([key for key in self.objects if key.startswith(prefix)])
        return [self.objects[key][-1] for key in keys if self.objects[key][-1].data is not None]

    def versions(self, prefix: str) -> list[Version]:
        """Every version and marker, by key and then from the newest to the oldest."""
        keys = self.in_order([key for key in self.objects if key.startswith(prefix)])
        return [version for key in keys for version in reversed(self.objects[key])]
