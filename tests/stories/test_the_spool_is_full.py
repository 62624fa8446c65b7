"""The spool has no room for the next recording: pulling waits and says what is missing, everything else goes on."""

import errno
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

from bwcdock.core.facts import Confirmed, Drained, Settled
from bwcdock.core.record import State
from bwcdock.spool import Room, Spool
from bwcdock.testing.calls import Fault, FaultySystem
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.station import StationBed
from bwcdock.testing.troubled import SmallSpool

PAGE = 4096


class Reserving(SmallSpool):
    """A small spool of which 100 pages are kept back."""

    def room(self) -> Room:
        return replace(super().room(), reserve=100 * PAGE)


async def test_pulling_stops_pushing_goes_on_and_it_ends_well(tmp_path: Path) -> None:
    spools: list[SmallSpool] = []

    def small(root: Path) -> Spool:
        spools.append(SmallSpool(root, 250 * PAGE))
        return spools[-1]

    bed = StationBed(tmp_path, spool=small)
    card = bed.recorder("F1-0001")
    for name in ("a", "b", "c"):
        card.record(f"{name}.mp4", Random(name).randbytes(100 * PAGE))
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: len(bed.facts(Confirmed)) == 2)
        (told,) = await bed.until(lambda: bed.findings("spool.full"))
        assert told.what == f"The spool is {50 * PAGE} bytes short for the next recording; only pulling waits."
        waiting = [r for r in bed.records() if r.state is State.LISTED]
        assert [r.item.path for r in waiting] == ["c.mp4"]
        assert not card.bytes_read("c.mp4")
        assert not bed.facts(Drained)
        bed.must_agree()
        # Somebody makes room; nothing has to be restarted.
        spools[0].size = 500 * PAGE
        await bed.until_settled(card)
        await bed.until(lambda: not bed.findings("spool.full"))
    assert [f.code for f in bed.facts(Settled)] == ["spool.full"]
    assert all(bed.whole(r).read_bytes() == card.files[r.item.path].data for r in bed.records())
    bed.must_agree()


async def test_a_disk_that_fills_in_the_middle_is_told_and_settled(tmp_path: Path) -> None:
    """Others write to the volume too: the file system says full although there was room when it was asked."""
    full = Fault(nth=1, how="before", name="reserve", code=errno.ENOSPC)
    clock = VirtualClock()
    bed = StationBed(tmp_path, clock=clock, spool=lambda root: Spool(root, system=FaultySystem(full)))
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(400_000))
    async with bed.at_work():
        card.plug()
        (told,) = await bed.until(lambda: bed.findings("spool.no_room"))
        assert "is full" in told.what
        assert bed.record("a.mp4").state is State.LISTED
        clock.advance(timedelta(seconds=31))
        await bed.until_settled(card)
        assert not bed.findings("spool.no_room")
    bed.must_agree()


async def test_what_is_kept_back_is_not_used(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, spool=lambda root: Reserving(root, 250 * PAGE))
    card = bed.recorder("F1-0001")
    for name in ("a", "b"):
        card.record(f"{name}.mp4", Random(name).randbytes(100 * PAGE))
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.facts(Confirmed))
        (told,) = await bed.until(lambda: bed.findings("spool.full"))
        assert told.what == f"The spool is {50 * PAGE} bytes short for the next recording; only pulling waits."
    assert not card.bytes_read("b.mp4")
    bed.must_agree()


async def test_pulled_is_not_yet_drained(tmp_path: Path) -> None:
    """The disk fails between the last byte and the seal: nobody is told that the recorder is safe to take."""
    fails = Fault(nth=1, how="before", name="link", code=errno.EIO)
    clock = VirtualClock()
    bed = StationBed(tmp_path, clock=clock, spool=lambda root: Spool(root, system=FaultySystem(fails)))
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(40_000))
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.findings("spool.broken"))
        assert bed.record("a.mp4").state is State.PULLED
        turns = time.monotonic() + 0.3
        await bed.until(lambda: time.monotonic() > turns)
        assert not bed.facts(Drained)
        clock.advance(timedelta(seconds=31))
        await bed.until_settled(card)
        assert not bed.findings("spool.broken")
    bed.must_agree()
