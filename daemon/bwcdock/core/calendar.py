"""Counts legal time: hours, days and working days of mainland China.

The Civil Code (民法典) says how: §201 a period of days does not count the day it starts on, a period of hours runs from
its exact moment; §202 a period of months ends on the corresponding day; §203 a last day that is a holiday moves to the
next working day, and the last day ends at 24:00, or at the close of business where there is one. Which days are off,
and which weekends are worked instead (调休), the State Council publishes year by year: that is data, never guessed.
"""

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)

SETTLED_BY_NEXT_NOTICE = 26
"""From this day of December on, a day may still be changed by next year's notice.

New Year's bridge has reached back to 29 December (2007, 2018); three days more are margin.
"""


class Why(StrEnum):
    """Why a day was counted or passed over."""

    START = "start"
    """The day the period starts on (§201): not counted."""
    CALENDAR_DAY = "calendar_day"
    """A day in a period of calendar days: counted, whatever day it is."""
    WORKING = "working"
    MAKE_UP = "make_up"
    """A weekend day worked instead of a day off (调休上班): counted."""
    WEEKEND = "weekend"
    HOLIDAY = "holiday"


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of a count. ``assumed`` says its year is not published, so ``why`` rests on the weekday alone."""

    day: date
    counted: bool
    why: Why
    assumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The end of a period.

    ``due`` is aware UTC and exclusive: 24:00 of a day is 00:00 of the next, and what happens at ``due`` is too late.
    ``days`` are the days gone through, in order, empty for hours and months. ``unpublished`` are the years whose notice
    was needed and is not known. ``earliest`` is ``due`` had every weekend of those years been made a working day: no
    notice can bring the due moment before it.
    """

    due: datetime
    earliest: datetime
    days: tuple[Day, ...] = ()
    unpublished: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """One year's published holiday notice (节假日安排): days off, weekend days worked, and where it stands."""

    year: int
    holidays: frozenset[date]
    workdays: frozenset[date]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The published years and the station's zone (an IANA name, ``Asia/Shanghai``). All moments given must be aware."""

    zone: str
    years: tuple[Year, ...] = ()

    def add_hours(self, moment: datetime, n: int) -> Counted:
        """``n`` hours on from the exact moment (§201), through holidays and changes of the zone's clock alike."""
        due = _utc(moment) + timedelta(hours=n)
        return Counted(due=due, earliest=due)

    def end_of_same_day(self, moment: datetime, *, close: time | None = None) -> Counted:
        """The end of the local day ``moment`` falls on; a holiday moves nothing, as the day is named, not counted.

        After the close of business the day still has until 24:00: nothing may be due before it begins.
        """
        day = self.local_day(moment)
        due = self._end(day, close)
        if due <= _utc(moment):
            due = self._end(day, None)
        return Counted(due=due, earliest=due, days=(Day(day=day, counted=True, why=Why.CALENDAR_DAY),))

    def end_of_days(self, moment: datetime, n: int, *, close: time | None = None) -> Counted:
        """``n`` calendar days on; the start day is not counted (§201), a last day off moves to a working day (§203)."""
        _at_least_one(n)
        start = self.local_day(moment)
        passed = tuple(Day(day=start + i * ONE_DAY, counted=True, why=Why.CALENDAR_DAY) for i in range(1, n))

        def tail(off: Callable[[Day], bool]) -> tuple[Day, ...]:
            last = self.day(start + n * ONE_DAY)
            moved: list[Day] = []
            while off(last):
                moved.append(last)
                last = self.day(last.day + ONE_DAY)
            return (*moved, last)

        return self._counted(start, tail, close, passed)

    def end_of_working_days(self, moment: datetime, n: int, *, close: time | None = None) -> Counted:
        """``n`` working days on; the start day is not counted (§201), make-up workdays count, days off do not."""
        _at_least_one(n)
        start = self.local_day(moment)

        def walk(off: Callable[[Day], bool]) -> tuple[Day, ...]:
            days: list[Day] = []
            left = n
            while left:
                days.append(self.day(start + (len(days) + 1) * ONE_DAY))
                left -= not off(days[-1])
            return tuple(days)

        return self._counted(start, walk, close)

    def end_of_months(self, moment: datetime, n: int) -> Counted:
        """``n`` months on: 24:00 of the corresponding day, or of the month's last where it has none (§202).

        A holiday moves nothing here: months measure how long a thing is kept, and keeping needs no working day.
        """
        _at_least_one(n)
        start = self.local_day(moment)
        year, month = divmod(start.year * 12 + start.month - 1 + n, 12)
        _, last_of_month = monthrange(year, month + 1)
        due = self._end(date(year, month + 1, min(start.day, last_of_month)), None)
        return Counted(due=due, earliest=due)

    def local_day(self, moment: datetime) -> date:
        """The day the station's wall shows at ``moment``."""
        return _utc(moment).astimezone(ZoneInfo(self.zone)).date()

    def day(self, day: date) -> Day:
        """What kind of day it is, and whether a notice says so (``counted`` is whether it is a working day).

        In an unpublished year Saturdays and Sundays are off and nothing else is: an unknown holiday can then only make
        the true due moment later. A weekend not yet known to be worked could make it earlier; ``Counted.earliest``
        bounds that.
        """
        assumed = self._unpublished(day) is not None
        # A notice may reach into the December before it, so two years' lists are asked.
        notices = [year for year in self.years if year.year in (day.year, day.year + 1)]
        if any(day in notice.workdays for notice in notices):
            return Day(day=day, counted=True, why=Why.MAKE_UP)
        if any(day in notice.holidays for notice in notices):
            return Day(day=day, counted=False, why=Why.HOLIDAY)
        if day.weekday() >= 5:
            return Day(day=day, counted=False, why=Why.WEEKEND, assumed=assumed)
        return Day(day=day, counted=True, why=Why.WORKING, assumed=assumed)

    def source(self, year: int) -> str:
        """Which notice ``year`` rests on; empty where it is not published."""
        return next((each.source for each in self.years if each.year == year), "")

    def _unpublished(self, day: date) -> int | None:
        """The year whose notice this day waits for, if it does."""
        known = {year.year for year in self.years}
        if day.year not in known:
            return day.year
        late = day.month == 12 and day.day >= SETTLED_BY_NEXT_NOTICE
        return day.year + 1 if late and day.year + 1 not in known else None

    def _counted(
        self,
        start: date,
        walk: Callable[[Callable[[Day], bool]], tuple[Day, ...]],
        close: time | None,
        passed: tuple[Day, ...] = (),
    ) -> Counted:
        """Walk twice: as the calendar reads, and as if every assumed day were worked."""
        days = walk(lambda day: not day.counted)
        soonest = walk(lambda day: not day.counted and not day.assumed)
        waits = {self._unpublished(day.day) for day in days if day.assumed}
        return Counted(
            due=self._end(days[-1].day, close),
            earliest=self._end(soonest[-1].day, close),
            days=(Day(day=start, counted=False, why=Why.START), *passed, *days),
            unpublished=tuple(sorted(year for year in waits if year is not None)),
        )

    def _end(self, day: date, close: time | None) -> datetime:
        """24:00 of ``day`` on the station's wall, or ``close`` where business ends earlier (§203).

        Where the zone's clock shows that time twice, the first is meant: never the later one.
        """
        zone = ZoneInfo(self.zone)
        if close is not None:
            return datetime.combine(day, close.replace(tzinfo=None), zone).astimezone(UTC)
        return datetime.combine(day + ONE_DAY, time(), zone).astimezone(UTC)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("A moment needs its offset from UTC; a naive time means another moment in every zone.")
    return moment.astimezone(UTC)


def _at_least_one(n: int) -> None:
    if n < 1:
        raise ValueError(f"A period counts at least one; {n} was given.")
