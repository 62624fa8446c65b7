"""The files of this repository, for the rules that look at them."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DAEMON = ROOT / "daemon" / "bwcdock"
DRIVERS = ROOT / "drivers" / "bwcdock_drivers"


@cache
def product() -> tuple[Path, ...]:
    """Every module that ships."""
    return tuple(sorted([*DAEMON.rglob("*.py"), *DRIVERS.rglob("*.py")]))


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """Every text file that is tracked, or would be: its path from the root, and what it says."""
    # Outside a checkout (an unpacked source archive) every file is one of ours.
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    told = subprocess.run(listing, capture_output=True, check=False) if (ROOT / ".git").exists() else None
    if told is not None and told.returncode == 0:
        names = [Path(name.decode()) for name in told.stdout.split(b"\0") if name]
    else:
        names = [
            path.relative_to(ROOT)
            for part in ("daemon", "drivers", "tests", "config", "docs")
            for path in (ROOT / part).rglob("*")
        ]
    found = []
    for name in sorted(set(names)):
        path = ROOT / name
        if path.is_file() and not path.is_symlink():
            try:
                found.append((str(name), path.read_text("utf-8")))
            except UnicodeDecodeError:  # not text
                continue
    return tuple(found)


def short(path: Path) -> str:
    """The path from the root."""
    return str(path.relative_to(ROOT))
