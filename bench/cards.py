"""The cards that are docked: made once a run, where the measurements find them."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from bwcdock.clock import WallClock
from bwcdock.testing import cards, footage
from bwcdock.testing.card import naive
from bwcdock.testing.exfat import ExfatImage

MIB = 1 << 20
_LASTING = timedelta(minutes=5)


def full(directory: Path, device: str, *, files: int, size_each: int) -> Path:
    """A card whose files cannot be compressed; the one that is there already, where there is one."""
    path = directory / f"{device}.exfat"
    if not path.exists():
        cards.bench_exfat(path, WallClock().now(), files=files, size_each=size_each, device=device)
    return path


def hollow(path: Path, device: str, *, files: int, size_each: int, newest: datetime | None = None) -> Path:
    """A card whose files are a head and then a hole: it takes no room on the disk, and reads as zeros."""
    until = newest or WallClock().now()
    with ExfatImage(path, (size_each + MIB // 16) * files + 64 * MIB, label="HOLLOW", cluster=32 << 10) as volume:
        for at in range(files):
            start = until - _LASTING * (files - at)
            volume.add(
                f"Media/DCAM_{device}_000000_{naive(start):%Y%m%d_%H%M%S}.mp4",
                footage.husk(size_each, start, 300),
                size=size_each,
                modified=naive(start + _LASTING),
                created=naive(start),
            )
    return path


def forget(path: Path) -> None:
    """Have the kernel forget what it remembers of this file, so that reading it reads the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
