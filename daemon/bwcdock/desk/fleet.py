"""The recorders as a custodian looks at them: how each is now, what became of it over time, which can be handed out."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from bwcdock.core.desk.devices import Device
from bwcdock.core.facts import Checked, Condition, Entry, Finding, Rechecked
from bwcdock.core.rules import Standing
from bwcdock.core.session import Session
from bwcdock.core.view import SessionView
from bwcdock.desk.asking import Law
from bwcdock.desk.register import Register
from bwcdock.ledger import OpenFinding, Reader
from bwcdock.overview import shown

READINGS = 400
"""Readings of one recorder's condition that are drawn: a year of working days with a second look at each docking."""

DOCKINGS = 30
ACTS = 200
"""How many of its newest dockings, and of the newest entries people made about it, one page shows."""

WORST = (Standing.OVERDUE, Standing.AT_RISK, Standing.NOT_DUE, Standing.LATE, Standing.EXCUSED, Standing.MET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """One recorder now: its line of the register, its newest docking, and how what it made stands."""

    serial: str
    device: Device | None
    seen: SessionView | None
    stands: tuple[tuple[Standing, int], ...]
    findings: int

    @property
    def is_docked(self) -> bool:
        """Whether it is in the dock now."""
        return self.seen is not None and self.seen.departed_at is None

    @property
    def holder(self) -> str:
        """Whom it is issued to."""
        return self.device.holder if self.device else ""

    @property
    def state(self) -> str:
        """As the register has it; ``unregistered`` where it was docked and nobody entered it."""
        return self.device.state if self.device else "unregistered"

    @property
    def verdict(self) -> Standing | None:
        """The worst that anything it made stands at, among what is open; ``None`` where nothing is."""
        open_ = {kind for kind, count in self.stands if count}
        return next((kind for kind in WORST if kind in open_), None)

    @property
    def can_go_out(self) -> bool:
        """Whether it may be handed out, as far as the register says."""
        return self.device is not None and self.device.state == "in_service" and not self.device.holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a recorder said of itself at one moment; ``warnings`` are what that, or its docking, was found to mean."""

    at: datetime
    seq: int
    session: str
    condition: Condition
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One recorder over time: readings oldest first, dockings and what people entered newest first."""

    recorder: Recorder
    readings: tuple[Reading, ...]
    dockings: tuple[SessionView, ...]
    acts: tuple[Entry, ...]
    findings: tuple[OpenFinding, ...]


def fleet(ledger: Reader, law: Law, register: Register, now: datetime) -> tuple[Recorder, ...]:
    """Every recorder that was registered or docked, by serial."""
    serials = sorted({*register.devices, *ledger.recorders()})
    unfinished = ledger.unfinished()
    stands = _stands(ledger, law, now)
    found = Counter(told.subject for told in ledger.findings(kind="recorder"))
    made = []
    for serial in serials:
        newest = next(iter(ledger.sessions(recorder=serial, limit=1)), None)
        seen = shown(ledger, newest, unfinished) if newest else None
        made.append(
            Recorder(
                serial=serial,
                device=register.devices.get(serial),
                seen=seen,
                stands=stands.get(serial, ()),
                findings=found[serial] + (len([f for f in seen.findings if f.severity != "note"]) if seen else 0),
            )
        )
    return tuple(made)


def history(ledger: Reader, law: Law, register: Register, now: datetime, serial: str) -> History | None:
    """All about one recorder; ``None`` where nobody ever heard of it."""
    sessions = ledger.sessions(recorder=serial, limit=DOCKINGS)
    device = register.devices.get(serial)
    if device is None and not sessions:
        return None
    unfinished = ledger.unfinished()
    dockings = tuple(shown(ledger, session, unfinished) for session in sessions)
    told = tuple(ledger.findings(kind="recorder", subject=serial))
    recorder = Recorder(
        serial=serial,
        device=device,
        seen=dockings[0] if dockings else None,
        stands=_stands(ledger, law, now).get(serial, ()),
        findings=len(told),
    )
    return History(
        recorder=recorder,
        readings=_readings(ledger, serial),
        dockings=dockings,
        acts=tuple(ledger.entry(seq) for seq in reversed(device.entries[-ACTS:])) if device else (),
        findings=told,
    )


def _stands(ledger: Reader, law: Law, now: datetime) -> dict[str, tuple[tuple[Standing, int], ...]]:
    counted: dict[str, Counter[Standing]] = {}
    for each in ledger.standing(now, law.at_risk_ratio):
        counted.setdefault(each.recorder, Counter())[each.kind] += each.count
    return {serial: tuple(sorted(counts.items())) for serial, counts in counted.items()}


def _readings(ledger: Reader, serial: str) -> tuple[Reading, ...]:
    newest = ledger.lately_told(serial, Checked.ev, Rechecked.ev, limit=READINGS)
    return tuple(
        Reading(
            at=entry.at,
            seq=entry.seq,
            session=entry.fact.session,
            condition=entry.fact.condition,
            findings=entry.fact.findings,
        )
        for entry in reversed(newest)
        if isinstance(entry.fact, Checked | Rechecked)
    )


# --- handing out ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A recorder that may be handed out: what the dock has checked, and what is left to be checked by hand."""

    recorder: Recorder
    checked: tuple[str, ...]
    by_hand: tuple[str, ...]


def to_hand_out(fleet_: tuple[Recorder, ...], law: Law, docked: dict[str, Session]) -> tuple[Ready, ...]:
    """What may be handed out: the docked and ready ones first, then the docked, then the others.

    ``docked`` are the open dockings by recorder. What the dock itself knows need not be checked by hand.
    """
    asked = tuple(dict.fromkeys(what for check in law.pack.checks for what in check.what))
    made = []
    for each in fleet_:
        if each.can_go_out:
            known = checked_by_dock(docked.get(each.serial))
            by_hand = tuple(what for what in asked if what not in known)
            made.append(Ready(recorder=each, checked=tuple(w for w in asked if w in known), by_hand=by_hand))
    return tuple(sorted(made, key=lambda ready: (_rank(ready.recorder), ready.recorder.serial)))


def checked_by_dock(session: Session | None) -> frozenset[str]:
    """Which checks before use the dock itself has made of what is in it."""
    if session is None or session.condition is None:
        return frozenset()
    condition = session.condition
    known = {
        "battery": condition.battery is not None,
        "storage": condition.storage_free is not None,
        "clock": condition.drift is not None and condition.drift.bound == "exact",
    }
    return frozenset(what for what, is_known in known.items() if is_known)


def _rank(recorder: Recorder) -> int:
    if recorder.is_docked and recorder.seen is not None:
        return 0 if recorder.seen.ready else 1
    return 2
