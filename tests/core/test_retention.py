"""A copy goes only when every condition holds; each one alone, missing, is enough to keep it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from bwcdock.core.facts import SPOOL
from bwcdock.core.record import Record, State
from bwcdock.core.retention import Keep, Permit, look_due, may_release, release_due
from hypothesis import given
from hypothesis import strategies as st
from lives import (
    CENTRE,
    INTENDED,
    MIRROR,
    NOON,
    QUARANTINED,
    RELEASED,
    SEALED,
    STORED,
    WAYS,
    at,
    confirmed,
    copy_bad,
    life,
    listed,
    looked,
    obliged,
    pulled,
    sealed,
)

WEEK = timedelta(days=7)
KEEP = Keep(witnessed=1000)
CONFIRMED_AT = at(4)  # the fifth fact of STORED
BOTH = (listed(), obliged(sinks=(CENTRE, MIRROR)), pulled(), sealed(), confirmed(CENTRE), confirmed(MIRROR))


def permit(record: Record, *, place=SPOOL, now=CONFIRMED_AT + WEEK, keep=KEEP):
    return may_release(record, place, now, keep)


def test_it_may_go_a_week_after_the_confirmation_and_not_a_moment_earlier():
    given_ = permit(life(*STORED))
    assert (given_.record, given_.place) == ("r1", SPOOL)
    assert CENTRE in given_.ground
    assert permit(life(*STORED), now=CONFIRMED_AT + WEEK - timedelta(milliseconds=1)) is None
    assert release_due(life(*STORED), KEEP) == CONFIRMED_AT + WEEK


@pytest.mark.parametrize(
    ("missing", "facts"),
    [
        ("nothing confirmed", SEALED),
        ("no second look", (*SEALED, confirmed())),
        ("one of two sinks not confirmed", (*BOTH[:-1], looked(CENTRE))),
        ("one of two sinks not looked at", (*BOTH, looked(CENTRE))),
        ("the pack has not spoken", (listed(), pulled(), sealed(), confirmed(), looked())),
        ("no sink is asked for", (*STORED, obliged(sinks=()))),
        ("the pack asks for one more sink", (*STORED, obliged(sinks=(CENTRE, MIRROR)))),
        ("held by another sink than the one asked for", (*SEALED, confirmed(MIRROR), looked(MIRROR))),
        ("the central copy was found bad", (*STORED, copy_bad(CENTRE))),
        ("another copy was found bad", (*BOTH, looked(CENTRE), looked(MIRROR), obliged(), copy_bad(MIRROR))),
        ("the copy itself is gone", (*STORED, copy_bad(SPOOL))),
        ("it has gone before", (*STORED, INTENDED, RELEASED)),
        ("confirmed anew, and not looked at since", (*STORED, confirmed())),
    ],
)
def test_each_missing_condition_refuses(missing, facts):
    record = life(*facts)
    assert permit(record, now=at(days=999)) is None, missing
    assert release_due(record, KEEP) is None


def test_what_is_not_there_is_not_released():
    assert permit(replace(life(*STORED), copies=frozenset({CENTRE}))) is None


def test_it_may_go_when_all_of_several_sinks_were_looked_at_again():
    record = life(*BOTH, looked(CENTRE), looked(MIRROR))
    assert release_due(record, KEEP) == at(5) + WEEK  # the last of the confirmations
    assert permit(record, now=at(5) + WEEK)


def test_not_before_a_witness_has_seen_the_last_confirmation():
    both = life(*BOTH, looked(CENTRE), looked(MIRROR))
    last = max(held.seq for held in both.held)
    assert permit(both, now=at(days=999), keep=Keep(witnessed=last)) is None  # so many leaves: up to but without it
    assert permit(both, now=at(days=999), keep=Keep(witnessed=last + 1))
    assert permit(both, now=at(days=999), keep=Keep()) is None


@pytest.mark.parametrize("state", [state for state in State if state is not State.SEALED])
def test_only_a_sealed_record_has_a_copy_to_release(state):
    assert permit(life(*WAYS[state]), now=at(days=999)) is None
    assert permit(replace(life(*STORED), state=state), now=at(days=999)) is None


@pytest.mark.parametrize("place", [CENTRE, "", "Spool", "recorder"])
def test_only_the_spool_is_ever_released(place):
    assert permit(life(*STORED), place=place, now=at(days=999)) is None


def test_a_spool_that_keeps_for_ever_keeps_for_ever():
    keep = Keep(spool_keep_s=None, witnessed=1000)
    assert release_due(life(*STORED), keep) is None
    assert permit(life(*STORED), now=at(days=9999), keep=keep) is None


def test_a_bad_copy_that_was_healed_refuses_until_the_new_one_was_looked_at():
    healed = (*STORED, copy_bad(CENTRE), confirmed())
    assert permit(life(*healed), now=at(days=999)) is None
    assert permit(life(*healed, looked()), now=at(days=999))


def test_the_second_look_is_due_a_day_after_the_confirmation_and_once():
    assert look_due(life(*SEALED, confirmed()), CENTRE, KEEP) == CONFIRMED_AT + timedelta(days=1)
    assert look_due(life(*SEALED, confirmed()), MIRROR, KEEP) is None
    assert look_due(life(*SEALED), CENTRE, KEEP) is None
    assert look_due(life(*STORED), CENTRE, KEEP) is None
    assert look_due(life(listed(), QUARANTINED), CENTRE, KEEP) is None


def test_a_permit_is_made_nowhere_else():
    with pytest.raises(PermissionError, match=r"made by bwcdock\.core\.retention and by nothing else"):
        Permit("r1", SPOOL, "because")
    with pytest.raises(PermissionError):
        Permit("r1", SPOOL, "because", object())
    real = permit(life(*STORED))
    with pytest.raises(AttributeError):
        real.record = "r2"  # frozen


@given(seconds=st.integers(0, 10**7), keep_s=st.one_of(st.none(), st.integers(0, 10**6)), data=st.data())
def test_no_permit_without_proof_of_another_copy_whatever_the_settings(seconds, keep_s, data):
    """Whatever is granted: another place was confirmed, was looked at again, and has had its time."""
    steps = (
        confirmed(),
        looked(),
        confirmed(MIRROR),
        looked(MIRROR),
        copy_bad(CENTRE),
        copy_bad(MIRROR),
        obliged(sinks=(MIRROR,)),
    )
    chosen = data.draw(st.lists(st.sampled_from(steps), max_size=8))
    record = life(*SEALED, *chosen)
    now = at(seconds)
    if permit(record, now=now, keep=Keep(second_look_after_s=0, spool_keep_s=keep_s, witnessed=1000)):
        assert record.copies > {SPOOL}
        assert set(record.obligation.sinks) <= {h.sink for h in record.held if h.looked_at}
        assert keep_s is not None
        assert now - max(h.confirmed_at for h in record.held) >= timedelta(seconds=keep_s)
        assert now >= NOON
