"""The station's own copy goes a week after central storage proved its own twice, and never sooner."""

import asyncio
from datetime import timedelta
from pathlib import Path
from random import Random

from bwcdock.core.facts import SPOOL, Beat, Confirmed, LookedAgain, Released, ReleaseIntended
from bwcdock.core.record import State
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.station import StationBed

DATA = Random(1).randbytes(300_000)


async def passes(bed: StationBed, clock: VirtualClock, span: timedelta) -> None:
    """Time passes, and the station has had its round after it: what it does not do now it does not do.

    A round that was at work while the clock jumped sleeps its whole span from there: what must come is waited for by
    moving on.
    """
    beats = len(bed.facts(Beat))
    clock.advance(span)
    if span >= timedelta(hours=1):
        await bed.until(lambda: clock.advance(1) or len(bed.facts(Beat)) > beats)
    await asyncio.sleep(0.15)


async def test_a_day_later_looked_at_and_a_week_later_released(tmp_path: Path) -> None:
    clock = VirtualClock()
    bed = StationBed(tmp_path, clock=clock)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", DATA)
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
        confirmed = bed.record("a.mp4").held[0].confirmed_at
        await passes(bed, clock, timedelta(hours=23, minutes=45))
        assert not bed.facts(LookedAgain)
        await bed.until(lambda: clock.advance(60) or bed.facts(LookedAgain))
        await passes(bed, clock, confirmed + timedelta(days=6, hours=23, minutes=45) - clock.now())
        assert not bed.facts(ReleaseIntended)
        assert bed.whole(bed.record("a.mp4")).read_bytes() == DATA
        bed.must_agree()
        await bed.until(lambda: clock.advance(60) or bed.facts(Released))
    record = bed.record("a.mp4")
    assert record.state is State.RELEASED
    assert record.released_at - confirmed >= timedelta(days=7)
    assert not bed.whole(record).exists()
    assert bed.central(record.held[0].key).read_bytes() == DATA
    told = [e.fact for e in bed.entries() if isinstance(e.fact, Confirmed | LookedAgain | ReleaseIntended | Released)]
    assert [type(fact) for fact in told] == [Confirmed, LookedAgain, ReleaseIntended, Released]
    assert told[2].place == told[3].place == SPOOL
    assert told[2].ground == "confirmed and looked at again in central"
    bed.must_agree()


async def test_not_while_central_storage_cannot_be_looked_at(tmp_path: Path) -> None:
    clock = VirtualClock()
    bed = StationBed(tmp_path, clock=clock)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", DATA)
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
        root = bed.settings.sink[0].path
        root.rename(root.with_name("away"))
        for _ in range(10):
            await passes(bed, clock, timedelta(days=1))
        assert not bed.facts(LookedAgain)
        assert not bed.facts(ReleaseIntended)
        assert bed.whole(bed.record("a.mp4")).read_bytes() == DATA
        root.with_name("away").rename(root)
        await bed.until(lambda: clock.advance(60) or bed.facts(LookedAgain))
        await bed.until(lambda: clock.advance(60) or bed.facts(Released))
    bed.must_agree()


async def test_a_released_recording_is_known_again(tmp_path: Path) -> None:
    """The recorder still holds it: it is not brought a second time."""
    clock = VirtualClock()
    bed = StationBed(tmp_path, clock=clock)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", DATA)
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
        clock.advance(timedelta(days=1))
        await bed.until(lambda: clock.advance(60) or bed.facts(LookedAgain))
        clock.advance(timedelta(days=6))
        await bed.until(lambda: clock.advance(60) or bed.facts(Released))
        card.plug("usb-2")
        await bed.until(lambda: len(bed.sessions()) == 2 and bed.sessions()[0].receipt)
    assert (bed.sessions()[0].known, bed.sessions()[0].new) == (1, 0)
    assert len(bed.records()) == 1
    bed.must_agree()
