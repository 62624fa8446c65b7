"""The second factor: a code generator (TOTP, RFC 6238) in a telephone or a token, one code for one sign-in."""

import hmac
from datetime import datetime
from typing import Final

import pyotp

from bwcdock.web.accounts.store import Store

STEP_S: Final = 30
AROUND: Final = 1
"""Steps before and after that are taken too: the clock of a telephone, and the time somebody takes to type."""


class Generators:
    """Secrets of code generators.

    They are not encrypted. The key would have to lie beside them, under the same user of the same machine, and be there
    at every start without a person: whoever can read this file could read it too. The file is that user's alone, and
    belongs into no backup that others read.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def has(self, person: str) -> bool:
        """Whether he has one."""
        return bool(self._secret(person))

    def set(self, person: str, secret: str, step: int) -> None:
        """His generator from now on; the code of ``step`` has been used to prove it."""
        self._store.rows(
            "INSERT INTO account (person, totp, totp_step) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET totp = excluded.totp, totp_step = excluded.totp_step",
            person,
            secret,
            step,
        )

    def take(self, person: str, code: str, now: datetime) -> bool:
        """Whether this is the code of now, and was never taken before: whoever looks over his shoulder is late."""
        secret = self._secret(person)
        step = step_of(secret, code, now)
        if not step:
            return False
        sql = "UPDATE account SET totp_step = ? WHERE person = ? AND totp_step < ? AND totp = ?"
        return self._store.change(sql, step, person, step, secret) > 0

    def _secret(self, person: str) -> str:
        rows = self._store.rows("SELECT totp FROM account WHERE person = ?", person)
        return str(rows[0][0]) if rows else ""


def new_secret() -> str:
    """160 bits, as generators take them (RFC 4226, 4)."""
    return pyotp.random_base32(32)


def step_of(secret: str, code: str, now: datetime) -> int:
    """The step this code is of, among those that are taken; 0 where of none. All are compared, always."""
    plain = "".join(code.split())
    if not secret or not (plain.isascii() and plain.isdecimal() and len(plain) == 6):
        return 0
    made, found = pyotp.TOTP(secret, interval=STEP_S), 0
    middle = int(now.timestamp()) // STEP_S
    for step in range(middle - AROUND, middle + AROUND + 1):
        if hmac.compare_digest(made.at(step * STEP_S), plain):
            found = max(found, step)
    return found


def address_of(secret: str, person: str, station: str) -> str:
    """What a telephone reads from the square (otpauth)."""
    return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=person, issuer_name=f"bwcdock {station}")
