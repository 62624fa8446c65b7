"""What recordings are looked for by agrees with what the core says of each, page by page, and an index answers it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from bwcdock.core.desk import attribution
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.people import Person
from bwcdock.core.record import Record, State
from bwcdock.core.rules import Standing
from bwcdock.core.statements import (
    ActivityEnded,
    CaseOpened,
    DeviceIssued,
    DeviceRegistered,
    DeviceReturned,
    Excused,
    ExtensionGranted,
    Label,
    PersonEntered,
    Tagged,
    TripBegun,
    TripEnded,
)
from bwcdock.core.view import judge
from bwcdock.desk.register import Kept, read
from bwcdock.errors import Misused
from bwcdock.ledger import Ledger, Sought
from ledger_world import T0, after, life, listed, new_ledger, obliged

NOW = after(48 * 3600)
LABELS = (
    Label(),
    Label(case="A-1", parties=("张三", "Li Si"), place="五一路 12 号", event="占道经营", tags=frozenset({"dispute"})),
    Label(case="A-2", place="东街口", event="dispute", sensitive="privacy", note="100%_sure"),
    Label(parties=("三张",), tags=frozenset({"dispute-2"}), category="Z"),
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Recordings of three recorders over four days, with people who held them, said what they are, and came late."""
    with new_ledger(tmp_path_factory.mktemp("searching") / "ledger") as made:
        made.append(
            [
                PersonEntered(matter="002", name="李警官", user_numbers=("000002",)),
                PersonEntered(matter="003", name="赵警官", user_numbers=("000003", "77")),
                PersonEntered(matter="004", name="钱警官", user_numbers=("77",)),
                *(DeviceRegistered(matter=each, recorder=each) for each in ("R1", "R2")),
                CaseOpened(matter="A-2", parties=("王五",)),
            ],
            after(0),
        )
        for number in range(48):
            _brought(made, number)
        yield made


def _brought(ledger: Ledger, number: int) -> None:
    """One recording, told of an hour after it was made; every fourth hour the recorder R1 changes hands."""
    rid, hour = f"{number:032x}", number * 3600
    recorder = f"R{number % 3 + 1}"
    facts = life(rid, "s1", recorder)
    made = listed(rid, "s1", recorder, path=f"DCIM/{'Clip' if number % 2 else 'CLOCK'}{number}.MP4")
    moment = None if number % 11 == 0 else T0 + timedelta(hours=number)
    item = replace(made.item, officer=("", "000002", "77", "003")[number % 4])
    at = after(hour)
    if number % 8 in {0, 4}:
        who = "002" if number % 8 == 0 else "003"
        if number:
            ledger.append([DeviceReturned(matter="R1", recorder="R1")], at)
        ledger.append([DeviceIssued(matter="R1", recorder="R1", to=who)], at)
    corrected = replace(made.corrected, start=moment)
    ledger.append(
        [
            replace(made, item=item, corrected=corrected),
            obliged(rid, after(hour + (0, 1800, 57600, 86400, 115200)[number % 5])),
        ],
        at,
    )
    ledger.append([Tagged(record=rid, recorder=recorder, label=LABELS[number % len(LABELS)])], at)
    if number % 3:
        rest = [replace(f, corrected=corrected) if hasattr(f, "corrected") else f for f in facts[2 : 3 + number % 4]]
        ledger.append(rest, after(hour + 1800))
    if number % 10 == 0:
        ledger.append([Excused(record=rid, explanation="e", why="w")], after(hour + 1800))


def own(ledger: Ledger, person: str) -> attribution.Own:
    return attribution.own(person, ledger.matters(Device), ledger.matters(Person))


def is_of(ledger: Ledger, person: str) -> Callable[[Record], bool]:
    devices, people = {d.id: d for d in ledger.matters(Device)}, ledger.matters(Person)
    return lambda record: person in attribution.officers_of(record, devices, people)


def stands(record: Record) -> Standing | None:
    verdict = judge(record, NOW, 0.25)
    return verdict.kind if verdict else None


def pages(ledger: Ledger, sought: Sought, limit: int = 7) -> list[str]:
    found, after_ = [], ""
    while True:
        page = ledger.search(sought, NOW, 0.25, after=after_, limit=limit)
        assert len(page.records) <= limit
        found += [record.id for record in page.records]
        if not page.next:
            return found
        after_ = page.next


def must_be(ledger: Ledger, sought: Sought, fits: Callable[[Record], bool]) -> int:
    """Those found, page by page, are those that fit, newest recorded first; and they are counted so."""
    fitting = sorted((r for r in ledger.records() if fits(r)), key=lambda r: (r.recorded_at, r.id), reverse=True)
    assert pages(ledger, sought) == [record.id for record in fitting]
    assert ledger.how_many_sought(sought, NOW, 0.25) == len(fitting)
    return len(fitting)


def test_what_is_sought_is_what_fits(ledger):
    some = [
        must_be(ledger, Sought(), lambda r: True),
        must_be(ledger, Sought(party="张"), lambda r: any("张" in p for p in r.label.parties)),
        must_be(ledger, Sought(party="li si"), lambda r: "Li Si" in r.label.parties),
        must_be(ledger, Sought(case="A-1"), lambda r: r.label.case == "A-1"),
        must_be(ledger, Sought(place="五一路"), lambda r: "五一路" in r.label.place),
        must_be(ledger, Sought(event="Dispute"), lambda r: r.label.event == "dispute"),
        must_be(ledger, Sought(tag="dispute"), lambda r: "dispute" in r.label.tags),
        must_be(ledger, Sought(tag="privacy"), lambda r: r.label.sensitive == "privacy"),
        must_be(ledger, Sought(state="listed"), lambda r: r.state is State.LISTED),
        must_be(ledger, Sought(recorders=("R2",)), lambda r: r.recorder == "R2"),
        must_be(ledger, Sought(recorders=("R2", "R3", "R4", "R5")), lambda r: r.recorder in {"R2", "R3"}),
        must_be(
            ledger,
            Sought(since=after(7200), until=after(9 * 3600)),
            lambda r: after(7200) <= r.recorded_at < after(9 * 3600),
        ),
        must_be(ledger, Sought(text="clock1 r2"), lambda r: "CLOCK1" in r.item.path and r.recorder == "R2"),
        must_be(ledger, Sought(text="100%_sure"), lambda r: r.label.note == "100%_sure"),
        must_be(ledger, Sought(text=f"{5:032x}"), lambda r: r.id == f"{5:032x}"),
    ]
    assert all(some)
    assert must_be(ledger, Sought(recorders=()), lambda r: False) == 0


def test_the_party_of_a_case_is_that_of_its_recordings(ledger):
    assert must_be(ledger, Sought(party="王五"), lambda r: r.label.case == "A-2")


@pytest.mark.parametrize("standing", Standing)
def test_how_a_recording_stands_is_what_the_core_judges(ledger, standing):
    assert must_be(ledger, Sought(standing=standing), lambda r: stands(r) is standing)


@pytest.mark.parametrize("person", ["002", "003", "004", "005", "77"])
def test_a_persons_own_is_what_is_attributed_to_him(ledger, person):
    found = must_be(ledger, Sought(own=own(ledger, person)), is_of(ledger, person))
    assert bool(found) == (person in {"002", "003", "77"})


def test_all_that_is_asked_must_fit_at_once(ledger):
    for standing, recorders, person in product((None, Standing.LATE), (None, ("R1",), ("R1", "R2")), (None, "003")):
        sought = Sought(
            tag="dispute", standing=standing, recorders=recorders, own=own(ledger, person) if person else None
        )
        must_be(
            ledger,
            sought,
            lambda r, s=standing, w=recorders, p=person: (
                "dispute" in r.label.tags
                and (s is None or stands(r) is s)
                and (w is None or r.recorder in w)
                and (p is None or is_of(ledger, p)(r))
            ),
        )


@pytest.mark.parametrize("person", ["", "002"])
def test_what_is_owed_comes_by_its_deadline(ledger, person):
    of = own(ledger, person) if person else None
    owed = [r for r in ledger.records() if r.due and not r.met_at and (not person or is_of(ledger, person)(r))]
    owed.sort(key=lambda r: (r.due, r.id))
    assert owed
    assert pages(ledger, Sought(owing=True, own=of)) == [record.id for record in owed]


def test_what_is_no_end_of_a_page_is_refused(ledger):
    for after_ in ("1", "x-y", "1-' OR 1", "9" * 30 + "-a"):
        with pytest.raises(Misused, match="not the end of any page"):
            ledger.search(Sought(), NOW, 0.25, after=after_)


def test_no_question_reads_a_recording_it_does_not_show(ledger):
    """The plan of every question names an index; none goes through the table itself."""
    seen: list[str] = []
    ledger._db.set_trace_callback(seen.append)
    try:
        for sought in (
            Sought(text="a", party="b", place="c", event="d", tag="e", state="sealed", since=T0, until=T0),
            Sought(case="A-1"),
            Sought(recorders=("R1",)),
            Sought(recorders=("R1",) * 9, standing=Standing.LATE),
            Sought(owing=True, standing=Standing.AT_RISK),
            Sought(own=own(ledger, "002"), standing=Standing.MET),
        ):
            ledger.search(sought, NOW, 0.25)
            ledger.how_many_sought(sought, NOW, 0.25)
    finally:
        ledger._db.set_trace_callback(None)
    asked = [sql for sql in seen if sql.lstrip().startswith("SELECT")]
    assert len(asked) >= 12
    for sql in asked:
        plan = [row[3] for row in ledger._db.execute(f"EXPLAIN QUERY PLAN {sql}")]
        assert not [step for step in plan if step.startswith("SCAN record") and "INDEX" not in step], sql


def test_what_is_late_and_not_excused_is_told_earliest_due_first(ledger):
    late = [r for r in ledger.records() if stands(r) in {Standing.LATE, Standing.OVERDUE, Standing.EXCUSED}]
    late.sort(key=lambda r: (r.due, r.id))
    bare = [r for r in late if not r.excuse]
    assert 3 < len(bare) < len(late)
    assert [r.id for r in ledger.late(NOW)] == [r.id for r in late]
    assert [r.id for r in ledger.late_unexcused(NOW)] == [r.id for r in bare]
    assert [r.id for r in ledger.late_unexcused(NOW, 3)] == [r.id for r in bare[:3]]


def test_a_label_is_looked_up_whether_it_is_there_or_not(ledger):
    for case in ("A-1", "A-2", "", "nowhere"):
        assert [r.id for r in ledger.labelled(case=case)] == [r.id for r in ledger.records() if r.label.case == case]


def test_the_register_that_is_kept_is_the_one_that_is_there(tmp_path):
    with new_ledger(tmp_path / "ledger") as ledger:
        kept = Kept()
        for facts in (
            [],
            [PersonEntered(matter="002", name="李警官")],
            [DeviceRegistered(matter="R1", recorder="R1"), DeviceIssued(matter="R1", recorder="R1", to="002")],
            [DeviceReturned(matter="R1", recorder="R1"), PersonEntered(matter="002", name="李")],
            [TripBegun(matter="trip-1", recorder="R1", person="002", device="R1", ground="away", out=after(-1))],
            [
                TripEnded(matter="trip-1", recorder="R1", back=after(0)),
                ActivityEnded(matter="a-1", recorder="R1", person="002", device="R1", began=after(-2), ended=after(-1)),
                ExtensionGranted(
                    matter="e-1", recorder="R1", device="R1", since=after(-2), until=after(0), reason="洪水"
                ),
            ],
        ):
            if facts:
                ledger.append(facts, after(0))
            assert kept.as_of(ledger) == read(ledger)
            assert kept.as_of(ledger) is kept.as_of(ledger)
