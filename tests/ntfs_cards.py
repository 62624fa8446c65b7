"""Cards of NTFS, written by ntfs-3g: the one file system of ours that nobody has a maker for without mounting."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

MIB = 1 << 20
NEEDS = "NTFS cards need Debian's ntfs-3g, root, and a kernel with FUSE"

COMPRESSED = (0x800 | 0x10).to_bytes(4, "big")
"""The attributes of a folder whose new files are compressed."""


def can_be_made() -> bool:
    """Whether they can be made here."""
    there = all(shutil.which(name) for name in ("mkntfs", "ntfs-3g", "umount"))
    return there and os.access("/dev/fuse", os.W_OK) and not os.getuid()


def ntfs(image: Path, fill: Callable[[Path], object], *, size: int = 16 * MIB) -> None:
    """A volume without partitions at ``image``, and in it what ``fill`` writes below the folder it is given."""
    at = image.with_suffix(".mounted")
    at.mkdir()
    with image.open("wb") as card:
        card.truncate(size)
    subprocess.run(["mkntfs", "-q", "-F", "-p", "0", "-H", "0", "-S", "0", str(image)], check=True, capture_output=True)
    options = "no_detach,compression,streams_interface=windows"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(["ntfs-3g", "-o", options, str(image), str(at)], **quiet) as writer:  # type: ignore[call-overload]
        try:
            while not os.path.ismount(at):
                assert writer.poll() is None, NEEDS
                time.sleep(0.01)
            fill(at)
        finally:
            subprocess.run(["umount", str(at)], check=False)
            writer.wait(30)
    at.rmdir()


def compressed(folder: Path) -> Path:
    """Make this folder one whose new files are compressed."""
    folder.mkdir()
    os.setxattr(folder, "system.ntfs_attrib_be", COMPRESSED)
    return folder
