"""Recordings by what people know of them: conditions said to SQLite so that an index answers, a page at a time."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from bwcdock.core.desk.attribution import Own
from bwcdock.core.record import Record
from bwcdock.core.rules import Standing
from bwcdock.errors import Misused
from bwcdock.ledger import codec
from bwcdock.ledger.codec import to_ms
from bwcdock.ledger.counting import Counting

_STANDS: dict[Standing, str] = {
    Standing.NOT_DUE: "met_ms IS NULL AND due_ms > :now AND due_ms - :now > (due_ms - basis_ms) * :ratio",
    Standing.AT_RISK: "met_ms IS NULL AND due_ms > :now AND due_ms - :now <= (due_ms - basis_ms) * :ratio",
    Standing.OVERDUE: "met_ms IS NULL AND due_ms <= :now AND NOT excused",
    Standing.MET: "due_ms > met_ms",
    Standing.LATE: "due_ms <= met_ms AND NOT excused",
    Standing.EXCUSED: "due_ms <= coalesce(met_ms, :now) AND excused",
}
"""How :func:`bwcdock.core.rules.verdict` judges, said to SQLite; the tests hold the two together."""

_OWED = "due_ms IS NOT NULL AND met_ms IS NULL"
_ID = re.compile(r"[0-9a-f]{8,32}")
_CURSOR = re.compile(r"(-?\d{1,16})-([0-9a-f]{1,64})")

# What somebody had in his hands: by the register of issue, a span of each recorder; by the numbers recorders call him.
OWN = """(
SELECT record.id AS mine FROM json_each(:spans) AS span CROSS JOIN record INDEXED BY record_when
    ON record.recorder = span.value ->> 0 AND recorded_ms >= span.value ->> 1 AND recorded_ms < span.value ->> 2
UNION SELECT record.id FROM json_each(:numbers) AS number CROSS JOIN record INDEXED BY record_officer
    ON officer = number.value AND officer <> ''
) CROSS JOIN record ON record.id = mine"""
_FOR_EVER = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What recordings are looked for; what is empty is not asked for.

    ``party`` and ``place`` may be parts of what stands there, and a party may also be one of the recording's case;
    ``text`` are words of which each stands anywhere. ``recorders`` are the only ones meant, where it is not ``None``.
    ``own`` is whose they must be. With ``owing`` only those are meant whose obligation is not met, earliest due first;
    else the newest recorded come first.
    """

    party: str = ""
    case: str = ""
    place: str = ""
    event: str = ""
    tag: str = ""
    text: str = ""
    state: str = ""
    standing: Standing | None = None
    since: datetime | None = None
    until: datetime | None = None
    recorders: tuple[str, ...] | None = None
    own: Own | None = None
    owing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of the recordings looked for, and where the next page begins; empty where this is the last."""

    records: tuple[Record, ...]
    next: str


class Searching(Counting):
    """The part of a ledger's reader that searches."""

    def search(self, sought: Sought, now: datetime, at_risk_ratio: float, *, after: str = "", limit: int = 50) -> Page:
        """The recordings looked for, from the end of the page before; ``Misused`` where ``after`` is no such end."""
        source, conditions, values = _said(sought, now, at_risk_ratio)
        key, way, sign = ("due_ms", "", ">") if sought.owing else ("recorded_ms", "DESC", "<")
        if after:
            values["key"], values["after"] = _end(after)
            conditions.append(f"({key}, id) {sign} (:key, :after)")
        values["limit"] = limit + 1
        rows = self._rows(
            f"SELECT record.doc, hit.key, record.id FROM (SELECT id AS hit_id, {key} AS key FROM {source}"  # noqa: S608
            f"{_where(conditions)} ORDER BY {key} {way}, id {way} LIMIT :limit) AS hit"
            f" CROSS JOIN record ON record.id = hit_id ORDER BY hit.key {way}, hit_id {way}",
            values,
        )
        there_is_more = len(rows) > limit
        rows = rows[:limit]
        records = tuple(codec.load(Record, doc) for doc, _, _ in rows)
        return Page(records=records, next=f"{rows[-1][1]}-{rows[-1][2]}" if there_is_more else "")

    def how_many_sought(self, sought: Sought, now: datetime, at_risk_ratio: float) -> int:
        """How many recordings are such, counted in the indexes."""
        source, conditions, values = _said(sought, now, at_risk_ratio)
        return int(self._rows(f"SELECT count(*) FROM {source}{_where(conditions)}", values)[0][0])  # noqa: S608


def words(record: Record) -> str:
    """Everything of a recording that a word may be looked for in, a tab between, without regard to case.

    What people say of it, its recorder, the user its recorder names, and its path.
    """
    label = record.label
    said = (label.case, label.category, *label.parties, label.place, label.event, label.activity, label.note)
    return folded("\t".join(filter(None, (record.recorder, record.item.officer, record.item.path, *said))))


def folded(text: str) -> str:
    """Without regard to upper and lower case."""
    return text.casefold()


def of_own(own: Own) -> dict[str, object]:
    """The values that :data:`OWN` asks for."""
    spans = [(s, to_ms(a), to_ms(b) if b else _FOR_EVER) for s, a, b in own.spans]
    return {"spans": json.dumps(spans), "numbers": json.dumps(own.numbers)}


def _said(sought: Sought, now: datetime, ratio: float) -> tuple[str, list[str], dict[str, object]]:
    """From where, under which conditions, with which values."""
    conditions = list(_conditions(sought))
    values: dict[str, object] = {
        "now": to_ms(now),
        "ratio": ratio,
        "party": folded(sought.party),
        "case": sought.case,
        "place": folded(sought.place),
        "event": folded(sought.event),
        "tag": f" {sought.tag} ",
        "state": sought.state,
        "since": to_ms(sought.since) if sought.since else None,
        "until": to_ms(sought.until) if sought.until else None,
        "recorders": json.dumps(sought.recorders),
    }
    for number, term in enumerate(folded(sought.text).split()):
        any_of = [f"instr(words, :word{number}) > 0"]
        values[f"word{number}"] = term
        if _ID.fullmatch(term):
            any_of.append(f"(id >= :word{number} AND id < :word{number} || 'g')")
        conditions.append(f"({' OR '.join(any_of)})")
    if sought.own is not None:
        values |= of_own(sought.own)
    return _source(sought), conditions, values


def _conditions(sought: Sought) -> Iterator[str]:
    if sought.owing:
        yield _OWED
    if sought.standing is not None:
        yield _STANDS[sought.standing]
    if sought.case:
        yield "case_id = :case AND case_id <> ''"
    if sought.party:
        # The parties of a case need not be said again of each of its recordings.
        yield (
            "(instr(parties, :party) > 0 OR case_id IN (SELECT id FROM matter WHERE kind = 'case' AND EXISTS"
            " (SELECT 1 FROM json_each(matter.doc, '$.parties') AS one WHERE instr(lower(one.value), :party) > 0)))"
        )
    if sought.place:
        yield "instr(place, :place) > 0"
    if sought.event:
        yield "instr(event, :event) > 0"
    if sought.tag:
        yield "instr(tags, :tag) > 0"
    if sought.state:
        yield "state = :state"
    if sought.since is not None:
        yield "recorded_ms >= :since"
    if sought.until is not None:
        yield "recorded_ms < :until"
    if sought.recorders is not None:
        yield "recorder IN (SELECT value FROM json_each(:recorders))"


def _source(sought: Sought) -> str:
    """The index that leaves the fewest to look at: SQLite, which knows nothing of the figures, would guess."""
    if sought.own is not None:
        return OWN
    if sought.owing:
        return "record INDEXED BY record_owed"
    if sought.case:
        return "record INDEXED BY record_case"
    if sought.recorders is not None and len(sought.recorders) <= 3:
        return "record INDEXED BY record_when"
    return "record INDEXED BY record_sought"


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _end(after: str) -> tuple[int, str]:
    found = _CURSOR.fullmatch(after)
    if found is None:
        raise Misused("search", "This is not the end of any page.", "Begin with the first page.")
    return int(found[1]), found[2]
