"""The fold of the facts, kept in tables: a cache that can be thrown away and made again from the leaves."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bwcdock.core import desk, locking
from bwcdock.core import record as record_fold
from bwcdock.core import session as session_fold
from bwcdock.core.desk.cases import is_loose
from bwcdock.core.facts import SESSION_FACTS, Entry, Fact, Finding, Found, Settled
from bwcdock.core.record import Record, State
from bwcdock.core.session import Session
from bwcdock.core.statements import Statement
from bwcdock.core.vocabulary import RECORD_FACTS
from bwcdock.ledger import codec
from bwcdock.ledger.codec import to_ms
from bwcdock.ledger.searching import folded, words

TABLES = ("record", "shelf", "session", "finding", "matter")
"""The cache tables; each has its own first column or columns as the key, and rows that sort."""


def _put(table: str, key: str, columns: str) -> str:
    """The statement that adds a row, or brings these columns of the row with the same key up to date."""
    marks = ", ".join("?" * (len(key.split()) + len(columns.split())))
    changes = ", ".join(f"{c} = excluded.{c}" for c in columns.split() if c not in {"seq", "at_ms"})
    return f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO UPDATE SET {changes}"  # noqa: S608 - constants


_PUT_RECORD = _put(
    "record",
    "id",
    "state recorder session path waits_for waits_since_ms due_ms met_ms basis_ms article excused awaits size sealed_ms"
    " unlocked recorded_ms officer case_id parties place event tags words doc",
)
_PUT_SESSION = _put("session", "id", "state recorder port arrived_ms departed_ms doc")
_PUT_SHELF = _put("shelf", "id", "loose_ms keep_ms")
_PUT_FINDING = _put("finding", "subject_kind subject code", "severity seq at_ms doc")
_PUT_MATTER = _put("matter", "kind id", "state device doc")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFinding:
    """A finding that still holds: its subject (``record``, ``session``, ``recorder`` or ``station``), since when."""

    subject_kind: str
    subject: str
    seq: int
    since: datetime
    finding: Finding


def fold(db: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Carry the tables on by these entries, inside the caller's transaction.

    Each record, session and matter is read once and written once, however many of its facts come together. Raises
    :class:`~bwcdock.core.record.Illegal` for a fact its table forbids.
    """
    records: dict[str, Record | None] = {}
    sessions: dict[str, Session | None] = {}
    matters: dict[tuple[str, str], desk.Matter | None] = {}
    for entry in entries:
        fact = entry.fact
        if isinstance(fact, RECORD_FACTS):
            if fact.record not in records:
                records[fact.record] = get_record(db, fact.record)
            records[fact.record] = record_fold.apply(records[fact.record], entry)
        elif isinstance(fact, SESSION_FACTS):
            if fact.session not in sessions:
                sessions[fact.session] = get_session(db, fact.session)
            sessions[fact.session] = session_fold.apply(sessions[fact.session], entry)
        elif isinstance(fact, Statement):
            key = (fact.kind, fact.matter)
            if key not in matters:
                matters[key] = get_matter(db, *key)
            matters[key] = desk.apply(matters[key], entry)
        elif isinstance(fact, Found):
            _found(db, entry, fact)
        elif isinstance(fact, Settled):
            db.execute(
                "DELETE FROM finding WHERE (subject_kind, subject, code) = (?, ?, ?)", (*_subject(fact), fact.code)
            )
    db.executemany(_PUT_RECORD, [_record_row(r) for r in records.values() if r])
    db.executemany(_PUT_SHELF, [_shelf_row(r) for r in records.values() if r])
    db.executemany(_PUT_SESSION, [_session_row(s) for s in sessions.values() if s])
    db.executemany(_PUT_MATTER, [_matter_row(kind, m) for (kind, _), m in matters.items() if m])


def get_record(db: sqlite3.Connection, record_id: str) -> Record | None:
    """The record, or ``None`` if no fact ever named it."""
    row = db.execute("SELECT doc FROM record WHERE id = ?", (record_id,)).fetchone()
    return codec.load(Record, row[0]) if row else None


def get_session(db: sqlite3.Connection, session_id: str) -> Session | None:
    """The session, or ``None`` if no fact ever named it."""
    row = db.execute("SELECT doc FROM session WHERE id = ?", (session_id,)).fetchone()
    return codec.load(Session, row[0]) if row else None


def get_matter(db: sqlite3.Connection, kind: str, matter_id: str) -> desk.Matter | None:
    """The matter, or ``None`` if no statement ever named it."""
    row = db.execute("SELECT doc FROM matter WHERE (kind, id) = (?, ?)", (kind, matter_id)).fetchone()
    return codec.load(desk.KINDS[kind].shape, row[0]) if row else None


def _record_row(r: Record) -> tuple[object, ...]:
    owed = r.obligation
    waits = (r.waits_for, to_ms(r.waits_since))
    law = (_ms(owed.basis_at), f"{owed.pack} {owed.article}") if owed else (None, "")
    is_sealed = r.state in {State.SEALED, State.RELEASED}
    sinks = {copy.sink for copy in r.held}
    unlocked = " ".join(locking.short(r, sinks, r.waits_since, is_held=False))  # as of the last confirmation
    carried = (" ".join(r.owed_sinks) if is_sealed else "", r.item.size, _ms(r.sealed_at), unlocked)
    where = (r.id, r.state, r.recorder, r.session, r.item.path)
    return (*where, *waits, _ms(r.due), _ms(r.met_at), *law, bool(r.excuse), *carried, *_sought(r), codec.dump(r))


def _sought(r: Record) -> tuple[object, ...]:
    """By what people look for it, as :mod:`bwcdock.ledger.searching` asks for it."""
    label = r.label
    tags = "".join(f" {tag} " for tag in sorted({*label.tags, *filter(None, (label.sensitive,))}))
    said = (folded("\t".join(label.parties)), folded(label.place), folded(label.event), tags, words(r))
    return (to_ms(r.recorded_at), r.item.officer, label.case, *said)


def _shelf_row(r: Record) -> tuple[object, ...]:
    """In which lists a recording stands: since when it belongs to no case, until when it is kept."""
    loose_ms = to_ms(r.listed_at) if is_loose(r.label) else None
    keep_ms = _ms(r.obligation.keep_until) if r.obligation else None
    return (r.id, loose_ms, keep_ms)


def _session_row(s: Session) -> tuple[object, ...]:
    return (s.id, s.state, s.recorder, s.sighting.port, to_ms(s.arrived_at), _ms(s.departed_at), codec.dump(s))


def _matter_row(kind: str, matter: desk.Matter) -> tuple[object, ...]:
    return (kind, matter.id, matter.state, getattr(matter, "device", ""), codec.dump(matter))


def _found(db: sqlite3.Connection, entry: Entry, fact: Found) -> None:
    """Found again while it still holds: the words are the new ones, ``seq`` and ``at_ms`` stay the first time's."""
    what = fact.finding
    row = (*_subject(fact), what.code, what.severity, entry.seq, to_ms(entry.at), codec.dump(what))
    db.execute(_PUT_FINDING, row)


def _subject(fact: Fact) -> tuple[str, str]:
    """The narrowest subject: a finding about a record names its session and recorder only to say where."""
    for kind, subject in (("record", fact.record), ("session", fact.session), ("recorder", fact.recorder)):
        if subject:
            return kind, subject
    return "station", ""


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else to_ms(moment)
