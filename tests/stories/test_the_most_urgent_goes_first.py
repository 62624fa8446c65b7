"""A slow central storage: what has to be there first is carried there first, whatever was sealed before it."""

import threading
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from bwcdock.core.facts import Digests, Drained
from bwcdock.testing.clock import EPOCH, VirtualClock
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed


class SlowSink(MemorySink):
    """A sink that takes nothing before ``gate`` is set, and then everything."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:
        self.gate.wait()
        super().put(key, source, digests, keep_until)


async def test_of_what_waits_the_earliest_due(tmp_path: Path) -> None:
    sink = SlowSink()
    bed = StationBed(tmp_path, {"push": {"parallel": 1}}, clock=VirtualClock(), sinks={"central": sink})
    new, old = bed.recorder("NEW"), bed.recorder("OLD")
    for at, name in enumerate(("a", "b", "c")):
        new.record(f"{name}.mp4", Random(name).randbytes(20_000), start=EPOCH - timedelta(hours=1, minutes=-at))
    old.record("z.mp4", Random("z").randbytes(20_000), start=EPOCH - timedelta(hours=20))
    async with bed.at_work():
        try:
            new.plug("usb-1")
            await bed.until(lambda: len(bed.facts(Drained)) == 1)
            old.plug("usb-2")
            await bed.until(lambda: len(bed.facts(Drained)) == 2)
        finally:
            sink.gate.set()
        await bed.until_settled(new, old)
    puts = [key for op, key in sink.calls if op == "put"]
    assert [key.partition("_video_")[2][0] for key in puts] == ["a", "z", "b", "c"]  # the first had begun before
    bed.must_agree()
