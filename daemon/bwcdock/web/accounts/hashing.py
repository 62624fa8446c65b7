"""Passwords and PINs, hashed so that trying them all is dear: Argon2id, on lanes, a few at a time."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Final, Literal, TypeVar, TypeVarTuple

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from bwcdock.errors import Misused, Unreachable
from bwcdock.lanes import Lane
from bwcdock.web.words import N_

MEMORY_KIB: Final = 46 << 10
PASSES: Final = 2
"""OWASP's cheat sheet on storing passwords asks for 46 MiB and one pass, or 19 MiB and two: here the larger of both. A
verification takes a tenth of a second, and two at a time take 92 MiB of a dock that has gigabytes."""

LANES: Final = 1
"""Threads of one computation (Argon2's parallelism): a dock has two cores, and pulls footage with them."""

WAITING: Final = 50
"""Who may wait on one lane: a shift that signs in at the same moment has waited five seconds at most."""

PATIENCE_S: Final = 30.0

SHORTEST, LONGEST = 12, 128
"""Characters of a password (NIST SP 800-63B, 3.1.1.2, asks for eight at least; ASVS for twelve and for 128 to be
taken). The page advises 15. There are no rules of composition: they make people choose what others guess."""

PIN_SHORTEST, PIN_LONGEST = 6, 12

OBVIOUS: Final = (
    "password", "passw0rd", "qwertyuiop", "qwerty", "asdfghjkl", "1q2w3e4r", "iloveyou", "admin", "administrator",
    "letmein", "welcome", "changeme", "woaini", "zhifajiluyi", "jiluyi", "bwcdock", "chengguan", "mima",
)  # fmt: skip
"""Words that are tried first; a password that is nothing but one of them, digits and repetition is refused."""

LENGTH: Final = N_("A password has 12 to 128 characters.")
OBVIOUS_PASSWORD: Final = N_("This password is among the first that anybody would try.")
PIN_LENGTH: Final = N_("A PIN has 6 to 12 digits.")
OBVIOUS_PIN: Final = N_("This PIN is among the first that anybody would try.")
"""What is said to people is a whole sentence, so that it can be said in their language."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Where = Literal["near", "far"]


class Hashing:
    """Two lanes: one for whoever stands at the station's own screen, so that no flood from afar keeps him waiting."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, hash_len=32, salt_len=16, type=Type.ID
        )
        self._lanes: dict[Where, Lane] = {}
        self._nobody: str = ""
        self.computed = 0
        """Hashes computed so far, of either sort."""

    async def make(self, secret: str, where: Where = "near") -> str:
        """The hash of this secret, with its salt and parameters in it."""
        return await self._on(where, self._make, secret)

    async def fits(self, kept: str, given: str, where: Where = "near") -> tuple[bool, str]:
        """Whether ``given`` is what ``kept`` was made of, and what is to be kept from now on (empty: as it is).

        Where nothing is kept it costs the same and fits never: how long an answer takes tells nobody who exists.
        """
        return await self._on(where, self._fits, kept, given)

    def close(self) -> None:
        """Compute no more."""
        for lane in self._lanes.values():
            lane.close()

    async def _on(self, where: Where, work: Callable[[*Ts], T], *args: *Ts) -> T:
        lane = self._lanes.get(where)
        if lane is None or lane.stuck:
            lane = self._lanes[where] = Lane(f"hash {where}", depth=WAITING)
        if lane.waiting >= WAITING:
            raise Unreachable("sign in", "Too many are signing in at this moment.", "Try again in a minute.")
        return await lane.call(work, *args, timeout_s=PATIENCE_S)

    def _make(self, secret: str) -> str:
        self.computed += 1
        return self._hasher.hash(secret)

    def _fits(self, kept: str, given: str) -> tuple[bool, str]:
        if not self._nobody:
            self._nobody = self._hasher.hash("nobody's")
        self.computed += 1
        try:
            self._hasher.verify(kept or self._nobody, given)
        except (VerificationError, InvalidHashError):
            return False, ""
        if not kept:
            return False, ""
        return True, self._hasher.hash(given) if self._hasher.check_needs_rehash(kept) else ""


def must_be_good(password: str, *names: str) -> None:
    """Refuse a password that is short, is the person himself, or is what everybody tries first."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Misused("set a password", LENGTH, "15 or more are better: three or four words do well.")
    bare = re.sub(r"[\W\d_]+", "", password).lower()
    is_obvious = len(set(password)) < 5 or not bare or any(bare == word * (len(bare) // len(word)) for word in OBVIOUS)
    if is_obvious or any(name.lower() in password.lower() for name in names if len(name) > 1):
        raise Misused("set a password", OBVIOUS_PASSWORD, "Take several words that have nothing to do with you.")


def must_be_good_pin(pin: str, *names: str) -> None:
    """Refuse a PIN that is short, is one's own number, or is counted on the fingers."""
    if not (pin.isascii() and pin.isdecimal() and PIN_SHORTEST <= len(pin) <= PIN_LONGEST):
        raise Misused("set a PIN", PIN_LENGTH, "Choose digits alone.")
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
    if len(set(pin)) < 3 or steps <= {1} or steps <= {9} or pin in names:
        raise Misused("set a PIN", OBVIOUS_PIN, "Choose another one.")
