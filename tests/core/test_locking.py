"""How firmly a copy has to be held: as long as the rules ask, for ever where they or a hold do, never on trust."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from bwcdock.core import locking
from bwcdock.core.facts import SPOOL, Lock
from bwcdock.core.plan import Act, Action
from bwcdock.core.record import Record, State
from bwcdock.core.retention import Keep, may_release, why_kept
from hypothesis import given
from hypothesis import strategies as st
from lives import (
    CENTRE,
    CLEARED,
    DAY,
    INTENDED,
    MIRROR,
    NOON,
    RELEASED,
    SEALED,
    STORED,
    at,
    confirmed,
    copy_bad,
    life,
    listed,
    locked,
    looked,
    obliged,
    pulled,
    sealed,
)
from test_erasing import TERMS
from test_plan import chosen

KEPT = NOON + 180 * DAY
SINKS = frozenset({CENTRE})
KEEP = Keep(witnessed=1000, locking=SINKS)
HELD = Keep(witnessed=1000, locking=SINKS, held=frozenset({"r1"}))
FOR_EVER = (listed(), obliged(keep_until=None, permanent=True), pulled(), sealed(), confirmed(), looked())
LOCK = Action(Act.LOCK, "r1", CENTRE)
RELEASE = Action(Act.RELEASE, "r1")


@pytest.mark.parametrize(
    ("facts", "is_held", "asked"),
    [
        (STORED, False, Lock(until=KEPT)),
        (STORED, True, Lock(until=KEPT, hold=True)),
        (FOR_EVER, False, Lock(hold=True)),
        (FOR_EVER, True, Lock(hold=True)),
        ((*STORED, obliged(permanent=True, keep_until=KEPT)), False, Lock(hold=True)),
        ((*STORED, obliged(permanent=False, keep_until=None)), False, Lock(hold=True)),
        ((listed(), pulled(), sealed(), confirmed()), False, Lock()),
        # What need not be kept any more: no store locks until a moment that has passed.
        ((*STORED, obliged(keep_until=NOON)), False, Lock()),
        ((*STORED, obliged(keep_until=NOON)), True, Lock(hold=True)),
        ((listed(), pulled(), sealed(), confirmed()), True, Lock(hold=True)),
    ],
)
def test_it_is_locked_until_its_keeping_ends_and_held_where_there_is_no_end(facts, is_held, asked):
    assert locking.wanted(life(*facts), NOON, is_held=is_held) == asked


CENTURY = locking.LATEST + timedelta(days=1)


@pytest.mark.parametrize(
    ("proven", "asked", "enough"),
    [
        (None, Lock(until=KEPT), False),
        (None, Lock(), True),
        (Lock(), Lock(until=KEPT), False),
        (Lock(until=KEPT), Lock(until=KEPT), True),
        (Lock(until=KEPT - timedelta(milliseconds=1)), Lock(until=KEPT), False),
        (Lock(until=KEPT + DAY), Lock(until=KEPT), True),
        (Lock(until=KEPT), Lock(until=KEPT, hold=True), False),
        (Lock(until=KEPT, hold=True), Lock(until=KEPT, hold=True), True),
        # A hold can be lifted by whoever set it: alone it stands for no moment.
        (Lock(hold=True), Lock(until=KEPT), False),
        (Lock(until=KEPT - DAY, hold=True), Lock(until=KEPT), False),
        (Lock(hold=True), Lock(hold=True), True),
        (Lock(until=CENTURY), Lock(hold=True), False),
        # A store whose clock ends before that locks until its last moment, and holds.
        (Lock(until=locking.LATEST, hold=True), Lock(until=datetime(2126, 1, 1, tzinfo=UTC)), True),
        (Lock(until=locking.LATEST), Lock(until=datetime(2126, 1, 1, tzinfo=UTC)), False),
        (Lock(until=locking.LATEST - DAY, hold=True), Lock(until=datetime(2126, 1, 1, tzinfo=UTC)), False),
    ],
)
def test_what_the_store_told_is_enough_or_not(proven, asked, enough):
    assert locking.satisfies(proven, asked) is enough


def test_a_lock_is_asked_of_a_sink_that_is_there_from_the_moment_it_may_be_tried():
    record = life(*STORED)
    now = at(days=30)
    assert chosen(record, keep=KEEP, sinks={MIRROR: NOON}) == []
    assert chosen(record, keep=KEEP, sinks={CENTRE: now}) == [LOCK]
    assert chosen(record, keep=KEEP, sinks={CENTRE: now + timedelta(milliseconds=1)}) == []


LOCKS = st.builds(Lock, until=st.none() | st.sampled_from([at(days=n) for n in (1, 2, 40_000)]), hold=st.booleans())


@given(proven=LOCKS, asked=LOCKS, more=LOCKS)
def test_a_firmer_lock_satisfies_whatever_a_weaker_one_did(proven, asked, more):
    firmer = Lock(until=max(filter(None, (proven.until, more.until)), default=None), hold=proven.hold or more.hold)
    assert not locking.satisfies(proven, asked) or locking.satisfies(firmer, asked)
    assert locking.satisfies(asked, asked)


# --- what follows from it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("facts", [STORED, (*STORED, INTENDED, RELEASED)], ids=["sealed", "released"])
def test_a_copy_in_a_sink_that_locks_is_locked(facts):
    record = life(*facts)
    assert LOCK in chosen(record, keep=KEEP)
    assert LOCK not in chosen(record)  # its sink locks nothing
    assert LOCK not in chosen(life(*facts, locked(until=KEPT)), keep=KEEP)
    assert LOCK in chosen(life(*facts, locked(until=KEPT)), keep=HELD)
    assert LOCK not in chosen(life(*facts, locked(until=KEPT, hold=True)), keep=HELD)


def test_a_lock_grows_with_the_obligation():
    record = life(*STORED, locked(until=KEPT), obliged(keep_until=KEPT + DAY))
    assert LOCK in chosen(record, keep=KEEP)
    for_ever = life(*STORED, locked(until=KEPT), obliged(keep_until=None, permanent=True))
    assert LOCK in chosen(for_ever, keep=KEEP)
    assert LOCK not in chosen(life(*STORED, locked(until=KEPT), obliged(keep_until=NOON)), keep=KEEP)


def test_a_copy_confirmed_anew_is_locked_anew():
    record = life(*STORED, locked(until=KEPT), copy_bad(CENTRE))
    assert LOCK not in chosen(record, keep=KEEP)
    assert LOCK in chosen(life(*STORED, locked(until=KEPT), copy_bad(CENTRE), confirmed()), keep=KEEP)


def test_it_is_locked_also_while_the_recording_is_pulled_again():
    both = (listed(), obliged(sinks=(CENTRE, MIRROR)), pulled(), sealed(), confirmed())
    again = life(*both, copy_bad(SPOOL), CLEARED)
    assert again.state is State.LISTED
    assert LOCK in chosen(again, keep=KEEP)


def test_a_sink_that_rests_is_not_asked_to_lock():
    assert LOCK not in chosen(life(*STORED), keep=KEEP, sinks={CENTRE: at(days=99)})


def test_a_lock_goes_at_any_hour():
    """A hold does not wait for the night's line: a lock is a few hundred bytes."""
    shut = {CENTRE: at(days=99)}
    assert chosen(life(*STORED), keep=KEEP, sinks=shut, answering={CENTRE: NOON}) == [LOCK]
    assert chosen(life(*STORED), keep=KEEP, sinks=shut, answering=shut) == []


def test_locks_share_the_lane_of_pushes():
    pushing = frozenset({Action(Act.PUSH, "x", CENTRE), Action(Act.LOCK, "y", CENTRE)})
    assert LOCK not in chosen(life(*STORED), keep=KEEP, parallel=2, busy=pushing)


def may_go(record: Record, keep: Keep) -> bool:
    return may_release(record, SPOOL, at(days=30), keep) is not None


def test_nothing_is_released_while_its_lock_is_short():
    assert may_go(life(*STORED), Keep(witnessed=1000))
    assert not may_go(life(*STORED), KEEP)
    assert not may_go(life(*STORED, locked(until=KEPT - DAY)), KEEP)
    good = life(*STORED, locked(until=KEPT))
    assert may_go(good, KEEP)
    assert not may_go(good, HELD)
    assert may_go(life(*STORED, locked(until=KEPT, hold=True)), HELD)
    assert RELEASE in chosen(good, keep=KEEP)
    assert RELEASE not in chosen(life(*STORED), keep=KEEP)


def test_of_two_sinks_only_the_one_that_locks_must():
    both = (listed(), obliged(sinks=(CENTRE, MIRROR)), pulled(), sealed(), confirmed(), confirmed(MIRROR))
    record = life(*both, looked(), looked(MIRROR), locked(until=KEPT))
    assert may_go(record, KEEP)
    assert not may_go(record, Keep(witnessed=1000, locking=frozenset({CENTRE, MIRROR})))


def test_nothing_is_erased_from_its_recorder_while_its_lock_is_short():
    terms = replace(TERMS, locking=SINKS)
    late = at(days=90)
    told = why_kept(life(*STORED), late, terms)
    assert told is not None
    assert told.reason == "unlocked"
    assert why_kept(life(*STORED, locked(until=KEPT)), late, terms) is None


def test_what_is_told_late_of_a_copy_that_is_gone_changes_nothing():
    record = life(*SEALED, confirmed(), confirmed(MIRROR), copy_bad(CENTRE))
    assert life(*SEALED, confirmed(), confirmed(MIRROR), copy_bad(CENTRE), locked(until=KEPT)).held == record.held
