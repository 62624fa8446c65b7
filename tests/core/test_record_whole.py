"""What a record keeps of each fact, whole; and what is said where a fact contradicts what is known."""

from dataclasses import replace

import pytest
from bwcdock.core.facts import SPOOL, Entry, Fact, Lock, MediaFacts
from bwcdock.core.record import DOCK_AGAIN_HINT, ERASED_HINT, Held, Illegal, Record, State, apply
from lives import (
    CENTRE,
    CLEARED,
    CORRECTED,
    ERASE_KEPT,
    ERASED,
    ERASING,
    EXCUSED,
    FAST,
    LOST,
    MIRROR,
    NOON,
    QUARANTINED,
    RELEASED,
    SEALED,
    STORED,
    TAGGED,
    at,
    confirmed,
    copy_bad,
    digests,
    item,
    life,
    listed,
    locked,
    looked,
    obligation,
    obliged,
    pulled,
    sealed,
)


def add(record: Record | None, fact: Fact) -> Record:
    return apply(record, Entry(seq=99, at=at(1000), fact=fact))


def test_nothing_that_was_said_of_it_is_lost():
    media, corrected = MediaFacts(container="mp4"), replace(CORRECTED, offset_ms=-1)
    record = life(
        listed(drift=FAST, not_before=at(-60)),
        obliged(),
        replace(pulled(), edges="e" * 64, resumed_at=7, session="s2"),
        replace(sealed(), readback="cached", media=media, corrected=corrected),
        replace(confirmed(), version="9"),
        looked(),
        locked(until=at(99)),
        TAGGED,
        EXCUSED,
        ERASING,
    )
    whole = Record(
        id="r1", state=State.SEALED, recorder="A001", session="s2", sessions=("s1", "s2"), item=item(), listed_at=NOON,
        corrected=corrected, drift=FAST, not_before=at(-60), digests=digests(), edges="e" * 64, resumed_at=7,
        readback="cached", media=media, obligation=obligation(), copies=frozenset({SPOOL, CENTRE}),
        held=(
            Held(
                sink=CENTRE, key="k/r1", version="9", confirmed_at=at(4), seq=4, manifest="m" * 64, looked_at=at(5),
                locked=Lock(until=at(99)),
            ),
        ),
        first_confirmed=((CENTRE, at(4)),), sealed_at=at(3), sealed_seq=3, erasing=ERASING.ground, label=TAGGED.label,
        excuse=EXCUSED.why,
    )  # fmt: skip
    assert record == whole
    assert add(record, ERASE_KEPT) == replace(whole, erasing="")
    assert add(record, ERASED) == replace(whole, erasing="", erased_at=at(1000))
    # What a look or a lock says is of its own sink alone.
    assert add(add(record, looked(MIRROR)), locked(MIRROR)) == whole


def test_what_is_pulled_again_is_of_the_docking_that_brought_it():
    lost = replace(LOST, session="s2")
    record = add(add(life(listed()), lost), replace(CLEARED, session="s3"))
    assert (record.session, record.sessions) == ("s3", ("s1", "s2", "s3"))


def test_why_a_fact_is_refused_is_said():
    sealed_, erasing = life(*SEALED), life(*STORED, ERASING)
    for record, fact, why in (
        (None, QUARANTINED, "Quarantined on a record that is unknown"),
        (sealed_, LOST, "Lost on a record that is sealed"),
        (life(*SEALED, copy_bad(SPOOL), CLEARED), pulled("b"), "Pulled: other bytes than were sealed before"),
        (life(listed(), pulled()), sealed("b"), "Sealed: other bytes than were pulled"),
        (sealed_, confirmed(CENTRE, "b"), "Confirmed: other bytes than were sealed"),
        (sealed_, RELEASED, "Released: from spool without an intent"),
        (sealed_, replace(ERASING, digests=digests("b")), "EraseIntended: of other bytes"),
        (sealed_, replace(ERASING, size=1), "EraseIntended: of other bytes"),
        (sealed_, replace(ERASING, ground=""), "EraseIntended: of other bytes than were sealed, or on no ground"),
        (erasing, ERASING, "EraseIntended: while one stands already"),
        (sealed_, ERASED, "Erased: without an intent"),
        (sealed_, ERASE_KEPT, "EraseKept: without an intent"),
        (sealed_, CLEARED, "Cleared: its spool copy is there"),
    ):
        with pytest.raises(Illegal, match=f"^{why}"):
            add(record, fact)


def test_a_copy_that_was_found_bad_after_the_erasing_says_what_to_look_for():
    bad = (*STORED, copy_bad(CENTRE), copy_bad(SPOOL))
    assert life(*bad).quarantine_hint == DOCK_AGAIN_HINT
    assert life(*STORED, ERASING, ERASED, *bad[-2:]).quarantine_hint == ERASED_HINT
    assert life(*bad).quarantine_what == "It holds other bytes."


def test_a_copy_that_is_confirmed_after_all_brings_it_back():
    apart = (*SEALED, confirmed(), copy_bad(CENTRE), copy_bad(SPOOL))
    for way in (apart, (*apart, CLEARED, LOST)):
        back = add(life(*way), confirmed())
        assert (back.state, back.quarantine, back.quarantine_what, back.quarantine_hint) == (State.SEALED, "", "", "")
        assert (back.copies, back.bad_places) == ({CENTRE}, (SPOOL,))
    aside = life(*apart, CLEARED, QUARANTINED)  # for another reason: that still holds
    assert add(aside, confirmed()).state is State.QUARANTINED
