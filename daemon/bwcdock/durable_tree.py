"""What is written on volumes that somebody carries away: a folder that appears whole or not at all, a file on a card.

As everything in :mod:`bwcdock.durable`: content is synced before its name, and what dies half way leaves a hidden
``.<name>.<random>.tmp`` behind that nothing reads. What fails leaves nothing. And :func:`write_again`, for a file that
others write.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from bwcdock import durable
from bwcdock.calls import SYSTEM, System

_NO_FLAG = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})


def hidden(final: Path) -> Path:
    """A name beside ``final`` for what is not finished: on the same volume, so that it needs only to be renamed."""
    return final.with_name(f".{final.name[:40]}.{secrets.token_hex(8)}.tmp")


@contextmanager
def growing(final: Path) -> Iterator[Path]:
    """A hidden folder, to be filled and then given its name by :func:`appear`; gone at the end if it was not.

    Raises ``FileExistsError`` where ``final`` is there already, else ``OSError``.
    """
    if os.path.lexists(final):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final))
    folder = hidden(final)
    os.mkdir(folder, 0o750)
    try:
        yield folder
    finally:
        if os.path.lexists(folder):
            shutil.rmtree(folder, ignore_errors=True)


def sweep(place: Path, before: datetime) -> None:
    """Remove from ``place`` what died half way, and what was finished before that moment. Raises ``OSError``.

    Only where nobody else makes anything there now: what grows has a hidden name too.
    """
    for path in place.iterdir():
        if path.name.startswith(".") and path.name.endswith(".tmp") and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name.startswith(".") or datetime.fromtimestamp(path.lstat().st_mtime, UTC) < before:
            durable.discard(path)


def appear(folder: Path, final: Path, *, system: System = SYSTEM) -> None:
    """Give a folder that was filled with :func:`created` its name; when it returns, all of it is durable.

    If it dies before the last sync, a power cut may bring the hidden name back.
    """
    for where, _, _ in os.walk(folder):
        durable.fsync_dir(Path(where), system=system)
    try:
        system.rename_noreplace(str(folder), str(final))
    except OSError as error:
        if error.errno not in _NO_FLAG:
            raise
        # FAT, SMB and others: look, then rename. A rename of a folder replaces nothing but an empty folder.
        if os.path.lexists(final):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from None
        system.rename(folder, final)
    durable.fsync_dir(final.parent, system=system)


def create_at(directory: int, name: bytes, data: bytes, *, system: System = SYSTEM) -> None:
    """Make a new small file in the open ``directory``; when it returns, bytes and name are durable.

    Never writes over anything and never follows a link: then ``FileExistsError``, else ``OSError``. What fails leaves
    nothing, as far as the card still lets names be removed.
    """
    file = system.open(
        name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=directory
    )
    try:
        try:
            if system.write(file, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            system.fsync(file)
        finally:
            system.close(file)
        system.fsync(directory)
    except BaseException:
        with suppress(OSError):
            durable.unlink_at(directory, name, system=system)
        raise


@contextmanager
def created(path: Path, *, system: System = SYSTEM) -> Iterator[BinaryIO]:
    """A new file to write to, synced at the end; gone where writing it failed. A missing folder is made."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    stream = open(path, "xb")  # noqa: SIM115  (a file that was there before must not be discarded below)
    try:
        with stream:
            yield stream
            stream.flush()
            system.fsync(stream.fileno())
    except BaseException:
        with suppress(OSError):
            durable.discard(path, system=system)
        raise


def write_again(path: Path, *, system: System = SYSTEM) -> None:
    """Write the bytes of ``path`` over themselves and sync; nothing where there is no such file. Raises ``OSError``.

    For a file that may have met a failed sync in a run before: its bytes can be in memory alone, marked clean, and no
    other sync would bring them to the disk. If it dies in the middle every byte is still what it was.
    """
    try:
        fd = system.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        offset = 0
        while chunk := os.pread(fd, 1 << 20, offset):
            offset += system.pwrite(fd, chunk, offset)
        system.fsync(fd)
    finally:
        system.close(fd)
