"""The ledger cannot be written any more: nobody knows what is true then, so the station ends by itself and says why."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from bwcdock.cli.serve import _doing
from bwcdock.core.facts import Actor, Digests, Sighting, Started
from bwcdock.desk.line import act_of
from bwcdock.errors import LedgerBroken
from bwcdock.station import Station
from bwcdock.testing.recorder import FakeDriver
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed


class BreakingDriver(FakeDriver):
    """A driver during whose first call the ledger goes."""

    def __init__(self, breaks: Callable[[], None]) -> None:
        super().__init__()
        self.breaks = breaks

    def claims(self, sighting: Sighting) -> int:
        self.breaks()
        return super().claims(sighting)


class BreakingSink(MemorySink):
    """A sink that keeps what it is given, and the ledger goes meanwhile."""

    breaks: Callable[[], None]

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:
        super().put(key, source, digests, keep_until)
        self.breaks()


@pytest.mark.parametrize("where", ["by the clock", "while docking", "in an act", "at the desk"])
async def test_it_ends_by_itself(tmp_path: Path, where: str) -> None:
    sink = BreakingSink()
    seldom = {"beat_s": 0.2 if where == "by the clock" else 3600, "checkpoint_every_s": 3600}
    bed = StationBed(tmp_path, {"ledger": seldom}, sinks={"central": sink})
    with bed.bench() as bench:
        sink.breaks = bench.book.close if where == "in an act" else lambda: None
        card = bed.recorder("F1-0001")
        card.record("a.mp4", b"x" * 10_000)
        drivers = [BreakingDriver(bench.book.close), bed.driver] if where == "while docking" else [bed.driver]
        station = Station(bench, drivers, bed.watch)
        running = asyncio.ensure_future(asyncio.wait_for(station.run(), 60))
        await bed.until(lambda: bed.facts(Started))
        if where == "by the clock":
            bench.book.close()
        elif where == "at the desk":
            bench.book.close()
            entered = act_of("enter-team", {"team": "T1", "name": "一中队", "officers": 5})
            with pytest.raises(LedgerBroken):  # and whoever asked hears of it
                await _doing(bench, station)(entered, Actor(name="001", role="administrator"))
        else:
            card.plug()
        with pytest.raises(LedgerBroken):
            await running
    # What was written before is whole, and the next start goes on.
    async with bed.at_work():
        sink.breaks = lambda: None
        card.plug("usb-2")
        await bed.until_settled(card)
    assert sink.objects[bed.record("a.mp4").held[0].key] == b"x" * 10_000
    bed.must_agree()
