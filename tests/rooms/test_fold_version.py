"""A program whose fold is another one makes the cache tables anew at its start, by itself, all or nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from bwcdock.core.record import Illegal, State
from bwcdock.errors import LedgerBroken
from bwcdock.ledger import cache, schema
from bwcdock.testing.station import StationBed
from structlog.testing import capture_logs

DAMAGE = """UPDATE record SET state = 'lost', doc = replace(doc, '"state":"sealed"', '"state":"lost"')"""


async def worked(directory: Path) -> StationBed:
    """A station that has brought two recordings in."""
    bed = StationBed(directory)
    card = bed.recorder("F1-0001")
    for name in ("a", "b"):
        card.record(f"{name}.mp4", Random(name).randbytes(5000))
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
    return bed


def change(bed: StationBed, *statements: str) -> None:
    path = bed.settings.paths.ledger / schema.LEDGER_FILE
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)


def refolded(bed: StationBed) -> list[dict[str, object]]:
    """Start the station, and end it again: what it logged about folding."""
    with capture_logs() as told, bed.bench():
        pass
    return [dict(line) for line in told if line["event"] == "ledger.folds_again"]


@pytest.mark.parametrize(
    ("age", "was"),
    [
        ("UPDATE fold SET version = version - 1", schema.FOLD_VERSION - 1),
        ("UPDATE fold SET version = version + 1", schema.FOLD_VERSION + 1),  # an older program was put back
        ("DROP TABLE fold", 0),  # of a program that did not write it down yet
        ("DELETE FROM fold", 0),
        ("INSERT INTO fold VALUES (99)", 0),
    ],
)
async def test_a_start_after_a_change_of_the_fold_makes_the_cache_right(tmp_path: Path, age: str, was: int) -> None:
    bed = await worked(tmp_path)
    change(bed, age, DAMAGE, "DELETE FROM session", "DROP INDEX record_waits")
    assert [record.state for record in bed.records()] == [State.LOST] * 2
    assert "db.schema" in {told.code for told in bed.audit().disagreements}
    (told,) = refolded(bed)
    assert (told["was"], told["now"]) == (was, schema.FOLD_VERSION)
    assert [record.state for record in bed.records()] == [State.SEALED] * 2
    assert bed.sessions()[0].receipt
    assert refolded(bed) == []  # once
    bed.must_agree()


async def test_a_cache_of_this_version_is_believed_and_an_audit_tells_what_is_wrong(tmp_path: Path) -> None:
    """Folding costs minutes for a long ledger, so only a reason for it does it."""
    bed = await worked(tmp_path)
    change(bed, DAMAGE)
    assert refolded(bed) == []
    assert {told.code for told in bed.audit().disagreements} >= {"cache.differs"}


async def test_dying_in_the_middle_leaves_the_old_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed = await worked(tmp_path)
    change(bed, "UPDATE fold SET version = 0", DAMAGE)
    real = cache.fold

    def breaks(db: sqlite3.Connection, entries: object) -> None:
        real(db, entries)  # type: ignore[arg-type]
        raise Illegal("a fact of a newer program")

    monkeypatch.setattr(cache, "fold", breaks)
    with pytest.raises(LedgerBroken, match="impossible story"):
        refolded(bed)
    assert [record.state for record in bed.records()] == [State.LOST] * 2
    monkeypatch.undo()
    assert len(refolded(bed)) == 1
    bed.must_agree()


async def test_leaves_that_were_laid_bare_stop_the_start_all_the_same(tmp_path: Path) -> None:
    bed = await worked(tmp_path)
    change(bed, "UPDATE fold SET version = 0", "DROP TRIGGER leaf_stays")
    with pytest.raises(LedgerBroken, match="trigger leaf_stays is not as it was made"):
        refolded(bed)
