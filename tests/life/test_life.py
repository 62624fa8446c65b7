"""Whole lives at random: record, dock, yank, fail, crash, rot, wait; after every step everything is asked again.

The steps are the station's own, called one after the other as its loop would call them; only the threads are left out.
A crash takes the files as they are at that moment and nothing of the process, and the ordinary start goes on from them.
BWCDOCK_LIVES=20000x80 lives as many and as long as wanted; BWCDOCK_SEED repeats the lives of another run.
"""

import hashlib
import os
import shutil
from datetime import timedelta
from itertools import chain, combinations
from random import SystemRandom

import pytest
import structlog
from bwcdock.core.facts import SPOOL, Span
from bwcdock.core.record import State
from bwcdock.errors import BwcdockError
from bwcdock.reading import BLOCK
from bwcdock.steps import housekeeping
from bwcdock.steps.scrub import scrub
from bwcdock.testing.calls import CHANGING, Fault
from bwcdock.testing.recorder import FakeRecorder
from bwcdock.testing.sinks import SinkFault
from hypothesis import Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test
from life_judge import KEEP, Judged, is_of
from life_station import SERIALS, close_below

LIVES, STEPS = map(int, os.environ.get("BWCDOCK_LIVES", "500x40").split("x"))
PARTS = 20
"""Tests that share the lives between them, for the processes that run side by side."""

SIZES = (0, 1, 4095, 4096, 5000, 40_000, 150_000)

WORK = st.lists(st.integers(0, 50), min_size=3, max_size=15)
"""Which of the planned actions is done next, that many times."""

HOW = st.sampled_from(["before", "after", "die_before", "die_after"])
CALLS = [name for name in CHANGING if name not in {"rename", "rename_noreplace", "write"}]


class Life(Judged):
    """What people do, and what goes wrong, in an order of chance."""

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
                    scrub(self.bench, rid)
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

    # --- the end ------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self.all_ends_well()
        finally:
            self.stack.close()
            close_below(self.home)
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
                assert held & self.bad_keys or is_of(self.inner.objects[min(held)], record)

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


# Making a failing life short takes minutes, more than a test may: by default it is told as it was, with the blob that
# repeats it, and BWCDOCK_CAMPAIGN=long makes it short.
LONG = os.environ.get("BWCDOCK_CAMPAIGN") == "long"
PHASES = [phase for phase in Phase if LONG or phase not in {Phase.shrink, Phase.explain}]


@pytest.mark.timeout(600 if LIVES * STEPS <= 20_000 else 4 * 3600)  # one takes a minute where nothing else runs
@pytest.mark.parametrize("part", range(PARTS))
def test_life(part: int) -> None:
    lives = LIVES * (part + 1) // PARTS - LIVES * part // PARTS
    if not lives:
        pytest.skip("fewer lives than parts were asked for")
    chosen = os.environ.get("BWCDOCK_SEED") or SystemRandom().randrange(10**6)
    print(f"BWCDOCK_SEED={chosen} BWCDOCK_LIVES={LIVES}x{STEPS} pytest 'tests/life/test_life.py::test_life[{part}]'")
    with structlog.testing.capture_logs():  # what is logged is not what is promised, and takes longer than the work
        run_state_machine_as_test(
            seed(f"{chosen} {part}")(Life),
            settings=settings(settings.default, max_examples=lives, stateful_step_count=STEPS, phases=PHASES),
        )
