"""A daemon that is killed again and again while recorders come and go, for the tests that do that to it."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bwcdock import app, config, stores
from bwcdock.audit import audit
from bwcdock.clock import WallClock
from bwcdock.core.record import Record
from bwcdock.ledger import open_read_only
from bwcdock.settings.sinks import folders
from bwcdock.testing.cards import bench_exfat
from bwcdock.testing.station import found

DOCKED = 4
"""How many recorders lie in the dock at once; the oldest is taken out for the next, whatever is being done with it."""

# Slow enough that pushing takes as long as pulling.
TWO = """name = "central"
kind = "filesystem"
path = "central"
bandwidth = "40 MiB"

[[sink]]
name = "second"
kind = "filesystem"
path = "second"
bandwidth = "40 MiB"
"""

LEAST_ROUND_S = 0.3
"""The least that a round is believed to take."""

BIG = 8_000_000
"""What takes long enough to be pulled that it can be seen growing, in bytes."""

PULL, IDLE = "in the middle of a pull", "nothing told yet"

FORKER = """
import importlib, json, os, sys, time
import bwcdock.app, bwcdock.cli.work, bwcdock.cli.show, bwcdock.cli.demo, bwcdock.cli.make, bwcdock.station
import bwcdock_drivers.folder, bwcdock_drivers.mass_storage
from bwcdock.cli import main
for name in sys.argv[2:]:
    importlib.import_module(name)
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
    """Starts daemons one after the other and says how they ended; ``imported`` is what they need not import again."""

    def __init__(self, log: Path, *imported: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORKER, str(log), *imported],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._running = 0

    def start(self, station: Path) -> int:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(["-C", str(station), "run"]) + "\n")
        self._process.stdin.flush()
        self._running = int(self._line())
        return self._running

    def ended(self) -> int:
        status = int(self._line())
        self._running = 0
        return status

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def close(self) -> None:
        """Also a daemon that a test has left behind when it failed is ended."""
        if self._running:
            os.kill(self._running, signal.SIGKILL)
        self._process.communicate(timeout=20)


@dataclass
class Dock:
    """A station with a drop folder, the recorders in it and in officers' pockets, and what was ever recorded.

    ``sink`` are the settings of its central storage: two folders, or another.
    """

    directory: Path
    chance: random.Random
    sink: str = TWO
    sizes: tuple[int, ...] = (0, 1, 4096, 200_000, 800_000, 3_000_000)
    patience_s: float = 30
    """How long one dock full may take."""

    longest_round_s: float = 5.0
    """The most that a round is believed to take; it is measured, because machines differ and are busy."""

    recorded: dict[tuple[str, str], str] = field(default_factory=dict)
    made: int = 0

    def __post_init__(self) -> None:
        overrides = {
            "drop": {"stable_s": 0.05},
            "watch": {"rescan_s": 0.1},
            "pull": {"chunk": "64 KiB", "second_read": True},
            "push": {"backoff_first_s": 0.1, "backoff_max_s": 0.2},
            "ledger": {"checkpoint_every_s": 0.2, "beat_s": 0.3},
            "limits": {"tick_s": 0.05},
            "log": {"level": "warning", "format": "json"},
        }
        self.station = self.directory / "station"
        self.settings = found(self.station, overrides, now=WallClock().now())
        self._use(self.sink)
        self.drop, self.pocket = self.station / "drop", self.directory / "pocket"
        self.pocket.mkdir()

    def _use(self, sink: str) -> None:
        path = self.station / config.SETTINGS_NAME
        before, _, rest = path.read_text(encoding="utf-8").partition("[[sink]]\n")
        after = rest.partition("\n[push]\n")[2]
        path.write_text(f"{before}[[sink]]\n{sink}\n[push]\n{after}", encoding="utf-8")
        self.settings = config.load(path)
        for each in folders(self.settings.sink):
            each.path.mkdir(exist_ok=True)
        stores.take(self.settings)

    def record(self, serial: str, place: Path, path: str, size: int | None = None) -> None:
        data = self.chance.randbytes(self.chance.choice(self.sizes) if size is None else size)
        # It appears whole: a docked recorder has ended its recordings, and half of one, seen while a busy disk lets the
        # other half wait, is rightly a second recording.
        written = self.directory / "writing"
        written.write_bytes(data)
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        written.rename(place / path)
        self.recorded[serial, path] = hashlib.sha256(data).hexdigest()

    def clip(self, serial: str) -> str:
        self.made += 1
        at = f"{self.made // 3600:02}{self.made // 60 % 60:02}{self.made % 60:02}"
        return f"Media/DCAM_{serial}_033021_20261121_{at}.mp4"

    def new_recorder(self, *sizes: int) -> None:
        """With recordings of these sizes, or of what chance will have."""
        serial = f"D2F{len(self.recorded):03}"
        folder = self.pocket / serial
        for size in sizes or [None] * self.chance.randint(1, 4):
            self.record(serial, folder, self.clip(serial), size)
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
        found = {}
        for path in (self.settings.paths.spool / "part").iterdir():
            with suppress(FileNotFoundError):  # it became whole meanwhile
                found[path.name] = path.stat().st_size
        return found

    def have_grown(self, before: dict[str, int]) -> bool:
        """Whether a partial file is longer than it was."""
        return any(size > before.get(name, 0) for name, size in self.parts().items())

    def fell_into(self, parts_before: dict[str, int], told_before: int) -> str:
        """What the last kill fell into: a file that had grown and was not whole, else what had just been told."""
        if self.have_grown(parts_before):
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
def forker(log: Path, *imported: str) -> Iterator[Forker]:
    made = Forker(log, *imported)
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
        assert time.monotonic() < began + 2 * dock.patience_s, dock.records()
        time.sleep(0.01)
    took = time.monotonic() - began
    os.kill(pid, signal.SIGKILL)
    forked.ended()
    return min(max(took, LEAST_ROUND_S), dock.longest_round_s)


def kill_forked(forked: Forker, dock: Dock, longest_s: float) -> None:
    """At any moment from the start on."""
    pid = forked.start(dock.station)
    time.sleep(dock.chance.random() * longest_s)
    kill(forked, pid)


def kill_at_work(forked: Forker, dock: Dock, longest_s: float) -> None:
    """At any moment once it has begun: on a busy machine the start alone may take as long as a round."""
    pid = started(forked, dock)
    time.sleep(dock.chance.random() * longest_s)
    kill(forked, pid)


def kill_in_a_pull(forked: Forker, dock: Dock, longest_s: float) -> None:
    """As soon as a partial file grows: on a fast machine that is over before a chance moment is likely to hit it."""
    dock.new_recorder(BIG)
    before = dock.parts()
    pid = started(forked, dock)
    end = time.monotonic() + longest_s
    while not dock.have_grown(before) and time.monotonic() < end:
        time.sleep(0.001)
    kill(forked, pid)


def kill(forked: Forker, pid: int) -> None:
    """Kill it, which must not have ended by itself."""
    os.kill(pid, signal.SIGKILL)
    status = forked.ended()
    assert os.WIFSIGNALED(status), f"it ended by itself: {status}"


def started(forked: Forker, dock: Dock) -> int:
    """A daemon that has said so in the ledger: before that it would end by any signal; its process id."""
    told, end = dock.told(), time.monotonic() + dock.patience_s
    pid = forked.start(dock.station)
    while dock.told() == told:
        assert time.monotonic() < end, "it does not start"
        time.sleep(0.02)
    return pid


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
    pid = started(forked, dock)
    try:
        while True:
            for path in waiting[:DOCKED]:
                path.rename(dock.drop / path.name)
            here = {p.stem for p in dock.drop.iterdir()}
            wanted = {key for key in dock.recorded if key[0].replace("BENCH1", "bench") in here}
            end = time.monotonic() + dock.patience_s
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
    status = forked.ended()
    assert status == 0, f"it ended with wait status {status}"
