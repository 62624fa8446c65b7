"""Tokens of programs: for one person in one role, for named places and acts, until a day."""

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bwcdock.web.accounts.store import Store, in_ms, ms

PREFIX: Final = "bwcdock_"
"""By which a token that lies about is known for what it is."""

SEEN_S: Final = 60.0
"""When a token was used last is written once a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a token may do, in whose name. The token itself is nowhere but with whoever has it."""

    id: str
    name: str
    person: str
    role: str
    scopes: frozenset[str]
    made: datetime
    until: datetime
    used: datetime | None


class Tokens:
    """All tokens; one that ran out or was taken back is gone."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def make(
        self, name: str, person: str, role: str, scopes: Iterable[str], now: datetime, *, days: int
    ) -> tuple[str, str]:
        """A new token and its id; the token is shown once and kept as a digest."""
        token, short = f"{PREFIX}{secrets.token_urlsafe(32)}", secrets.token_hex(6)
        row = (_digest(token), short, name, person, role, json.dumps(sorted(scopes)), ms(now))
        self._store.rows(
            "INSERT INTO token (digest, id, name, person, role, scopes, made_ms, until_ms) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *row,
            ms(now) + in_ms(days * 86400),
        )
        return token, short

    def find(self, token: str, now: datetime) -> Token | None:
        """What this token is for; ``None`` where it is none, or no more."""
        if not token.startswith(PREFIX):
            return None
        sql = "SELECT id, name, person, role, scopes, made_ms, until_ms, used_ms FROM token WHERE digest = ?"
        rows = self._store.rows(sql, _digest(token))
        if not rows or rows[0][6] < ms(now):
            return None
        if ms(now) - (rows[0][7] or 0) > in_ms(SEEN_S):
            self._store.rows("UPDATE token SET used_ms = ? WHERE digest = ?", ms(now), _digest(token))
        return _token(rows[0])

    def all(self) -> list[Token]:
        """Every token, the newest first."""
        sql = "SELECT id, name, person, role, scopes, made_ms, until_ms, used_ms FROM token ORDER BY made_ms DESC, id"
        return [_token(row) for row in self._store.rows(sql)]

    def revoke(self, short: str) -> bool:
        """Take it back."""
        return self._store.change("DELETE FROM token WHERE id = ?", short) > 0

    def revoke_all(self, person: str) -> int:
        """Take back all that act for this person."""
        return self._store.change("DELETE FROM token WHERE person = ?", person)

    def prune(self, now: datetime) -> None:
        """Forget what has run out."""
        self._store.rows("DELETE FROM token WHERE until_ms < ?", ms(now))


def _token(row: tuple[Any, ...]) -> Token:
    short, name, person, role, scopes, made, until, used = row
    return Token(
        id=short,
        name=name,
        person=person,
        role=role,
        scopes=frozenset(json.loads(scopes)),
        made=_at(made),
        until=_at(until),
        used=_at(used) if used else None,
    )


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
