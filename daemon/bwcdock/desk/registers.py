"""Acts about people and recorders."""

from bwcdock.core.desk.access import Access
from bwcdock.core.desk.cases import Case
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.explaining import Explanation
from bwcdock.core.desk.people import Handover, Person, Team, roles_of
from bwcdock.core.desk.times import Trip
from bwcdock.core.facts import Fact
from bwcdock.core.names import show
from bwcdock.core.session import Session
from bwcdock.core.statements import (
    DeviceIssued,
    DeviceRegistered,
    DeviceReturned,
    DeviceStateSet,
    FaultReported,
    HandedOver,
    PersonEntered,
    PersonLeft,
    Serviced,
    SignInSet,
    TeamEntered,
)
from bwcdock.core.view import LACKS_ZH
from bwcdock.desk import acts
from bwcdock.desk.fleet import checked_by_dock
from bwcdock.desk.room import Room, refused

MOST_LEFT = 200
"""Lines of what is open in one handover; more than that is no handover but an inventory, and the count is told."""


def enter_person(act: acts.EnterPerson, room: Room) -> list[Fact]:
    """Roles are those of the pack and of the house, and a user number names one person."""
    for role in act.roles:
        room.term("role", role, roles_of(room.bench.pack))
    if act.team:
        room.matter(Team, act.team)
    before = room.ledger.matter(Person, act.person)
    if act.person == room.actor.name and before is not None and set(act.roles) - set(before.roles):
        hint = "Another administrator enters it; nothing was changed."
        raise refused("role.himself", "Nobody gives himself a role.", hint)
    for number in act.user_numbers:
        other = [p for p in room.ledger.matters(Person) if number in p.user_numbers and p.id != act.person]
        if other:
            what = f"User number {number} is that of {other[0].name} ({other[0].id})."
            raise refused("person.number-taken", what, number=number, person=other[0].id, name=other[0].name)
    said = act.model_dump(exclude={"person"})
    return [PersonEntered(matter=act.person, **said)]


def leave_person(act: acts.LeavePerson, room: Room) -> list[Fact]:
    """Nobody leaves with recorders of the unit: they are taken back or handed over before."""
    person = room.person(act.person)
    held = [device.id for device in room.ledger.matters(Device) if device.holder == person.id]
    if held:
        what, hint = f"{person.name} still holds {', '.join(held)}.", "Take them back (return), then hand over."
        raise refused("person.holds", what, hint, name=person.name, devices=held)
    return [PersonLeft(matter=person.id, reason=act.reason)]


def set_sign_in(act: acts.SetSignIn, room: Room) -> list[Fact]:
    """Whoever can let another in can act as him: that he did it stands in the ledger before anybody gets in by it."""
    return [SignInSet(matter=room.person(act.person).id, what=act.what)]


def enter_team(act: acts.EnterTeam, room: Room) -> list[Fact]:  # noqa: ARG001  (a team stands by itself)
    """A team is counted against the recorders it has."""
    return [TeamEntered(matter=act.team, name=act.name, unit=act.unit, officers=act.officers)]


def hand_over(act: acts.HandOver, room: Room) -> list[Fact]:
    """What is open is looked up, not stated: recorders, footage not offloaded, explanations, cases, requests."""
    giver, taker = room.person(act.giver), room.person(act.taker)
    ledger = room.ledger
    devices = tuple(device.id for device in ledger.matters(Device) if device.holder == giver.id)
    left = [f"recorder {serial}" for serial in devices]
    left += [f"recording {r.recorder} {show(r.item.path)}" for r in ledger.owed() if r.recorder in devices]
    left += [f"trip {trip.id}" for trip in ledger.matters(Trip, "out") if trip.person == giver.id]
    left += [f"explanation {e.id} ({e.what})" for e in ledger.matters(Explanation, "given") if e.person == giver.id]
    left += [f"case {c.id}" for c in ledger.matters(Case) if c.handler == giver.id and c.state != "archived"]
    left += [
        f"request {a.id} ({a.act})"
        for a in ledger.matters(Access, "requested")
        if giver.id in {a.requested_by, a.applicant}
    ]
    if len(left) > MOST_LEFT:
        left = [*left[:MOST_LEFT], f"and {len(left) - MOST_LEFT} more"]
    made = HandedOver(
        matter=room.new_id(Handover), giver=giver.id, taker=taker.id, devices=devices, left_open=tuple(left)
    )
    return [made]


def register_device(act: acts.RegisterDevice, room: Room) -> list[Fact]:
    """A recorder of the unit."""
    if act.team:
        room.matter(Team, act.team)
    said = act.model_dump(exclude={"device"})
    return [DeviceRegistered(matter=act.device, recorder=act.device, **said)]


def issue(act: acts.Issue, room: Room) -> list[Fact]:
    """Every check the pack asks for before use was made: by the dock where the recorder is in it, else by hand."""
    device, person = room.device(act.device), room.person(act.to)
    asked = {what: check for check in room.bench.pack.checks for what in check.what}
    for word in act.checked:
        if word not in {"clock", "battery", "storage", "works"}:
            hint = "They are: clock, battery, storage, works."
            raise refused("check.unknown", f"There is no check {word!r}.", hint, given=word)
    session = _docked(room, device.id)
    known, findings = checked_by_dock(session), session.findings if session else ()
    missing = [what for what in asked if what not in known | set(act.checked)]
    if missing:
        check = asked[missing[0]]
        what = f"{check.article} asks for a check before use, and nobody has checked: {', '.join(missing)}."
        hint = f"Dock the recorder, or check by hand and say so: --checked {' --checked '.join(missing)}"
        raise refused("issue.unchecked", what, hint, article=check.article, checks=missing)
    lacking = [f for f in findings if f.code.partition(".")[0] in LACKS_ZH]
    checked = tuple(dict.fromkeys((*sorted(known), *act.checked)))
    issued = DeviceIssued(
        matter=device.id,
        recorder=device.id,
        to=person.id,
        expected_back=act.expected_back,
        checked=checked,
        findings=tuple(lacking),
    )
    return [issued]


def _docked(room: Room, serial: str) -> Session | None:
    return next((s for s in room.ledger.open_sessions() if s.recorder == serial and s.condition), None)


def give_back(act: acts.Return, room: Room) -> list[Fact]:
    """Back with whoever keeps the devices."""
    return [DeviceReturned(matter=room.device(act.device).id, recorder=act.device, note=act.note)]


def set_device(act: acts.SetDevice, room: Room) -> list[Fact]:
    """Of one that is lost the footage last known to be on it is named."""
    device = room.device(act.device)
    gone = act.state in {"lost", "stolen"}
    footage = tuple(r.id for r in room.ledger.owed() if r.recorder == device.id) if gone else ()
    said = DeviceStateSet(
        matter=device.id,
        recorder=device.id,
        state=act.state,
        reason=act.reason,
        footage=footage[: acts.MOST_RECORDS],
    )
    return [said]


def report_fault(act: acts.ReportFault, room: Room) -> list[Fact]:
    """To whoever keeps the devices."""
    return [FaultReported(matter=room.device(act.device).id, recorder=act.device, what=act.what, since=act.since)]


def service(act: acts.Service, room: Room) -> list[Fact]:
    """Mended or looked after."""
    return [Serviced(matter=room.device(act.device).id, recorder=act.device, what=act.what)]
