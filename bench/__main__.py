"""``python -m bench``: every measurement in a process of its own, one line of JSON a figure."""

import argparse
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import figures, scale

MEASUREMENTS = {
    "pull": "throughput:pull",
    "two": "throughput:two",
    "memory": "memory:memory",
    "plan": "history:planning",
    "history": "history:history",
    "pieces": "pieces:pieces",
    "mtp": "mtp:mtp",
    "wall": "wall:paint",
}
"""Where each is. Loaded by its own process alone: what another one needs would count as memory of a station."""

BY_NAME = {
    "catalogue": "catalogue:catalogue",
    "s3": "s3:s3",
    "sizes": "series:sizes",
    "recorders": "series:recorders",
    "histories": "series:histories",
}
"""Measured only where asked for with --only: needs a PostgreSQL and minutes to fill it; an S3 server and rclone; rsync,
rclone and 12 GiB; half an hour."""

BOTH = ("pull", "two")
"""Measured with and without the processor's SHA instructions, because these decide what the floor is."""

PLAIN = {"OPENSSL_ia32cap": ":~0x20000000"}
"""What has OpenSSL leave the SHA instructions alone (bit 29 of the extended features; see OPENSSL_ia32cap(3))."""

UNLIKE_A_STATION = "PYTHONDONTWRITEBYTECODE"
"""Where this is set every start compiles the program anew; an installed station has its bytecode."""

IN_MEMORY = 8 << 30
"""Bytes free in memory from which on the cards lie there: two cards, their plain files, and room to work."""


def main() -> int:
    asked = _arguments()
    if asked.here:
        sized = scale.quick if asked.quick else scale.full
        module, _, function = (MEASUREMENTS | BY_NAME)[asked.here].partition(":")
        getattr(importlib.import_module(f"bench.{module}"), function)(sized(asked.work, asked.cards, asked.mode))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # gigabytes were put somewhere: they go in every case
    begun, failed = time.monotonic(), []
    asked.work.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="bwcdock-bench-", dir=asked.work))
    cards = Path(tempfile.mkdtemp(prefix="bwcdock-bench-", dir=_place_for_cards(work)))
    figures.machine(
        work=figures.file_system(work), cards=figures.file_system(cards), quick=asked.quick, only=asked.only or None
    )
    try:
        for name, mode in [(one, mode) for one in asked.only or MEASUREMENTS for mode in _modes(one)]:
            if not _measured(name, mode, work, cards, quick=asked.quick):
                failed.append(f"{name} {mode}")
    finally:
        for directory in (work, cards):
            shutil.rmtree(directory, ignore_errors=True)
    figures.tell("whole_run", time.monotonic() - begun, "s", goal=figures.Goal(sign="<=", value=480))
    for name in failed:
        print(f"bench: {name} failed", file=sys.stderr)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="everything once and small; its figures mean nothing")
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS | BY_NAME, help="these measurements alone")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"), help="a folder on the disk to be measured")
    parser.add_argument("--cards", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--here", choices=MEASUREMENTS | BY_NAME, help=argparse.SUPPRESS)
    parser.add_argument("--mode", default="plain", help=argparse.SUPPRESS)
    return parser.parse_args()


def _modes(name: str) -> tuple[str, ...]:
    """Without SHA instructions first: that is what small machines have, and what the goals are about."""
    if not figures.has_sha():
        return ("plain",)
    return ("plain", "sha_ni") if name in BOTH else ("sha_ni",)


def _place_for_cards(work: Path) -> Path:
    """Memory, where there is enough: a recorder is a device of its own, and must not share the spool's disk."""
    memory = Path("/dev/shm")
    try:
        room = os.statvfs(memory)
        free = Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]
    except OSError:
        return work
    return memory if min(room.f_bavail * room.f_frsize, int(free) << 10) >= IN_MEMORY else work


def _measured(name: str, mode: str, work: Path, cards: Path, *, quick: bool) -> bool:
    """Run one measurement in a fresh process; what it prints goes through. Whether it ended well."""
    command = [sys.executable, "-m", "bench", "--here", name, "--mode", mode, f"--work={work}", f"--cards={cards}"]
    environment = {name: value for name, value in os.environ.items() if name != UNLIKE_A_STATION}
    ran = subprocess.run(
        [*command, *(["--quick"] if quick else [])],
        cwd=Path(__file__).resolve().parents[1],
        env=environment | (PLAIN if mode == "plain" else {}),
        check=False,
    )
    return ran.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
