"""What was pulled before a yank is no longer what the recorder holds: it is dropped, and the file pulled anew."""

from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import Departed, Distrusted, Pulled
from bwcdock.testing.recorder import FakeRecorder
from bwcdock.testing.station import StationBed

KIB = 1 << 10


def yanked(bed: StationBed) -> FakeRecorder:
    card = bed.recorder("F1-0001", most=64 * KIB)
    card.record("a.mp4", Random(1).randbytes(900 * KIB))
    card.yank("a.mp4", 700 * KIB)
    return card


async def test_it_is_dropped_and_pulled_anew(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = yanked(bed)
    async with bed.at_work() as station:
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Departed))
        brought = station.bench.spool.part_length(bed.record("a.mp4").id)
        card.rot("a.mp4", brought - 1)
        card.plug("usb-2")
        await bed.until_settled(card)
    (distrusted,) = bed.facts(Distrusted)
    assert (distrusted.op, distrusted.what) == ("resume", "What was pulled before is not what the recorder holds now.")
    (pulled,) = bed.facts(Pulled)
    assert (pulled.resumed_at, pulled.digests.sha256) == (0, card.sha256("a.mp4"))
    assert bed.central(bed.record("a.mp4").held[0].key).read_bytes() == card.files["a.mp4"].data
    bed.must_agree()


@pytest.mark.parametrize("at", [0, 300 * KIB])
async def test_a_second_reading_finds_what_the_last_block_does_not_show(tmp_path: Path, at: int) -> None:
    bed = StationBed(tmp_path, {"pull": {"second_read": True}})
    card = yanked(bed)
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Departed))
        card.rot("a.mp4", at)
        card.plug("usb-2")
        await bed.until_settled(card)
    assert [f.op for f in bed.facts(Distrusted)] == ["read again"]
    assert bed.whole(bed.record("a.mp4")).read_bytes() == card.files["a.mp4"].data
    bed.must_agree()


async def test_a_rotten_partial_file_is_found(tmp_path: Path) -> None:
    """It is the station's own disk that rots, in the last block; the recorder is right."""
    bed = StationBed(tmp_path)
    card = yanked(bed)
    async with bed.at_work() as station:
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Departed))
        part = bed.settings.paths.spool / "part" / f"{bed.record('a.mp4').id}.part"
        data = bytearray(part.read_bytes())
        data[len(data) // 4096 * 4096 - 10] ^= 8
        part.write_bytes(data)
        card.plug("usb-2")
        await bed.until_settled(card)
        assert station.partial == {}
    assert [f.op for f in bed.facts(Distrusted)] == ["resume"]
    assert bed.whole(bed.record("a.mp4")).read_bytes() == card.files["a.mp4"].data
    bed.must_agree()
