"""Failed attempts, and when somebody has to wait: by person and address, never by the person alone at the first factor.

Whoever could shut a person out by failing in his name would shut out the last system administrator. So a password is
limited by person *and* address; guessing from many addresses is met by a second factor, by a wait for everybody far
away once there are many failures, and by a hash that is dear. Only whoever has the password already can use up the
tries of a second factor, and only at the station's screen those of a PIN.
"""

import hashlib
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from typing import Final, Literal

from bwcdock.errors import NotAllowed
from bwcdock.settings import Web
from bwcdock.web.accounts.store import Store, in_ms, ms
from bwcdock.web.words import N_

What = Literal["password", "code", "second", "pin"]

ADDRESS_TIMES: Final = 10
"""One address may fail ten times as often, for different persons: a duty room has one address and a dozen people."""

EVERYWHERE_TIMES: Final = 5
"""A second factor or a PIN may be tried five times as often from all addresses together: 25 of a million."""

SLOW_TIMES: Final = 20
"""After so many times the failures of one, all of them together, whoever is far away waits …"""

SLOW_S: Final = 2.0
"""… so long before each attempt."""


TOO_MANY: Final = N_("There were too many failed attempts. Wait some minutes, or ask the system administrator.")


class Tries:
    """What failed within the time of ``[web] tries_within_s``; older failures are forgotten."""

    def __init__(self, store: Store, settings: Web) -> None:
        self._store = store
        self._most = settings.tries
        self._within = in_ms(settings.tries_within_s)

    def spend(self, what: What, person: str, address: str, now: datetime) -> None:
        """Take one try, or refuse with :class:`NotAllowed` whoever has none left, before anything is looked at.

        It is taken before the answer is known, so that many at the same moment are not more than one after the other.
        """
        at, who, where = ms(now), _of(person), _of(network(address))
        since = at - self._within
        with self._store.whole():
            self._store.rows("DELETE FROM try WHERE at_ms < ?", since)
            own = self._count("person = ? AND address = ?", what, since, who, where)
            near = self._count("address = ?", what, since, where)
            everywhere = self._count("person = ?", what, since, who) if what in {"second", "pin"} else 0
            most = self._most
            if own >= most or near >= most * ADDRESS_TIMES or everywhere >= most * EVERYWHERE_TIMES:
                minutes = max(1, round(self._within / 60_000))
                hint = f"Try again after {minutes} minutes."
                raise NotAllowed("sign in", TOO_MANY, hint)
            self._store.rows("INSERT INTO try VALUES (?, ?, ?, ?)", what, who, where, at)

    def worked(self, what: What, person: str, address: str) -> None:
        """He is who he says: the try is given back, and what he failed from there is forgotten."""
        sql = "DELETE FROM try WHERE what = ? AND person = ? AND address = ?"
        self._store.rows(sql, what, _of(person), _of(network(address)))

    def delay_s(self, now: datetime) -> float:
        """How long an attempt from afar waits."""
        since = ms(now) - self._within
        total = self._store.rows("SELECT count(*) FROM try WHERE at_ms >= ?", since)[0][0]
        return SLOW_S if total >= self._most * SLOW_TIMES else 0.0

    def _count(self, where: str, what: What, since: int, *values: object) -> int:
        sql = f"SELECT count(*) FROM try WHERE what = ? AND at_ms >= ? AND {where}"  # noqa: S608 - written above
        return int(self._store.rows(sql, what, since, *values)[0][0])


def network(address: str) -> str:
    """The address, or of IPv6 the network, for one host has all addresses of it."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if not isinstance(known, IPv6Address):
        return str(known)
    return str(known.ipv4_mapped) if known.ipv4_mapped else f"{known.exploded[:19]}::/64"


def _of(text: str) -> bytes:
    # What somebody typed as a name may be his password, in the wrong field, and may be long.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
