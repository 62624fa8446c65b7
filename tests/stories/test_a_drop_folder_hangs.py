"""Looking at what is docked hangs, as on a share that went away: what is docked goes on, and it can be ended."""

import threading
import time
from pathlib import Path
from random import Random

from bwcdock.core.facts import Departed, Drained
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed


async def test_what_is_docked_goes_on(tmp_path: Path) -> None:
    sink = MemorySink()
    bed = StationBed(tmp_path, sinks={"central": sink})
    card = bed.recorder("F1-0001")
    for name in ("a", "b", "c", "d"):
        card.record(f"{name}.mp4", Random(name).randbytes(200_000))
    sink.down = True
    bed.watch.hangs = threading.Event()
    bed.watch.hangs.set()
    try:
        async with bed.at_work():
            card.plug("usb-1")
            await bed.until(bed.records)
            bed.watch.hangs.clear()
            await bed.until(lambda: bed.facts(Drained))
            sink.down = False
            await bed.until_settled(card)
            # When it is back, what happened meanwhile is seen.
            bed.watch.hangs.set()
            card.unplug()
            await bed.until(lambda: bed.facts(Departed))
            bed.watch.hangs.clear()
            began = time.monotonic()
        assert time.monotonic() - began < 20  # waiting for the folder would never end
    finally:
        bed.watch.hangs.set()
    assert bed.entries()[-1].fact.ev == "station.stopped"
    bed.must_agree()
