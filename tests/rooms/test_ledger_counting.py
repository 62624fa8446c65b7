"""What is counted every few seconds agrees with what the core says of each record, and touches indexes alone."""

import re
import tempfile
from collections import Counter
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from bwcdock.core.at_hand import KINDS, Now, is_workable
from bwcdock.core.facts import (
    SPOOL,
    Arrived,
    Checked,
    Condition,
    Confirmed,
    Departed,
    Drift,
    EraseIntended,
    Identified,
    Identity,
    Inventoried,
    Lost,
    Obliged,
    Quarantined,
    Released,
    ReleaseIntended,
    Sealed,
    Sighting,
)
from bwcdock.core.record import State
from bwcdock.core.rules import Standing
from bwcdock.core.statements import Excused
from bwcdock.core.view import judge
from bwcdock.ledger import Ledger, open_read_only
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_world import DIGESTS, T0, after, found, life, new_ledger, obliged, visit

DAY_S = 86400


@pytest.fixture
def ledger(tmp_path):
    with new_ledger(tmp_path / "ledger") as made:
        yield made


def brought(ledger: Ledger, record: str, *, due_s: float, sealed_s: float, recorder: str = "R1", far: int = 6) -> None:
    """A recording's life up to its ``far``-th fact: known at T0, due and sealed then, confirmed a second later."""
    for number, fact in enumerate(life(record, "s1", recorder)[:far]):
        late_s = sealed_s + number if isinstance(fact, Sealed | Confirmed) else 0
        ledger.append([obliged(record, after(due_s)) if isinstance(fact, Obliged) else fact], after(late_s))


def test_standing_is_what_the_core_judges(ledger):
    """Every way a recording can stand, at moments on both sides of each border."""
    names = (f"{number:032x}" for number in count())
    for due_s in (10, 100, 1000):
        for far in (2, 3, 4, 5):
            brought(ledger, next(names), due_s=due_s, sealed_s=1, far=far, recorder=f"R{far}")
    for due_s in (10, 100, 1000):  # time goes on, so these come last
        brought(ledger, next(names), due_s=due_s, sealed_s=500, recorder="late")
    for record in [r.id for r in ledger.records()][::2]:
        ledger.append([Excused(record=record, why="the station was off", explanation="e-1")], after(600))
    seen = set()
    for now_s in (0, 7, 8, 9, 10, 11, 74, 75, 76, 99, 100, 101, 499, 749, 750, 751, 999, 1000, 1001, 9999):
        now = after(now_s)
        expected = Counter()
        for record in ledger.records():
            stands = judge(record, now, 0.25)
            if stands is not None and stands.kind is not Standing.MET:
                article = f"{record.obligation.pack} {record.obligation.article}"
                expected[record.recorder, article, stands.kind] += 1
        told = {(s.recorder, s.article, s.kind): s.count for s in ledger.standing(now, 0.25)}
        assert told == expected, now_s
        seen |= {kind for *_, kind in told}
    assert seen == set(Standing) - {Standing.MET}


def test_the_earliest_deadline_is_that_of_the_most_urgent_that_is_not_met(ledger):
    assert ledger.earliest_due() is None
    brought(ledger, "a", due_s=300, sealed_s=1, far=2)
    brought(ledger, "b", due_s=200, sealed_s=1)
    assert ledger.earliest_due() == after(300)


def test_queues_hold_what_is_sealed_and_not_confirmed(ledger):
    assert (ledger.queues(), ledger.awaited()) == ({}, {})
    brought(ledger, "a", due_s=DAY_S, sealed_s=5, far=4)
    brought(ledger, "b", due_s=DAY_S, sealed_s=50, far=4)
    brought(ledger, "c", due_s=DAY_S, sealed_s=60, far=3)
    brought(ledger, "d", due_s=DAY_S, sealed_s=70, far=5)
    (sink,) = {name for record in ledger.records(state=State.SEALED) for name in record.owed_sinks}
    waiting = [record for record in ledger.records() if record.state is State.SEALED and record.owed_sinks]
    queue = ledger.queues()[sink]
    assert (queue.count, queue.bytes) == (len(waiting), sum(record.item.size for record in waiting)) == (2, 2000)
    assert queue.since == min(record.sealed_at for record in waiting)
    assert ledger.awaited() == {sink: 2}


def test_a_record_that_waits_for_two_sinks_is_counted_in_both(ledger):
    for record, at_s in (("b", 0), ("a", 10)):
        listed, _, pulled, sealed, confirmed, *_ = life(record)
        for fact in (listed, obliged(record, after(DAY_S), ("nas", "tape")), pulled, sealed):
            ledger.append([fact], after(at_s))
    assert {sink: queue.count for sink, queue in ledger.queues().items()} == {"nas": 2, "tape": 2}
    ledger.append([confirmed], after(11))  # in the first of them, and so it waits for other sinks than the one before
    queues = ledger.queues()
    assert {sink: (queue.count, queue.bytes) for sink, queue in queues.items()} == {"nas": (1, 1000), "tape": (2, 2000)}
    assert queues["tape"].since == after(0)


def test_records_are_counted_by_state_also_those_that_were_released(ledger):
    assert ledger.counts(T0).by_state == ()
    for number, far in enumerate((1, 2, 3, 4, 4, 6, 6, 6)):
        brought(ledger, f"{number}", due_s=DAY_S, sealed_s=number * 10, far=far)
    for number in ("5", "7"):
        told = {"record": number, "recorder": "R1", "place": SPOOL}
        ledger.append([ReleaseIntended(**told, ground="looked at"), Released(**told)], after(100))
    by_state = Counter(record.state.value for record in ledger.records())
    assert by_state == {"listed": 2, "pulled": 1, "sealed": 3, "released": 2}
    assert dict(ledger.counts(T0).by_state) == by_state
    ledger.rebuild()
    assert dict(ledger.counts(T0).by_state) == by_state


def test_findings_are_counted_by_code_and_severity(ledger):
    ledger.append([found(record="a"), found(record="b"), found("clock.wrong")], T0)
    assert ledger.told() == [("clock.drift", "warn", 2), ("clock.wrong", "warn", 1)]


def docked(ledger: Ledger, session: str, at_s: float, *, listed: bool = True, gone: bool = True, size: int = 0) -> None:
    drift = Drift(method="protocol", offset_ms=int(at_s), uncertainty_ms=5, read_at=after(at_s))
    facts = [
        Arrived(session=session, sighting=Sighting(port="usb-1", source="/dev/null", slot=3)),
        Identified(session=session, recorder="R1", driver="f", identity=Identity(serial="R1", basis="label")),
    ]
    if listed:
        condition = Condition(battery=int(at_s) % 100, storage_free=5, storage_total=9, drift=drift)
        facts.append(Checked(session=session, recorder="R1", condition=condition, findings=()))
        facts.append(
            Inventoried(session=session, recorder="R1", records=(), new=0, known=0, size=size, findings=())
        )  # fmt: skip
    if gone:
        facts.append(Departed(session=session, recorder="R1", reason="taken"))
    ledger.append(facts, after(at_s))


def test_a_recorder_is_told_as_its_newest_docking_found_it(ledger):
    assert (ledger.last_seen("R1"), ledger.last_listed("R1"), ledger.docked()) == (None, None, {})
    docked(ledger, "s1", 10)
    docked(ledger, "s2", 20, gone=False)
    seen = ledger.last_seen("R1")
    assert (seen.slot, seen.arrived_at, seen.is_docked) == (3, after(20), True)
    assert (seen.condition.battery, seen.condition.drift.offset_ms) == (20, 20)
    assert ledger.docked() == {"draining": 1}
    docked(ledger, "s3", 30, listed=False)
    seen = ledger.last_seen("R1")
    assert (seen.condition, seen.is_docked) == (None, False)
    assert ledger.last_listed("R1") == after(20)


def test_what_came_since_a_moment_is_found_by_its_first_leaf(ledger):
    for number in range(1, 20):
        docked(ledger, f"s{number}", number * 100, size=number)
    entries = list(ledger.entries())
    for at_s in (-1, 0, 1, 99, 100, 101, 1500, 1900, 1901):
        expected = next((entry.seq for entry in entries if entry.at >= after(at_s)), len(entries))
        assert ledger.first_at(after(at_s)) == expected, at_s
        assert ledger.inflow(after(at_s)) == sum(n for n in range(1, 20) if n * 100 >= at_s)
    assert ledger.kinds_since(len(entries)) == set()
    assert ledger.kinds_since(len(entries) - 1) == {"session.departed"}


def test_nothing_that_is_asked_every_few_seconds_reads_a_record_or_finding(ledger, tmp_path):
    """Else it would take a second in a ledger of 200,000 recordings."""
    asked = []
    with open_read_only(tmp_path / "ledger") as reader:
        reader._db.set_trace_callback(asked.append)
        reader.counts(T0)
        reader.standing(T0, 0.25)
        reader.earliest_due()
        reader.queues()
        reader.told()
        reader._db.set_trace_callback(None)
        assert len(asked) >= 8
        for statement in asked:
            for *_, step in reader._db.execute(f"EXPLAIN QUERY PLAN {statement}"):
                if re.search(r"\b(SCAN|SEARCH) (record|finding)\b", step) and "max(rowid)" not in statement:
                    assert "COVERING INDEX" in step, (statement, step)


def test_what_is_owed_of_a_docking_is_asked_of_its_own_records(ledger, tmp_path):
    """Each is found by its id: a station asks it of every docking that waits, whenever something became known."""
    asked = []
    with open_read_only(tmp_path / "ledger") as reader:
        reader._db.set_trace_callback(asked.append)
        reader.is_owed("s1")
        reader._db.set_trace_callback(None)
        (statement,) = asked
        steps = [step for *_, step in reader._db.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert [step for step in steps if "record" in step] == [
            "SEARCH record USING INDEX sqlite_autoindex_record_1 (id=?)"
        ]


@given(st.sets(st.sampled_from(["nas", "vault", "gone"])))
@settings(max_examples=8, deadline=None)
def test_what_can_be_worked_on_is_the_same_to_the_ledger_as_to_the_core(sinks):
    """One question, asked of rows here and of records there."""
    owed_twice = ("nas", "vault")
    ways = {
        "listed": [0, 1], "pulled": [0, 1, 2], "lawless": [0, 2, 3], "sealed": [0, 1, 2, 3], "stored": [0, 1, 2, 3, 4],
        "looked": [0, 1, 2, 3, 4, 5],
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as home, new_ledger(Path(home) / "station") as ledger:
        for name, kept in ways.items():
            for many in ((), owed_twice):
                facts = life(f"{name}{len(many)}")
                if many:
                    facts[1] = obliged(f"{name}{len(many)}", after(86400), sinks=many)
                ledger.append([facts[at] for at in kept], after(1))
        ledger.append([*life("gone"), ReleaseIntended(record="gone", place=SPOOL, ground="stored")], after(2))
        *kept, confirmed, looked = life("half")
        ledger.append([*kept, confirmed, replace(confirmed, sink="vault"), looked], after(2))
        interrupted = {
            "erasing": EraseIntended(record="erasing", ground="stored", size=1000, digests=DIGESTS),
            "dropping": ReleaseIntended(record="dropping", place=SPOOL, ground="stored"),
        }
        for name, intent in interrupted.items():  # and what another sink is owed by then is no matter
            ledger.append([*life(name)[:5], intent, obliged(name, after(86400), sinks=owed_twice)], after(3))
        now = Now(at=after(9), sinks=sinks)
        for kind in KINDS:
            told = {r.id for r in ledger.waiting(kind, sinks=sinks)}
            assert told == {r.id for r in ledger.records() if r.waits_for == kind and is_workable(r, now)}, kind


def test_whether_anything_of_a_docking_is_owed(ledger):
    """By the columns of the records, which must say what each record says of itself; one record a docking."""
    ways = {
        "listed": [0], "pulled": [0, 1, 2], "sealed": [0, 1, 2, 3], "stored": [0, 1, 2, 3, 4], "lawless": [0, 2, 3],
    }  # fmt: skip
    for name, kept in ways.items():
        facts = life(name, session=name)
        ledger.append([*_inventoried(name), *(facts[at] for at in kept)], after(1))
    ledger.append([*_inventoried("sinkless"), *life("sinkless", "sinkless")[:5]], after(2))
    ledger.append([obliged("sinkless", after(86400), sinks=())], after(3))
    lost = Lost(record="lost", session="lost", recorder="R1", reason="gone")
    apart = Quarantined(record="apart", session="apart", recorder="R1", reason="torn", what="It is torn.", hint="Look.")
    for fact in (lost, apart):
        ledger.append([*_inventoried(fact.session), life(fact.record, fact.session)[0], fact], after(4))
    assert {s.id for s in ledger.sessions()} == {*ways, "sinkless", "lost", "apart"}
    owed = {s.id for s in ledger.sessions() if ledger.is_owed(s.id)}
    assert owed == {r.id for r in ledger.records() if not r.finished} - {"lost", "apart"}
    assert owed == {"listed", "pulled", "sealed", "lawless", "sinkless"}
    assert not ledger.is_owed("nobody")


def _inventoried(name):
    session = {"session": name, "recorder": "R1"}
    listing = Inventoried(**session, records=(name,), new=1, known=0, size=1000, findings=())
    return [*visit(name), Checked(**session, condition=Condition(), findings=()), listing]
