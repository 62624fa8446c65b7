"""What is counted and looked up every few seconds: answers from the indexes alone, however long the ledger is."""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bwcdock.core.facts import Condition, Inventoried, Sealed
from bwcdock.core.record import State
from bwcdock.core.rules import Standing
from bwcdock.errors import LedgerBroken
from bwcdock.ledger import codec
from bwcdock.ledger.codec import from_ms, to_ms
from bwcdock.ledger.schema import AUDIT

_STANDING = """
SELECT recorder, article, CASE
    WHEN due_ms > :now THEN iif(due_ms - :now <= (due_ms - basis_ms) * :ratio, 'at_risk', 'not_due')
    WHEN excused THEN 'excused' ELSE 'overdue' END, count(*)
FROM record INDEXED BY record_owed WHERE due_ms IS NOT NULL AND met_ms IS NULL GROUP BY 1, 2, 3
UNION ALL
SELECT recorder, article, iif(excused, 'excused', 'late'), count(*)
FROM record INDEXED BY record_late WHERE due_ms <= met_ms GROUP BY 1, 2, 3
"""
"""How :func:`bwcdock.core.rules.verdict` judges, said to SQLite; the tests hold the two together."""

_NEWEST = """
SELECT id, arrived_ms, departed_ms, json_extract(doc, '$.sighting.slot'), json_extract(doc, '$.condition')
FROM session WHERE recorder = ? ORDER BY arrived_ms DESC, rowid DESC LIMIT 1
"""


_OWED_OF = """
SELECT EXISTS (
    SELECT 1 FROM session CROSS JOIN json_each(session.doc, '$.records') AS mine
    CROSS JOIN record ON record.id = mine.value
    WHERE session.id = ? AND (
        record.state IN ('listed', 'pulled')
        OR record.state IN ('sealed', 'released')
        AND (awaits <> '' OR article = '' OR instr(record.doc, '"sinks":[]') > 0)
    )
)
"""
"""Whether ``Record.finished`` is false for one of a docking that is neither set apart nor lost. CROSS keeps the order:
left to itself SQLite reads every sealed record of the station first."""

_STORED = """
SELECT count(*), sum(copies > 0), sum(again > 0) FROM (
    SELECT
        (SELECT count(*) FROM json_each(doc, '$.held') AS copy WHERE copy.value ->> 'sink' = :sink) AS copies,
        (SELECT count(*) FROM json_each(doc, '$.held') AS copy
            WHERE copy.value ->> 'sink' = :sink AND copy.value ->> 'looked_at' IS NOT NULL) AS again
    FROM record WHERE sealed_ms >= :since AND sealed_ms < :until
        AND id IN (SELECT record FROM leaf INDEXED BY leaf_ev WHERE ev = :ev AND seq >= :begin AND seq < :end)
)
"""
"""A day of recordings, found by their seals: nothing else is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many records: by state, by what they wait for, owed (obligation not met), late (owed and past due)."""

    by_state: tuple[tuple[str, int], ...]
    by_waiting: tuple[tuple[str, int], ...]
    owed: int
    late: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """A sealed record that waits for these sinks: its size in bytes, and since when."""

    record: str
    size: int
    sealed_at: datetime
    sinks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stands:
    """How many recordings of one recorder stand so against their deadline under one article (with its pack)."""

    recorder: str
    article: str
    kind: Standing
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What is sealed here and not confirmed in one sink that is owed it; ``since`` is the oldest seal among it."""

    count: int
    bytes: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LastSeen:
    """A recorder at its newest docking. ``condition`` is ``None`` where that docking did not come so far."""

    recorder: str
    slot: int | None
    arrived_at: datetime
    is_docked: bool
    condition: Condition | None


class Counting:
    """The part of a ledger's reader that counts."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def counts(self, now: datetime) -> Counts:
        """How many records there are of each sort."""
        owed = "SELECT count(*) FROM record WHERE due_ms IS NOT NULL AND met_ms IS NULL"
        return Counts(
            by_state=tuple(sorted(self._by_state().items())),
            by_waiting=tuple(
                self._rows("SELECT waits_for, count(*) FROM record WHERE waits_for <> 'nothing' GROUP BY waits_for")
            ),
            owed=self._rows(owed)[0][0],
            late=self._rows(f"{owed} AND due_ms <= ?", to_ms(now))[0][0],
        )

    def _by_state(self) -> dict[str, int]:
        """Most records were released long ago and would take a while to count. A record's row is never removed, so the
        greatest rowid is the number of all; the others are few, and counted.
        """
        others = [state.value for state in State if state is not State.RELEASED]
        marks = ", ".join("?" * len(others))
        sql = f"SELECT state, count(*) FROM record WHERE state IN ({marks}) GROUP BY state"  # noqa: S608 - marks
        counted = dict(self._rows(sql, *others))
        released = self._rows("SELECT coalesce(max(rowid), 0) FROM record")[0][0] - sum(counted.values())
        return counted | ({State.RELEASED.value: released} if released > 0 else {})

    def standing(self, now: datetime, at_risk_ratio: float) -> list[Stands]:
        """How the recordings stand that are owed, or came late; those that were in time are not counted."""
        rows = self._rows(_STANDING, {"now": to_ms(now), "ratio": at_risk_ratio})
        return [Stands(recorder=r, article=a, kind=Standing(k), count=n) for r, a, k, n in rows]

    def earliest_due(self) -> datetime | None:
        """When the most urgent recording is due that is not offloaded as its article asks; ``None`` where none is."""
        (due,) = self._rows("SELECT min(due_ms) FROM record WHERE due_ms IS NOT NULL AND met_ms IS NULL")[0]
        return None if due is None else from_ms(due)

    def queues(self) -> dict[str, Queue]:
        """What waits for each sink, by its name; a sink that nothing waits for is not in it."""
        found: dict[str, Queue] = {}
        rows = self._rows(
            "SELECT awaits, count(*), sum(size), min(sealed_ms) FROM record INDEXED BY record_awaits"
            " WHERE awaits <> '' GROUP BY awaits"
        )
        for awaits, count, size, since in rows:
            for sink in awaits.split():
                had = found.get(sink, Queue(count=0, bytes=0, since=from_ms(since)))
                since_all = min(had.since, from_ms(since))
                found[sink] = Queue(count=had.count + count, bytes=had.bytes + size, since=since_all)
        return found

    def waits(self) -> tuple[Waits, ...]:
        """Every sealed record that is still to be carried somewhere, the longest sealed first."""
        rows = self._rows(
            "SELECT id, size, sealed_ms, awaits FROM record INDEXED BY record_awaits WHERE awaits <> ''"
            " ORDER BY sealed_ms"
        )
        return tuple(
            Waits(record=rid, size=size, sealed_at=from_ms(since), sinks=tuple(awaits.split()))
            for rid, size, since, awaits in rows
        )

    def is_owed(self, session_id: str) -> bool:
        """Whether a record of this docking is still to be brought or carried; those set apart or lost are not."""
        ((owed,),) = self._rows(_OWED_OF, session_id)
        return bool(owed)

    def awaited(self) -> dict[str, int]:
        """How many sealed records wait for each sink that owes them a copy."""
        return {sink: queue.count for sink, queue in sorted(self.queues().items())}

    def unlocked(self) -> dict[str, int]:
        """How many copies each sink has that are not known to be locked until their keeping ends; of all sinks."""
        found: dict[str, int] = {}
        sql = "SELECT count(*) FROM record INDEXED BY record_unlocked WHERE unlocked = ? AND unlocked <> ''"
        for names in self._unlocked_in():
            ((count,),) = self._rows(sql, names)
            for sink in names.split():
                found[sink] = found.get(sink, 0) + count
        return found

    def unlocked_in(self, sinks: Collection[str], *, after: str = "", limit: int) -> list[str]:
        """Ids of the records of :meth:`unlocked` in any of these sinks, in order, from behind ``after`` on."""
        sql = (
            "SELECT id FROM record INDEXED BY record_unlocked WHERE unlocked = ? AND unlocked <> '' AND id > ?"
            " ORDER BY id LIMIT ?"
        )
        asked = [names for names in self._unlocked_in() if not set(names.split()).isdisjoint(sinks)]
        return sorted(row[0] for names in asked for row in self._rows(sql, names, after, limit))[:limit]

    def _unlocked_in(self) -> Iterator[str]:
        """The sets of sinks there are in that column, each found by the index behind the one before: they are few."""
        sql = "SELECT min(unlocked) FROM record INDEXED BY record_unlocked WHERE unlocked > ? AND unlocked <> ''"
        names = self._rows(sql, "")[0][0]
        while names is not None:
            yield names
            names = self._rows(sql, names)[0][0]

    def told(self) -> list[tuple[str, str, int]]:
        """Code, severity and number of the findings that hold."""
        return self._rows("SELECT code, severity, count(*) FROM finding INDEXED BY finding_code GROUP BY 1, 2")

    def docked(self) -> dict[str, int]:
        """How many recorders are docked now, by the state of their docking."""
        return dict(self._rows("SELECT state, count(*) FROM session WHERE departed_ms IS NULL GROUP BY state"))

    def recorders(self) -> list[str]:
        """The serials of all recorders that were ever docked."""
        return [row[0] for row in self._rows("SELECT DISTINCT recorder FROM session WHERE recorder <> '' ORDER BY 1")]

    def lately(self, most: int) -> list[str]:
        """The serials of the recorders that were docked last, the newest docking first."""
        rows = self._rows(
            "SELECT recorder, max(arrived_ms) AS at FROM session WHERE recorder <> ''"
            " GROUP BY recorder ORDER BY at DESC, recorder LIMIT ?",
            most,
        )
        return [row[0] for row in rows]

    def last_seen(self, recorder: str) -> LastSeen | None:
        """The newest docking of this recorder; ``None`` where there was none."""
        rows = self._rows(_NEWEST, recorder)
        if not rows:
            return None
        _, arrived, departed, slot, condition = rows[0]
        return LastSeen(
            recorder=recorder,
            slot=slot,
            arrived_at=from_ms(arrived),
            is_docked=departed is None,
            condition=None if condition is None else codec.load(Condition, condition),
        )

    def last_listed(self, recorder: str) -> datetime | None:
        """When the card of this recorder was last listed whole; ``None`` where it never was."""
        rows = self._rows(
            "SELECT json_extract(doc, '$.listed_at') AS at FROM session WHERE recorder = ? AND at IS NOT NULL"
            " ORDER BY arrived_ms DESC, rowid DESC LIMIT 1",
            recorder,
        )
        return from_ms(rows[0][0]) if rows else None

    def inflow(self, since: datetime) -> int:
        """Bytes of the recordings that came to be known since that moment, as the dockings listed them."""
        sql = "SELECT body FROM leaf WHERE ev = ? AND seq >= ?"
        bodies = self._rows(sql, Inventoried.ev, self.first_at(since))
        facts = (codec.decode(body).entry.fact for (body,) in bodies)
        return sum(fact.size for fact in facts if isinstance(fact, Inventoried))

    def first_at(self, moment: datetime) -> int:
        """The first leaf that is not from before this moment, or how many leaves there are; time never goes back."""
        low, high = 0, int(self._rows("SELECT coalesce(max(seq) + 1, 0) FROM leaf")[0][0])
        at = to_ms(moment)
        while low < high:
            middle = (low + high) // 2
            if self._rows("SELECT t < ? FROM leaf WHERE seq = ?", at, middle)[0][0]:
                low = middle + 1
            else:
                high = middle
        return low

    def stored(self, sink: str, since: datetime, until: datetime) -> tuple[int, int, int]:
        """Of the recordings sealed first in this span: how many, how many the sink has, how many it gave back twice."""
        values = {
            "ev": Sealed.ev,
            "begin": self.first_at(since),
            "end": self.first_at(until),
            "since": to_ms(since),
            "until": to_ms(until),
            "sink": sink,
        }
        ((received, stored, readable),) = self._rows(_STORED, values)
        return received, stored or 0, readable or 0

    def said(self, evs: Collection[str], since: int, until: int) -> list[tuple[int, str]]:
        """Number and record (empty: none) of the entries of these kinds from ``since`` up to but without ``until``."""
        marks = ", ".join("?" * len(evs))
        sql = f"SELECT seq, record FROM leaf INDEXED BY leaf_ev WHERE ev IN ({marks}) AND seq >= ? AND seq < ?"  # noqa: S608
        return [(seq, record or "") for seq, record in self._rows(f"{sql} ORDER BY seq", *evs, since, until)]

    def kinds_since(self, seq: int) -> set[str]:
        """The kinds of all entries from ``seq`` on: what may be known otherwise than before."""
        return {row[0] for row in self._rows("SELECT DISTINCT ev FROM leaf NOT INDEXED WHERE seq >= ?", seq)}

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """``values`` are those of the marks in order, or one dictionary of those with names."""
        given: Any = values[0] if len(values) == 1 and isinstance(values[0], dict) else values
        try:
            with closing(self._db.cursor()) as cursor:
                return cursor.execute(sql, given).fetchall()
        except sqlite3.Error as error:
            raise sqlite_failed("read", error) from error


def sqlite_failed(op: str, error: sqlite3.Error) -> LedgerBroken:
    """SQLite could not read or write: what the program says of it."""
    return LedgerBroken(op, f"SQLite failed: {error}.", f"Look at the disk and its free space. {AUDIT}")
