"""A card is pulled out in the middle of a file, and goes on where it stopped when it is docked again elsewhere."""

from pathlib import Path
from random import Random

from bwcdock.core.facts import Arrived, Departed, Drained, Pulled, Sealed
from bwcdock.manifest import Receipt, open_signed
from bwcdock.testing.station import StationBed

KIB = 1 << 10
BLOCK = 128 * KIB  # a chunk of the test's settings
EDGE = 64 * KIB  # what is compared when a pull resumes


async def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001", most=64 * KIB)
    card.record("a.mp4", Random(1).randbytes(200 * KIB))
    card.record("b.mp4", Random(2).randbytes(1000 * KIB + 77))
    card.yank("b.mp4", 700 * KIB)
    async with bed.at_work() as station:
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Departed))
        assert not bed.facts(Drained)
        brought = station.bench.spool.part_length(bed.record("b.mp4").id)
        assert 0 < brought <= 700 * KIB
        before = len(card.reads)
        card.plug("usb-7")
        await bed.until_settled(card)
        again = [read for read in card.reads[before:] if read.path == "b.mp4"]
    first, second = bed.facts(Arrived)
    assert (first.sighting.port, second.sighting.port) == ("usb-1", "usb-7")
    (pulled,) = [fact for fact in bed.facts(Pulled) if fact.record == bed.record("b.mp4").id]
    assert pulled.resumed_at == brought
    # What was there is compared by its last block only; nothing before that is read again.
    assert min(read.offset for read in again) == brought - EDGE
    record = bed.record("b.mp4")
    assert record.sessions == (first.session, second.session)
    for path in ("a.mp4", "b.mp4"):
        record = bed.record(path)
        assert bed.whole(record).read_bytes() == card.files[path].data
        assert bed.central(record.held[0].key).read_bytes() == card.files[path].data
    assert len(bed.facts(Sealed)) == 2
    bed.must_agree()


async def test_the_receipt_tells_of_both_dockings(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001", most=64 * KIB)
    card.record("b.mp4", Random(2).randbytes(600 * KIB))
    card.yank("b.mp4", 400 * KIB)
    async with bed.at_work() as station:
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Departed))
        card.plug("usb-7")
        await bed.until_settled(card)
        verifier = station.bench.signer.verifier
    newest, oldest = bed.sessions(card.serial)
    data = (bed.settings.paths.ledger / "receipts" / f"{newest.id}.json").read_bytes()
    told = open_signed(data, Receipt, verifier)
    assert told.sessions == (oldest.id, newest.id)
    assert [(line.path, line.sha256, line.state) for line in told.lines] == [("b.mp4", card.sha256("b.mp4"), "sealed")]
    assert bed.central(f"receipts/{newest.id}.json").read_bytes() == data
    assert not oldest.receipt
    bed.must_agree()


async def test_a_file_that_fits_in_less_than_a_block_begins_anew(tmp_path: Path) -> None:
    """Only whole blocks count as progress, so a yank in the first one resumes at nothing."""
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001", most=1000)
    card.record("b.mp4", b"x" * 3000 + b"y" * 900)
    card.yank("b.mp4", 3500)
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.facts(Departed))
        card.plug()
        await bed.until_settled(card)
    (pulled,) = bed.facts(Pulled)
    assert pulled.resumed_at == 0
    assert bed.whole(bed.record("b.mp4")).read_bytes() == card.files["b.mp4"].data
    bed.must_agree()


async def test_out_and_in_again_between_two_looks(tmp_path: Path) -> None:
    """Nobody saw the slot empty, and still it is another docking: something may have been recorded meanwhile."""
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", b"a" * 5000)
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until_settled(card)
        card.record("b.mp4", b"b" * 5000)
        card.plug("usb-1")
        await bed.until_settled(card)
    assert [fact.sighting.port for fact in bed.facts(Arrived)] == ["usb-1", "usb-1"]
    first, second = bed.facts(Arrived)
    assert bed.facts(Departed)[0].session == first.session
    assert [record.session for record in bed.records()] == [first.session, second.session]
    bed.must_agree()
