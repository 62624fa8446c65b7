"""Bytes from a read-only descriptor: past the page cache where possible, exact about what cannot be read.

A file is a list of :class:`Place`; reading goes straight from the device into the caller's buffer. After an error the
block concerned is tried three times alone, so that one bad sector costs its own 4 KiB and nothing else.
"""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import stat
import struct
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from bwcdock.core.facts import Item, Span
from bwcdock.errors import BwcdockError, NotAllowed, Unplugged, Unreadable

BLOCK: Final = 4096
"""The grain in which unreadable bytes are told: the page, and the physical sector of every larger card."""

TRIES: Final = 3
"""How often a block is tried alone; the kernel and the card's own controller have tried before."""

BAD_RUN_S: Final = 2.0
"""How long one call may spend on measuring how far a bad run goes; a bad sector can cost 30 s, then it tells one."""

_BOUNCE = 256 << 10  # pieces that cannot be read in place are read here: unaligned ends, and resuming at odd offsets
_BLKSSZGET = 0x1268
_GONE = frozenset({errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM, errno.ESHUTDOWN})

HOLE: Final = -1
LOST: Final = -2


@dataclass(frozen=True, slots=True)
class Place:
    """``length`` bytes of a file at ``at`` of the source; at -1 they are zeros, at -2 nobody knows where they are."""

    at: int
    length: int


class Extents:
    """Where the bytes of one file lie. What the places do not cover is lost; past ``initialised`` there are zeros."""

    def __init__(self, places: Iterable[tuple[int, int]], size: int, initialised: int | None = None) -> None:
        self.size = size
        defined = size if initialised is None else min(initialised, size)
        self._starts: list[int] = []
        self._places: list[Place] = []
        done = 0
        for at, length in places:
            done = self._add(done, at, min(length, defined - done))
        done = self._add(done, LOST, defined - done)
        self._add(done, HOLE, size - done)

    def _add(self, done: int, at: int, length: int) -> int:
        if length > 0:
            self._starts.append(done)
            self._places.append(Place(at, length))
        return done + max(0, length)

    def find(self, offset: int) -> Place:
        """The place of the byte ``offset`` (below the size) and of those that follow it there."""
        number = bisect_right(self._starts, offset) - 1
        place, skip = self._places[number], offset - self._starts[number]
        return Place(place.at + skip if place.at >= 0 else place.at, place.length - skip)

    @property
    def lost(self) -> int:
        """How many bytes have no known place."""
        return sum(p.length for p in self._places if p.at == LOST)


class Source:
    """An open regular file or block device. ``alive`` says whether it is still there; asked only after an error."""

    def __init__(self, fd: int, direct: int | None, alive: Callable[[], bool]) -> None:
        self.fd = fd
        self.alive = alive
        self._direct = direct
        self._grain = _sector(fd)
        self._bounce: mmap.mmap | None = None

    @property
    def direct(self) -> bool:
        """Whether reads go past the page cache."""
        return self._direct is not None

    def close(self) -> None:
        """Close both descriptors."""
        for fd in (self.fd, self._direct):
            if fd is not None:
                os.close(fd)
        self._direct = None
        self.fd = -1

    def fill(self, at: int, view: memoryview) -> int:
        """Read at ``at`` into ``view``; fewer bytes are allowed, none only at the end. ``OSError`` as it comes."""
        if self._direct is not None:
            try:
                return self._fill_direct(self._direct, at, view)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                os.close(self._direct)  # this kernel, file system or disk will not; it will not next time either
                self._direct = None
        return self._preadv(self.fd, view, at)

    def _fill_direct(self, fd: int, at: int, view: memoryview) -> int:
        grain = self._grain
        whole = len(view) - len(view) % grain
        if whole and not (at | _address(view)) % grain:
            return self._preadv(fd, view[:whole], at)
        if self._bounce is None:
            self._bounce = mmap.mmap(-1, _BOUNCE)  # anonymous, so it starts at a page
        before = at % grain
        wanted = min(len(view), _BOUNCE - before)
        with memoryview(self._bounce) as bounce:
            got = self._preadv(fd, bounce[: -(-(before + wanted) // grain) * grain], at - before)
            got = max(0, min(got - before, wanted))
            view[:got] = bounce[before : before + got]
        return got

    def _preadv(self, fd: int, view: memoryview, at: int) -> int:
        """The one place where bytes come from."""
        return os.preadv(fd, [view], at)

    def first_sector(self) -> bool:
        """Whether the beginning can be read from the device itself, not from memory of it."""
        scratch = memoryview(bytearray(BLOCK))
        if self._direct is None:
            with contextlib.suppress(OSError):
                os.posix_fadvise(self.fd, 0, BLOCK, os.POSIX_FADV_DONTNEED)
        try:
            return self.fill(0, scratch) > 0
        except OSError:
            return False


def _address(view: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


def _sector(fd: int) -> int:
    """The logical sector of a block device; 512 for a file, whose file system says EINVAL where it wants more."""
    if not stat.S_ISBLK(os.fstat(fd).st_mode):
        return 512
    try:
        return int(struct.unpack("i", fcntl.ioctl(fd, _BLKSSZGET, struct.pack("i", 0)))[0])
    except OSError:
        return 512


def read_into(source: Source, extents: Extents, offset: int, view: memoryview, path: str) -> int:
    """Fill ``view`` from ``offset`` of the file; return how many bytes, 0 only at or past the end.

    Raises :class:`~bwcdock.errors.Unreadable` when the first block cannot be had, else returns the good bytes before
    the bad one; :class:`~bwcdock.errors.Unplugged` when the source is gone.
    """
    end = min(offset + len(view), extents.size)
    done = offset
    while done < end:
        place = extents.find(done)
        part = view[done - offset : done - offset + min(place.length, end - done)]
        if place.at == HOLE:
            part[:] = bytes(len(part))
            done += len(part)
            continue
        got, whole = (0, False) if place.at == LOST else _fill(source, place.at, part, done)
        done += got
        if not whole:
            break
    if done > offset or done >= end:
        return max(0, done - offset)
    if not source.alive():
        raise gone("read")
    raise _unreadable(source, path, done, extents.find(done), end)


def _fill(source: Source, at: int, part: memoryview, offset: int) -> tuple[int, bool]:
    """Good bytes at the beginning of ``part``, and whether going on behind them is worth it."""
    with contextlib.suppress(OSError):  # what it was, trying the blocks alone will tell
        got = source.fill(at, part)
        return got, got > 0
    good = 0
    while good < len(part):
        block = _block(part, good, offset)
        if not _tried(source, at + good, block):
            break
        good += len(block)
    return good, good == len(part)


def _block(part: memoryview, done: int, offset: int) -> memoryview:
    """From ``done`` to the next multiple of a block in the file, whose byte ``offset`` is the first of ``part``."""
    return part[done : done + BLOCK - (offset + done) % BLOCK]


def _tried(source: Source, at: int, block: memoryview) -> bool:
    for _ in range(TRIES):
        got = 0
        try:
            while got < len(block) and (more := source.fill(at + got, block[got:])):
                got += more
        except OSError as error:
            if error.errno in _GONE:
                raise gone("read") from error
            continue
        return got == len(block)
    return False


def _unreadable(source: Source, path: str, offset: int, place: Place, end: int) -> Unreadable:
    """The error for a bad block at ``offset``, with the run of bad blocks as far as it was measured."""
    stop = min(offset + place.length, end)
    bad = place.length if place.at == LOST else min(stop - offset, BLOCK - offset % BLOCK)
    until = time.monotonic() + BAD_RUN_S
    scratch = memoryview(bytearray(BLOCK))
    while place.at >= 0 and offset + bad < stop and time.monotonic() < until:
        block = scratch[: min(BLOCK, stop - offset - bad)]
        if _tried(source, place.at + bad, block):
            break
        bad += len(block)
    what = "has no known place on the card" if place.at == LOST else f"could not be read in {TRIES} tries"
    return Unreadable(
        "read",
        f"{bad} bytes from {offset} of {path}: {what}.",
        "What can be read is kept aside; keep the card.",
        [Span(offset=offset, length=bad)],
    )


def gone(op: str) -> Unplugged:
    """The error for a recorder that went away."""
    return Unplugged(op, "The recorder is no longer there.", "Plug it in again; it goes on where it stopped.")


def absent(item: Item) -> Unreadable:
    """The error for an item that this recorder did not list, or no longer holds as it was listed."""
    what = f"{item.path} is not, or no longer, on the recorder as it was listed."
    return Unreadable("read", what, "Dock it again to list it anew.", [Span(offset=0, length=item.size)])


def closed(item: Item, error: OSError) -> Unreadable:
    """The error for an item that is there and cannot be opened: it may not be read, or its disk fails."""
    whole = [Span(offset=0, length=item.size)]
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = "Let the station's user read this file, then dock it again."
        return Unreadable("read", f"{item.path} may not be read.", hint, whole)
    what = f"{item.path} cannot be opened ({error.strerror})."
    return Unreadable("read", what, "Keep the card, and try it again.", whole)


def refused(op: str, name: str, error: OSError) -> BwcdockError:
    """What an ``OSError`` at opening means."""
    if error.errno in _GONE | {errno.ENOENT, errno.ESTALE, errno.ENOTDIR}:
        return gone(op)
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = "Let the service's group read this device (see the udev rules), or this file or folder."
        return NotAllowed(op, f"{name} may not be opened.", hint)
    if error.errno == errno.ELOOP:
        return NotAllowed(op, f"{name} is a symbolic link.", "Give the device or folder itself.")
    return Unreadable(op, f"{name} cannot be read ({error.strerror}).", "Try it again; keep the card.")


OPEN_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def open_pair(name: str, dir_fd: int | None = None) -> tuple[int, int | None]:
    """A buffered and, where it can be had, a direct descriptor of the same file. ``OSError`` as it comes."""
    fd = os.open(name, OPEN_FLAGS, dir_fd=dir_fd)
    try:
        direct = os.open(name, OPEN_FLAGS | os.O_DIRECT, dir_fd=dir_fd)
    except OSError:
        return fd, None
    one, other = os.fstat(fd), os.fstat(direct)
    if (one.st_dev, one.st_ino, one.st_rdev) == (other.st_dev, other.st_ino, other.st_rdev):
        return fd, direct
    os.close(direct)  # exchanged between the two openings; what was opened first is what counts
    return fd, None


@contextmanager
def opened(path: str) -> Iterator[tuple[Source, int]]:
    """The regular file or block device ``path`` with its size; both descriptors are closed at the end."""
    try:
        fd, direct = open_pair(path)
    except OSError as error:
        raise refused("open", path, error) from error
    seen = os.fstat(fd)
    source = Source(fd, direct, lambda: _still(path, seen) and source.first_sector())
    try:
        if not (stat.S_ISREG(seen.st_mode) or stat.S_ISBLK(seen.st_mode)):
            raise NotAllowed("open", f"{path} is neither a file nor a block device.", "Give an image or a device.")
        yield source, os.lseek(fd, 0, os.SEEK_END)
    finally:
        source.close()


def _still(path: str, seen: os.stat_result) -> bool:
    """Whether the path still leads to what was opened, and there is something in it."""
    try:
        now = os.lstat(path)
    except OSError:
        return False
    same = (now.st_dev, now.st_ino, now.st_rdev) == (seen.st_dev, seen.st_ino, seen.st_rdev)
    return same and (stat.S_ISBLK(now.st_mode) or now.st_size > 0)
