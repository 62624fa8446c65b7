"""Reads an image back through The Sleuth Kit, knowing nothing of how it was made: the check on every maker."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytsk3

_CHUNK = 4 << 20
_DEEPEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file or directory as found: ``runs`` are (byte offset in the file system, length), in order.

    ``parts`` are the names as they came, in bytes: a card may hold names that are no text. ``modified`` is the naive
    wall time of the entry.
    """

    parts: tuple[bytes, ...]
    directory: bool
    deleted: bool
    read_only: bool
    size: int
    modified: datetime
    runs: tuple[tuple[int, int], ...]
    content: bytes

    @property
    def path(self) -> str:
        """The names as text, joined by '/'."""
        return b"/".join(self.parts).decode("utf-8", "replace")


def read(image: Path, offset: int = 0, *, limit: int = 64 << 20) -> list[Found]:
    """Every file and directory, living and deleted; of each file at most ``limit`` bytes of content."""
    disk = pytsk3.Img_Info(str(image))
    volume = pytsk3.FS_Info(disk, offset=offset)
    return list(_walk(volume, volume.open_dir("/"), (), limit))


def label(image: Path, offset: int = 0) -> str:
    """The volume label, empty where there is none."""
    names = (entry.info.name.name for entry in pytsk3.FS_Info(pytsk3.Img_Info(str(image)), offset=offset).open_dir("/"))
    end = b" (Volume Label Entry)"
    found = next((name.removesuffix(end) for name in names if name.endswith(end)), b"")
    return found.rstrip().decode("utf-8", "replace")


def fsck(image: Path, offset: int = 0) -> str:
    """What is wrong by the checker of the distribution (``fsck.exfat``, ``fsck.vfat``); empty if nothing.

    Where the checker is not installed there is nothing to report: :func:`read` is the check that is always there.
    """
    with image.open("rb") as source:
        source.seek(offset)
        name = "fsck.exfat" if source.read(11)[3:] == b"EXFAT   " else "fsck.vfat"
    tool = shutil.which(name, path="/usr/sbin:/sbin:/usr/bin")
    if tool is None:
        return ""
    with tempfile.TemporaryDirectory() as scratch:
        alone = image
        if offset:  # the checkers know no partitions
            alone = Path(scratch) / "volume"
            _cut(image, alone, offset)
        done = subprocess.run([tool, "-n", str(alone)], capture_output=True, check=False, timeout=60)  # noqa: S603
    return "" if done.returncode == 0 else (done.stdout + done.stderr).decode(errors="replace")


def _cut(image: Path, target: Path, offset: int) -> None:
    """The image from ``offset`` on, with its holes."""
    with image.open("rb") as source, target.open("wb") as sink:
        source.seek(offset)
        while chunk := source.read(_CHUNK):
            if chunk.strip(b"\0"):
                sink.write(chunk)
            else:
                sink.seek(len(chunk), 1)
        sink.truncate()


def _walk(volume: Any, directory: Any, above: tuple[bytes, ...], limit: int) -> Iterator[Found]:
    for entry in directory:
        name, meta = entry.info.name, entry.info.meta
        own = b"$MBR", b"$FAT1", b"$FAT2", b"$OrphanFiles", b"$ALLOC_BITMAP", b"$UPCASE_TABLE"  # the library's own
        made_up = int(name.type) not in {int(pytsk3.TSK_FS_NAME_TYPE_DIR), int(pytsk3.TSK_FS_NAME_TYPE_REG)}
        if meta is None or made_up or name.name.endswith(b" (Volume Label Entry)"):
            continue
        if (name.name in own and not above and meta.mtime == 0) or _is_dots(name.name, meta, volume):
            continue
        is_directory = int(meta.type) == int(pytsk3.TSK_FS_META_TYPE_DIR)
        found = _found(volume, entry, (*above, name.name), limit, is_directory)
        yield found
        if is_directory and not found.deleted and len(above) < _DEEPEST:
            yield from _walk(volume, entry.as_directory(), found.parts, limit)


def _is_dots(name: bytes, meta: Any, volume: Any) -> bool:
    """FAT stores the two as entries; exFAT must not, so there they are someone's doing."""
    exfat = int(volume.info.ftype) == int(pytsk3.TSK_FS_TYPE_EXFAT)
    return name in (b".", b"..") and int(meta.type) == int(pytsk3.TSK_FS_META_TYPE_DIR) and not exfat


def _found(volume: Any, entry: Any, parts: tuple[bytes, ...], limit: int, is_directory: bool) -> Found:  # noqa: FBT001
    meta, block = entry.info.meta, volume.info.block_size
    content = b"" if is_directory else b"".join(_content(entry, min(meta.size, limit)))
    # The library turns the wall time of an entry into an epoch by this process's own zone: turn it back by the same.
    wall = datetime(*time.localtime(meta.mtime)[:6])  # noqa: DTZ001 - naive on purpose
    return Found(
        parts=parts,
        directory=is_directory,
        deleted=bool(int(entry.info.name.flags) & int(pytsk3.TSK_FS_NAME_FLAG_UNALLOC)),
        read_only=not int(meta.mode) & 0o444 or not int(meta.mode) & 0o222,
        size=meta.size,
        modified=wall + timedelta(microseconds=meta.mtime_nano // 1000),
        runs=tuple((run.addr * block, run.len * block) for attribute in entry for run in attribute),
        content=content,
    )


def _content(entry: Any, size: int) -> Iterator[bytes]:
    for at in range(0, size, _CHUNK):
        yield entry.read_random(at, min(_CHUNK, size - at))
