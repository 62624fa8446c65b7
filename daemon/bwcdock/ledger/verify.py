"""The ledger proven from nothing: believes no row, and needs only the files and the public key.

What it cannot see is both files replaced by an older pair: only a checkpoint kept elsewhere tells, and can be given as
a witness.
"""

import sqlite3
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any

from bwcdock.core.facts import Entry, Founded
from bwcdock.core.record import Illegal
from bwcdock.errors import LedgerBroken, Misused
from bwcdock.ledger import cache, codec, schema
from bwcdock.ledger.checkpoint import Checkpoint, Verifier
from bwcdock.ledger.codec import Leaf, to_ms
from bwcdock.ledger.reader import PAGE, Reader
from bwcdock.ledger.tree import Frontier, leaf_hash

MAX_DISAGREEMENTS = 100
"""Where it stops: one removed leaf puts every later one out of place, and a million lines help nobody."""

TAIL = 1000
"""Leaves proven at every start: a day of a busy dock, a tenth of a second; the rest is for :func:`check`."""

_LENGTH = struct.Struct(">H")

Mark = tuple[int, str, bytes]
"""A root that must hold: after how many leaves, who says so, the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One thing that does not hold: a stable dotted ``code``, the ``place``, and ``what`` in one sentence."""

    code: str
    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.code} at {self.place}: {self.what}"


def check(directory: Path, public_key: str, witnessed: Sequence[str] = ()) -> list[Disagreement]:
    """Everything that does not hold in the ledger of ``directory``; empty if all does. Writes nothing.

    ``public_key`` is the C2SP text of the station's key, from outside; ``witnessed`` are checkpoints that were kept
    elsewhere. The files, the tables, every leaf, the whole tree, every signed head and the fold are computed again.
    May run beside the daemon: it looks at one moment of the ledger. ``Misused`` if the key is none or nothing is
    there.
    """
    verifier = Verifier.parse(public_key)
    try:
        db, heads = schema.open_both(directory, schema.connect_read_only)
    except LedgerBroken as error:
        return [Disagreement(code="db.unreadable", place=str(directory), what=error.what)]
    with closing(db), closing(heads):
        return list(islice(_disagreements(db, heads, verifier, witnessed), MAX_DISAGREEMENTS))


def tail(ledger: Reader, leaves: int = TAIL) -> list[Disagreement]:
    """What does not hold among the newest ``leaves`` of an open ledger, and all that no signed head covers yet.

    Each is hashed again. Where the root that follows is the signed one, the newest leaves and the tree hashes before
    them are those that were signed; older leaves are proven by :func:`check`. Raises ``LedgerBroken`` where a leaf
    cannot be read at all.
    """
    return list(islice(_tail(ledger, leaves), MAX_DISAGREEMENTS))


def _tail(ledger: Reader, leaves: int) -> Iterator[Disagreement]:
    size, head = ledger.size, ledger.last_head()
    signed = head.checkpoint if head is not None else None
    # The last signed leaf is always among them, or nothing would bind the others to a signature.
    start = max(0, min(size - leaves, signed.size - 1 if signed is not None else 0))
    frontier, last = ledger.frontier(start), None
    for seq in range(start, size):
        body = ledger.leaf(seq)
        frontier.push(leaf_hash(body))
        try:
            leaf = codec.decode(body)
        except LedgerBroken as error:
            yield Disagreement(code="leaf.unreadable", place=f"leaf {seq}", what=error.what)
        else:
            yield from _leaf(seq, leaf, last, ledger.verifier)
            last = leaf.entry.at
        if signed is not None and frontier.size == signed.size:
            yield from _mark((signed.size, f"the head over {signed.size} leaves", signed.root), frontier)
    if frontier.root() != ledger.root:
        what = "The stored tree hashes are not those of the leaves."
        yield Disagreement(code="tree.nodes", place=f"leaf {size - 1}", what=what)


def _disagreements(
    db: sqlite3.Connection, heads: sqlite3.Connection, verifier: Verifier, witnessed: Sequence[str]
) -> Iterator[Disagreement]:
    try:
        # The moment of the heads first: then no head can be newer than the leaves looked at.
        for file in (heads, db):
            file.execute("BEGIN")
            file.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        for file, name in ((heads, schema.HEADS_FILE), (db, schema.LEDGER_FILE)):
            yield from _file(file, name)
        marks: list[Mark] = []
        yield from _witnesses(witnessed, verifier, marks)
        with closing(sqlite3.connect("")) as scratch:  # SQLite's own temporary file: a long fold need not fit in memory
            schema.install(scratch, schema.LEDGER_FILE)
            yield from _heads(heads, verifier)
            yield from _leaves(db, merge(_marks(heads), marks), verifier, scratch)
            for table in cache.TABLES:
                yield from _table(scratch, db, table)
    except (sqlite3.Error, TypeError) as error:  # a column of another type, in a table that is no longer strict
        yield Disagreement(code="db.unreadable", place="the database", what=f"It cannot be read: {error}.")


def _file(db: sqlite3.Connection, name: str) -> Iterator[Disagreement]:
    for (said,) in db.execute("PRAGMA integrity_check(10)"):
        if said != "ok":
            yield Disagreement(code="db.integrity", place=name, what=f"SQLite's integrity check says: {said}.")
    for odd in schema.oddities(db, name):
        yield Disagreement(code="db.schema", place=name, what=f"The {odd}.")


def _witnesses(notes: Sequence[str], verifier: Verifier, marks: list[Mark]) -> Iterator[Disagreement]:
    """Adds to ``marks``, in order, what the witnesses' checkpoints say."""
    for number, note in enumerate(notes, 1):
        try:
            checkpoint = verifier.open(note)
        except LedgerBroken as error:
            yield Disagreement(code="witness.signature", place=f"witness {number}", what=error.what)
        else:
            marks.append((checkpoint.size, f"witness {number}", checkpoint.root))
    marks.sort()


def _heads(db: sqlite3.Connection, verifier: Verifier) -> Iterator[Disagreement]:
    for size, root, note in db.execute("SELECT size, root, note FROM head ORDER BY size"):
        place = f"the head over {size} leaves"
        try:
            checkpoint = verifier.open(note)
        except LedgerBroken as error:
            yield Disagreement(code="head.signature", place=place, what=error.what)
            continue
        if (checkpoint.size, checkpoint.root) != (size, root):
            yield Disagreement(code="head.row", place=place, what="Its row does not say what was signed.")


def _marks(db: sqlite3.Connection) -> Iterator[Mark]:
    for size, root in db.execute("SELECT size, root FROM head ORDER BY size"):
        yield size, f"the head over {size} leaves", root


def _leaves(
    db: sqlite3.Connection, marks: Iterator[Mark], verifier: Verifier, scratch: sqlite3.Connection
) -> Iterator[Disagreement]:
    """Every leaf in order, the tree over them, the roots that must hold; the fold goes into ``scratch``."""
    frontier, last = Frontier(), None
    mark, marked = next(marks, None), False
    entries: list[Entry] = []
    for seq, *columns, nodes, body in db.execute(
        "SELECT seq, t, ev, record, session, recorder, nodes, body FROM leaf ORDER BY seq"
    ):
        place = f"leaf {seq}"
        if seq != frontier.size:
            yield Disagreement(code="leaf.order", place=place, what=f"Leaf {frontier.size} should be here.")
        if b"".join(frontier.push(leaf_hash(body))) != nodes:
            yield Disagreement(
                code="tree.nodes", place=place, what="The stored tree hashes are not those of the leaves."
            )
        while mark is not None and mark[0] <= frontier.size:
            yield from _mark(mark, frontier)
            mark, marked = next(marks, None), True
        try:
            leaf = codec.decode(body)
        except LedgerBroken as error:
            yield Disagreement(code="leaf.unreadable", place=place, what=error.what)
            continue
        yield from _leaf(seq, leaf, last, verifier)
        if columns != _columns(leaf.entry):
            yield Disagreement(code="leaf.columns", place=place, what="Its columns do not say what the leaf says.")
        last = leaf.entry.at
        entries.append(leaf.entry)
        if len(entries) == PAGE:
            yield from _folded(scratch, entries)
            entries = []
    yield from _folded(scratch, entries)
    if frontier.size > 1 and not marked:
        yield Disagreement(code="head.missing", place=schema.HEADS_FILE, what="No head was ever signed.")
    if frontier.size == 0:
        yield Disagreement(code="leaf.order", place="leaf 0", what="There is not one leaf.")
    while mark is not None:
        what = f"It is over {mark[0]} leaves, and there are {frontier.size}: an older copy was put in its place."
        yield Disagreement(code="head.ahead", place=mark[1], what=what)
        mark = next(marks, None)


def _mark(mark: Mark, frontier: Frontier) -> Iterator[Disagreement]:
    size, place, root = mark
    if size != frontier.size or root != frontier.root():
        what = f"The first {size} leaves are not those it was signed over."
        yield Disagreement(code="head.root", place=place, what=what)


def _leaf(seq: int, leaf: Leaf, last: datetime | None, verifier: Verifier) -> Iterator[Disagreement]:
    entry, place = leaf.entry, f"leaf {seq}"
    if entry.seq != seq:
        yield Disagreement(code="leaf.seq", place=place, what=f"It says it is leaf {entry.seq}.")
    if last is not None and entry.at < last:
        yield Disagreement(code="leaf.time", place=place, what="It is older than the leaf before it.")
    if leaf.origin != verifier.origin:
        yield Disagreement(code="leaf.origin", place=place, what=f"It was written for {leaf.origin}.")
    fact = entry.fact
    if isinstance(fact, Founded) != (seq == 0):
        yield Disagreement(code="leaf.founding", place=place, what="A ledger is founded by its first leaf, and once.")
    if isinstance(fact, Founded) and (fact.origin, fact.public_key) != (verifier.origin, verifier.vkey):
        yield Disagreement(code="leaf.founding", place=place, what=f"It was founded with the key {fact.public_key}.")


def _columns(entry: Entry) -> list[object]:
    fact = entry.fact
    return [to_ms(entry.at), fact.ev, fact.record or None, fact.session or None, fact.recorder or None]


def _folded(scratch: sqlite3.Connection, entries: list[Entry]) -> Iterator[Disagreement]:
    try:
        cache.fold(scratch, entries)
    except Illegal:
        # One of the page is forbidden: one by one, so that it is named and the others still count.
        for entry in entries:
            try:
                cache.fold(scratch, [entry])
            except Illegal as error:
                yield Disagreement(
                    code="leaf.illegal", place=f"leaf {entry.seq}", what=f"Its fact is forbidden: {error}."
                )


def _table(ours: sqlite3.Connection, theirs: sqlite3.Connection, table: str) -> Iterator[Disagreement]:
    """The cached rows of ``theirs`` against the fold, both walked in the order of their keys."""
    width = {"finding": 3, "matter": 2}.get(table, 1)
    order = ", ".join(str(column + 1) for column in range(width))
    sql = f"SELECT * FROM {table} ORDER BY {order}"  # noqa: S608 - constants
    left, right = ours.execute(sql), theirs.execute(sql)
    a, b = next(left, None), next(right, None)
    while a is not None or b is not None:
        if a == b:
            a, b = next(left, None), next(right, None)
            continue
        order_of = _key(a, b, width)
        what = {-1: "It is missing from the cache.", 0: "The cache differs from the fold.", 1: "No fact speaks of it."}
        key = (b if order_of > 0 else a) or ()
        place = f"{table} {' '.join(str(k) for k in key[:width])}"
        yield Disagreement(code="cache.differs", place=place, what=what[order_of])
        a = next(left, None) if order_of <= 0 else a
        b = next(right, None) if order_of >= 0 else b


def _key(a: tuple[Any, ...] | None, b: tuple[Any, ...] | None, width: int) -> int:
    """Which of two rows comes first: -1 the left, 1 the right, 0 neither."""
    if a is None or b is None:
        return 1 if a is None else -1
    return (a[:width] > b[:width]) - (a[:width] < b[:width])


# ---------------------------------------------------------------------------------------------------------------------
# The stand-alone form: a checkpoint and the leaves under it, each with its length (16 bits, big endian) before it, the
# form of an entry in a C2SP tile.
# ---------------------------------------------------------------------------------------------------------------------


def export(reader: Reader) -> Iterator[bytes]:
    """The last checkpoint and every leaf under it, as chunks of one file that proves itself to whoever has the key."""
    head = reader.last_head()
    if head is None:
        raise Misused("export", "No head of this ledger is signed yet.", "Start the station once.")
    yield _framed(head.checkpoint.note.encode())
    for seq in range(head.checkpoint.size):
        yield _framed(reader.leaf(seq))


def check_export(data: bytes, public_key: str) -> list[Disagreement]:
    """What does not hold in an exported ledger; empty if all does. Leaves are only read if their tree is signed."""
    verifier = Verifier.parse(public_key)
    try:
        note, *leaves = _frames(data)
        checkpoint = verifier.open(note.decode())
    except (ValueError, struct.error) as error:
        return [Disagreement(code="export.unreadable", place="the file", what=f"It is no exported ledger: {error}.")]
    except LedgerBroken as error:
        return [Disagreement(code="head.signature", place="the checkpoint", what=error.what)]
    return list(islice(_exported(checkpoint, leaves, verifier), MAX_DISAGREEMENTS))


def _exported(checkpoint: Checkpoint, leaves: list[bytes], verifier: Verifier) -> Iterator[Disagreement]:
    frontier = Frontier()
    for body in leaves:
        frontier.push(leaf_hash(body))
    if (frontier.size, frontier.root()) != (checkpoint.size, checkpoint.root):
        what = f"The {frontier.size} leaves are not the {checkpoint.size} it was signed over."
        yield Disagreement(code="head.root", place="the checkpoint", what=what)
        return
    last = None
    for seq, body in enumerate(leaves):
        try:
            leaf = codec.decode(body)
        except LedgerBroken as error:
            yield Disagreement(code="leaf.unreadable", place=f"leaf {seq}", what=error.what)
            continue
        yield from _leaf(seq, leaf, last, verifier)
        last = leaf.entry.at


def _framed(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


def _frames(data: bytes) -> list[bytes]:
    frames, at = [], 0
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise ValueError("it is cut off")
        frames.append(data[at : at + length])
        at += length
    return frames
