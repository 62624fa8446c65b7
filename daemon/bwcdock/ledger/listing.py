"""What people page through, newest or oldest first: each page read by an index, however long the ledger is."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from bwcdock.core import desk
from bwcdock.core.facts import Entry
from bwcdock.core.record import Record
from bwcdock.core.statements import STATED_OF_RECORDS, STATEMENTS
from bwcdock.ledger import codec
from bwcdock.ledger.codec import to_ms
from bwcdock.ledger.counting import Counting

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

    def loose(
        self, *, after: str = "", limit: int = -1, recorders: Sequence[str] = (), officers: Sequence[str] = ()
    ) -> list[Record]:
        """Recordings bound to no case (:func:`~bwcdock.core.desk.cases.is_loose`), newest first, below ``after``.

        Where ``recorders`` or ``officers`` (the recorders' own words for them) are named, those of any of them alone.
        """
        below = " AND (loose_ms, id) < (SELECT loose_ms, id FROM shelf WHERE id = ?)" if after else ""
        mark = [after] if after else []
        named = {"recorder": ("shelf_recorder", recorders), "officer": ("shelf_officer", officers)}
        parts, values = [], []
        for column, (index, names) in named.items():
            for name in names:
                known = f"{column} = ? AND {column} <> '' AND loose_ms IS NOT NULL"
                parts.append(f"SELECT loose_ms, id FROM shelf INDEXED BY {index} WHERE {known}{below}")  # noqa: S608
                values += [name, *mark]
        if not parts:
            parts = [f"SELECT loose_ms, id FROM shelf WHERE loose_ms IS NOT NULL{below}"]  # noqa: S608
            values = mark
        # Each part by its own index; a few hundred of somebody's own are sorted together, all of them never.
        return self._shelved(f"{' UNION '.join(parts)} ORDER BY loose_ms DESC, id DESC LIMIT ?", *values, limit)

    def how_many_loose(self) -> int:
        """How many recordings are bound to no case."""
        return int(self._rows("SELECT count(*) FROM shelf WHERE loose_ms IS NOT NULL")[0][0])

    def of_case(self, case: str, *, limit: int = -1) -> list[Record]:
        """The recordings bound to this case."""
        return self._shelved("SELECT 0, id FROM shelf WHERE case_id = ? AND case_id <> '' LIMIT ?", case, limit)

    def how_many_of(self, case: str) -> int:
        """How many recordings are bound to this case."""
        return int(self._rows("SELECT count(*) FROM shelf WHERE case_id = ? AND case_id <> ''", case)[0][0])

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

    # --- what the reader has ------------------------------------------------------------------------------------------

    def _shelved(self, sql: str, *values: object) -> list[Record]:
        """The records that ``sql`` finds on the shelf, in its order; their documents are read by id."""
        found = (self._rows("SELECT doc FROM record WHERE id = ?", name) for _, name in self._rows(sql, *values))
        return [codec.load(Record, doc) for ((doc,),) in found]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
