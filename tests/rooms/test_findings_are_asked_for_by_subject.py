"""Findings are asked for by subject and limit; the book reads only those that a fact is about."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bwcdock.clock import WallClock
from bwcdock.core.facts import Finding, Found, Settled, Severity
from bwcdock.ledger import Ledger
from bwcdock.steps.bench import Bench
from bwcdock.testing.station import StationBed


def about(record: str, code: str = "a.b", what: str = "It is so.") -> Found:
    return Found(record=record, finding=Finding(severity=Severity.WARN, code=code, what=what, remedy="Look."))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with StationBed(tmp_path, clock=WallClock()).bench() as bench:
        yield bench


def test_by_subject_and_the_newest(bench: Bench) -> None:
    bench.book.record([about(f"r{n}") for n in range(5)] + [about("r1", "c.d"), Found(finding=about("").finding)])

    def asked(**named: object) -> list[tuple[str, str, str]]:
        told = bench.book.ask(lambda ledger: ledger.findings(**named))  # type: ignore[arg-type]
        return [(o.subject_kind, o.subject, o.finding.code) for o in told]

    assert asked(kind="record", subject="r1") == [("record", "r1", "a.b"), ("record", "r1", "c.d")]
    assert asked(kind="station") == [("station", "", "a.b")]
    assert asked(limit=2) == [("record", "r1", "c.d"), ("station", "", "a.b")]
    assert len(asked()) == 7
    assert bench.book.ask(lambda ledger: ledger.finding("record", "r9", "a.b")) is None


def test_told_once_until_its_words_change_or_it_is_settled(bench: Bench) -> None:
    assert len(bench.book.record([about("r1"), about("r1")])) == 1
    assert bench.book.record([about("r1")]) == ()
    assert len(bench.book.record([about("r1", what="It is otherwise.")])) == 1
    settled = Settled(record="r1", code="a.b", how="well")
    assert bench.book.record([Settled(record="r2", code="a.b", how="well")]) == ()
    assert len(bench.book.record([settled, settled, about("r1"), settled])) == 3
    assert bench.book.record([settled]) == ()


def test_no_fact_reads_all_findings(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.book.record([about(f"r{n}") for n in range(50)])

    def never(*_: object, **__: object) -> list[object]:
        raise AssertionError("all findings were read")

    monkeypatch.setattr(Ledger, "findings", never)
    assert len(bench.book.record([about("r1", "c.d"), Settled(record="r2", code="a.b", how="well")])) == 2
