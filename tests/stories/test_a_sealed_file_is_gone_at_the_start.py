"""A sealed file was taken away while the station was off: its start says so, and what is owed is asked for again."""

from pathlib import Path
from random import Random

from bwcdock.core.facts import SPOOL, CopyBad, ReleaseIntended
from bwcdock.core.record import State
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed


async def test_it_is_struck_off_and_told(tmp_path: Path) -> None:
    sink = MemorySink()
    bed = StationBed(tmp_path, sinks={"central": sink})
    card = bed.recorder("F1-0001")
    for name in ("a.mp4", "b.mp4"):
        card.record(name, Random(name).randbytes(50_000))
    async with bed.at_work():
        sink.down = True
        card.plug()
        await bed.until(lambda: [r.state for r in bed.records()] == [State.SEALED] * 2)
    bed.whole(bed.record("a.mp4")).unlink()
    async with bed.at_work():
        pass
    (bad,) = bed.facts(CopyBad)
    assert (bad.place, bad.record) == (SPOOL, bed.record("a.mp4").id)
    assert bed.record("a.mp4").state is State.QUARANTINED
    assert bed.record("b.mp4").state is State.SEALED
    (told,) = bed.findings("copy.bad.spool")
    assert "a.mp4" in told.what
    # Docked again it is pulled again, which settles it.
    sink.down = False
    async with bed.at_work():
        card.plug("usb-2")
        await bed.until_settled(card)
    assert not bed.findings("copy.bad.spool")
    bed.must_agree()


async def test_what_was_being_released_is_none_of_it(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(50_000))
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
    record = bed.record("a.mp4")
    with bed.bench() as bench:
        bench.book.record([ReleaseIntended(record=record.id, recorder=record.recorder, place=SPOOL, ground="a test")])
    bed.whole(record).unlink()
    async with bed.at_work():
        await bed.until(lambda: not bed.record("a.mp4").releasing)
    assert not bed.facts(CopyBad)
    bed.must_agree()
