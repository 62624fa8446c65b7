"""Reading what the disk holds, rather than what the page cache remembers, into a bounded set of buffers."""

import errno
import fcntl
import hashlib
import mmap
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from itertools import cycle
from pathlib import Path
from queue import SimpleQueue
from typing import Literal, Self

from blake3 import blake3 as Blake3  # noqa: N812  # the name is wanted for a parameter

from bwcdock.calls import SYSTEM, System

BLOCK = 4096
"""What direct I/O must be aligned to: the largest logical block in use, so that it fits every disk."""

CHUNK = 8 << 20
"""Bytes per read or write: beyond this size a bigger one was no faster, and two of them still fit a small machine."""


class Buffers:
    """At most ``count`` page-aligned buffers of ``size`` bytes, lent out and reused.

    A multiple of 4096 is needed for ``size``. Memory is taken when a buffer is first needed and kept until the pool is
    gone, or told to let go. Safe for threads; :meth:`take` waits for a free one, so the pool is also the bound on bytes
    in flight.
    """

    def __init__(self, count: int = 4, size: int = CHUNK) -> None:
        if count < 1 or size < BLOCK or size % BLOCK:
            raise ValueError(f"{count} buffers of {size} bytes: need at least one, each a multiple of {BLOCK}")
        self.size = size
        self._left = count
        self._free: list[memoryview] = []
        self._keeps = True
        self._change = threading.Condition()

    def take(self) -> memoryview:
        """A whole buffer, with whatever its last user left in it; waits until one is free."""
        with self._change:
            while not self._free and not self._left:
                self._change.wait()
            if self._free:
                return self._free.pop()
            self._left -= 1
            # Private anonymous memory: page-aligned by nature, and not counted as shared memory.
            memory = mmap.mmap(-1, self.size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            with suppress(OSError):  # a kernel without huge pages; with them a direct transfer costs a third
                memory.madvise(mmap.MADV_HUGEPAGE)
            return memoryview(memory)

    def give(self, buffer: memoryview) -> None:
        """Hand the whole buffer back, the very view that :meth:`take` gave."""
        with self._change:
            if self._keeps:
                self._free.append(buffer)
            else:
                self._left += 1
            self._change.notify()

    def let_go(self) -> None:
        """Keep no memory from now on: what is free goes at once, what is lent as soon as it is given back.

        For whoever is through with reading and may live on: the pool may be part of a cycle, and wait long for the
        collector, which does not know that it stands for megabytes.
        """
        with self._change:
            self._keeps = False
            self._left += len(self._free)
            self._free.clear()

    @contextmanager
    def lend(self) -> Iterator[memoryview]:
        """:meth:`take` with the :meth:`give` that belongs to it."""
        buffer = self.take()
        try:
            yield buffer
        finally:
            self.give(buffer)


def opened(path: Path) -> FileIO:
    """The file to be read and nothing else, through the page cache; raises ``OSError`` where it is no regular file."""
    # As in Reading: a FIFO that lies there must not hang us, and is no file.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):  # asked before FileIO, which refuses a folder and leaves it open
        os.close(fd)
        raise OSError(errno.EISDIR, "not a regular file", str(path))
    return FileIO(fd)


class Whole:
    """A file to look around in through the page cache: for its structure, where nothing is being proven."""

    def __init__(self, path: Path) -> None:
        self._file = opened(path)
        self._fd = self._file.fileno()
        self.size = os.fstat(self._fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        """At most ``length`` bytes from ``offset``, fewer only at the end. Raises ``OSError``."""
        return os.pread(self._fd, length, offset)

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """What a file holds: its size, the digests asked for in lower-case hex (else empty), and how it was read.

    ``direct`` is past the page cache; ``cached`` is after asking the kernel to drop the cache, which it may not do.
    """

    size: int
    sha256: str
    blake3: str
    how: Literal["direct", "cached"]


class Reading:
    """A file opened for reading from the disk rather than from the page cache; one thread at a time.

    ``source`` is a path (never followed when it is a symbolic link) or an open descriptor, which stays the caller's.
    ``how`` says how it is read, and turns from ``direct`` to ``cached`` when the disk refuses. Raises ``OSError``.
    """

    how: Literal["direct", "cached"]

    def __init__(self, source: Path | int, *, system: System = SYSTEM) -> None:
        self._system = system
        # A descriptor is opened anew by its /proc name: the same inode, with flags of its own.
        name, extra = (f"/proc/self/fd/{source}", 0) if isinstance(source, int) else (str(source), os.O_NOFOLLOW)
        # O_NONBLOCK: opening a FIFO that somebody put there must not hang; it means nothing for a regular file.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | extra
        self.how = "direct"
        try:
            self._fd = system.open(name, flags | os.O_DIRECT)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._fd = system.open(name, flags)
            self.how = "cached"
        try:
            status = os.fstat(self._fd)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EISDIR, "not a regular file", name)
            if self.how == "cached":
                self._drop_cache()
        except BaseException:
            self.close()
            raise
        self.size = status.st_size

    def _drop_cache(self) -> None:
        self.how = "cached"
        os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def fill(self, buffer: memoryview, offset: int) -> int:
        """Fill the page-aligned ``buffer`` from ``offset``, a multiple of 4096; fewer bytes only at the end."""
        done = 0
        while done < len(buffer):
            try:
                got = self._system.preadv(self._fd, [buffer[done:]], offset + done)
            except OSError as error:
                # EINVAL: no direct reads here after all, or a read that stopped inside a block.
                if error.errno != errno.EINVAL or self.how == "cached":
                    raise
                fcntl.fcntl(self._fd, fcntl.F_SETFL, fcntl.fcntl(self._fd, fcntl.F_GETFL) & ~os.O_DIRECT)
                self._drop_cache()
                continue
            done += got
            if got == 0 or offset + done >= self.size:
                break
        return done

    def close(self) -> None:
        """Close the descriptor of this reading."""
        self._system.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_back(
    source: Path | int,
    *,
    sha256: bool = False,
    blake3: bool = True,
    buffers: Buffers | None = None,
    pace: Callable[[int], None] | None = None,
    system: System = SYSTEM,
) -> ReadBack:
    """Read the whole of ``source`` from the disk and digest it. Raises ``OSError``.

    ``pace`` is called with the size of every chunk: for throttling, progress, or stopping by an exception of its own.
    """
    evidential = hashlib.sha256() if sha256 else None
    working = Blake3() if blake3 else None
    size = 0
    with Reading(source, system=system) as reading:
        for chunk in chunks(reading, buffers or Buffers(count=1)):
            if working:
                working.update(chunk)
            if evidential:
                evidential.update(chunk)
            size += len(chunk)
            if pace:
                pace(len(chunk))
    return ReadBack(
        size=size,
        sha256=evidential.hexdigest() if evidential else "",
        blake3=working.hexdigest() if working else "",
        how=reading.how,
    )


def chunks(reading: Reading, buffers: Buffers) -> Iterator[memoryview]:
    """All of a file in order, each chunk read by a second thread while the caller works on the one before it.

    A chunk is valid until the next one is asked for; it starts at a page boundary, at a multiple of 4096 in the file,
    and only the last one may have another length. Close the generator (or exhaust it) to end the thread.
    Both halves come from one buffer: readers that each held one buffer and waited for a second would wait for ever.
    """
    empty: SimpleQueue[memoryview | None] = SimpleQueue()
    full: SimpleQueue[memoryview | BaseException] = SimpleQueue()

    def read() -> None:
        offset = 0
        while (half := empty.get()) is not None:
            try:
                chunk = half[: reading.fill(half, offset)]
            except BaseException as error:  # whatever it is, the digesting thread must hear of it or wait for ever
                full.put(error)
                return
            offset += len(chunk)
            full.put(chunk)

    with buffers.lend() as buffer:
        half = max(BLOCK, len(buffer) // 2 // BLOCK * BLOCK)
        halves = [buffer[at : at + half] for at in range(0, len(buffer) - half + 1, half)]
        for view in halves:
            empty.put(view)
        thread = threading.Thread(target=read, name="read-ahead", daemon=True)
        thread.start()
        try:
            for turn in cycle(halves):
                chunk = full.get()
                if isinstance(chunk, BaseException):
                    raise chunk
                if chunk:
                    yield chunk
                if len(chunk) < half:
                    return
                empty.put(turn)
        finally:
            empty.put(None)
            thread.join()  # the buffer goes back to the pool only when nobody writes into it any more
