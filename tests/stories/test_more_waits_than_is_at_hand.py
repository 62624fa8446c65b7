"""Central storage is away for long: memory holds a few of what waits, the ledger all, and nothing is forgotten."""

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from bwcdock import at_hand, config
from bwcdock.core.facts import Confirmed, Drained, LookedAgain, Released
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed
from bwcdock.testing.troubled import TroubledSink

MOST = 3
FILES = 12


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_hand, "TURN_S", 0.05)
    monkeypatch.setattr(at_hand, "DUE_EVERY_S", 0.2)


def made(bed: StationBed, *serials: str) -> list:
    cards = [bed.recorder(serial) for serial in serials]
    for at, card in enumerate(cards):
        for n in range(FILES):
            card.record(f"{n}.mp4", Random(f"{at} {n}").randbytes(2000))
    return cards


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of all records that were fetched from the ledger, one after the other."""
    ids: list[str] = []
    due = at_hand.housekeeping.due

    def told(*words: object) -> tuple:
        found = due(*words)
        ids.extend(record.id for record in found)
        return found

    monkeypatch.setattr(at_hand.housekeeping, "due", told)
    return ids


async def emptied(bed: StationBed, card) -> None:
    """Docked, brought and taken away."""
    drained = len(bed.facts(Drained))
    card.plug()
    await bed.until(lambda: len(bed.facts(Drained)) > drained)
    card.unplug()


async def test_a_backlog_is_left_to_the_ledger_and_worked_off(tmp_path: Path, fetched: list[str]) -> None:
    central = TroubledSink(MemorySink("central"))
    waits = {"spool": {"second_look_after_s": 0.1, "keep_after_confirm_s": 0.1}, "limits": {"open_records": MOST}}
    bed = StationBed(tmp_path, waits, sinks={"central": central})
    cards = made(bed, "F1-0001", "F1-0002", "F1-0003")
    central.down = True
    async with bed.at_work() as station:
        for card in cards:
            await emptied(bed, card)
        await bed.until(lambda: len(station.records) <= MOST)
        (queue,) = station.live().sinks
        assert queue.waiting == 3 * FILES
        assert not bed.facts(Confirmed)
        assert not [session for session in bed.sessions() if session.receipt]
    async with bed.at_work() as station:  # the start fetches as few, and tells of all
        await bed.until(lambda: 0 < len(station.records) <= MOST)
        (queue,) = station.live().sinks
        assert queue.waiting == 3 * FILES
        central.down = False
        await bed.until(lambda: len(bed.facts(Confirmed)) == 3 * FILES)
        await bed.until_settled(*cards)
        (queue,) = station.live().sinks
        assert queue.waiting == 0
        await bed.until(lambda: len(bed.facts(LookedAgain)) == 3 * FILES)
        await bed.until(lambda: len(bed.facts(Released)) == 3 * FILES)
        await bed.until(lambda: not station.records)
    assert len(fetched) <= 3 * 3 * FILES  # each once to be pushed, looked at and released: it costs to read them
    bed.must_agree()


async def test_one_storage_that_is_away_keeps_nothing_from_the_other(tmp_path: Path, monkeypatch) -> None:
    """Also what came while both were away, and is not at hand when one of them is back: it is fetched in a turn."""
    monkeypatch.setattr(at_hand, "DUE_EVERY_S", 600.0)
    away, back = TroubledSink(MemorySink("central")), TroubledSink(MemorySink("vault"))
    bed = StationBed(tmp_path, {"limits": {"open_records": MOST}}, sinks={"central": away, "vault": back})
    path = tmp_path / "station" / "bwcdock.toml"
    path.write_text(path.read_text() + '\n[[sink]]\nname = "vault"\npath = "vault"\n')
    bed.settings = config.load(path)
    first, second = made(bed, "F1-0001", "F1-0002")
    away.down = back.down = True
    async with bed.at_work() as station:
        await emptied(bed, first)
        await bed.until(lambda: len(station.records) <= MOST)
        back.down = False
        await bed.until(lambda: len(bed.facts(Confirmed)) == FILES)
        await emptied(bed, second)
        await bed.until(lambda: len(bed.facts(Confirmed)) == 2 * FILES)
        assert {fact.sink for fact in bed.facts(Confirmed)} == {"vault"}
        await bed.until(lambda: len(station.records) <= MOST)
        away.down = False
        await bed.until_settled(first, second)
    bed.must_agree()


async def test_what_is_in_a_slot_stays_at_hand(tmp_path: Path) -> None:
    """It is shown and receipted."""
    central = TroubledSink(MemorySink("central"))
    bed = StationBed(tmp_path, {"limits": {"open_records": 1}}, sinks={"central": central})
    (card,) = made(bed, "F1-0001")
    central.down = True
    async with bed.at_work() as station:
        card.plug()
        await bed.until(lambda: bed.facts(Drained))
        until = bed.clock.now() + timedelta(seconds=0.3)
        await bed.until(lambda: bed.clock.now() > until)
        assert len(station.records) == FILES
        card.unplug()
        await bed.until(lambda: len(station.records) == 1)
        central.down = False
        await bed.until_settled(card)
    bed.must_agree()
