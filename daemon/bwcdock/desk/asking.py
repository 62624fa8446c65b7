"""What people ask the desk: who owes what, what waits for whom, what is missing; computed, never stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bwcdock.core import words_zh
from bwcdock.core.calendar import Calendar
from bwcdock.core.desk import attribution, cases, equipment, expiring, owing
from bwcdock.core.desk.access import Access
from bwcdock.core.desk.cases import Case
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.explaining import Explanation, signers
from bwcdock.core.desk.holds import Hold
from bwcdock.core.desk.people import Person, Team
from bwcdock.core.desk.times import Trip
from bwcdock.core.facts import Finding
from bwcdock.core.record import Record
from bwcdock.core.refusal import Refusal
from bwcdock.core.rulepack import Interruption, RulePack
from bwcdock.core.rules import Standing
from bwcdock.core.session import Session
from bwcdock.core.view import judge
from bwcdock.desk import register as registers
from bwcdock.desk.register import Register
from bwcdock.ledger import Reader

BROKEN = frozenset({"media.truncated", "sequence.hole", "time.gap"})
"""Codes of findings that tell of a break in a recording: about one file, or about what lies on a card together."""

DOCKINGS = 500
"""How many of the newest dockings are looked through for breaks: weeks of a busy dock, and an explanation is due at
once."""

MOST = 500
"""Lines of one list: what a person can work through; the count is always whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """The pack and the calendar that everything is judged by, and when a deadline is at risk."""

    pack: RulePack
    calendar: Calendar
    at_risk_ratio: float


class Wait(StrEnum):
    """What may wait for a person."""

    LATE = "late"
    OVERDUE = "overdue"
    BREAK = "break"
    EXPLANATION = "explanation"
    ACCESS = "access"
    TRIP = "trip"
    FAULT = "fault"
    ARCHIVE = "archive"


WAIT_ZH = {
    Wait.LATE: "逾期未说明",
    Wait.OVERDUE: "逾期未移交",
    Wait.BREAK: "中断未说明",
    Wait.EXPLANATION: "说明待签批",
    Wait.ACCESS: "调阅申请待审批",
    Wait.TRIP: "外出未登记返回",
    Wait.FAULT: "设备故障待处理",
    Wait.ARCHIVE: "案卷待归档",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Something a person has to do: ``who`` are the role ids, ``act`` the word of the act that does it.

    ``kind`` says what it is for programs, ``what`` the same for officers. ``fill`` are the options of that act that the
    evidence already answers, as pairs; ``of`` are the persons it is about: whoever sees only his own sees it where he
    is among them.
    """

    kind: Wait
    what: str = ""
    subject: str
    who: tuple[str, ...]
    act: str
    fill: tuple[tuple[str, str], ...]
    article: str = ""
    due: datetime | None = None
    of: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", WAIT_ZH[self.kind])


def may_owe(ledger: Reader, law: Law, now: datetime, register: Register | None = None) -> tuple[owing.MayOwe, ...]:
    """Issued recorders that no dock has emptied since, earliest due first.

    ``register`` changes with statements alone, and takes a while to read where it is of years: whoever asks often keeps
    it. It is read where none is given.
    """
    register = register or registers.read(ledger)
    devices = [device for device in register.devices.values() if device.holder]
    docked = {device.id: seen for device in devices if (seen := ledger.last_listed(device.id))}
    return owing.may_owe(devices, docked, register.told, law.pack, law.calendar, now, law.at_risk_ratio)


def ratios(ledger: Reader, law: Law) -> tuple[equipment.Ratio, ...]:
    """The recorders of each team against what the pack asks for."""
    return equipment.ratios(law.pack.equipment, ledger.matters(Team), ledger.matters(Device))


def archive(ledger: Reader, law: Law) -> tuple[tuple[Case, cases.ArchiveDue], ...]:
    """The cases whose archive clock runs, earliest due first."""
    running = [
        (case, due) for case in ledger.matters(Case, "closed") if (due := cases.due(case, law.pack, law.calendar))
    ]
    return tuple(sorted(running, key=lambda pair: pair[1].counted.due))


def unbound(ledger: Reader, *, after: str = "", limit: int = -1) -> list[Record]:
    """Recordings that belong to no case and that nobody marked as unrelated or as mere guidance, newest first."""
    return ledger.loose(after=after, limit=limit)


def may_end(
    ledger: Reader, now: datetime, *, after: str = "", limit: int = -1
) -> tuple[tuple[Record, Refusal | None], ...]:
    """The recordings whose keep-until has passed, with what still keeps each, oldest first."""
    past = ledger.ended(now, after=after, limit=limit)
    holds, requests = ledger.matters(Hold, "placed"), ledger.matters(Access)
    devices, people = {d.id: d for d in ledger.matters(Device)}, ledger.matters(Person)
    return tuple(
        (r, expiring.why_kept(r, attribution.officers_of(r, devices, people), now, holds, requests)) for r in past
    )


def waiting(ledger: Reader, law: Law, now: datetime, register: Register | None = None) -> tuple[Waiting, ...]:
    """Everything that waits for a person, most urgent first; ``register`` as for :func:`may_owe`."""
    register = register or registers.read(ledger)
    found = [
        *_late(ledger, law, now, register),
        *_broken(ledger, law, register),
        *_to_sign(ledger, law),
        *_to_approve(ledger),
        *_trips(ledger, law, now),
        *_faults(register),
        *_cases(ledger, law),
    ]
    far = datetime.max.replace(tzinfo=now.tzinfo)
    return tuple(sorted(found, key=lambda each: each.due or far))


def _explained(ledger: Reader, *kinds: str) -> set[str]:
    return {
        record
        for explanation in ledger.matters(Explanation)
        if explanation.what in kinds and explanation.state != "refused"
        for record in explanation.records
    }


def _late(ledger: Reader, law: Law, now: datetime, register: Register) -> Iterable[Waiting]:
    """Recordings that are or were late, and nobody has explained why."""
    explained = _explained(ledger, "late", "device_fault")
    for record in ledger.late_unexcused(now, MOST):
        stands = judge(record, now, law.at_risk_ratio)
        if record.id in explained or stands is None or stands.kind not in {Standing.LATE, Standing.OVERDUE}:
            continue
        officers = sorted(register.officers(record))
        fill = (("what", "late"), ("records", record.id), *(("person", name) for name in officers[:1]))
        yield Waiting(
            kind=Wait.LATE if stands.kind is Standing.LATE else Wait.OVERDUE,
            subject=f"{record.recorder} {record.item.path}",
            who=("officer",),
            act="explain",
            fill=fill,
            article=stands.article,
            due=stands.due,
            of=frozenset(officers),
        )


def _broken(ledger: Reader, law: Law, register: Register) -> Iterable[Waiting]:
    """Breaks in recordings that ask for the written explanation of the pack, with the reason the evidence suggests."""
    rule = law.pack.interruption
    if rule is None or not rule.written:
        return
    explained = _explained(ledger, "interruption", "device_fault")
    known = [term.id for term in rule.reasons]
    for told in ledger.findings(kind="record"):
        record = ledger.record(told.subject) if told.finding.code in BROKEN else None
        if record is not None and record.id not in explained:
            reason = _suggested(ledger.session(record.session), told.finding, known)
            subject = f"{record.recorder} {record.item.path}"
            of = register.officers(record)
            yield _break(rule, subject, told.since, of, ("records", record.id), *reason)
    for session in ledger.sessions(limit=DOCKINGS):
        for finding in session.findings:
            if finding.code in BROKEN and not _answered(ledger, session):
                reason = _suggested(session, finding, known)
                subject = f"{session.recorder} {words_zh.said(finding).what}"
                device = register.devices.get(session.recorder)
                of = frozenset(filter(None, (device.holder_at(session.arrived_at) if device else "",)))
                yield _break(rule, subject, session.arrived_at, of, ("device", session.recorder), *reason)


def _break(rule: Interruption, subject: str, since: datetime, of: frozenset[str], *fill: tuple[str, str]) -> Waiting:
    return Waiting(
        kind=Wait.BREAK,
        subject=subject,
        who=("officer",),
        act="explain",
        fill=(("what", "interruption"), *fill),
        article=rule.article,
        due=since,
        of=of,
    )


def _answered(ledger: Reader, session: Session) -> bool:
    """Whether a break was explained for this recorder since that docking, by an explanation that was not refused."""
    return any(
        told.what in {"interruption", "device_fault"} and told.state != "refused" and told.since >= session.arrived_at
        for told in ledger.matters(Explanation, device=session.recorder)
    )


def _suggested(session: Session | None, finding: Finding, known: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The pack's reason that the recorder's condition at the docking speaks for."""
    codes = {each.code for each in session.findings} if session else set()
    for code, reason in (("battery.low", "battery-low"), ("storage.low", "storage-full")):
        if code in codes and reason in known:
            return (("reason", reason),)
    return (("reason", "device-fault"),) if finding.code == "media.truncated" and "device-fault" in known else ()


def _to_sign(ledger: Reader, law: Law) -> Iterable[Waiting]:
    for explanation in ledger.matters(Explanation, "given"):
        yield Waiting(
            kind=Wait.EXPLANATION,
            subject=explanation.id,
            who=signers(law.pack, explanation.what),
            act="judge-explanation",
            fill=(("explanation", explanation.id),),
            due=explanation.since,
            of=frozenset({explanation.person, explanation.written_by}),
        )


def _to_approve(ledger: Reader) -> Iterable[Waiting]:
    for access in ledger.matters(Access, "requested"):
        yield Waiting(
            kind=Wait.ACCESS,
            subject=access.id,
            who=(access.next_role,),
            act="approve",
            fill=(("request", access.id),),
            article=access.article,
            due=access.since,
            of=frozenset({access.applicant, access.requested_by}),
        )


def _trips(ledger: Reader, law: Law, now: datetime) -> Iterable[Waiting]:
    """Trips that should be over: until the return is entered the away case cannot be judged."""
    away = law.pack.deadline.away
    for trip in ledger.matters(Trip, "out"):
        docked = ledger.last_listed(trip.device)
        if (trip.expected_back and trip.expected_back <= now) or (docked and docked > trip.out):
            yield Waiting(
                kind=Wait.TRIP,
                subject=trip.id,
                who=("officer",),
                act="end-trip",
                fill=(("trip", trip.id),),
                article=away.article if away else "",
                due=trip.expected_back,
                of=frozenset({trip.person}),
            )


def _faults(register: Register) -> Iterable[Waiting]:
    for device in register.devices.values():
        for since, _ in device.faults[:1]:
            yield Waiting(
                kind=Wait.FAULT, subject=device.id, who=("administrator", "keeper"), act="service",
                fill=(("device", device.id),), due=since, of=frozenset(filter(None, (device.holder,))),
            )  # fmt: skip


def _cases(ledger: Reader, law: Law) -> Iterable[Waiting]:
    for case, due in archive(ledger, law):
        yield Waiting(
            kind=Wait.ARCHIVE, subject=case.id, who=("officer",), act="archive-case", fill=(("case", case.id),),
            article=due.archive.article, due=due.counted.due, of=frozenset(filter(None, (case.handler,))),
        )  # fmt: skip
