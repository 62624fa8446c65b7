"""The station that a random life works with: without its loop, and with calls and a book that can be its last.

A crash takes the files as they are at that moment and nothing of the process, and the ordinary start goes on from them.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random

from bwcdock import app
from bwcdock.core.facts import SPOOL, Arrived, Departed, Drained, Entry, Fact, Faulted, Pulled
from bwcdock.core.names import session_id
from bwcdock.core.plan import Act, Action, World, plan
from bwcdock.core.record import Record, State
from bwcdock.errors import BwcdockError
from bwcdock.reading import Buffers
from bwcdock.spool import Spool
from bwcdock.steps import housekeeping, receipt
from bwcdock.steps.dock import dock
from bwcdock.steps.perform import act_of, perform
from bwcdock.steps.pull import Pull
from bwcdock.testing.calls import Died, Fault, FaultySystem
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.recorder import FakeFile, FakeRecorder, OpenedRecorder
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed
from bwcdock.testing.troubled import TroubledSink
from hypothesis.stateful import RuleBasedStateMachine

SERIALS = ("F1-0001", "F1-0002")
MEMORY = Path("/dev/shm")
"""Where lives are lived if it is there: they hang on the order of calls, and no power is cut; that is tests/faults."""

CHUNK = 16 << 10  # several to a file, so that a yank, a bad place and a crash fall into different ones


class MortalSystem(FaultySystem):
    """System calls of which one, counted from when it was armed, fails or is the last."""

    def arm(self, fault: Fault | None) -> None:
        self.told.clear()
        self._fault = fault


class MortalBook:
    """The book, whose ``left``-th writing from now is the last thing the process does, or the first it does not do."""

    def __init__(self, inner) -> None:
        self.inner = inner
        self.left = 0
        self.how = ""

    def __getattr__(self, name: str):
        return getattr(self.inner, name)

    def record(self, facts: Sequence[Fact], *rest) -> tuple[Entry, ...]:
        self.left -= 1
        if self.left == 0 and self.how == "before":
            raise Died
        entries = self.inner.record(facts, *rest)
        if self.left == 0:
            raise Died
        return entries


@dataclass
class Docked:
    """A docking, as the station's loop holds one."""

    session: str
    recorder: FakeRecorder
    opened: OpenedRecorder
    records: frozenset[str]


class LivedIn(RuleBasedStateMachine):
    """A station with two recorders and one central storage, and what they were ever made to be."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="bwcdock-life-", dir=MEMORY if MEMORY.is_dir() else None))
        self.clock = VirtualClock()
        self.inner = MemorySink()
        self.sink = TroubledSink(self.inner)
        self.system = MortalSystem()
        self.bed = StationBed(
            self.home,
            {"pull": {"chunk": "16 KiB", "distrust_limit": 2}},
            clock=self.clock,
            sinks={"central": self.sink},
            spool=lambda root: Spool(root, system=self.system),
        )
        # For the audit, which would wait for a working daemon to move on: between two steps nothing moves.
        paths = self.bed.settings.paths.model_copy(update={"run": self.home})
        self.still = self.bed.settings.model_copy(update={"paths": paths})
        self.key = app.public_key(self.bed.settings)
        self.cards = [self.bed.recorder(serial, most=8 << 10) for serial in SERIALS]
        self.chance = Random(1)
        self.truth: dict[tuple[str, str], list[str]] = {}  # every content a file ever had, by serial and path
        self.taken: dict[tuple[str, str], FakeFile] = {}  # what was taken off a card, by serial and path
        self.hurt: dict[str, set[str]] = {}  # where copies of a record were made bad on purpose: its places
        self.bad_keys: set[str] = set()  # objects of central storage that were made bad or taken away
        self.checked = 0  # ledger entries whose promise was compared with the world already
        self.arrivals = 0
        self.open()

    def open(self) -> None:
        """The ordinary start."""
        self.system.arm(None)
        self.read: tuple[int, dict[str, Record]] = (-1, {})
        self.stack = ExitStack()
        bench = self.stack.enter_context(self.bed.bench())
        self.book = MortalBook(bench.book)
        self.bench = replace(bench, book=self.book)
        self.buffers = Buffers(2, CHUNK)
        self.docked: dict[str, Docked] = {}
        self.resting: dict[Action, object] = {}
        self.sink_from = self.clock.now()
        housekeeping.start(self.bench)
        records = self.records()
        for path in (self.bed.settings.paths.spool / "whole").iterdir():
            record = records[path.name]
            assert SPOOL in record.copies or record.state is State.PULLED, "the start left a stray where it was"

    @contextmanager
    def mortal(self) -> Iterator[None]:
        """What may be the last thing this process does."""
        try:
            yield
        except Died:
            self.crash()

    def crash(self) -> None:
        """The process is gone: what is on the disk now is all there is."""
        station, left = self.home / "station", self.home / "left"
        for card in self.cards:
            card.unplug()
        _copy(station, left)
        self.stack.close()  # lets go of the old files, which are thrown away
        close_below(station)
        shutil.rmtree(station)
        left.rename(station)
        self.open()

    def records(self) -> dict[str, Record]:
        """Every record, read again whenever the ledger has grown: asked for a dozen times a step."""
        size = self.bench.book.ask(lambda ledger: ledger.size)
        if self.read[0] != size:
            self.read = (size, {record.id: record for record in self.bench.book.ask(lambda ledger: ledger.records())})
        return self.read[1]

    def plan(self) -> tuple[Action, ...]:
        room = self.bench.spool.room()
        world = World(
            now=self.clock.now(),
            records=self.records(),
            docked={rid: d.session for d in self.docked.values() for rid in d.records},
            sinks={"central": self.sink_from},
            room=room.free - room.reserve,
            resting=self.resting,
            keep=self.bench.keep,
        )
        chosen = plan(world).actions
        again = plan(replace(world, busy=frozenset(chosen))).actions
        assert not set(again) & set(chosen), "begun again while it is in flight"
        here = {d.session: d for d in self.docked.values()}
        for action in chosen:
            assert action.act is not Act.PULL or action.record in here[action.place].records
        return chosen

    def do(self, action: Action) -> None:
        record = self.records()[action.record]
        docked = next((d for d in self.docked.values() if d.session == action.place), None)
        act = self.pull(docked, record) if action.act is Act.PULL and docked else act_of(self.bench, action, record)
        outcome = perform(self.bench, action, record, act)
        self.resting.pop(action, None)
        if outcome.rest_s:
            self.resting[action] = self.clock.now() + timedelta(seconds=outcome.rest_s)
        if outcome.sink_down:
            self.sink_from = self.clock.now() + timedelta(minutes=1)
        if docked and outcome.ends_session:
            self.depart(docked)
        self.settle()

    def pull(self, docked: Docked, record: Record) -> Callable[[], tuple[Fact, ...]]:
        def attempt() -> tuple[Fact, ...]:
            job = Pull(
                record, docked.session, docked.opened, self.bench.spool, self.buffers,
                monotonic=self.clock.monotonic, retries=1, retry_wait_s=0,
            )  # fmt: skip
            job.read()
            fact = job.finish()
            if isinstance(fact, Pulled):
                self.went_on_from_the_same(docked.recorder.files[record.item.path], record, fact.resumed_at)
                job.read_again()
            return (fact,)

        return attempt

    def went_on_from_the_same(self, file: FakeFile, record: Record, at: int) -> None:
        """What lies before the place where a pull went on is what the recorder has there now, where it can be read."""
        since = max(0, at - CHUNK)
        part = (self.bed.settings.paths.spool / "part" / f"{record.id}.part").read_bytes()
        assert file.wavering or file.bad or part[since:at] == file.data[since:at], "went on from other bytes"

    def settle(self) -> None:
        records = self.records()
        for session in self.bench.book.ask(lambda ledger: ledger.sessions()):
            mine = [records[rid] for rid in session.records]
            states = [record.state for record in mine]
            apart = sum(1 for state in states if state in {State.QUARANTINED, State.LOST})
            if session.can_drain and not {State.LISTED, State.PULLED} & set(states):
                fact = Drained(
                    session=session.id, recorder=session.recorder, sealed=len(mine) - apart, quarantined=apart
                )
                housekeeping.advance(self.bench, fact)
            elif receipt.is_ready(session, sum(1 for record in mine if not record.finished) - apart):
                try:
                    facts = receipt.write(self.bench, session.id)
                except BwcdockError:
                    continue
                self.bench.book.record(facts)

    def dock(self, card: FakeRecorder) -> None:
        sighting = card.plug()
        self.arrivals += 1
        session = session_id("usb", self.clock.now(), str(self.arrivals))
        housekeeping.advance(self.bench, Arrived(session=session, sighting=sighting))
        opened = OpenedRecorder(card)
        try:
            told = dock(self.bench, session, "fake", opened, self.buffers)
        except BwcdockError as error:
            fact = Faulted(session=session, recorder=card.serial, op=error.op, what=error.what, hint=error.hint)
            housekeeping.advance(self.bench, fact)
            card.unplug()
            housekeeping.advance(self.bench, Departed(session=session, recorder=card.serial, reason="taken away"))
            return
        self.docked[card.serial] = Docked(session, card, opened, frozenset(told.items))
        self.settle()

    def depart(self, docked: Docked) -> None:
        docked.recorder.unplug()
        del self.docked[docked.recorder.serial]
        fact = Departed(session=docked.session, recorder=docked.recorder.serial, reason="taken away")
        housekeeping.advance(self.bench, fact)


def _copy(source: Path, target: Path) -> None:
    """Copy a tree with its hard links, modes and attributes: what a killed process leaves, to the last detail."""
    seen: dict[int, Path] = {}
    for where, folders, files in os.walk(source):
        here = target / Path(where).relative_to(source)
        here.mkdir()
        for name in files:
            path, to = Path(where, name), here / name
            inode = path.stat().st_ino
            if inode in seen:
                os.link(seen[inode], to)
            else:
                seen[inode] = to
                shutil.copyfile(path, to)
                shutil.copystat(path, to)
        del folders[:0]
    for where, _, _ in os.walk(source):
        shutil.copystat(where, target / Path(where).relative_to(source))


def close_below(directory: Path) -> None:
    """Close what a step that died left open below: nobody would, where no process ends."""
    for name in os.listdir("/proc/self/fd"):
        try:
            leads = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
        if leads.startswith(f"{directory}/"):
            os.close(int(name))


# Making a failing life short takes minutes, more than a test may: by default it is told as it was, with the blob that
