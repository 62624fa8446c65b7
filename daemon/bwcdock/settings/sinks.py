"""The settings of places of central storage, a table for each kind."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic import model_validator as model_check

from bwcdock.core.names import LAYOUT
from bwcdock.settings.kinds import (
    Bandwidth,
    Count,
    Flag,
    HostName,
    Hours,
    Layout,
    Name,
    Seconds,
    Secret,
    Size,
    StationPath,
    Table,
    Text,
    wrong,
)

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _endpoint(value: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good, parts = False, urlsplit("")
    if not good or parts.username or parts.path.strip("/") or parts.query or parts.fragment:
        raise wrong("is no address of an S3 store.", 'Write "https://s3.example.org" or with a port, nothing after it.')
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise wrong(
            "is not encrypted, and footage would cross the network in the clear.",
            'Write "https://…", with `ca` where the store has a certificate of its own.',
        )
    return value.rstrip("/")


def _inner(value: str) -> str:
    """A place within a store: plain components between slashes, no slash at its ends; may be empty."""
    parts = value.split("/") if value else []
    if any(not part or part in {".", ".."} or not part.isprintable() for part in parts) or len(value.encode()) > 200:
        raise wrong("is no place within the store.", 'Write names between slashes, such as "bureau/docks".')
    return value


def _remote(value: str) -> str:
    if not value.startswith("/") or ".." in PurePosixPath(value).parts or not value.isprintable():
        raise wrong("is no folder of the server.", 'Write it from the root, such as "/srv/evidence".')
    return str(PurePosixPath(value))


Endpoint = Annotated[str, AfterValidator(_endpoint)]
Inner = Annotated[str, AfterValidator(_inner)]
Remote = Annotated[str, AfterValidator(_remote)]
Bucket = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
Share = Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)]
Patience = Annotated[Seconds, Field(le=86400)]


class AnySink(Table):
    """What is set for a place of central storage of any kind. What is ``None`` is as [push] says."""

    name: Name
    layout: Layout = LAYOUT
    bandwidth: Bandwidth | None = None
    parallel: Count | None = None
    backoff_first_s: Seconds | None = None
    backoff_max_s: Seconds | None = None
    window: Annotated[tuple[Hours, ...], Field(max_length=20)] = ()
    scrub_percent_a_day: Share = 1


class FolderSink(AnySink):
    """A mounted share or a disk."""

    kind: Literal["filesystem"] = "filesystem"
    path: StationPath

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return str(self.path)


class S3Sink(AnySink):
    """A store that speaks S3."""

    kind: Literal["s3"]
    endpoint: Endpoint
    bucket: Bucket
    prefix: Inner = ""
    region: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,60}$")] = "us-east-1"
    access_key: Secret
    secret_key: Secret
    ca: StationPath | None = None
    lock: Flag = True
    encryption: Literal["none", "AES256", "aws:kms"] = "none"
    kms_key: Text | None = None
    trust_server_digest: Flag = False
    part: Annotated[Size, Field(ge=5 << 20, le=5 << 30)] = 16 << 20
    parts_at_once: Annotated[int, Field(strict=True, ge=1, le=16)] = 4
    connect_timeout_s: Patience = 10
    read_timeout_s: Patience = 120
    abort_unfinished_after_s: Seconds = 86400

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.endpoint}/{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    @model_check(mode="after")
    def _key_with_kms(self) -> "S3Sink":
        if self.kms_key is not None and self.encryption != "aws:kms":
            raise wrong("has a kms_key that its encryption does not use.", 'Write encryption = "aws:kms", or drop it.')
        return self


class SftpSink(AnySink):
    """A folder of an SSH server."""

    kind: Literal["sftp"]
    host: HostName
    port: Annotated[int, Field(strict=True, ge=1, le=65535)] = 22
    user: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    root: Remote
    private_key: Secret
    known_hosts: StationPath
    connect_timeout_s: Patience = 10
    answer_timeout_s: Patience = 120

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"sftp://{self.user}@{self.host}:{self.port}{self.root}"


def _kind(value: Any) -> str:
    """Of what kind the table is; one that does not say is a folder."""
    kind = value.get("kind", "filesystem") if isinstance(value, dict) else getattr(value, "kind", "filesystem")
    return kind if isinstance(kind, str) else "?"


Sink = Annotated[
    Annotated[FolderSink, Tag("filesystem")] | Annotated[S3Sink, Tag("s3")] | Annotated[SftpSink, Tag("sftp")],
    Discriminator(_kind),
]
"""A place of central storage of one of these kinds."""

KINDS: dict[str, type[AnySink]] = {"filesystem": FolderSink, "s3": S3Sink, "sftp": SftpSink}


def folders(sinks: tuple[FolderSink | S3Sink | SftpSink, ...]) -> tuple[FolderSink, ...]:
    """Those that are folders of this machine."""
    return tuple(sink for sink in sinks if isinstance(sink, FolderSink))
