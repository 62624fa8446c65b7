"""Calls to the kernel fail, one after the other, while a card is brought in and pushed; the ledger stays true.

A fork of a process that has the program is stopped before its first step, `strace` is attached, and lets the n-th call
of a sort in each thread fail, or kills the process there. Whatever comes of that, nothing is called sealed or confirmed
that is not there, the audit agrees, no error is told as a fault of the program, and the same command without a fault
then finishes the work. BWCDOCK_CAMPAIGN=long tries every occurrence of every call; else some by chance, of which the
seed is printed. Needs Debian's strace.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom

import pytest
from bwcdock import app, config, stores
from bwcdock.audit import audit
from bwcdock.clock import WallClock
from bwcdock.ledger import open_read_only
from cli_world import SLOW, Told, files, folder, forks, station

LONG = os.environ.get("BWCDOCK_CAMPAIGN") == "long"
SOME = int(os.environ.get("BWCDOCK_FAULTS") or 60)
"""Faults tried where not all are."""

ONLY = os.environ.get("BWCDOCK_FAULT", "").split(",")
"""Only these, as a run before has named them: ``fsync 3 EIO,openat 12 SIGKILL``."""

PATIENCE_S = 60.0

CALLS = {
    "openat": ("EIO", "ENOSPC", "EDQUOT", "EINTR", "EMFILE"),
    "read": ("EIO", "EINTR", "nothing"),
    "pread64": ("EIO", "EINTR", "nothing"),
    "preadv": ("EIO", "EINTR", "nothing"),
    "preadv2": ("EIO", "EINTR", "nothing"),
    "write": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "pwrite64": ("EIO", "ENOSPC", "EDQUOT", "EINTR", "nothing"),
    "fsync": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "fdatasync": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "fallocate": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "ftruncate": ("EIO", "ENOSPC", "EINTR"),
    "linkat": ("EIO", "ENOSPC", "EDQUOT"),
    "rename": ("EIO", "ENOSPC", "EDQUOT"),
    "renameat": ("EIO", "ENOSPC", "EDQUOT"),
    "unlink": ("EIO",),
    "unlinkat": ("EIO",),
    "mkdirat": ("EIO", "ENOSPC", "EDQUOT"),
    "mkdir": ("EIO", "ENOSPC", "EDQUOT"),
    "fchmod": ("EIO",),
    "getdents64": ("EIO",),
    "statfs": ("EIO",),
}
"""What of each call is made to fail how, beside SIGKILL; ``nothing`` is a call that says it moved no byte."""


WORDS = {
    "EIO": ("Input/output error", "disk I/O error", "database disk image is malformed", "unable to open database file"),
    "ENOSPC": ("No space left on device", "disk I/O error", "disk is full", "unable to open database file"),
    "EDQUOT": ("Disk quota exceeded", "disk I/O error", "unable to open database file"),
    "EMFILE": ("Too many open files", "unable to open database file"),
    "EINTR": ("Interrupted system call", "disk I/O error"),
}
"""What is said of each where the command did not end well: the system's words, or SQLite's, which tells them so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    call: str
    how: str
    nth: int

    def __str__(self) -> str:
        return f"{self.call} {self.nth} {self.how}"

    @property
    def option(self) -> str:
        match self.how:
            case "SIGKILL":
                what = "signal=SIGKILL"
            case "nothing":
                what = "retval=0"
            case _:
                what = f"error={self.how}"
        return f"inject={self.call}:{what}:when={self.nth}"


class Place:
    """One station and one card, put back as they were before every run: names and numbers are the same in each."""

    def __init__(self, directory: Path) -> None:
        self.station = station(directory / "station", SLOW)
        self.card = folder(directory / "D2F001", files(2))
        self.settings = config.load(self.station / config.SETTINGS_NAME)
        self._kept = directory / "kept"
        self._log = directory / "strace"
        shutil.copytree(self.station, self._kept, symlinks=True)
        self.digests = {
            path.relative_to(self.card).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.card.rglob("*")
            if path.is_file()
        }

    def anew(self) -> None:
        shutil.rmtree(self.station)
        shutil.copytree(self._kept, self.station, symlinks=True)

    def bring_in(self, *options: str) -> tuple[Told, str]:
        """What the command says, and what strace with these options saw."""
        tracers: list[subprocess.Popen[bytes]] = []

        def begin(pid: int) -> None:
            _until(lambda: _of(pid, "State").startswith("T"))
            command = ["strace", "-f", "-qq", "-p", str(pid), "-o", str(self._log)]
            tracers.append(subprocess.Popen([*command, *(part for each in options for part in ("-e", each))]))
            _until(lambda: _of(pid, "TracerPid") != "0" or tracers[0].poll() is not None)
            os.kill(pid, signal.SIGCONT)

        args = ["-C", str(self.station), "ingest", str(self.card)]
        status, out, err = forks().run(args, self.card, PATIENCE_S, begin if options else None)
        for tracer in tracers:
            assert tracer.wait(PATIENCE_S) == 0
        seen = self._log.read_text(errors="replace") if options else ""
        return Told(status=status, out=out.decode(), err=err.decode()), seen

    def true(self) -> int:
        """How many recordings are sealed: each is where the ledger says, and the audit from nothing agrees."""
        with open_read_only(self.settings.paths.ledger) as ledger:
            records = ledger.records()
        central = Path(self.settings.sink[0].path or "")
        for record in records:
            places = [self.settings.paths.spool / "whole" / record.id] if "spool" in record.copies else []
            places += [central / held.key for held in record.held if held.sink in record.copies]
            for path in places:
                assert hashlib.sha256(path.read_bytes()).hexdigest() == self.digests[record.item.path], path
        told = audit(self.settings, stores.sinks(self.settings, WallClock()), app.public_key(self.settings))
        assert told.agrees, "\n".join(map(str, told.disagreements))
        return sum(record.digests is not None for record in records)

    def whole(self) -> bool:
        with open_read_only(self.settings.paths.ledger) as ledger:
            records = ledger.records()
        return len(records) == len(self.digests) and all(record.finished for record in records)


def _of(pid: int, name: str) -> str:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return line.split(":", 1)[1].strip()
    return ""


def _until(condition) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


@contextmanager
def faults_of(place: Place) -> Iterator[list[Fault]]:
    """Every fault there can be, by what one run without any does."""
    told, seen = place.bring_in(f"trace={','.join(CALLS)}")
    assert told.status == 0, told
    times = Counter(re.findall(r"^(\d+) +(\w+)\(", seen, re.MULTILINE))
    most: Counter[str] = Counter()
    for (_, call), count in times.items():
        most[call] = max(most[call], count)
    print(dict(sorted(most.items())))
    assert {"fsync", "pwrite64", "linkat", "openat"} <= set(most)
    yield [
        Fault(call=call, how=how, nth=nth)
        for call, count in sorted(most.items())
        for how in (*CALLS[call], "SIGKILL")
        for nth in range(1, count + 1)
    ]


@pytest.mark.timeout(4 * 3600 if LONG else 900)
def test_every_call_may_fail(tmp_path: Path) -> None:
    assert shutil.which("strace"), "strace is missing: apt-get install strace"
    seed = int(os.environ.get("BWCDOCK_SEED") or SystemRandom().randrange(10**6))
    print(f"BWCDOCK_SEED={seed}")
    place = Place(tmp_path)
    ends: Counter[str] = Counter()
    wrong: list[str] = []
    with faults_of(place) as every:
        tried = [fault for fault in every if str(fault) in ONLY] or (
            every if LONG else Random(seed).sample(every, SOME)
        )
        for fault in tried:
            place.anew()
            told, seen = place.bring_in(f"trace={fault.call}", fault.option)
            hit = "(INJECTED)" in seen or told.status == -signal.SIGKILL
            ends[f"{'ended with ' + str(told.status) if hit else 'not reached'}"] += 1
            try:
                _judge(place, fault, told)
            except AssertionError as why:
                wrong.append(f"{fault}: {why}\n{told.err}")
    print(f"{len(tried)} of {len(every)} faults: {dict(ends)}")
    assert not wrong, "\n\n".join(wrong)
    assert ends["not reached"] < len(tried) / 4


def _judge(place: Place, fault: Fault, told: Told) -> None:
    """What came of the fault, and then that the work can be finished."""
    if fault.how == "SIGKILL":
        assert told.status in {0, -signal.SIGKILL}, told
    else:
        assert told.status in {0, 1, 2, 3}, told
    assert "Traceback" not in told.err, told.err
    assert "fault of the program" not in told.err, told.err
    if told.status in {1, 2}:  # 3: something is owed still, and said to be; what it waited for may be over by then
        said = told.out + told.err
        assert any(words in said for words in WORDS.get(fault.how, ("",))), said
    place.true()
    again, _ = place.bring_in()
    assert again.status == 0, again
    assert place.whole(), again
    assert place.true() == len(place.digests)
