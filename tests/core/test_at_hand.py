"""Of thousands that wait, the most urgent that can be worked on stay at hand; what is in the slots stays anyway."""

from dataclasses import replace
from datetime import timedelta

import pytest
from bwcdock.core.at_hand import Now, is_workable, surplus
from bwcdock.core.plan import FAR, Act, Action, World, plan
from bwcdock.core.record import Record
from bwcdock.core.retention import Keep
from hypothesis import given
from hypothesis import strategies as st
from lives import (
    CENTRE,
    INTENDED,
    LOST,
    MIRROR,
    QUARANTINED,
    SEALED,
    STORED,
    WAYS,
    at,
    confirmed,
    life,
    listed,
    obligation,
    obliged,
    pulled,
    sealed,
)

LATER = at(days=30)
ALL = Now(at=LATER, sinks=(CENTRE, MIRROR))
NONE = Now(at=LATER)
OWED = life(*SEALED)


def named(record: Record, name: str, *, due: float | None = None, since: float = 0) -> Record:
    owed = record.obligation and replace(record.obligation, due=None if due is None else at(due))
    return replace(record, id=name, obligation=owed, listed_at=at(since))


def kept(records: list[Record], most: int, now: Now = ALL, docked: frozenset[str] = frozenset()) -> list[str]:
    gone = surplus(records, most, now, docked)
    return [record.id for record in records if record.id not in gone]


def test_what_is_due_last_goes_first_and_then_what_is_youngest():
    many = [named(OWED, "d", since=9), named(OWED, "c", since=1), named(OWED, "b", due=9), named(OWED, "a", due=5)]
    assert kept(many, 4) == ["d", "c", "b", "a"]
    assert kept(many, 3) == ["c", "b", "a"]
    assert kept(many, 2) == ["b", "a"]
    assert kept(many, 1) == ["a"]


def test_each_kind_is_counted_by_itself():
    looks, releases = life(*SEALED, confirmed()), life(*STORED)
    many = [named(r, f"{kind}{n}", due=n) for kind, r in (("w", OWED), ("l", looks), ("r", releases)) for n in (1, 2)]
    assert kept(many, 2) == [r.id for r in many]
    assert kept(many, 1) == ["w1", "l1", "r1"]


def test_what_waits_for_a_storage_that_is_away_keeps_back_nothing_that_waits_for_another():
    for_centre, for_mirror = life(*SEALED), replace(life(*SEALED), obligation=obligation(sinks=(MIRROR,)))
    many = [named(for_centre, "a", due=1), named(for_centre, "b", due=2), named(for_mirror, "c", due=3)]
    assert kept(many, 1) == ["a"]
    assert kept(many, 1, Now(at=LATER, sinks=(MIRROR,))) == ["c"]
    assert kept(many, 2, Now(at=LATER, sinks=(MIRROR,))) == ["a", "c"]
    resting = {Action(Act.PUSH, rid, CENTRE): LATER + timedelta(seconds=1) for rid in "ab"}
    assert kept(many, 1, replace(ALL, resting=resting)) == ["c"]
    assert kept(many, 1, replace(ALL, resting=dict.fromkeys(resting, LATER))) == ["a"]  # it has rested


@pytest.mark.parametrize(
    "record",
    [life(listed(), obliged(), pulled()), life(*STORED, INTENDED), replace(OWED, erasing="kept elsewhere")],
    ids=["pulled", "releasing", "erasing"],
)
def test_what_was_interrupted_stays(record):
    many = [named(OWED, "a", due=1), named(record, "b", due=9)]
    assert kept(many, 0) == ["b"]
    assert is_workable(record, NONE)


def test_what_is_in_the_slots_and_what_is_in_flight_stays_and_is_not_counted():
    many = [named(OWED, rid, due=n) for n, rid in enumerate("abc")]
    assert kept(many, 0, docked=frozenset("b")) == ["b"]
    assert kept(many, 1, docked=frozenset("c")) == ["a", "c"]
    assert kept(many, 0, replace(ALL, busy=(Action(Act.PUSH, "c", CENTRE),))) == ["c"]


def test_what_is_on_a_recorder_alone_is_fetched_again_when_that_is_docked():
    assert kept([named(life(listed(), obliged()), "a", due=1), named(OWED, "b", due=2)], 1) == ["b"]


@pytest.mark.parametrize("way", [(listed(), QUARANTINED), (listed(), LOST)])
def test_what_people_must_look_at_is_not_counted(way):
    assert surplus([life(*way)], 0, ALL, ()) == []
    assert not is_workable(life(*way), ALL)


@given(
    st.sampled_from([*WAYS.values(), (*SEALED, confirmed()), STORED, (*STORED, INTENDED)]),
    st.sets(st.sampled_from([CENTRE, MIRROR])),
)
def test_whatever_the_plan_would_begin_can_be_worked_on(way, sinks):
    """Else the ledger would not be asked for it while others are at hand. Locks have a round of their own."""
    record = life(*way)
    world = World(
        now=LATER, records={record.id: record}, sinks=dict.fromkeys(sinks, LATER), keep=Keep(witnessed=1000), parallel=9
    )
    begun = [action for action in plan(world).actions if action.act is not Act.LOCK]
    now = Now(at=LATER, sinks=sinks)
    assert is_workable(record, now) or not begun
    resting = dict.fromkeys(begun, FAR)
    if begun and record.waits_for in {"look", "release"} and len(begun) == 1:
        assert not is_workable(record, replace(now, resting=resting))


def test_a_seal_that_owes_nothing_to_an_open_storage_waits():
    record = life(listed(), obliged(), pulled(), sealed())
    assert is_workable(record, ALL)
    assert not is_workable(record, NONE)
    assert is_workable(replace(record, obligation=None), NONE)  # what the law says of it is not known yet
