"""When a clock is set, every reason why it is not, and what a clock that is measured afterwards tells."""

from dataclasses import replace
from datetime import timedelta

import pytest
from bwcdock.core.clock_setting import Terms, came_of, english, why_not
from bwcdock.core.facts import Drift
from bwcdock.core.session import ClockSetting, State
from bwcdock.core.words_zh.states import clock_set
from hypothesis import given
from hypothesis import strategies as st
from lives import CLOCK_INTENDED, DRAINED, DRAINING, NOON, STAYS, stay

ON = Terms(enabled=True, beyond_ms=3_000, file_beyond_ms=86_400_000)
FAST = Drift(method="protocol", offset_ms=90_000, uncertainty_ms=20, read_at=NOON)
WELL, ILL = "synchronised, wrong by at most 1 ms", "unvouched: the kernel knows no time source"
DAY_MS = 86_400_000


def drift(offset_ms, **changes):
    return replace(FAST, offset_ms=offset_ms, **changes)


def asked(*, session=None, of=FAST, terms=ON, how="protocol", station=WELL, now=NOON):
    return why_not(session or stay(*DRAINING, DRAINED), of, terms, how=how, station=station, now=now)


def test_a_drained_recorder_whose_clock_is_off_is_set():
    assert asked() == ""
    assert asked(of=drift(-90_000)) == ""
    assert asked(of=drift(90_000, bound="at_least")) == ""  # it is off by at least that much


@pytest.mark.parametrize("state", sorted(set(State) - {State.DRAINED}))
def test_in_no_other_state(state):
    assert asked(session=stay(*STAYS[state])) == "state"


@pytest.mark.parametrize(
    ("why", "how"),
    [
        ("off", {"terms": replace(ON, enabled=False)}),
        ("once", {"session": stay(*DRAINING, DRAINED, CLOCK_INTENDED)}),
        ("unvouched", {"station": ILL}),
        ("unmeasured", {"of": None}),
        ("unmeasured", {"now": NOON + timedelta(days=1, seconds=1)}),
        ("right", {"of": drift(0)}),
        ("right", {"of": drift(3_000)}),
        ("right", {"of": drift(-3_000)}),
        ("right", {"of": drift(9_000, uncertainty_ms=9_000)}),  # within its own uncertainty
        ("right", {"how": "set-file"}),  # the file will be later than the clock is wrong
        ("right", {"how": "set-file", "of": drift(-DAY_MS)}),
    ],
)
def test_why_it_is_not_set(why, how):
    assert asked(**how) == why


def test_the_least_that_is_set():
    assert asked(of=drift(3_001)) == asked(of=drift(-3_001)) == ""
    assert asked(how="set-file", of=drift(DAY_MS + 1)) == ""
    assert asked(now=NOON + timedelta(days=1)) == ""
    strict = replace(ON, beyond_ms=2 * DAY_MS)
    assert asked(how="set-file", of=drift(DAY_MS + 1), terms=strict) == "right"


# --- what came of it ------------------------------------------------------------------------------------------------

TOLD = ClockSetting(how="protocol", before=FAST, stands="written", intended_at=NOON, set_to=NOON)
FILE = replace(TOLD, how="set-file", before=drift(-40 * DAY_MS, method="plug-file"))


def later(offset_ms, *, hours=0, **changes):
    return drift(offset_ms, read_at=NOON + timedelta(hours=hours), **changes)


@pytest.mark.parametrize(
    ("setting", "after", "said"),
    [
        (TOLD, later(0), "taken"),
        (TOLD, later(-3_000), "taken"),
        (TOLD, later(-3_100), "ignored"),
        (TOLD, later(3_021), "taken"),  # what is allowed, what the reading may err by, and a second's wandering
        (TOLD, later(3_022), "ignored"),
        (TOLD, later(90_000), "ignored"),
        (TOLD, later(5_000, hours=24), "taken"),  # a day's wandering after that
        (TOLD, later(7_000, hours=24), "ignored"),
        (TOLD, later(-3_600_000, hours=2), "ignored"),  # who is told the time is not late
        (TOLD, None, "unread"),
        (TOLD, later(0, bound="at_least"), "unread"),
        (replace(TOLD, before=drift(4_000)), later(1_500), "taken"),  # however near it was before
        (replace(TOLD, stands="intended", set_to=None), later(90_000), "interrupted"),
        (replace(TOLD, stands="intended", set_to=None), later(0), "taken"),
        (FILE, later(0, hours=10), "taken"),
        (FILE, later(-8 * 3_600_000, hours=10), "taken"),  # it lay there for eight hours
        (FILE, later(-11 * 3_600_000, hours=10), "ignored"),
        (FILE, later(-40 * DAY_MS, hours=10), "ignored"),
        (FILE, later(-40 * DAY_MS, hours=50 * 24), "ignored"),  # late by less than it lay, but as before
        (FILE, later(3_600_000, hours=10), "ignored"),
        (FILE, later(-3_022), "ignored"),  # it did not lie there at all
        (FILE, later(-36_004_271, hours=10), "taken"),
        (FILE, later(-36_004_272, hours=10), "ignored"),
        (FILE, later(-40 * DAY_MS + 153_021, hours=50 * 24), "ignored"),
        (FILE, later(-40 * DAY_MS + 153_022, hours=50 * 24), "taken"),
        (FILE, None, "unread"),
    ],
)
def test_what_the_clock_tells_afterwards(setting, after, said):
    assert came_of(setting, after, tolerance_ms=3_000) == said


@given(st.integers(-10 * DAY_MS, 10 * DAY_MS), st.integers(0, 24 * 30))
def test_a_clock_that_is_told_the_time_is_taken_for_set_only_where_it_is_right(offset_ms, hours):
    said = came_of(TOLD, later(offset_ms, hours=hours), tolerance_ms=3_000)
    may_wander_ms = 3_000 + 20 + (hours * 3600 + 1) * 3_000 / 86_400 + 1
    assert (said == "taken") == (abs(offset_ms) <= may_wander_ms) or abs(abs(offset_ms) - may_wander_ms) < 2


def test_the_least_that_is_off_is_said_and_no_after_where_nobody_looked():
    unread = replace(TOLD, stands="not-set", reason="unread", before=drift(1))
    assert english(unread) == "not set by protocol (unread): 0.001 s fast before"


@pytest.mark.parametrize(
    ("setting", "said", "zh"),
    [
        (
            replace(TOLD, stands="intended"),
            "being set by protocol, with no outcome yet: 1 min 30 s fast before",
            "校时中，结果未知（经设备协议）：校时前快 1 分 30 秒",
        ),
        (
            FILE,
            "written by set file, to be compared at the next docking: 40 d slow before",
            "已写入时间，待下次插入核对（经校时文件）：校时前慢 40 天",
        ),
        (
            replace(TOLD, stands="taken", after=drift(0)),
            "set by protocol: 1 min 30 s fast before, right after",
            "已校时（经设备协议）：校时前快 1 分 30 秒，校时后无偏差",
        ),
        (
            replace(TOLD, stands="not-set", reason="ignored", before=drift(90_000, bound="at_least"), after=FAST),
            "not set by protocol (ignored): at least 1 min 30 s fast before, 1 min 30 s fast after",
            "校时未成功（经设备协议，记录仪没有采用）：校时前至少快 1 分 30 秒，之后快 1 分 30 秒",
        ),
    ],
)
def test_how_it_is_said(setting, said, zh):
    assert english(setting) == said
    assert clock_set(setting) == zh
