"""The daemon is killed at random moments, again and again; nothing is lost, nothing is there twice, every proof holds.

Recorders come and go meanwhile, as on any day. Most daemons are forked from one process that has everything imported
(a `bwcdock run` of its own, with its own pid and lock), so that a kill costs what the work costs and not the start of
an interpreter; some are started as an operator starts them. BWCDOCK_CAMPAIGN=long kills five times as often.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bwcdock import app, stores
from bwcdock.audit import audit
from bwcdock.clock import WallClock
from bwcdock.core.record import Record, State
from bwcdock.ledger import open_read_only
from bwcdock.testing.cards import bench_exfat
from bwcdock.testing.station import found
from bwcdock.verify_central import verify

LONG = os.environ.get("BWCDOCK_CAMPAIGN") == "long"
KILLS = 500 if LONG else 100
AUDIT_EVERY = 20
DOCKED = 4
"""How many recorders lie in the dock at once; the oldest is taken out for the next, whatever is being done with it."""

SHARE = 0.7
"""The latest moment of a kill, as a share of a round: most kills are to fall into work, some to what follows it."""

ROUND_S = (0.3, 5.0)
"""The least and the most that a round is believed to take; it is measured, because machines differ and are busy."""

PULL, IDLE = "in the middle of a pull", "nothing told yet"

FORKER = """
import json, os, sys, time
import bwcdock.app, bwcdock.cli.work, bwcdock.cli.show, bwcdock.cli.demo, bwcdock.cli.make, bwcdock.station
import bwcdock_drivers.folder, bwcdock_drivers.mass_storage
from bwcdock.cli import main
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        log = os.open(sys.argv[1], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.dup2(log, 1), os.dup2(log, 2)
        os._exit(main(json.loads(line)))
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""
ENTRY = "import sys; from bwcdock.cli import main; sys.exit(main())"


class Forker:
    """Starts daemons one after the other and says how they ended."""

    def __init__(self, log: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORKER, str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, station: Path) -> int:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(["-C", str(station), "run"]) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def ended(self) -> int:
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def close(self) -> None:
        self._process.communicate(timeout=20)


@dataclass
class Dock:
    """A station with a drop folder, the recorders in it and in officers' pockets, and what was ever recorded."""

    directory: Path
    chance: random.Random
    recorded: dict[tuple[str, str], str] = field(default_factory=dict)
    made: int = 0

    def __post_init__(self) -> None:
        overrides = {
            "drop": {"stable_s": 0.05},
            "watch": {"rescan_s": 0.1},
            "pull": {"chunk": "64 KiB", "second_read": True},
            # Slow enough that pushing takes as long as pulling.
            "sink": {"bandwidth": "40 MiB"},
            "push": {"backoff_first_s": 0.1, "backoff_max_s": 0.2},
            "ledger": {"checkpoint_every_s": 0.2, "beat_s": 0.3},
            "limits": {"tick_s": 0.05},
            "log": {"level": "warning", "format": "json"},
        }
        self.station = self.directory / "station"
        self.settings = found(self.station, overrides, now=WallClock().now())
        self.drop, self.pocket = self.station / "drop", self.directory / "pocket"
        self.pocket.mkdir()

    def record(self, serial: str, place: Path, path: str) -> None:
        data = self.chance.randbytes(self.chance.choice((0, 1, 4096, 200_000, 800_000, 3_000_000)))
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(data)
        self.recorded[serial, path] = hashlib.sha256(data).hexdigest()

    def clip(self, serial: str) -> str:
        self.made += 1
        at = f"{self.made // 3600:02}{self.made // 60 % 60:02}{self.made % 60:02}"
        return f"Media/DCAM_{serial}_033021_20261121_{at}.mp4"

    def new_recorder(self) -> None:
        serial = f"D2F{len(self.recorded):03}"
        folder = self.pocket / serial
        for _ in range(self.chance.randint(1, 4)):
            self.record(serial, folder, self.clip(serial))
        folder.rename(self.drop / serial)

    def new_image(self) -> None:
        card = bench_exfat(self.pocket / "bench.img", WallClock().now(), files=5, size_each=300_000)
        for file in card.items:
            self.recorded[card.serial, file.path] = file.sha256
        card.path.rename(self.drop / card.path.name)

    def day_goes_on(self) -> None:
        """Something happens at the dock."""
        docked = sorted(self.drop.iterdir(), key=lambda p: p.stat().st_ctime_ns)
        what = self.chance.random()
        if what < 0.6:
            self.new_recorder()
        elif what < 0.75 and (folders := [p for p in docked if p.is_dir()]):
            folder = self.chance.choice(folders)
            self.record(folder.name, folder, self.clip(folder.name))
        elif what < 0.9 and (away := sorted(self.pocket.iterdir())):
            back = self.chance.choice(away)
            back.rename(self.drop / back.name)
        for old in docked[: max(0, len(list(self.drop.iterdir())) - DOCKED)]:
            old.rename(self.pocket / old.name)

    def records(self) -> list[Record]:
        with open_read_only(self.settings.paths.ledger) as ledger:
            return ledger.records()

    def audit(self) -> None:
        told = audit(self.settings, stores.sinks(self.settings, WallClock()), app.public_key(self.settings))
        assert told.agrees, "\n".join(map(str, told.disagreements))

    def told(self) -> int:
        """How many facts there are."""
        with open_read_only(self.settings.paths.ledger) as ledger:
            return ledger.size

    def parts(self) -> dict[str, int]:
        """How far each partial file is, in bytes."""
        return {path.name: path.stat().st_size for path in (self.settings.paths.spool / "part").iterdir()}

    def fell_into(self, parts_before: dict[str, int], told_before: int) -> str:
        """What the last kill fell into: a file that had grown and was not whole, else what had just been told."""
        if any(size > parts_before.get(name, 0) for name, size in self.parts().items()):
            return PULL
        with open_read_only(self.settings.paths.ledger) as ledger:
            told = [entry.fact.ev for entry in ledger.entries(told_before) if entry.fact.about[0] != "station"]
            return told[-1] if told else IDLE

    def busy(self) -> bool:
        """Whether anything that was begun is not finished."""
        with open_read_only(self.settings.paths.ledger) as ledger:
            drained = [session for session in ledger.sessions() if session.was_drained]
            return bool(ledger.unfinished()) or not all(session.receipt for session in drained)


@contextmanager
def forker(log: Path) -> Iterator[Forker]:
    made = Forker(log)
    try:
        yield made
    finally:
        made.close()


def one_round_s(forked: Forker, dock: Dock) -> float:
    """How long it takes here and now from the start of a daemon until one card is in central storage, in seconds."""
    dock.new_recorder()
    began = time.monotonic()
    pid = forked.start(dock.station)
    while not dock.records() or dock.busy():
        assert time.monotonic() < began + 60, dock.records()
        time.sleep(0.01)
    took = time.monotonic() - began
    os.kill(pid, signal.SIGKILL)
    forked.ended()
    least, most = ROUND_S
    return min(max(took, least), most)


def kill_forked(forked: Forker, dock: Dock, longest_s: float) -> None:
    pid = forked.start(dock.station)
    time.sleep(dock.chance.random() * longest_s)
    os.kill(pid, signal.SIGKILL)
    status = forked.ended()
    assert os.WIFSIGNALED(status), f"it ended by itself: {status}"


def kill_started(dock: Dock) -> None:
    """As an operator starts it, with all that takes."""
    with subprocess.Popen(
        [sys.executable, "-c", ENTRY, "-C", str(dock.station), "run"], stderr=subprocess.DEVNULL
    ) as process:
        time.sleep(dock.chance.uniform(0.8, 2.0))
        assert process.poll() is None
        process.kill()


def finish(forked: Forker, dock: Dock) -> None:
    """Let it finish in peace, a dock full at a time, and end it as it should be ended."""
    waiting = sorted(dock.pocket.iterdir())
    pid = forked.start(dock.station)
    try:
        while True:
            for path in waiting[:DOCKED]:
                path.rename(dock.drop / path.name)
            here = {p.stem for p in dock.drop.iterdir()}
            wanted = {key for key in dock.recorded if key[0].replace("BENCH1", "bench") in here}
            end = time.monotonic() + 30
            while not wanted <= {(r.recorder, r.item.path) for r in dock.records() if r.finished}:
                assert time.monotonic() < end, dock.parts()
                time.sleep(0.05)
            waiting = waiting[DOCKED:]
            if not waiting:
                break
            for path in list(dock.drop.iterdir()):
                path.rename(dock.directory / f"done-{path.name}")
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    os.kill(pid, signal.SIGTERM)
    assert forked.ended() == 0


@pytest.mark.timeout(2400 if LONG else 400)
def test_killed_at_any_moment(tmp_path: Path) -> None:
    seed = int(os.environ.get("BWCDOCK_SEED") or random.SystemRandom().randrange(10**6))
    print(f"BWCDOCK_SEED={seed}")
    dock = Dock(tmp_path, random.Random(seed))
    fell: Counter[str] = Counter()
    began = time.monotonic()
    with forker(tmp_path / "log") as forked:
        round_s = one_round_s(forked, dock)
        dock.new_image()
        for kill in range(1, KILLS + 1):
            dock.day_goes_on()
            parts, told = dock.parts(), dock.told()
            if kill % 40 == 0:
                kill_started(dock)
            else:
                kill_forked(forked, dock, SHARE * round_s)
            fell[dock.fell_into(parts, told)] += 1
            if kill % AUDIT_EVERY == 0:
                dock.audit()
        killed = time.monotonic() - began
        finish(forked, dock)
    print(f"{KILLS} kills in {killed:.0f} s, a round {round_s:.2f} s, {len(dock.recorded)} files: {fell}")

    # Nothing is lost: every file that was ever recorded is sealed with its own digest, and in central storage.
    records = dock.records()
    assert {(r.recorder, r.item.path): r.digests.sha256 for r in records if r.digests} == dock.recorded
    assert all(r.state is State.SEALED and r.finished for r in records)
    # Nothing is there twice.
    assert len(records) == len(dock.recorded)
    central = dock.settings.sink[0].path
    own = ("checkpoints", "receipts", "statements")
    objects = [
        path
        for path in central.rglob("*")
        if path.is_file() and path.relative_to(central).parts[0] not in own and not path.name.startswith(".")
    ]
    stored = [path for path in objects if ".incoming" not in path.parts and not path.name.endswith(".manifest.json")]
    assert sorted(path.relative_to(central).as_posix() for path in stored) == sorted(r.held[0].key for r in records)
    by_key = {r.held[0].key: r.digests.sha256 for r in records if r.digests}
    for path in stored:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == by_key[path.relative_to(central).as_posix()]
    # No docking is left open by a daemon that was killed.
    with open_read_only(dock.settings.paths.ledger) as ledger:
        assert not ledger.open_sessions()
        # The others died before they had said so; on a busy machine these are many.
        assert KILLS // 5 < len(ledger.history(ev="station.started")) <= KILLS + 2
        assert len(ledger.history(ev="station.stopped")) == 1
    # Nothing had to be set aside, and nothing half done is left.
    spool = dock.settings.paths.spool
    assert not list((spool / "quarantine").iterdir())
    assert not list((spool / "part").iterdir())
    assert sorted(path.name for path in (spool / "whole").iterdir()) == sorted(r.id for r in records)
    dock.audit()
    told = verify(central, app.public_key(dock.settings))
    assert told.ok, told.disagreements
    assert told.objects == len(records)
    # And the kills did fall into the work.
    assert KILLS - fell[IDLE] > KILLS / 4
    assert fell[PULL]
    assert len(fell) >= 3, fell
