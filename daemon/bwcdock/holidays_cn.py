"""Knows the published holidays of mainland China: from the chinesecalendar package, mended by a file."""

from datetime import date
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from chinese_calendar import constants
from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from bwcdock import tomlfile
from bwcdock.core.calendar import Calendar, Year
from bwcdock.errors import Misused

OP = "read the holidays"


class _Year(BaseModel):
    """One table of the file: a whole year's notice."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Every year has a New Year's Day; an empty list is a notice somebody forgot to type in.
    holidays: frozenset[date] = Field(min_length=1)
    workdays: frozenset[date]
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _sane(self) -> "_Year":
        if both := self.holidays & self.workdays:
            raise ValueError(f"{min(both)} is both a holiday and a workday")
        if weekdays := [day for day in self.workdays if day.weekday() < 5]:
            raise ValueError(f"{min(weekdays)} is no Saturday or Sunday; only weekends become workdays")
        return self


class _File(RootModel[dict[int, _Year]]):
    """``config/holidays.toml``."""

    @model_validator(mode="after")
    def _own_days(self) -> "_File":
        for year, table in self.root.items():
            for day in table.holidays | table.workdays:
                # A notice may reach into the last days of the December before it.
                if day.year != year and not (day.year == year - 1 and (day.month, day.day) >= (12, 26)):
                    raise ValueError(f"{day} does not belong to the notice of {year}")
        return self


def build(zone: str, override: Path | None = None) -> Calendar:
    """The calendar of ``zone`` (an IANA name). A year in the ``override`` file replaces the package's year whole."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Misused(OP, f"There is no time zone {zone!r}.", "Set an IANA name such as Asia/Shanghai.") from error
    years = {year.year: year for year in _packaged()}
    if override is not None:
        for number, table in tomlfile.read(override, _File, OP).root.items():
            years[number] = Year(year=number, holidays=table.holidays, workdays=table.workdays, source=table.source)
    return Calendar(zone=zone, years=tuple(years[number] for number in sorted(years)))


def _packaged() -> list[Year]:
    """The years the package has a notice for. Its own functions guess at none, and neither do we."""
    holidays, workdays = frozenset(constants.holidays), frozenset(constants.workdays)
    source = f"chinesecalendar {version('chinesecalendar')}"
    return [
        Year(
            year=year,
            holidays=frozenset(day for day in holidays if day.year == year),
            workdays=frozenset(day for day in workdays if day.year == year),
            source=source,
        )
        # A year with a National Day has its notice; a stray December day of the notice before it has not.
        for year in sorted({day.year for day in holidays if (day.month, day.day) == (10, 1)})
    ]
