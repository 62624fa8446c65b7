"""Recordings of all docks by what people know of them: conditions that an index answers, a page at a time.

The fields are named as in the station's own search (:mod:`bwcdock.ledger.searching`), and mean the same.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    column,
    func,
    literal,
    or_,
    select,
    table,
    tuple_,
)

from bwcdock.catalogue import grams
from bwcdock.catalogue.agreeing import Agreed, Copy, Sighting, agree
from bwcdock.catalogue.schema import recording, spelt
from bwcdock.catalogue.writing import stood
from bwcdock.core.rules import Standing
from bwcdock.errors import Misused
from bwcdock.ledger.codec import to_ms
from bwcdock.ledger.searching import folded

NEWEST = 5000
"""So many of the newest recordings are looked through first. Whatever is frequent fills its page from them; whatever is
not, the index finds in few places. Either alone is slow for the other."""

MOST_COUNTED = 10_000
"""Nobody reads so many, and to count a million of them takes longer than to find the first page."""

_CURSOR = re.compile(r"(-?\d{1,16})-(.{1,200})")
_ID = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What recordings are looked for; what is empty is not asked for.

    ``party``, ``place``, ``event`` and ``officer`` may be parts of what stands there, and a party may also be one of
    the case; an officer is also found by his whole number. ``text`` are words of which each stands anywhere. ``own`` is
    the one person whose they must be, by his whole number; ``station`` the name of a station's ledger.
    """

    party: str = ""
    case: str = ""
    place: str = ""
    event: str = ""
    officer: str = ""
    own: str = ""
    recorder: str = ""
    unit: str = ""
    station: str = ""
    tag: str = ""
    text: str = ""
    kind: str = ""
    state: str = ""
    standing: Standing | None = None
    held: bool = False
    disputed: bool = False
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A recording that was looked for, with where it lies: each copy with the station that says so."""

    agreed: Agreed
    copies: tuple[tuple[str, Copy], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of the recordings looked for, newest recorded first, and where the next page begins; empty at the last."""

    found: tuple[Found, ...]
    next: str


def search(
    db: Connection, sought: Sought, now: datetime, at_risk_ratio: float, *, after: str = "", limit: int = 50
) -> Page:
    """The recordings looked for, from the end of the page before; ``Misused`` where ``after`` is no such end."""
    asked = _Asked(db, sought, now, at_risk_ratio)
    window = list(asked.window())
    if after:
        window.append(tuple_(recording.c.recorded_ms, recording.c.id) < tuple_(*map(literal, _end(after))))
    rows = db.execute(_among_newest(asked, window, limit + 1)).all() if asked.is_shared else []
    if len(rows) <= limit:
        rows = db.execute(_by_index([*asked.conditions(recording), *window], limit + 1)).all()
    there_is_more = len(rows) > limit
    rows = rows[:limit]
    found = tuple(_found(db, [row.id for row in rows]))
    return Page(found=found, next=f"{rows[-1].recorded_ms}-{rows[-1].id}" if there_is_more else "")


def how_many(db: Connection, sought: Sought, now: datetime, at_risk_ratio: float) -> int:
    """How many recordings are such; more than :data:`MOST_COUNTED` are not counted on."""
    asked = _Asked(db, sought, now, at_risk_ratio)
    where = (*asked.conditions(recording), *asked.window())
    some = select(recording.c.number).where(*where).limit(MOST_COUNTED + 1).subquery("some")
    return int(db.execute(select(func.count()).select_from(some)).scalar_one())


def one(db: Connection, record: str) -> Found | None:
    """The recording of this id; ``None`` where no station told of it."""
    return next(_found(db, [record]), None)


def _found(db: Connection, records: Sequence[str]) -> Iterator[Found]:
    """What is shown follows from what stations say, not from the columns it was found by."""
    of_each: dict[str, list[Sighting]] = defaultdict(list)
    for each in stood(db, records).values():
        of_each[each.record].append(each)
    for record in records:
        agreed = agree(of_each[record])
        if agreed is not None:
            copies = [(each.station, copy) for each in of_each[record] for copy in each.copies]
            yield Found(agreed=agreed, copies=tuple(sorted(copies)))


def _among_newest(asked: "_Asked", window: list[ColumnElement[bool]], limit: int) -> Select[Any]:
    """As many as wanted of the newest few thousand, read in their order until there are enough."""
    order = (recording.c.recorded_ms.desc(), recording.c.id.desc())
    newest = select(recording).where(*window).order_by(*order).limit(NEWEST).subquery("newest")
    again = (newest.c.recorded_ms.desc(), newest.c.id.desc())
    return select(newest.c.id, newest.c.recorded_ms).where(*asked.conditions(newest)).order_by(*again).limit(limit)


def _by_index(where: list[ColumnElement[bool]], limit: int) -> Select[Any]:
    """All of them by the index, and then the newest: PostgreSQL must not walk through the years to find a rare one."""
    hit = select(recording.c.id, recording.c.recorded_ms).where(*where).cte("hit").prefix_with("MATERIALIZED")
    return select(hit.c.id, hit.c.recorded_ms).order_by(hit.c.recorded_ms.desc(), hit.c.id.desc()).limit(limit)


class _Asked:
    """What is sought, as conditions of this kind of database."""

    def __init__(self, db: Connection, sought: Sought, now: datetime, ratio: float) -> None:
        self._sought = sought
        self._now_ms, self._ratio = to_ms(now), ratio
        self.is_shared = db.dialect.name == "postgresql"

    def window(self) -> Iterator[ColumnElement[bool]]:
        """The span it was recorded in."""
        if self._sought.since is not None:
            yield recording.c.recorded_ms >= to_ms(self._sought.since)
        if self._sought.until is not None:
            yield recording.c.recorded_ms < to_ms(self._sought.until)

    def conditions(self, of: FromClause) -> Iterator[ColumnElement[bool]]:
        """Everything but the span, of the columns of ``of``: all recordings, or some of them."""
        sought = self._sought
        whole: list[str] = []
        for kind, word in (
            (grams.CASE, sought.case),
            (grams.TAG, sought.tag),
            (grams.UNIT, sought.unit),
            (grams.STATION, sought.station),
            (grams.OFFICER_ID, sought.own),
        ):
            whole += [grams.token(kind, word)] if word else []
        if whole:
            yield self._has(of, whole)
        for letter, word in ((grams.PARTY, sought.party), (grams.PLACE, sought.place), (grams.EVENT, sought.event)):
            if word:
                yield self._contains(of, letter, word)
        if sought.officer:
            # Whoever is told by his number need not be told by a part of it that others have too.
            token = grams.token(grams.OFFICER_ID, sought.officer)
            yield or_(self._has(of, [token]), self._contains(of, grams.OFFICER, sought.officer))
        for word in sought.text.split():
            yield self._anywhere(of, word)
        for said, value in (
            (of.c.recorder, sought.recorder),
            (of.c.kind, sought.kind),
            (of.c.state, sought.state),
        ):
            if value:
                yield said == grams.plain(value)
        if sought.held:
            yield of.c.is_held
        if sought.disputed:
            yield of.c.is_disputed
        if sought.standing is not None:
            yield self._stands(of, sought.standing)

    def _anywhere(self, of: FromClause, word: str) -> ColumnElement[bool]:
        letters = (grams.PARTY, grams.OFFICER, grams.PLACE, grams.EVENT, grams.WORD)
        long_enough = letters if len(word) > 1 else (grams.PARTY, grams.OFFICER)
        any_of = [self._contains(of, letter, word) for letter in long_enough]
        if _ID.fullmatch(folded(word)):
            any_of.append(and_(of.c.id >= folded(word), of.c.id < folded(word) + "g"))
        return or_(*any_of)

    def _contains(self, of: FromClause, letter: str, word: str) -> ColumnElement[bool]:
        """The text of this field contains the word: the index says where all its pairs are, the text whether in order.

        A pair, and a single character, is what the index has itself.
        """
        word = folded(grams.plain(word))[: grams.LONGEST]
        has = self._has(of, grams.sought(letter, word))
        if len(word) <= 2:
            return has
        within = func.strpos if self.is_shared else func.instr
        return and_(has, within(of.c[_COLUMNS[letter]], word) > 0)

    def _has(self, of: FromClause, wanted: list[str]) -> ColumnElement[bool]:
        if self.is_shared:
            return of.c.grams.op("@>", is_comparison=True)(literal(wanted, recording.c.grams.type))
        words = " AND ".join(map(spelt, wanted))
        gram = table("gram", column("rowid", Integer), column("gram", Text))
        return of.c.number.in_(select(gram.c.rowid).where(gram.c.gram.op("MATCH", is_comparison=True)(words)))

    def _stands(self, of: FromClause, standing: Standing) -> ColumnElement[bool]:
        """How :func:`bwcdock.core.rules.verdict` judges, said to a database; the tests hold the two together."""
        due, met, basis, excused = (of.c[name] for name in ("due_ms", "met_ms", "basis_ms", "excused"))
        is_open = and_(due.isnot(None), met.is_(None))
        left, at_risk = due - self._now_ms, (due - basis) * self._ratio
        match standing:
            case Standing.NOT_DUE:
                return and_(is_open, due > self._now_ms, left > at_risk)
            case Standing.AT_RISK:
                return and_(is_open, due > self._now_ms, left <= at_risk)
            case Standing.OVERDUE:
                return and_(is_open, due <= self._now_ms, ~excused)
            case Standing.MET:
                return due > met
            case Standing.LATE:
                return and_(due <= met, ~excused)
            case Standing.EXCUSED:
                return and_(due <= func.coalesce(met, self._now_ms), excused)


_COLUMNS: dict[str, str] = {
    grams.PARTY: "parties",
    grams.OFFICER: "officers",
    grams.PLACE: "place",
    grams.EVENT: "event",
    grams.WORD: "words",
}


def _end(after: str) -> tuple[int, str]:
    found = _CURSOR.fullmatch(after)
    if found is None:
        raise Misused("search", "This is not the end of any page.", "Begin with the first page.")
    return int(found[1]), found[2]
