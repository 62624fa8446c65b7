"""A listed recording is no longer on the recorder when that comes back: lost and told, until it is there again."""

from pathlib import Path
from random import Random

from bwcdock.core.facts import Cleared, Departed, Faulted, Lost
from bwcdock.core.record import State
from bwcdock.testing.recorder import WALL
from bwcdock.testing.station import StationBed

ONE, TWO = Random(1).randbytes(200_000), Random(2).randbytes(200_000)


async def test_lost_and_found(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001", most=4096)
    card.record("a.mp4", ONE)
    card.record("b.mp4", TWO, start=WALL)
    card.yank("a.mp4", 100_000)
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Departed))
        assert [r.state for r in bed.records()] == [State.LISTED, State.LISTED]
        card.delete("b.mp4")
        card.plug("usb-2")
        await bed.until_settled(card)
        (lost,) = bed.facts(Lost)
        record = bed.record("b.mp4")
        assert (lost.record, record.state) == (record.id, State.LOST)
        (told,) = bed.findings("recording.gone")
        assert told.what == "b.mp4 was on this recorder at an earlier docking, was never pulled, and is gone."
        assert bed.record("a.mp4").finished
        bed.must_agree()
        # The officer had copied it away and puts it back.
        card.record("b.mp4", TWO, start=WALL)
        card.plug("usb-3")
        await bed.until_settled(card)
        assert not bed.findings("recording.gone")
    assert bed.facts(Cleared, record=record.id)
    assert bed.central(bed.record("b.mp4").held[0].key).read_bytes() == TWO
    bed.must_agree()


async def test_a_recorder_that_goes_while_it_is_listed_has_lost_nothing(tmp_path: Path) -> None:
    """An empty listing proves nothing where the recorder is not there afterwards."""
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001", most=4096)
    card.record("a.mp4", ONE)
    card.yank("a.mp4", 100_000)
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Departed))
        kept, card.files = card.files, {}
        card.away = True
        card.plug("usb-2")
        (fault,) = await bed.until(lambda: bed.facts(Faulted))
        assert fault.what == "The recorder went away while it was listed."
        card.files, card.away = kept, False
        card.plug("usb-3")
        await bed.until_settled(card)
    assert not bed.facts(Lost)
    bed.must_agree()
