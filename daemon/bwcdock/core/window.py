"""When a line to central storage may be used: weekdays and hours, as the settings write them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

DAY_MIN = 24 * 60

_SPAN = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? ([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")


class NoWindow(ValueError):
    """A text that is no window: its message is a sentence without its subject, ``remedy`` what to write."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Open on one weekday (0: Monday) from one minute of it to another, which may lie on the day after."""

    day: int
    begin_min: int
    end_min: int


def parse(text: str) -> tuple[Span, ...]:
    """The spans of "mon-fri 19:00-07:00", one for each day; raises :class:`NoWindow`.

    An hour past midnight belongs to the day it began on: "fri 19:00-07:00" ends on Saturday morning.
    """
    text = text.strip()
    found = _SPAN.fullmatch(text.lower())
    remedy = 'Write days and hours: "mon-fri 19:00-07:00", "sun 00:00-24:00".'
    if not found or found[1] not in DAYS or (found[2] or found[1]) not in DAYS:
        raise NoWindow(f'is no window: "{text[:40]}".', remedy)
    begin_min, end_min = _minutes(found[3], found[4]), _minutes(found[5], found[6])
    if begin_min is None or end_min is None or begin_min == DAY_MIN:
        raise NoWindow(f'names an hour that no day has: "{text}".', remedy)
    if begin_min == end_min:
        raise NoWindow(f'begins and ends at one moment: "{text}".', 'A whole day is "00:00-24:00".')
    first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
    end_min += DAY_MIN if end_min < begin_min else 0
    return tuple(
        Span(day=(first + at) % 7, begin_min=begin_min, end_min=end_min) for at in range((last - first) % 7 + 1)
    )


def _minutes(hours: str, minutes: str) -> int | None:
    told = int(hours) * 60 + int(minutes)
    return told if int(minutes) < 60 and told <= DAY_MIN else None


class Window:
    """The spans of some texts, by the clock on the wall of ``zone``; of none at all: always open."""

    def __init__(self, texts: Iterable[str], zone: str) -> None:
        self._spans = tuple(span for text in texts for span in parse(text))
        self._zone = ZoneInfo(zone)

    def opens(self, now: datetime) -> datetime:
        """``now`` where it is open, else when it opens next."""
        if not self._spans:
            return now
        near = [(begin, end) for begin, end in self._around(now) if now < end]
        return max(now, min(begin for begin, _ in near))

    @property
    def share(self) -> float:
        """How much of a week it is open, 0 to 1."""
        week = [False] * 7 * DAY_MIN
        for span in self._spans:
            for minute in range(span.begin_min, span.end_min):
                week[(span.day * DAY_MIN + minute) % len(week)] = True
        return sum(week) / len(week) if self._spans else 1.0

    def _around(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Every opening from yesterday's to the same day of next week."""
        today = now.astimezone(self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        for offset in range(-1, 8):
            day = today + timedelta(days=offset)
            for span in self._spans:
                if span.day == day.weekday():
                    # By the clock on the wall, also on a day on which it is put forward or back.
                    walls = (day + timedelta(minutes=minute) for minute in (span.begin_min, span.end_min))
                    begin, end = (wall.astimezone(UTC) for wall in walls)
                    yield begin, end
