"""Pages of the ledger's lists: each goes on where the one before ended, and is read by an index."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bwcdock.core.desk.attribution import Own
from bwcdock.core.desk.holds import Hold
from bwcdock.core.facts import Actor, Beat, Entry, Fact, Founded, Obligation, Obliged
from bwcdock.core.statements import HoldLifted, HoldPlaced, Label, Tagged
from bwcdock.ledger import Ledger, Reader, Signer, schema
from ledger_world import ORIGIN, T0, after, life, listed, obliged

CUSTODIAN = Actor(name="001", role="administrator")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    signer = Signer.generate(tmp_path / "key", ORIGIN)
    (tmp_path / "ledger").mkdir()
    with Ledger.create(tmp_path / "ledger", pack="test", signer=signer, now=T0) as made:
        yield made


def told(ledger: Ledger, at: float, *facts: Fact, by: Actor = CUSTODIAN) -> None:
    ledger.append(list(facts), now=after(at), actor=by)


def labelled(record: str, **label: object) -> Tagged:
    return Tagged(record=record, recorder="R1", label=Label(**label))  # type: ignore[arg-type]


def test_matters_are_given_newest_first_page_by_page(ledger: Ledger) -> None:
    for n in range(1, 13):
        told(ledger, n // 2, HoldPlaced(matter=f"hold-{n}", reason="案件", place="某路"))
    told(ledger, 20, HoldLifted(matter="hold-9", reason="已结案"))
    first = ledger.newest(Hold, limit=5)
    rest = ledger.newest(Hold, after=first[-1].id)
    assert len({hold.id for hold in (*first, *rest)}) == 12
    assert [hold.since for hold in (*first, *rest)] == sorted((h.since for h in (*first, *rest)), reverse=True)
    assert [hold.id for hold in ledger.newest(Hold, state="lifted")] == ["hold-9"]
    assert ledger.states(Hold) == {"placed": 11, "lifted": 1}
    assert ledger.newest(Hold, after="hold-0") == []


def test_footage_bound_to_no_case_is_what_nobody_bound_or_set_aside(ledger: Ledger) -> None:
    for n, name in enumerate("abcdef"):
        told(ledger, n, listed(name, recorder="R2" if name == "e" else "R1"))
    told(ledger, 10, labelled("a", case="1"), labelled("b", unrelated=True), labelled("c", place="某路"))
    told(ledger, 11, labelled("d", tags=frozenset({"guidance-only"})), labelled("e", tags=frozenset({"guidance"})))
    assert [record.id for record in ledger.loose()] == ["f", "e", "c"]
    assert [record.id for record in ledger.loose(limit=1)] == ["f"]
    assert [record.id for record in ledger.loose(after="f")] == ["e", "c"]
    assert [record.id for record in ledger.loose(own=held("R2"))] == ["e"]
    assert ledger.how_many_loose() == 3
    assert [record.id for record in ledger.of_case("1")] == ["a"]


def test_footage_is_somebodys_own_by_its_recorder_or_by_the_recorders_word(ledger: Ledger) -> None:
    of_nobody, named = listed("a", recorder="R1"), listed("b", recorder="R1")
    told(ledger, 1, of_nobody, replace(named, item=replace(named.item, officer="000002")), listed("c", recorder="R2"))
    both = held("R2", number="000002")
    assert [record.id for record in ledger.loose(own=both)] == ["c", "b"]
    assert [record.id for record in ledger.loose(own=held(number="000002"))] == ["b"]
    assert [record.id for record in ledger.loose(own=both, after="c")] == ["b"]
    assert [record.id for record in ledger.loose(own=both, limit=1)] == ["c"]
    assert [record.id for record in ledger.recorded(own=both, limit=9)] == ["c", "b"]


def test_recordings_are_found_by_what_a_hold_names(ledger: Ledger) -> None:
    known, later, unknown = listed("a"), listed("b", recorder="R2"), listed("c")
    later = replace(later, corrected=replace(later.corrected, start=after(7200)))
    unknown = replace(unknown, corrected=replace(unknown.corrected, start=None))
    told(ledger, 1, known, later, unknown)
    told(ledger, 2, labelled("a", place="五一中路"))

    def found(**named: object) -> set[str]:
        return {record.id for record in ledger.recorded(limit=9, **named)}  # type: ignore[arg-type]

    assert found() == {"a", "b", "c"}
    assert found(recorder="R2") == {"b"}
    assert found(place="五一") == {"a"}
    assert found(since=after(3600)) == {"b", "c"}
    assert found(until=after(3600)) == {"a", "c"}


def held(recorder: str = "", *, number: str = "") -> Own:
    return Own(numbers=(number,) if number else (), spans=((recorder, T0, None),) if recorder else ())


def test_what_has_come_to_its_end_is_given_longest_ago_first(ledger: Ledger) -> None:
    for n, name in enumerate("abcd"):
        told(ledger, n, listed(name), kept(name, T0 + timedelta(days=180 - n)))
    told(ledger, 9, listed("e"), kept("e", None))
    now = T0 + timedelta(days=179)
    assert [record.id for record in ledger.ended(now)] == ["d", "c", "b"]
    assert [record.id for record in ledger.ended(now, limit=2)] == ["d", "c"]
    assert [record.id for record in ledger.ended(now, after="c")] == ["b"]
    assert ledger.how_many_ended(now) == 3


def kept(record: str, until: object) -> Obliged:
    obligation: Obligation = obliged(record, after(86400)).obligation
    return Obliged(record=record, obligation=replace(obligation, keep_until=until, permanent=until is None))


def test_entries_are_found_by_what_they_are_about_and_who_is_behind_them(ledger: Ledger) -> None:
    other = Actor(name="002", role="officer")
    told(ledger, 1, *life("a"))
    told(ledger, 2, labelled("a", place="某路"), by=other)
    told(ledger, 3, HoldPlaced(matter="hold-1", reason="案件", place="某路"), Beat(clock="fine"))
    told(ledger, 4, labelled("a", place="另一路"))

    def asked(**named: object) -> list[tuple[str, str]]:
        entries: list[Entry] = ledger.entries_back(limit=50, **named)  # type: ignore[arg-type]
        assert [entry.seq for entry in entries] == sorted((entry.seq for entry in entries), reverse=True)
        return [(entry.fact.ev, entry.actor.name) for entry in entries]

    assert asked(person="002") == [("record.tagged", "002")]
    assert asked(person="001") == [("record.tagged", "001"), ("hold.placed", "001")]
    assert asked(person="001", record="a") == [("record.tagged", "001")]
    assert asked(ev="record.tagged") == [("record.tagged", "001"), ("record.tagged", "002")]
    assert asked(ev="record.tagged", person="002") == [("record.tagged", "002")]
    assert asked(record="a", ev="record.sealed") == [("record.sealed", "001")]
    assert asked()[-1] == (Founded.ev, "station")
    assert [e.seq for e in ledger.entries_back(limit=2, below=4)] == [3, 2]


@pytest.mark.parametrize(
    ("index", "ask"),
    [
        ("shelf_loose", lambda ledger: ledger.loose(limit=5, after="a")),
        ("shelf_loose", lambda ledger: ledger.how_many_loose()),
        ("record_officer", lambda ledger: ledger.loose(limit=5, own=held("R1", number="1"))),
        ("record_when", lambda ledger: ledger.loose(limit=5, own=held("R1", number="1"))),
        ("shelf_kept", lambda ledger: ledger.ended(T0, limit=5, after="a")),
        ("shelf_kept", lambda ledger: ledger.how_many_ended(T0)),
        ("record_case", lambda ledger: ledger.of_case("1")),
        ("leaf_ev", lambda ledger: ledger.entries_back(limit=5, person="001")),
        ("leaf_record", lambda ledger: ledger.entries_back(limit=5, person="001", record="a")),
    ],
)
def test_each_is_read_by_its_index(tmp_path: Path, ledger: Ledger, index: str, ask: object) -> None:
    told(ledger, 1, listed("a"), HoldPlaced(matter="a", reason="案件", place="某路"))
    plans: list[str] = []
    with sqlite3.connect(tmp_path / "ledger" / schema.LEDGER_FILE) as db:

        class Planned(Reader):
            def _rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
                given = values[0] if values and isinstance(values[0], dict) else values
                plans.extend(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", given))
                return super()._rows(sql, *values)

        with Planned(*schema.open_both(tmp_path / "ledger", schema.connect_read_only)) as reader:
            plans.clear()
            ask(reader)  # type: ignore[operator]
    db.close()
    assert any(f"INDEX {index}" in line for line in plans), plans
    assert not any(line.startswith("SCAN") and "INDEX" not in line and "(subquery" not in line for line in plans), plans
