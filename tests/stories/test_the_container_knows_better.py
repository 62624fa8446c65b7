"""What a sealed file's own container says: it moves the deadline where it must, and what is odd about it is told."""

from datetime import timedelta
from pathlib import Path
from random import Random

from bwcdock.core.facts import Found, Listed, Obliged, Sealed
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.footage import husk
from bwcdock.testing.recorder import WALL, FakeRecorder
from bwcdock.testing.station import StationBed

SIZE = 50_000
MINUTES = 30


def record_without_an_end(card: FakeRecorder, path: str, start: timedelta) -> None:
    """A recording whose name says when it began, on a card that lost its dates: how long it is only it can say."""
    head = husk(SIZE, WALL + start, 60 * MINUTES)
    card.record(path, head + Random(path).randbytes(SIZE - len(head)), start=WALL + start)
    card.files[path].modified = None  # type: ignore[assignment]


async def test_the_deadline_counts_from_the_end_that_only_the_container_knows(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, clock=VirtualClock(WALL + timedelta(hours=12)))
    card = bed.recorder("F1-0001")
    record_without_an_end(card, "a.mp4", timedelta(0))
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
    record = bed.record("a.mp4")
    assert record.corrected.end == WALL + timedelta(minutes=MINUTES)
    first, again = bed.facts(Obliged, record=record.id)
    assert again.obligation.basis == "recording_end"
    assert again.obligation.due - first.obligation.due == timedelta(minutes=MINUTES)
    assert record.due == again.obligation.due
    # With the sealing, not after it: nobody may take the recorder away under a deadline that is not the last word.
    seqs = {type(entry.fact): entry.seq for entry in bed.entries() if isinstance(entry.fact, Sealed | Obliged)}
    assert seqs[Obliged] == seqs[Sealed] + 1
    bed.must_agree()


async def test_what_the_card_cannot_have_held_before_is_not_forgotten_when_it_is_sealed(tmp_path: Path) -> None:
    """The container says when it ended; it was not there at the last docking all the same, so it ended after that."""
    clock = VirtualClock(WALL + timedelta(hours=12))
    bed = StationBed(tmp_path, clock=clock)
    card = bed.recorder("F1-0001")
    record_without_an_end(card, "a.mp4", timedelta(0))
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
        card.unplug()
        await bed.until(lambda: bed.sessions()[0].departed_at)
        clock.advance(timedelta(days=1))
        record_without_an_end(card, "b.mp4", timedelta(hours=1))
        card.plug()
        await bed.until_settled(card)
    record = bed.record("b.mp4")
    (listed,) = bed.facts(Listed, record=record.id)
    assert record.corrected.end == WALL + timedelta(hours=1, minutes=MINUTES)
    assert record.obligation.basis == "not_before"
    assert record.obligation.basis_at == listed.not_before
    # The doubt was told with its card, and is no news of the file.
    (session,) = [s for s in bed.sessions() if record.id in s.records]
    assert "deadline.end-disproved" in {f.code for f in session.findings}
    assert not [f for f in bed.facts(Found) if f.finding.code.startswith("deadline")]
    bed.must_agree()


async def test_a_container_with_parts_that_make_no_sense_is_told_about_that_recording(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001")
    card.record("odd.mp4", Random(1).randbytes(SIZE))
    record_without_an_end(card, "well.mp4", timedelta(0))
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
    (told,) = [fact for fact in bed.facts(Found) if fact.finding.code == "media.odd"]
    assert told.record == bed.record("odd.mp4").id
    assert told.finding.evidence == (("problem", "The name says .mp4, the content is no such container."),)
    assert "odd.mp4" in told.finding.what
    assert "kept and proven" in told.finding.remedy
    bed.must_agree()
