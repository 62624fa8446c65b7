"""The unit's recorders: whose each is, where it is, and what was reported and done about it."""

from dataclasses import dataclass, replace
from datetime import datetime

from bwcdock.core.desk.matter import Kind, Matter, taken
from bwcdock.core.facts import Entry, Finding
from bwcdock.core.refusal import Refusal, because
from bwcdock.core.statements import (
    DeviceIssued,
    DeviceRegistered,
    DeviceReturned,
    DeviceStateSet,
    FaultReported,
    Serviced,
    Statement,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One line of the register of issue and return (领用归还登记); ``returned_at`` is ``None`` while it is out."""

    to: str
    at: datetime
    by: str
    expected_back: datetime | None
    checked: tuple[str, ...]
    findings: tuple[Finding, ...]
    returned_at: datetime | None = None
    returned_to: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device(Matter):
    """A recorder of the register; its id is its serial.

    ``state`` is ``in_service``, ``repair``, ``lost``, ``stolen`` or ``retired``; ``holder`` is the person it is issued
    to. ``issues`` is the whole register of it, ``faults`` what was reported and not mended since, ``service`` what was
    done, each a moment and words. ``footage`` are the records that were on it when it went away.
    """

    model: str = ""
    unit: str = ""
    team: str = ""
    reason: str = ""
    issues: tuple[Issue, ...] = ()
    faults: tuple[tuple[datetime, str], ...] = ()
    service: tuple[tuple[datetime, str], ...] = ()
    footage: tuple[str, ...] = ()

    @property
    def out(self) -> Issue | None:
        """The issue it is out on; ``None`` when nobody has it."""
        return self.issues[-1] if self.issues and self.issues[-1].returned_at is None else None

    @property
    def holder(self) -> str:
        """Whom it is issued to now; empty when nobody has it."""
        return self.out.to if self.out else ""

    def holder_at(self, moment: datetime) -> str:
        """Whom it was issued to at ``moment``; empty where it was nobody."""
        for issue in reversed(self.issues):
            if issue.at <= moment:
                back = issue.returned_at
                return issue.to if back is None or moment < back else ""
        return ""


def _after(device: Device | None, state: str, entry: Entry) -> Device:
    fact = entry.fact
    if device is None or isinstance(fact, DeviceRegistered):
        return taken(Device, device, state, entry)
    match fact:
        case DeviceIssued():
            new = Issue(
                to=fact.to,
                at=entry.at,
                by=entry.actor.name,
                expected_back=fact.expected_back,
                checked=fact.checked,
                findings=fact.findings,
            )
            return taken(Device, device, state, entry, issues=(*device.issues, new))
        case DeviceReturned():
            back = replace(device.issues[-1], returned_at=entry.at, returned_to=entry.actor.name, note=fact.note)
            return taken(Device, device, state, entry, issues=(*device.issues[:-1], back))
        case DeviceStateSet():
            return taken(Device, device, fact.state, entry)
        case FaultReported():
            return taken(Device, device, state, entry, faults=(*device.faults, (fact.since or entry.at, fact.what)))
        case _:
            assert isinstance(fact, Serviced)
            return taken(Device, device, state, entry, faults=(), service=(*device.service, (entry.at, fact.what)))


def _why_not(device: Device | None, entry: Entry) -> Refusal | None:
    fact = entry.fact
    if device is None:
        return None
    match fact:
        case DeviceIssued() if device.out:
            what = f"{device.id} is issued to {device.holder} since {device.out.at:%Y-%m-%d %H:%M} UTC."
            return because("device.issued", what, device=device.id, person=device.holder, since=device.out.at)
        case DeviceIssued() if fact.expected_back is not None and fact.expected_back <= entry.at:
            what = f"{device.id} would be expected back before it is issued."
            return because("device.back-before", what, device=device.id)
        case DeviceReturned() if not device.out:
            what = f"{device.id} is not issued to anybody: a return without an issue."
            return because("device.return-unissued", what, device=device.id)
        case DeviceStateSet() if fact.state == device.state:
            what = f"{device.id} is {fact.state} already."
            return because("device.same-state", what, device=device.id, kind="device", state=fact.state)
        case DeviceStateSet() if fact.state in {"repair", "retired"} and device.out:
            what = f"{device.id} is issued to {device.holder}: take it back first."
            return because("device.still-out", what, device=device.id, person=device.holder)
        case FaultReported() if fact.since is not None and fact.since > entry.at:
            return because("device.fault-future", "A fault cannot have begun in the future.")
    return None


_ANYWHERE: tuple[type[Statement], ...] = (DeviceRegistered, DeviceReturned, DeviceStateSet, FaultReported, Serviced)


def _row(state: str, *more: type[Statement]) -> dict[type[Statement], str]:
    """What may happen to a device in this state. Where DeviceStateSet leads to is in the fact, not in the table."""
    return dict.fromkeys((*_ANYWHERE, *more), state)


DEVICE = Kind(
    Device,
    {
        None: {DeviceRegistered: "in_service"},
        "in_service": _row("in_service", DeviceIssued),
        "repair": _row("repair"),
        "lost": _row("lost"),
        "stolen": _row("stolen"),
        "retired": {DeviceStateSet: "retired", DeviceRegistered: "retired"},
    },
    _after,
    _why_not,
)
