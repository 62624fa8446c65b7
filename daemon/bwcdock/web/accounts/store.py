"""The file in which the pages keep how people sign in: SQLite, readable for the station's own user alone."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from bwcdock import durable
from bwcdock.errors import NotAllowed

log = structlog.get_logger()

DB = "accounts.db"

BUSY_S = 5.0
"""How long one waits for another process (`bwcdock web code`), whose transactions take milliseconds."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS account (
    person TEXT PRIMARY KEY, password TEXT NOT NULL DEFAULT '', password_ms INTEGER NOT NULL DEFAULT 0,
    pin TEXT NOT NULL DEFAULT '', pin_wrong INTEGER NOT NULL DEFAULT 0,
    totp TEXT NOT NULL DEFAULT '', totp_step INTEGER NOT NULL DEFAULT 0, blocked INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS code (
    person TEXT PRIMARY KEY, digest BLOB NOT NULL, until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS token (
    digest BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, person TEXT NOT NULL, role TEXT NOT NULL,
    scopes TEXT NOT NULL, made_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, used_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (
    id BLOB PRIMARY KEY, person TEXT NOT NULL, role TEXT NOT NULL, csrf TEXT NOT NULL, second INTEGER NOT NULL,
    half INTEGER NOT NULL, address TEXT NOT NULL, agent TEXT NOT NULL, pending TEXT NOT NULL DEFAULT '',
    began_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_person ON session (person);
CREATE TABLE IF NOT EXISTS try (what TEXT NOT NULL, person BLOB NOT NULL, address BLOB NOT NULL, at_ms INTEGER NOT NULL)
    STRICT;
CREATE INDEX IF NOT EXISTS try_person ON try (what, person, at_ms);
CREATE INDEX IF NOT EXISTS try_at ON try (at_ms);
"""


class Store:
    """The open file. A statement or a :meth:`whole` is done or not done, whatever dies; threads take turns.

    A power cut loses nothing that was answered (``synchronous=FULL``): a code that was used stays used.
    """

    def __init__(self, directory: Path) -> None:
        durable.make_dirs(directory)
        path = directory / DB
        if not path.exists():  # SQLite gives its other files the mode of this one
            durable.write_small(path, b"", mode=0o600)
        if path.stat().st_mode & 0o077:
            log.warning("accounts.readable", path=str(path), what="Others could read it; now they cannot.")
            os.chmod(path, 0o600)
        self._turn = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._db.close()
            raise NotAllowed(
                "open the accounts", f"{path}: {error}.", "Work as the station's own user; look at the disk."
            ) from error

    def close(self) -> None:
        """Let go of the file; harmless twice."""
        with self._turn:
            self._db.close()

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What one statement answers."""
        with self._turn, closing(self._db.cursor()) as cursor:
            return cursor.execute(sql, values).fetchall()

    def change(self, sql: str, *values: object) -> int:
        """How many rows one statement changed."""
        with self._turn, closing(self._db.cursor()) as cursor:
            return cursor.execute(sql, values).rowcount

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Everything in it, or nothing where it raises."""
        with self._turn:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def ms(moment: datetime) -> int:
    """Milliseconds since the epoch."""
    return int(moment.timestamp() * 1000)


def in_ms(seconds: float) -> int:
    """Seconds as milliseconds."""
    return timedelta(seconds=seconds) // timedelta(milliseconds=1)
