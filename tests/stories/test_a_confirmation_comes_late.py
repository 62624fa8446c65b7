"""Central storage has all the sealed bytes and says so late: true, whatever became of the spool's copy meanwhile."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import (
    SPOOL,
    Claim,
    Cleared,
    Confirmed,
    CopyBad,
    Corrected,
    Digests,
    Distrusted,
    Entry,
    Fact,
    Item,
    Kind,
    Listed,
    LookedAgain,
    Lost,
    MediaFacts,
    Obligation,
    Obliged,
    Pulled,
    Quarantined,
    Sealed,
)
from bwcdock.core.record import Illegal, Record, State, apply
from bwcdock.ports import Held
from bwcdock.steps.scrub import scrub
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed
from hypothesis import event, given
from hypothesis import strategies as st

DATA = Random(1).randbytes(300_000)


# --- the story -------------------------------------------------------------------------------------------------------


class SlowToRead(MemorySink):
    """Takes an object at once, and gives it back only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.answers = threading.Event()

    def stat(self, key: str) -> Held | None:
        """Wait, then answer as ever."""
        self.asked.set()
        self.answers.wait()
        return super().stat(key)


async def sealed_and_on_its_way(bed: StationBed, sink: SlowToRead) -> Record:
    card = bed.recorder("F1-0001")
    card.record("a.mp4", DATA)
    card.plug("usb-1")
    await bed.until(sink.asked.is_set)
    return bed.record("a.mp4")


def rot(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(bytes(len(DATA)))
    path.chmod(0o400)


async def test_the_spool_copy_is_struck_off_while_central_storage_is_read_back(tmp_path: Path) -> None:
    sink = SlowToRead()
    bed = StationBed(tmp_path, sinks={"central": sink})
    try:
        async with bed.at_work() as station:
            record = await sealed_and_on_its_way(bed, sink)
            rot(bed.whole(record))
            assert not scrub(station.bench, record.id)
            assert bed.record("a.mp4").state is State.QUARANTINED
            sink.answers.set()
            await bed.until(lambda: bed.facts(Confirmed))
            record = bed.record("a.mp4")
            assert (record.state, record.copies, record.quarantine) == (State.SEALED, frozenset({"central"}), "")
            assert record.finished
            # Nothing is owed any more, so the docking gets its receipt; the station's own disk is not well by that.
            await bed.until(lambda: bed.sessions()[0].receipt)
            assert bed.findings("copy.bad.spool")
            assert not bed.findings("program.bug")
    finally:
        sink.answers.set()
    assert sink.objects[record.held[0].key] == DATA
    bed.must_agree()


# --- the rule --------------------------------------------------------------------------------------------------------

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
CENTRE, MIRROR = "centre", "mirror"
R = {"record": "r1", "session": "s1", "recorder": "A001"}


def digests(name: str = "a") -> Digests:
    return Digests(sha256=name * 64, blake3=name * 64)


CLAIM = Claim(start=NOON, end=NOON, source="name", zone="Asia/Shanghai", text="")
CORRECTED = Corrected(start=NOON, end=NOON, method="plug-file", offset_ms=0, uncertainty_ms=1500)
LISTED = Listed(
    **R, item=Item(path="a.mp4", size=1000, modified=NOON, claim=CLAIM, kind=Kind.VIDEO), corrected=CORRECTED
)
OBLIGED = Obliged(
    **R,
    obligation=Obligation(
        pack="S4", article="第十三条", quote="…", due=NOON + timedelta(days=1), basis="ended", basis_at=NOON,
        met_by="confirmed", sinks=(CENTRE, MIRROR), keep_article="第十四条", keep_until=NOON + timedelta(days=180),
    ),
)  # fmt: skip
PULLED = Pulled(**R, size=1000, digests=digests(), edges="a" * 32)
SEALED = Sealed(**R, size=1000, digests=digests(), readback="direct", media=MediaFacts(), corrected=CORRECTED)
SPOOL_BAD = CopyBad(**R, place=SPOOL, what="It holds other bytes.")
CLEARED = Cleared(**R, ground="the recorder is back")
DISTRUSTED = Distrusted(**R, op="pull", what="They differ.")
APART = Quarantined(**R, reason="unreadable", what="A bad block.", hint="Dock it again.")
LOST = Lost(**R, reason="no longer on the recorder")
ONCE_SEALED = (LISTED, OBLIGED, PULLED, SEALED)


def confirmed(sink: str = CENTRE, name: str = "a") -> Confirmed:
    return Confirmed(
        **R, sink=sink, key="k/r1", version="1", digests=digests(name), readback="direct", manifest="m" * 64
    )


def life(*facts: Fact) -> Record:
    """The record these make, all in one moment, so that what the order of facts changes is only what it should."""
    record = None
    for fact in facts:
        record = apply(record, Entry(seq=7, at=NOON, fact=fact))
    assert record is not None
    return record


STANDS = {
    "set apart for want of a copy": (SPOOL_BAD,),
    "waits to be pulled again": (SPOOL_BAD, CLEARED),
    "thrown away once more": (SPOOL_BAD, CLEARED, DISTRUSTED),
    "pulled again": (SPOOL_BAD, CLEARED, PULLED),
    "sealed again": (SPOOL_BAD, CLEARED, PULLED, SEALED),
    "set apart for another reason": (SPOOL_BAD, CLEARED, APART),
}


@pytest.mark.parametrize("facts", STANDS.values(), ids=STANDS)
def test_a_confirmation_leads_to_the_same_record_early_or_late(facts: tuple[Fact, ...]) -> None:
    late = life(*ONCE_SEALED, *facts, confirmed())
    assert late == life(*ONCE_SEALED, confirmed(), *facts)
    assert CENTRE in late.copies
    assert late.owed_sinks == (MIRROR,)


def test_what_was_given_up_for_lost_is_not_lost() -> None:
    late = life(*ONCE_SEALED, SPOOL_BAD, CLEARED, LOST, confirmed())
    assert (late.state, late.copies, late.quarantine) == (State.SEALED, {CENTRE}, "")


@pytest.mark.parametrize("before", [(), (PULLED,), (APART,), (LOST,)])
def test_what_was_never_sealed_cannot_be_confirmed(before: tuple[Fact, ...]) -> None:
    with pytest.raises(Illegal, match="Confirmed on a record that is"):
        life(LISTED, *before, confirmed())


@pytest.mark.parametrize("facts", STANDS.values(), ids=STANDS)
def test_other_bytes_are_never_confirmed(facts: tuple[Fact, ...]) -> None:
    with pytest.raises(Illegal, match="other bytes than were sealed"):
        life(*ONCE_SEALED, *facts, confirmed(name="b"))


@pytest.mark.parametrize("facts", [*STANDS.values(), (SPOOL_BAD, CLEARED, LOST)])
def test_what_a_second_look_finds_may_come_late_too(facts: tuple[Fact, ...]) -> None:
    seen = LookedAgain(**R, sink=CENTRE)
    held = life(*ONCE_SEALED, *facts, confirmed(), *([] if LOST in facts else [seen]))
    assert [h.looked_at for h in held.held] == [None if LOST in facts else NOON]
    struck = life(*ONCE_SEALED, *facts, SPOOL_BAD)  # two pushes at once met the same rotten file
    assert SPOOL in struck.bad_places
    assert SPOOL not in struck.copies


@given(data=st.data())
def test_whenever_it_comes_in(data: st.DataObject) -> None:
    """Two sinks answer at any moment while the spool's copy is lost, pulled again, sealed, and lost again."""
    round_ = (SPOOL_BAD, CLEARED, PULLED, SEALED)
    facts: list[Fact] = list((round_ * 3)[: data.draw(st.integers(0, 12))])
    told = [confirmed(sink) for sink in data.draw(st.permutations([CENTRE, MIRROR]))]
    straight = life(*ONCE_SEALED, *told, *facts)
    # In the order in which they were sent, for the record names its sinks in the order in which they answered.
    for fact, at in zip(told, sorted(data.draw(st.tuples(*[st.integers(0, len(facts))] * 2))), strict=True):
        facts.insert(at + told.index(fact), fact)
    late = life(*ONCE_SEALED, *facts)
    event(late.state)
    # Without a copy the record is set apart and has to be cleared; with one it is neither.
    assert late == straight
