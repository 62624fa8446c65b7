"""A release died between its intent and its outcome, and meanwhile nobody would give the permit any more."""

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import SPOOL, Found, LookedAgain, Released, ReleaseIntended, ReleaseWithdrawn
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.station import StationBed

DAY = timedelta(days=1)


@pytest.mark.parametrize("dropped", [False, True], ids=["before the act", "after the act"])
async def test_what_was_done_is_said_and_no_more(tmp_path: Path, dropped: bool) -> None:
    clock = VirtualClock()
    bed = StationBed(tmp_path, clock=clock)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(50_000))
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
        card.unplug()
        clock.advance(DAY + timedelta(minutes=2))
        await bed.until(lambda: clock.advance(60) or bed.facts(LookedAgain))
    record = bed.record("a.mp4")
    with bed.bench() as bench:
        bench.book.record([ReleaseIntended(record=record.id, recorder=record.recorder, place=SPOOL, ground="a test")])
    if dropped:
        bed.whole(record).unlink()
    # Only two days of the seven have passed: the keeping was made longer after the intent.
    async with bed.at_work():
        await bed.until(lambda: not bed.record("a.mp4").releasing)
        assert (len(bed.facts(Released)), len(bed.facts(ReleaseWithdrawn))) == (int(dropped), int(not dropped))
        assert bed.whole(record).exists() is not dropped
        clock.advance(6 * DAY)
        await bed.until(lambda: clock.advance(60) or bed.facts(Released))
    assert not bed.whole(record).exists()
    assert not [fact for fact in bed.facts(Found) if fact.finding.code == "program.bug"]
    bed.must_agree()
