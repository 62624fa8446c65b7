"""A dock session: from plugging in to taking away, its transition table, and the fold of its facts."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from bwcdock.core.facts import (
    Arrived,
    Checked,
    ClockIntended,
    ClockNotSet,
    ClockTaken,
    ClockWritten,
    Condition,
    Departed,
    Drained,
    Drift,
    Entry,
    Fact,
    Faulted,
    Finding,
    Identified,
    Identity,
    Inventoried,
    Reappeared,
    Receipted,
    Rechecked,
    Refused,
    Sighting,
    Unclaimed,
)
from bwcdock.core.record import Illegal
from bwcdock.core.values import Common


class State(StrEnum):
    """Where a session stands."""

    ARRIVED = "arrived"
    IDENTIFIED = "identified"
    CHECKED = "checked"
    DRAINING = "draining"
    DRAINED = "drained"
    DEPARTED = "departed"
    UNCLAIMED = "unclaimed"
    REFUSED = "refused"
    FAULTED = "faulted"


CLOCK: tuple[type[Fact], ...] = (ClockWritten, ClockTaken, ClockNotSet)
"""What may come of an intent to set the clock."""

A, I, C = State.ARRIVED, State.IDENTIFIED, State.CHECKED  # noqa: E741
G, D, Z = State.DRAINING, State.DRAINED, State.DEPARTED
# A session can end from every state, because a cable can be pulled in every state. A departed session may still get
# its receipt: pushing goes on after the recorder has gone. Until its files are listed it may change from a control
# interface to a disk; after that, what re-appears is another docking. Only a drained one gets its clock set; whether it
# took the time may be known when it has gone, and at its next docking.
TABLE: dict[State | None, dict[type[Fact], State]] = {
    None: {Arrived: A},
    A: {Identified: I, Reappeared: A, Unclaimed: State.UNCLAIMED, Faulted: State.FAULTED, Departed: Z},
    I: {Checked: C, Reappeared: A, Refused: State.REFUSED, Faulted: State.FAULTED, Departed: Z},
    C: {Inventoried: G, Reappeared: A, Refused: State.REFUSED, Faulted: State.FAULTED, Departed: Z},
    G: {Drained: D, Inventoried: G, Faulted: State.FAULTED, Departed: Z},
    D: {Receipted: D, Rechecked: D, Faulted: State.FAULTED, Departed: Z, ClockIntended: D} | dict.fromkeys(CLOCK, D),
    State.UNCLAIMED: {Reappeared: A, Departed: Z},
    State.REFUSED: {Departed: Z},
    State.FAULTED: {Departed: Z, Receipted: State.FAULTED} | dict.fromkeys(CLOCK, State.FAULTED),
    Z: {Receipted: Z} | dict.fromkeys(CLOCK, Z),
}


CONDITION = frozenset({"battery", "card", "clock", "storage"})
"""First words of the codes of findings that come from a recorder's condition: looking again makes them anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSetting:
    """The setting of a recorder's clock: by how much it was off ``before``, and what is known of it now.

    ``stands`` is ``intended`` while nobody knows whether it was written. ``set_to`` is the time it was given, ``after``
    what its clock was off by when it was looked at again, ``reason`` why it counts as not set.
    """

    how: Literal["protocol", "set-file"]
    before: Drift
    stands: Literal["intended", "written", "taken", "not-set"] = "intended"
    intended_at: datetime
    set_to: datetime | None = None
    after: Drift | None = None
    reason: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is not known yet what came of it."""
        return self.stands in {"intended", "written"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The fold of a dock session's facts. ``records`` are the ids of every recording it has to bring."""

    id: str
    state: State
    sighting: Sighting
    arrived_at: datetime
    recorder: Common = ""
    driver: Common = ""
    identity: Identity | None = None
    condition: Condition | None = None
    findings: tuple[Finding, ...] = ()
    records: tuple[str, ...] = ()
    new: int = 0
    known: int = 0
    size: int = 0
    listed_at: datetime | None = None
    drained_at: datetime | None = None
    departed_at: datetime | None = None
    departed_why: Common = ""
    fault: str = ""
    fault_hint: str = ""
    receipt: str = ""
    clock: ClockSetting | None = None

    @property
    def docked(self) -> bool:
        """Whether the recorder is still there, as far as the ledger knows."""
        return self.state is not State.DEPARTED

    @property
    def can_drain(self) -> bool:
        """Its inventory is known, and safe to take has not been said yet."""
        return self.state is State.DRAINING

    @property
    def was_drained(self) -> bool:
        """Safe to take was said in this session."""
        return self.drained_at is not None

    @property
    def may_become_a_disk(self) -> bool:
        """Whether it is a control interface of which nothing was listed: a disk at its port is the same docking."""
        return self.sighting.subsystem == "usb" and Reappeared in TABLE[self.state]

    def continues_as(self, sighting: Sighting) -> bool:
        """Whether ``sighting`` is this docking's recorder turned into a disk, and not another docking."""
        return self.sighting.port == sighting.port and sighting.subsystem == "block" and self.may_become_a_disk


def allows(session: Session | None, fact: type[Fact]) -> bool:
    """Whether the table allows this kind of fact now."""
    return fact in TABLE[session.state if session else None]


def apply(session: Session | None, entry: Entry) -> Session:
    """``session`` after the fact in ``entry``; raises :class:`~bwcdock.core.record.Illegal` where forbidden."""
    fact = entry.fact
    state = TABLE[session.state if session else None].get(type(fact))
    if state is None:
        raise Illegal(f"{type(fact).__name__} on a session that is {session.state if session else 'unknown'}")
    if session is None:
        assert isinstance(fact, Arrived)
        return Session(id=fact.session, state=state, sighting=fact.sighting, arrived_at=entry.at)
    session = replace(session, state=state)
    match fact:
        case Reappeared():
            return replace(session, sighting=fact.sighting, fault="")
        case Identified():
            return replace(session, driver=fact.driver, identity=fact.identity, recorder=fact.identity.serial)
        case Checked() | Rechecked():
            kept = tuple(f for f in session.findings if f.code.partition(".")[0] not in CONDITION)
            return replace(session, condition=fact.condition, findings=(*kept, *fact.findings))
        case Inventoried():
            return replace(
                session,
                listed_at=entry.at,
                records=(*session.records, *fact.records),
                new=session.new + fact.new,
                known=session.known + fact.known,
                size=session.size + fact.size,
                findings=(*session.findings, *fact.findings),
            )
        case Drained():
            return replace(session, drained_at=entry.at)
        case Departed():
            return replace(session, departed_at=entry.at, departed_why=fact.reason)
        case Refused():
            return replace(session, findings=(*session.findings, *fact.findings))
        case Faulted():
            return replace(session, fault=f"{fact.op}: {fact.what}", fault_hint=fact.hint)
        case Unclaimed():
            return replace(session, fault=fact.reason)
        case ClockIntended() | ClockWritten() | ClockTaken() | ClockNotSet():
            return replace(session, clock=_clock(session.clock, fact, entry.at))
        case _:  # Receipted
            assert isinstance(fact, Receipted)
            return replace(session, receipt=fact.digest)


def _clock(clock: ClockSetting | None, fact: Fact, at: datetime) -> ClockSetting | None:
    """The setting after a fact of it. A word that comes late, of a call that was given up, changes nothing more."""
    match fact:
        case ClockIntended():
            return clock or ClockSetting(how=fact.how, before=fact.drift, intended_at=at)
        case ClockWritten() if clock and clock.stands == "intended":
            return replace(clock, stands="written", set_to=fact.set_to)
        case ClockTaken() if clock and clock.is_open:
            return replace(clock, stands="taken", after=fact.drift)
        case ClockNotSet() if clock and clock.is_open:
            return replace(clock, stands="not-set", after=fact.drift, reason=fact.reason)
    return clock
