"""Whole lives at random: record, dock, yank, fail, crash, rot, wait; after every step everything is asked again.

The steps are the station's own, called one after the other as its loop would call them; only the threads are left out.
A crash takes the files as they are at that moment and nothing of the process, and the ordinary start goes on from them.
BWCDOCK_CAMPAIGN=long lives more and longer lives, BWCDOCK_LIVES=20000x80 as many and as long as wanted; a failure
prints the blob that repeats it.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain, combinations
from pathlib import Path
from random import Random

import pytest
import structlog
from bwcdock import app
from bwcdock.audit import audit
from bwcdock.core.facts import (
    SPOOL,
    Arrived,
    Confirmed,
    Departed,
    Drained,
    Entry,
    Fact,
    Faulted,
    LookedAgain,
    Pulled,
    Released,
    Sealed,
    Span,
)  # fmt: skip
from bwcdock.core.names import session_id
from bwcdock.core.plan import Act, Action, World, plan
from bwcdock.core.record import Record, State
from bwcdock.errors import BwcdockError
from bwcdock.reading import BLOCK, Buffers
from bwcdock.spool import Spool
from bwcdock.steps import housekeeping, receipt
from bwcdock.steps.dock import dock
from bwcdock.steps.perform import act_of, perform
from bwcdock.steps.pull import Pull
from bwcdock.steps.scrub import scrub
from bwcdock.testing.calls import CHANGING, Died, Fault, FaultySystem
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.recorder import FakeFile, FakeRecorder, OpenedRecorder
from bwcdock.testing.sinks import MemorySink, SinkFault
from bwcdock.testing.station import StationBed
from bwcdock.testing.troubled import TroubledSink
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

LONG = os.environ.get("BWCDOCK_CAMPAIGN") == "long"
LIVES, STEPS = map(int, os.environ.get("BWCDOCK_LIVES", "500x40" if LONG else "30x25").split("x"))

SERIALS = ("F1-0001", "F1-0002")
SIZES = (0, 1, 4095, 4096, 5000, 40_000, 150_000)
CHUNK = 16 << 10  # several to a file, so that a yank, a bad place and a crash fall into different ones
KEEP = timedelta(days=7)

WORK = st.lists(st.integers(0, 50), min_size=3, max_size=15)
"""Which of the planned actions is done next, that many times."""

HOW = st.sampled_from(["before", "after", "die_before", "die_after"])
CALLS = [name for name in CHANGING if name not in {"rename", "rename_noreplace", "write"}]


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


class Life(RuleBasedStateMachine):
    """A station with two recorders and one central storage."""

    # --- the station, without its loop --------------------------------------------------------------------------------

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="bwcdock-life-"))
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
        _close_below(station)
        shutil.rmtree(station)
        left.rename(station)
        self.open()

    def records(self) -> dict[str, Record]:
        return {record.id: record for record in self.bench.book.ask(lambda ledger: ledger.records())}

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

    # --- what people do -----------------------------------------------------------------------------------------------
    #
    # Rules are chosen alike, so what shall happen often has several and what shall happen seldom shares one.

    @initialize(files=st.integers(1, 3), yanked=st.integers(0, SIZES[-1] - 1))
    def begin(self, files: int, yanked: int) -> None:
        for at in range(files):
            self.record_file(at % 2, SIZES[-1 - at])
        self.cards[0].yank("000.mp4", yanked)  # so that every life has a pull that goes on

    @rule(card=st.integers(0, 1), size=st.sampled_from(SIZES))
    def record_file(self, card: int, size: int) -> None:
        of = self.cards[card]
        path = f"{sum(1 for serial, _ in self.truth if serial == of.serial):03}.mp4"
        of.record(path, self.chance.randbytes(size))
        self.truth[of.serial, path] = []
        self.may_give(of, path)

    @rule(card=st.integers(0, 1), which=WORK)
    def dock_one_and_work(self, card: int, which: list[int]) -> None:
        with self.mortal():
            self.redock(card)
            self.work(which)

    @rule(which=WORK)
    def dock_both_and_work(self, which: list[int]) -> None:
        with self.mortal():
            self.redock(0)
            self.redock(1)
            self.work(which)

    @rule(which=WORK)
    def go_on(self, which: list[int]) -> None:
        with self.mortal():
            self.work(which)

    @rule(which=WORK)
    def go_on_and_wait(self, which: list[int]) -> None:
        with self.mortal():
            self.work(which)
            self.clock.advance(timedelta(minutes=2))
            self.work(which)

    def redock(self, card: int) -> None:
        if docked := self.docked.get(SERIALS[card]):
            self.depart(docked)
        self.dock(self.cards[card])

    def work(self, which: list[int]) -> None:
        for number in which:
            actions = self.plan()
            if not actions:
                return
            self.do(actions[number % len(actions)])

    @rule(hours=st.sampled_from([1, 23, 25, 24 * 7 + 1]), which=WORK)
    def time_passes(self, hours: int, which: list[int]) -> None:
        self.clock.advance(timedelta(hours=hours))
        with self.mortal():
            housekeeping.beat(self.bench)
            housekeeping.sign_head(self.bench)
            self.work(which)

    # --- what goes wrong ----------------------------------------------------------------------------------------------

    @rule(
        what=st.sampled_from(
            ["unplug", "yank", "rot", "waver", "wear", "wear a little", "read well again", "go", "back"]
        ),
        card=st.integers(0, 1),
        file=st.integers(0, 9),
        at=st.integers(0, SIZES[-1]),
    )
    def recorder_trouble(self, what: str, card: int, file: int, at: int) -> None:
        of = self.cards[card]
        paths = [path for path in sorted(of.files) if of.files[path].data]
        path = paths[file % len(paths)] if paths else ""
        if what == "unplug" and of.serial in self.docked:
            with self.mortal():  # a death at the book that was armed before may come only now
                self.depart(self.docked[of.serial])
        elif what == "read well again":
            of.heal()
        elif what == "back":
            self.put_back(of)
        elif path:
            at %= len(of.files[path].data)
            match what:
                case "yank":
                    of.yank(path, at)
                case "waver":
                    of.waver(path, at)
                    self.may_give(of, path)
                case "wear" | "wear a little":
                    of.spoil(path, Span(offset=at, length=100), tries=None if what == "wear" else 1)
                case "go":  # somebody took it off the card, and has it still
                    self.taken[of.serial, path] = of.files[path]
                    of.delete(path)
                case "rot" if not self.was_sealed(of.serial, path):
                    # Afterwards it is another recording, which has its own story.
                    of.rot(path, at)
                    self.may_give(of, path)

    @rule(card=st.integers(0, 1), at=st.integers(0, SIZES[-1] - 1), then=WORK)
    def pulled_out_and_other_bytes_afterwards(self, card: int, at: int, then: list[int]) -> None:
        """What lies just before the place where the next pull goes on turns meanwhile."""
        of = self.cards[card]
        self.record_file(card, SIZES[-1])
        path = max(path for serial, path in self.truth if serial == of.serial)
        of.yank(path, at)
        with self.mortal():
            self.redock(card)
            self.work(then)
        if not self.was_sealed(of.serial, path) and (brought := self.brought(of.serial, path)):
            of.rot(path, brought - 1)
            self.may_give(of, path)

    def may_give(self, of: FakeRecorder, path: str) -> None:
        """What two readings may agree in: a byte that wavers can be wrong both times, and no reading tells that."""
        file = of.files[path]
        for wrong in chain.from_iterable(combinations(file.wavering, n) for n in range(len(file.wavering) + 1)):
            data = bytearray(file.data)
            for at in wrong:
                data[at] ^= 1
            self.truth[of.serial, path].append(hashlib.sha256(data).hexdigest())

    def brought(self, serial: str, path: str) -> int:
        """How many bytes of it a pull that did not end has brought, in whole blocks."""
        found = [r.id for r in self.records().values() if (r.recorder, r.item.path) == (serial, path)]
        return max((self.bench.spool.part_length(rid) for rid in found), default=0) // BLOCK * BLOCK

    def put_back(self, card: FakeRecorder) -> None:
        for serial, path in [key for key in self.taken if key[0] == card.serial]:
            card.files[path] = self.taken.pop((serial, path))

    def was_sealed(self, serial: str, path: str) -> bool:
        found = [r for r in self.records().values() if (r.recorder, r.item.path) == (serial, path)]
        return any(record.sealed_at or record.state is State.PULLED for record in found)

    @rule()
    def crash_now(self) -> None:
        self.crash()

    @rule(nth=st.integers(1, 30), how=HOW, then=WORK)
    def a_system_call_fails(self, nth: int, how: str, then: list[int]) -> None:
        self.fails(Fault(nth=nth, how=how), then)

    @rule(name=st.sampled_from(CALLS), how=HOW, then=WORK)
    def this_system_call_fails(self, name: str, how: str, then: list[int]) -> None:
        self.fails(Fault(nth=1, how=how, name=name), then)

    def fails(self, fault: Fault, then: list[int]) -> None:
        self.system.arm(fault)
        with self.mortal():
            self.redock(0)
            self.work(then)

    @rule(left=st.integers(1, 12), how=st.sampled_from(["before", "after"]), then=WORK)
    def dies_at_the_book(self, left: int, how: str, then: list[int]) -> None:
        self.book.left, self.book.how = left, how
        with self.mortal():
            self.redock(1)
            self.work(then)

    @rule(pick=st.integers(0, 50), at=st.integers(0, SIZES[-1]))
    def spool_rots(self, pick: int, at: int) -> None:
        """A whole file or one that is still growing: a bit turns, and the disk knows nothing of it."""
        spool = self.bed.settings.paths.spool
        files = sorted(p for part in ("part", "whole") for p in (spool / part).iterdir() if p.stat().st_size)
        if files:
            path = files[pick % len(files)]
            mode = path.stat().st_mode & 0o777
            path.chmod(0o600)
            with path.open("r+b") as file:
                file.seek(at % path.stat().st_size)
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 1]))
            path.chmod(mode)
            self.hurt.setdefault(path.name.removesuffix(".part"), set()).add(SPOOL)

    @rule()
    def everything_is_read_again(self) -> None:
        with self.mortal():
            for rid in sorted(self.bench.book.ask(lambda ledger: ledger.ids(State.SEALED))):
                try:
                    scrub(self.bench, rid, self.buffers)
                except BwcdockError:
                    continue

    @rule(
        what=st.sampled_from(["goes", "is back", "rots", "loses"]),
        call=st.sampled_from(["stat", "put", "note", "recall"]),
        how=st.sampled_from(["before", "after"]),
        pick=st.integers(0, 50),
    )
    def central_trouble(self, what: str, call: str, how: str, pick: int) -> None:
        held = sorted((r.id, h.key) for r in self.records().values() for h in r.held)
        if what == "goes":
            self.sink.down = True
        elif what == "is back":
            self.sink.forgive()
        elif held:
            record, key = held[pick % len(held)]
            if what == "loses":
                self.inner.objects.pop(key, None)
            elif key in self.inner.objects:
                self.inner.rot(key)
            self.bad_keys.add(key)
            self.hurt.setdefault(record, set()).add("central")

    @rule(then=WORK)
    def central_takes_the_next_and_keeps_other_bytes(self, then: list[int]) -> None:
        nth = sum(1 for op, _ in self.inner.calls if op == "put") + 1
        self.inner._faults["put", nth] = SinkFault(op="put", nth=nth, how="lie")
        with self.mortal():
            self.redock(0)
            self.work(then)

    @rule(call=st.sampled_from(["stat", "put", "note", "recall"]), how=st.sampled_from(["before", "after"]), then=WORK)
    def a_call_to_central_fails(self, call: str, how: str, then: list[int]) -> None:
        self.sink.fail_once(call, how)
        with self.mortal():
            self.work(then)

    # --- what must hold after every step ------------------------------------------------------------------------------

    @invariant()
    def the_audit_agrees(self) -> None:
        down, self.sink.down = self.sink.down, False
        waiting, self.sink._once = self.sink._once, {}
        told = audit(self.still, {"central": self.sink}, self.key).disagreements
        self.sink.down, self.sink._once = down, waiting
        records = self.records()
        for one in told:
            if one.code in {"spool.differs", "spool.missing"}:
                assert SPOOL in self.hurt.get(one.place, ()), one
            elif one.code in {"central.differs", "central.missing"}:
                assert one.place.partition(":")[2] in self.bad_keys, one
            elif one.code == "spool.stray":
                # What was published without its fact, and was found bad before the fact came: to be pulled again, or
                # set apart (given up) where the next tries failed too. Or a bad copy that was struck off while the disk
                # refused to set it aside. The next start puts the file aside.
                record = records[one.place]
                struck_off = record.state is State.SEALED and SPOOL not in record.copies
                assert struck_off or record.state in {State.LISTED, State.QUARANTINED, State.LOST}, one
                assert SPOOL in self.hurt.get(one.place, ()), one
            else:
                raise AssertionError(one)
        # And what was made bad on purpose is found: nobody has to take the station's word.
        found = {one.place for one in told}
        for record in records.values():
            if SPOOL in record.copies and not record.releasing and not self.is_good(self.bed.whole(record), record):
                assert record.id in found
            for held in record.held:
                if self.inner.objects.get(held.key) is None or not _is(self.inner.objects[held.key], record):
                    assert f"central:{held.key}" in found

    def is_good(self, path: Path, record: Record) -> bool:
        return path.exists() and _is(path.read_bytes(), record)

    @invariant()
    def every_promise_was_true_when_it_was_made(self) -> None:
        entries = self.bench.book.ask(lambda ledger: list(ledger.entries(self.checked)))
        records = self.records()
        for entry in entries:
            fact = entry.fact
            record = records.get(fact.record)
            match fact:
                case Sealed():
                    truth = self.truth[record.recorder, record.item.path]
                    assert fact.digests.sha256 in truth, "sealed what the recorder never held"
                    assert len({e.digests for e in self.history(Sealed, record.id)}) == 1, "sealed as another recording"
                    unhurt = SPOOL not in self.hurt.get(record.id, ())
                    assert not unhurt or record.releasing or record.state is State.RELEASED or self.is_good(
                        self.bed.whole(record), record
                    )  # fmt: skip
                case Confirmed():
                    data = self.inner.objects.get(fact.key)
                    assert fact.key in self.bad_keys or _is(data, record), "confirmed and not there"
                case LookedAgain():
                    assert [h for h in record.held if h.sink == fact.sink] or "central" in self.hurt[record.id]
                case Released():
                    confirmed = [e for e in self.bed.entries() if isinstance(e.fact, Confirmed) and e.seq < entry.seq]
                    last = [e.at for e in confirmed if e.fact.record == record.id][-1]
                    looked = [
                        e for e in self.history_entries(LookedAgain, record.id) if e.at >= last and e.seq < entry.seq
                    ]
                    assert looked, "released without a second look"
                    assert entry.at - last >= KEEP, "released too soon"
        self.checked += len(entries)

    @invariant()
    def what_is_known_is_owed_and_what_is_docked_is_known(self) -> None:
        """Before the first byte: so a crash, a lost card or a year on a shelf does not make a deadline go away."""
        assert all(record.obligation is not None for record in self.records().values()), "listed and not owed"
        docked = {docked.session for docked in self.docked.values()}
        assert {s.id for s in self.bench.book.ask(lambda ledger: ledger.open_sessions())} == docked

    def history(self, kind: type[Fact], record: str) -> list:
        return [entry.fact for entry in self.history_entries(kind, record)]

    def history_entries(self, kind: type[Fact], record: str) -> list[Entry]:
        return self.bench.book.ask(lambda ledger: ledger.history(record=record, ev=kind.ev))

    @invariant()
    def what_was_sealed_is_somewhere(self) -> None:
        for record in self.records().values():
            if record.sealed_at is None:
                continue
            keys = {fact.key for fact in self.history(Confirmed, record.id)}
            places = {SPOOL} | ({"central"} if keys else set())
            # What a disk would not give back once is set aside, and kept: there for whoever looks by hand.
            aside = (self.bed.settings.paths.spool / "quarantine").glob(f"{record.id}*")
            there = self.is_good(self.bed.whole(record), record) or any(
                (
                    *(self.is_good(path, record) for path in aside),
                    *(_is(self.inner.objects.get(key), record) for key in keys),
                )
            )
            if not there:
                gone = {SPOOL} if self.history(Released, record.id) else set()
                assert places <= self.hurt.get(record.id, set()) | gone, f"{record.id} is nowhere"

    # --- the end ------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self.all_ends_well()
        finally:
            self.stack.close()
            _close_below(self.home)
            shutil.rmtree(self.home)

    def all_ends_well(self) -> None:
        """Every fault is mended, every recorder docked again; then nothing is owed."""
        self.system.arm(None)
        self.book.left = 0
        self.sink.forgive()
        self.inner._faults.clear()
        true = {record.digests.sha256 for record in self.records().values() if record.digests}
        for key, data in list(self.inner.objects.items()):
            is_footage = not key.endswith((".json", ".note", ".consistency"))
            if key in self.bad_keys or (is_footage and hashlib.sha256(data).hexdigest() not in true):
                del self.inner.objects[key]  # a person has looked at what should not have been there
        for card in self.cards:
            self.put_back(card)
            card.heal()
            card._yanks.clear()
        for _ in range(3):
            for docked in list(self.docked.values()):
                self.depart(docked)
            for card in self.cards:
                self.dock(card)
            for _ in range(4):
                self.clock.advance(timedelta(hours=13))
                self.sink_from = self.clock.now()
                while actions := self.plan():
                    self.do(actions[0])
            self.everything_is_read_again()
        self.a_last_one_goes_the_whole_way()
        self.the_audit_agrees()
        self.every_promise_was_true_when_it_was_made()
        records = list(self.records().values())
        for (serial, path), truth in self.truth.items():
            mine = [r for r in records if (r.recorder, r.item.path) == (serial, path) and r.finished]
            assert mine, (serial, path, [r for r in records if r.item.path == path])
            for record in mine:
                assert record.digests.sha256 in truth
                held = {h.key for h in record.held}
                assert held & self.bad_keys or _is(self.inner.objects[min(held)], record)

    def a_last_one_goes_the_whole_way(self) -> None:
        """Confirmed, and then nobody does anything for so long that its second look and its release are due at once."""
        card = self.cards[0]
        self.record_file(0, SIZES[-1])
        if docked := self.docked.get(card.serial):
            self.depart(docked)
        self.dock(card)
        while actions := self.plan():
            self.do(actions[0])
        housekeeping.sign_head(self.bench)  # nothing goes before somebody else has seen a head over its confirmation
        for witness in self.bench.witnesses.values():
            witness.bring()
        self.clock.advance(KEEP + timedelta(hours=1))
        while actions := self.plan():
            self.do(actions[-1])
        path = max(path for serial, path in self.truth if serial == card.serial)
        (record,) = [r for r in self.records().values() if (r.recorder, r.item.path) == (card.serial, path)]
        assert record.state is State.RELEASED


def _is(data: bytes | None, record: Record) -> bool:
    return data is not None and record.digests is not None and hashlib.sha256(data).hexdigest() == record.digests.sha256


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


def _close_below(directory: Path) -> None:
    """Close what a step that died left open below: nobody would, where no process ends."""
    for name in os.listdir("/proc/self/fd"):
        try:
            leads = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
        if leads.startswith(f"{directory}/"):
            os.close(int(name))


# Making a failing life short takes minutes, more than a test may: by default it is told as it was, with the blob that
# repeats it, and BWCDOCK_CAMPAIGN=long makes it short.
PHASES = [phase for phase in Phase if LONG or phase not in {Phase.shrink, Phase.explain}]


@pytest.mark.timeout(400 if LIVES * STEPS <= 750 else 4 * 3600)
def test_life() -> None:
    with structlog.testing.capture_logs():  # what is logged is not what is promised, and takes longer than the work
        run_state_machine_as_test(
            Life,
            settings=settings(settings.default, max_examples=LIVES, stateful_step_count=STEPS, phases=PHASES),
        )
