"""The station's memory: facts are appended, and nothing is ever taken back.

A transaction that fails leaves nobody knowing what is true, so every failed write raises ``LedgerBroken``, after which
this object refuses to write and the process ends; the ordinary start reads from the disk what was really committed.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from time import monotonic

import structlog

from bwcdock.core.facts import Actor, Entry, Fact, Founded
from bwcdock.core.record import Illegal
from bwcdock.durable import fsync_dir
from bwcdock.errors import LedgerBroken, Misused
from bwcdock.ledger import cache, codec, schema
from bwcdock.ledger.checkpoint import Checkpoint, Signer
from bwcdock.ledger.codec import from_ms, to_ms
from bwcdock.ledger.counting import sqlite_failed
from bwcdock.ledger.reader import PAGE, Reader
from bwcdock.ledger.schema import AUDIT
from bwcdock.ledger.tree import Frontier, leaf_hash

log = structlog.get_logger()

STATION = Actor()
"""The actor where no person is behind a fact."""

COMMITS_PER_WAL = 200
"""Commits between two WAL checkpoints: some 15 pages each, so the -wal file stays near 12 MB and a restart is quick."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_INSERT = "INSERT INTO leaf (seq, t, ev, record, session, recorder, nodes, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Ledger(Reader):
    """The one writing connection. Plain blocking code for one thread at a time: whoever shares it takes turns.

    ``mono`` gives seconds since boot: the kernel's monotonic clock, or a test's.
    """

    def __init__(
        self, db: sqlite3.Connection, heads: sqlite3.Connection, signer: Signer, mono: Callable[[], float]
    ) -> None:
        super().__init__(db, heads)
        if self.verifier.vkey != signer.verifier.vkey or self.origin != signer.origin:
            what = f"This ledger is {self.founded.public_key}, and the key is {signer.verifier.vkey}."
            raise LedgerBroken("open", what, "Give the station its own key and its own ledger again.")
        self._signer = signer
        self._boot = boot_id()
        self._mono = mono
        self._frontier = Frontier.load(self.size, self._fetch)
        self._last_ms = to_ms(codec.decode(self.leaf(self._frontier.size - 1)).entry.at)
        self._broken: LedgerBroken | None = None
        self._commits = 0
        head = self.last_head()
        self._signed = head is not None
        if head is not None:
            self.must_extend(head.checkpoint)
        elif self._frontier.size > 1:
            raise LedgerBroken("open", f"The signed heads are gone from {schema.HEADS_FILE}.", AUDIT)

    @classmethod
    def create(
        cls, directory: Path, pack: str, signer: Signer, now: datetime, *, mono: Callable[[], float] = monotonic
    ) -> "Ledger":
        """Found a ledger under the signer's origin; its first leaf names ``pack`` and the key, and is signed at once.

        ``Misused`` where one is there already, or where ``directory`` is none. If it dies halfway, tables and first
        leaf are there together or not at all: found again, or open, and whatever is missing is made.
        """
        if not directory.is_dir():
            hint = "Make it, owned by the daemon's user, mode 0700."
            raise Misused("found ledger", f"{directory} is no directory.", hint)
        founded = Founded(origin=signer.origin, pack=pack, public_key=signer.verifier.vkey)
        try:
            with (
                closing(schema.connect(directory / schema.LEDGER_FILE)) as db,
                closing(schema.connect(directory / schema.HEADS_FILE)) as heads,
            ):
                if schema.is_empty(heads):
                    with schema.transaction(heads):
                        schema.install(heads, schema.HEADS_FILE)
                if not schema.is_empty(db) or heads.execute("SELECT 1 FROM head").fetchall():
                    hint = "Start the station on it, or name an empty directory."
                    raise Misused("found ledger", f"{directory} holds a ledger, or what is left of one.", hint)
                with schema.transaction(db):
                    schema.install(db, schema.LEDGER_FILE)
                    entry = Entry(seq=0, at=from_ms(to_ms(now)), fact=founded, actor=STATION)
                    body = codec.encode(entry, boot=boot_id(), mono=_whole_ms(mono), origin=signer.origin)
                    _insert(db, Frontier(), [body])
            fsync_dir(directory)
        except sqlite3.Error as error:
            raise sqlite_failed("found ledger", error) from error
        ledger = cls.open(directory, signer, mono=mono)
        ledger.checkpoint()
        return ledger

    @classmethod
    def open(cls, directory: Path, signer: Signer, *, mono: Callable[[], float] = monotonic) -> "Ledger":
        """The ledger in ``directory``, for writing.

        ``Misused`` if there is none; ``LedgerBroken`` if its tables, its key or its last signed head are not what they
        were: an older copy put back in its place is found here. The whole is proven by ``verify.check``, not here.

        Where another version of the fold made the cache tables, they are made again from the leaves, in one
        transaction: a start that dies in it finds the old ones, and begins again.
        """
        db, heads = schema.open_both(directory, schema.connect)
        with ExitStack() as stack:
            stack.enter_context(closing(db))
            stack.enter_context(closing(heads))
            try:
                made_by = schema.fold_version(db)
                if made_by == schema.FOLD_VERSION:
                    _must_be_as_made(db, heads)
                ledger = cls(db, heads, signer, mono)
                if made_by != schema.FOLD_VERSION:
                    log.info("ledger.folds_again", was=made_by, now=schema.FOLD_VERSION, leaves=ledger.size)
                    ledger.rebuild()
                    _must_be_as_made(db, heads)
            except sqlite3.Error as error:
                raise sqlite_failed("open", error) from error
            stack.pop_all()
        return ledger

    def append(self, facts: Sequence[Fact], now: datetime, actor: Actor = STATION) -> tuple[Entry, ...]:
        """Add these facts, all or none; durable and folded into the cache tables when it returns.

        Time never goes back: where ``now`` is before the last leaf, the last leaf's time is written. What is folded
        and returned is what was written, read back from the leaf (times in whole ms), so that the cache is the fold
        of the leaves and of nothing else. Raises :class:`~bwcdock.ledger.codec.Unrecordable` and
        :class:`~bwcdock.core.record.Illegal` with nothing changed, and ``LedgerBroken``, after which the process ends.
        """
        self._must_be_whole()
        if not facts:
            return ()
        if not self._signed:  # it died between founding and the first signature
            self.checkpoint()
        at = from_ms(max(to_ms(now), self._last_ms))
        mono = _whole_ms(self._mono)
        first = self._frontier.size
        bodies = [
            codec.encode(Entry(seq=seq, at=at, fact=fact, actor=actor), boot=self._boot, mono=mono, origin=self.origin)
            for seq, fact in enumerate(facts, first)
        ]
        frontier = self._frontier.copy()
        try:
            with schema.transaction(self._db):
                entries = _insert(self._db, frontier, bodies)
        except sqlite3.Error as error:
            raise self._fatal("append", error) from error
        # Dying here is dying after the commit: the next start finds the facts. In memory they count only from here.
        self._frontier, self._last_ms = frontier, to_ms(at)
        self._tidy_wal()
        return tuple(entries)

    def checkpoint(self) -> Checkpoint:
        """The signed head over all that is committed; the last one again where nothing was added since.

        Never signs backwards: the last signed head must be the beginning of this tree. A head's time is that of its
        last leaf, and leaves never go back, so a clock that was set back stops nothing here.
        """
        self._must_be_whole()
        head, root = self.last_head(), self._frontier.root()
        last = head.checkpoint if head is not None else None
        if self.root != root:
            raise LedgerBroken("sign", "The tree on the disk is not the one that was written.", AUDIT)
        if last is not None:
            self.must_extend(last)
            if last.size == self._frontier.size:
                return last
        checkpoint = self._signer.sign(self._frontier.size, root)
        try:
            self._heads.swap(last, checkpoint)
        except sqlite3.Error as error:
            raise self._fatal("sign", error) from error
        self._signed = True
        return checkpoint

    def rebuild(self) -> None:
        """Throw the cache tables away and fold them again from the leaves, in one transaction; for a newer program."""
        self._must_be_whole()
        try:
            with schema.transaction(self._db):
                schema.renew_cache(self._db)
                for some in batched(self.entries()):
                    cache.fold(self._db, some)
        except sqlite3.Error as error:
            raise self._fatal("rebuild", error) from error
        except Illegal as error:
            raise LedgerBroken("rebuild", f"The leaves tell an impossible story: {error}.", AUDIT) from error

    def close(self) -> None:
        """Carry the -wal files into the databases and let go; harmless twice."""
        for connection in self._connections:
            with suppress(sqlite3.Error):  # closed before, or the disk is gone: the -wal file keeps what was committed
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        super().close()

    def _tidy_wal(self) -> None:
        """Carry committed pages from the -wal files into the databases; only these connections ever do."""
        self._commits += 1
        if self._commits % COMMITS_PER_WAL:
            return
        try:
            for connection in self._connections:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            raise self._fatal("tidy", error) from error

    def _must_be_whole(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _fatal(self, op: str, error: sqlite3.Error) -> LedgerBroken:
        self._broken = sqlite_failed(op, error)
        return self._broken


def _must_be_as_made(db: sqlite3.Connection, heads: sqlite3.Connection) -> None:
    odd = schema.oddities(db, schema.LEDGER_FILE) + schema.oddities(heads, schema.HEADS_FILE)
    if odd:
        raise LedgerBroken("open", f"The tables are not as they were made: {'; '.join(odd)}.", AUDIT)


def boot_id() -> str:
    """The kernel's name for this run of the machine; another one after every boot."""
    return BOOT_ID.read_text(encoding="ascii").strip()


def batched(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """The entries in lists of :data:`~bwcdock.ledger.reader.PAGE`: folding a long ledger then needs little memory."""
    rest = iter(entries)
    while some := list(islice(rest, PAGE)):
        yield some


def _insert(db: sqlite3.Connection, frontier: Frontier, bodies: Sequence[bytes]) -> list[Entry]:
    """Leaves, tree hashes and fold of these bodies, inside the caller's transaction; ``frontier`` grows by them."""
    entries = [codec.decode(body).entry for body in bodies]
    for body, entry in zip(bodies, entries, strict=True):
        fact, nodes = entry.fact, b"".join(frontier.push(leaf_hash(body)))
        subject = (fact.record or None, fact.session or None, fact.recorder or None)
        db.execute(_INSERT, (entry.seq, to_ms(entry.at), fact.ev, *subject, nodes, body))
    cache.fold(db, entries)
    return entries


def _whole_ms(mono: Callable[[], float]) -> int:
    return int(mono() * 1000)
