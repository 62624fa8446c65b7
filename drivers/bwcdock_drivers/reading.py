"""Starts the reader process for one card, asks it with time limits, and believes only what fits.

The reader looks at hostile bytes, so its replies are hostile too: every line is bounded, typed and checked against the
source before it is used. Whatever goes wrong there is :class:`~bwcdock.errors.Misbehaved` of this card alone. It is a
child of this process, killed by its id and reaped on every way out; or, where ``$BWCDOCK_READER`` names a socket, a
service of its own behind it, which ends with the connection.
"""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Protocol

from bwcdock.core.facts import Span
from bwcdock.errors import Misbehaved, Unplugged, Unreadable
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, dataclasses

from .naming import printable
from .source import BLOCK, gone
from .volume import Volume

READER = (sys.executable, "-I", "-m", "bwcdock_drivers.reader")
"""``-I`` keeps the user's environment and home out; site-packages, and with them editable installs, stay visible."""

SOCKET_VARIABLE = "BWCDOCK_READER"
"""Names the socket behind which a service manager starts a reader for every connection."""

START_S = 45.0
"""Until the reader is locked in: 0.2 s as a rule, but four may start on a slow machine that is busy; a docking that is
given up has to be begun again by hand. Less than the minute that opening a recorder may take."""

LIST_S = 120.0
"""Until a whole card is listed: a slow card gives 200,000 names in a minute; processor time has a lower limit."""

READ_S = 60.0
"""Until a piece of a file is read: the kernel gives a bad sector 30 s."""

READS_PER_PROCESS = 64
"""After so many pieces (64 MiB) a fresh process reads on: its processor time is limited in all, not per request."""

OLD_S = 300.0
"""One that is older is not asked again: behind the socket it is ended after 15 minutes, which must not be in a read."""

_LINE_MAX = 1 << 20  # the reader's own limit; repeated here because the reader is not trusted to keep it
_FRAME_MAX = 1 << 20
_LINES_MAX = 10_000
_LISTING_MAX = 96 << 20  # bytes: 80 MiB of files, and what is told of deleted ones and of the volumes
_FILES_MAX = 200_000
_REAP_S = 10.0  # a killed process that waits for a device that went away is reaped later, by the next Popen

_HINT = "Try the card again; if it happens again, set it aside and report it."

_Hex = Annotated[str, Field(pattern=r"^(?:[0-9a-f]{2}){0,2048}$")]
_Count = Annotated[int, Field(ge=0, lt=1 << 63, strict=True)]
_Naive = Annotated[str, Field(pattern=r"^(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})?$")]
_Zone = Annotated[str, Field(pattern=r"^(?:[+-](?:0\d|1[0-5]):[0-5]\d|\+16:00|-16:00)?$")]
_Word = Literal["read-only", "hidden", "system"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclasses.dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class FileRow:
    """A file as the reader lists it: volume, inode, name parts (hex), size, initialised, times, attributes, places."""

    v: Annotated[int, Field(ge=0, lt=64)]
    i: _Count
    p: Annotated[tuple[_Hex, ...], Field(min_length=1, max_length=65)]
    s: _Count
    n: _Count
    m: _Naive
    z: _Zone
    a: tuple[_Word, ...]
    x: tuple[tuple[Annotated[int, Field(ge=-1, lt=1 << 63)], _Count], ...] | None


@dataclasses.dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class DeletedRow:
    """A deleted entry: volume, name parts (hex), size, modified, created, first place in the source (-1: unknown)."""

    v: Annotated[int, Field(ge=0, lt=64)]
    p: Annotated[tuple[_Hex, ...], Field(min_length=1, max_length=66)]
    s: _Count
    m: _Naive
    c: _Naive
    at: Annotated[int, Field(ge=-1, lt=1 << 63)]


_FILES, _DELETED = TypeAdapter(list[FileRow]), TypeAdapter(list[DeletedRow])


class _VolumeRow(_Row):
    kind: Literal["fat12", "fat16", "fat32", "exfat", "ntfs", "ext"]
    offset: _Count
    size: _Count
    serial: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{0,32}$")]
    label: Annotated[str, Field(max_length=64)]
    free: _Count | None
    dirty: bool | None
    entries_at: _Count
    cluster: _Count
    heap_at: _Count


class _End(_Row):
    entries: _Count
    deleted: _Count
    errors: _Count
    notes: tuple[tuple[str, int, tuple[Annotated[str, Field(max_length=200)], ...]], ...]


@dataclass(slots=True, kw_only=True)
class Listing:
    """All a card holds: volumes, files, deleted entries (some, and how many), and (code, count, examples) notes."""

    volumes: list[Volume] = field(default_factory=list)
    files: list[FileRow] = field(default_factory=list)
    deleted: list[DeletedRow] = field(default_factory=list)
    deleted_count: int = 0
    errors: int = 0
    notes: list[tuple[str, int, tuple[str, ...]]] = field(default_factory=list)
    confined: bool = True


class _Link(Protocol):
    """The way to a reader that runs. Writing raises ``OSError`` where it is gone; its words come out of ``fileno``."""

    pid: int | None

    def fileno(self) -> int: ...

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class _Child:
    """A reader that is a process of ours."""

    def __init__(self, command: Sequence[str], source: int) -> None:
        self._process = subprocess.Popen(  # noqa: S603  a fixed command; the numbers are ours
            [*command, str(os.getpid()), str(source)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            pass_fds=(source,),
            env={"TZ": "UTC"},
            cwd="/",
            start_new_session=True,  # a Ctrl-C at the terminal is for the station, which ends its readers itself
        )
        self.pid: int | None = self._process.pid
        assert self._process.stdin
        assert self._process.stdout
        self._pipes = (self._process.stdin, self._process.stdout)

    def fileno(self) -> int:
        return self._pipes[1].fileno()

    def write(self, data: bytes) -> None:
        os.write(self._pipes[0].fileno(), data)

    def close(self) -> None:
        self._process.kill()
        for pipe in self._pipes:
            with contextlib.suppress(OSError):  # nothing is buffered, so nothing is lost
                pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP_S)


class _Connection:
    """A reader behind a socket: the first byte brings it the source, and the end of the connection is its end."""

    def __init__(self, address: str, source: int) -> None:
        self.pid: int | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(START_S)
            self._socket.connect(address)
            socket.send_fds(self._socket, [b"\n"], [source])
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def close(self) -> None:
        self._socket.close()


class Reader:
    """One reader process over the descriptor ``source`` of ``size`` bytes; ``alive`` tells bad cards from gone ones."""

    def __init__(
        self,
        source: int,
        size: int,
        alive: Callable[[], bool],
        *,
        command: Sequence[str] = READER,
        list_s: float = LIST_S,
        read_s: float = READ_S,
    ) -> None:
        self._source, self._size, self._alive = source, size, alive
        self._command, self._list_s, self._read_s = command, list_s, read_s
        self._link: _Link | None = None
        self._pending = bytearray()
        self._heard = 0
        self._reads = 0
        self._born = 0.0
        self._confined = False

    @property
    def pid(self) -> int | None:
        """The process id, while one of ours runs."""
        return self._link.pid if self._link else None

    def close(self) -> None:
        """End the process, if there is one."""
        link, self._link = self._link, None
        self._pending.clear()
        if link is not None:
            link.close()

    def listing(self) -> Listing:
        """Everything on the card, and the process is gone again. Raises Misbehaved, Unplugged or Unreadable."""
        try:
            return self._listing()
        finally:
            self.close()

    def _listing(self) -> Listing:
        out = Listing()
        until = self._ask("list", {"op": "list"}, self._list_s)
        before = self._heard - len(self._pending)  # what came with the line before counts as well
        for _ in range(_LINES_MAX):
            line = self._line("list", until)
            if self._heard - before > _LISTING_MAX:
                break
            try:
                if "end" in line:
                    self._end(out, _End.model_validate(line["end"]))
                    return out
                self._take(out, line)
            except (ValidationError, TypeError, KeyError) as error:
                raise self._nonsense("list") from error
            if len(out.files) > _FILES_MAX:
                raise self._nonsense("list")
        raise self._nonsense("list")

    def _take(self, out: Listing, line: dict[str, Any]) -> None:
        if "volume" in line:
            out.volumes.append(Volume(**_VolumeRow.model_validate(line["volume"]).model_dump()))
        elif "deleted" in line:
            out.deleted += _DELETED.validate_python(line["deleted"])
        else:
            out.files += _FILES.validate_python(line["files"])

    def _end(self, out: Listing, end: _End) -> None:
        out.deleted_count, out.errors, out.notes = end.deleted, end.errors, list(end.notes)
        out.confined = self._confined
        known = len(out.volumes)
        if any(row.v >= known for row in out.files) or any(row.v >= known for row in out.deleted):
            raise self._nonsense("list")
        for row in out.files:
            held = sum(length for _, length in row.x or ())
            inside = all(at < 0 or at + length <= self._size for at, length in row.x or ())
            if held > row.s or not inside:
                raise self._nonsense("list")
        if out.errors and not self._alive():
            raise gone("list")

    def read(self, found: Volume, inode: int, at: int, length: int) -> bytes:
        """At most ``length`` bytes of a file from ``at``, through the file system's own reader.

        Where that fails, the block at ``at`` is tried alone; :class:`~bwcdock.errors.Unreadable` tells its span.
        """
        block = min(length, BLOCK - at % BLOCK)
        try:
            return self._read(found, inode, at, length)
        except Unreadable:
            if length > block:
                with contextlib.suppress(Unreadable):
                    return self._read(found, inode, at, block)
        what = f"{block} bytes from {at} of a file could not be read."
        raise Unreadable("read", what, _HINT, [Span(offset=at, length=block)])

    def _read(self, found: Volume, inode: int, at: int, length: int) -> bytes:
        if self._reads >= READS_PER_PROCESS or time.monotonic() - self._born > OLD_S:
            self.close()
        try:
            what = {"op": "read", "kind": found.kind, "offset": found.offset, "inode": inode, "at": at}
            until = self._ask("read", what | {"length": min(length, _FRAME_MAX)}, self._read_s)
            frame = self._line("read", until).get("frame")
            if not isinstance(frame, int) or not 0 <= frame <= length:
                raise self._nonsense("read")
            data = self._bytes("read", frame, until)
        except BaseException:
            self.close()
            raise
        self._reads += 1
        return data

    # --- the pipes ----------------------------------------------------------------------------------------------------

    def _ask(self, op: str, request: dict[str, object], seconds: float) -> float:
        """Send a request; return until when the answer must be here (monotonic)."""
        link = self._link or self._start(op)
        try:
            link.write(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise self._died(op) from error
        return time.monotonic() + seconds

    def _start(self, op: str) -> _Link:
        self._reads, self._born = 0, time.monotonic()
        address = os.environ.get(SOCKET_VARIABLE)
        try:
            link: _Link = _Connection(address, self._source) if address else _Child(self._command, self._source)
        except OSError as error:
            hint = "Look at `systemctl status bwcdock-reader.socket`, then dock it again." if address else _HINT
            raise Misbehaved(op, f"No reader can be started for this card ({error.strerror}).", hint) from error
        self._link = link
        ready = self._line(op, time.monotonic() + START_S).get("ready")
        if not isinstance(ready, bool):
            raise self._nonsense(op)
        self._confined = ready
        return link

    def _more(self, op: str, until: float) -> None:
        assert self._link is not None
        fd = self._link.fileno()
        waiter = select.poll()
        waiter.register(fd, select.POLLIN)
        if not waiter.poll(max(0.0, until - time.monotonic()) * 1000):
            self.close()
            raise gone(op) if not self._alive() else Misbehaved(op, "The reader of this card hung.", _HINT)
        try:
            data = os.read(fd, 1 << 18)
        except OSError as error:  # a connection that was broken off; a pipe just ends
            raise self._died(op) from error
        if not data:
            raise self._died(op)
        self._pending += data
        self._heard += len(data)

    def _line(self, op: str, until: float) -> dict[str, Any]:
        searched = 0
        while (end := self._pending.find(b"\n", searched)) < 0:
            searched = len(self._pending)
            if searched > _LINE_MAX:
                raise self._nonsense(op)
            self._more(op, until)
        raw = bytes(self._pending[:end])
        del self._pending[: end + 1]
        try:
            line = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise self._nonsense(op) from error
        if not isinstance(line, dict):
            raise self._nonsense(op)
        if "error" in line:
            raise self._told(op, line["error"])
        return line

    def _bytes(self, op: str, count: int, until: float) -> bytes:
        while len(self._pending) < count:
            self._more(op, until)
        data = bytes(self._pending[:count])
        del self._pending[:count]
        return data

    # --- what went wrong ----------------------------------------------------------------------------------------------

    def _told(self, op: str, error: object) -> Misbehaved | Unplugged | Unreadable:
        self.close()
        kind, what = error if isinstance(error, list) and len(error) == 2 else ("", "")
        if not self._alive():
            return gone(op)
        what = printable(str(what)[:200])
        if kind == "io" or (kind == "damaged" and op == "read"):
            return Unreadable(op, f"The card cannot be read ({what}).", _HINT)
        return Misbehaved(op, f"The card was refused: {what or 'nonsense from its reader'}.", _HINT)

    def _died(self, op: str) -> Misbehaved | Unplugged:
        self.close()
        return gone(op) if not self._alive() else Misbehaved(op, "The reader of this card died.", _HINT)

    def _nonsense(self, op: str) -> Misbehaved | Unplugged:
        self.close()
        return Misbehaved(op, "The reader of this card answered nonsense.", _HINT)
