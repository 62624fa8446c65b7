"""A station at work, step by step as its loop would take them, in an order that is the same every time."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest
from bwcdock import app, config
from bwcdock.core.facts import Arrived, Departed, Drained, Fact, Pulled
from bwcdock.core.names import session_id
from bwcdock.core.plan import Act, Action, World, plan
from bwcdock.core.record import Record, State
from bwcdock.reading import Buffers
from bwcdock.settings import Settings
from bwcdock.spool import Spool
from bwcdock.steps import housekeeping, receipt
from bwcdock.steps.bench import Bench
from bwcdock.steps.dock import dock
from bwcdock.steps.perform import act_of, perform
from bwcdock.steps.pull import Pull
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.recorder import FakeRecorder, OpenedRecorder

CHUNK = 16 << 10
SINK = "central"
FUSE = ("fuse.bwcdock-recorder", "fuse")
SIZES: Mapping[str, tuple[int, ...]] = {"F1-0001": (5000, 120_000), "F1-0002": (4096, 20_000)}
MOST_STEPS = 200
"""Of one stretch of work; what takes more goes round in circles."""


def cards() -> dict[str, FakeRecorder]:
    """The recorders, as they are before anything happens to them."""
    made = {}
    for serial, sizes in SIZES.items():
        chance = Random(serial)
        made[serial] = FakeRecorder(serial, most=8 << 10)
        for number, size in enumerate(sizes):
            made[serial].record(f"{number:03}.mp4", chance.randbytes(size))
    return made


def established(root: Path) -> Settings:
    """A station in an empty folder, as `bwcdock init` makes one."""
    app.found(root / "station", rules="S4-fuzhou", name="test-dock", unit="unit", now=VirtualClock().now())
    return settings_of(root)


def settings_of(root: Path) -> Settings:
    return config.load(root / "station" / config.SETTINGS_NAME)


@dataclass
class Docked:
    session: str
    recorder: FakeRecorder
    opened: OpenedRecorder
    records: frozenset[str]


class Work:
    """One life of the station between two starts. ``boot`` is the kernel's name for it."""

    def __init__(self, settings: Settings, clock: VirtualClock, boot: str, *, pushes: bool = True) -> None:
        self.settings = settings
        self.clock = clock
        self.pushes = pushes
        self.cards = cards()
        self._boot = boot
        self._bench: Bench | None = None
        self._buffers = Buffers(2, CHUNK)
        self._docked: dict[str, Docked] = {}
        self._resting: dict[Action, object] = {}

    @contextmanager
    def started(self) -> Iterator[Bench]:
        """The ordinary start; the end is only letting go, as a death leaves it to the system."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(app, "Spool", partial(Spool, allow=FUSE, boot=self._boot))
            with app.opened(self.settings, clock=self.clock) as bench:
                self._bench = bench
                housekeeping.start(bench)
                yield bench

    @property
    def bench(self) -> Bench:
        assert self._bench is not None
        return self._bench

    def records(self) -> dict[str, Record]:
        return {record.id: record for record in self.bench.book.ask(lambda ledger: ledger.records())}

    # --- docking ------------------------------------------------------------------------------------------------------

    def dock(self, serial: str) -> None:
        card = self.cards[serial]
        sighting = card.plug()
        session = session_id("usb", self.clock.now(), f"{serial} {card.plugs}")
        housekeeping.advance(self.bench, Arrived(session=session, sighting=sighting))
        opened = OpenedRecorder(card)
        told = dock(self.bench, session, "fake", opened, self._buffers)
        self._docked[serial] = Docked(session, card, opened, frozenset(told.items))
        self._settle()

    def depart(self, serial: str) -> None:
        docked = self._docked.pop(serial)
        docked.recorder.unplug()
        fact = Departed(session=docked.session, recorder=serial, reason="taken away")
        housekeeping.advance(self.bench, fact)

    # --- working ------------------------------------------------------------------------------------------------------

    def work(self) -> None:
        """Until nothing is worth doing now."""
        for _ in range(MOST_STEPS):
            if not (actions := self._plan()):
                return
            self._do(actions[0])
        raise AssertionError("it goes round in circles")

    def step(self) -> None:
        self._do(self._plan()[0])

    def next_path(self) -> str:
        """Of the recording that is next worked on."""
        return self.records()[self._plan()[0].record].item.path

    def _plan(self) -> tuple[Action, ...]:
        room = self.bench.spool.room()
        world = World(
            now=self.clock.now(),
            records=self.records(),
            docked={rid: d.session for d in self._docked.values() for rid in d.records},
            sinks={SINK: self.clock.now()} if self.pushes else {},
            room=room.free - room.reserve,
            resting=self._resting,
            keep=self.bench.keep,
        )
        return plan(world).actions

    def _do(self, action: Action) -> None:
        record = self.records()[action.record]
        docked = next((d for d in self._docked.values() if d.session == action.place), None)
        act = self._pull(docked, record) if action.act is Act.PULL and docked else act_of(self.bench, action, record)
        outcome = perform(self.bench, action, record, act)
        if outcome.rest_s:
            self._resting[action] = self.clock.now() + timedelta(seconds=outcome.rest_s)
        if docked and outcome.ends_session:
            self.depart(docked.recorder.serial)
        self._settle()

    def _pull(self, docked: Docked, record: Record) -> Callable[[], tuple[Fact, ...]]:
        def attempt() -> tuple[Fact, ...]:
            job = Pull(
                record, docked.session, docked.opened, self.bench.spool, self._buffers,
                monotonic=self.clock.monotonic, retries=1, retry_wait_s=0,
            )  # fmt: skip
            job.read()
            fact = job.finish()
            if isinstance(fact, Pulled) and self.settings.pull.second_read:
                job.read_again()
            return (fact,)

        return attempt

    def _settle(self) -> None:
        """What a docking comes to: drained, and its receipt."""
        records = self.records()
        for session in self.bench.book.ask(lambda ledger: ledger.sessions()):
            mine = [records[rid] for rid in session.records]
            if session.can_drain and not {State.LISTED, State.PULLED} & {record.state for record in mine}:
                fact = Drained(session=session.id, recorder=session.recorder, sealed=len(mine), quarantined=0)
                housekeeping.advance(self.bench, fact)
            elif receipt.is_ready(session, sum(1 for record in mine if not record.finished)):
                self.bench.book.record(receipt.write(self.bench, session.id))

    # --- days ---------------------------------------------------------------------------------------------------------

    def sign(self) -> None:
        """Sign the head, and have central storage see it."""
        housekeeping.sign_head(self.bench)
        for witness in self.bench.witnesses.values():
            witness.bring()

    def wait(self, **how: float) -> None:
        self.clock.advance(timedelta(**how))

    def finish(self) -> None:
        """Every recorder docked again, and everything done that is left to do, up to the release."""
        self.pushes = True
        for serial in self.cards:
            self.dock(serial)
            self.work()
        for days in (1.1, 8, 8):
            self.sign()
            self.wait(days=days)
            self.work()
