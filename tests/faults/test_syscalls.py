"""Calls to the kernel fail, one after the other, while a card is brought in and pushed; the ledger stays true.

The n-th call of a sort to a sort of file fails, does only half of what it was asked, or is where the process is killed.
Whatever comes of that, nothing is called sealed or confirmed that is not there, the audit agrees, no error is told as a
fault of the program, and the same command without a fault then finishes the work.

Calls are counted by what they are: the call, and the file, without what is its own (``fsync station/spool/part/#``). Of
a group up to :data:`MANY` each is tried with every error, of a larger one as many, evenly from the first to the last:
five hundred pages of one journal, or a hundred packages looked into for drivers, are not so many places of the program.
BWCDOCK_CAMPAIGN=long tries all of those, BWCDOCK_FAULTS=every each single call; else some by chance are tried, of which
the seed is printed.
"""

import hashlib
import itertools
import os
import queue
import re
import shutil
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom

import pytest
from bwcdock import app, config, stores
from bwcdock.audit import audit
from bwcdock.cli.common import OWED
from bwcdock.clock import WallClock
from bwcdock.ledger import open_read_only
from cli_world import ENV, SLOW, Told, files, folder, station
from forked_cli import Forks
from kernel_calls import NUMBERS, Call, Watch

LONG = os.environ.get("BWCDOCK_CAMPAIGN") == "long"
SOME = os.environ.get("BWCDOCK_FAULTS") or ("all" if LONG else "120")
"""How many faults are tried: a number, ``all`` that stand for the others, or ``every``."""

ONLY = os.environ.get("BWCDOCK_FAULT")
"""Only these, as a run before has named them: ``fsync station/spool/part/# 3 EIO,openat card 1 SIGKILL``."""

AT_ONCE = (4 if SOME in {"all", "every"} else 1) * len(os.sched_getaffinity(0))
"""Stations at work beside each other: most of its time one waits."""

MANY = 16
"""Of so many calls that are the same each is tried."""

STUCK_S = "4"
"""How long it waits where nothing moves any more: longer than it rests before it tries central storage again."""

MENDED = (
    "flock station/spool/part/#.part 1 EIO",
    "linkat station/ledger/receipts/#.json 1 EIO",
    "openat station/ledger/heads.db 1 EIO",
    "newfstatat station/spool/whole/# 12 EIO",
    "openat station/spool/whole/# 2 EMFILE",
    "pread64 station/spool/whole/# 1 EIO",
    "read /proc/#/io 1 nothing",
)
"""Once told as faults of the program, or told late: always tried."""

PATIENCE_S = 120.0

CALLS = {
    "openat": ("EIO", "ENOSPC", "EDQUOT", "EINTR", "EMFILE"),
    "read": ("EIO", "EINTR", "nothing", "half"),
    "pread64": ("EIO", "EINTR", "nothing", "half"),
    "preadv": ("EIO", "EINTR", "nothing", "half"),
    "preadv2": ("EIO", "EINTR", "nothing", "half"),
    "write": ("EIO", "ENOSPC", "EDQUOT", "EINTR", "half"),
    "pwrite64": ("EIO", "ENOSPC", "EDQUOT", "EINTR", "nothing", "half"),
    "fsync": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "fdatasync": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "fallocate": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "ftruncate": ("EIO", "ENOSPC", "EINTR"),
    "linkat": ("EIO", "ENOSPC", "EDQUOT"),
    "rename": ("EIO", "ENOSPC", "EDQUOT"),
    "renameat": ("EIO", "ENOSPC", "EDQUOT"),
    "newfstatat": ("EIO",),
    "chmod": ("EIO",),
    "fchmodat": ("EIO",),
    "fchown": ("EIO",),
    "flock": ("EIO",),
    "fgetxattr": ("EIO",),
    "fsetxattr": ("EIO", "ENOSPC", "EDQUOT"),
    "unlink": ("EIO",),
    "unlinkat": ("EIO",),
    "mkdirat": ("EIO", "ENOSPC", "EDQUOT"),
    "mkdir": ("EIO", "ENOSPC", "EDQUOT"),
    "fchmod": ("EIO",),
    "getdents64": ("EIO",),
    "statfs": ("EIO",),
}
"""What of each call is made to fail how, beside SIGKILL; ``nothing`` is a call that says it moved no byte, ``half`` one
that moved half of them. ``newfstatat`` fails for the station and the card alone: Python asks it of its own modules and
sockets too, and takes the error for an answer."""

SQLITE = (
    "disk I/O error",
    "database disk image is malformed",
    "unable to open database file",
    "cannot be written: attempt to write a readonly database",  # it opened it for reading
)

WORDS = {
    "EIO": ("Input/output error", *SQLITE),
    "ENOSPC": ("No space left on device", "disk is full", *SQLITE),
    "EDQUOT": ("Disk quota exceeded", *SQLITE),
    "EMFILE": ("Too many open files", *SQLITE),
    "EINTR": ("Interrupted system call", *SQLITE),
}
"""What is said of each where the command did not end well: the system's words, or SQLite's, which tells them so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    call: str
    kind: str
    nth: int
    how: str

    def __str__(self) -> str:
        return f"{self.call} {self.kind} {self.nth} {self.how}"


class Place:
    """One station and one card, put back as they were before every run, and the process that brings the card in."""

    def __init__(self, directory: Path, forks: Forks) -> None:
        directory.mkdir()
        self.station = station(directory / "station", SLOW)
        self.card = folder(directory / "D2F001", files(2))
        self.settings = config.load(self.station / config.SETTINGS_NAME)
        self._forks = forks
        self._kept = directory / "kept"
        shutil.copytree(self.station, self._kept, symlinks=True)
        self.digests = {
            path.relative_to(self.card).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.card.rglob("*")
            if path.is_file()
        }

    def anew(self) -> None:
        shutil.rmtree(self.station)
        shutil.copytree(self._kept, self.station, symlinks=True)

    def bring_in(self, watch: Watch | None = None) -> Told:
        args = ["-C", str(self.station), "ingest", *(("--patience", STUCK_S) if watch else ()), str(self.card)]
        status, out, err = self._forks.run(args, self.card, PATIENCE_S, watch)
        return Told(status=status, out=out.decode(), err=err.decode())

    def fail(self, fault: Fault) -> tuple[Told, bool]:
        """What the command says, and whether it came so far."""
        count = 0

        def judge(call: Call) -> str | None:
            nonlocal count
            count += self.kind(call) == fault.kind
            return fault.how if count == fault.nth and self.kind(call) == fault.kind else None

        told = self.bring_in(Watch(calls=[fault.call], judge=judge))
        return told, count >= fault.nth

    def kind(self, call: Call) -> str:
        """What sort of file a call is about: its path without what is this file's own."""
        path = call.path()
        for place, name in ((self.station, "station"), (self.card, "card")):
            if path == str(place) or path.startswith(f"{place}/"):
                return re.sub(r"[0-9a-f]{8,}|[0-9]+", "#", name + path.removeprefix(str(place)))
        if self.station.is_relative_to(path):
            return "above"
        if path.startswith(("/proc/", "/sys/", "/dev/")) or not path.startswith("/"):
            return re.sub(r"[0-9]+", "#", path)
        return f"program/*{Path(path).suffix}"

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


def faults_of(place: Place) -> list[Fault]:
    """Every fault there can be, by what one run without any does."""
    seen: Counter[tuple[str, str]] = Counter()

    def judge(call: Call) -> None:
        seen[call.name, place.kind(call)] += 1

    told = place.bring_in(Watch(calls=[call for call in CALLS if call in NUMBERS], judge=judge))
    assert told.status == 0, told
    assert {"fsync", "pwrite64", "linkat", "openat"} <= {call for call, _ in seen}
    print(f"{seen.total()} calls of {len(seen)} sorts")
    return [
        Fault(call=call, kind=kind, nth=nth, how=how)
        for (call, kind), count in sorted(seen.items())
        if call != "newfstatat" or kind.startswith(("station", "card"))
        for how in (*CALLS[call], "SIGKILL")
        for nth in (range(1, count + 1) if SOME == "every" else _spread(count))
    ]


def _named(text: str) -> Fault:
    call, kind, nth, how = text.split(" ")
    return Fault(call=call, kind=kind, nth=int(nth), how=how)


def _spread(count: int) -> Iterable[int]:
    """Numbers up to this: all, or :data:`MANY`, the first and the last among them."""
    if count <= MANY:
        return range(1, count + 1)
    return [1 + round(at * (count - 1) / (MANY - 1)) for at in range(MANY)]


class Trial:
    """Faults, tried at several places at once; ``wrong`` is what went wrong, ``ends`` how often it ended how."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.ends: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._is_over = False
        self._done = itertools.count(1)
        self._left: queue.SimpleQueue[Fault] = queue.SimpleQueue()
        for fault in faults:
            self._left.put(fault)

    def run(self, places: Sequence[Place]) -> None:
        threads = [threading.Thread(target=self._at, args=(place,)) for place in places]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        finally:  # where somebody or the time limit ends it
            self._is_over = True

    def _at(self, place: Place) -> None:
        for fault in self._next():
            told = None
            try:
                place.anew()
                told, is_hit = place.fail(fault)
                if told.status == OWED and not is_hit:  # a busy machine used up its patience before it came there
                    place.anew()
                    told, is_hit = place.fail(fault)
                self.ends[f"ended with {told.status}" if is_hit else "not reached"] += 1
                _judge(place, fault, told)
            except Exception:  # also what is wrong with the trial itself: the others go on
                self.wrong.append(f"{fault}: {traceback.format_exc(limit=3)}\n{told and told.err}")
                print(self.wrong[-1], flush=True)

    def _next(self) -> Iterator[Fault]:
        while not self._is_over:
            try:
                yield self._left.get_nowait()
            except queue.Empty:
                return
            if (done := next(self._done)) % 500 == 0:
                print(f"{done} faults tried", flush=True)


@pytest.mark.timeout(4 * 3600 if LONG else 900)
def test_every_call_may_fail(tmp_path: Path) -> None:
    seed = int(os.environ.get("BWCDOCK_SEED") or SystemRandom().randrange(10**6))
    print(f"BWCDOCK_SEED={seed}")
    places = [Place(tmp_path / str(number), Forks(ENV)) for number in range(AT_ONCE)]
    every = faults_of(places[0])
    mended = [_named(text) for text in MENDED]
    some = Random(seed).sample(every, len(every) if SOME in {"all", "every"} else int(SOME))
    tried = [_named(text) for text in ONLY.split(",")] if ONLY else list(dict.fromkeys([*mended, *some]))
    trial = Trial(tried)
    trial.run(places)
    print(f"{len(tried)} of {len(every)} faults: {dict(trial.ends)}")
    assert not trial.wrong, "\n\n".join(trial.wrong)
    assert trial.ends["not reached"] < len(tried) / 4


def _judge(place: Place, fault: Fault, told: Told) -> None:
    """What came of the fault, and then that the work can be finished."""
    if fault.how == "SIGKILL":
        assert told.status in {0, -signal.SIGKILL}, told
    elif fault.how == "half":  # that is no fault: who reads or writes goes on from there
        assert told.status == 0, told
    else:
        assert told.status in {0, 1, 2, 3}, told
    assert "Traceback" not in told.err, told.err
    assert "fault of the program" not in told.err, told.err
    if told.status in {1, 2}:  # 3: something is owed still, and said to be; what it waited for may be over by then
        said = told.out + told.err
        assert any(words in said for words in WORDS.get(fault.how, ("",))), said
    place.true()
    again = place.bring_in()
    assert again.status == 0, again
    assert place.whole(), again
    assert place.true() == len(place.digests)
