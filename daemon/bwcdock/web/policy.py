"""Who may go where: the one judge of every page, figure and call; whatever is not named here is closed."""

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from bwcdock.core.desk import people
from bwcdock.core.rulepack import RulePack
from bwcdock.desk.who import custodians, leaders


class Place(StrEnum):
    """What a route is for. Each route names one, and a route without is refused when the application is built."""

    STATIC = "static"
    HEALTH = "health"
    FIGURES = "figures"
    WALL = "wall"
    SIGN_IN = "sign-in"
    ME = "me"
    HOME = "home"
    OWES = "owes"
    WAITING = "waiting"
    RECORDERS = "recorders"
    RECORDS = "records"
    CASES = "cases"
    HOLDS = "holds"
    ACCESS = "access"
    REGISTER = "register"
    CHECKS = "checks"
    EXPIRY = "expiry"
    PEOPLE = "people"
    EQUIPMENT = "equipment"
    PAPERS = "papers"
    LEDGER = "ledger"
    STATION = "station"
    COVERAGE = "coverage"
    ACT = "act"
    PLAY = "play"
    EXPORT = "export"
    SIGN_INS = "sign-ins"
    API = "api"


Kind = Literal["nobody", "screen", "person", "token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: nobody known, a screen of the station, a person in one of his roles, or a program with his token.

    ``scopes`` are what a token is for: ``read:`` with a place, ``act:`` with the word of an act. ``second`` says that a
    second factor was shown, ``half`` that it must be shown before anything else.
    """

    kind: Kind = "nobody"
    person: str = ""
    name: str = ""
    role: str = ""
    scopes: frozenset[str] = frozenset()
    second: bool = False
    half: bool = False
    csrf: str = ""


NOBODY: Final = Caller()

ANYONE, SCREEN, OFFICER, CUSTODIAN, LEADER, REVIEWER, AUDITOR, SYSTEM = (
    "anyone", "screen", "officer", "custodian", "leader", "reviewer", "auditor", "system"
)  # fmt: skip
SIGNED_IN: Final = frozenset({OFFICER, CUSTODIAN, LEADER, REVIEWER, AUDITOR, SYSTEM})
READERS: Final = frozenset({CUSTODIAN, LEADER, REVIEWER, AUDITOR})
"""Who may read what is registered about everybody."""

HOUSE_ROLES: Final = {people.AUDITOR: AUDITOR, people.SYSTEM_ADMINISTRATOR: SYSTEM}
"""Roles that every station has beside those of its regulation (三员分立): they are in no rule pack."""

MAY: Final[dict[Place, frozenset[str]]] = {
    Place.STATIC: frozenset({ANYONE}),
    Place.HEALTH: frozenset({ANYONE}),
    Place.FIGURES: frozenset({SCREEN, SYSTEM, AUDITOR}),
    Place.WALL: SIGNED_IN | {SCREEN},
    Place.SIGN_IN: frozenset({ANYONE}),
    Place.ME: SIGNED_IN,
    Place.HOME: SIGNED_IN,
    Place.OWES: READERS | {OFFICER},
    Place.WAITING: READERS | {OFFICER},
    Place.RECORDERS: READERS,
    Place.RECORDS: READERS | {OFFICER},
    Place.CASES: READERS | {OFFICER},
    Place.HOLDS: READERS,
    Place.ACCESS: READERS | {OFFICER},
    Place.REGISTER: READERS,
    Place.CHECKS: READERS,
    Place.EXPIRY: READERS,
    Place.PEOPLE: READERS | {SYSTEM},
    Place.EQUIPMENT: READERS,
    Place.PAPERS: READERS,
    Place.LEDGER: READERS,
    Place.STATION: READERS | {SYSTEM},
    Place.COVERAGE: SIGNED_IN,
    Place.ACT: SIGNED_IN,
    Place.PLAY: READERS | {OFFICER},
    Place.EXPORT: frozenset({CUSTODIAN, AUDITOR}),
    Place.SIGN_INS: frozenset({SYSTEM}),
    Place.API: frozenset({ANYONE}),
}
"""The matrix of places and groups; tests/web holds every route against it."""


def group_of(role: str, pack: RulePack) -> str:
    """The group of a role: what it may do at the desk decides what it may look at."""
    if role in HOUSE_ROLES:
        return HOUSE_ROLES[role]
    if role in custodians(pack):
        return CUSTODIAN
    if role in leaders(pack):
        return LEADER
    if pack.spot_check and role in pack.spot_check.by:
        return REVIEWER
    return OFFICER if role in {term.id for term in pack.roles} else ANYONE


def needs_second(role: str, pack: RulePack) -> bool:
    """Whether nothing may be done in this role before a second factor was shown: in all but an officer's."""
    return group_of(role, pack) != OFFICER


def may(caller: Caller, place: Place, pack: RulePack, *, of: Set[str] | None = None, scope: str | None = None) -> bool:
    """Whether the caller may go there. ``of`` are the persons whom what he asks for is about: an officer has only his
    own; ``None`` where it is about nobody in particular. ``scope`` is what a token must be for, instead of the place.

    A token was made by somebody who had shown his second factor, and can do no more than its person in its role can.
    """
    allowed = MAY.get(place, frozenset())
    if ANYONE in allowed:
        return True
    if caller.kind == "screen":
        return SCREEN in allowed
    if caller.kind == "token" and (scope or reading(place)) not in caller.scopes:
        return False
    if caller.kind not in {"person", "token"}:
        return False
    if caller.kind == "person" and (caller.half or (needs_second(caller.role, pack) and not caller.second)):
        return False
    group = group_of(caller.role, pack)
    if group not in allowed or group == ANYONE:
        return False
    return group != OFFICER or of is None or caller.person in of


def reading(place: Place) -> str:
    """What a token must be for, to read there."""
    return f"read:{place.value}"


def acting(word: str) -> str:
    """What a token must be for, to do this act of the desk."""
    return f"act:{word}"


def sees_only_his_own(caller: Caller, pack: RulePack) -> bool:
    """Whether lists are cut down to what is the caller's own."""
    return group_of(caller.role, pack) == OFFICER
