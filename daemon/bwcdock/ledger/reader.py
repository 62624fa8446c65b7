"""What the ledger can be asked: entries, the fold, proofs; by the daemon and, read-only, by any process beside it."""

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from bwcdock.core import desk
from bwcdock.core.facts import Entry, Finding, Founded, Item
from bwcdock.core.record import Record, State
from bwcdock.core.session import Session
from bwcdock.errors import LedgerBroken
from bwcdock.ledger import codec, schema, tree
from bwcdock.ledger.cache import OpenFinding
from bwcdock.ledger.checkpoint import Checkpoint, Head, Heads, Verifier
from bwcdock.ledger.codec import from_ms, to_ms
from bwcdock.ledger.counting import sqlite_failed
from bwcdock.ledger.listing import Listing
from bwcdock.ledger.schema import AUDIT
from bwcdock.ledger.searching import Searching

_UNFINISHED = """
SELECT id FROM record WHERE state IN ('listed', 'pulled', 'quarantined', 'lost')
UNION ALL
SELECT id FROM record
    WHERE waits_for = 'work' AND waits_for <> 'nothing' AND state IN ('sealed', 'released') AND (
        json_extract(doc, '$.obligation') IS NULL
        OR EXISTS (
            SELECT 1 FROM json_each(doc, '$.obligation.sinks') AS owed
            WHERE owed.value NOT IN (SELECT value FROM json_each(doc, '$.copies'))
        )
    )
UNION ALL
SELECT id FROM record INDEXED BY record_sinkless
    WHERE instr(doc, '"sinks":[]') > 0 AND state IN ('sealed', 'released')
"""
"""Every record for which ``Record.finished`` is false, each part by an index: what is finished costs nothing."""

_LATE = """
SELECT doc FROM (
    SELECT id AS late, due_ms AS since FROM record INDEXED BY record_owed
    WHERE due_ms IS NOT NULL AND met_ms IS NULL AND due_ms <= :now AND excused <= :excused
    UNION ALL
    SELECT id, due_ms FROM record INDEXED BY record_late
    WHERE due_ms <= met_ms AND due_ms <= :now AND excused <= :excused
    ORDER BY 2, 1 LIMIT :limit
) CROSS JOIN record ON record.id = late ORDER BY since, late
"""

_WORKABLE = {
    "work": """
        AND state <> 'listed' AND (
            awaits = '' OR doc ->> '$.releasing' <> '' OR doc ->> '$.erasing' <> '' OR EXISTS (
                SELECT 1 FROM json_each(:sinks) AS sink WHERE instr(' ' || awaits || ' ', ' ' || sink.value || ' ')
            )
        )""",
    "look": """
        AND EXISTS (
            SELECT 1 FROM json_each(doc, '$.held') AS held
            WHERE held.value ->> 'looked_at' IS NULL
            AND held.value ->> 'sink' IN (SELECT value FROM json_each(:sinks))
        )""",
}
"""What :func:`bwcdock.core.at_hand.is_workable` says of it, said to SQLite; the tests hold the two together."""

M = TypeVar("M", bound=desk.Matter)

PAGE = 1000
"""Leaves fetched at a time: no read stays open while somebody else writes, whoever takes his time over the entries."""


class Reader(Listing, Searching):
    """Questions to an open ledger. Every method may raise ``LedgerBroken``."""

    def __init__(self, db: sqlite3.Connection, heads: sqlite3.Connection) -> None:
        super().__init__(db)
        founding = self.leaf(0)
        fact = codec.decode(founding).entry.fact
        if not isinstance(fact, Founded):
            raise LedgerBroken("open", "The first leaf does not found a ledger.", AUDIT)
        self.founded: Founded = fact
        self.verifier = Verifier.parse(fact.public_key)
        self._heads = Heads(heads, self.verifier)
        self._connections = (db, heads)

    def close(self) -> None:
        """Let go of both files; harmless twice."""
        for connection in self._connections:
            connection.close()

    def give_back(self) -> None:
        """Let go of what both connections keep in case."""
        try:
            for connection in self._connections:
                schema.give_back(connection)
        except sqlite3.Error as error:
            raise sqlite_failed("give back", error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def still(self) -> Iterator[int]:
        """Everything asked inside is of one moment, whatever is written meanwhile; how many leaves there were.

        For a short while: what is written meanwhile cannot be moved out of the write-ahead log.
        """
        self._rows("BEGIN")
        try:
            yield self.size  # the first reading fixes the moment
        finally:
            self._rows("COMMIT")

    # --- entries -----------------------------------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        """The log's name."""
        return self.founded.origin

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return int(self._rows("SELECT coalesce(max(seq) + 1, 0) FROM leaf")[0][0])

    def leaf(self, seq: int) -> bytes:
        """The canonical bytes of leaf ``seq``; ``LedgerBroken`` if there is none."""
        rows = self._rows("SELECT body FROM leaf WHERE seq = ?", seq)
        if not rows:
            raise LedgerBroken("read", f"There is no leaf {seq}.", AUDIT)
        return bytes(rows[0][0])

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[Entry]:
        """The entries from ``start`` up to but without ``end`` (``None``: all there are now), in order."""
        end = self.size if end is None else end
        while start < end:
            rows = self._rows(
                "SELECT body FROM leaf WHERE seq >= ? AND seq < ? ORDER BY seq", start, min(start + PAGE, end)
            )
            if not rows:
                return
            yield from _entries(rows)
            start += len(rows)

    def history(self, *, record: str = "", session: str = "", recorder: str = "", ev: str = "") -> list[Entry]:
        """The entries whose subject has all of these names (and is of the kind ``ev``), in order."""
        where, values = _where(record=record, session=session, recorder=recorder, ev=ev)
        sql = f"SELECT body FROM leaf{where} ORDER BY seq"  # noqa: S608 - columns are constants
        return list(_entries(self._rows(sql, *values)))

    def entry(self, seq: int) -> Entry:
        """The entry of leaf ``seq``; ``LedgerBroken`` if there is none."""
        return codec.decode(self.leaf(seq)).entry

    def lately_told(self, recorder: str, *evs: str, limit: int) -> list[Entry]:
        """The newest entries of these kinds about this recorder, newest first."""
        marks = ", ".join("?" * len(evs))
        sql = f"SELECT body FROM leaf INDEXED BY leaf_recorder WHERE recorder = ? AND ev IN ({marks})"  # noqa: S608
        return list(_entries(self._rows(f"{sql} ORDER BY seq DESC LIMIT ?", recorder, *evs, limit)))

    def sessions_with(self, ev: str) -> list[str]:
        """The ids of the sessions that have an entry of this kind, from the leaves' columns alone."""
        return [
            row[0] for row in self._rows("SELECT session FROM leaf WHERE ev = ? GROUP BY session ORDER BY min(seq)", ev)
        ]

    def last(self, ev: str) -> Entry | None:
        """The newest entry of this kind."""
        rows = self._rows("SELECT body FROM leaf WHERE ev = ? ORDER BY seq DESC LIMIT 1", ev)
        return next(_entries(rows), None)

    # --- the fold ----------------------------------------------------------------------------------------------------

    def record(self, record_id: str) -> Record | None:
        """The record, or ``None`` if no fact ever named it."""
        return next(iter(self._records(" WHERE id = ?", record_id)), None)

    def records(self, *, state: str = "", recorder: str = "", session: str = "", limit: int = -1) -> list[Record]:
        """The records that fit all that is named, oldest first; ``limit`` -1 is all."""
        where, values = _where(state=state, recorder=recorder, session=session)
        return self._records(f"{where} ORDER BY rowid LIMIT ?", *values, limit)

    def recent(self, recorder: str, limit: int) -> list[Record]:
        """The newest records of this recorder, newest first."""
        return self._records(" WHERE recorder = ? ORDER BY rowid DESC LIMIT ?", recorder, limit)

    def items(self, recorder: str, limit: int) -> list[tuple[str, Item]]:
        """What was listed as the newest records of this recorder, with their ids, newest first.

        Of a recorder's whole history a docking needs no more, and the records themselves take ten times the memory.
        """
        sql = "SELECT id, doc -> '$.item' FROM record WHERE recorder = ? ORDER BY rowid DESC LIMIT ?"
        return [(rid, codec.load(Item, doc)) for rid, doc in self._rows(sql, recorder, limit)]

    def ids(self, *states: str) -> set[str]:
        """The ids of all records in any of these states, from the index alone."""
        return {row[0] for state in states for row in self._rows("SELECT id FROM record WHERE state = ?", state)}

    def next_id(self, after: str, *states: str) -> str | None:
        """The id that comes behind ``after`` among the records in any of these states; ``None`` behind the last."""
        sql = "SELECT min(id) FROM record WHERE state = ? AND id > ?"
        found = [self._rows(sql, state, after)[0][0] for state in states]
        return min((rid for rid in found if rid is not None), default=None)

    def many(self, *states: str) -> int:
        """How many records are in any of these states."""
        return sum(self._rows("SELECT count(*) FROM record WHERE state = ?", state)[0][0] for state in states)

    def sealed_in(self, place: str) -> set[str]:
        """The ids of all sealed records of which a copy counts in this place; reads each of them."""
        sql = "SELECT record.id FROM record, json_each(doc, '$.copies') AS copy WHERE state = ? AND copy.value = ?"
        return {row[0] for row in self._rows(sql, State.SEALED, place)}

    def only_listed(self, recorder: str) -> list[str]:
        """The ids of this recorder's records that were listed and not pulled, oldest first."""
        sql = "SELECT id FROM record WHERE recorder = ? AND state = ? ORDER BY rowid"
        return [row[0] for row in self._rows(sql, recorder, State.LISTED)]

    def holds_in(self, sink: str) -> bool:
        """Whether any record is confirmed in this sink; reads them all where none is."""
        sql = "SELECT 1 FROM record, json_each(doc, '$.copies') AS copy WHERE copy.value = ? LIMIT 1"
        return bool(self._rows(sql, sink))

    def waiting(
        self,
        waits_for: str,
        until: datetime | None = None,
        limit: int = -1,
        *,
        but: Collection[str] = (),
        sinks: Collection[str] | None = None,
    ) -> list[Record]:
        """The records that wait for ``work``, ``look`` or ``release`` since ``until`` or longer, earliest due first.

        At most ``limit`` beside those that ``but`` names, which need not be read again. With ``sinks``, those alone
        for which something can be done with these: what is on a recorder only, or owed to others only, is left out.
        """
        if not limit:
            return []
        until_ms = (1 << 62) if until is None else to_ms(until)
        # The second term is the index's own condition, without which SQLite may not use it for a parameter.
        sql = "SELECT id FROM record WHERE waits_for = :kind AND waits_for <> 'nothing' AND waits_since_ms <= :until"
        sql += _WORKABLE.get(waits_for, "") if sinks is not None else ""
        values = {"kind": waits_for, "until": until_ms, "sinks": json.dumps(sorted(sinks or ()))}
        most = limit if limit < 0 else limit + len(but)
        rows = self._rows(f"{sql} ORDER BY due_ms IS NULL, due_ms, waits_since_ms LIMIT :most", values | {"most": most})
        anew = [rid for (rid,) in rows if rid not in but]
        return [record for rid in anew[: limit if limit >= 0 else None] if (record := self.record(rid))]

    def owed(self, limit: int = -1) -> list[Record]:
        """The records whose obligation is not met, earliest due first."""
        return self._records(" WHERE due_ms IS NOT NULL AND met_ms IS NULL ORDER BY due_ms LIMIT ?", limit)

    def late(self, now: datetime, limit: int = -1) -> list[Record]:
        """The records that were not offloaded when they were due, earliest due first; by now they may be."""
        rows = self._rows(_LATE, {"now": to_ms(now), "excused": 1, "limit": limit})
        return [codec.load(Record, doc) for (doc,) in rows]

    def late_unexcused(self, now: datetime, limit: int = -1) -> list[Record]:
        """As :meth:`late`, those alone of which nobody has accepted why."""
        rows = self._rows(_LATE, {"now": to_ms(now), "excused": 0, "limit": limit})
        return [codec.load(Record, doc) for (doc,) in rows]

    def beginning(self, prefix: str) -> list[Record]:
        """The first two records whose id begins so; ids are hex, so ``g`` comes after all of them."""
        return self._records(" WHERE id >= ? AND id < ? ORDER BY id LIMIT 2", prefix, f"{prefix}g")

    def unfinished(self) -> set[str]:
        """The ids of all records of which something is owed still; the others are not even counted."""
        return {row[0] for row in self._rows(_UNFINISHED)}

    def session(self, session_id: str) -> Session | None:
        """The session, or ``None`` if no fact ever named it."""
        return next(iter(self._sessions(" WHERE id = ?", session_id)), None)

    def open_sessions(self) -> list[Session]:
        """The sessions that have not departed, oldest first."""
        return self._sessions(" WHERE departed_ms IS NULL ORDER BY arrived_ms")

    def sessions(self, *, recorder: str = "", limit: int = -1) -> list[Session]:
        """Sessions (of this recorder), newest first."""
        where, values = _where(recorder=recorder)
        return self._sessions(f"{where} ORDER BY arrived_ms DESC, rowid DESC LIMIT ?", *values, limit)

    def matter(self, shape: type[M], matter_id: str) -> M | None:
        """What people said about this person, device, trip … (``shape`` says which); ``None`` where nobody did."""
        rows = self._rows("SELECT doc FROM matter WHERE (kind, id) = (?, ?)", desk.SHAPES[shape], matter_id)
        return codec.load(shape, rows[0][0]) if rows else None

    def matters(self, shape: type[M], state: str = "", *, device: str = "") -> list[M]:
        """All matters of this shape (in this state, of this recorder), by id."""
        where, values = _where(kind=desk.SHAPES[shape], state=state, device=device)
        sql = f"SELECT doc FROM matter{where} ORDER BY id"  # noqa: S608 - columns are constants
        return [codec.load(shape, doc) for (doc,) in self._rows(sql, *values)]

    def naming(self, shape: type[M], record: str) -> list[M]:
        """All matters of this shape that name this recording, by id."""
        kind = desk.SHAPES[shape]
        rows = self._rows("SELECT doc FROM matter WHERE kind = ? AND instr(doc, ?) > 0 ORDER BY id", kind, record)
        return [codec.load(shape, doc) for (doc,) in rows]

    def how_many(self, shape: type[desk.Matter]) -> int:
        """How many matters of this shape there are."""
        return int(self._rows("SELECT count(*) FROM matter WHERE kind = ?", desk.SHAPES[shape])[0][0])

    def labelled(self, **named: str) -> list[Record]:
        """The records whose label has these words in these fields (``case``, ``place``, ``event``), oldest first."""
        columns = {"case": "case_id <> '' AND case_id"} if named.get("case") else {}  # by the index of bound ones
        where = " AND ".join(f"{columns.get(field, _of_label(field))} = ?" for field in named)
        return self._records(f" WHERE {where} ORDER BY rowid", *named.values())

    def finding(self, kind: str, subject: str, code: str) -> Finding | None:
        """The finding with this code that holds about this subject; ``None`` where none does."""
        rows = self._rows(
            "SELECT doc FROM finding WHERE (subject_kind, subject, code) = (?, ?, ?)", kind, subject, code
        )
        return codec.load(Finding, rows[0][0]) if rows else None

    def findings(self, *, kind: str = "", subject: str = "", limit: int = -1) -> list[OpenFinding]:
        """The newest ``limit`` (-1: all) of the findings that still hold about all that is named, oldest first."""
        where, values = _where(subject_kind=kind, subject=subject)
        rows = self._rows(
            f"SELECT subject_kind, subject, seq, at_ms, doc FROM finding{where}"  # noqa: S608 - columns are constants
            " ORDER BY seq DESC LIMIT ?",
            *values,
            limit,
        )
        return [
            OpenFinding(subject_kind=about, subject=name, seq=seq, since=from_ms(at), finding=codec.load(Finding, doc))
            for about, name, seq, at, doc in reversed(rows)
        ]

    # --- proofs ------------------------------------------------------------------------------------------------------

    @property
    def root(self) -> bytes:
        """The root of the whole tree, from the stored hashes."""
        return tree.root(self.size, self._fetch)

    def frontier(self, size: int) -> tree.Frontier:
        """The right edge of the tree over the first ``size`` leaves, from the stored hashes."""
        return tree.Frontier.load(size, self._fetch)

    def inclusion(self, seq: int, size: int) -> tuple[bytes, ...]:
        """The audit path of leaf ``seq`` in the tree of the first ``size`` leaves, as RFC 6962 writes it."""
        return tree.inclusion(seq, size, self._fetch)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """The proof that the first ``new`` leaves begin with the first ``old``, as RFC 6962 writes it."""
        return tree.consistency(old, new, self._fetch)

    def last_head(self) -> Head | None:
        """The newest signed head; ``None`` only between founding and the first signature."""
        try:
            checkpoint = self._heads.last()
        except sqlite3.Error as error:
            raise sqlite_failed("read", error) from error
        return None if checkpoint is None else self._head(checkpoint)

    def heads(self, after: int = 0) -> list[Head]:
        """The signed heads over more than ``after`` leaves, smallest first."""
        try:
            return [self._head(checkpoint) for checkpoint in self._heads.after(after)]
        except sqlite3.Error as error:
            raise sqlite_failed("read", error) from error

    def newest_heads(self, limit: int) -> list[Head]:
        """The newest ``limit`` signed heads, newest first, each checked again."""
        try:
            return [self._head(checkpoint) for checkpoint in self._heads.newest(limit)]
        except sqlite3.Error as error:
            raise sqlite_failed("read", error) from error

    def must_extend(self, old: Checkpoint) -> None:
        """``LedgerBroken`` unless this ledger holds every leaf under ``old`` and only adds to them.

        ``old`` is a checkpoint this station signed: the newest of its own, or one that came back from a witness.
        """
        size = self.size
        if old.size > size:
            what = (
                f"A head over {old.size} leaves was signed, and there are {size}: an older copy was put in its place."
            )
            raise LedgerBroken("compare heads", what, AUDIT)
        root = tree.root(size, self._fetch)  # of this size, whatever another process has added by now
        path = self.consistency(old.size, size) if old.size else ()
        if old.size and not tree.verify_consistency(old.size, size, path, old.root, root):
            what = (
                f"The first {old.size} leaves are not those of the head that was signed over them: the ledger forked."
            )
            raise LedgerBroken("compare heads", what, AUDIT)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _head(self, checkpoint: Checkpoint) -> Head:
        rows = self._rows("SELECT t FROM leaf WHERE seq = ?", checkpoint.size - 1)
        if not rows:
            self.must_extend(checkpoint)  # says why: the leaf it ends with is not there
        return Head(t=rows[0][0], checkpoint=checkpoint)

    def _fetch(self, level: int, last: int) -> bytes:
        start = 1 + level * tree.HASH_SIZE
        rows = self._rows("SELECT substr(nodes, ?, ?) FROM leaf WHERE seq = ?", start, tree.HASH_SIZE, last)
        if not rows or len(rows[0][0]) != tree.HASH_SIZE:
            raise LedgerBroken("read", f"The tree hash of level {level} at leaf {last} is missing.", AUDIT)
        return bytes(rows[0][0])

    def _records(self, clauses: str, *values: object) -> list[Record]:
        sql = f"SELECT doc FROM record{clauses}"  # noqa: S608 - clauses are constants
        return [codec.load(Record, doc) for (doc,) in self._rows(sql, *values)]

    def _sessions(self, clauses: str, *values: object) -> list[Session]:
        sql = f"SELECT doc FROM session{clauses}"  # noqa: S608 - clauses are constants
        return [codec.load(Session, doc) for (doc,) in self._rows(sql, *values)]


def open_read_only(directory: Path) -> Reader:
    """The ledger in ``directory``, for looking only; ``Misused`` if there is none."""
    db, heads = schema.open_both(directory, schema.connect_read_only)
    with ExitStack() as stack:
        stack.enter_context(closing(db))
        stack.enter_context(closing(heads))
        reader = Reader(db, heads)
        stack.pop_all()
    return reader


def _entries(rows: Sequence[tuple[Any, ...]]) -> Iterator[Entry]:
    return (codec.decode(body).entry for (body,) in rows)


def _of_label(field: str) -> str:
    return f"json_extract(doc, '$.label.{field}')"


def _where(**named: str) -> tuple[str, list[str]]:
    """A WHERE clause of the columns that are named, in the order of writing; columns are constants of this file."""
    chosen = {column: value for column, value in named.items() if value}
    if not chosen:
        return "", []
    return " WHERE " + " AND ".join(f"{column} = ?" for column in chosen), list(chosen.values())
