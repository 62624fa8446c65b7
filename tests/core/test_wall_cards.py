"""The slot wall: every docking is one card with one state, and a promise is made only where the lamp makes it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from bwcdock.core.live import DueView, LiveView, MovingView, QueueView, RoomView, together
from bwcdock.core.view import Lamp, SessionView
from bwcdock.core.wall import GONE_FOR, PROMISES, Card, Custody, Place, Shows, Strip, masked, places, shown, strip, wall
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
DOCKED = SessionView(
    session="5e55", recorder="F1-0001", port="usb-1", slot=3, state="drained", lamp=Lamp.NOTHING_OWED, files=4,
    bytes=4000, known=0, moved=4000, sealed=4, quarantined=0, owed=0, arrived_at=NOON, departed_at=None, drift_s=0.5,
    drift_uncertainty_s=0.1, drift_method="protocol", battery=80, storage_free=1, storage_total=2, findings=(),
    receipt="d" * 64,
)  # fmt: skip
GONE = replace(DOCKED, lamp=Lamp.GONE, state="departed", departed_at=NOON)
FREE, HELD = Custody(state="in_service"), Custody(state="in_service", holder="002", name="李警官")


def live(*sessions: SessionView, gone: tuple[SessionView, ...] = (), **more: object) -> LiveView:
    return LiveView(pid=1, at=NOON, sessions=sessions, gone=gone, **more)  # type: ignore[arg-type]


def card(
    *sessions: SessionView, gone: tuple[SessionView, ...] = (), of: Custody | None = None, at: datetime = NOON
) -> Card:
    custody = {"F1-0001": of} if of else {}
    return wall(places([3], []), live(*sessions, gone=gone), custody, at)[0]


# --- one state ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lamp", "shows"),
    [
        (Lamp.READING, Shows.READING),
        (Lamp.PULLING, Shows.PULLING),
        (Lamp.SAFE_TO_TAKE, Shows.SAFE),
        (Lamp.NOTHING_OWED, Shows.SETTLED),
        (Lamp.WAIT, Shows.WAIT),
        (Lamp.ATTENTION, Shows.ATTENTION),
        (Lamp.GONE, Shows.GONE),
        (Lamp.UNFINISHED, Shows.UNFINISHED),
    ],
)
def test_each_lamp_is_one_state(lamp, shows):
    assert shown(replace(DOCKED, lamp=lamp), None) is shows


@given(
    lamp=st.sampled_from(Lamp),
    quarantined=st.integers(0, 3),
    ready=st.booleans(),
    state=st.sampled_from(["in_service", "repair", "lost", "stolen", "retired"]),
    holder=st.sampled_from(["", "002"]),
    known=st.booleans(),
)
def test_a_promise_is_made_only_where_the_lamp_makes_it(lamp, quarantined, ready, state, holder, known):
    docked = replace(DOCKED, lamp=lamp, quarantined=quarantined, ready=ready)
    shows = shown(docked, Custody(state=state, holder=holder) if known else None)
    assert isinstance(shows, Shows)
    if shows in PROMISES:
        assert lamp in {Lamp.SAFE_TO_TAKE, Lamp.NOTHING_OWED}
    if shows in {Shows.SETTLED, Shows.READY}:
        assert lamp is Lamp.NOTHING_OWED
    if shows is Shows.READY:
        assert ready
        assert not holder


def test_nothing_is_promised_while_no_daemon_answers():
    shown_ = wall(places([1, 2], [(None, "drop", "drop:1:")]), None, {}, NOON)
    assert {card.shows for card in shown_} == {Shows.UNKNOWN}
    assert [card.place.key for card in shown_] == ["s1", "s2"]


def test_a_slot_without_anything_is_empty():
    assert card().shows is Shows.EMPTY


def test_what_is_settled_is_ready_once_it_was_given_back_and_lacks_nothing():
    ready = replace(DOCKED, ready=True)
    assert card(ready, of=HELD).shows is Shows.SETTLED  # its holder wants his receipt
    assert (card(ready, of=HELD).custody, card(ready).custody) == (HELD, None)
    assert card(ready, of=FREE).shows is Shows.READY
    assert card(ready).shows is Shows.SETTLED  # the register does not know it
    assert card(DOCKED, of=FREE).shows is Shows.SETTLED  # its battery is low
    assert card(ready, of=Custody(state="repair")).shows is Shows.SETTLED


def test_footage_that_could_not_be_proven_is_an_alarm_and_so_is_a_recorder_that_is_looked_for():
    assert card(replace(DOCKED, lamp=Lamp.ATTENTION)).shows is Shows.ATTENTION
    assert card(replace(DOCKED, lamp=Lamp.ATTENTION, quarantined=1)).shows is Shows.ALARM
    for state in ("lost", "stolen"):
        assert card(DOCKED, of=Custody(state=state)).shows is Shows.ALARM


# --- places ------------------------------------------------------------------------------------------------------


def test_places_are_in_the_order_of_the_dock_and_folders_without_a_slot_come_after():
    known = places([4, 2], [(None, "inbox", "drop:1:"), (3, "shelf", "drop:2:"), (2, "other", "drop:3:")])
    assert known == (
        Place(key="s2", slot=2, name="other"),
        Place(key="s3", slot=3, name="shelf"),
        Place(key="s4", slot=4, name=""),
        Place(key="d1", slot=None, name="inbox", prefix="drop:1:"),
    )


def test_what_is_docked_at_no_known_place_comes_last():
    inbox = replace(DOCKED, session="a", slot=None, port="drop:1:card", arrived_at=NOON - timedelta(minutes=1))
    second = replace(DOCKED, session="b", slot=None, port="drop:1:more")
    anywhere = replace(DOCKED, session="c", slot=None, port="pci-0000:00:14.0-usb-0:1.2")
    beyond = replace(DOCKED, session="d", slot=9)
    cards = wall(places([3], [(None, "inbox", "drop:1:")]), live(beyond, anywhere, second, inbox), {}, NOON)
    assert [(card.place.key, card.place.slot, card.session and card.session.session) for card in cards] == [
        ("s3", 3, None), ("d1", None, "a"), ("pd", 9, "d"), ("pc", None, "c"), ("pb", None, "b"),
    ]  # fmt: skip
    assert [card.place.name for card in cards[3:]] == ["1.2", "more"]
    assert len({card.place.key for card in cards}) == len(cards)


def test_a_folder_shows_only_what_is_docked_in_it_and_at_no_slot():
    known = places([], [(None, "inbox", "drop:1:")])
    for elsewhere in (replace(DOCKED, slot=None, port="drop:2:card"), replace(DOCKED, slot=9, port="drop:1:card")):
        cards = wall(known, live(elsewhere), {}, NOON)
        assert [(card.place.key, card.session) for card in cards] == [("d1", None), ("p5e55", elsewhere)]


def test_an_empty_folder_is_shown_only_where_there_are_no_slots():
    inbox = (None, "inbox", "drop:1:")
    assert [card.place.key for card in wall(places([3], [inbox]), live(), {}, NOON)] == ["s3"]
    assert [card.place.key for card in wall(places([], [inbox]), live(), {}, NOON)] == ["d1"]


def test_a_departure_is_shown_for_a_minute_and_the_newest_of_several():
    earlier = replace(GONE, session="before", lamp=Lamp.UNFINISHED, departed_at=NOON - timedelta(seconds=5))
    assert card(gone=(earlier, GONE)).shows is Shows.GONE
    assert card(gone=(GONE, earlier)).shows is Shows.GONE
    assert card(gone=(earlier,)).shows is Shows.UNFINISHED
    assert card(gone=(GONE,), at=NOON + GONE_FOR - timedelta(seconds=1)).shows is Shows.GONE
    assert card(gone=(GONE,), at=NOON + GONE_FOR).shows is Shows.EMPTY


def test_what_is_docked_now_hides_what_went():
    assert card(replace(DOCKED, lamp=Lamp.READING), gone=(GONE,)).shows is Shows.READING


# --- what is beside it -------------------------------------------------------------------------------------------


def test_all_bytes_are_there_only_when_all_are():
    assert card(replace(DOCKED, moved=3999)).percent == 99
    assert card(DOCKED).percent == 100
    assert card(replace(DOCKED, bytes=0, moved=0)).percent == 0
    assert card().percent == 0


def due(verdict: str, count: int = 1, minutes: int = 0, article: str = "S4 第十七条") -> DueView:
    return DueView(verdict=verdict, count=count, article=article, due=NOON + timedelta(minutes=minutes))


def test_what_stands_alike_is_told_as_one_and_the_worst_first():
    told = together([due("at_risk", minutes=9), due("late"), due("at_risk", minutes=4), due("overdue")])
    assert [(one.verdict, one.count, one.due) for one in told] == [
        ("overdue", 1, NOON), ("late", 1, NOON), ("at_risk", 2, NOON + timedelta(minutes=4)),
    ]  # fmt: skip


def test_the_strip_counts_what_presses_and_says_who_answers():
    moving = MovingView(session="5e55", due=(due("overdue", 2), due("late"), due("at_risk", 4)))
    view = live(DOCKED, moving=(moving,), clock="unvouched: nobody sets it")
    told = strip(view, wall(places([3], []), view, {}, NOON), runs=True)
    assert (told.late, told.risk, told.vouched, told.answers) == (3, 4, False, True)
    room = RoomView(free=9, total=10, reserve=1)
    sinks = (QueueView(name="centre"),)
    full = live(DOCKED, spool=room, sinks=sinks, clock="ntp", version="1.2")
    assert strip(full, (), runs=True, days=3) == Strip(
        runs=True, answers=True, sinks=sinks, spool=room, days=3, clock="ntp", version="1.2"
    )
    assert not strip(full, (), runs=False).runs
    assert strip(view, (), runs=True, days=3).days is None  # it says nothing of the spool that is looked at now
    silent = strip(None, (), runs=True)
    assert (silent.runs, silent.answers, silent.vouched) == (True, False, True)


@pytest.mark.parametrize(
    ("name", "told"),
    [("李警官", "李**"), ("欧阳修", "欧阳**"), ("王五", "王**"), ("单于", "单**"), ("Smith", "S**"), ("", "")],
)
def test_of_a_name_only_the_family_name_is_shown(name, told):
    assert masked(name) == told
