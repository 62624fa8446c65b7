"""An image to burn of a finished package: ISO 9660 with Rock Ridge and Joliet, read back before it gets its name."""

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, cast

from pycdlib import PyCdlib
from pycdlib.pycdlibexception import PyCdlibException

from bwcdock.durable_tree import created
from bwcdock.errors import BwcdockError, Untrue

OP = "export"

NAME = 60
"""Bytes of a name in UTF-8: Joliet, which Windows reads, has room for 64 characters, and pycdlib counts them so."""

LABEL = 16
"""Characters of a disc's own name in Joliet."""

LEVEL = 3
"""The interchange level at which a file may have more than 4 GiB, in several pieces."""

OVERHEAD = 4 << 20
"""Bytes of an image beside its files: directories and path tables, for thousands of names."""

DISCS = (("CD", 700_000_000), ("DVD", 4_700_000_000), ("DVD 双层", 8_500_000_000), ("BD", 25_000_000_000))
"""What holds an image, in bytes as their makers count."""


class _Digesting:
    """A file to write to that keeps nothing but the digest."""

    mode = "wb"

    def __init__(self, pace: Callable[[int], None]) -> None:
        self._pace = pace
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.size += len(data)
        self._pace(len(data))
        return len(data)

    def tell(self) -> int:
        return self.size


def _steps(pace: Callable[[int], None]) -> Callable[[int, int, object], None]:
    """Hears from pycdlib how far it is, and tells the size of each step."""
    before = 0

    def step(done: int, _total: int, _opaque: object) -> None:
        nonlocal before
        pace(done - before)
        before = done

    return step


def disc_for(size: int) -> str:
    """The smallest disc that holds so many bytes."""
    return next((name for name, most in DISCS if size <= most), "BD 多层")


def make(folder: Path, digests: Mapping[str, str], image: Path, label: str, pace: Callable[[int], None]) -> None:
    """The files of ``folder`` (by their names in ``digests``, SHA-256) as ``image``, which has no name yet.

    Raises ``Untrue`` where what is read back from it differs, ``OSError`` where it cannot be written.
    """
    try:
        with closing(_mastered(folder, digests, label)) as disc, created(image) as stream:
            disc.write_fp(stream, progress_cb=_steps(pace))
        _compare(image, digests, pace)
    except PyCdlibException as error:
        what = f"The image cannot be made: {error}."
        raise BwcdockError(OP, what, "Make the package without --iso, and burn its folder.") from error


def _mastered(folder: Path, digests: Mapping[str, str], label: str) -> PyCdlib:
    disc = PyCdlib()
    disc.new(interchange_level=LEVEL, joliet=3, rock_ridge="1.09", vol_ident=label[:LABEL])
    # The plain ISO names are seen by nobody who has either extension: they only have to differ.
    plain: dict[str, str] = {"": ""}
    for name in sorted(digests):
        parts = name.split("/")
        for depth in range(1, len(parts)):
            inner = "/".join(parts[:depth])
            if inner not in plain:
                plain[inner] = f"{plain['/'.join(parts[: depth - 1])]}/D{len(plain):07d}"
                disc.add_directory(plain[inner], rr_name=parts[depth - 1], joliet_path=f"/{inner}")
        iso = f"{plain['/'.join(parts[:-1])]}/F{len(plain):07d}.;1"
        plain[name] = iso
        disc.add_file(str(folder.joinpath(*parts)), iso, rr_name=parts[-1], joliet_path=f"/{name}")
    return disc


def _compare(image: Path, digests: Mapping[str, str], pace: Callable[[int], None]) -> None:
    with image.open("rb") as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # from the disk, as far as the kernel lets us
        disc = PyCdlib()
        disc.open_fp(stream)
        with closing(disc):
            for view in ("joliet_path", "rr_path"):
                found = {
                    f"{where}/{name}".removeprefix("/").removeprefix("/")
                    for where, _, names in disc.walk(**{view: "/"})
                    for name in names
                }
                if found != digests.keys():
                    what = f"The image holds other names than the package ({view})."
                    raise Untrue(OP, what, "Report this; nothing was handed over.")
            for name, digest in digests.items():
                told = _Digesting(pace)
                disc.get_file_from_iso_fp(cast(BinaryIO, told), joliet_path=f"/{name}")
                if told.sha256.hexdigest() != digest:
                    what = f"The image gave back other bytes of {name} than the package has."
                    raise Untrue(OP, what, "Check the disk it is written to; nothing was handed over.")
