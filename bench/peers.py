"""What a careful person would use instead: a program that copies, the copy on the disk, and its SHA-256 computed."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.figures import timed

ROOT = Path(__file__).resolve().parents[1]

COPIES = {
    "cp": ("cp", "-r", "--reflink=never", "{files}", "{copy}"),
    "rsync": ("rsync", "-rW", "{files}/", "{copy}/"),
    "rclone": ("rclone", "copy", "--config", "", "{files}", "{copy}"),
}
"""Each program, told to copy a folder. Whole files: what is copied is not there yet."""


def program(name: str) -> str:
    """Where it is; of `rclone` also what `make services` brings. What is missing is told plainly."""
    brought = ROOT / ".venv-services" / "bin" / name
    found = shutil.which(name) or (str(brought) if brought.exists() else "")
    if not found:
        sys.exit(f"bench: {name} is missing. Install Debian's {name}; `make services` brings an rclone.")
    return found


def copied(name: str, files: Path, copy: Path) -> float:
    """Seconds that this program takes for the files of a folder, with the sync and a SHA-256 pass over the copy."""
    what, *words = COPIES[name]
    command = [program(what), *(word.format(files=files, copy=copy) for word in words)]

    def work() -> None:
        subprocess.run(command, check=True)
        subprocess.run(["sync", *copy.iterdir()], check=True)
        hashed(copy)

    try:
        return timed(work)
    finally:
        shutil.rmtree(copy)
        os.sync()


def hashed(files: Path) -> None:
    """The floor: one SHA-256 pass over each file of a folder."""
    for path in sorted(files.iterdir()):
        with path.open("rb", buffering=0) as file:
            hashlib.file_digest(file, "sha256")
