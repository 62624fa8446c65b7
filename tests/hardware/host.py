"""What this machine must have before a guest can be built and started here, and where what was built is kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).resolve().parent / "inside"

NEEDED = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "mkfs.ext4": "e2fsprogs",
    "busybox": "busybox-static",
    "cpio": "cpio",
    "dpkg-deb": "dpkg",
}
"""A program, and the Debian package that brings it."""


PATIENCE = float(os.environ.get("BWCDOCK_LAB_PATIENCE", "1"))
"""Everything that is only waited for is waited for so many times as long: others may work on this machine. What is
measured against a limit of the product is not."""

DEBIAN_PYTHON = "/usr/bin/python3"


class Unfit(Exception):
    """This machine lacks something; the text says what to do."""


def check() -> None:
    """Raise :class:`Unfit` with the packages to install, or with what else stands in the way."""
    missing = sorted({package for program, package in NEEDED.items() if shutil.which(program) is None})
    if missing:
        raise Unfit("Missing on this machine. Install with: apt-get install " + " ".join(missing))
    if os.geteuid() != 0:
        raise Unfit("Building the guest's disk makes device nodes and changes root: run it as root.")
    if sys.version_info[:2] != (3, 11):
        raise Unfit("The guest has Python 3.11, and its wheels are fetched by this interpreter: use Python 3.11.")
    asked = [DEBIAN_PYTHON, "-c", "import ensurepip, sys, venv; print(*sys.version_info[:2], sep='.')"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False) if os.path.exists(asked[0]) else None
    if told is None or told.stdout.strip() != "3.11":
        raise Unfit(f"The Debian package is built with {DEBIAN_PYTHON}: it must be 3.11 as the guest's, with venv.")


def cache() -> Path:
    """The folder with the built images: ``$BWCDOCK_LAB``, else ``~/.cache/bwcdock-lab``. Never in the repository."""
    told = os.environ.get("BWCDOCK_LAB")
    where = Path(told) if told else Path.home() / ".cache" / "bwcdock-lab"
    if where.resolve().is_relative_to(ROOT):
        raise Unfit(f"{where} lies in the repository: name another folder in $BWCDOCK_LAB.")
    where.mkdir(parents=True, exist_ok=True)
    return where


def run(*argv: str | Path, cwd: Path | None = None) -> str:
    """The standard output of a command that must succeed; what it said against it stands in the error."""
    done = subprocess.run([str(part) for part in argv], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(map(str, argv))} ended with {done.returncode}:\n{(done.stderr or done.stdout)[-3000:]}"
        )
    return done.stdout
