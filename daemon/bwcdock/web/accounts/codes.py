"""Codes for once: given by the system administrator or by the machine itself, to choose a first or a new password."""

import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final

from bwcdock.web.accounts.store import Store, in_ms, ms

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without what is mistaken for something else when read from paper."""

LENGTH: Final = 16
"""79 bits: too many to try even for whoever has the file, so that a quick digest is enough."""

CODE_S: Final = 86400.0
"""A code is taken to somebody who signs in within the day."""

FIRST: Final = "\0first"
"""In place of a person's id, which has no such character: the code that the first person of all needs."""


class Codes:
    """At most one code a person; a new one takes the place of the old one."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def make(self, person: str, now: datetime) -> str:
        """A new code for this person, in groups of four; only its digest is kept."""
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        until = ms(now) + in_ms(CODE_S)
        self._store.rows("INSERT OR REPLACE INTO code VALUES (?, ?, ?)", person, _digest(code), until)
        return "-".join(code[at : at + 4] for at in range(0, LENGTH, 4))

    def fits(self, person: str, code: str, now: datetime) -> bool:
        """Whether this is his code, and still is one."""
        rows = self._store.rows("SELECT digest, until_ms FROM code WHERE person = ?", person)
        kept, until = rows[0] if rows else (bytes(32), 0)
        return hmac.compare_digest(kept, _digest(code)) and until >= ms(now)

    def take(self, person: str, code: str, now: datetime) -> bool:
        """Use it up; false where somebody was quicker. Inside a ``whole`` it falls with what it was used for."""
        sql = "DELETE FROM code WHERE person = ? AND digest = ? AND until_ms >= ?"
        return self._store.change(sql, person, _digest(code), ms(now)) > 0

    def drop(self, person: str) -> None:
        """It is a code no longer."""
        self._store.rows("DELETE FROM code WHERE person = ?", person)

    def until(self, now: datetime) -> dict[str, int]:
        """Who has a code that can be used, and until when (ms)."""
        return dict(self._store.rows("SELECT person, until_ms FROM code WHERE until_ms >= ?", ms(now)))


def _digest(code: str) -> bytes:
    plain = "".join(sign for sign in code.upper() if sign in ALPHABET)
    return hashlib.sha256(plain.encode()).digest()
