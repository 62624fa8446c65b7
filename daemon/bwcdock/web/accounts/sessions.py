"""Who is signed in: a cookie's digest, a person in one role, and two times after which it ends."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from bwcdock.settings import Web
from bwcdock.web.accounts.store import Store, in_ms, ms

AT_ONCE = 10
"""Sessions of one person: his desk, his telephone, a few forgotten ones. The oldest goes."""

WORN = 10
"""That a session is used is written once in a tenth of its idle time, not at every request: a write waits for a
disk."""

ID = 16
"""Hex digits of a session's digest by which its owner sees and ends it; the cookie cannot be had from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A person who is signed in, in one of his roles; ``second`` when he showed a second factor too.

    ``half`` says that he must still show it, and can do nothing else. ``pending`` is the secret of a code generator
    that he is setting up.
    """

    person: str
    role: str
    csrf: str
    second: bool
    half: bool = False
    pending: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One session as its owner sees it."""

    id: str
    role: str
    address: str
    agent: str
    began: datetime
    seen: datetime
    own: bool


class Sessions:
    """All sessions. Ended ones are gone: nothing brings one back."""

    def __init__(self, store: Store, settings: Web) -> None:
        self._store = store
        self._idle = in_ms(settings.idle_s)
        self._absolute = in_ms(settings.absolute_s)

    def begin(
        self,
        person: str,
        role: str,
        now: datetime,
        *,
        second: bool,
        half: bool = False,
        address: str = "",
        agent: str = "",
    ) -> str:
        """Sign this person in; the value of the cookie, which is new. Only its digest is kept."""
        cookie, at = secrets.token_urlsafe(32), ms(now)
        row = (_digest(cookie), person, role, secrets.token_urlsafe(32), second, half, address, agent, at, at)
        with self._store.whole():
            self._prune(at)
            self._store.rows(
                "INSERT INTO session (id, person, role, csrf, second, half, address, agent, began_ms, seen_ms) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                *row,
            )
            self._store.rows(
                "DELETE FROM session WHERE person = ? AND id NOT IN "
                "(SELECT id FROM session WHERE person = ? ORDER BY seen_ms DESC, began_ms DESC LIMIT ?) AND id <> ?",
                person,
                person,
                AT_ONCE,
                row[0],
            )
        return cookie

    def find(self, cookie: str, now: datetime, *, used: bool = True) -> SignedIn | None:
        """Who this cookie signs in, while neither time is over; using it keeps it from falling idle."""
        rows = self._store.rows(
            "SELECT person, role, csrf, second, half, pending, began_ms, seen_ms FROM session WHERE id = ?",
            _digest(cookie),
        )
        if not rows:
            return None
        person, role, csrf, second, half, pending, began, seen = rows[0]
        at = ms(now)
        if at - seen > self._idle or at - began > self._absolute:
            self.end(cookie)
            return None
        if used and at - seen > self._idle // WORN:
            self._store.rows("UPDATE session SET seen_ms = ? WHERE id = ?", at, _digest(cookie))
        return SignedIn(person=person, role=role, csrf=csrf, second=bool(second), half=bool(half), pending=pending)

    def renew(
        self, cookie: str, now: datetime, *, role: str | None = None, second: bool | None = None, half: bool = False
    ) -> str:
        """The same session under another cookie and another token for its forms, for whatever it may do from now on.

        Its longest time goes on. Whoever learned the old cookie has nothing any more.
        """
        new = secrets.token_urlsafe(32)
        changed = self._store.change(
            "UPDATE session SET id = ?, csrf = ?, role = coalesce(?, role), second = coalesce(?, second), half = ?, "
            "pending = '', seen_ms = ? WHERE id = ?",
            _digest(new),
            secrets.token_urlsafe(32),
            role,
            second,
            half,
            ms(now),
            _digest(cookie),
        )
        return new if changed else ""

    def set_pending(self, cookie: str, secret: str) -> None:
        """Remember the secret of a code generator until its owner has shown that he has it."""
        self._store.rows("UPDATE session SET pending = ? WHERE id = ?", secret, _digest(cookie))

    def end(self, cookie: str) -> None:
        """Sign out."""
        self._store.rows("DELETE FROM session WHERE id = ?", _digest(cookie))

    def end_all(self, person: str, *, but: str = "") -> int:
        """End every session of a person, except that of one cookie; how many."""
        return self._store.change("DELETE FROM session WHERE person = ? AND id <> ?", person, _digest(but))

    def end_one(self, person: str, short: str) -> bool:
        """End that session of this person; false where he has none of that id."""
        if len(short) != ID:
            return False
        sql = "DELETE FROM session WHERE person = ? AND lower(substr(hex(id), 1, ?)) = ?"
        return self._store.change(sql, person, ID, short) > 0

    def of(self, person: str, own: str) -> list[Seen]:
        """His sessions, the newest first; ``own`` is the cookie of whoever asks."""
        rows = self._store.rows(
            "SELECT id, role, address, agent, began_ms, seen_ms FROM session WHERE person = ? ORDER BY seen_ms DESC",
            person,
        )
        return [
            Seen(
                id=digest.hex()[:ID],
                role=role,
                address=address,
                agent=agent,
                began=datetime.fromtimestamp(began / 1000, UTC),
                seen=datetime.fromtimestamp(seen / 1000, UTC),
                own=digest == _digest(own),
            )
            for digest, role, address, agent, began, seen in rows
        ]

    def prune(self, now: datetime) -> None:
        """Forget what has ended by itself."""
        self._prune(ms(now))

    def _prune(self, at: int) -> None:
        self._store.rows("DELETE FROM session WHERE seen_ms < ? OR began_ms < ?", at - self._idle, at - self._absolute)


def _digest(cookie: str) -> bytes:
    # 256 bits of chance need no slow hash: nobody tries them all.
    return hashlib.sha256(cookie.encode()).digest()
