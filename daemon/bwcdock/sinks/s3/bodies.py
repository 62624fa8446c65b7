"""The file that is sent: read in order for its digests, and once more, part by part, as the body of a request.

The second reading comes out of the page cache and proves nothing; it need not. What a store takes must have the MD5
that the first reading found, and the first reading's BLAKE3 must be the sealed one before anything gets a name.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from blake3 import blake3

from bwcdock.errors import Untrue
from bwcdock.reading import opened

PIECE = 256 << 10
"""Bytes per read and per send. urllib3 would ask for 16 KiB at a time, which costs four times the processor time."""

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Where a part lies in the file, and the MD5 of its bytes (hex)."""

    number: int
    offset: int
    size: int
    md5: str


class Source:
    """The sealed file. What it cannot give raises :class:`~bwcdock.errors.Untrue`: the spool is to be looked at."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = opened(path)
        except OSError as error:
            raise self._unreadable(error) from error
        self._fd = self._file.fileno()
        self.size = os.fstat(self._fd).st_size
        os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def parts(self, size: int, whole: blake3, looked: Callable[[int], object]) -> Iterator[Part]:
        """Every part of ``size`` bytes (the last may be shorter) as soon as it is digested; ``whole`` digests all.

        ``looked`` is called with the size of every piece.
        """
        for number, offset in enumerate(range(0, max(self.size, 1), size), 1):
            length = min(size, self.size - offset)
            told = hashlib.md5(usedforsecurity=False)
            for piece in self.pieces(offset, length, MIB):
                told.update(piece)
                whole.update(piece)
                looked(len(piece))
            yield Part(number=number, offset=offset, size=length, md5=told.hexdigest())

    def pieces(self, offset: int, length: int, most: int) -> Iterator[bytes]:
        """The bytes of this range, at most ``most`` at a time."""
        end = offset + length
        while offset < end:
            piece = self.read(offset, min(most, end - offset))
            yield piece
            offset += len(piece)

    def read(self, offset: int, length: int) -> bytes:
        """At least one and at most ``length`` bytes."""
        try:
            piece = os.pread(self._fd, length, offset)
        except OSError as error:
            raise self._unreadable(error) from error
        if not piece:
            raise self.untrue()
        return piece

    def sent(self, part: Part) -> None:
        """A part is not needed any more: the page cache is wanted for recorders that are being emptied."""
        os.posix_fadvise(self._fd, part.offset, part.size, os.POSIX_FADV_DONTNEED)

    def untrue(self) -> Untrue:
        """What is to be raised where it is not what was sealed."""
        what = f"The spool copy {self._path.name} is no longer what was sealed."
        return Untrue("put", what, "Nothing was published. Check the spool's disk; the copy is verified.")

    def _unreadable(self, error: OSError) -> Untrue:
        what = f"The spool copy of {self._path.name} cannot be read: {error.strerror or error}."
        return Untrue("put", what, "Check the spool's disk; the copy is verified and fetched again.")

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Slice:
    """A part of the source as the body of one request, read while it is sent.

    ``error`` is what went wrong with it, if anything: the client would wrap it in an error of its own, and the store
    would be blamed.
    """

    def __init__(self, source: Source, part: Part, sending: Callable[[int], object]) -> None:
        self._source = source
        self._part = part
        self._sending = sending
        self._at = 0
        self.error: BaseException | None = None

    def __len__(self) -> int:
        return self._part.size

    def read(self, amount: int | None = -1) -> bytes:
        """The next piece, of a size of its own: whoever asks sends what he gets, and large pieces cost less."""
        left = self._part.size - self._at
        if left <= 0 or amount == 0:
            return b""
        try:
            piece = self._source.read(self._part.offset + self._at, min(left, PIECE))
            self._sending(len(piece))
        except BaseException as error:
            self.error = error
            raise
        self._at += len(piece)
        return piece

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Begin the next read elsewhere."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._part.size}[whence]
        self._at = max(0, min(self._part.size, base + offset))
        return self._at
