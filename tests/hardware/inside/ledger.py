"""In the guest: the facts of the station's ledger, read as its user beside the daemon, and what lies in its stores."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

STATE = Path("/var/lib/bwcdock")


def facts(since: int = 0, path: str = str(STATE / "ledger" / "ledger.db")) -> list[dict[str, object]]:
    """Every leaf from ``since`` on: ``seq``, ``t`` and ``mono`` in ms, ``ev``, its subjects, and its ``data``.

    A process of the ledger's owner reads them: SQLite makes files beside a database, and root's would shut the
    station out.
    """
    if not os.path.exists(path):
        return []
    owner = os.stat(path)
    done = subprocess.run(
        ["/usr/bin/python3", "-I", os.path.abspath(__file__), path, str(since)],
        user=owner.st_uid, group=owner.st_gid, extra_groups=[], capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise OSError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def digests(under: str, suffix: str = "") -> dict[str, str]:
    """The SHA-256 of each file below a folder whose name ends so, by its path from there; manifests are left out."""
    found = {}
    for path in sorted(Path(under).rglob("*")):
        if path.is_file() and path.name.endswith(suffix) and not path.name.endswith(".manifest.json"):
            digest = hashlib.sha256()
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
            found[str(path.relative_to(under))] = digest.hexdigest()
    return found


def kept() -> dict[str, str]:
    """What must outlive the program: settings and keys by their SHA-256, every file of spool and central storage, which
    nothing writes twice, by its size.
    """
    sums = {f"{at}/{name}": sum_ for at in ("/etc/bwcdock", STATE / "keys") for name, sum_ in digests(str(at)).items()}
    for part in ("spool/whole", "central"):
        sums |= {f"{part}/{name}": str(size) for name, size in sizes(str(STATE / part)).items()}
    mark = STATE / "founded"
    return sums | {str(mark): mark.read_text()}


def sizes(under: str) -> dict[str, int]:
    """The size of each file below a folder, by its path from there."""
    found = {}
    for path in sorted(Path(under).rglob("*")):
        try:
            if path.is_file():
                found[str(path.relative_to(under))] = path.stat().st_size
        except FileNotFoundError:  # it was moved in this moment
            continue
    return found


def pulling(least: int, limit_s: float) -> int:
    """Wait until so many bytes of footage are in partial files, as while a recorder is read; how many there are."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        there = sum(sizes(str(STATE / "spool" / "part")).values())
        if there >= least:
            return there
        time.sleep(0.01)
    raise TimeoutError(f"no {least} bytes in partial files within {limit_s} s")


def _main(path: str, since: str) -> None:
    book = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)
    try:
        for (body,) in book.execute("SELECT body FROM leaf WHERE seq >= ? ORDER BY seq", (int(since),)):
            sys.stdout.write(json.dumps(json.loads(body)) + "\n")
    finally:
        book.close()


if __name__ == "__main__":
    _main(*sys.argv[1:])
