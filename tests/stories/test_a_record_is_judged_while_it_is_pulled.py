"""A record is given up while its bytes are still on their way: the ledger has the last word, and no byte is touched."""

from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import Departed, Digests, Fact, Found, Lost, Pulled, Quarantined
from bwcdock.core.plan import Act, Action
from bwcdock.core.record import State
from bwcdock.errors import Unreadable
from bwcdock.steps.perform import perform
from bwcdock.testing.station import StationBed

DATA = Random(1).randbytes(200_000)


@pytest.mark.parametrize("ends", ["well", "badly"])
async def test_what_comes_too_late_changes_nothing(tmp_path: Path, ends: str) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001", most=4096)
    card.record("a.mp4", DATA)
    card.yank("a.mp4", 150_000)
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.facts(Departed))
    record = bed.record("a.mp4")
    part = bed.settings.paths.spool / "part" / f"{record.id}.part"
    brought = part.read_bytes()
    assert brought

    def attempt() -> tuple[Fact, ...]:
        if ends == "badly":
            raise Unreadable("read", "It cannot be read.", "Look at the card.")
        digests = Digests(sha256="0" * 64, blake3="0" * 64)
        return (Pulled(record=record.id, recorder=record.recorder, size=1, digests=digests, edges=""),)

    with bed.bench() as bench:
        bench.book.record([Lost(record=record.id, recorder=record.recorder, reason="no longer on the recorder")])
        outcome = perform(bench, Action(Act.PULL, record.id, "s"), record, attempt)
    assert outcome.rest_s > 0
    assert not outcome.bug
    assert bed.record("a.mp4").state is State.LOST
    assert part.read_bytes() == brought
    assert not bed.facts(Pulled)
    assert not bed.facts(Quarantined)


async def test_a_contradiction_that_nothing_explains_is_told_as_a_bug(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001", most=4096)
    card.record("a.mp4", DATA)
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
    record = bed.record("a.mp4")
    fact = Lost(record=record.id, recorder=record.recorder, reason="a mistake")
    with bed.bench() as bench:
        outcome = perform(bench, Action(Act.PUSH, record.id, "central"), record, lambda: (fact,))
    assert outcome.bug
    assert "program.bug" in {found.finding.code for found in bed.facts(Found, record=record.id)}
    assert bed.record("a.mp4") == record
