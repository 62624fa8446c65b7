"""How people sign in: what the pages keep for themselves, apart from the ledger, which never holds a secret."""

import hashlib
import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bwcdock import durable
from bwcdock.settings import Web

DB = "accounts.db"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS session (
    id BLOB PRIMARY KEY, person TEXT NOT NULL, role TEXT NOT NULL, csrf TEXT NOT NULL, second INTEGER NOT NULL,
    began_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A person who is signed in, in one of his roles; ``second`` when he showed a second factor too."""

    person: str
    role: str
    csrf: str
    second: bool


class Accounts:
    """The accounts in ``directory``. Small and quick; used from the event loop's thread alone."""

    def __init__(self, directory: Path, settings: Web) -> None:
        durable.make_dirs(directory)
        self._settings = settings
        self._db = sqlite3.connect(directory / DB, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file; harmless twice."""
        self._db.close()

    # --- sessions -----------------------------------------------------------------------------------------------------

    def begin(self, person: str, role: str, now: datetime, *, second: bool) -> str:
        """Sign this person in; the value of the cookie. Only its digest is kept."""
        cookie = secrets.token_urlsafe(32)
        at = _ms(now)
        row = (_digest(cookie), person, role, secrets.token_urlsafe(32), int(second), at, at)
        self._rows("INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?)", *row)
        return cookie

    def session(self, cookie: str, now: datetime) -> SignedIn | None:
        """Who this cookie signs in, while neither time is over; asking keeps it from falling idle."""
        rows = self._rows(
            "SELECT person, role, csrf, second, began_ms, seen_ms FROM session WHERE id = ?", _digest(cookie)
        )
        if not rows:
            return None
        person, role, csrf, second, began, seen = rows[0]
        idle = timedelta(seconds=self._settings.idle_s) // timedelta(milliseconds=1)
        absolute = timedelta(seconds=self._settings.absolute_s) // timedelta(milliseconds=1)
        at = _ms(now)
        if at - seen > idle or at - began > absolute:
            self.end(cookie)
            return None
        self._rows("UPDATE session SET seen_ms = ? WHERE id = ?", at, _digest(cookie))
        return SignedIn(person=person, role=role, csrf=csrf, second=bool(second))

    def end(self, cookie: str) -> None:
        """Sign out."""
        self._rows("DELETE FROM session WHERE id = ?", _digest(cookie))

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(self._db.cursor()) as cursor:
            return cursor.execute(sql, values).fetchall()


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
