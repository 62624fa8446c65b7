"""Something else lies in central storage where a recording belongs: an alarm, never overwritten, and still owed."""

from datetime import timedelta
from pathlib import Path
from random import Random

from bwcdock.core.facts import Confirmed, Found
from bwcdock.core.record import State
from bwcdock.manifest import MANIFEST
from bwcdock.steps.push import key_of
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.sinks import MemorySink, SinkFault
from bwcdock.testing.station import StationBed
from bwcdock.testing.troubled import TroubledSink


async def test_never_overwritten_and_still_owed(tmp_path: Path) -> None:
    clock = VirtualClock()
    bed = StationBed(tmp_path, clock=clock)
    root = bed.settings.sink[0].path
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(200_000))
    card.record("b.mp4", Random(2).randbytes(100_000))
    root.rename(root.with_name("away"))
    async with bed.at_work() as station:
        card.plug()
        await bed.until(lambda: [r for r in bed.records() if r.state is State.SEALED] == bed.records() != [])
        key = key_of(station.bench, bed.record("a.mp4"), "central")
        root.with_name("away").rename(root)
        bed.central(key).parent.mkdir(parents=True)
        bed.central(key).write_bytes(b"somebody else's")
        await bed.until(lambda: clock.advance(1) or bed.record("b.mp4").finished)
        (told,) = await bed.until(lambda: bed.findings("sink.conflict.central"))
        assert told.what == f"a.mp4: central holds other bytes under {key}."
        record = bed.record("a.mp4")
        assert (record.state, record.owed_sinks) == (State.SEALED, ("central",))
        assert bed.whole(record).read_bytes() == card.files["a.mp4"].data
        assert bed.central(key).read_bytes() == b"somebody else's"
        assert not bed.central(key + MANIFEST).exists()
        assert not bed.facts(Confirmed, record=record.id)
        assert not bed.sessions()[0].receipt
        bed.must_agree()
        # It is tried again hourly, not all the time; and when somebody has cleared it up, it goes through.
        bed.central(key).unlink()
        clock.advance(timedelta(minutes=50))
        await bed.until(lambda: bed.facts(Confirmed) == bed.facts(Confirmed, record=bed.record("b.mp4").id))
        clock.advance(timedelta(minutes=11))
        await bed.until_settled(card)
        assert not bed.findings("sink.conflict.central")
    assert len([f for f in bed.facts(Found) if f.finding.code == "sink.conflict.central"]) == 1
    assert bed.central(key).read_bytes() == card.files["a.mp4"].data
    bed.must_agree()


async def test_a_storage_that_takes_the_bytes_and_keeps_others(tmp_path: Path) -> None:
    """The reading back finds it, before anything is confirmed."""
    sink = MemorySink(faults=[SinkFault(op="put", nth=1, how="lie")])
    bed = StationBed(tmp_path, sinks={"central": TroubledSink(sink)})
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(200_000))
    async with bed.at_work():
        card.plug()
        (told,) = await bed.until(lambda: bed.findings("sink.conflict.central"))
        assert "holds other bytes than were sealed" in told.what
        assert not bed.facts(Confirmed)
    assert bed.record("a.mp4").owed_sinks == ("central",)
    bed.must_agree()
