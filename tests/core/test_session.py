"""A docking moves only as its table says, can end at every moment, and counts what it was told."""

from dataclasses import replace

import pytest
from bwcdock.core.facts import SESSION_FACTS, ClockIntended, Departed, Entry, Inventoried, Reappeared, Severity
from bwcdock.core.record import Illegal
from bwcdock.core.session import TABLE, ClockSetting, Session, State, allows, apply
from hypothesis import given
from hypothesis import strategies as st
from lives import (
    ARRIVED,
    AS_CONTROL,
    AS_DISK,
    CHECKED,
    CLOCK_INTENDED,
    CLOCK_NOT_SET,
    CLOCK_TAKEN,
    CLOCK_WRITTEN,
    DEPARTED,
    DRAINED,
    DRAINING,
    IDENTIFIED,
    NOON,
    SESSION_EXAMPLES,
    STAYS,
    at,
    finding,
    inventoried,
    stay,
)


def add(session, fact, seconds=1000):
    return apply(session, Entry(seq=99, at=at(seconds), fact=fact))


def example(name):
    return next(fact for fact in SESSION_EXAMPLES if type(fact).__name__ == name)


def test_there_is_one_example_of_each_fact_and_a_way_into_each_state():
    assert {type(fact) for fact in SESSION_EXAMPLES} == set(SESSION_FACTS)
    assert set(STAYS) == set(State) == set(TABLE) - {None}
    assert {state: stay(*way).state for state, way in STAYS.items()} == {state: state for state in State}


@pytest.mark.parametrize("fact", SESSION_EXAMPLES, ids=lambda fact: type(fact).__name__)
@pytest.mark.parametrize("state", [None, *State])
def test_every_pair_is_in_the_table_or_illegal(state, fact):
    session = stay(*STAYS[state]) if state else None
    before = replace(session) if session else None
    assert allows(session, type(fact)) == (type(fact) in TABLE[state])
    if type(fact) not in TABLE[state]:
        with pytest.raises(Illegal, match=type(fact).__name__):
            add(session, fact)
    else:
        after = add(session, fact)
        assert (after.state, after.id) == (TABLE[state][type(fact)], "s1")
    assert session == before


def test_a_cable_can_be_pulled_in_every_state():
    for state in set(State) - {State.DEPARTED}:
        assert TABLE[state][Departed] is State.DEPARTED


def test_nothing_comes_back_from_departed_but_the_receipt_and_what_came_of_its_clock():
    assert set(TABLE[State.DEPARTED].values()) == {State.DEPARTED}
    later = {"Receipted", "ClockWritten", "ClockTaken", "ClockNotSet"}
    assert {fact.__name__ for fact in TABLE[State.DEPARTED]} == later


def test_a_clock_is_to_be_set_of_a_drained_recorder_alone():
    assert {state for state, row in TABLE.items() if ClockIntended in row} == {State.DRAINED}


CLOCK = [CLOCK_INTENDED, CLOCK_WRITTEN, CLOCK_TAKEN]


@pytest.mark.parametrize(
    ("facts", "stands"),
    [
        ([], None),
        (CLOCK[:1], "intended"),
        (CLOCK[:2], "written"),
        (CLOCK, "taken"),
        ([*CLOCK[:1], CLOCK_TAKEN], "taken"),  # it died before it could say that it was written
        ([*CLOCK[:2], CLOCK_NOT_SET], "not-set"),
        ([*CLOCK[:1], CLOCK_NOT_SET, CLOCK_WRITTEN], "not-set"),  # of a call that was given up, and came back late
        ([*CLOCK[:2], CLOCK_NOT_SET, CLOCK_TAKEN], "not-set"),
        ([*CLOCK, CLOCK_NOT_SET, CLOCK_INTENDED], "taken"),
        ([CLOCK_TAKEN, CLOCK_NOT_SET, CLOCK_WRITTEN], None),
    ],
)
def test_what_is_known_of_the_setting_of_its_clock(facts, stands):
    clock = stay(*DRAINING, DRAINED, *facts).clock
    assert (clock.stands if clock else None) == stands
    if clock:
        assert clock.before == CLOCK_INTENDED.drift
        assert clock.is_open == (stands in {"intended", "written"})
        assert (clock.reason, clock.after is None) == ("ignored" if stands == "not-set" else "", clock.is_open)


def test_a_recorder_is_never_drained_before_its_files_were_listed():
    before = {state for state, row in TABLE.items() if State.DRAINED in row.values()}
    assert before <= {State.DRAINING, State.DRAINED}
    assert {state for state, row in TABLE.items() if State.DRAINING in row.values()} <= {State.CHECKED, State.DRAINING}


def test_what_it_says_of_itself():
    whole = stay(*DRAINING, DRAINED, DEPARTED, example("Receipted"))
    assert (whole.arrived_at, whole.drained_at, whole.departed_at) == (NOON, at(4), at(5))
    assert (whole.recorder, whole.driver, whole.departed_why, whole.receipt) == (
        "A001",
        "folder",
        "taken away",
        "d" * 64,
    )
    assert (whole.docked, whole.can_drain, whole.was_drained) == (False, False, True)
    assert stay(*DRAINING).can_drain
    assert stay(*DRAINING).docked
    assert not stay(*DRAINING, DEPARTED).was_drained
    assert not stay(*DRAINING, DRAINED).can_drain


def test_nothing_that_was_said_of_it_is_lost():
    found, hole = finding(code="battery.low"), finding(code="sequence.hole")
    whole = Session(
        id="s1", state=State.DEPARTED, sighting=ARRIVED.sighting, arrived_at=NOON, recorder="A001", driver="folder",
        identity=IDENTIFIED.identity, condition=CHECKED.condition, findings=(found, hole), records=("r1", "r2"), new=2,
        known=3, size=2000, listed_at=at(3), drained_at=at(4), departed_at=at(8), departed_why="taken away",
        receipt="d" * 64,
        clock=ClockSetting(
            how="protocol", before=CLOCK_INTENDED.drift, stands="taken", intended_at=at(5), set_to=CLOCK_WRITTEN.set_to,
            after=CLOCK_TAKEN.drift,
        ),
    )  # fmt: skip
    listing = inventoried("r1", "r2", findings=(hole,), known=3)
    checked = replace(CHECKED, findings=(found,))
    clock = (CLOCK_INTENDED, CLOCK_WRITTEN, CLOCK_TAKEN)
    assert stay(ARRIVED, IDENTIFIED, checked, listing, DRAINED, *clock, DEPARTED, example("Receipted")) == whole
    not_set = stay(*DRAINING, DRAINED, CLOCK_INTENDED, CLOCK_NOT_SET).clock
    assert not_set == ClockSetting(
        how="protocol", before=CLOCK_INTENDED.drift, stands="not-set", intended_at=at(5), after=CLOCK_NOT_SET.drift,
        reason="ignored",
    )  # fmt: skip


def test_what_is_refused_says_where_it_stands():
    for session, fact, why in (
        (None, DRAINED, "Drained on a session that is unknown"),
        (stay(ARRIVED), DRAINED, "Drained on a session that is arrived"),
    ):
        with pytest.raises(Illegal, match=f"^{why}$"):
            add(session, fact)


def test_why_it_stopped_is_kept():
    assert stay(ARRIVED, example("Unclaimed")).fault == "no driver knows it"
    faulted = stay(*DRAINING, example("Faulted"))
    assert (faulted.fault, faulted.fault_hint) == ("read: It hung.", "Dock it again.")
    assert stay(ARRIVED, IDENTIFIED, example("Refused")).findings == (finding(Severity.REFUSE),)


def test_findings_of_check_and_listing_stand_together():
    early, late = finding(code="clock.drift"), finding(code="sequence.hole")
    session = stay(ARRIVED, IDENTIFIED, replace(CHECKED, findings=(early,)), inventoried("r1", findings=(late,)))
    assert session.findings == (early, late)
    assert session.condition.battery == 80


def test_looking_again_replaces_what_the_condition_gave_and_keeps_the_rest():
    low, hole, slow = finding(code="battery.low"), finding(code="sequence.hole"), finding(code="clock.drift")
    docked = stay(
        ARRIVED, IDENTIFIED, replace(CHECKED, findings=(low, slow)), inventoried("r1", findings=(hole,)), DRAINED
    )
    charged = add(docked, replace(example("Rechecked"), findings=(slow,)))
    assert (charged.findings, charged.condition.battery, charged.state) == ((hole, slow), 90, State.DRAINED)


def test_a_control_interface_that_becomes_a_disk_is_one_docking():
    control = stay(replace(ARRIVED, sighting=AS_CONTROL))
    assert control.continues_as(AS_DISK)
    for name in ("Unclaimed", "Identified"):
        assert add(control, example(name)).continues_as(AS_DISK)
    unknown = add(control, example("Unclaimed"))
    disk = add(unknown, example("Reappeared"))
    assert (disk.id, disk.state, disk.sighting, disk.fault) == (control.id, State.ARRIVED, AS_DISK, "")


def test_what_is_another_docking_does_not_continue():
    control = stay(replace(ARRIVED, sighting=AS_CONTROL))
    assert not control.continues_as(replace(AS_DISK, port="usb-2"))
    assert not control.continues_as(AS_CONTROL)
    assert not stay(ARRIVED).continues_as(AS_DISK)  # a drop folder
    assert not stay(replace(ARRIVED, sighting=AS_DISK)).continues_as(AS_DISK)  # another card in the same reader
    for state in (State.DRAINING, State.DRAINED, State.DEPARTED, State.FAULTED, State.REFUSED):
        assert not replace(control, state=state).continues_as(AS_DISK), state


@given(parts=st.lists(st.lists(st.integers(0, 10**6), max_size=5, unique=True), min_size=1, max_size=6))
def test_a_long_inventory_in_parts_is_the_sum_of_its_parts(parts):
    names = [[f"r{number}" for number in part] for part in parts]
    session = stay(ARRIVED, IDENTIFIED, CHECKED, *(inventoried(*part, known=len(part)) for part in names))
    assert session.records == tuple(name for part in names for name in part)
    assert (session.new, session.known, session.size) == (len(session.records),) * 2 + (1000 * len(session.records),)


@given(facts=st.lists(st.sampled_from(SESSION_EXAMPLES), max_size=30))
def test_no_order_of_facts_breaks_a_promise(facts):
    session = None
    for seq, fact in enumerate(facts):
        try:
            after = apply(session, Entry(seq=seq, at=at(seq), fact=fact))
        except Illegal:
            assert not allows(session, type(fact))
            continue
        if session is not None:
            assert after.docked or not session.docked or isinstance(fact, Departed)
            assert session.docked or not after.docked
            assert session.records == after.records or isinstance(fact, Inventoried)
            assert not session.was_drained or after.drained_at == session.drained_at
            assert after.arrived_at == session.arrived_at
            assert after.sighting == session.sighting or isinstance(fact, Reappeared)
            assert not session.recorder or after.recorder == session.recorder
        assert after.docked == (after.departed_at is None)
        assert not after.can_drain or not after.was_drained
        assert after.state not in {State.DRAINING, State.DRAINED} or after.condition is not None
        assert not after.receipt or after.was_drained or after.state in {State.FAULTED, State.DEPARTED}
        session = after
