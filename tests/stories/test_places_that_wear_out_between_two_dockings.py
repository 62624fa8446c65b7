"""A card gets worse between two dockings, or has trouble past the end of a file: what is there is made the most of."""

from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import Departed, Distrusted, Pulled, Quarantined, Span
from bwcdock.core.record import State
from bwcdock.errors import Misused
from bwcdock.testing.recorder import FakeRecorder
from bwcdock.testing.station import StationBed
from odd_recorders import odd

KIB = 1 << 10
EDGE = 64 * KIB
DATA = Random(2).randbytes(1000 * KIB + 77)


async def interrupted(bed: StationBed, card: FakeRecorder) -> int:
    """Docked and taken out in the middle; how many bytes were brought."""
    card.record("b.mp4", DATA)
    card.yank("b.mp4", 700 * KIB)
    card.plug("usb-1")
    await bed.until(lambda: bed.facts(Departed))
    return len((bed.settings.paths.spool / "part" / f"{bed.record('b.mp4').id}.part").read_bytes())


@pytest.mark.parametrize("back", [EDGE, EDGE // 2], ids=["all of the last block", "its second half"])
async def test_what_was_brought_before_the_place_wore_out_is_kept(tmp_path: Path, back: int) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001", most=64 * KIB)
    async with bed.at_work():
        brought = await interrupted(bed, card)
        card.spoil("b.mp4", Span(offset=brought - back, length=back))
        card.plug("usb-2")
        await bed.until_settled(card)
    (pulled,) = bed.facts(Pulled)
    assert pulled.resumed_at == brought
    assert not bed.facts(Distrusted)
    assert bed.whole(bed.record("b.mp4")).read_bytes() == DATA
    bed.must_agree()


async def test_what_can_be_compared_nowhere_is_set_apart_with_all_the_rest(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001", most=64 * KIB)
    async with bed.at_work():
        brought = await interrupted(bed, card)
        card.spoil("b.mp4", Span(offset=0, length=4096))
        card.spoil("b.mp4", Span(offset=brought - EDGE, length=EDGE))
        card.plug("usb-2")
        (told,) = await bed.until(lambda: bed.facts(Quarantined))
        assert [(run.offset, run.length) for run in told.runs] == [(0, brought), (brought, len(DATA) - brought)]
        assert told.unreadable == ()
        assert list(bed.aside().values()) == [DATA[:brought], DATA[brought:]]
        assert bed.record("b.mp4").state is State.QUARANTINED
        bed.must_agree()


async def test_bytes_past_the_end_are_none_of_the_file(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    driver = odd(bed)
    card = bed.recorder("F1-0001", most=64 * KIB)
    card.record("b.mp4", DATA)
    driver.walls.add(card.serial)
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
    assert not bed.facts(Quarantined)
    assert bed.whole(bed.record("b.mp4")).read_bytes() == DATA
    bed.must_agree()


async def test_taken_out_while_it_is_salvaged(tmp_path: Path) -> None:
    """Nothing is said of the file then: the next docking tries all of it again."""
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001", most=64 * KIB)
    card.record("b.mp4", DATA)
    card.spoil("b.mp4", Span(offset=200 * KIB, length=KIB))
    card.yank("b.mp4", 700 * KIB)
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Departed))
        assert not bed.facts(Quarantined)
        assert bed.record("b.mp4").state is State.LISTED
        card.heal()
        card.plug("usb-2")
        await bed.until_settled(card)
    assert bed.whole(bed.record("b.mp4")).read_bytes() == DATA
    bed.must_agree()


def test_one_buffer_is_not_enough_to_compare_with(tmp_path: Path) -> None:
    with pytest.raises(Misused) as told:
        StationBed(tmp_path, {"pull": {"buffers": 1}})
    assert "buffers" in str(told.value)
