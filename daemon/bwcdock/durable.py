"""Bytes and names that survive a power cut: the only file of the product that opens anything for writing.

Content is durable after fsync of its inode, a name after fsync of its directory, and nothing else is ever assumed. A
failed fsync is final: Linux marks the lost pages clean, so a second fsync of that inode would answer "done" for bytes
that are gone. Every function says what is left if the process or the power dies in the middle of it.
"""

import ctypes
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import aiofiles.os
import aiofiles.threadpool

from bwcdock.calls import SYSTEM, System
from bwcdock.errors import Misused, SpoolBroken, SpoolFull
from bwcdock.reading import BLOCK

_MARK = "user.bwcdock.part"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# What file systems without hard links answer (FAT, SMB, some FUSE and NAS exports); EMLINK is a full link counter.
_NO_LINK = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
_NO_MODE = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})
_NO_RENAME_FLAG = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
_NO_FALLOCATE = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})


@contextmanager
def _held(directory: Path, system: System) -> Iterator[int]:
    """The directory, opened before the work in it: a held inode cannot be evicted together with its write error."""
    fd = system.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        system.close(fd)


def _sync_names(fd: int, system: System) -> None:
    """Fsync a directory. EINVAL alone is passed over: the file system says that it has no such thing (some SMB)."""
    try:
        system.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def fsync_dir(directory: Path, *, system: System = SYSTEM) -> None:
    """Make every name in ``directory`` durable as it is now. Raises ``OSError``."""
    with _held(directory, system) as fd:
        _sync_names(fd, system)


def make_dirs(path: Path, *, mode: int = 0o700, system: System = SYSTEM) -> None:
    """Create ``path`` and what is missing above it, each new directory durable in its parent. Raises ``OSError``.

    If it dies half way some directories exist and are empty, which the next call takes as they are. The parent of
    ``path`` itself is synced also when nothing was missing: whoever made it may have died before the sync.
    """
    missing = [path]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for directory in reversed(missing):
        with _held(directory.parent, system) as fd:
            with suppress(FileExistsError):
                system.mkdir(directory, mode)
                os.chmod(directory, mode, follow_symlinks=True)  # the umask had its say in mkdir
            _sync_names(fd, system)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def write_small(
    path: Path, data: bytes, *, mode: int = 0o600, overwrite: bool = False, system: System = SYSTEM
) -> None:
    """Write a small file so that ``path`` holds all of ``data`` or what it held before, at every moment.

    Raises ``FileExistsError`` where ``overwrite`` is false and the name is taken, else ``OSError``. If it dies before
    the name changes, a hidden ``.<name>.<random>.tmp`` is left, which nothing reads; if it dies before the directory's
    fsync, a power cut may still bring the old state back, and the caller has not been answered.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    with _held(path.parent, system) as directory:
        fd = system.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            try:
                _mode(fd, mode, system)
                rest = memoryview(data)
                while rest:
                    rest = rest[system.write(fd, rest) :]
                system.fsync(fd)
            finally:
                system.close(fd)
            if overwrite:
                system.rename(temporary, path)
            else:
                _name_without_replacing(temporary, path, system)
        finally:
            discard(temporary, system=system)
        _sync_names(directory, system)


async def publish_volatile(path: Path, data: bytes, *, executor: Any) -> None:
    """Replace the small file ``path`` for whoever looks at this moment, off the event loop. Raises ``OSError``.

    For what is no evidence and costs no sync: after a power cut the file may be old, empty or gone. One writer only.
    ``executor`` does the blocking calls: whatever has ``submit``, a lane for one.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    file = open(temporary, "wb")  # noqa: ASYNC230, SIM115  (the run directory is memory, and see below)
    try:
        stream = aiofiles.threadpool.wrap(file, executor=executor)
        await stream.write(data)
        await stream.flush()
    finally:
        file.close()  # here and at once: whoever is cancelled between two calls has nobody to close it for him
    await aiofiles.os.replace(temporary, path, executor=executor)


def discard(path: Path, *, system: System = SYSTEM) -> None:
    """Unlink ``path`` if it is there. Not synced: if a power cut brings the name back it is a stray, found at start."""
    with suppress(FileNotFoundError):
        system.unlink(path)


def unlink_at(directory: int, name: bytes, *, system: System = SYSTEM) -> None:
    """Unlink ``name`` in the open ``directory`` and sync that: when it returns, the name is gone for good."""
    system.unlink(name, dir_fd=directory)
    system.fsync(directory)


def publish(part: Path, final: Path, *, mode: int = 0o400, system: System = SYSTEM) -> None:
    """Give the synced file ``part`` the name ``final`` for good; on return the name is durable.

    The caller has synced the content before. Never overwrites: ``FileExistsError`` where ``final`` is there (the
    caller compares the bytes). Else raises ``OSError``; then the name may be there and is not promised.

    ``link`` adds the name, so the inode is never without one; the name ``part`` is left to :func:`discard`. Where the
    file system has no hard links: ``renameat2`` with RENAME_NOREPLACE, which is as safe but takes ``part`` away. Where
    it has neither: look, then rename, under a lock file in that directory. Against every other bwcdock that holds;
    against a foreign program creating the very same name in between it cannot, and nothing on such a volume can.

    If it dies before the directory's fsync, ``final`` may or may not exist after a power cut; when it does it has all
    the content, because that was synced before.
    """
    with _held(final.parent, system) as directory:
        fd = system.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _mode(fd, mode, system)
        finally:
            system.close(fd)
        _name_without_replacing(part, final, system)
        _sync_names(directory, system)


def set_aside(path: Path, target: Path, *, system: System = SYSTEM) -> None:
    """Move ``path`` to ``target`` without overwriting, durably: first the new name, then the old one goes.

    Raises as :func:`publish`. If it dies in between the file has both names, and the next call with a free target (or
    the sweep at start) finishes it.
    """
    publish(path, target, system=system)
    discard(path, system=system)
    fsync_dir(path.parent, system=system)


def _mode(fd: int, mode: int, system: System) -> None:
    """Set the mode past the umask. A volume without modes (SMB, FAT) keeps its own; that is no ground to lose bytes."""
    try:
        system.fchmod(fd, mode)
    except OSError as error:
        if error.errno not in _NO_MODE:
            raise


def _name_without_replacing(source: Path, target: Path, system: System) -> None:
    try:
        system.link(source, target, follow_symlinks=False)
        return
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
    try:
        system.rename_noreplace(str(source), str(target))
        return
    except OSError as error:
        if error.errno not in _NO_RENAME_FLAG:
            raise
    # The lock goes with the process, so a death here blocks nobody; the empty lock file itself may stay.
    lock = target.with_name(".bwcdock-publish.lock")
    fd = system.open(lock, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        system.rename(source, target)
    finally:
        system.close(fd)


class PartFile:
    """A file that grows from its start and whose length is its progress. One thread at a time.

    Opened (or created, 0600) and locked for this process alone. Whole blocks go past the page cache (``O_DIRECT``),
    which costs a seventh of the processor time; what is not aligned goes through it, and so does everything once the
    disk has refused a direct write. Nothing here ever makes the file longer than the bytes it was given.

    Raises :class:`~bwcdock.errors.SpoolFull` where the disk is full (what was written stays and counts),
    :class:`~bwcdock.errors.SpoolBroken` where the disk failed, :class:`~bwcdock.errors.Misused` where another process
    holds the file, ``FileExistsError`` where the file has a second name: then it is published, and not ours to change.

    If the process dies, every byte below the length is still there. If the power goes, a length may come back with
    bytes that never did, up to the last sync. With ``boot`` given (the kernel's boot id) the two are told apart by a
    mark on the inode: opened again in the same boot the whole length counts, in a later one only what :meth:`hold`
    had promised, and the rest is cut off. Without the mark (no extended attributes here) nothing counts.
    """

    def __init__(self, path: Path, *, boot: str = "", system: System = SYSTEM) -> None:
        self.path = path
        self._boot = boot
        self._held = 0
        self._reserved = 0
        self._named = False
        self._system = system
        self._direct = -1
        self._broken = False
        self._refused_direct = False
        self._fd = self._open_locked()
        self._length = os.fstat(self._fd).st_size
        if boot:
            try:
                self._believe()
            except BaseException:
                self.close()
                raise

    def _believe(self) -> None:
        if self._length:
            # A write-back error of the run before, which nobody was told of, is told here or never.
            self.sync()
        try:
            told, _, held = os.getxattr(self._fd, _MARK).decode("ascii", "replace").partition(" ")
        except OSError:
            told = held = ""
        self._held = min(self._length, int(held) if held.isdecimal() else 0)
        if told != self._boot and self._length:
            self.truncate(self._held // BLOCK * BLOCK)
        # Not synced: if a power cut takes the mark away, nothing is believed, and that is right.
        self._mark()

    def _mark(self) -> None:
        with suppress(OSError):  # no attributes on this volume: the part then begins again after every close
            self._system.setxattr(self._fd, _MARK, f"{self._boot} {self._held}".encode())

    def _open_locked(self) -> int:
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        while True:
            try:
                fd = self._system.open(self.path, flags, 0o600)
            except PermissionError:
                self._make_writable()
                continue
            except OSError as error:
                raise self._failure("open", error) from error
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                links = os.fstat(fd).st_nlink
                if links == 1:
                    return fd
                if links > 1:
                    raise FileExistsError(errno.EEXIST, "has a published name", str(self.path))
            except BlockingIOError:
                self._system.close(fd)
                raise Misused(
                    "open part", f"{self.path.name} is being written by another process.", "Stop the other one."
                ) from None
            except BaseException:
                self._system.close(fd)
                raise
            # Unlinked between open and lock: what we hold has no name any more, so open what the name means now.
            self._system.close(fd)

    def _make_writable(self) -> None:
        """It died after :func:`publish` made the file read-only and before the name came: take that back."""
        try:
            fd = self._system.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                status = os.fstat(fd)
                if status.st_nlink > 1:
                    raise FileExistsError(errno.EEXIST, "has a published name", str(self.path))
                if status.st_mode & stat.S_IWUSR:
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))  # not the mode's doing
                self._system.fchmod(fd, 0o600)
            finally:
                self._system.close(fd)
        except FileExistsError:
            raise
        except OSError as error:
            raise self._failure("open", error) from error

    @property
    def length(self) -> int:
        """Bytes it has, which is how far the work has come."""
        return self._length

    def fileno(self) -> int:
        """The descriptor, for reading; -1 when closed."""
        return self._fd

    def preallocate(self, size: int) -> None:
        """Reserve room up to ``size`` without changing the length, so that "full" is known before the first byte."""
        if size <= self._length:
            return
        try:
            self._system.reserve(self._usable(), size)
            self._reserved = size
        except OSError as error:
            if error.errno not in _NO_FALLOCATE:
                raise self._failure("reserve room", error, missing=size - self._length) from error

    def write_at(self, view: memoryview, offset: int) -> None:
        """Write all of ``view`` at ``offset``, which may not lie beyond the length: a hole would count as progress."""
        fd = self._usable()
        if not 0 <= offset <= self._length:
            raise ValueError(f"write at {offset} of a part with {self._length} bytes")
        rest = view.cast("B")
        while rest:
            try:
                done = self._write_some(fd, rest, offset)
            except OSError as error:
                raise self._failure("write", error, missing=len(rest)) from error
            rest = rest[done:]
            offset += done
            self._length = max(self._length, offset)

    def _write_some(self, fd: int, rest: memoryview, offset: int) -> int:
        body = len(rest) - len(rest) % BLOCK
        if body and offset % BLOCK == 0 and not self._refused_direct and _aligned(rest):
            try:
                return self._system.pwrite(self._direct_fd(fd), rest[:body], offset)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                # The disk wants another alignment or knows no direct I/O: through the page cache from now on.
                self._refused_direct = True
        return self._system.pwrite(fd, rest, offset)

    def _direct_fd(self, fd: int) -> int:
        if self._direct < 0:
            flags = os.O_RDWR | os.O_DIRECT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._direct = self._system.open(self.path, flags)
            if not os.path.samestat(os.fstat(self._direct), os.fstat(fd)):
                raise OSError(errno.ESTALE, "the part was replaced while it was open", str(self.path))
        return self._direct

    def truncate(self, length: int) -> None:
        """Shorten to ``length``; what was there beyond it has to be brought again. Never lengthens."""
        fd = self._usable()
        if not 0 <= length <= self._length:
            raise ValueError(f"truncate to {length} of a part with {self._length} bytes")
        try:
            self._system.ftruncate(fd, length)
        except OSError as error:
            raise self._failure("truncate", error) from error
        self._length = length
        if length < self._held:
            # New bytes will come below the mark: it must be down on the disk before the first of them.
            self._held = length
            self._mark()
            self.sync()

    def sync(self) -> None:
        """Make every byte and the name durable.

        On any error the file is closed and unlinked, and this inode is never synced again.

        If it dies inside, the caller was not told that the bytes are safe, and has recorded nothing.
        """
        fd = self._usable()
        try:
            self._system.fsync(fd)
            if not self._named:
                fsync_dir(self.path.parent, system=self._system)
                self._named = True
        except OSError as error:
            raise self._failure("sync", error) from error

    def hold(self) -> None:
        """Make what is there count as progress also after a power cut: for a pull that is interrupted.

        Sync, mark, sync: the mark is written only when the bytes are safe. If it dies between, an older mark holds.
        """
        self.sync()
        self._held = self._length
        self._mark()
        self.sync()

    def close(self) -> None:
        """Close without any promise; the length stays as progress, room beyond it goes back. May be called twice."""
        if self._reserved > self._length and self._fd >= 0 and not self._broken:
            with suppress(OSError):  # the length is what it was: dying or failing here leaves too much room taken
                self._system.ftruncate(self._fd, self._length)
        for fd in (self._direct, self._fd):
            if fd >= 0:
                self._system.close(fd)
        self._direct = self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _usable(self) -> int:
        if self._broken:
            raise SpoolBroken("write part", f"{self.path.name} failed before.", "Begin it again from nothing.")
        if self._fd < 0:
            raise ValueError("the part is closed")
        return self._fd

    def _failure(self, op: str, error: OSError, *, missing: int = 0) -> Exception:
        """What to raise: full keeps the file; everything else means its bytes cannot be trusted, so it goes."""
        # A sync that finds the disk full has lost bytes that were counted as written: that is not "full", but broken.
        if error.errno in _FULL and op != "sync":
            return SpoolFull(
                f"{op} part", f"The volume of {self.path.name} is full ({error.strerror}).", "Make room.", missing
            )
        if op != "open":
            self._broken = True
            self.close()
            with suppress(OSError):  # the disk is failing: the name may not go either, and is a stray at the next start
                self._system.unlink(self.path)
        return SpoolBroken(
            f"{op} part",
            f"The disk failed {self.path.name}: {error.strerror or error}.",
            "Check the disk (dmesg, smartctl); the recording is still on its recorder and is pulled again.",
        )


def _aligned(view: memoryview) -> bool:
    """Whether the memory starts at a page; read-only memory is taken for not aligned, its address is not to be had."""
    return not view.readonly and ctypes.addressof(ctypes.c_char.from_buffer(view)) % BLOCK == 0
