"""A recorder comes back with other content under the names it had before; both are kept, and a person is told."""

from pathlib import Path
from random import Random

from bwcdock.core.facts import Inventoried, Listed, Seen
from bwcdock.testing.recorder import WALL, FakeRecorder
from bwcdock.testing.station import StationBed

ONE, OTHER = Random(1).randbytes(300_000), Random(2).randbytes(300_000)


def exchange(bed: StationBed, card: FakeRecorder) -> FakeRecorder:
    """Another recorder that calls itself by the same serial."""
    card.unplug()
    return bed.recorder(card.serial)


async def test_another_size_under_the_same_name(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    first = bed.recorder("F1-0001")
    first.record("a.mp4", ONE)
    async with bed.at_work():
        first.plug("usb-1")
        await bed.until_settled(first)
        second = exchange(bed, first)
        second.record("a.mp4", OTHER[:200_000])
        second.plug("usb-2")
        await bed.until(lambda: len(bed.sessions("F1-0001")) == 2 and bed.sessions("F1-0001")[0].receipt)
    told = [f for f in bed.sessions("F1-0001")[0].findings if f.code == "content.changed"]
    (what,) = [f.what for f in told]
    assert what == "A file seen before has another size or time now: it was changed on the recorder."
    assert ("path", "a.mp4") in told[0].evidence
    assert ("size", "300000 → 200000") in told[0].evidence
    kept = [bed.central(r.held[0].key).read_bytes() for r in bed.records()]
    assert kept == [ONE, OTHER[:200_000]]
    bed.must_agree()


async def test_other_bytes_under_the_same_name_size_and_time(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", ONE, start=WALL)
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until_settled(card)
        card = exchange(bed, card)
        card.record("a.mp4", OTHER, start=WALL)
        card.plug("usb-2")
        await bed.until(lambda: len(bed.records()) == 2 and bed.sessions()[0].receipt)
        # The same card a third time: both are known, nothing is pulled.
        reads = len(card.reads)
        card.plug("usb-2")  # out, and into the same slot again
        await bed.until(lambda: len(bed.facts(Inventoried)) == 3)
    first, second = bed.records()
    assert (first.item.path, first.item.size) == (second.item.path, second.item.size)
    assert [bed.central(r.held[0].key).read_bytes() for r in (first, second)] == [ONE, OTHER]
    told = [f for f in bed.sessions()[1].findings if f.code == "content.changed"]
    assert [f.what for f in told] == ["a.mp4 was sealed before and now holds other bytes under the same name and time."]
    assert dict(told[0].evidence)["record"] == first.id
    assert len(bed.facts(Listed)) == 2
    last = bed.facts(Inventoried)[-1]
    assert (last.new, last.known, last.records) == (0, 1, ())
    assert sum(read.length for read in card.reads[reads:]) <= 33 * 4096  # its edges twice 64 KiB, not the file
    assert not bed.facts(Seen)
    bed.must_agree()


async def test_the_same_content_is_not_brought_twice(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", ONE)
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until_settled(card)
        card.plug("usb-2")
        await bed.until(lambda: len(bed.sessions()) == 2 and bed.sessions()[0].receipt)
    assert len(bed.records()) == 1
    assert [len(s.records) for s in bed.sessions()] == [0, 1]
    assert not [f for s in bed.sessions() for f in s.findings if f.code == "content.changed"]
    bed.must_agree()
