"""A long history, quickly: one real docking, told again for other recorders and other days.

The leaves, the tree and the rows are those the ledger itself would have written; only the digesting and folding of
every one of them is spared, by filling in a form. ``proven`` shows that on a sample.
"""

import random
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bwcdock import app
from bwcdock.clock import WallClock
from bwcdock.core import record as records
from bwcdock.core import session as sessions
from bwcdock.core.facts import RECORD_FACTS, SESSION_FACTS, SPOOL, Fact, LookedAgain, Released, ReleaseIntended
from bwcdock.ledger import Ledger, Signer, codec, open_read_only, schema
from bwcdock.ledger.cache import TABLES
from bwcdock.ledger.codec import to_ms
from bwcdock.ledger.tree import Frontier, leaf_hash
from bwcdock.settings import Settings

RECORDERS = 200
DAYS = 400
SERIAL = "OLD0000"
"""The recorder of the real docking; its copies are OLD0001 and so on."""

A_COMMIT = 50
"""Dockings written in one transaction."""

_OFFICER = "000000"
_TIME = re.compile(rb"(?<=[:,\[])1[6-9]\d{11}(?=[,}\]])")
_SEQ = re.compile(rb'(?<="seq":)\d+|(?<="sealed_seq":)\d+')


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the form: its table, its values, and where among them are texts, moments and numbers of leaves."""

    table: str
    values: tuple[Any, ...]
    texts: tuple[int, ...]
    moments: tuple[int, ...]
    numbers: tuple[int, ...]


class Form:
    """One docking with all its records, from arrival to the release of the last copy, as a text with holes."""

    def __init__(self, directory: Path) -> None:
        with closing(schema.connect_read_only(directory / schema.LEDGER_FILE)) as db:
            (self._session,) = (row[0] for row in db.execute("SELECT id FROM session"))
            self._records = [row[0] for row in db.execute("SELECT id FROM record ORDER BY rowid")]
            about = "record IS NOT NULL OR session IS NOT NULL OR recorder IS NOT NULL"
            leaves = db.execute(f"SELECT * FROM leaf WHERE {about} ORDER BY seq")
            self._rows = [_row("leaf", leaves.description, row) for row in leaves]
            self.leaves, self.records = len(self._rows), len(self._records)
            for table in TABLES:
                found = db.execute(f"SELECT * FROM {table}")
                self._rows += [
                    _row(table, found.description, row) for row in found if (table, row[0]) != ("finding", "station")
                ]
        self._seqs = {row.values[0]: number for number, row in enumerate(self._rows[: self.leaves])}
        self._begun = min(row.values[1] for row in self._rows[: self.leaves])
        self._times: set[int] = set()
        self._text = self._with_holes(b"\n".join(_bytes(row.values[at]) for row in self._rows for at in row.texts))

    def _with_holes(self, text: bytes) -> bytes:
        text = text.replace(b"%", b"%%")
        names = {self._session: "session", SERIAL: "serial", f"_{_OFFICER}_": "officer"}
        names |= {rid: f"r{number}" for number, rid in enumerate(self._records)}
        for told, name in names.items():
            text = text.replace(told.encode(), b"%%(%b)b" % name.encode())
        text = _SEQ.sub(lambda found: b"%%(s%d)b" % self._seqs[int(found[0])], text)
        self._times |= {int(found) for found in _TIME.findall(text)}
        return _TIME.sub(rb"%(t\g<0>)b", text)

    def told(self, number: int, at: datetime, first: int) -> Iterator[tuple[str, list[Any]]]:
        """The rows of the ``number``-th copy, which begins at ``at`` with leaf ``first``; leaves come first."""
        shift = to_ms(at) - self._begun
        filled = self._text % {
            b"session": b"%024x" % (number + 1),
            b"serial": serial(number).encode(),
            b"officer": b"_%06d_" % number,
            **{b"r%d" % n: b"%032x" % (number * self.records + n + 1) for n in range(self.records)},
            **{b"s%d" % n: b"%d" % (first + n) for n in self._seqs.values()},
            **{b"t%d" % t: b"%d" % (t + shift) for t in self._times},
        }
        lines = iter(filled.decode().split("\n"))
        for row in self._rows:
            values = list(row.values)
            for place in row.texts:
                values[place] = next(lines)
            for place in row.moments:
                values[place] += shift
            for place in row.numbers:
                values[place] = first + self._seqs[values[place]]
            yield row.table, values


def serial(number: int) -> str:
    """The recorder of the ``number``-th docking of a history."""
    return f"OLD{number % RECORDERS + 1:04d}"


def _row(table: str, columns: Sequence[Sequence[Any]], row: Sequence[Any]) -> Row:
    values = [value for column, value in zip(columns, row, strict=True) if column[0] != "nodes"]
    names = [column[0] for column in columns if column[0] != "nodes"]
    whole = [at for at, value in enumerate(values) if isinstance(value, int)]
    return Row(
        table=table,
        values=tuple(values),
        texts=tuple(at for at, value in enumerate(values) if isinstance(value, str | bytes)),
        moments=tuple(at for at in whole if names[at] == "t" or names[at].endswith("_ms")),
        numbers=tuple(at for at in whole if names[at] == "seq"),
    )


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def finish(settings: Settings) -> None:
    """What a week does to what was carried to central storage: looked at again, and released here."""
    with app.opened(settings) as bench:
        held = bench.book.ask(lambda ledger: ledger.records())
        facts: list[Fact] = []
        for record in held:
            subject = {"record": record.id, "recorder": record.recorder}
            facts += [LookedAgain(**subject, sink=one.sink) for one in record.held]
            facts += [
                ReleaseIntended(**subject, place=SPOOL, ground="looked at again"),
                Released(**subject, place=SPOOL),
            ]
        bench.book.record(facts)


def fill(settings: Settings, form: Form, wanted: int) -> None:
    """Give a newly founded station a history of ``wanted`` finished recordings, the last of it an hour old."""
    dockings = -(-wanted // form.records)
    begun, step = WallClock().now() - timedelta(days=DAYS), timedelta(days=DAYS) / (dockings + 1)
    directory = settings.paths.ledger
    with closing(sqlite3.connect(directory / schema.LEDGER_FILE, isolation_level=None)) as db:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):  # remade if it dies
            db.execute(f"PRAGMA {pragma}").fetchall()
        frontier = Frontier()
        for (body,) in db.execute("SELECT body FROM leaf ORDER BY seq"):
            frontier.push(leaf_hash(body))
        for start in range(0, dockings, A_COMMIT):
            with schema.transaction(db):
                for number in range(start, min(start + A_COMMIT, dockings)):
                    _tell(db, form, number, begun + number * step, frontier)
    with Ledger.open(directory, Signer.load(settings.paths.keys / app.KEY, app.origin(settings))) as ledger:
        ledger.checkpoint()


def _tell(db: sqlite3.Connection, form: Form, number: int, at: datetime, frontier: Frontier) -> None:
    rows: dict[str, list[list[Any]]] = {}
    for table, values in form.told(number, at, frontier.size):
        rows.setdefault(table, []).append(values)
    for leaf in rows["leaf"]:
        leaf[-1] = leaf[-1].encode()
        leaf.insert(-1, b"".join(frontier.push(leaf_hash(leaf[-1]))))
    for table, some in rows.items():
        db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(some[0]))})", some)


def proven(settings: Settings, sample: int = 25) -> None:
    """Encode and fold anew some of what was filled in; ``AssertionError`` where the ledger would have it otherwise."""
    chance = random.Random(1)
    with open_read_only(settings.paths.ledger) as ledger:
        newest = ledger.recent(serial(0), sample) + ledger.recent(serial(RECORDERS - 1), sample)
        for record in chance.sample(newest, min(sample, len(newest))):
            folded = None
            for entry in ledger.history(record=record.id):
                leaf = ledger.leaf(entry.seq)
                known = codec.decode(leaf)
                assert codec.encode(entry, boot=known.boot, mono=known.mono, origin=known.origin) == leaf
                folded = records.apply(folded, entry) if isinstance(entry.fact, RECORD_FACTS) else folded
            assert folded == record
            assert record.finished
            assert record.waits_for == "nothing"
        for session in ledger.sessions(limit=sample):
            again = None
            for entry in ledger.history(session=session.id):
                again = sessions.apply(again, entry) if isinstance(entry.fact, SESSION_FACTS) else again
            assert again == session
