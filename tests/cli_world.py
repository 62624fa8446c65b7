"""What the stories of the command line share: the installed program as its own process, stations, and cards."""

import ctypes
import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import TypeVar

from bwcdock.clock import WallClock
from bwcdock.testing.exfat import ExfatImage
from bwcdock.testing.fat import FatImage
from bwcdock.testing.station import found
from forked_cli import Forks

BWCDOCK = Path(sys.executable).with_name("bwcdock")
PATIENCE_S = 30.0
T = TypeVar("T")

# What a person's shell might have set, and a test must not depend on.
ENV = {name: value for name, value in os.environ.items() if name not in {"BWCDOCK_STATION", "COLUMNS", "NO_COLOR"}}

QUICK: dict[str, dict[str, object]] = {
    "push": {"backoff_first_s": 0.2, "backoff_max_s": 0.5},
    "limits": {"tick_s": 0.1},
    "watch": {"rescan_s": 0.3},
    "drop": {"stable_s": 0.5},
}
"""Settings of the daemon that a test need not wait for."""

SLOW: dict[str, dict[str, object]] = {"pull": {"chunk": "4 KiB"}}
"""Pulling in pages, so that a few MiB take long enough to be stopped in the middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


def start(*args: object, env: Mapping[str, str] | None = None, **more: object) -> "subprocess.Popen[bytes]":
    """The program at work. ``more`` goes to Popen."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **more}
    return subprocess.Popen([BWCDOCK, *map(str, args)], env={**ENV, **(env or {})}, **pipes)


def told(process: "subprocess.Popen[bytes]", *, limit_s: float = PATIENCE_S) -> Told:
    """What it says until it ends, which must be soon."""
    try:
        out, err = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running after {limit_s} s: {out.decode()} {err.decode()}") from None
    return Told(status=process.returncode, out=(out or b"").decode(), err=(err or b"").decode())


@cache
def forks() -> Forks:
    return Forks(ENV)


def run(*args: object, limit_s: float = PATIENCE_S, cwd: Path | None = None, **more: object) -> Told:
    """Run one command to its end; ``more`` is what only a start of its own can give it."""
    if more:
        return told(start(*args, cwd=cwd, **more), limit_s=limit_s)
    status, out, err = forks().run([str(each) for each in args], cwd or Path.cwd(), limit_s)
    return Told(status=status, out=out.decode(), err=err.decode())


def run_all(commands: Sequence[Sequence[object]], **more: object) -> list[Told]:
    """Run commands, one after the other."""
    return [run(*args, **more) for args in commands]


def well(*args: object, **more: object) -> str:
    """Run one command that must end well; what it says."""
    result = run(*args, **more)
    assert result.status == 0, result
    return result.out


def until(condition: Callable[[], T], *, limit_s: float = PATIENCE_S, every_s: float = 0.01) -> T:
    """Wait until it answers something true, and answer it."""
    end = time.monotonic() + limit_s
    while not (answer := condition()):
        assert time.monotonic() < end, f"not within {limit_s} s"
        time.sleep(every_s)
    return answer


def without_power_over_files() -> None:
    """In a child: root without the right to pass over permissions, as every other user is."""
    pr_capbset_drop = 24
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: gone at the exec that follows
        ctypes.CDLL(None).prctl(pr_capbset_drop, capability, 0, 0, 0)


# --- stations -------------------------------------------------------------------------------------------------------


def station(directory: Path, *settings: Mapping[str, Mapping[str, object]]) -> Path:
    """A founded station with these settings."""
    merged: dict[str, dict[str, object]] = {}
    for some in (QUICK, *settings):
        for table, values in some.items():
            merged.setdefault(table, {}).update(values)
    found(directory, merged, now=WallClock().now())
    return directory


@contextmanager
def daemon(directory: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`bwcdock run` on this station, from when it holds the lock to its clean end in under five seconds."""
    log = directory.with_name(f"{directory.name}.log")
    with log.open("ab") as stream:
        process = start("-C", directory, "run", stdout=stream, stderr=stream)
    try:
        lock = directory / "run/bwcdock.lock"
        until(lambda: process.poll() is not None or (lock.exists() and lock.read_text() == f"{process.pid}\n"))
        assert process.poll() is None, log.read_text()
        yield process
        if process.poll() is None:
            stop(process)
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Tell it to stop: it does, in the five seconds of ``stop_s`` and what a busy machine takes to end a process."""
    process.terminate()
    assert process.wait(20) == 0


# --- cards ----------------------------------------------------------------------------------------------------------


def files(seed: int, count: int = 3) -> dict[str, bytes]:
    """Recordings of a recorder, by path; no two alike."""
    chance = Random(seed)
    day = datetime(2026, 3, 2, 8, tzinfo=UTC)
    return {
        f"DCIM/{day + timedelta(minutes=10 * at):%Y%m%d_%H%M%S}.mp4": chance.randbytes(20_000 + 7_777 * at)
        for at in range(count)
    }


def folder(path: Path, content: Mapping[str, bytes]) -> Path:
    """The recordings in a directory."""
    for name, data in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def super_floppy(path: Path, content: Mapping[str, bytes]) -> Path:
    """The recordings on a FAT16 volume without a partition table."""
    with FatImage(path, 8 << 20, bits=16, serial=0x51DE0001) as image:
        for name, data in content.items():
            image.add(name, data, modified=datetime(2026, 3, 2, 9, tzinfo=UTC))
    return path


def partitioned(path: Path, content: Mapping[str, bytes]) -> Path:
    """The recordings on an exFAT volume behind a partition table."""
    with ExfatImage(path, 8 << 20, serial=0x51DE0002, partitioned=True) as image:
        for name, data in content.items():
            image.add(name, data, modified=datetime(2026, 3, 2, 9, tzinfo=UTC))
    return path


def big_folder(path: Path, size: int = 32 << 20) -> Path:
    """One recording that takes a while: with :data:`SLOW`, a second or two."""
    path.mkdir(parents=True)
    with (path / "20260302_080000.mp4").open("wb") as stream:
        for at in range(size >> 20):
            stream.write(bytes([at % 251]) * (1 << 20))
    return path


def part(directory: Path) -> int:
    """Bytes of the recording that is being pulled by this station."""
    folder = directory / "spool/part"
    return max((path.stat().st_size for path in folder.glob("*.part")), default=0) if folder.is_dir() else 0


def digests(directory: Path) -> dict[str, int]:
    """What lies in central storage: how often each content is there, manifests and papers aside."""
    found_: dict[str, int] = {}
    for path in (directory / "central").rglob("*.mp4"):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found_[digest] = found_.get(digest, 0) + 1
    return found_


def each_once(*contents: Mapping[str, bytes]) -> dict[str, int]:
    """What :func:`digests` is when each of these recordings is there, and once."""
    return {hashlib.sha256(data).hexdigest(): 1 for content in contents for data in content.values()}


def is_one_sentence(text: str) -> bool:
    """Whether this is what is said of an error: one line that names the program, a sentence, and what to do."""
    return bool(re.fullmatch(r"bwcdock[^\n]*: [^\n]+[.?!]\n", text)) and "Traceback" not in text
