"""Who works here: persons with their roles, teams with their strength, and handovers between persons."""

from dataclasses import dataclass

from bwcdock.core.desk.matter import Kind, Matter, plain, taken
from bwcdock.core.facts import Entry
from bwcdock.core.statements import HandedOver, PersonEntered, PersonLeft, TeamEntered

CUSTODIANS = ("administrator", "keeper")
"""Role ids that mean the same in every pack: who keeps footage (管理员) and who keeps devices (设备保管人)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(Matter):
    """A person of the register, ``active`` or ``left``; fields as in :class:`PersonEntered`."""

    name: str
    certificate: str = ""
    unit: str = ""
    team: str = ""
    roles: tuple[str, ...] = ()
    user_numbers: tuple[str, ...] = ()

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


def _person(person: Person | None, state: str, entry: Entry) -> Person:
    if isinstance(entry.fact, PersonLeft):
        # A recorder that still names him must not be taken for that of somebody who works here.
        return taken(Person, person, state, entry, user_numbers=())
    return taken(Person, person, state, entry)


def _person_why_not(_: object, entry: Entry) -> str:
    fact = entry.fact
    return "A person needs a name." if isinstance(fact, PersonEntered) and not fact.name.strip() else ""


def _team_why_not(_: object, entry: Entry) -> str:
    fact = entry.fact
    return "A team cannot have fewer than no officers." if isinstance(fact, TeamEntered) and fact.officers < 0 else ""


def _handover_why_not(_: object, entry: Entry) -> str:
    fact = entry.fact
    return "Nobody hands over to himself." if isinstance(fact, HandedOver) and fact.giver == fact.taker else ""


PERSON = Kind(
    Person,
    {
        None: {PersonEntered: "active"},
        "active": {PersonEntered: "active", PersonLeft: "left"},
        "left": {PersonEntered: "active"},
    },
    _person,
    _person_why_not,
)
TEAM = Kind(Team, {None: {TeamEntered: "standing"}, "standing": {TeamEntered: "standing"}}, plain(Team), _team_why_not)
HANDOVER = Kind(Handover, {None: {HandedOver: "made"}}, plain(Handover), _handover_why_not)
