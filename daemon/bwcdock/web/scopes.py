"""What a token can be for: the places the API can be read at, and the acts of the desk, as far as its role reaches."""

from typing import Final

from bwcdock.core.rulepack import RulePack
from bwcdock.desk.acts import ACTS
from bwcdock.web.deeds import offered
from bwcdock.web.policy import Caller, Place, acting, may, reading

READABLE: Final = (
    Place.FIGURES, Place.STATION, Place.RECORDERS, Place.OWES, Place.WAITING, Place.RECORDS, Place.CASES, Place.HOLDS,
    Place.ACCESS, Place.CHECKS, Place.EXPIRY, Place.PEOPLE, Place.PAPERS, Place.LEDGER,
)  # fmt: skip
"""Places that have calls of the API, and the figures. Nobody plays, exports or lets people sign in with a token."""

NEVER: Final = frozenset({"set-sign-in"})
"""Acts that no program does: whoever lets people in is a person."""


def scopes_of(role: str, pack: RulePack) -> tuple[str, ...]:
    """All that a token for this role can be for."""
    whole = Caller(kind="token", role=role, scopes=frozenset(map(reading, READABLE)))
    acts = offered(Caller(kind="person", role=role, second=True), pack)
    read = (reading(place) for place in READABLE if may(whole, place, pack))
    return (*read, *(acting(word) for word in ACTS if word in acts and word not in NEVER))
