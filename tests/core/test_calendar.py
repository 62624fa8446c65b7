"""Counting time as the Civil Code says, day by day."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from bwcdock.core.calendar import Calendar, Counted, Why, Year
from hypothesis import given, settings
from hypothesis import strategies as st

SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = ("Asia/Shanghai", "America/New_York", "America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia", "Asia/Kathmandu")

NATIONAL_2025 = Year(
    year=2025,
    holidays=frozenset(date(2025, 10, day) for day in range(1, 9)),
    workdays=frozenset({date(2025, 9, 28), date(2025, 10, 11)}),
    source="notice of 2025",
)
EMPTY_2026 = Year(year=2026, holidays=frozenset({date(2026, 1, 1)}), workdays=frozenset(), source="notice of 2026")
CN = Calendar(zone="Asia/Shanghai", years=(NATIONAL_2025, EMPTY_2026))

moments = st.datetimes(
    datetime.fromisoformat("2024-11-01"), datetime.fromisoformat("2027-03-01"), timezones=st.just(UTC)
)
weekend_days = st.dates(date(2025, 1, 1), date(2025, 12, 31)).filter(lambda day: day.weekday() >= 5)


def cn(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=SHANGHAI)  # type: ignore[misc, arg-type]


@st.composite
def notices(draw: st.DrawFn) -> Year:
    workdays = draw(st.frozensets(weekend_days, max_size=12))
    holidays = draw(st.frozensets(st.dates(date(2025, 1, 1), date(2025, 12, 31)), min_size=1, max_size=30))
    return Year(year=2025, holidays=holidays - workdays, workdays=workdays, source="drawn")


def told(counted: Counted) -> list[tuple[str, bool, str]]:
    return [(f"{day.day:%m-%d}", day.counted, day.why.value) for day in counted.days]


def test_every_day_of_a_count_says_why():
    counted = CN.end_of_working_days(cn(2025, 9, 26, 20), 4)
    assert told(counted) == [
        ("09-26", False, "start"),
        ("09-27", False, "weekend"),
        ("09-28", True, "make_up"),
        ("09-29", True, "working"),
        ("09-30", True, "working"),
        *[(f"10-{day:02}", False, "holiday") for day in range(1, 9)],
        ("10-09", True, "working"),
    ]
    assert counted.due == cn(2025, 10, 10)
    assert counted.due.tzinfo is UTC
    assert counted.unpublished == ()


def test_calendar_days_count_all_days_and_only_the_last_moves():
    counted = CN.end_of_days(cn(2025, 9, 25, 9), 7)  # the seventh is 2 October
    assert counted.due == cn(2025, 10, 10)
    assert [why for _, _, why in told(counted)] == ["start", *["calendar_day"] * 6, *["holiday"] * 7, "working"]
    assert [day.day for day in counted.days] == [date(2025, 9, 25) + timedelta(days=n) for n in range(15)]


def test_a_last_day_on_a_worked_weekend_does_not_move():
    assert CN.end_of_days(cn(2025, 10, 9, 9), 2).due == cn(2025, 10, 12)


def test_close_of_business_ends_the_last_day():
    assert CN.end_of_working_days(cn(2025, 9, 29, 9), 1, close=time(17, 30)).due == cn(2025, 9, 30, 17, 30)
    assert CN.end_of_days(cn(2025, 9, 29, 9), 1, close=time(17, 30)).due == cn(2025, 9, 30, 17, 30)
    assert CN.end_of_same_day(cn(2025, 9, 29, 9), close=time(17, 30)).due == cn(2025, 9, 29, 17, 30)


def test_every_end_is_told_in_utc_whatever_zone_the_moment_came_in():
    moment = cn(2025, 9, 29, 9)
    close = CN.end_of_working_days(moment, 1, close=time(17, 30))
    for counted in (CN.add_hours(moment, 24), close, CN.end_of_same_day(moment), CN.end_of_months(moment, 1)):
        assert (counted.due.tzinfo, counted.earliest.tzinfo) == (UTC, UTC)


def test_the_same_day_after_close_of_business_still_has_until_midnight():
    assert CN.end_of_same_day(cn(2025, 9, 29, 17, 30), close=time(17, 30)).due == cn(2025, 9, 30)


def test_months_end_on_the_corresponding_day_or_the_months_last():
    assert CN.end_of_months(cn(2026, 1, 31, 9), 1).due == cn(2026, 3, 1)
    assert CN.end_of_months(cn(2024, 2, 29, 9), 12).due == cn(2025, 3, 1)
    assert CN.end_of_months(cn(2026, 12, 31, 9), 12).due == cn(2028, 1, 1)
    assert CN.end_of_months(cn(2026, 6, 10, 23), 60).due == cn(2031, 6, 11)


def test_an_unpublished_year_has_weekends_and_nothing_else_and_says_so():
    counted = CN.end_of_working_days(cn(2026, 12, 31, 9), 2)
    assert told(counted)[1:] == [
        ("01-01", True, "working"),
        ("01-02", False, "weekend"),
        ("01-03", False, "weekend"),
        ("01-04", True, "working"),
    ]
    assert all(day.assumed for day in counted.days[1:])
    assert counted.unpublished == (2027,)
    assert counted.earliest == cn(2027, 1, 3)
    assert CN.end_of_working_days(cn(2026, 12, 31, 9), 2, close=time(17, 30)).earliest == cn(2027, 1, 2, 17, 30)
    assert [CN.source(year) for year in (2025, 2026, 2027)] == ["notice of 2025", "notice of 2026", ""]


def test_late_december_waits_for_the_next_years_notice():
    known = Year(
        year=2027, holidays=frozenset({date(2027, 1, 1)}), workdays=frozenset({date(2026, 12, 27)}), source="x"
    )
    before = CN.end_of_working_days(cn(2026, 12, 25, 9), 1)
    after = Calendar(zone=CN.zone, years=(*CN.years, known)).end_of_working_days(cn(2026, 12, 25, 9), 1)
    assert (before.due, before.unpublished) == (cn(2026, 12, 29), (2027,))
    assert (after.due, after.unpublished) == (cn(2026, 12, 28), ())
    assert before.earliest <= after.due
    assert [CN.day(date(2026, 12, day)).assumed for day in (25, 26)] == [False, True]


def test_what_waits_for_no_notice_is_due_at_the_earliest_when_it_is_due():
    last_known = cn(2026, 12, 31, 9)
    for counted in (CN.add_hours(last_known, 24), CN.end_of_same_day(last_known), CN.end_of_months(last_known, 1)):
        assert (counted.earliest, counted.unpublished) == (counted.due, ())
    assert told(CN.end_of_same_day(last_known)) == [("12-31", True, "calendar_day")]


def test_hours_run_through_a_change_of_the_wall_clock():
    new_york = Calendar(zone="America/New_York")
    wall = ZoneInfo("America/New_York")
    saturday = datetime(2026, 3, 7, 12, tzinfo=wall)
    assert new_york.add_hours(saturday, 24).due == datetime(2026, 3, 8, 13, tzinfo=wall).astimezone(UTC)
    assert new_york.end_of_same_day(saturday + timedelta(days=1)).due == datetime(2026, 3, 9, 4, tzinfo=UTC)


def test_midnight_that_the_clock_skips_is_the_moment_of_the_skip():
    # In Cairo 24 April 2026 began at 01:00: at 24:00 of the 23rd (22:00 UTC) the clock went forward.
    assert Calendar(zone="Africa/Cairo").end_of_same_day(datetime(2026, 4, 23, 12, tzinfo=UTC)).due == datetime(
        2026, 4, 23, 22, tzinfo=UTC
    )


def test_naive_moments_and_empty_periods_are_refused():
    with pytest.raises(ValueError, match="offset"):
        CN.add_hours(datetime(2026, 1, 1), 24)  # noqa: DTZ001
    for count in (CN.end_of_days, CN.end_of_working_days, CN.end_of_months):
        with pytest.raises(ValueError, match="at least one"):
            count(cn(2026, 1, 1), 0)


@given(moment=moments, n=st.integers(1, 40), zone=st.sampled_from(ZONES))
@settings(max_examples=60, deadline=None)
def test_working_days_never_end_before_as_many_calendar_days(moment: datetime, n: int, zone: str):
    calendar = Calendar(zone=zone, years=CN.years)
    working = calendar.end_of_working_days(moment, n)
    assert working.due >= calendar.end_of_days(moment, n).earliest
    assert calendar.local_day(working.due - timedelta(seconds=1)) >= calendar.local_day(moment) + timedelta(days=n)
    assert sum(day.counted for day in working.days) == n
    assert working.earliest <= working.due


@given(moment=moments, n=st.integers(1, 40), notice=notices())
@settings(max_examples=60, deadline=None)
def test_no_notice_can_bring_the_due_moment_before_the_earliest(moment: datetime, n: int, notice: Year):
    blind, knowing = Calendar(zone=CN.zone), Calendar(zone=CN.zone, years=(notice,))
    for count in ("end_of_days", "end_of_working_days"):
        before, after = getattr(blind, count)(moment, n), getattr(knowing, count)(moment, n)
        assert before.earliest <= after.due
        if not notice.workdays:
            assert before.due <= after.due


@given(moment=moments, later=st.timedeltas(timedelta(0), timedelta(days=20)), n=st.integers(1, 10))
@settings(max_examples=60, deadline=None)
def test_starting_later_never_ends_earlier(moment: datetime, later: timedelta, n: int):
    for count in (CN.add_hours, CN.end_of_days, CN.end_of_working_days, CN.end_of_months):
        assert count(moment, n).due <= count(moment + later, n).due
    assert CN.end_of_same_day(moment).due <= CN.end_of_same_day(moment + later).due


@given(moment=moments, n=st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_a_count_ends_on_a_working_day(moment: datetime, n: int):
    for counted in (CN.end_of_days(moment, n), CN.end_of_working_days(moment, n)):
        assert counted.days[-1].why in {Why.WORKING, Why.MAKE_UP}
        assert counted.due > moment
        assert counted.unpublished or counted.earliest == counted.due
