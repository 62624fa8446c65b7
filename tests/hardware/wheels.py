"""The wheels the guest installs: those the lock pins for a station at work, and the program's own, built here."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from host import ROOT, run

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _plain(requirement: str) -> str:
    found = _NAME.match(requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def runtime() -> set[str]:
    """The names of everything a station needs at run time, with what those need in turn."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted, known = [_plain(one) for one in project["dependencies"]], set()
    while wanted:
        name = wanted.pop()
        if name in known:
            continue
        try:
            needs = requires(name) or []
        except PackageNotFoundError:  # asked for by a marker that does not hold here
            continue
        known.add(name)
        wanted += [_plain(need) for need in needs if "extra ==" not in need]
    return known


def locked() -> str:
    """The part of the lock that a station needs: the same pins with the same hashes."""
    names = runtime()
    entries = re.split(r"\n(?=[a-zA-Z0-9])", (ROOT / "requirements.lock").read_text())
    kept = [entry.strip() for entry in entries if not entry.startswith("#") and _plain(entry) in names]
    return "\n".join(kept) + "\n"


def fetch(folder: Path) -> None:
    """Put the pinned wheels into ``folder``, each checked against its hash; ``locked.txt`` lists them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    listing = folder / "locked.txt"
    listing.write_text(locked())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    # `wheel`, not `download`: what the registry has only as source becomes a wheel here, where the compilers are.
    run(*pip, "wheel", "--no-deps", "--require-hashes", "--wheel-dir", folder, "-r", listing)


def peer(folder: Path, name: str) -> Path:
    """The wheel of something that only tests need, as the lock pins it."""
    entries = re.split(r"\n(?=[a-zA-Z0-9])", (ROOT / "requirements.lock").read_text())
    (pinned,) = (entry for entry in entries if not entry.startswith("#") and _plain(entry) == name)
    folder.mkdir(parents=True)
    (folder / "locked.txt").write_text(pinned + "\n")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run(*pip, "wheel", "--no-deps", "--require-hashes", "--wheel-dir", folder, "-r", folder / "locked.txt")
    (wheel,) = folder.glob("*.whl")
    return wheel


@contextmanager
def packaging(folder: Path) -> Iterator[Callable[[], Path]]:
    """Build the Debian package beside everything else, as `make deb` does; what is given waits for it.

    Its virtual environment is made with Debian's own Python, which is the guest's.
    """
    folder.mkdir(parents=True)
    log = folder / "log"
    with log.open("wb") as said:
        command = ["nice", sys.executable, str(ROOT / "packaging" / "deb.py"), str(folder)]
        building = subprocess.Popen(command, stdout=said, stderr=said)

    def made() -> Path:
        if building.wait():
            raise RuntimeError(f"the package cannot be built: {log.read_text()[-2000:]}")
        (package,) = folder.glob("bwcdock_*.deb")
        return package

    try:
        yield made
    finally:
        building.kill()
        building.wait()


def build(folder: Path, tree: Path = ROOT) -> Path:
    """Build the program's own wheel from ``tree`` as it stands."""
    shutil.rmtree(folder, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, tree)
    (wheel,) = folder.glob("bwcdock-*.whl")
    return wheel
