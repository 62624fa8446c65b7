"""Somebody in a hurry plugs into the priority slot: what is on his recorder is brought before all that waits there."""

from datetime import timedelta
from pathlib import Path
from random import Random

from bwcdock.core.facts import Inventoried, Pulled, Receipted
from bwcdock.spool import Spool
from bwcdock.testing.clock import EPOCH, VirtualClock
from bwcdock.testing.station import StationBed
from bwcdock.testing.troubled import SmallSpool

PAGE = 4096


async def test_his_recordings_are_pulled_first(tmp_path: Path) -> None:
    spools: list[SmallSpool] = []

    def small(root: Path) -> Spool:
        spools.append(SmallSpool(root, 0))
        return spools[-1]

    bed = StationBed(tmp_path, clock=VirtualClock(), spool=small)
    patient, hurried = bed.recorder("PATIENT"), bed.recorder("HURRIED")
    for at, name in enumerate("abcd"):
        start = timedelta(minutes=at)
        patient.record(f"{name}.mp4", Random(name).randbytes(10 * PAGE), start=EPOCH - timedelta(hours=20) + start)
        hurried.record(f"{name}.mp4", Random(name).randbytes(10 * PAGE), start=EPOCH - timedelta(hours=1) + start)
    async with bed.at_work() as station:
        patient.plug("usb-1")
        await bed.until(lambda: len(bed.facts(Inventoried)) == 1)
        hurried.plug("usb-2", slot=2, priority=True)
        await bed.until(lambda: len(bed.facts(Inventoried)) == 2 and station.idle)
        assert max(r.due for r in bed.records("PATIENT")) < min(r.due for r in bed.records("HURRIED"))
        spools[0].size = 1000 * PAGE
        await bed.until(lambda: len(bed.facts(Receipted)) == 2)
    assert [fact.recorder for fact in bed.facts(Pulled)] == ["HURRIED"] * 4 + ["PATIENT"] * 4
    bed.must_agree()
