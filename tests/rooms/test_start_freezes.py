"""What a station loads at its start is left out of the collector's walks for as long as it works, and no longer."""

import gc
from pathlib import Path

from bwcdock.testing.station import StationBed


async def test_what_is_loaded_at_the_start_is_not_walked(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    assert gc.get_freeze_count() == 0
    async with bed.at_work():
        assert await bed.until(gc.get_freeze_count) > 10_000
    assert gc.get_freeze_count() == 0
