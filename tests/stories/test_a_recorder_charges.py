"""A drained recorder that stays docked charges: with battery, room and clock right it is ready to issue (可领用)."""

import asyncio
from pathlib import Path
from random import Random

from bwcdock.core.facts import Checked, Rechecked
from bwcdock.core.view import session_view
from bwcdock.testing.station import StationBed

QUICK = {"checks": {"again_s": 0.05}}


async def test_it_says_what_it_lacks_until_it_has_it(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, QUICK)
    recorder = bed.recorder("CAM1")
    recorder.record("a.mp4", Random(1).randbytes(100_000))
    recorder.battery = 7
    async with bed.at_work():
        recorder.plug("usb-1")
        await bed.until_settled(recorder)
        before = session_view(bed.sessions()[0], {}, {})
        assert (before.ready, before.lacks, before.battery) == (False, ("battery",), 7)
        recorder.battery = 15  # still too little: nothing new to say
        await asyncio.sleep(0.3)
        assert not bed.facts(Rechecked)
        recorder.battery = 80
        await bed.until(lambda: bed.facts(Rechecked))
        after = session_view(bed.sessions()[0], {}, {})
        assert (after.ready, after.lacks, after.battery) == (True, (), 80)
        await asyncio.sleep(0.3)
    assert len(bed.facts(Rechecked)) == len(bed.facts(Checked)) == 1
    bed.must_agree()


async def test_a_recorder_that_hangs_meanwhile_costs_nothing_else(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, {**QUICK, "pull": {"open_timeout_s": 0.3}})
    bad, good = bed.recorder("BAD"), bed.recorder("GOOD")
    for recorder in (bad, good):
        recorder.record("a.mp4", Random(recorder.serial).randbytes(100_000))
    async with bed.at_work():
        bad.plug("usb-1")
        await bed.until_settled(bad)
        bad.hang("condition")
        good.battery = 7
        good.plug("usb-2")
        await bed.until_settled(good)
        good.battery = 90
        await bed.until(lambda: bed.facts(Rechecked))
        bad.let_go()
    bed.must_agree()
