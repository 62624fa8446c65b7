"""The two SQLite files of a ledger: their tables, and how they are opened.

``ledger.db`` holds the leaves and the cache tables of their fold, so that both change in one transaction.
``heads.db`` holds every signed head. It is a file of its own, so that an older backup of the ledger put back in its
place meets a head it does not reach, and cannot make the station sign a second history.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path

from bwcdock.durable_tree import write_again
from bwcdock.errors import BwcdockError, LedgerBroken, Misused

LEDGER_FILE = "ledger.db"
HEADS_FILE = "heads.db"

APPLICATION_ID = 0x62776364
"""``bwcd``: what `file` and other tools know these databases by."""

SCHEMA_VERSION = 1

FOLD_VERSION = 10
"""Raise it with every change of what the same leaves are folded into: the rules in core/record.py, core/session.py and
core/desk, the tables of the cache, the form of their documents. The next start then folds all leaves again."""

FOUNDED = "founded"
"""The mark beside the directory of an installed station's ledger: once there was one."""

CURSORS = 201
"""A connection notes every cursor, and forgets those that ended when it has made two hundred (CPython's sqlite3): until
then they lie where memory was newest in a busy hour."""

AUDIT = "Run `bwcdock audit`; do not delete anything."
"""The remedy for whatever only a proof can explain."""

# Subjects are NULL where a fact has none, so that the partial indexes hold only what is looked for. `nodes` are the
# hashes of the perfect subtrees this leaf completes (tree.py); it stands before `body` so that reading it does not
# touch the overflow pages of a long leaf. The insert trigger stops gaps, and stops INSERT OR REPLACE from removing a
# row without firing the delete trigger; it also stops a second writer whose tree in memory is out of date.
LEAVES = """
CREATE TABLE leaf (
    seq INTEGER PRIMARY KEY,
    t INTEGER NOT NULL,
    ev TEXT NOT NULL,
    record TEXT,
    session TEXT,
    recorder TEXT,
    nodes BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX leaf_ev ON leaf (ev);
CREATE INDEX leaf_record ON leaf (record) WHERE record IS NOT NULL;
CREATE INDEX leaf_session ON leaf (session) WHERE session IS NOT NULL;
CREATE INDEX leaf_recorder ON leaf (recorder) WHERE recorder IS NOT NULL;
CREATE TRIGGER leaf_appends BEFORE INSERT ON leaf
    WHEN NEW.seq IS NOT (SELECT coalesce(max(seq) + 1, 0) FROM leaf)
    BEGIN SELECT RAISE(ABORT, 'a leaf is only ever added at the end'); END;
CREATE TRIGGER leaf_stays BEFORE DELETE ON leaf BEGIN SELECT RAISE(ABORT, 'a leaf is never removed'); END;
CREATE TRIGGER leaf_stands BEFORE UPDATE ON leaf BEGIN SELECT RAISE(ABORT, 'a leaf is never changed'); END;
"""

# The columns before `doc` are those by which records are found or counted; `awaits` names the sinks that a sealed one
# is still to be carried to, with a blank between, `unlocked` those whose copy is not known to be locked until its
# keeping ends (of sinks that lock nothing, all). What is counted every few seconds is counted in the indexes alone; so
# is what people look for, for which `record_sought` holds all that may be asked, in the order it is shown.
CACHE = """
CREATE TABLE record (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    recorder TEXT NOT NULL,
    session TEXT NOT NULL,
    path TEXT NOT NULL,
    waits_for TEXT NOT NULL,
    waits_since_ms INTEGER NOT NULL,
    due_ms INTEGER,
    met_ms INTEGER,
    basis_ms INTEGER,
    article TEXT NOT NULL,
    excused INTEGER NOT NULL,
    awaits TEXT NOT NULL,
    size INTEGER NOT NULL,
    sealed_ms INTEGER,
    unlocked TEXT NOT NULL,
    recorded_ms INTEGER NOT NULL,
    officer TEXT NOT NULL,
    case_id TEXT NOT NULL,
    parties TEXT NOT NULL,
    place TEXT NOT NULL,
    event TEXT NOT NULL,
    tags TEXT NOT NULL,
    words TEXT NOT NULL,
    doc TEXT NOT NULL
) STRICT;
CREATE INDEX record_state ON record (state, id);
CREATE INDEX record_recorder ON record (recorder, path);
CREATE INDEX record_session ON record (session);
CREATE INDEX record_waits ON record (waits_for, waits_since_ms) WHERE waits_for <> 'nothing';
CREATE INDEX record_sinkless ON record (id) WHERE instr(doc, '"sinks":[]') > 0;
CREATE INDEX record_owed ON record (due_ms, met_ms, basis_ms, recorder, article, excused)
    WHERE due_ms IS NOT NULL AND met_ms IS NULL;
CREATE INDEX record_late ON record (recorder, article, excused, due_ms, met_ms) WHERE due_ms <= met_ms;
CREATE INDEX record_sought ON record (
    recorded_ms, id, state, recorder, officer, case_id, parties, place, event, tags, due_ms, met_ms, basis_ms, excused,
    words
);
CREATE INDEX record_when ON record (recorder, recorded_ms);
CREATE INDEX record_officer ON record (officer, recorded_ms) WHERE officer <> '';
CREATE INDEX record_case ON record (case_id, recorded_ms) WHERE case_id <> '';
CREATE INDEX record_awaits ON record (awaits, size, sealed_ms) WHERE awaits <> '';
CREATE INDEX record_unlocked ON record (unlocked, id) WHERE unlocked <> '';
CREATE TABLE session (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    recorder TEXT NOT NULL,
    port TEXT NOT NULL,
    arrived_ms INTEGER NOT NULL,
    departed_ms INTEGER,
    doc TEXT NOT NULL
) STRICT;
CREATE INDEX session_docked ON session (arrived_ms) WHERE departed_ms IS NULL;
CREATE INDEX session_recorder ON session (recorder, arrived_ms);
CREATE TABLE finding (
    subject_kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    code TEXT NOT NULL,
    severity TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (subject_kind, subject, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX finding_seq ON finding (seq);
CREATE INDEX finding_code ON finding (code, severity);
CREATE TABLE matter (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    device TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX matter_state ON matter (kind, state);
CREATE INDEX matter_device ON matter (kind, device) WHERE device <> '';
CREATE TABLE shelf (
    id TEXT PRIMARY KEY,
    loose_ms INTEGER,
    keep_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX shelf_loose ON shelf (loose_ms, id) WHERE loose_ms IS NOT NULL;
CREATE INDEX shelf_kept ON shelf (keep_ms, id) WHERE keep_ms IS NOT NULL;
CREATE TABLE fold (version INTEGER NOT NULL) STRICT;
"""

CACHE_TABLES = ("record", "shelf", "session", "finding", "matter", "fold")
"""All that can be thrown away; ``fold`` says by which version of the fold the others were made."""

# A head has no time of its own: its time is that of its last leaf, which the root proves.
HEADS = """
CREATE TABLE head (
    size INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    note TEXT NOT NULL
) STRICT;
CREATE TRIGGER head_grows BEFORE INSERT ON head
    WHEN NEW.size <= (SELECT max(size) FROM head)
    BEGIN SELECT RAISE(ABORT, 'a head is never signed backwards'); END;
CREATE TRIGGER head_stays BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'a head is never removed'); END;
CREATE TRIGGER head_stands BEFORE UPDATE ON head BEGIN SELECT RAISE(ABORT, 'a head is never changed'); END;
"""

TABLES = {LEDGER_FILE: LEAVES + CACHE, HEADS_FILE: HEADS}


def connect(path: Path) -> sqlite3.Connection:
    """The one writing connection of this file, made if missing: WAL, every commit synced, no checkpoint but our own."""
    # Where a sync failed in a run before, the journal's pages count as clean and are on no disk: what is appended
    # behind them, and synced, would be gone with them in a power cut.
    try:
        write_again(path.with_name(f"{path.name}-wal"))
    except OSError as error:
        raise LedgerBroken("open", f"The journal of {path.name} cannot be kept: {error.strerror}.", AUDIT) from error
    # Threads take turns with it; whoever shares it among them sees to that.
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    # Before the first page is written: the -wal and -shm files take their mode from it. The group reads (the pages run
    # in it); who is in the group at all is said by the directory.
    path.chmod(0o640)
    with _closed_if_it_fails(db):
        # The row must be fetched: an error while switching is otherwise swallowed, and another journal is in use.
        mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            hint = "Put it on a local ext4, xfs or btrfs."
            raise LedgerBroken("open", f"{path.name} has the journal {mode}, not WAL.", hint)
        # EXTRA costs nothing more than FULL in WAL, and is right in the journal SQLite would fall back to.
        for pragma in ("synchronous = EXTRA", "foreign_keys = ON", "wal_autocheckpoint = 0", "trusted_schema = OFF"):
            db.execute(f"PRAGMA {pragma}").fetchall()
        _is_writable(db, path)
    return db


def _is_writable(db: sqlite3.Connection, path: Path) -> None:
    """SQLite opens for reading what it may not open for writing, and tells nobody until the first write."""
    try:
        db.execute("BEGIN")
        db.execute("PRAGMA user_version = 0")  # which is taken back; BEGIN IMMEDIATE alone would begin to read
        db.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        hint = "Look at whose file it is, as after a restored backup, and at its disk. " + AUDIT
        raise LedgerBroken("open", f"{path.name} cannot be written: {error}.", hint) from error


def give_back(db: sqlite3.Connection) -> None:
    """Let go of what it keeps in case: SQLite's pages, and what Python notes of cursors that ended."""
    db.execute("PRAGMA shrink_memory").fetchall()
    for _ in range(CURSORS):
        db.cursor()


def connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, beside the writing one of another process.

    Where nothing can be written (a copy on a read-only file system) SQLite cannot make the files it shares with a
    writer. The database is then read as it lies there, if all of it is in the one file: what SQLite calls immutable.
    """
    try:
        return _read_only(path, "mode=ro")
    except sqlite3.OperationalError:
        if os.access(path.parent, os.W_OK):
            raise
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists() and wal.stat().st_size:
        what = f"The newest entries are in {wal}, and cannot be read where nothing can be written."
        raise LedgerBroken("open", what, "Copy the whole ledger directory to a disk that can be written; look there.")
    return _read_only(path, "mode=ro&immutable=1")


def _read_only(path: Path, how: str) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
    with _closed_if_it_fails(db):
        db.execute("PRAGMA query_only = ON")
        is_empty(db)  # only a read tells whether it can be read
    return db


@contextmanager
def _closed_if_it_fails(db: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        db.close()
        raise


def open_both(
    directory: Path, connecting: Callable[[Path], sqlite3.Connection]
) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """The ledger's connection and the heads' connection, which the caller closes.

    ``Misused`` if there is no ledger, ``LedgerBroken`` if there was one and it is lost, or one of the files is gone or
    is no database.
    """
    paths = directory / LEDGER_FILE, directory / HEADS_FILE
    there = [path.is_file() for path in paths]
    if not any(there):
        raise _missing(directory)
    if not there[0]:  # it is made first, so it was there
        raise _lost(directory)
    if not all(there):
        what = f"{paths[there.index(False)]} is missing."
        raise LedgerBroken("open", what, "Bring it back; if `bwcdock init` was interrupted here, repeat that.")
    with ExitStack() as stack:
        try:
            db, heads = [stack.enter_context(closing(connecting(path))) for path in paths]
            if is_empty(db):
                raise _lost(directory) if _was_signed(heads) else _missing(directory)
            if is_empty(heads):
                raise LedgerBroken("open", f"{paths[1]} is empty: the signed heads are gone.", AUDIT)
        except sqlite3.Error as error:
            hint = "Look at the disk, and at who may read the files."
            raise LedgerBroken("open", f"{directory} holds no readable ledger: {error}.", hint) from error
        stack.pop_all()
    return db, heads


def _was_signed(heads: sqlite3.Connection) -> bool:
    return not is_empty(heads) and bool(heads.execute("SELECT 1 FROM head LIMIT 1").fetchall())


def _missing(directory: Path) -> BwcdockError:
    if (directory.parent / FOUNDED).exists():
        return _lost(directory)
    hint = "Mend the path in the settings; `bwcdock init` makes a new station in a directory of its own."
    return Misused("open", f"There is no ledger in {directory}.", hint)


def _lost(directory: Path) -> LedgerBroken:
    what = f"The ledger in {directory} was lost: it was founded here, its entries are gone; never make a new one."
    hint = f"Stop the station, bring {LEDGER_FILE} and {HEADS_FILE} back from their newest copy, then `bwcdock audit`."
    return LedgerBroken("open", what, hint)


def install(db: sqlite3.Connection, name: str) -> None:
    """Lay the tables of file ``name`` into an empty database; the caller holds the transaction."""
    for statement in _statements(TABLES[name]):
        db.execute(statement)
    if name == LEDGER_FILE:
        db.execute("INSERT INTO fold VALUES (?)", (FOLD_VERSION,))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def renew_cache(db: sqlite3.Connection) -> None:
    """New, empty tables of this version in place of the cache; the caller holds the transaction and fills them."""
    for table in CACHE_TABLES:
        db.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in _statements(CACHE):
        db.execute(statement)
    db.execute("INSERT INTO fold VALUES (?)", (FOLD_VERSION,))


def fold_version(db: sqlite3.Connection) -> int:
    """The version of the fold that made the cache; 0 where that was not written down yet, or not as it should."""
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE (type, name) = ('table', 'fold')").fetchall():
        return 0
    versions = [int(version) for (version,) in db.execute("SELECT version FROM fold")]
    return versions[0] if len(versions) == 1 else 0


def is_empty(db: sqlite3.Connection) -> bool:
    """Whether nothing was ever committed here."""
    return not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]


def oddities(db: sqlite3.Connection, name: str) -> list[str]:
    """How the database differs from what :func:`install` makes: a trigger taken away, a table added, and so on."""
    ours, theirs = _as_made(name), _objects(db)
    changed = sorted(key for key in ours if ours[key] != theirs.get(key))
    added = sorted(theirs.keys() - ours.keys())
    aged = name == LEDGER_FILE and fold_version(db) != FOLD_VERSION
    return [
        *(["cache was folded by another version of the program, and the next start folds it again"] if aged else []),
        *(f"{kind} {which} is not as it was made" for kind, which in changed),
        *(f"{kind} {which} does not belong there" for kind, which in added),
    ]


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; takes the write lock at once, so that what is read inside is what is written upon."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@cache
def _as_made(name: str) -> dict[tuple[str, str], str]:
    with closing(sqlite3.connect(":memory:")) as db:
        install(db, name)
        return _objects(db)


def _objects(db: sqlite3.Connection) -> dict[tuple[str, str], str]:
    found = {
        (str(kind), str(name)): str(sql)
        for kind, name, sql in db.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~'"
        )
    }
    for pragma in ("application_id", "user_version"):
        found["the number", pragma] = str(db.execute(f"PRAGMA {pragma}").fetchone()[0])
    return found


def _statements(script: str) -> Iterator[str]:
    """The statements one by one: ``executescript`` would commit first, and the tables must come with the first leaf."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement.strip().removesuffix(";")
            statement = ""
