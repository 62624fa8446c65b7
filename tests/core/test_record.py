"""A record moves only as its table says, and no order of facts loses its bytes, its digests or its obligation."""

from dataclasses import replace

import pytest
from bwcdock.core.facts import SPOOL, CopyBad, Distrusted, Entry, Fact, Released, ReleaseIntended, Seen
from bwcdock.core.record import ERASE_OUTCOMES, TABLE, Illegal, Record, State, apply
from bwcdock.core.retention import Keep, may_release
from bwcdock.core.vocabulary import RECORD_FACTS
from hypothesis import event, given
from hypothesis import strategies as st
from lives import (
    CENTRE,
    CLEARED,
    ERASING,
    INTENDED,
    LOST,
    MIRROR,
    NOON,
    QUARANTINED,
    RECORD_EXAMPLES,
    RELEASED,
    SEALED,
    STORED,
    WAYS,
    WITHDRAWN,
    R,
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

KEEP = Keep(second_look_after_s=0, spool_keep_s=0, witnessed=1 << 30)
PLACES = (SPOOL, CENTRE, MIRROR)


def add(record: Record | None, fact: Fact, seconds: float = 1000) -> Record:
    return apply(record, Entry(seq=99, at=at(seconds), fact=fact))


# --- the table -------------------------------------------------------------------------------------------------------


def test_there_is_one_example_of_each_fact_and_a_way_into_each_state():
    assert {type(fact) for fact in RECORD_EXAMPLES} == set(RECORD_FACTS)
    assert set(WAYS) == set(State) == set(TABLE) - {None}
    assert {state: life(*way).state for state, way in WAYS.items()} == {state: state for state in State}


CONTRADICTED = {(State.SEALED, Released), (State.SEALED, type(CLEARED))} | {
    (state, kind) for state in (State.SEALED, State.RELEASED) for kind in ERASE_OUTCOMES
}
"""Allowed by the table, but not on the plain example: nothing was intended, and the spool has its copy."""


@pytest.mark.parametrize("fact", RECORD_EXAMPLES, ids=lambda fact: type(fact).__name__)
@pytest.mark.parametrize("state", [None, *State])
def test_every_pair_is_in_the_table_or_illegal(state, fact):
    record = life(*WAYS[state]) if state else None
    before = replace(record) if record else None
    row = TABLE[state]
    if type(fact) not in row or (state, type(fact)) in CONTRADICTED:
        with pytest.raises(Illegal, match=type(fact).__name__):
            add(record, fact)
    else:
        after = add(record, fact)
        last_was_bad = type(fact) is CopyBad and not after.copies
        assert after.state is (State.QUARANTINED if last_was_bad else row[type(fact)])
        assert after.id == "r1"
    assert record == before


def test_a_sealed_record_leaves_only_by_release_or_by_bad_bytes():
    """What once would have thrown away proven bytes: no quarantine, no loss, no distrust, no second pull of it."""
    for state in (State.SEALED, State.RELEASED):
        ways_out = {fact for fact, to in TABLE[state].items() if to is not state}
        assert ways_out <= {Released, type(CLEARED)}
        assert not {type(QUARANTINED), type(LOST), type(pulled()), type(sealed()), Distrusted} & set(TABLE[state])


def test_a_sealed_record_is_pulled_again_only_where_its_spool_copy_is_gone():
    both = (listed(), obliged(sinks=(CENTRE, MIRROR)), pulled(), sealed(), confirmed(CENTRE))
    with pytest.raises(Illegal, match="spool copy is there"):
        add(life(*both), CLEARED)
    again = add(life(*both, copy_bad(SPOOL)), CLEARED)
    assert (again.state, again.copies, again.digests) == (State.LISTED, {CENTRE}, digests())
    with pytest.raises(Illegal, match="a copy"):
        add(again, LOST)
    whole = life(*both, copy_bad(SPOOL), CLEARED, pulled(), sealed())
    assert whole.copies == {SPOOL, CENTRE}


@pytest.mark.parametrize(
    ("way", "fact"),
    [
        ((*SEALED, copy_bad(SPOOL), CLEARED), pulled("b")),
        ((listed(), pulled("a")), sealed("b")),
        (SEALED, confirmed(CENTRE, "b")),
        (STORED, RELEASED),
    ],
)
def test_no_fact_contradicts_what_was_proven(way, fact):
    with pytest.raises(Illegal):
        add(life(*way), fact)


def test_a_release_that_is_withdrawn_leaves_the_copy():
    record = add(life(*STORED, INTENDED), WITHDRAWN)
    assert (record.releasing, record.copies, record.state) == ("", {SPOOL, CENTRE}, State.SEALED)


def test_a_deadline_once_met_stays_met():
    record = life(*SEALED, confirmed(), copy_bad(CENTRE))
    assert record.met_at == at(4)
    assert add(record, confirmed(), 5000).met_at == at(4)
    assert add(record, confirmed(), 5000).first_confirmed == ((CENTRE, at(4)),)


def test_every_state_is_reached_and_none_but_released_is_an_end():
    reached = {to for row in TABLE.values() for to in row.values()}
    assert reached | {State.QUARANTINED} == set(State)
    for state, row in TABLE.items():
        assert state is State.RELEASED or any(to is not state for to in row.values()), state


# --- what each fact changes ------------------------------------------------------------------------------------------


def test_listing_keeps_what_was_known_then():
    record = life(listed(not_before=at(-60)))
    assert (record.recorder, record.session, record.sessions) == ("A001", "s1", ("s1",))
    assert (record.listed_at, record.not_before, record.copies) == (NOON, at(-60), frozenset())
    assert life(listed(session="")).sessions == ()


def test_the_pack_may_speak_in_every_state_and_the_last_word_counts():
    for way in WAYS.values():
        record = add(life(*way), obliged(due=at(7)))
        assert (record.due, record.state) == (at(7), life(*way).state)


def test_a_record_seen_in_another_session_belongs_to_both():
    record = add(life(listed()), Seen(**R | {"session": "s2"}))
    assert (record.session, record.sessions) == ("s2", ("s1", "s2"))
    assert add(record, Seen(**R | {"session": "s1"})).sessions == ("s1", "s2")


def test_a_pull_that_was_thrown_away_leaves_nothing():
    for fact in (Distrusted(**R, op="seal", what="They differ."), QUARANTINED):
        assert add(life(listed(), pulled()), fact).digests is None
    record = add(life(listed(), pulled()), Distrusted(**R, op="seal", what="They differ."))
    assert (record.distrusts, record.edges) == (1, "")
    assert add(add(record, QUARANTINED), CLEARED).distrusts == 0
    once_sealed = life(*SEALED, copy_bad(SPOOL), CLEARED, pulled(), Distrusted(**R, op="seal", what="They differ."))
    assert (once_sealed.digests, once_sealed.edges) == (digests(), pulled().edges)


def test_clearing_forgets_why_it_was_set_aside():
    aside = life(listed(), QUARANTINED)
    assert (aside.quarantine, aside.quarantine_what, aside.quarantine_hint) == (
        "unreadable",
        "A bad block.",
        "Dock it again.",
    )
    again = add(aside, CLEARED)
    assert (again.state, again.quarantine, again.quarantine_what, again.quarantine_hint) == (State.LISTED, "", "", "")


def test_sealing_says_when_and_where_in_the_ledger():
    record = life(*SEALED)
    assert (record.sealed_at, record.sealed_seq, record.copies) == (at(3), 3, {SPOOL})
    assert (record.digests, record.readback) == (digests(), "direct")


def test_a_second_confirmation_replaces_the_first_and_asks_for_a_second_look_again():
    record = add(life(*STORED), confirmed(), 500)
    assert [(h.sink, h.confirmed_at, h.looked_at) for h in record.held] == [(CENTRE, at(500), None)]


def test_a_bad_copy_is_struck_off_and_another_one_stands():
    record = add(life(*SEALED, confirmed()), copy_bad(CENTRE))
    assert (record.state, record.copies, record.held, record.bad_places) == (State.SEALED, {SPOOL}, (), (CENTRE,))
    assert record.owed_sinks == (CENTRE,)
    healed = add(record, confirmed())
    assert (healed.copies, healed.bad_places) == ({SPOOL, CENTRE}, ())


def test_the_last_bad_copy_sets_the_record_aside_until_it_is_pulled_again():
    record = life(*SEALED, copy_bad(SPOOL))
    assert (record.state, record.quarantine, record.copies, record.digests) == (
        State.QUARANTINED,
        "copy-bad",
        frozenset(),
        digests(),
    )
    again = life(*SEALED, copy_bad(SPOOL), CLEARED, pulled(), sealed())
    assert (again.state, again.copies, again.bad_places) == (State.SEALED, {SPOOL}, ())
    assert (again.sealed_at, again.sealed_seq) == (at(3), 3)  # when it was first proven, not when it was mended


def test_a_release_is_intended_and_then_done():
    intended = life(*STORED, INTENDED)
    assert (intended.releasing, intended.copies) == (SPOOL, {SPOOL, CENTRE})
    done = add(intended, RELEASED)
    assert (done.releasing, done.copies, done.state, done.released_at) == ("", {CENTRE}, State.RELEASED, at(1000))


def test_an_intended_release_ends_where_the_copy_is_found_gone():
    assert life(*STORED, INTENDED, copy_bad(SPOOL)).releasing == ""
    assert life(*STORED, INTENDED, copy_bad(CENTRE)).releasing == SPOOL
    again = life(*STORED, INTENDED, copy_bad(SPOOL), copy_bad(CENTRE), CLEARED, pulled(), sealed())
    assert again.releasing == ""  # or the new copy would be dropped under a permit for the old one


# --- what it says of itself ------------------------------------------------------------------------------------------


def test_the_deadline_is_met_as_the_obligation_says():
    assert life(listed()).met_at is None
    assert life(listed(), obliged()).met_at is None
    assert life(listed(), obliged(met_by="sealed"), pulled(), sealed()).met_at == at(3)
    both = (listed(), obliged(sinks=(CENTRE, MIRROR)), pulled(), sealed(), confirmed(MIRROR))
    assert life(*both).met_at is None
    assert life(*both, confirmed(CENTRE)).met_at == at(5)
    assert life(*both, confirmed("other")).met_at is None


def test_a_deadline_that_no_sink_can_meet_is_never_met():
    assert life(listed(), obliged(sinks=()), pulled(), sealed()).met_at is None


@pytest.mark.parametrize(
    ("facts", "waits"),
    [
        ((listed(),), "work"),
        ((listed(), pulled()), "work"),
        ((listed(), QUARANTINED), "nothing"),
        ((listed(), LOST), "nothing"),
        (SEALED, "work"),
        ((listed(), pulled(), sealed()), "work"),  # the pack has not spoken
        ((*SEALED, confirmed()), "look"),
        (STORED, "release"),
        ((*STORED, INTENDED), "work"),
        ((*STORED, INTENDED, RELEASED), "nothing"),
        ((*STORED, INTENDED, RELEASED, obliged(sinks=(CENTRE, MIRROR))), "work"),
    ],
)
def test_what_it_waits_for(facts, waits):
    assert life(*facts).waits_for == waits


def test_it_waits_since_the_last_confirmation():
    assert life(*SEALED).waits_since == NOON
    assert life(*STORED).waits_since == at(4)


def test_finished_is_sealed_obliged_and_held_wherever_it_must_be():
    assert life(*STORED).finished
    assert life(*STORED, INTENDED, RELEASED).finished
    assert not life(*SEALED).finished
    assert not life(listed(), obliged()).finished
    assert not life(listed(), obliged(sinks=()), pulled()).finished
    assert not life(listed(), obliged(sinks=()), QUARANTINED).finished
    assert not life(listed(), pulled(), sealed(), confirmed()).finished
    assert not life(*STORED, copy_bad(CENTRE)).finished


# --- whole lives -----------------------------------------------------------------------------------------------------


def possible(record: Record, draw) -> Fact | None:
    """A fact the program could record now: proofs are honest, releases permitted; the world does what it likes."""
    kind = draw(st.sampled_from(sorted(TABLE[record.state], key=lambda fact: fact.__name__)))
    match kind.__name__:
        case "Pulled":
            return replace(
                pulled(draw(st.sampled_from("ab"))), **({"digests": record.digests} if record.sealed_at else {})
            )
        case "Sealed":
            return replace(sealed(), digests=record.digests)
        case "Confirmed":
            return replace(confirmed(draw(st.sampled_from([CENTRE, MIRROR]))), digests=record.digests)
        case "LookedAgain":
            return looked(draw(st.sampled_from([CENTRE, MIRROR])))
        case "Obliged":
            return obliged(sinks=draw(st.sampled_from([(CENTRE,), (CENTRE, MIRROR)])))
        case "CopyBad":
            return copy_bad(draw(st.sampled_from(PLACES)))
        case "ReleaseIntended":
            return INTENDED if may_release(record, SPOOL, at(10_000), KEEP) else None
        case "Released":
            return RELEASED if record.releasing else None
        case "EraseIntended":
            return None if record.erasing else replace(ERASING, digests=record.digests)
        case "Erased" | "EraseKept" if not record.erasing:
            return None
        case "Cleared" if record.state is State.SEALED and SPOOL in record.copies:
            return None
        case "Lost" if record.copies:
            return None
        case _:
            return next(fact for fact in RECORD_EXAMPLES if type(fact) is kind)


def holds(before: Record, fact: Fact, after: Record) -> None:
    """What may change at one step, and what must be true after every one."""
    kind = type(fact).__name__
    gained, gone = after.copies - before.copies, before.copies - after.copies
    assert gained <= {"Sealed": {SPOOL}, "Confirmed": {getattr(fact, "sink", "")}}.get(kind, set())
    assert not gone or kind in {"Released", "CopyBad"}
    assert gone <= {getattr(fact, "place", "")}
    if before.copies:
        assert after.digests == before.digests
    if after.state in {State.SEALED, State.RELEASED}:
        assert after.copies
        assert after.digests is not None
    else:
        assert SPOOL not in after.copies
    if kind == "Released":
        assert after.copies  # a permit needs a copy that was looked at again
    assert {h.sink for h in after.held} == after.copies - {SPOOL}
    assert len(after.held) == len({h.sink for h in after.held})
    assert not set(after.bad_places) & after.copies
    assert not after.releasing or after.releasing in after.copies
    assert (after.sealed_at is None) == (after.sealed_seq is None)
    assert before.sealed_at is None or (after.sealed_at, after.sealed_seq) == (before.sealed_at, before.sealed_seq)
    assert after.released_at is not None or after.state is not State.RELEASED
    assert bool(after.quarantine) == (after.state is State.QUARANTINED)
    assert before.obligation is None or after.obligation is not None
    sealed_now = after.state in {State.SEALED, State.RELEASED}
    assert after.finished == (sealed_now and after.obligation is not None and not after.owed_sinks)
    assert before.sessions == after.sessions[: len(before.sessions)]
    assert (after.id, after.recorder, after.item, after.listed_at) == (
        before.id,
        before.recorder,
        before.item,
        before.listed_at,
    )


@given(data=st.data())
def test_no_possible_life_breaks_a_promise(data):
    record = life(listed())
    for seq in range(1, data.draw(st.integers(5, 60))):
        fact = possible(record, data.draw)
        if fact is None:
            continue
        after = apply(record, Entry(seq=seq, at=at(seq), fact=fact))
        holds(record, fact, after)
        record = after
        event(f"{type(fact).__name__} -> {after.state}")
    assert record.waits_for in {"work", "look", "release", "nothing"}
    assert record.waits_since >= record.listed_at
    assert record.met_at is None or record.met_at >= record.listed_at


@given(data=st.data())
def test_any_facts_at_all_are_folded_or_refused_and_nothing_else(data):
    """Facts that the program would never put together: the fold answers with a record or with Illegal."""
    facts = st.one_of(
        st.sampled_from(RECORD_EXAMPLES),
        st.builds(copy_bad, st.sampled_from(PLACES)),
        st.builds(confirmed, st.sampled_from([CENTRE, MIRROR]), st.sampled_from("ab")),
        st.builds(
            lambda sinks, by: obliged(sinks=sinks, met_by=by),
            st.sampled_from([(), (CENTRE,)]),
            st.sampled_from(["sealed", "confirmed"]),
        ),
        st.builds(lambda place: replace(RELEASED, place=place), st.sampled_from(PLACES)),
        st.builds(lambda place: ReleaseIntended(**R, place=place, ground=""), st.sampled_from(PLACES)),
    )
    record = None
    for fact in data.draw(st.lists(facts, max_size=40)):
        try:
            record = add(record, fact)
        except Illegal:
            continue
        assert record.waits_for in {"work", "look", "release", "nothing"}
        assert record.met_at is None or record.sealed_at is not None
        assert isinstance(record.finished, bool)
