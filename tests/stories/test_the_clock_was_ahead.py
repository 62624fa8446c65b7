"""One start with the clock years ahead: the ledger is not silenced until then, and the reason is told."""

from datetime import timedelta
from pathlib import Path
from random import Random

from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.station import StationBed

CODE = "clock.behind_ledger"
YEARS = timedelta(days=3 * 365)


async def test_the_station_goes_on_and_says_why_its_times_stand_still(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    real = bed.clock
    bed.clock = VirtualClock(real.now() + YEARS)
    async with bed.at_work():
        pass
    bed.clock = real
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(50_000))
    async with bed.at_work():
        (told,) = await bed.until(lambda: bed.findings(CODE))
        assert "battery" in told.remedy
        card.plug()
        await bed.until_settled(card)
    bed.must_agree()
    # Once time has caught up, it is settled by itself.
    bed.clock = VirtualClock(real.now() + YEARS + timedelta(hours=1))
    async with bed.at_work():
        await bed.until(lambda: not bed.findings(CODE))
