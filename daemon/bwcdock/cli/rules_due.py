"""The command rules due: when a recording must be stored by a rule pack, counted before one's eyes."""

import argparse
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bwcdock import holidays_cn, resources
from bwcdock.cli.common import WELL, broken, fold, print_json, say, table, width
from bwcdock.cli.rules import pack_of
from bwcdock.core.calendar import Why
from bwcdock.core.due import DueView, due_view
from bwcdock.core.facts import Corrected
from bwcdock.core.rulepack import RulePack, Term
from bwcdock.core.rules import EPOCH, Basis, Extension
from bwcdock.errors import Misused

OP = "reckon the deadline"
ZONE = "Asia/Shanghai"
"""What a time without an offset means: the zone a station has unless told otherwise."""

LAST_YEAR = 2199
"""A time after this, or before 1970, is a slip of the hand; arithmetic on it might leave the calendar."""

HEAD = "unit-head"
"""The role everybody may ask about: where a pack knows no extension, the answer is that."""

GROUNDS = (
    Term(id="away", label="异地"),
    Term(id="continuous", label="连续工作"),
    Term(id="remote", label="偏远、交通不便"),
    Term(id="remote", label="偏远"),
    Term(id="remote", label="交通不便"),
)
"""The grounds of the away case, the same in every pack that has one."""

WHY = {
    Why.START: "起算日 the day it starts on",
    Why.CALENDAR_DAY: "日 calendar day",
    Why.WORKING: "工作日 working day",
    Why.MAKE_UP: "调休上班 worked weekend day",
    Why.WEEKEND: "周末 weekend",
    Why.HOLIDAY: "节假日 holiday",
}


def due(asked: argparse.Namespace) -> int:
    """`bwcdock rules due`."""
    pack = pack_of(asked.pack)
    basis = _basis(asked, pack)
    holidays = asked.holidays or resources.config_dir() / "holidays.toml"
    view = due_view(pack, basis, holidays_cn.build(ZONE, holidays))
    if asked.json:
        print_json(view, DueView)
    else:
        say(*_lines(view, width()))
    return WELL


# --- what was typed ---------------------------------------------------------------------------------------------------


def _basis(asked: argparse.Namespace, pack: RulePack) -> Basis:
    end = _moment(asked.end, "--end")
    activity_end, returned, granted, docked = (
        None if given is None else _moment(given, option)
        for given, option in (
            (asked.activity_end, "--activity-end"),
            (asked.returned, "--returned"),
            (asked.granted, "--granted"),
            (asked.docked, "--docked"),
        )
    )
    ground = "" if asked.ground is None else _known("ground", asked.ground, [*GROUNDS, *_grounds(pack)])
    for moment, option in ((returned, "--returned"), (docked, "--docked")):
        if moment is not None and moment < end:
            raise Misused(OP, f"{option} lies before --end.", "Check both times and their dates.")
    if returned is not None and not ground:
        raise Misused(OP, "--returned says when, and nothing says why they were away.", "Add --ground.")
    # What is not said to be docked is asked about as if it were docked last of all: then nothing is cut short by it.
    listed = docked or max(moment for moment in (end, activity_end, returned) if moment is not None)
    return Basis(
        listed_at=listed,
        corrected=Corrected(start=None, end=end, method="stated", offset_ms=0, uncertainty_ms=0),
        activity_end=activity_end,
        returned=returned,
        ground=ground,
        extension=_extension(asked, pack, granted),
        tags=frozenset(_known("tag", tag, pack.tags) for tag in asked.tag),
    )


def _extension(asked: argparse.Namespace, pack: RulePack, granted: datetime | None) -> Extension | None:
    if asked.extension is None:
        if asked.reason or granted is not None:
            raise Misused(OP, "A reason or a time is given for an extension nobody granted.", "Add --extension.")
        return None
    roles = [*pack.roles, *([] if any(role.id == HEAD for role in pack.roles) else [Term(id=HEAD, label=HEAD)])]
    role = _known("role", asked.extension, roles)
    return Extension(by_role=role, reason=asked.reason, granted_at=granted)


def _grounds(pack: RulePack) -> Iterable[Term]:
    return pack.deadline.away.grounds if pack.deadline.away is not None else ()


def _known(what: str, typed: str, terms: Iterable[Term]) -> str:
    """The id that was meant: written as such, with low lines, or by its label."""
    ids: dict[str, str] = {}
    for term in terms:
        ids |= {term.id: term.id, term.label: term.id}
    wanted = typed.strip()
    found = ids.get(wanted) or ids.get(wanted.lower().replace("_", "-"))
    if found is None:
        known = ", ".join(dict.fromkeys(ids.values())) or "none"
        raise Misused(OP, f"There is no {what} {typed!r}.", f"There are: {known}.")
    return found


def _moment(typed: str, option: str) -> datetime:
    """A moment from ISO 8601; a day alone is none, because nobody could say when on it."""
    said = f"{option} {typed!r} is no time."
    remedy = "Write it as 2026-06-12T18:30, or with an offset as 2026-06-12T18:30+08:00."
    try:
        moment = datetime.fromisoformat(typed.strip())
    except ValueError as error:
        raise Misused(OP, said, remedy) from error
    if _is_day(typed.strip()):
        raise Misused(OP, f"{option} {typed!r} is a day, and a time of day is needed.", remedy)
    if not EPOCH.year < moment.year <= LAST_YEAR:
        raise Misused(OP, f"{option} {typed!r} lies outside the years {EPOCH.year + 1} to {LAST_YEAR}.", remedy)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(ZONE))).astimezone(UTC)


def _is_day(typed: str) -> bool:
    try:
        date.fromisoformat(typed)
    except ValueError:
        return False
    return True


# --- what is told -----------------------------------------------------------------------------------------------------


def _lines(view: DueView, room: int | None) -> Iterator[str]:
    midnight = f" (24:00 of {view.due.date() - timedelta(days=1)})" if view.due.time() == time() else ""
    yield f"到期 due: {_text(view.due)}{midnight}"
    if view.unpublished:
        years = "、".join(map(str, view.unpublished))
        loud = f"!!! {years} 年节假日安排未知 HOLIDAYS NOT PUBLISHED"
        yield from fold(f"{loud}: no notice can make it due before {_text(view.earliest)} !!!", room, "    ")
    clause = "" if view.clause == "deadline" else f" ({view.clause})"
    yield from fold(f"依据 by: 《{view.regulation}》{view.article}{clause}", room, "    ")
    yield from broken(f"“{view.quote}”", room, "    ")
    yield f"起算 from: {view.basis} {_text(view.basis_at)}, {view.span.replace('_', ' ')}"
    yield f"满足 met when: {view.met_by}"
    yield "计算 counting:"
    yield from _counting(view, room)
    for finding in view.findings:
        yield from fold(f"{finding.severity} {finding.code}: {finding.what} → {finding.remedy}", room, "  ")


def _counting(view: DueView, room: int | None) -> Iterator[str]:
    if not view.counting:
        yield "  hours run from the exact moment, through nights, weekends and holidays"
        return
    rows: list[tuple[str, ...]] = []
    counted = 0
    for day in view.counting:
        counted += day.counted
        number = str(counted) if day.counted else "-"
        assumed = " (assumed: not published)" if day.assumed else ""
        rows.append((f"  {day.day}", f"{day.day:%a}", number, f"{WHY[day.why]}{assumed}"))
    yield from table(rows, flexible=3, room=room, right=(2,))


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
