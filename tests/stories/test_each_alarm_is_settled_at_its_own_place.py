"""A copy that is well in one place settles nothing about another; one bad copy is struck off once."""

import threading
from datetime import timedelta
from pathlib import Path
from random import Random

from bwcdock.core.facts import SPOOL, Confirmed, CopyBad, Digests, Finding, Found, LookedAgain, Released, Severity
from bwcdock.core.plan import Act, Action
from bwcdock.core.record import Record, State
from bwcdock.errors import Unreachable
from bwcdock.steps.perform import act_of, perform
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed

DATA = Random(1).randbytes(50_000)
ALARMS = ("copy.bad.central", "copy.bad.spool", "copy.bad.vault", "sink.conflict.central", "sink.conflict.vault")


async def sealed(bed: StationBed, sink: MemorySink) -> Record:
    card = bed.recorder("F1-0001")
    card.record("a.mp4", DATA)
    sink.down = True
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.records() and bed.records()[0].state is State.SEALED)
    sink.down = False
    return bed.record("a.mp4")


def told(record: Record, code: str) -> Found:
    return Found(record=record.id, finding=Finding(severity=Severity.WARN, code=code, what=code, remedy="Look."))


async def test_a_confirmation_settles_what_was_said_of_its_own_sink(tmp_path: Path) -> None:
    sink = MemorySink()
    bed = StationBed(tmp_path, sinks={"central": sink})
    record = await sealed(bed, sink)
    with bed.bench() as bench:
        bench.book.record([told(record, code) for code in ALARMS])
        action = Action(Act.PUSH, record.id, "central")
        perform(bench, action, record, act_of(bench, action, record))
    assert bed.facts(Confirmed)
    assert [code for code in ALARMS if bed.findings(code)] == [
        "copy.bad.spool",
        "copy.bad.vault",
        "sink.conflict.vault",
    ]


async def test_one_bad_spool_copy_is_struck_off_once(tmp_path: Path) -> None:
    """Two pushes find the same bad copy; the second has read it before the first struck it off."""
    sink = MemorySink()
    bed = StationBed(tmp_path, sinks={"central": sink})
    record = await sealed(bed, sink)
    whole = bed.whole(record)
    whole.chmod(0o600)
    whole.write_bytes(DATA[::-1])
    with bed.bench() as bench:
        both = threading.Barrier(2)
        verify = bench.spool.verify

        def together(record_id: str, digests: Digests) -> object:
            try:
                return verify(record_id, digests)
            finally:
                both.wait(60)

        bench.spool.verify = together  # type: ignore[method-assign, assignment]
        push = Action(Act.PUSH, record.id, "central")
        work = (bench, push, record, act_of(bench, push, record))
        pushes = [threading.Thread(target=perform, args=work) for _ in range(2)]
        for each in pushes:
            each.start()
        for each in pushes:
            each.join()
    assert [fact.place for fact in bed.facts(CopyBad)] == [SPOOL]
    assert not bed.findings("program.bug")
    bed.must_agree()


async def test_a_release_is_judged_by_what_became_known_since_it_was_planned(tmp_path: Path) -> None:
    clock = VirtualClock()
    bed = StationBed(tmp_path, clock=clock)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", DATA)
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
        clock.advance(timedelta(days=1, minutes=2))
        await bed.until(lambda: clock.advance(60) or bed.facts(LookedAgain))
    planned = bed.record("a.mp4")
    clock.advance(timedelta(days=30))
    with bed.bench() as bench:
        bench.book.ask(lambda ledger: ledger.checkpoint())
        bench.witnesses["central"].bring()
        act = act_of(bench, Action(Act.RELEASE, planned.id), planned)
        bad = CopyBad(record=planned.id, recorder=planned.recorder, place="central", what="It is gone.")
        bench.book.record([bad])
        perform(bench, Action(Act.RELEASE, planned.id), planned, act)
    assert not bed.facts(Released)
    assert bed.whole(planned).read_bytes() == DATA


class TakesNoHeads(MemorySink):
    """A central storage that takes no head of the ledger while it is shut, and everything else."""

    is_shut = False

    def note(self, key: str, data: bytes) -> None:
        if self.is_shut and key.startswith("checkpoints/"):
            raise Unreachable("note", "It takes no heads now.", "Wait.", self.name)
        super().note(key, data)


async def test_nothing_is_released_that_no_witness_has_seen_confirmed(tmp_path: Path) -> None:
    """A ledger put back from before the confirmation would know neither copy: the head over it must be out first."""
    clock, central = VirtualClock(), TakesNoHeads()
    bed = StationBed(tmp_path, {"ledger": {"checkpoint_every_s": 10**8}}, clock=clock, sinks={"central": central})
    card = bed.recorder("F1-0001")
    card.record("a.mp4", DATA)
    async with bed.at_work() as station:
        card.plug()
        await bed.until_settled(card)
        central.is_shut = True
        clock.advance(timedelta(days=1, minutes=2))
        await bed.until(lambda: clock.advance(60) or bed.facts(LookedAgain))
        clock.advance(timedelta(days=30))
        turns = station.turns
        await bed.until(lambda: clock.advance(60) or station.turns > turns + 20)
        assert not bed.facts(Released)
        central.is_shut = False
        station.bench.book.ask(lambda ledger: ledger.checkpoint())
        station.bench.witnesses["central"].bring()
        await bed.until(lambda: clock.advance(60) or bed.facts(Released))
    bed.must_agree()


async def test_a_look_that_agrees_settles_the_conflict_of_its_sink(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, sinks={"central": (sink := MemorySink())})
    record = await sealed(bed, sink)
    with bed.bench() as bench:
        push, look = (Action(act, record.id, "central") for act in (Act.PUSH, Act.LOOK))
        perform(bench, push, record, act_of(bench, push, record))
        held = bed.record("a.mp4")
        bench.book.record([told(held, "sink.conflict.central")])
        perform(bench, look, held, act_of(bench, look, held))
    assert bed.facts(LookedAgain)
    assert not bed.findings("sink.conflict.central")
