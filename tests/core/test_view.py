"""The lamp keeps the officer's promise, and a view says of a record and a docking exactly what is known."""

from dataclasses import replace
from itertools import product

import pytest
from bwcdock.core import words_zh
from bwcdock.core.clock_setting import english
from bwcdock.core.facts import Condition, Corrected, Drift, Finding, MediaFacts, Severity
from bwcdock.core.record import State as RecordState
from bwcdock.core.rules import Standing
from bwcdock.core.session import ClockSetting, State
from bwcdock.core.statements import Label
from bwcdock.core.view import (
    INCOMPLETE,
    LAMP_ZH,
    STANDING_ZH,
    ClockView,
    FindingView,
    Lamp,
    RecordView,
    SessionView,
    SinkView,
    citation,
    finding_view,
    judge,
    lamp,
    record_view,
    session_view,
    while_changed,
)
from bwcdock.core.words_zh.states import clock_set, fault
from hypothesis import given
from hypothesis import strategies as st
from lives import (
    CENTRE,
    CLEARED,
    DEPARTED,
    DRAINED,
    DRAINING,
    INTENDED,
    LOST,
    MIRROR,
    NOON,
    QUARANTINED,
    RELEASED,
    SEALED,
    STAYS,
    STORED,
    at,
    confirmed,
    copy_bad,
    finding,
    item,
    life,
    listed,
    locked,
    obliged,
    pulled,
    sealed,
    stay,
)

DOCKED = replace(stay(*DRAINING, DRAINED), receipt="d")
SEVERITIES = [(), (Severity.NOTE,), (Severity.WARN,), (Severity.NOTE, Severity.REFUSE)]


# --- the lamp --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", State)
def test_the_whole_truth_table(state):
    for waiting, bad, owed, severities in product((0, 1), (0, 1), (0, 1), SEVERITIES):
        told = tuple(map(finding, severities))
        session = replace(stay(*STAYS[state]), findings=told, receipt="d")
        shown = lamp(session, waiting=waiting, bad=bad, owed=owed)
        sealed_all = state is State.DRAINED and not waiting and not bad
        warned = any(severity is not Severity.NOTE for severity in severities)
        case = (waiting, bad, owed, severities)
        assert (shown in {Lamp.SAFE_TO_TAKE, Lamp.NOTHING_OWED}) == sealed_all, case
        assert (shown is Lamp.NOTHING_OWED) == (sealed_all and not owed and not warned), case
        assert (shown in {Lamp.GONE, Lamp.UNFINISHED}) == (state is State.DEPARTED), case
        # STAYS[DEPARTED] was listed: what it had is in, or it is not.
        assert (shown is Lamp.UNFINISHED) == (state is State.DEPARTED and bool(waiting or bad)), case
        if state in {State.UNCLAIMED, State.REFUSED, State.FAULTED}:
            assert shown is Lamp.ATTENTION, case
        if state in {State.ARRIVED, State.IDENTIFIED, State.CHECKED} and not bad:
            assert shown is Lamp.READING, case
        if state in {State.DRAINING, State.DRAINED} and waiting:
            assert shown is Lamp.PULLING, case
        if state in {State.DRAINING, State.DRAINED} and bad and not waiting:
            assert shown is Lamp.ATTENTION, case


LIVES = {
    "listed": (listed(), obliged()),
    "pulled": (listed(), obliged(), pulled()),
    "sealed": SEALED,
    "sealed, not obliged": (listed(), pulled(), sealed()),
    "stored": STORED,
    "released": (*STORED, INTENDED, RELEASED),
    "a copy bad, one left": (*STORED, copy_bad(CENTRE)),
    "the last copy bad": (*SEALED, copy_bad()),
    "quarantined": (listed(), obliged(), QUARANTINED),
    "cleared": (listed(), obliged(), QUARANTINED, CLEARED),
    "lost": (listed(), obliged(), LOST),
    "one more sink owed": (*STORED, obliged(sinks=(CENTRE, MIRROR))),
}
PROVEN = {"sealed", "sealed, not obliged", "stored", "released", "a copy bad, one left", "one more sink owed"}
DONE = {"stored", "released"}


@given(names=st.lists(st.sampled_from(sorted(LIVES)), max_size=5), severity=st.sampled_from([None, *Severity]))
def test_safe_to_take_means_every_record_is_proven_and_nothing_owed_that_each_is_in_central_storage(names, severity):
    mine = {f"r{n}": replace(life(*LIVES[name]), id=f"r{n}") for n, name in enumerate(names)}
    session = replace(DOCKED, records=tuple(mine), findings=(finding(severity),) if severity else ())
    shown = session_view(session, mine, {}).lamp
    assert (shown in {Lamp.SAFE_TO_TAKE, Lamp.NOTHING_OWED}) == (set(names) <= PROVEN)
    clean = severity in {None, Severity.NOTE}
    assert (shown is Lamp.NOTHING_OWED) == (set(names) <= DONE and clean)
    still_draining = replace(session, state=State.DRAINING)
    assert session_view(still_draining, mine, {}).lamp in {Lamp.PULLING, Lamp.ATTENTION}


def test_each_lamp_and_standing_has_its_chinese_word():
    assert set(LAMP_ZH) == set(Lamp)
    assert set(STANDING_ZH) == set(Standing)
    assert len(set(LAMP_ZH.values())) == len(Lamp)
    assert len(set(STANDING_ZH.values())) == len(Standing)


def test_nothing_is_owed_only_when_the_receipt_is_in_central_storage_too():
    assert lamp(DOCKED, waiting=0, bad=0, owed=0) is Lamp.NOTHING_OWED
    assert lamp(replace(DOCKED, receipt=""), waiting=0, bad=0, owed=0) is Lamp.SAFE_TO_TAKE


@pytest.mark.parametrize("code", sorted(INCOMPLETE))
def test_a_listing_that_is_not_complete_is_never_settled(code):
    """What was not listed is not known to be owed: somebody must look, and is told at what."""
    session = replace(DOCKED, findings=(finding(), replace(finding(code=code), remedy="Look at it.")))
    view = session_view(session, {}, {})
    assert (view.lamp, view.do, view.ready) == (Lamp.ATTENTION, "Look at it.", False)
    gone = replace(session, state=State.DEPARTED)
    assert session_view(gone, {}, {}).lamp is Lamp.UNFINISHED
    for state in (State.IDENTIFIED, State.CHECKED):  # known before anything is listed
        assert session_view(replace(session, state=state), {}, {}).lamp is Lamp.READING
    noted = replace(session, findings=(finding(Severity.NOTE, code=code),))
    assert session_view(noted, {}, {}).lamp is Lamp.NOTHING_OWED


LEFT = {
    "faulted": ((*STAYS[State.FAULTED],), ("listed",), Lamp.UNFINISHED, "Dock it again."),
    "unclaimed": ((*STAYS[State.UNCLAIMED],), (), Lamp.UNFINISHED, "dock it again"),
    "refused": ((*STAYS[State.REFUSED],), (), Lamp.UNFINISHED, "What to do."),
    "not listed": ((*STAYS[State.CHECKED],), (), Lamp.UNFINISHED, "it resumes"),
    "not drained": (DRAINING, ("listed",), Lamp.UNFINISHED, "Not everything was brought in (taken away)"),
    "one set apart": ((*DRAINING, DRAINED), ("quarantined",), Lamp.UNFINISHED, "call the custodian"),
    "drained": ((*DRAINING, DRAINED), ("sealed",), Lamp.GONE, ""),
    "brought in since": (DRAINING, ("stored",), Lamp.GONE, ""),
}


@pytest.mark.parametrize("how", LEFT)
def test_what_left_with_something_says_so_and_why(how):
    facts, names, shown, said = LEFT[how]
    mine = {f"r{n}": replace(life(*LIVES[name]), id=f"r{n}") for n, name in enumerate(names)}
    session = replace(stay(*facts, DEPARTED), records=tuple(mine))
    view = session_view(session, mine, {})
    assert view.lamp is shown
    assert said in view.do if said else view.do == ""


# --- a docking -------------------------------------------------------------------------------------------------------


@given(names=st.lists(st.sampled_from(sorted(LIVES)), max_size=6), part=st.integers(0, 1000))
def test_the_figures_of_a_docking_add_up(names, part):
    mine = {f"r{n}": replace(life(*LIVES[name]), id=f"r{n}") for n, name in enumerate(names)}
    session = replace(DOCKED, records=tuple(mine), size=1000 * len(mine))
    partial = {rid: part for rid, record in mine.items() if record.state is RecordState.LISTED}
    view = session_view(session, mine, partial)
    waiting = sum(record.state in {RecordState.LISTED, RecordState.PULLED} for record in mine.values())
    assert view.sealed + view.quarantined + waiting == view.files == len(names)
    assert view.owed >= view.quarantined + waiting
    assert view.owed == sum(not record.finished for record in mine.values())
    assert view.moved == view.bytes - len(partial) * (1000 - part)
    assert 0 <= view.moved <= view.bytes


def test_a_record_that_is_not_given_is_finished():
    session = replace(DOCKED, records=("r1", "r2"))
    view = session_view(session, {}, {})
    assert (view.sealed, view.owed, view.lamp) == (2, 0, Lamp.NOTHING_OWED)


def test_what_the_recorder_said_of_itself_is_shown_with_its_doubt():
    drift = Drift(method="newest-file", offset_ms=-90_500, uncertainty_ms=2000, read_at=NOON, bound="at_least")
    condition = Condition(battery=7, storage_free=1, storage_total=2, drift=drift)
    view = session_view(replace(DOCKED, condition=condition), {}, {})
    assert (view.battery, view.storage_free, view.storage_total) == (7, 1, 2)
    assert (view.drift_s, view.drift_uncertainty_s, view.drift_method) == (-90.5, 2.0, "newest-file (at least)")
    exact = replace(condition, drift=replace(drift, bound="exact"))
    assert session_view(replace(DOCKED, condition=exact), {}, {}).drift_method == "newest-file"
    silent = session_view(replace(DOCKED, condition=None), {}, {})
    assert (silent.battery, silent.drift_s, silent.drift_method) == (None, None, "")


@pytest.mark.parametrize(
    ("codes", "severity", "lacks", "untold"),
    [
        ((), Severity.WARN, (), ()),
        (("battery.low",), Severity.WARN, ("battery",), ()),
        (("storage.low", "clock.drift", "battery.low"), Severity.WARN, ("battery", "storage", "clock"), ()),
        (("clock.drift",), Severity.NOTE, (), ()),  # within what a day may bring
        (("clock.unknown", "battery.unknown"), Severity.NOTE, (), ("battery", "clock")),
        (("clock.file.refused",), Severity.WARN, ("clock",), ()),
        (("sequence.hole",), Severity.WARN, (), ()),  # says nothing about the next duty
    ],
)
def test_it_is_ready_to_issue_only_when_battery_room_and_clock_are_right_and_else_says_what_is_missing(
    codes, severity, lacks, untold
):
    findings = tuple(finding(severity, code=code) for code in codes)
    view = session_view(replace(DOCKED, findings=findings), {}, {})
    assert (view.ready, view.lacks, view.untold) == (not lacks, lacks, untold)


def test_it_is_not_ready_to_issue_before_it_is_drained_or_with_something_set_apart():
    for state in set(State) - {State.DRAINED}:
        assert not session_view(replace(DOCKED, state=state), {}, {}).ready, state
    bad = replace(life(*LIVES["quarantined"]), id="r1")
    assert not session_view(replace(DOCKED, records=("r1",)), {"r1": bad}, {}).ready


def test_a_docking_with_all_there_is_to_say():
    drift = Drift(method="protocol", offset_ms=90_500, uncertainty_ms=2000, read_at=NOON)
    weak = finding(code="battery.low")
    mine = {f"r{n}": replace(life(*LIVES[name]), id=f"r{n}") for n, name in enumerate(("listed", "pulled", "sealed"))}
    session = replace(
        DOCKED, records=(*mine, "finished"), size=4000, known=5, fault="read: It hung.", fault_hint="Dock it again.",
        condition=Condition(battery=7, storage_free=1, storage_total=2, drift=drift), findings=(weak,),
        clock=ClockSetting(how="protocol", before=drift, stands="taken", intended_at=NOON), departed_at=at(9),
    )  # fmt: skip
    told = fault(session.fault)
    assert session_view(session, mine, {"r0": 400, "r1": 300}) == SessionView(
        session="s1", recorder="A001", port="usb-1", slot=3, state="drained", lamp=Lamp.PULLING, files=4, bytes=4000,
        known=5, moved=3400, sealed=2, quarantined=0, owed=3, arrived_at=NOON, departed_at=at(9), drift_s=90.5,
        drift_uncertainty_s=2.0, drift_method="protocol", battery=7, storage_free=1, storage_total=2,
        findings=(finding_view(weak),), do="Dock it again.", receipt="d", lacks=("battery",), fault="read: It hung.",
        fault_zh=told.what, do_zh=told.do, lacks_zh=("电量",), clock_set=english(session.clock),
        clock_set_zh=clock_set(session.clock),
    )  # fmt: skip
    untold = replace(DOCKED, findings=(finding(Severity.NOTE, code="clock.unknown"),))
    told = session_view(untold, {}, {})
    assert (told.untold_zh, told.clock_set, told.clock_set_zh) == (("时钟",), "", "")


def test_more_than_there_is_was_not_brought_in():
    record = replace(life(*LIVES["listed"]), item=item(size=9000))
    assert session_view(replace(DOCKED, records=("r1",), size=1000), {"r1": record}, {}).moved == 0
    nothing_yet = replace(DOCKED, records=("r1",), size=1000)
    assert session_view(nothing_yet, {"r1": life(*LIVES["listed"])}, {}).moved == 0


def test_where_it_is_and_since_when():
    view = session_view(stay(*STAYS[State.DEPARTED]), {}, {})
    assert (view.session, view.recorder, view.port, view.slot) == ("s1", "A001", "usb-1", 3)
    assert (view.arrived_at, view.departed_at, view.state) == (NOON, at(5), "departed")


@pytest.mark.parametrize(
    ("session", "records", "said"),
    [
        (stay(*STAYS[State.FAULTED]), {}, "Dock it again."),
        (replace(stay(*STAYS[State.FAULTED]), fault_hint=""), {}, "call the custodian"),
        (stay(*STAYS[State.UNCLAIMED]), {}, "dock it again"),
        (DOCKED, {"r1": life(*LIVES["quarantined"])}, "1 recording(s)"),
        (replace(DOCKED, findings=(finding(Severity.NOTE), finding())), {}, "What to do."),
    ],
)
def test_the_one_thing_to_do(session, records, said):
    assert said in session_view(session, records, {}).do


def test_nothing_to_do_is_said_by_saying_nothing():
    assert session_view(replace(DOCKED, findings=(finding(Severity.NOTE),)), {}, {}).do == ""


# --- a record --------------------------------------------------------------------------------------------------------


def test_a_record_before_the_pack_has_spoken():
    view = record_view(life(listed()), [], NOON, 0.25)
    assert (view.verdict, view.due, view.article, view.sinks, view.sha256) == ("", None, "", (), "")
    assert (view.keep_until, view.permanent, view.seconds_left, view.quote) == (None, False, None, "")
    assert judge(life(listed()), NOON, 0.25) is None


def test_a_record_with_all_there_is_to_say():
    label = Label(
        tags=frozenset({"dispute", "case"}), case="案1", category="占道", parties=("甲",), place="广场", event="投诉",
        sensitive="privacy",
    )  # fmt: skip
    owed = obliged(due=at(7200), permanent=True, keep_until=at(9), rests_on=(("regulation", "某规定"),)).obligation
    record = replace(
        life(*STORED, locked(until=at(99), hold=True)),
        item=item(officer="060213", markers=("important",)),
        corrected=Corrected(start=NOON, end=at(60), method="plug-file", offset_ms=-1500, uncertainty_ms=2500),
        media=MediaFacts(container="mp4", duration_ms=60_250, truncated=True),
        obligation=owed,
        label=label,
        excuse="堵车",
    )
    assert record_view(record, [finding()], at(100), 0.25) == RecordView(
        id="r1", recorder="A001", path="DCIM/a.MP4", size=1000, sha256="a" * 64, blake3="a" * 64, state="sealed",
        recorded_start=NOON, recorded_end=at(60),
        clock=ClockView(method="plug-file", offset_s=-1.5, uncertainty_s=2.5),
        due=at(7200), article="S4 第十三条", verdict="met", keep_until=at(9), permanent=True,
        sinks=(
            SinkView(
                name=CENTRE, confirmed_at=at(4), key="k/r1", looked_again_at=at(5), locked_until=at(99),
                locked_hold=True,
            ),
        ),
        findings=(finding_view(finding()),), officer="060213", kind="video", markers=("important",), duration_s=60.25,
        truncated=True, sealed_at=at(3), sessions=("s1",), seconds_left=7196, quote="…", regulation="某规定",
        excuse="堵车", tags=("case", "dispute"), case="案1", category="占道", parties=("甲",), place="广场",
        event="投诉",
        sensitive="privacy",
    )  # fmt: skip


def test_a_record_of_which_little_is_known_says_so_and_nothing_else():
    unlocked = record_view(life(*STORED), [], NOON, 0.25)
    assert [(s.locked_until, s.locked_hold) for s in unlocked.sinks] == [(None, False)]
    assert (unlocked.regulation, unlocked.duration_s, unlocked.truncated) == ("", None, False)
    bare = record_view(replace(life(listed()), media=None), [], NOON, 0.25)
    assert (bare.duration_s, bare.truncated, bare.regulation, bare.blake3) == (None, False, "", "")
    waits = record_view(life(listed(), obliged(permanent=False)), [], NOON, 0.25)
    assert waits.sinks == (SinkView(name=CENTRE, confirmed_at=None),)
    assert waits.permanent is False


def test_an_article_is_cited_with_the_title_of_its_regulation():
    assert citation("S4 第十七条", "某规定") == "《某规定》第十七条"
    assert citation("S4 第十七条 第一款", "某规定") == "《某规定》第十七条 第一款"
    assert citation("S4 第十七条", "") == "S4 第十七条"


def test_a_finding_is_shown_with_its_words_in_both_languages():
    told = finding_view(finding(code="battery.low"), "r1")
    said = words_zh.said(finding(code="battery.low"))
    assert told == FindingView(
        severity=Severity.WARN, code="battery.low", what=finding().what, remedy=finding().remedy, about="r1",
        title_zh=said.title, what_zh=said.what, remedy_zh=said.do,
    )  # fmt: skip
    assert finding_view(finding()).about == ""


def test_sinks_that_owe_and_sinks_that_hold_are_each_named_once():
    record = life(listed(), obliged(sinks=(CENTRE, MIRROR)), pulled(), sealed(), confirmed(MIRROR), confirmed("old"))
    sinks = record_view(record, [], NOON, 0.25).sinks
    assert [(s.name, s.confirmed_at is not None) for s in sinks] == [(CENTRE, False), (MIRROR, True), ("old", True)]


def test_why_a_record_was_set_aside_comes_first():
    view = record_view(life(listed(), QUARANTINED), [finding()], NOON, 0.25)
    apart = Finding(severity=Severity.WARN, code="quarantined.unreadable", what="A bad block.", remedy="Dock it again.")
    assert view.findings[0] == finding_view(apart)
    assert len(view.findings) == 2


@pytest.mark.parametrize(
    ("facts", "now", "verdict"),
    [
        (SEALED, at(100), "not_due"),
        (SEALED, at(86_400 * 0.8), "at_risk"),
        (SEALED, at(86_400), "overdue"),  # at the moment it is due, it is too late
        (STORED, at(86_400 * 9), "met"),
        ((listed(), obliged(due=at(4)), pulled(), sealed(), confirmed()), at(100), "late"),
        ((listed(), obliged(due=at(4), met_by="sealed"), pulled(), sealed()), at(100), "met"),
    ],
)
def test_the_verdict_is_the_one_of_the_rules(facts, now, verdict):
    assert record_view(life(*facts), [], now, 0.25).verdict == verdict
    excused = record_view(replace(life(*facts), excuse="堵车"), [], now, 0.25).verdict
    assert excused == ("excused" if verdict in {"overdue", "late"} else verdict)


@pytest.mark.parametrize("lamp_", Lamp)
def test_while_something_is_written_to_it_nobody_is_told_that_he_may_take_it(lamp_):
    view = replace(session_view(DOCKED, {}, {}), lamp=lamp_, ready=True)
    changed = while_changed(view)
    if lamp_ in {Lamp.SAFE_TO_TAKE, Lamp.NOTHING_OWED}:
        assert (changed.lamp, LAMP_ZH[changed.lamp], changed.ready) == (Lamp.WAIT, "请稍候", False)
        assert "leave it in" in changed.do
        assert "请等它写完" in changed.do_zh
        assert replace(changed, lamp=lamp_, ready=True, do=view.do, do_zh=view.do_zh) == view
    else:
        assert changed == view
