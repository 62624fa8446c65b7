"""Mounting the recording file system for as long as something is to be recorded."""

import ctypes
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE_S = 30.0
NEEDED = (
    "The power-cut campaign records on a FUSE file system, and none could be mounted here. It needs /dev/fuse and "
    "libfuse: on Debian, apt-get install libfuse2 (or libfuse3-3), and fuse3 where it is not run as root."
)
_DETACH = 2


class Recording:
    """What is recorded under ``root``; ``ops`` once it is over."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ops: list[tuple] = []


@contextmanager
def recorded(directory: Path) -> Iterator[Recording]:
    """A fresh folder whose changes are recorded; fails, and says what to install, where FUSE cannot be had."""
    folder, root, log = directory / "under", directory / "mounted", directory / "ops.pickle"
    folder.mkdir(parents=True, exist_ok=True)
    root.mkdir()
    here = Path(__file__).with_name("fuse.py")
    with open(directory / "fuse.log", "wb") as told:
        process = subprocess.Popen([sys.executable, "-W", "ignore", here, folder, root, log], stdout=told, stderr=told)
    try:
        _wait_for(root, process, directory / "fuse.log")
        recording = Recording(root)
        yield recording
    finally:
        _unmount(root, process)
    recording.ops = pickle.loads(log.read_bytes())


def _wait_for(root: Path, process: subprocess.Popen, told: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while not os.path.ismount(root):
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"{NEEDED}\n{told.read_text(errors='replace')}")
        time.sleep(0.01)


def _unmount(root: Path, process: subprocess.Popen) -> None:
    if os.path.ismount(root):
        if os.geteuid() == 0:
            ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(root), _DETACH)
        else:
            tool = shutil.which("fusermount3") or shutil.which("fusermount") or "fusermount3"
            subprocess.run([tool, "-u", "-z", root], check=True)
    try:
        process.wait(PATIENCE_S)
    finally:
        process.kill()
        process.wait()
