"""Whose a recording is: by the register of issue and what the recorder says of its user, never by the slot."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.people import Person
from bwcdock.core.facts import Finding, Severity
from bwcdock.core.record import Record
from bwcdock.core.rulepack import RulePack


def holder_of(record: Record, device: Device | None) -> str:
    """The person the recorder was issued to when it recorded this; empty where it was nobody."""
    return device.holder_at(record.recorded_at) if device else ""


def user_of(number: str, people: Sequence[Person]) -> str:
    """The person whom recorders call ``number``; empty where none or several are called so."""
    found = [person.id for person in people if number and number in (*person.user_numbers, person.id)]
    return found[0] if len(found) == 1 else ""


def officers_of(record: Record, devices: Mapping[str, Device], people: Sequence[Person]) -> frozenset[str]:
    """Everybody this recording may be by: the holder, the user the recorder names, and its own words for him."""
    holder = holder_of(record, devices.get(record.recorder))
    return frozenset(filter(None, (holder, user_of(record.item.officer, people), record.item.officer)))


def shown(officers: frozenset[str], people: Mapping[str, Person]) -> tuple[str, ...]:
    """They in order and for people: whoever is known is not told again as a number."""
    known = officers & people.keys()
    return tuple(sorted(known or officers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What makes a recording somebody's own, so that it can be looked for without reading every recording.

    It is his when its recorder names him by one of ``numbers``, or was his at that time: ``spans`` are the recorder,
    from when, and until when (``None``: still).
    """

    numbers: tuple[str, ...]
    spans: tuple[tuple[str, datetime, datetime | None], ...]


def own(person: str, devices: Iterable[Device], people: Sequence[Person]) -> Own:
    """By what :func:`officers_of` finds this person."""
    him = next((each for each in people if each.id == person), None)
    numbers = {n for n in (*(him.user_numbers if him else ()), person) if user_of(n, people) == person}
    spans = [
        (device.id, issue.at, issue.returned_at) for device in devices for issue in device.issues if issue.to == person
    ]
    return Own(numbers=tuple(sorted({*numbers, person})), spans=tuple(spans))


def judge(
    serial: str, users: Sequence[str], device: Device | None, people: Sequence[Person], pack: RulePack
) -> tuple[Finding, ...]:
    """What does not fit between the recorder that was docked and the register.

    ``users`` are the user numbers it names, its own and those in its file names. Where the register is not kept at all
    (no device in it) there is nothing to compare with, and nothing is said.
    """
    if device is None:
        return ()
    found = []
    if device.state != "in_service":
        what = f"{serial} is {device.state} in the register and was docked."
        found.append(_finding("device.state", what, "Look at it, and enter how it came back.", pack))
    holder = device.holder
    for number in dict.fromkeys(filter(None, users)):
        person = user_of(number, people)
        if not person:
            what = f"{serial} names user {number}, whom the register does not know."
            found.append(_finding("device.user-unknown", what, "Enter the number with the person it belongs to.", pack))
        elif holder and person != holder:
            what = f"{serial} is issued to {holder} and was used by {person}."
            found.append(_finding("device.lent", what, "Ask both; correct the register, or note the lending.", pack))
        elif not holder:
            what = f"{serial} was used by {person} and is issued to nobody."
            found.append(_finding("device.not-issued", what, "Enter the issue, or ask how he came to it.", pack))
    first: dict[str, Finding] = {}
    for finding in found:
        first.setdefault(finding.code, finding)
    return tuple(first.values())


def _finding(code: str, what: str, remedy: str, pack: RulePack) -> Finding:
    rule = next((duty for duty in pack.duties if duty.id == "no-lending"), None)
    evidence = (("article", rule.article), ("quote", rule.quote)) if rule and code == "device.lent" else ()
    return Finding(severity=Severity.WARN, code=code, what=what, remedy=remedy, evidence=evidence)
