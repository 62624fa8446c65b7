"""A recorder that answers differently at the second reading is found out, and nothing of it is called whole."""

from pathlib import Path
from random import Random

from bwcdock.core.facts import Cleared, Distrusted, Drained, Pulled, Quarantined, Sealed
from bwcdock.core.record import State
from bwcdock.testing.station import StationBed

DATA = Random(1).randbytes(400_000)


async def test_distrusted_pulled_again_and_set_apart(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, {"pull": {"second_read": True}})
    card = bed.recorder("F1-0001")
    card.record("a.mp4", DATA)
    card.record("b.mp4", DATA[::-1])
    card.waver("a.mp4", 123_456)
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.facts(Drained))
        record = bed.record("a.mp4")
        assert record.state is State.QUARANTINED
        (distrusted,) = bed.facts(Distrusted)
        assert distrusted.what == "The recorder gave other bytes at the second reading."
        (quarantined,) = bed.facts(Quarantined)
        assert (quarantined.reason, quarantined.record) == ("untrue", record.id)
        assert not bed.facts(Pulled, record=record.id)
        assert not bed.facts(Sealed, record=record.id)
        assert [f.record for f in bed.facts(Sealed)] == [bed.record("b.mp4").id]
        assert (bed.facts(Drained)[0].sealed, bed.facts(Drained)[0].quarantined) == (1, 1)
        assert not bed.whole(record).exists()
        assert list(bed.aside()) == [record.id]
        # Two pulls, each read twice.
        assert sum(b - a for a, b in card.bytes_read("a.mp4")) == 4 * len(DATA)
        bed.must_agree()
        # A cleaned contact later it reads well.
        card.heal()
        card.plug("usb-2")
        await bed.until_settled(card)
    assert bed.facts(Cleared, record=record.id)
    assert bed.central(bed.record("a.mp4").held[0].key).read_bytes() == DATA
    bed.must_agree()


async def test_a_recorder_that_reads_well_is_read_twice_and_sealed(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, {"pull": {"second_read": True}})
    card = bed.recorder("F1-0001")
    card.record("a.mp4", DATA)
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
    assert sum(b - a for a, b in card.bytes_read("a.mp4")) == 2 * len(DATA)
    assert not bed.facts(Distrusted)
    bed.must_agree()


async def test_a_file_that_grows_while_it_is_read_is_not_called_whole(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", DATA)
    card.grow("a.mp4", b"more")  # after it was listed
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.facts(Drained))
        assert [f.what for f in bed.facts(Distrusted)] == ["The file gave more than the 400000 bytes listed."]
        assert [f.reason for f in bed.facts(Quarantined)] == ["untrue"]
        card.heal()
        card.plug("usb-2")
        await bed.until_settled(card)
    sealed = [r for r in bed.records() if r.state is State.SEALED]
    assert [bed.whole(r).read_bytes() for r in sealed] == [DATA + b"more"]
    bed.must_agree()


async def test_a_file_shorter_than_listed_is_not_called_whole(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", DATA)
    card.lie("a.mp4", 500_000)
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.facts(Drained))
    (quarantined,) = bed.facts(Quarantined)
    assert quarantined.what == "The file ends at 400000 bytes; 500000 were listed."
    assert not bed.facts(Sealed)
    assert not list((bed.settings.paths.spool / "whole").iterdir())
    bed.must_agree()
