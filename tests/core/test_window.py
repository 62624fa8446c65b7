"""Hours of a line to central storage: as people write them, by the clock on the wall, past midnight too."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from bwcdock.core.window import DAY_MIN, DAYS, NoWindow, Span, Window, parse
from hypothesis import example, given
from hypothesis import strategies as st

CHINA = ZoneInfo("Asia/Shanghai")
NIGHTS = ("mon-fri 19:00-07:00", "sat-sun 00:00-24:00")


def china(text: str, zone: ZoneInfo = CHINA) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        # 2026-03-02 is a Monday. What began on Sunday has ended at midnight, and Monday's begins at 19:00.
        ("2026-03-02 00:00", "2026-03-02 19:00"),
        ("2026-03-02 18:59:59.999", "2026-03-02 19:00"),
        ("2026-03-02 19:00", "2026-03-02 19:00"),
        ("2026-03-03 06:59:59.999", "2026-03-03 06:59:59.999"),
        ("2026-03-03 07:00", "2026-03-03 19:00"),
        ("2026-03-07 06:00", "2026-03-07 06:00"),  # Saturday, of Friday's hours and its own
        ("2026-03-08 23:59", "2026-03-08 23:59"),
    ],
)
def test_nights_and_weekends(now, opens):
    assert Window(NIGHTS, "Asia/Shanghai").opens(china(now)) == china(opens)


def test_without_any_it_is_always_open():
    now = china("2026-03-02 12:00")
    assert Window((), "Asia/Shanghai").opens(now) == now


def test_one_hour_a_week_is_found_from_everywhere():
    window = Window(["wed 10:00-11:00"], "Asia/Shanghai")
    assert window.opens(china("2026-03-04 11:00")) == china("2026-03-11 10:00")
    assert window.opens(china("2026-03-04 09:00")) == china("2026-03-04 10:00")


def test_days_go_round_the_end_of_the_week():
    assert [span.day for span in parse("sat-mon 08:00-09:00")] == [5, 6, 0]
    assert parse(" FRI 23:00-01:30") == (Span(day=4, begin_min=23 * 60, end_min=DAY_MIN + 90),)


def test_the_clock_on_the_wall_counts_where_it_is_put_forward():
    berlin = ZoneInfo("Europe/Berlin")
    window = Window(["sun 01:00-04:00"], "Europe/Berlin")
    now = china("2026-03-28 12:00", berlin)  # in the night that follows 02:00 is 03:00
    opens = window.opens(now)
    assert opens == china("2026-03-29 01:00", berlin)
    assert opens.tzinfo is UTC
    last = opens + timedelta(hours=2) - timedelta(seconds=1)
    assert window.opens(last) == last
    assert window.opens(last + timedelta(seconds=1)) == china("2026-04-05 01:00", berlin)


@pytest.mark.parametrize(
    ("texts", "hours"),
    [
        ((), 168),
        (NIGHTS, 5 * 12 - 7 + 48),
        (["mon 00:00-24:00", "mon 12:00-13:00"], 24),
        (["sun 23:00-01:00"], 2),
    ],
)
def test_how_much_of_a_week_it_is_open(texts, hours):
    assert Window(texts, "Asia/Shanghai").share == pytest.approx(hours / 168)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no window"), ("mon", "no window"), ("mon 7-19", "no window"), ("day 08:00-09:00", "no window"),
        ("mon-xyz 08:00-09:00", "no window"), ("mon 08:00-09:00, tue 08:00-09:00", "no window"),
        ("mon 08:60-09:00", "no day has"), ("mon 08:00-24:01", "no day has"), ("mon 24:00-03:00", "no day has"),
        ("mon 08:00-08:00", "at one moment"), ("mon 0８:00-09:00", "no window"),
    ],
)  # fmt: skip
def test_what_is_no_window_is_refused(text, what):
    with pytest.raises(NoWindow, match=what) as told:
        parse(text)
    assert told.value.remedy.startswith(("Write", "A whole day"))


def test_of_what_is_written_forty_characters_are_shown():
    with pytest.raises(NoWindow, match='"' + "x" * 40 + '"'):
        parse("x" * 41)


MINUTES = st.integers(0, DAY_MIN - 1)
SPANS = st.lists(st.tuples(st.integers(0, 6), MINUTES, MINUTES).filter(lambda s: s[1] != s[2]), min_size=1, max_size=4)


@given(spans=SPANS, at=st.integers(0, 7 * DAY_MIN - 1))
@example(spans=[(6, 1380, 60)], at=0)
def test_it_is_what_a_look_at_every_minute_of_the_week_says(spans, at):
    texts = [f"{DAYS[d]} {b // 60:02}:{b % 60:02}-{e // 60:02}:{e % 60:02}" for d, b, e in spans]
    open_ = {
        (day * DAY_MIN + minute) % (7 * DAY_MIN)
        for day, begin, end in spans
        for minute in range(begin, end + (DAY_MIN if end < begin else 0))
    }
    wait = next(wait for wait in range(7 * DAY_MIN) if (at + wait) % (7 * DAY_MIN) in open_)
    now = china("2026-03-02 00:00") + timedelta(minutes=at)
    assert Window(texts, "Asia/Shanghai").opens(now) == now + timedelta(minutes=wait)
