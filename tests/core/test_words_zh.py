"""Officers read what was found in Chinese: by code and evidence, whatever the English says."""

from dataclasses import replace

import pytest
from bwcdock.core import checks, words_zh
from bwcdock.core.facts import Condition, Drift, Finding, Identity, Severity
from bwcdock.core.record import State as RecordState
from bwcdock.core.session import State as SessionState
from bwcdock.core.todo import Do, Todo, chinese, choose, english
from bwcdock.core.view import finding_view, session_view
from bwcdock.core.words_zh.states import FAULT_ZH, FAULTED_ZH, RECORD_STATE_ZH, SESSION_STATE_ZH, UNCLAIMED_ZH, fault
from bwcdock.core.words_zh.values import span
from hypothesis import given
from hypothesis import strategies as st
from lives import DEPARTED, DRAINED, DRAINING, NOON, QUARANTINED, STAYS, finding, life, listed, obliged, stay

WHO = Identity(serial="A001", basis="label")


def told(code: str, **evidence: str) -> Finding:
    return replace(finding(code=code), evidence=tuple(evidence.items()))


def found_of(condition: Condition) -> dict[str, Finding]:
    return {found.code: found for found in checks.assess(WHO, condition, checks.Limits(), NOON)}


def test_a_clock_that_is_off_is_told_with_how_far_and_how_that_is_known():
    drift = Drift(method="plug-file", offset_ms=-95_000, uncertainty_ms=2500, read_at=NOON)
    said = words_zh.said(found_of(Condition(drift=drift))["clock.drift"])
    assert said == (
        "时钟偏差",
        "记录仪的时钟慢 1 分 35 秒（误差 ±2.5 秒，接入时设备所写文件）。",
        "请在再次领用前校时。",
    )
    ahead = Drift(method="newest-file", offset_ms=90_000_000, uncertainty_ms=0, read_at=NOON, bound="at_least")
    assert words_zh.said(found_of(Condition(drift=ahead))["clock.ahead"]).what == (
        "记录仪的时钟至少快 1 天 1 小时，可能更多。"
    )
    zone = Drift(method="protocol", offset_ms=8 * 3_600_000, uncertainty_ms=0, read_at=NOON)
    assert words_zh.said(found_of(Condition(drift=zone))["clock.zone"]).what.startswith("记录仪的时钟相差 +8 小时，")


def test_battery_and_room_are_told_in_the_units_of_people():
    found = found_of(Condition(battery=7, storage_free=1_500_000_000, storage_total=64_000_000_000))
    assert words_zh.said(found["battery.low"]).what == "记录仪电量为 7%，低于 20%。"
    assert words_zh.said(found["storage.low"]).what == "记录仪只剩 1.5 GB 存储空间，低于 6.4 GB。"


@pytest.mark.parametrize(
    ("code", "title", "what"),
    [
        ("sink.down.centre", "集中存储连不上", "集中存储“centre”连接不上。"),
        ("sink.down.a.b", "集中存储连不上", "集中存储“a.b”连接不上。"),
        ("sink.down.{0.__class__}", "集中存储连不上", "集中存储“{0.__class__}”连接不上。"),
        ("copy.bad.spool", "副本损坏", "存放在“采集站”的副本损坏或丢失。"),
        ("copy.bad.centre", "副本损坏", "存放在“centre”的副本损坏或丢失。"),
        ("clock.of-another-driver", "时钟异常", "记录仪的时钟有异常。"),
        ("never.heard", "其他", "有未列明的问题。"),
        ("", "其他", "有未列明的问题。"),
    ],
)
def test_a_code_is_told_by_as_much_of_it_as_is_known(code, title, what):
    assert words_zh.said(told(code))[:2] == (title, what)
    assert words_zh.title(code) == title


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"percent": "7"},
        {"offset_s": "fast", "uncertainty_s": "1", "method": "gps"},
        {"offset_s": "inf", "uncertainty_s": "1", "method": "gps"},
        {"free": "much", "limit": "1"},
    ],
)
@pytest.mark.parametrize("code", ["clock.drift", "battery.low", "storage.low"])
def test_where_the_evidence_lacks_something_the_sentence_does_without(code, evidence):
    assert words_zh.said(told(code, **evidence)).what == words_zh.FINDINGS[code].what


@given(code=st.sampled_from(sorted(words_zh.FINDINGS)), pairs=st.lists(st.tuples(st.text(), st.text())))
def test_whatever_a_recorder_says_there_is_a_sentence(code, pairs):
    said = words_zh.said(replace(finding(code=code), evidence=tuple(pairs)))
    assert all(said)


def test_text_of_a_recorder_is_put_in_as_it_is():
    said = words_zh.said(told("drop.link", path="{path}{0}%s"))
    assert said.what == "采集文件夹里的“{path}{0}%s”是链接，没有采集。"


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (0, "0 秒"),
        (-400, "0.4 秒"),
        (9_999, "9.999 秒"),
        (60_000, "1 分"),
        (95_000, "1 分 35 秒"),
        (90_061_000, "1 天 1 小时"),
    ],
)
def test_a_span(ms, shown):
    assert span(ms) == shown


def test_each_state_has_its_word():
    assert set(RECORD_STATE_ZH) == set(RecordState)
    assert set(SESSION_STATE_ZH) == set(SessionState)
    assert len(set(RECORD_STATE_ZH.values())) == len(RecordState)
    assert len(set(SESSION_STATE_ZH.values())) == len(SessionState)


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ("open: Nothing on this card can be read: it is torn.", FAULT_ZH["open"]),
        ("lane usb-1: It did not answer within 30 s.", FAULT_ZH["lane"]),
        ("polish: A driver of another maker.", FAULTED_ZH),
        ("no driver knows it", UNCLAIMED_ZH),
    ],
)
def test_a_fault_is_told_by_what_was_being_done(kept, words):
    assert fault(kept) is words


# --- views ------------------------------------------------------------------------------------------------------------


def test_a_finding_is_shown_in_both_languages():
    view = finding_view(told("battery.low", percent="7", limit_percent="20"), about="station")
    assert (view.what, view.remedy, view.about) == ("What it is.", "What to do.", "station")
    assert (view.title_zh, view.what_zh) == ("电量不足", "记录仪电量为 7%，低于 20%。")
    assert view.remedy_zh == "请留在采集站上充电，充足后再领用。"


BAD = {"r1": life(listed(), obliged(), QUARANTINED)}
WAITS = {"r1": life(listed(), obliged())}
LACKING = replace(stay(*DRAINING, DRAINED), findings=(finding(code="battery.low"),))
CHOSEN = {
    "mend": (stay(*STAYS[SessionState.FAULTED]), {}, Do.MEND, "Dock it again.", "重新插入"),
    "unknown": (stay(*STAYS[SessionState.UNCLAIMED]), {}, Do.MEND, "dock it again", "请确认插入的是执法记录仪"),
    "keep": (replace(stay(*DRAINING, DRAINED), records=("r1",)), BAD, Do.KEEP, "1 recording(s)", "有 1 个文件"),
    "resume": (replace(stay(*DRAINING, DEPARTED), records=("r1",)), WAITS, Do.DOCK_AGAIN, "it resumes", "接着采集"),
    "follow": (LACKING, {}, Do.FOLLOW, "What to do.", "请留在采集站上充电，充足后再领用。"),
    "nothing": (replace(stay(*DRAINING, DRAINED), findings=(finding(Severity.NOTE),)), {}, Do.NOTHING, "", ""),
}


@pytest.mark.parametrize("how", CHOSEN)
def test_the_one_thing_to_do_is_chosen_once_and_said_twice(how):
    session, records, do, said, said_zh = CHOSEN[how]
    view = session_view(session, records, {})
    bad = sum(record.quarantine != "" for record in records.values())
    assert choose(session, waiting=len(records) - bad, bad=bad, unlisted=()).do is do
    assert said in view.do
    assert said_zh in view.do_zh
    assert bool(view.do) == bool(view.do_zh)


@pytest.mark.parametrize("do", Do)
def test_every_choice_is_said_in_both_languages_or_in_none(do):
    whole = Todo(do=do, count=2, finding=finding() if do is Do.FOLLOW else None, fault="open: no.", hint="Mend it.")
    assert bool(english(whole)) == bool(chinese(whole)) == (do is not Do.NOTHING)


def test_a_docking_says_to_officers_what_failed_what_it_lacks_and_what_it_does_not_tell():
    failed = session_view(stay(*STAYS[SessionState.FAULTED]), {}, {})
    assert failed.fault
    assert failed.fault_zh == fault(failed.fault).what
    findings = (finding(code="clock.drift"), finding(Severity.NOTE, code="battery.unknown"))
    view = session_view(replace(LACKING, findings=findings), {}, {})
    assert (view.lacks_zh, view.untold_zh) == (("时钟",), ("电量",))
    assert (view.fault, view.fault_zh) == ("", "")
