"""What people page through, newest or oldest first: each page read by an index, however long the ledger is."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from bwcdock.core import desk
from bwcdock.core.desk.attribution import Own
from bwcdock.core.facts import Entry, Finding
from bwcdock.core.record import Record
from bwcdock.core.statements import STATED_OF_RECORDS, STATEMENTS
from bwcdock.ledger import codec
from bwcdock.ledger.cache import OpenFinding
from bwcdock.ledger.codec import from_ms, to_ms
from bwcdock.ledger.counting import Counting
from bwcdock.ledger.searching import OWN, of_own

M = TypeVar("M", bound=desk.Matter)

_SAID = tuple(fact.ev for fact in (*STATEMENTS, *STATED_OF_RECORDS))
"""The kinds of entries by which people state something; all others follow from them, or are the station's."""

_SINCE = "json_extract(doc, '$.since')"


class Listing(Counting):
    """The part of a ledger's reader that gives pages of lists. Every method may raise ``LedgerBroken``.

    Where a page goes on is said by the last line of the one before: by its id, or its number in the ledger.
    """

    def newest(self, shape: type[M], *, state: str = "", after: str = "", limit: int = -1) -> list[M]:
        """Matters of this shape (in this state) by when they were first heard of, newest first, below ``after``."""
        kind = desk.SHAPES[shape]
        sql, values = "SELECT doc FROM matter WHERE kind = ?", [kind]
        if state:
            sql, values = f"{sql} AND state = ?", [*values, state]
        if after:
            last = f"SELECT {_SINCE}, id FROM matter WHERE kind = ? AND id = ?"  # noqa: S608 - constants
            sql, values = f"{sql} AND ({_SINCE}, id) < ({last})", [*values, kind, after]
        rows = self._rows(f"{sql} ORDER BY {_SINCE} DESC, id DESC LIMIT ?", *values, limit)
        return [codec.load(shape, doc) for (doc,) in rows]

    def states(self, shape: type[desk.Matter]) -> dict[str, int]:
        """How many matters of this shape are in each state."""
        return dict(self._rows("SELECT state, count(*) FROM matter WHERE kind = ? GROUP BY 1", desk.SHAPES[shape]))

    # --- recordings ---------------------------------------------------------------------------------------------------

    def loose(self, *, after: str = "", limit: int = -1, own: Own | None = None) -> list[Record]:
        """Recordings bound to no case (:func:`~bwcdock.core.desk.cases.is_loose`), newest first, below ``after``.

        With ``own`` somebody's own alone.
        """
        source = f"{OWN} JOIN shelf ON shelf.id = record.id" if own else "shelf"
        below = " AND (loose_ms, shelf.id) < (SELECT loose_ms, id FROM shelf WHERE id = :after)" if after else ""
        values = {"after": after, "limit": limit, **(of_own(own) if own else {})}
        sql = f"SELECT loose_ms, shelf.id FROM {source} WHERE loose_ms IS NOT NULL{below}"  # noqa: S608 - constants
        return self._shelved(f"{sql} ORDER BY loose_ms DESC, shelf.id DESC LIMIT :limit", values)

    def how_many_loose(self) -> int:
        """How many recordings are bound to no case."""
        return int(self._rows("SELECT count(*) FROM shelf WHERE loose_ms IS NOT NULL")[0][0])

    def of_case(self, case: str, *, limit: int = -1) -> list[Record]:
        """The recordings bound to this case, oldest first."""
        sql = "SELECT doc FROM record WHERE case_id = ? AND case_id <> '' ORDER BY recorded_ms, id LIMIT ?"
        return [codec.load(Record, doc) for (doc,) in self._rows(sql, case, limit)]

    def how_many_of(self, case: str) -> int:
        """How many recordings are bound to this case."""
        return int(self._rows("SELECT count(*) FROM record WHERE case_id = ? AND case_id <> ''", case)[0][0])

    def recorded_ids(
        self,
        *,
        recorder: str = "",
        own: Own | None = None,
        place: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[str]:
        """The ids of all that :meth:`recorded` would find."""
        source, where, values = _recorded(recorder, own, place, since, until)
        return [row[0] for row in self._rows(f"SELECT record.id FROM {source} WHERE {where}", values)]  # noqa: S608

    def recorded(
        self,
        *,
        recorder: str = "",
        own: Own | None = None,
        place: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int,
    ) -> list[Record]:
        """Recordings of this recorder, that are somebody's own, at this place, in this span, newest first.

        A time that is not known lies in every span. Without recorder and owner it reads them all, a second or two.
        """
        source, where, values = _recorded(recorder, own, place, since, until)
        sql = f"SELECT doc FROM {source} WHERE {where}"  # noqa: S608 - constants
        rows = self._rows(f"{sql} ORDER BY recorded_ms DESC, id DESC LIMIT :limit", values | {"limit": limit})
        return [codec.load(Record, doc) for (doc,) in rows]

    def ended(self, now: datetime, *, after: str = "", limit: int = -1) -> list[Record]:
        """Recordings whose keeping has an end that has passed, the longest ago first, after the record ``after``."""
        sql, values = "SELECT keep_ms, id FROM shelf WHERE keep_ms IS NOT NULL AND keep_ms <= ?", [to_ms(now)]
        mark = [after] if after else []
        if after:
            sql += " AND (keep_ms, id) > (SELECT keep_ms, id FROM shelf WHERE id = ?)"
        return self._shelved(f"{sql} ORDER BY keep_ms, id LIMIT ?", *values, *mark, limit)

    def how_many_ended(self, now: datetime) -> int:
        """How many recordings have come to the end of their keeping."""
        sql = "SELECT count(*) FROM shelf WHERE keep_ms IS NOT NULL AND keep_ms <= ?"
        return int(self._rows(sql, to_ms(now))[0][0])

    # --- entries ------------------------------------------------------------------------------------------------------

    def entries_back(
        self,
        *,
        below: int | None = None,
        limit: int,
        record: str = "",
        recorder: str = "",
        ev: str = "",
        person: str = "",
    ) -> list[Entry]:
        """The newest entries that fit all that is named, newest first, of those with a number below ``below``.

        Of a ``person`` it is what he stated; what the station concluded from that stands beside it in the ledger.
        """
        wanted: dict[str, object] = {"record": record, "recorder": recorder, "ev": ev}
        where = [f"{column} = ?" for column, value in wanted.items() if value]
        values = [value for value in wanted.values() if value]
        if person:
            if not ev:
                where.append(f"ev IN ({_marks(_SAID)})")
                values += _SAID
            where.append("json_extract(CAST(body AS TEXT), '$.actor.name') = ?")
            values.append(person)
        if below is not None:
            where.append("seq < ?")
            values.append(below)
        # What a person said is found among all that people said, never by walking through every entry.
        index = " INDEXED BY leaf_ev" if person and not record and not recorder else ""
        sql = f"SELECT body FROM leaf{index} WHERE {' AND '.join(where) or '1'} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        return [codec.decode(body).entry for (body,) in self._rows(sql, *values, limit)]

    def newest_told(self, code: str, severity: str) -> OpenFinding | None:
        """The newest finding with this code and severity that holds."""
        rows = self._rows(
            "SELECT subject_kind, subject, seq, at_ms, doc FROM finding INDEXED BY finding_code"
            " WHERE code = ? AND severity = ? ORDER BY seq DESC LIMIT 1",
            code,
            severity,
        )
        for about, name, seq, at, doc in rows:
            told = codec.load(Finding, doc)
            return OpenFinding(subject_kind=about, subject=name, seq=seq, since=from_ms(at), finding=told)
        return None

    # --- what the reader has ------------------------------------------------------------------------------------------

    def _shelved(self, sql: str, *values: object) -> list[Record]:
        """The records that ``sql`` finds on the shelf, in its order; their documents are read by id."""
        found = (self._rows("SELECT doc FROM record WHERE id = ?", name) for _, name in self._rows(sql, *values))
        return [codec.load(Record, doc) for ((doc,),) in found]


def _recorded(
    recorder: str, own: Own | None, place: str, since: datetime | None, until: datetime | None
) -> tuple[str, str, dict[str, object]]:
    """What :meth:`Listing.recorded` asks for: from where, under which conditions, with which values."""
    start, end = "json_extract(doc, '$.corrected.start')", "json_extract(doc, '$.corrected.end')"
    where = ["1"]
    if recorder:
        where.append("record.recorder = :recorder")
    if place:
        where.append("instr(json_extract(doc, '$.label.place'), :place) > 0")
    if since is not None:
        where.append(f"coalesce({end}, {start}, :since) >= :since")
    if until is not None:
        where.append(f"coalesce({start}, {end}, :until) <= :until")
    values: dict[str, object] = {
        "recorder": recorder,
        "place": place,
        "since": to_ms(since) if since else None,
        "until": to_ms(until) if until else None,
        **(of_own(own) if own else {}),
    }
    return OWN if own else "record", " AND ".join(where), values


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
