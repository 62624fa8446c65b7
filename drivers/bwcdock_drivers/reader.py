"""The process that looks at a stranger's file system: started for one card, locked in, and trusted by nobody.

It holds three descriptors: requests (0), replies (1), the source, read-only (3). A request is one JSON line; so is a
reply, except that bytes of a file follow their line raw. ``list`` answers with ``volume``, ``files`` and ``deleted``
lines and an ``end``; ``read`` with a ``frame``; either with ``error``. If it dies anywhere, its starter sees the end of
the pipe and blames the card alone. Requests and replies may also be one connection, which brings the source first.
"""

import fcntl
import json
import os
import socket
import stat
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import pytsk3

from bwcdock_drivers import sandbox, volume
from bwcdock_drivers.volume import Volume
from bwcdock_drivers.walk import ENTRIES_MAX, TooMuch, Walk

VOLUMES_MAX = 16
"""File systems on one card: a GPT could name 128, and each costs a scan."""

LINE_MAX = 1 << 20
"""Bytes of one reply line."""

FRAME_MAX = 1 << 20
"""Bytes of a file in one reply."""

LISTING_MAX = 80 << 20
"""Bytes of all files of a listing: 200,000 with paths of ninety bytes. The starter keeps every name, and 200,000 paths
of 4,096 bytes would be 1.6 GB there."""

_DETAILS_MAX = 20
_compact = json.JSONEncoder(separators=(",", ":")).encode
_ALLOCATED_PART = 1  # TSK_VS_PART_FLAG_ALLOC
_TYPES = {
    "fat": pytsk3.TSK_FS_TYPE_FAT_DETECT,
    "exfat": pytsk3.TSK_FS_TYPE_EXFAT,
    "ntfs": pytsk3.TSK_FS_TYPE_NTFS_DETECT,
    "ext": pytsk3.TSK_FS_TYPE_EXT_DETECT,
}


class Source(pytsk3.Img_Info):  # type: ignore[misc]  # pytsk3 has no types
    """The inherited descriptor as The Sleuth Kit wants it; ``errors`` counts failed reads."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.size = os.lseek(fd, 0, os.SEEK_END)
        self.errors = 0
        super().__init__(url="", type=pytsk3.TSK_IMG_TYPE_EXTERNAL)

    def close(self) -> None:
        """The descriptor is the starter's."""

    def read(self, offset: int, length: int) -> bytes:
        """At most ``length`` bytes; fewer at the end of the source."""
        if not 0 <= offset < self.size:
            return b""
        try:
            return os.pread(self.fd, min(length, self.size - offset), offset)
        except OSError:
            self.errors += 1
            raise

    def get_size(self) -> int:
        """Bytes of the source."""
        return self.size


class Replies:
    """The reply pipe: batches rows into lines, and gathers notes until the end."""

    def __init__(self) -> None:
        self._rows: list[str] = []
        self._length = 0
        self._total = 0
        self._notes: dict[str, list[Any]] = {}

    def send(self, **line: object) -> None:
        """Write one line."""
        _write(_compact(line).encode() + b"\n")

    def file(self, row: dict[str, object]) -> None:
        """Add a file to the batch. Raises :class:`~bwcdock_drivers.walk.TooMuch`."""
        text = _compact(row)
        self._total += len(text)
        if self._total > LISTING_MAX:
            raise TooMuch("its names are longer in all than any recorder's")
        if self._length + len(text) > LINE_MAX // 2:
            self.flush()
        self._rows.append(text)
        self._length += len(text) + 1

    def flush(self) -> None:
        """Send the batch."""
        if self._rows:
            _write(f'{{"files":[{",".join(self._rows)}]}}\n'.encode())
        self._rows, self._length = [], 0

    def note(self, code: str, detail: str) -> None:
        """Remember something a person should know."""
        count, details = self._notes.setdefault(code, [0, []])
        if count < _DETAILS_MAX:
            details.append(detail[:200])
        self._notes[code][0] = count + 1

    def end(self, **facts: object) -> None:
        """Send what is left, and the end."""
        self.flush()
        notes = [[code, count, details] for code, (count, details) in self._notes.items()]
        self.send(end=facts | {"notes": notes})


def _write(data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(1, left) :]


# --- volumes ----------------------------------------------------------------------------------------------------------


def _places(source: Source) -> Iterator[int]:
    """Where file systems may begin: at the start, or where a partition table says."""
    if volume.sniff(source.read, 0) in _TYPES:
        yield 0
        return
    head = source.read(0, 8192)
    is_gpt = b"EFI PART" in (head[512:520], head[4096:4104])
    if not is_gpt and head[510:512] != b"\x55\xaa":
        yield 0
        return
    kind = pytsk3.TSK_VS_TYPE_GPT if is_gpt else pytsk3.TSK_VS_TYPE_DOS
    try:
        table = pytsk3.Volume_Info(source, type=kind)
        starts = [p.start * table.info.block_size for p in table if int(p.flags) == _ALLOCATED_PART]
    except OSError:
        starts = []
    yield from dict.fromkeys(starts) or (0,)


def _volumes(source: Source, replies: Replies) -> Iterator[tuple[Volume, Any]]:
    for number, offset in enumerate(_places(source)):
        if number >= VOLUMES_MAX:
            replies.note("volume.several", f"more than {VOLUMES_MAX} partitions; the rest was not looked at")
            return
        kind = volume.sniff(source.read, offset)
        if kind not in _TYPES:
            code = "volume.encrypted" if kind in ("luks", "bitlocker") else "volume.unknown"
            replies.note(code, f"{kind or 'no known file system'} at byte {offset}")
            continue
        try:
            found = volume.describe(source.read, kind, offset)
            system = pytsk3.FS_Info(source, offset=offset, type=_TYPES[kind])
        except (OSError, ValueError, OverflowError) as error:
            replies.note("volume.damaged", f"{kind} at byte {offset}: {error}")
            continue
        if offset + found.size > source.size:
            replies.note("volume.truncated", f"{found.kind} at byte {offset}: {found.size} bytes are claimed")
            found = replace(found, size=source.size - offset)
        if found.free is not None:
            found = replace(found, free=min(found.free, found.size))
        yield found, system


# --- requests ---------------------------------------------------------------------------------------------------------


def _list(source: Source, replies: Replies) -> None:
    room, deleted_count = ENTRIES_MAX, 0
    for index, (found, system) in enumerate(_volumes(source, replies)):
        walk = Walk(
            pread=source.read,
            source_size=source.size,
            out=replies,
            index=index,
            found=found,
            system=system,
            room=room,
        )
        walk.run()
        replies.flush()
        replies.send(volume=asdict(walk.volume))
        for at in range(0, len(walk.deleted), 100):
            replies.send(deleted=walk.deleted[at : at + 100])
        deleted_count += walk.deleted_count
        room = walk.room
    replies.end(entries=ENTRIES_MAX - room, deleted=deleted_count, errors=source.errors)


def _read(source: Source, request: dict[str, Any]) -> None:
    system = pytsk3.FS_Info(source, offset=request["offset"], type=_TYPES[request["kind"].rstrip("0123456789")])
    file = system.open_meta(inode=request["inode"])
    data = file.read_random(request["at"], min(request["length"], FRAME_MAX))
    _write(json.dumps({"frame": len(data)}).encode() + b"\n" + data)


def _serve(source: Source, line: bytes) -> None:
    replies = Replies()
    try:
        request = json.loads(line)
        if request["op"] == "list":
            _list(source, replies)
        else:
            _read(source, request)
    except TooMuch as error:
        replies.send(error=["limit", str(error)])
    except OSError as error:
        replies.send(error=["io" if source.errors else "damaged", str(error)[:200]])
    except MemoryError:
        replies.send(error=["limit", "its directories need more memory than allowed"])


def _brought() -> int:
    """The source, as it comes with the first byte of the connection on 0: one descriptor, of a card, for reading only.

    Raises ``OSError`` for anything else: a descriptor that can write must never be where a stranger's file system is.
    """
    connection = socket.socket(fileno=0)
    try:
        _, descriptors, flags, _ = socket.recv_fds(connection, 1, 2)
    finally:
        connection.detach()
    if len(descriptors) != 1 or flags & socket.MSG_CTRUNC:
        raise OSError("not one descriptor came with the connection")
    (source,) = descriptors
    mode, how = os.fstat(source).st_mode, fcntl.fcntl(source, fcntl.F_GETFL)
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise OSError("what came is neither a file nor a block device")
    if how & os.O_PATH or how & os.O_ACCMODE != os.O_RDONLY:
        raise OSError("what came is not open for reading alone")
    return source


def main() -> None:
    """Lock in, then answer requests until they end.

    Arguments: the starter's process id and the source's descriptor; none where 0 is a connection.
    """
    parent = int(sys.argv[1]) if len(sys.argv) > 1 else None
    try:
        given = int(sys.argv[2]) if parent is not None else _brought()
    except OSError as error:
        Replies().send(error=["source", str(error)])
        sys.exit(1)
    os.dup2(given, sandbox.SOURCE_FD)
    filtered = sandbox.confine(parent)
    source = Source(sandbox.SOURCE_FD)
    _write(json.dumps({"ready": filtered}).encode() + b"\n")
    pending = b""
    while data := os.read(0, 65536):
        pending += data
        while b"\n" in pending:
            line, _, pending = pending.partition(b"\n")
            _serve(source, line)
    os._exit(0)  # no tidying up of a process that may have been taken over


if __name__ == "__main__":
    main()
