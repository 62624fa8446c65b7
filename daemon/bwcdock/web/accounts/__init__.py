"""How people sign in: what the pages keep for themselves, apart from the ledger, which never holds a secret."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bwcdock.errors import Misused
from bwcdock.settings import Web
from bwcdock.web.accounts.codes import FIRST, Codes
from bwcdock.web.accounts.generators import Generators
from bwcdock.web.accounts.hashing import Hashing, Where, must_be_good, must_be_good_pin
from bwcdock.web.accounts.sessions import Sessions, SignedIn
from bwcdock.web.accounts.store import DB, Store, ms
from bwcdock.web.accounts.tokens import Token, Tokens
from bwcdock.web.accounts.tries import Tries

PIN_ENDS = 50
"""A PIN that was wrong so often in a row is one no longer; its owner sets another one, signed in with his password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How one person may sign in."""

    person: str
    has_password: bool = False
    has_pin: bool = False
    has_generator: bool = False
    blocked: bool = False


class Accounts:
    """The accounts in ``directory``. Quick, and may be used from any thread; what computes a hash is awaited."""

    def __init__(self, directory: Path, settings: Web) -> None:
        self.store = Store(directory)
        self.sessions = Sessions(self.store, settings)
        self.codes = Codes(self.store)
        self.generators = Generators(self.store)
        self.tokens = Tokens(self.store)
        self.tries = Tries(self.store, settings)
        self.hashing = Hashing()

    def close(self) -> None:
        """Let go of the file; harmless twice."""
        self.hashing.close()
        self.store.close()

    def prune(self, now: datetime) -> None:
        """Forget what has ended by itself; to be called now and then."""
        self.sessions.prune(now)
        self.tokens.prune(now)

    # --- sessions -----------------------------------------------------------------------------------------------------

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
        """Sign this person in; the value of the cookie. Only its digest is kept."""
        return self.sessions.begin(person, role, now, second=second, half=half, address=address, agent=agent)

    def session(self, cookie: str, now: datetime, *, used: bool = True) -> SignedIn | None:
        """Who this cookie signs in, while neither time is over; using it keeps it from falling idle."""
        return self.sessions.find(cookie, now, used=used)

    def end(self, cookie: str) -> None:
        """Sign out."""
        self.sessions.end(cookie)

    # --- accounts -----------------------------------------------------------------------------------------------------

    def account(self, person: str) -> Account:
        """How he may sign in; nobody is unknown here, he only has no way."""
        return next((each for each in self.accounts() if each.person == person), Account(person=person))

    def accounts(self) -> list[Account]:
        """Everybody who ever had a way to sign in."""
        rows = self.store.rows("SELECT person, password, pin, totp, blocked FROM account ORDER BY person")
        return [
            Account(
                person=person,
                has_password=bool(password),
                has_pin=bool(pin),
                has_generator=bool(totp),
                blocked=bool(blocked),
            )
            for person, password, pin, totp, blocked in rows
        ]

    def anybody(self) -> bool:
        """Whether anybody can sign in at all."""
        return bool(self.store.rows("SELECT 1 FROM account WHERE password <> '' LIMIT 1"))

    def block(self, person: str) -> None:
        """Shut every way, at once; a new code opens them again."""
        with self.store.whole():
            self._set(person, "blocked", 1)
            self.codes.drop(person)
            self.sessions.end_all(person)
            self.tokens.revoke_all(person)

    # --- passwords ----------------------------------------------------------------------------------------------------

    async def verify_password(
        self, person: str, password: str, now: datetime, *, address: str, where: Where = "far"
    ) -> bool:
        """Whether this is his password. ``NotAllowed`` after too many tries; else it costs always the same."""
        self.tries.spend("password", person, address, now)
        kept, blocked = self._kept(person, "password")
        fits, anew = await self.hashing.fits(kept, password, where)
        if not fits or blocked:
            return False
        if anew:
            self.store.rows("UPDATE account SET password = ? WHERE person = ? AND password = ?", anew, person, kept)
        self.tries.worked("password", person, address)
        return True

    async def hashed(self, password: str, *names: str, where: Where = "far") -> str:
        """A password as it is kept. ``Misused`` where it is none to be had; ``names`` are the person's own."""
        must_be_good(password, *names)
        return await self.hashing.make(password, where)

    def set_password(self, person: str, hashed: str, now: datetime) -> None:
        """His password from now on, as :meth:`hashed` made it."""
        self._set(person, "password", hashed)
        self._set(person, "password_ms", ms(now))

    def redeem(self, person: str, code: str, hashed: str, now: datetime, *, first: bool = False) -> bool:
        """Use up his code (or the very first) for a password; false, and nothing changed, where it is none any more.

        Whoever was given a code has lost what he had, or somebody else has it: the code generator and all sessions end.
        """
        with self.store.whole():
            if not self.codes.take(FIRST if first else person, code, now):
                return False
            self.set_password(person, hashed, now)
            for column, value in (("totp", ""), ("totp_step", 0), ("blocked", 0)):
                self._set(person, column, value)
            self.sessions.end_all(person)
            return True

    # --- PINs ---------------------------------------------------------------------------------------------------------

    async def set_pin(self, person: str, pin: str) -> None:
        """His PIN at the wall from now on; ``Misused`` where it is too easy. Whoever calls has asked who he is."""
        must_be_good_pin(pin, person)
        hashed = await self.hashing.make(pin, "near")
        with self.store.whole():
            self._set(person, "pin", hashed)
            self._set(person, "pin_wrong", 0)

    async def verify_pin(self, person: str, pin: str, now: datetime, *, address: str = "") -> bool:
        """Whether this is his PIN. ``NotAllowed`` after too many tries; else it costs always the same."""
        self.tries.spend("pin", person, address, now)
        kept, blocked = self._kept(person, "pin")
        fits, anew = await self.hashing.fits(kept, pin, "near")
        if not fits or blocked:
            sql = "UPDATE account SET pin_wrong = pin_wrong + 1 WHERE person = ?"
            self.store.rows(sql, person)
            self.store.rows("UPDATE account SET pin = '' WHERE person = ? AND pin_wrong >= ?", person, PIN_ENDS)
            return False
        self.store.rows("UPDATE account SET pin_wrong = 0 WHERE person = ?", person)
        if anew:
            self.store.rows("UPDATE account SET pin = ? WHERE person = ? AND pin = ?", anew, person, kept)
        self.tries.worked("pin", person, address)
        return True

    # --- the second factor --------------------------------------------------------------------------------------------

    def take_second(self, person: str, code: str, now: datetime, *, address: str) -> bool:
        """Whether this is the code of his generator, for the first time. ``NotAllowed`` after too many tries."""
        self.tries.spend("second", person, address, now)
        if not self.generators.take(person, code, now):
            return False
        self.tries.worked("second", person, address)
        return True

    def _kept(self, person: str, column: str) -> tuple[str, bool]:
        sql = f"SELECT {_known(column)}, blocked FROM account WHERE person = ?"  # noqa: S608 - a known name
        rows = self.store.rows(sql, person)
        return (rows[0][0], bool(rows[0][1])) if rows else ("", False)

    def _set(self, person: str, column: str, value: object) -> None:
        name = _known(column)
        self.store.rows(
            f"INSERT INTO account (person, {name}) VALUES (?, ?) "  # noqa: S608 - a known name
            f"ON CONFLICT DO UPDATE SET {name} = excluded.{name}",
            person,
            value,
        )


def _known(column: str) -> str:
    if column not in {"password", "password_ms", "pin", "pin_wrong", "totp", "totp_step", "blocked"}:
        raise Misused("accounts", f"There is no column {column}.", "This is a fault of the program.")
    return column


__all__ = ["DB", "Account", "Accounts", "SignedIn", "Token"]
