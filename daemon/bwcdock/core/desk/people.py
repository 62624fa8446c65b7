"""Who works here: persons with their roles, teams with their strength, and handovers between persons."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bwcdock.core.desk.matter import Kind, Matter, plain, taken
from bwcdock.core.facts import Entry
from bwcdock.core.refusal import Refusal, because
from bwcdock.core.rulepack import RulePack, Term
from bwcdock.core.statements import HandedOver, PersonEntered, PersonLeft, SignIn, SignInSet, TeamEntered

CUSTODIANS = ("administrator", "keeper")
"""Role ids that mean the same in every pack: who keeps footage (管理员) and who keeps devices (设备保管人)."""

AUDITOR, SYSTEM_ADMINISTRATOR = "auditor", "system-administrator"

HOUSE_ROLES = (Term(id=AUDITOR, label="审计员"), Term(id=SYSTEM_ADMINISTRATOR, label="系统管理员"))
"""Roles beside those of any regulation: who sees to it that the others keep to theirs, and who lets people sign in.

With the administrator of the pack they are the three that ought to be three persons (系统、安全、审计三员分立).
"""

SET_FOR_OTHERS: tuple[SignIn, ...] = ("code", "blocked", "token")
"""What may be set for somebody else. A password, a code generator and a PIN are chosen by whoever uses them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSignIn:
    """That a way to sign in was set: which, by whom, in which role, when."""

    what: SignIn
    by: str
    role: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(Matter):
    """A person of the register, ``active`` or ``left``; fields as in :class:`PersonEntered`.

    ``sign_ins`` is the newest setting of each way to sign in, oldest first; all of them are in the ledger.
    """

    name: str
    certificate: str = ""
    unit: str = ""
    team: str = ""
    roles: tuple[str, ...] = ()
    user_numbers: tuple[str, ...] = ()
    sign_ins: tuple[SetSignIn, ...] = ()

    def may_act_as(self, role: str) -> bool:
        """Whether he works here in this role."""
        return self.state == "active" and role in self.roles


@dataclass(frozen=True, slots=True, kw_only=True)
class Team(Matter):
    """A team and how many officers it has."""

    name: str
    unit: str
    officers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover(Matter):
    """A handover that was made; ``by`` wrote it down."""

    giver: str
    taker: str
    devices: tuple[str, ...]
    left_open: tuple[str, ...]


def roles_of(pack: RulePack) -> tuple[Term, ...]:
    """Every role a person can have at a station under this pack; where the pack knows a house role, its word stands."""
    known = {term.id for term in pack.roles}
    return (*pack.roles, *(term for term in HOUSE_ROLES if term.id not in known))


def in_one_hand(people: Iterable[Person]) -> tuple[tuple[Person, tuple[str, ...]], ...]:
    """Who works here as a custodian and also in a role of the house, with all of these roles."""
    words = (*CUSTODIANS, *(term.id for term in HOUSE_ROLES))
    found = ((person, tuple(role for role in words if person.may_act_as(role))) for person in people)
    return tuple((person, has) for person, has in found if {*CUSTODIANS} & {*has} and not {*has} <= {*CUSTODIANS})


def _person(person: Person | None, state: str, entry: Entry) -> Person:
    fact, who = entry.fact, entry.actor
    if isinstance(fact, PersonLeft):
        # A recorder that still names him must not be taken for that of somebody who works here.
        return taken(Person, person, state, entry, user_numbers=())
    if isinstance(fact, SignInSet):
        assert person is not None
        others = (each for each in person.sign_ins if each.what != fact.what)
        newest = SetSignIn(what=fact.what, by=who.name, role=who.role, at=entry.at)
        return taken(Person, person, state, entry, sign_ins=(*others, newest))
    return taken(Person, person, state, entry)


def _person_why_not(_: object, entry: Entry) -> Refusal | None:
    fact, who = entry.fact, entry.actor
    match fact:
        case PersonEntered() if not fact.name.strip():
            return because("person.no-name", "A person needs a name.")
        case SignInSet() if who.name != fact.matter and who.role != SYSTEM_ADMINISTRATOR:
            what = f"How {fact.matter} signs in is set by himself, or by a {SYSTEM_ADMINISTRATOR}."
            return because("sign-in.not-his", what, person=fact.matter, role=SYSTEM_ADMINISTRATOR)
        case SignInSet() if who.name != fact.matter and fact.what not in SET_FOR_OTHERS:
            what = f"A {fact.what} is set by nobody but {fact.matter} himself; for others: {', '.join(SET_FOR_OTHERS)}."
            return because("sign-in.his-alone", what, way=fact.what, person=fact.matter, ways=SET_FOR_OTHERS)
    return None


def _team_why_not(_: object, entry: Entry) -> Refusal | None:
    fact = entry.fact
    if isinstance(fact, TeamEntered) and fact.officers < 0:
        return because("team.negative", "A team cannot have fewer than no officers.")
    return None


def _handover_why_not(_: object, entry: Entry) -> Refusal | None:
    fact = entry.fact
    if isinstance(fact, HandedOver) and fact.giver == fact.taker:
        return because("handover.himself", "Nobody hands over to himself.")
    return None


PERSON = Kind(
    Person,
    {
        None: {PersonEntered: "active"},
        "active": {PersonEntered: "active", PersonLeft: "left", SignInSet: "active"},
        "left": {PersonEntered: "active"},
    },
    _person,
    _person_why_not,
)
TEAM = Kind(Team, {None: {TeamEntered: "standing"}, "standing": {TeamEntered: "standing"}}, plain(Team), _team_why_not)
HANDOVER = Kind(Handover, {None: {HandedOver: "made"}}, plain(Handover), _handover_why_not)
