"""What an interrupted pull brought is room it needs no more; comparing many sealed files is slow, and not hung."""

from pathlib import Path
from random import Random

from bwcdock.core.facts import Departed, Faulted, Listed, Lost, Pulled
from bwcdock.core.record import State
from bwcdock.testing.station import StationBed
from bwcdock.testing.troubled import SmallSpool
from odd_recorders import odd

PAGE = 4096


async def test_a_yanked_pull_goes_on_where_the_rest_of_it_fits(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, spool=lambda root: SmallSpool(root, 110 * PAGE))
    card = bed.recorder("F1-0001", most=4 * PAGE)
    card.record("a.mp4", Random(1).randbytes(100 * PAGE))
    card.yank("a.mp4", 80 * PAGE)
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Departed))
        card.plug("usb-2")
        await bed.until_settled(card)
        assert not bed.findings("spool.full")
    (pulled,) = bed.facts(Pulled)
    assert pulled.resumed_at > 0
    bed.must_agree()


async def test_a_station_that_died_in_a_pull_goes_on_too(tmp_path: Path) -> None:
    """Killed, it gave no room back: the part holds all that it will ever need."""
    bed = StationBed(tmp_path, spool=lambda root: SmallSpool(root, 110 * PAGE))
    card = bed.recorder("F1-0001", most=4 * PAGE)
    card.record("a.mp4", Random(1).randbytes(100 * PAGE))
    card.yank("a.mp4", 80 * PAGE)
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Departed))
    with bed.bench() as bench:
        part = bench.spool.open_part(bed.record("a.mp4").id)
        bench.spool._system.reserve(part.fileno(), 100 * PAGE)  # behind its back: it is not given back at the close
        part.close()
        assert bench.spool.room().free == 10 * PAGE
    async with bed.at_work():
        card.plug("usb-2")
        await bed.until_settled(card)
    bed.must_agree()


async def test_a_spool_that_does_not_answer_ends_nothing(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(PAGE))
    parts = bed.settings.paths.spool / "part"
    async with bed.at_work() as station:
        await bed.until(lambda: station.turns)
        parts.rename(parts.with_name("away"))
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Listed))
        turns = station.turns
        await bed.until(lambda: station.turns > turns + 3)
        assert not bed.facts(Pulled)
        parts.with_name("away").rename(parts)
        await bed.until_settled(card)
    bed.must_agree()


async def test_a_lost_record_is_planned_no_more(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001", most=PAGE)
    card.record("a.mp4", Random(1).randbytes(50 * PAGE))
    card.record("b.mp4", Random(2).randbytes(50 * PAGE))
    card.yank("a.mp4", 20 * PAGE)
    async with bed.at_work() as station:
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Departed))
        gone = bed.record("b.mp4").id
        card.delete("b.mp4")
        card.plug("usb-2")
        await bed.until_settled(card)
        assert bed.facts(Lost)
        assert station.records[gone].state is State.LOST
    bed.must_agree()


async def test_a_card_full_of_sealed_files_is_no_hung_one(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, {"pull": {"list_timeout_s": 1.5}})
    driver = odd(bed)
    card = bed.recorder("F1-0001")
    for n in range(20):
        card.record(f"{n}.mp4", Random(n).randbytes(PAGE))
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until_settled(card)
        driver.read_s = 0.15
        card.record("new.mp4", Random("new").randbytes(PAGE))
        card.plug("usb-2")
        await bed.until_settled(card)
    assert not bed.facts(Faulted)
    assert len(bed.records()) == 21
    bed.must_agree()
