"""A recorder's own file goes only on a permit, and whatever becomes of it, none of our copies is touched by it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from bwcdock.core.facts import RECORDER, SPOOL, Entry, EraseIntended
from bwcdock.core.record import ERASED_HINT, Illegal, Record, State, apply
from bwcdock.core.retention import Erasing, Keep, may_erase, may_release, why_kept
from hypothesis import given
from hypothesis import strategies as st
from lives import (
    CENTRE,
    CLEARED,
    ERASE_KEPT,
    ERASED,
    ERASING,
    INTENDED,
    LOST,
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
    digests,
    life,
    listed,
    looked,
    obliged,
    pulled,
    sealed,
)

MONTH = timedelta(days=30)
TERMS = Erasing(after_s=int(MONTH.total_seconds()), witnessed=1000)
CONFIRMED_AT = at(4)  # the fifth fact of STORED
BOTH = (listed(), obliged(sinks=(CENTRE, MIRROR)), pulled(), sealed(), confirmed(CENTRE), confirmed(MIRROR))


LATE = at(days=999)


def reason(record: Record, *, now=LATE, terms=TERMS) -> str:
    kept = why_kept(record, now, terms)
    assert (kept is None) == (may_erase(record, now, terms) is not None)
    return kept.reason if kept else ""


# --- the permit -------------------------------------------------------------------------------------------------------


def test_it_may_go_a_month_after_the_last_confirmation_and_not_a_moment_earlier():
    permit = may_erase(life(*STORED), CONFIRMED_AT + MONTH, TERMS)
    assert permit is not None
    assert (permit.record, permit.place) == ("r1", RECORDER)
    assert CENTRE in permit.ground
    assert reason(life(*STORED), now=CONFIRMED_AT + MONTH - timedelta(milliseconds=1)) == "too-early"


def test_it_may_go_when_the_spool_has_let_go_of_it():
    assert reason(life(*STORED, INTENDED, RELEASED)) == ""


@pytest.mark.parametrize(
    ("because", "record"),
    [
        ("owed", life(*SEALED)),
        ("one-look", life(*SEALED, confirmed())),
        ("owed", life(*BOTH[:-1], looked(CENTRE))),
        ("one-look", life(*BOTH, looked(CENTRE))),
        ("owed", life(listed(), pulled(), sealed(), confirmed(), looked())),
        ("owed", life(*STORED, obliged(sinks=()))),
        ("owed", life(*STORED, obliged(sinks=(CENTRE, MIRROR)))),
        ("owed", life(*SEALED, confirmed(MIRROR), looked(MIRROR))),
        ("bad-copy", life(*STORED, copy_bad(CENTRE))),
        ("bad-copy", life(*STORED, copy_bad(SPOOL))),
        ("bad-copy", life(*BOTH, looked(CENTRE), looked(MIRROR), obliged(), copy_bad(MIRROR))),
        ("one-look", life(*STORED, confirmed())),
        ("in-doubt", life(*STORED, ERASING)),
        ("unproven", life(listed(), QUARANTINED)),
        ("unproven", life(*STORED, copy_bad(SPOOL), CLEARED)),
    ],
)
def test_each_missing_condition_keeps_it(because, record):
    assert reason(record) == because


@pytest.mark.parametrize(
    ("record", "now", "terms", "what"),
    [
        (life(*STORED), LATE, Erasing(), "Erasing is not switched on in the settings."),
        (
            life(*STORED), LATE, replace(TERMS, held=frozenset({"r1"})),
            "It is held: the original carrier (原始载体) stays as it is.",
        ),
        (life(listed(), LOST), LATE, TERMS, "It is lost: its bytes are not proven anywhere else."),
        (life(*BOTH, copy_bad(MIRROR), copy_bad(CENTRE)), LATE, TERMS, "Its copy in mirror, centre was found bad."),
        (life(*BOTH[:-2]), LATE, TERMS, "It is not confirmed in centre, mirror."),
        (life(*STORED, obliged(sinks=())), LATE, TERMS, "It is not confirmed in any central storage."),
        (life(listed(), pulled(), sealed()), LATE, TERMS, "It is not confirmed in any central storage."),
        (life(*BOTH), LATE, TERMS, "Its central copy was not read a second time yet."),
        (
            life(*BOTH, looked(CENTRE), looked(MIRROR)), at(days=99),
            replace(TERMS, locking=frozenset({CENTRE, MIRROR})),
            "Its copy in centre, mirror is not locked as long as it has to be.",
        ),
        (life(*STORED), NOON, TERMS, "It stays until 2024-05-31 04:00 UTC."),
        (
            life(*STORED), LATE, replace(TERMS, witnessed=0),
            "Central storage is not known to have seen a signed head of the ledger over its confirmation.",
        ),
        (life(*STORED, ERASING), LATE, TERMS, "It was being erased, and the outcome shows at the next docking."),
    ],
)  # fmt: skip
def test_why_it_is_kept_is_said(record, now, terms, what):
    assert why_kept(record, now, terms).what == what


def test_a_permit_says_on_what_ground():
    both = life(*BOTH, looked(CENTRE), looked(MIRROR))
    assert may_erase(both, LATE, TERMS).ground == (
        "confirmed and looked at again in centre,mirror; last confirmed 2024-05-01T04:00:05Z"
    )
    assert may_release(both, SPOOL, LATE, Keep(witnessed=1000)).ground == (
        "confirmed and looked at again in centre,mirror"
    )


@pytest.mark.parametrize("state", [state for state in State if state not in {State.SEALED, State.RELEASED}])
def test_nothing_that_is_not_proven_goes(state):
    assert reason(life(*WAYS[state])) == "unproven"
    assert reason(replace(life(*STORED), state=state)) == "unproven"


def test_what_is_held_stays():
    """S1 第十七条: 应当保留原件,保存原始载体."""
    record = life(*STORED)
    assert reason(record, terms=replace(TERMS, held=frozenset({record.id}))) == "hold"
    assert reason(record, terms=replace(TERMS, held=frozenset({"another"}))) == ""


def test_it_is_off_unless_switched_on():
    assert reason(life(*STORED), terms=Erasing()) == "off"


def test_not_before_central_storage_has_seen_a_head_over_every_confirmation():
    both = life(*BOTH, looked(CENTRE), looked(MIRROR))
    last = max(held.seq for held in both.held)
    seen = replace(TERMS, witnessed=last + 1)
    assert reason(both, terms=seen) == ""
    assert reason(both, terms=replace(seen, witnessed=last)) == "unwitnessed"  # so many leaves: up to but without it
    assert reason(both, terms=replace(seen, witnessed=0)) == "unwitnessed"
    anew = life(*STORED, confirmed(), looked())  # the newest confirmation counts, for only it is under the second look
    assert reason(anew, terms=replace(seen, witnessed=anew.held[0].seq)) == "unwitnessed"


def test_a_permit_for_the_recorder_is_none_for_the_spool():
    record = life(*STORED)
    for_spool = may_release(record, SPOOL, at(days=999), Keep(witnessed=1000))
    assert may_erase(record, at(days=999), TERMS).place != for_spool.place


def test_what_was_erased_and_is_there_again_may_go_again():
    assert reason(life(*STORED, ERASING, ERASED)) == ""


def test_a_permanent_record_goes_from_its_recorder_like_any_other():
    forever = obliged(permanent=True, keep_until=None, keep_article="第十五条")
    assert reason(life(*STORED, forever)) == ""


STEPS = (
    confirmed(), looked(), confirmed(MIRROR), looked(MIRROR), copy_bad(CENTRE), copy_bad(MIRROR), copy_bad(SPOOL),
    obliged(), obliged(sinks=(CENTRE, MIRROR)), obliged(sinks=()), CLEARED, pulled(), sealed(), QUARANTINED,
    INTENDED, RELEASED, ERASING, ERASED, ERASE_KEPT,
)  # fmt: skip


def lived(chosen) -> Record:
    record = life(*SEALED)
    for seq, fact in enumerate(chosen, len(SEALED)):
        try:
            record = apply(record, Entry(seq=seq, at=at(seq), fact=fact))
        except Illegal:
            continue
    return record


@given(
    chosen=st.lists(st.sampled_from(STEPS), max_size=14),
    after_s=st.one_of(st.none(), st.integers(0, 10**6)),
    seconds=st.integers(0, 10**7),
    hold=st.booleans(),
    witnessed=st.integers(0, 20),
)
def test_no_permit_without_all_of_its_grounds_whatever_happened(chosen, after_s, seconds, hold, witnessed):
    record, now = lived(chosen), at(seconds)
    kept = frozenset({record.id} if hold else ())
    if may_erase(record, now, Erasing(after_s=after_s, witnessed=witnessed, held=kept)):
        assert all(h.seq < witnessed for h in record.held)
        assert after_s is not None
        assert not hold
        assert record.state in {State.SEALED, State.RELEASED}
        assert not record.bad_places
        assert not record.erasing
        owed = set(record.obligation.sinks)
        assert owed
        assert owed <= record.copies
        assert owed <= {h.sink for h in record.held if h.looked_at}
        assert now - max(h.confirmed_at for h in record.held) >= timedelta(seconds=after_s)


@given(chosen=st.lists(st.sampled_from(STEPS), max_size=14), outcome=st.sampled_from([ERASED, ERASE_KEPT]))
def test_an_outcome_may_come_however_late_and_changes_nothing_of_ours(chosen, outcome):
    """The helper looks for hours, in which the record may have been found bad, pulled again, released."""
    record = lived((*STORED[4:], ERASING, *(step for step in chosen if step not in {ERASED, ERASE_KEPT})))
    after = apply(record, Entry(seq=99, at=at(99), fact=outcome))
    assert after.erasing == ""
    assert replace(after, erasing=record.erasing, erased_at=record.erased_at) == record
    assert (after.erased_at is not None) == (outcome is ERASED)


@pytest.mark.parametrize("outcome", [ERASED, ERASE_KEPT])
@pytest.mark.parametrize(
    ("meanwhile", "state"),
    [
        ((copy_bad(SPOOL), copy_bad(CENTRE)), State.QUARANTINED),
        ((copy_bad(SPOOL), CLEARED), State.LISTED),
        ((copy_bad(SPOOL), CLEARED, pulled()), State.PULLED),
        ((copy_bad(SPOOL), copy_bad(CENTRE), CLEARED, LOST), State.LOST),
    ],
)
def test_an_outcome_is_heard_in_every_state(meanwhile, state, outcome):
    record = life(*STORED, ERASING, *meanwhile, outcome)
    assert (record.state, record.erasing) == (state, "")


# --- the table --------------------------------------------------------------------------------------------------------


def test_an_open_intent_is_work_that_the_next_start_finds():
    assert life(*STORED, INTENDED, RELEASED).waits_for == "nothing"
    assert life(*STORED, INTENDED, RELEASED, ERASING).waits_for == "work"
    assert life(*STORED, INTENDED, RELEASED, ERASING, ERASE_KEPT).waits_for == "nothing"


@pytest.mark.parametrize("outcome", [ERASED, ERASE_KEPT])
def test_no_outcome_without_an_intent_and_none_twice(outcome):
    with pytest.raises(Illegal, match="without an intent"):
        life(*STORED, outcome)
    with pytest.raises(Illegal, match="without an intent"):
        life(*STORED, ERASING, outcome, outcome)


@pytest.mark.parametrize(
    "intent",
    [
        replace(ERASING, digests=digests("b")),
        replace(ERASING, size=1001),
        replace(ERASING, ground=""),
    ],
)
def test_an_intent_names_the_sealed_bytes_and_a_ground(intent):
    with pytest.raises(Illegal, match="EraseIntended"):
        life(*STORED, intent)


def test_one_intent_at_a_time():
    with pytest.raises(Illegal, match="while one stands"):
        life(*STORED, ERASING, ERASING)


@pytest.mark.parametrize("state", [state for state in State if state not in {State.SEALED, State.RELEASED}])
def test_what_is_not_sealed_is_never_meant_to_be_erased(state):
    with pytest.raises(Illegal):
        life(*WAYS[state], EraseIntended(record="r1", ground="x", size=1000, digests=digests()))


def test_when_the_last_copy_is_bad_after_that_nobody_is_told_to_dock_again():
    gone = life(*STORED, ERASING, ERASED, copy_bad(SPOOL), copy_bad(CENTRE))
    assert gone.state is State.QUARANTINED
    assert gone.quarantine_hint == ERASED_HINT
    assert "Dock" in life(*STORED, copy_bad(SPOOL), copy_bad(CENTRE)).quarantine_hint
