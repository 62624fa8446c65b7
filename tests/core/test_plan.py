"""What is worth doing now: most urgent first, within room and limits, never twice, and every guard refuses alone."""

from dataclasses import replace
from datetime import timedelta

import pytest
from bwcdock.core.facts import SPOOL
from bwcdock.core.plan import NEAR, Act, Action, World, plan
from bwcdock.core.record import Record, State
from bwcdock.core.retention import Keep
from hypothesis import given
from hypothesis import strategies as st
from lives import (
    CENTRE,
    INTENDED,
    MIRROR,
    NOON,
    QUARANTINED,
    SEALED,
    STORED,
    WAYS,
    at,
    confirmed,
    copy_bad,
    item,
    life,
    listed,
    obligation,
    obliged,
    pulled,
    sealed,
)

LATER = at(days=30)
OPEN = {CENTRE: NOON, MIRROR: NOON}
PULL = Action(Act.PULL, "r1", "s1")
SEAL = Action(Act.SEAL, "r1")
PUSH = Action(Act.PUSH, "r1", CENTRE)
LOOK = Action(Act.LOOK, "r1", CENTRE)
RELEASE = Action(Act.RELEASE, "r1")


def named(
    record: Record, name: str, *, due: float | None = None, since: float = 0, size: int = 1000, recorder="A001"
) -> Record:
    """The same record under another name, with its own deadline (seconds after noon), age and size."""
    owed = (
        obligation(due=at(due), sinks=record.obligation.sinks if record.obligation else (CENTRE,))
        if due is not None
        else record.obligation
    )
    return replace(record, id=name, obligation=owed, listed_at=at(since), item=item(size=size), recorder=recorder)


def world(*records: Record, **changes) -> World:
    """A station with all it could wish for: every recorder docked, every sink open, room for all, late enough."""
    plain = {
        "now": LATER,
        "keep": Keep(witnessed=1000),
        "records": {record.id: record for record in records},
        "docked": {record.id: "s1" if record.recorder == "A001" else "s2" for record in records},
        "sinks": OPEN,
        "room": 10**9,
        "depth": 99,
        "parallel": 99,
    }
    return World(**plain | changes)


def chosen(*records: Record, **changes) -> list[Action]:
    return list(plan(world(*records, **changes)).actions)


LISTED, PULLED, STORED_ONCE = life(listed(), obliged()), life(listed(), obliged(), pulled()), life(*SEALED, confirmed())
WANTS = [(LISTED, PULL), (PULLED, SEAL), (life(*SEALED), PUSH), (STORED_ONCE, LOOK), (life(*STORED), RELEASE)]


# --- what each state wants, and what refuses it ----------------------------------------------------------------------


@pytest.mark.parametrize(("record", "action"), WANTS, ids=lambda value: getattr(value, "act", ""))
def test_each_state_wants_one_thing(record, action):
    assert chosen(record) == [action]


@pytest.mark.parametrize(("record", "action"), WANTS, ids=lambda value: getattr(value, "act", ""))
def test_what_is_in_flight_is_not_begun_again(record, action):
    assert chosen(record, busy=frozenset({action})) == []


@pytest.mark.parametrize(("record", "action"), WANTS, ids=lambda value: getattr(value, "act", ""))
def test_what_rests_is_left_alone_until_its_time(record, action):
    assert chosen(record, resting={action: LATER + timedelta(milliseconds=1)}) == []
    assert chosen(record, resting={action: LATER}) == [action]
    assert chosen(record, resting={Action(action.act, "other", action.place): at(days=99)}) == [action]


@pytest.mark.parametrize("state", [State.QUARANTINED, State.LOST])
def test_nothing_is_done_to_what_was_set_aside(state):
    assert chosen(life(*WAYS[state], obliged())) == []


def test_nothing_is_owed_nothing_is_done():
    assert chosen(life(*WAYS[State.RELEASED])) == []
    assert chosen() == []


@pytest.mark.parametrize("docked", [{}, {"r2": "s1"}], ids=["nobody is there", "it is not on what is there"])
def test_a_pull_needs_its_recorder_with_the_file_on_it(docked):
    assert chosen(LISTED, docked=docked) == []


def test_a_file_is_never_pulled_in_two_places():
    elsewhere = frozenset({Action(Act.PULL, "r1", "s0")})  # it still hangs where the recorder was before
    assert chosen(LISTED, busy=elsewhere) == []
    assert chosen(named(LISTED, "r2"), busy=elsewhere) == [Action(Act.PULL, "r2", "s1")]


def test_all_but_the_pull_goes_on_when_the_recorder_has_gone():
    for record, action in WANTS[1:]:
        assert chosen(record, docked={}) == [action]


def test_a_pull_is_made_from_where_the_recorder_is_now():
    assert chosen(LISTED, docked={"r1": "s7"}) == [Action(Act.PULL, "r1", "s7")]


def test_a_sink_that_rests_or_is_not_configured_is_not_asked():
    for record, action in ((life(*SEALED), PUSH), (STORED_ONCE, LOOK)):
        assert chosen(record, sinks={CENTRE: LATER + timedelta(milliseconds=1)}) == []
        assert chosen(record, sinks={CENTRE: LATER}) == [action]
        assert chosen(record, sinks={MIRROR: NOON}) == []


def test_one_sink_at_rest_does_not_hold_up_another():
    both = life(listed(), obliged(sinks=(CENTRE, MIRROR)), pulled(), sealed())
    assert chosen(both) == [PUSH, Action(Act.PUSH, "r1", MIRROR)]
    assert chosen(both, sinks={CENTRE: at(days=99), MIRROR: NOON}) == [Action(Act.PUSH, "r1", MIRROR)]


def test_nothing_is_pushed_that_is_not_in_the_spool():
    gone = life(listed(), obliged(sinks=(CENTRE, MIRROR)), pulled(), sealed(), confirmed(CENTRE), copy_bad(SPOOL))
    assert gone.owed_sinks == (MIRROR,)
    assert not [action for action in chosen(gone) if action.act is Act.PUSH]


def test_nothing_is_pushed_where_it_is_or_before_the_pack_has_spoken():
    assert not [action for action in chosen(STORED_ONCE) if action.act is Act.PUSH]
    assert chosen(life(listed(), pulled(), sealed())) == []


def test_a_copy_found_bad_in_a_sink_is_pushed_there_again():
    assert chosen(life(*STORED, copy_bad(CENTRE))) == [PUSH]


def test_a_second_look_waits_for_its_day():
    keep = Keep(second_look_after_s=100)
    assert chosen(STORED_ONCE, now=at(4 + 99), keep=keep) == []
    assert chosen(STORED_ONCE, now=at(4 + 100), keep=keep) == [LOOK]


def test_a_release_waits_for_its_day_and_for_a_permit():
    keep = Keep(spool_keep_s=100, witnessed=1000)
    assert chosen(life(*STORED), now=at(4 + 99), keep=keep) == []
    assert chosen(life(*STORED), now=at(4 + 100), keep=keep) == [RELEASE]
    assert chosen(life(*STORED), keep=Keep(spool_keep_s=None, witnessed=1000)) == []


def test_a_release_that_was_interrupted_is_done_again_before_anything_else():
    assert chosen(life(*STORED, INTENDED)) == [RELEASE]
    beside = life(*STORED, confirmed(MIRROR))  # held there although nobody asks for it, and not looked at again yet
    assert chosen(beside) == [RELEASE, Action(Act.LOOK, "r1", MIRROR)]
    assert chosen(life(*STORED, confirmed(MIRROR), INTENDED)) == [RELEASE]


# --- order -----------------------------------------------------------------------------------------------------------


def test_the_earliest_due_comes_first_whatever_it_needs():
    records = [named(record, f"d{place}", due=100 - place) for place, (record, _) in enumerate(WANTS[:3])]
    assert [action.record for action in chosen(*records)] == ["d2", "d1", "d0"]


def test_a_second_look_puts_off_no_push_unless_a_release_waits_for_it():
    keep = Keep(second_look_after_s=100, spool_keep_s=500)
    looks = [named(STORED_ONCE, f"look {n}", due=n, since=-n) for n in range(3)]  # confirmed at 4
    push = named(life(*SEALED), "push", due=503)
    now = {"now": at(400), "parallel": 1}
    assert [a.record for a in chosen(*looks, push, keep=keep, **now)] == ["push"]
    assert [a.record for a in chosen(*looks, named(push, "push", due=504), keep=keep, **now)] == ["push"]
    assert [a.record for a in chosen(*looks, named(push, "push", due=505), keep=keep, **now)] == ["look 2"]
    for_ever = replace(keep, spool_keep_s=None)
    assert [a.record for a in chosen(*looks, named(push, "push", due=10**9), keep=for_ever, **now)] == ["push"]
    assert [a.act for a in chosen(*looks, keep=for_ever, **now)] == [Act.LOOK]


def test_what_has_no_deadline_comes_last():
    undue = named(life(listed()), "undue")
    assert [a.record for a in chosen(undue, named(LISTED, "due", due=10**9))] == ["due", "undue"]


def test_at_equal_deadlines_bytes_that_are_nearly_safe_come_first():
    records = [named(record, record.state, due=7, since=-place) for place, (record, _) in enumerate(WANTS[:3])]
    assert [action.act for action in chosen(*records)] == [Act.SEAL, Act.PUSH, Act.PULL]


def test_of_equals_the_oldest_comes_first():
    records = [named(LISTED, f"r{age}", due=7, since=-age) for age in (1, 3, 2)]
    assert [action.record for action in chosen(*records)] == ["r3", "r2", "r1"]


# --- a priority slot -------------------------------------------------------------------------------------------------

HURRY = {"first": frozenset({"s2"})}
"""The recorder B002 sits in a priority slot."""


def test_what_is_in_a_priority_slot_is_made_safe_before_what_is_due_earlier():
    theirs = [named(PULLED, "seal", due=1), named(LISTED, "pull", due=2)]
    mine = [named(PULLED, "my seal", due=9, recorder="B002"), named(LISTED, "my pull", due=8, recorder="B002")]
    assert [a.record for a in chosen(*theirs, *mine)] == ["seal", "pull", "my pull", "my seal"]
    assert [a.record for a in chosen(*theirs, *mine, **HURRY)] == ["my pull", "my seal", "seal", "pull"]
    gone = {"seal": "s1", "pull": "s1", "my pull": "s2"}  # sealed from a recorder that has been taken out: no hurry
    assert [a.record for a in chosen(*theirs, *mine, docked=gone, **HURRY)] == ["my pull", "seal", "pull", "my seal"]


@pytest.mark.parametrize("act", [Act.PUSH, Act.RELEASE])
def test_pushing_keeps_to_the_deadlines_whatever_slot_it_came_from(act):
    record = next(record for record, action in WANTS if action.act is act)
    records = [named(record, "theirs", due=1), named(record, "mine", due=2, recorder="B002")]
    assert [a.record for a in chosen(*records, **HURRY)] == ["theirs", "mine"]


def test_of_what_is_in_priority_slots_the_earliest_due_comes_first():
    records = [named(LISTED, f"r{due}", due=due, recorder="B002") for due in (3, 1, 2)]
    assert [a.record for a in chosen(*records, **HURRY)] == ["r1", "r2", "r3"]


def test_others_begin_no_file_while_a_priority_slot_is_pulled_from():
    far = (LATER - NOON + NEAR).total_seconds() + 1
    theirs, mine = named(LISTED, "theirs", due=far), named(LISTED, "mine", due=far + 1, recorder="B002")
    assert [a.record for a in chosen(theirs, mine)] == ["theirs", "mine"]
    assert [a.record for a in chosen(theirs, mine, **HURRY)] == ["mine"]
    busy = {"busy": frozenset({Action(Act.PULL, "mine", "s2")})}
    assert chosen(theirs, mine, **busy, **HURRY) == []
    assert [a.record for a in chosen(theirs, mine, **busy)] == ["theirs"]
    assert [a.record for a in chosen(theirs, mine, **busy, first=frozenset({"s3"}))] == ["theirs"]  # an empty slot
    assert [a.record for a in chosen(theirs, resting={PULL: LATER}, **busy, **HURRY)] == []
    # Nor do they wait for what cannot be begun: it rests after a fault, or the spool has no room for it.
    resting = {Action(Act.PULL, "mine", "s2"): LATER + timedelta(seconds=1)}
    assert [a.record for a in chosen(theirs, mine, resting=resting, **HURRY)] == ["theirs"]
    large = named(mine, "large", due=far, size=100, recorder="B002")
    assert [a.record for a in chosen(named(theirs, "small", size=10), large, room=99, **HURRY)] == ["small"]


def test_what_is_due_soon_or_was_due_waits_for_no_priority_slot():
    for seconds, waits in (
        (-1, False),
        (0, False),
        (NEAR.total_seconds(), False),
        (NEAR.total_seconds() + 0.001, True),
    ):
        theirs = named(LISTED, "theirs", due=(LATER - NOON).total_seconds() + seconds)
        mine = named(LISTED, "mine", recorder="B002", due=10**9)
        assert [a.record for a in chosen(theirs, mine, **HURRY)] == (["mine"] if waits else ["mine", "theirs"]), seconds
    undue = named(life(listed()), "undue")
    assert [a.record for a in chosen(undue, named(LISTED, "mine", recorder="B002"), **HURRY)] == ["mine"]


def test_sealing_and_pushing_wait_for_no_priority_slot():
    far = (LATER - NOON + NEAR).total_seconds() + 1
    mine = named(LISTED, "mine", due=far, recorder="B002")
    for record, action in WANTS[1:]:
        assert set(chosen(named(record, "r1", due=far), mine, **HURRY)) == {action, Action(Act.PULL, "mine", "s2")}


def test_what_waits_for_a_priority_slot_holds_up_nothing_after_it():
    far = (LATER - NOON + NEAR).total_seconds() + 1
    waits, mine = named(LISTED, "waits", due=far), named(LISTED, "mine", due=far, recorder="B002")
    told = chosen(waits, named(life(*SEALED), "push", due=far + 1), mine, **HURRY)
    assert [a.record for a in told] == ["mine", "push"]


def test_a_priority_slot_gets_the_room_first():
    theirs, mine = named(LISTED, "theirs", due=1, size=6), named(LISTED, "mine", due=2, size=6, recorder="B002")
    told = plan(world(theirs, mine, room=10, **HURRY))
    assert ([a.record for a in told.actions], told.missing) == (["mine"], 2)


# --- room ------------------------------------------------------------------------------------------------------------


def test_a_full_spool_stops_pulling_and_pushing_goes_on():
    todo = [named(LISTED, "pull", due=1, size=10), named(PULLED, "seal", due=2), named(life(*SEALED), "push", due=3)]
    for room in (9, 0, -5):
        told = plan(world(*todo, room=room))
        assert [action.record for action in told.actions] == ["seal", "push"]
        assert told.missing == 10 - max(room, 0)


def test_what_just_fits_is_pulled_and_nothing_is_missing():
    told = plan(world(named(LISTED, "a", size=6), named(LISTED, "b", size=4), room=10))
    assert ([a.record for a in told.actions], told.missing) == (["a", "b"], 0)


def test_room_is_shared_by_all_pulls_and_the_missing_is_the_most_urgent_ones():
    big, small = named(LISTED, "big", due=1, size=8), named(LISTED, "small", due=2, size=5)
    told = plan(world(named(LISTED, "first", due=0, size=4), big, small, room=10))
    assert [a.record for a in told.actions] == ["first", "small"]
    assert told.missing == 2


def test_of_several_that_wait_the_most_urgent_one_says_what_is_missing():
    waiting = [named(LISTED, f"r{n}", due=n, size=20 + n) for n in range(3)]
    assert plan(world(*waiting, room=10)).missing == 10


def test_room_for_a_pull_in_flight_is_taken():
    going, next_ = named(LISTED, "going", size=6), named(LISTED, "next", size=6)
    busy = frozenset({Action(Act.PULL, "going", "s1")})
    assert plan(world(going, next_, room=10, busy=busy)) == plan(world(next_, room=4))
    assert [a.record for a in chosen(going, next_, room=12, busy=busy)] == ["next"]
    assert [a.record for a in chosen(next_, room=10, busy=frozenset({Action(Act.PULL, "forgotten", "s1")}))] == ["next"]


def test_what_a_partial_file_holds_already_is_not_needed_again():
    half, whole, over = (named(LISTED, name, size=10) for name in ("half", "whole", "over"))
    held = {"half": 6, "whole": 10, "over": 4096, "forgotten": 99}
    told = plan(world(half, whole, over, room=4, held=held))
    assert ({a.record for a in told.actions}, told.missing) == ({"half", "whole", "over"}, 0)
    assert plan(world(half, room=3, held=held)).missing == 1
    # Of a pull in flight, too, only what is still to come is taken from the room.
    busy = frozenset({Action(Act.PULL, "half", "s1"), Action(Act.PULL, "over", "s1")})
    next_ = named(LISTED, "next", size=6)
    assert chosen(half, over, next_, room=9, held=held, busy=busy) == []
    assert [a.record for a in chosen(half, over, next_, room=10, held=held, busy=busy)] == ["next"]


# --- limits ----------------------------------------------------------------------------------------------------------


def test_one_recorder_gives_only_so_many_files_at_once_and_another_its_own():
    mine = [named(LISTED, f"a{n}", due=n) for n in range(4)]
    theirs = [named(LISTED, f"b{n}", due=n, recorder="B002") for n in range(4)]
    told = chosen(*mine, *theirs, depth=2)
    assert sorted(a.record for a in told) == ["a0", "a1", "b0", "b1"]
    busy = frozenset({Action(Act.PULL, "a0", "s1")})
    assert sorted(a.record for a in chosen(*mine, *theirs, depth=2, busy=busy)) == ["a1", "b0", "b1"]


def test_one_sink_takes_only_so_many_at_once_and_looking_counts_as_pushing():
    pushes = [named(life(*SEALED), f"p{n}", due=n) for n in range(3)]
    look = named(STORED_ONCE, "look", due=-50)
    assert [a.record for a in chosen(*pushes, look, parallel=2)] == ["p0", "p1"]
    assert [a.record for a in chosen(pushes[0], look, parallel=2)] == ["p0", "look"]
    looking = frozenset({Action(Act.LOOK, "x", CENTRE), Action(Act.LOOK, "y", CENTRE)})
    assert chosen(*pushes, parallel=2, busy=looking) == []


def test_a_sink_that_has_its_own_number_keeps_to_it():
    pushes = [named(life(*SEALED), f"p{n}", due=n) for n in range(4)]
    assert [a.record for a in chosen(*pushes, parallel=1, at_once={CENTRE: 3})] == ["p0", "p1", "p2"]
    assert [a.record for a in chosen(*pushes, parallel=3, at_once={CENTRE: 1})] == ["p0"]
    assert [a.record for a in chosen(*pushes, parallel=2, at_once={"another": 1})] == ["p0", "p1"]


def test_a_full_lane_does_not_hold_up_another():
    records = [named(life(*SEALED), f"p{n}", due=n) for n in range(3)] + [named(PULLED, "seal", due=9)]
    assert [a.record for a in chosen(*records, parallel=1)] == ["p0", "seal"]
    mixed = [named(PULLED, "seal", due=1), named(life(*STORED), "release", due=2)]
    assert [a.record for a in chosen(*mixed, parallel=1)] == ["seal", "release"]


# --- all of it, at random --------------------------------------------------------------------------------------------


RECORDS = st.lists(
    st.builds(
        lambda record, due, since, size, recorder: named(
            record, "", due=due, since=since, size=size, recorder=recorder
        ),
        st.sampled_from(
            [record for record, _ in WANTS] + [life(*STORED, INTENDED), life(listed(), obliged(), QUARANTINED)]
        ),
        st.integers(0, 5),
        st.integers(-5, 0),
        st.integers(0, 5),
        st.sampled_from(["A001", "B002"]),
    ),
    max_size=12,
).map(lambda records: [replace(record, id=f"r{n}") for n, record in enumerate(records)])


@given(records=RECORDS, room=st.integers(-3, 20), depth=st.integers(1, 3), parallel=st.integers(1, 3), data=st.data())
def test_every_plan_keeps_its_promises(records, room, depth, parallel, data):
    first = data.draw(st.frozensets(st.sampled_from(["s1", "s2"])))
    now = data.draw(st.sampled_from([LATER, NOON - NEAR + timedelta(seconds=3)]))
    limits = {"room": room, "depth": depth, "parallel": parallel, "first": first, "now": now}
    free = plan(world(*records, now=now)).actions
    busy = frozenset(data.draw(st.sets(st.sampled_from(free), max_size=4))) if free else frozenset()
    given_ = world(*records, **limits, busy=busy)
    told = plan(given_)
    assert len(set(told.actions)) == len(told.actions)
    assert not set(told.actions) & busy
    assert set(told.actions) <= set(free)
    hurried = [a for a in told.actions if a.act in {Act.PULL, Act.SEAL} and given_.docked[a.record] in given_.first]
    dues = {
        a: record.waits_since + timedelta(days=7) if a.act is Act.LOOK else record.due
        for a in told.actions
        if (record := given_.records[a.record])
    }
    keys = [(a not in hurried, dues[a], a.act, given_.records[a.record].listed_at) for a in told.actions]
    assert keys == sorted(keys)
    if any(a.act is Act.PULL and a.place in first for a in (*told.actions, *busy)):
        others = [a for a in told.actions if a.act is Act.PULL and a.place not in first]
        assert all(given_.records[a.record].due <= now + NEAR for a in others)
    pulls = [a for a in (*told.actions, *busy) if a.act is Act.PULL]
    began = [a for a in told.actions if a.act is Act.PULL]
    needed = sum(given_.records[a.record].item.size for a in pulls)
    assert not began or needed <= room
    for place in {a.place for a in told.actions}:
        assert sum(a.place == place for a in pulls) <= max(depth, sum(a.place == place for a in busy))
    # The same world gives the same plan, and starting it all leaves nothing that could still be started.
    assert plan(given_) == told
    after = replace(given_, busy=busy | set(told.actions))
    assert plan(after).actions == ()


def test_ten_thousand_open_records_are_planned_in_a_moment():
    """The loop plans at every tick. The bound is ten times what it takes, to be no finding about a busy machine."""
    import time

    records = [named(LISTED, f"r{n}", due=n % 977, since=-n) for n in range(10_000)]
    full = world(*records, depth=2)
    began = time.process_time()
    assert len(plan(full).actions) == 2
    assert time.process_time() - began < 1.5
