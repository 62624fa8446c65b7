"""The place a package goes to: whether it has room, and what its errors mean."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bwcdock.errors import BwcdockError, Misused

OP = "export"

BESIDE = 32 << 20
"""Bytes of a package beside its originals: proofs, papers with a part of a font each, a receipt of up to 16 MiB."""

_HINTS = {
    errno.ENOSPC: "Make room there, or name another place.",
    errno.EDQUOT: "Make room there, or name another place.",
    errno.EFBIG: "Its file system takes no file of this size (FAT: 4 GiB): format it as exFAT, or name another place.",
    errno.EROFS: "It is mounted read-only: name another place.",
    errno.ENOENT: "Name a place in a directory that is there.",
    errno.ENOTDIR: "Name a place in a directory that is there.",
    errno.ENAMETOOLONG: "Name it shorter.",
    errno.EACCES: "Work as a user who may write there.",
    errno.EPERM: "Work as a user who may write there.",
    errno.EIO: "The disk or stick fails: take another one.",
}


def check(to: Path, iso: Path | None, size: int) -> None:
    """Refuse before the first byte what would not fit, or is there already."""
    for path in filter(None, (to, iso)):
        if os.path.lexists(path):
            raise Misused(OP, f"{path} is there already.", "Name another place; nothing was changed.")
    needs: dict[int, tuple[Path, int]] = {}
    for path in filter(None, (to, iso)):
        device = path.absolute().parent.stat().st_dev
        needs[device] = (path, needs.get(device, (path, 0))[1] + size + BESIDE)
    for path, needed in needs.values():
        volume = os.statvfs(path.absolute().parent)
        free = volume.f_bavail * volume.f_frsize
        if free < needed:
            what = f"There is no room for {path}: {needed} bytes are needed and {free} are free."
            raise BwcdockError(OP, what, _HINTS[errno.ENOSPC])


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What the place a package goes to says, as one sentence."""
    try:
        yield
    except FileExistsError as error:
        raise Misused(OP, f"{path} is there already.", "Name another place; nothing was changed.") from error
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "Look at the place and the disk it is on.")
        raise BwcdockError(OP, f"{path} cannot be written: {error.strerror or error}.", hint) from error
