"""Central storage takes a call and never answers: recordings are still brought in, and the station can be ended."""

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import Drained, Sealed
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed
from bwcdock.testing.troubled import SinkCall, TroubledSink


@pytest.fixture
def sink() -> Iterator[TroubledSink]:
    made = TroubledSink(MemorySink())
    yield made
    made.let_go()


@pytest.mark.parametrize(
    ("call", "prefix", "stop_s"),
    [
        ("put", "", 5),
        ("stat", "", 1),
        ("recall", "", 1),
        ("note", "unit/", 1),
        ("note", "receipts/", 1),
    ],
)
async def test_sealing_goes_on_and_the_station_ends(
    tmp_path: Path, sink: TroubledSink, call: SinkCall, prefix: str, stop_s: float
) -> None:
    settings = {"ledger": {"checkpoint_every_s": 3600}, "limits": {"stop_s": stop_s}}
    bed = StationBed(tmp_path, settings, sinks={"central": sink})
    first, second = bed.recorder("F1-0001"), bed.recorder("F1-0002")
    for at, card in enumerate((first, second)):
        for name in ("a", "b", "c"):
            card.record(f"{name}.mp4", Random(f"{at}{name}").randbytes(150_000))
    sink.hang(call, prefix)
    async with bed.at_work():
        first.plug("usb-1")
        await bed.until(lambda: sink.hanging)
        second.plug("usb-2")
        await bed.until(lambda: len(bed.facts(Drained)) == 2)
        first.unplug()
        await bed.until(lambda: bed.sessions(first.serial)[0].departed_at)
        began = time.monotonic()
    # Of one second a busy machine may take several; the five of a real station are the promise.
    assert time.monotonic() - began < max(stop_s, 4)
    assert len(bed.facts(Sealed)) == 6
    assert bed.entries()[-1].fact.ev == "station.stopped"
    # The next start carries on with what was left.
    sink.let_go()
    async with bed.at_work():
        await bed.until(lambda: all(r.finished for r in bed.records()))
        await bed.until(lambda: all(s.receipt for s in bed.sessions()))
    for record in bed.records():
        card = bed.driver.recorders[record.recorder]
        assert sink.inner.objects[record.held[0].key] == card.files[record.item.path].data
    bed.must_agree()
