"""What every maker of disk images needs: pouring content into places of a sparse file."""

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bwcdock.errors import Misused

SECTOR = 512
PARTITION_START = 2048  # sectors: 1 MiB, where every card formatter of the last fifteen years starts
_CHUNK = 8 << 20  # few enough calls for gigabytes, little enough memory for the smallest machine

Content = bytes | Path | Iterable[bytes | memoryview]


def size_of(content: Content, size: int | None) -> int:
    """Bytes the file will have: ``size`` where given, else what the content has; an iterable must be told."""
    if size is not None:
        return size
    if isinstance(content, bytes):
        return len(content)
    if isinstance(content, Path):
        return content.stat().st_size
    raise Misused("write image", "The size of streamed content is not known beforehand.", "Give size=.")


def chunks(content: Content) -> Iterator[memoryview]:
    """The content in pieces of at most 8 MiB."""
    if isinstance(content, Path):
        with content.open("rb", buffering=0) as source:
            buffer = bytearray(_CHUNK)
            while count := source.readinto(buffer):
                yield memoryview(buffer)[:count]
        return
    for piece in (content,) if isinstance(content, bytes) else content:
        whole = memoryview(piece)
        for start in range(0, len(whole), _CHUNK):
            yield whole[start : start + _CHUNK]


def pour(fd: int, places: Sequence[tuple[int, int]], content: Content) -> int:
    """Write the content into ``places`` (offset, length), one after the other; return how many bytes it had.

    Pieces of nothing but zeros stay holes: the image must be new there. Content that ends early leaves zeros.
    """
    total = 0
    room = iter(places)
    offset, left = next(room, (0, 0))
    for chunk in chunks(content):
        rest = chunk
        while len(rest):
            if not left:
                offset, left = next(room, (0, 0))
                if not left:
                    raise Misused("write image", "The content is longer than its size.", "Give the true size=.")
            part, rest = rest[:left], rest[left:]
            if part != bytes(len(part)):
                _write(fd, part, offset)
            offset, left, total = offset + len(part), left - len(part), total + len(part)
    return total


def _write(fd: int, part: memoryview, offset: int) -> None:
    while len(part):
        done = os.pwrite(fd, part, offset)
        part, offset = part[done:], offset + done


def create(path: Path, size: int) -> int:
    """A new sparse file of ``size`` bytes, opened for reading and writing; what was there before is gone."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    os.ftruncate(fd, size)
    return fd


def write_mbr(fd: int, kind: int, sectors: int, serial: int) -> None:
    """A partition table with one partition of ``sectors`` at 1 MiB; ``kind`` is its type byte (0x07, 0x0C)."""
    # Cylinder, head and sector are out of reach of these cards; FE FF FF says "use the sector numbers".
    entry = struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", PARTITION_START, sectors)
    table = bytes(440) + struct.pack("<IH", serial, 0) + entry + bytes(48) + b"\x55\xaa"
    os.pwrite(fd, table, 0)
