"""The spool's volume is not there at the start: the station refuses, and calls no file lost that lies on it."""

from pathlib import Path
from random import Random

import pytest
from bwcdock.app import SPOOL_MARK
from bwcdock.core.facts import CopyBad
from bwcdock.errors import Misused
from bwcdock.testing.station import StationBed


async def test_it_does_not_start_and_nothing_is_struck_off(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    recorder = bed.recorder("CAM1")
    recorder.record("a.mp4", Random(1).randbytes(100_000))
    async with bed.at_work():
        recorder.plug("usb-1")
        await bed.until_settled(recorder)
    spool = bed.settings.paths.spool
    spool.rename(tmp_path / "on its volume")
    spool.mkdir()  # the empty mount point
    with pytest.raises(Misused, match=SPOOL_MARK):
        async with bed.at_work():
            pass
    spool.rmdir()
    (tmp_path / "on its volume").rename(spool)
    async with bed.at_work():
        pass
    assert not bed.facts(CopyBad)
    bed.must_agree()


async def test_an_empty_station_takes_a_new_spool(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    spool = bed.settings.paths.spool
    (spool / SPOOL_MARK).unlink()
    async with bed.at_work():
        assert (spool / SPOOL_MARK).exists()
