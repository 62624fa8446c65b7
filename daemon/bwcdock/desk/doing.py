"""Does what is asked at the desk: an act becomes statements, and the rules speak again about what they bear on.

Everything happens in one transaction: an act is in the ledger with all that follows from it, or is refused with nothing
changed. Whatever dies here leaves one of the two.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bwcdock.core import desk
from bwcdock.core.desk.circumstances import Circumstances
from bwcdock.core.desk.matter import Matter
from bwcdock.core.desk.times import Activity, Extension, Trip
from bwcdock.core.facts import Actor, Entry, Fact, Found
from bwcdock.core.record import Record
from bwcdock.core.statements import Statement, Tagged
from bwcdock.desk import acts, keeping, registers, telling
from bwcdock.desk.room import Room, refused_for
from bwcdock.desk.who import must_be_allowed
from bwcdock.ledger import Ledger
from bwcdock.steps.bench import Bench
from bwcdock.steps.law import obligation_again, obliged, stated

RECENT = 5000
"""Recordings of one recorder that a trip, an activity or an extension can bear on: half a year of shifts."""

HOW: dict[type[acts.Act], Callable[[Any, Room], list[Fact]]] = {
    acts.EnterPerson: registers.enter_person,
    acts.LeavePerson: registers.leave_person,
    acts.SetSignIn: registers.set_sign_in,
    acts.EnterTeam: registers.enter_team,
    acts.HandOver: registers.hand_over,
    acts.RegisterDevice: registers.register_device,
    acts.Issue: registers.issue,
    acts.Return: registers.give_back,
    acts.SetDevice: registers.set_device,
    acts.ReportFault: registers.report_fault,
    acts.Service: registers.service,
    acts.BeginTrip: telling.begin_trip,
    acts.EndTrip: telling.end_trip,
    acts.EndActivity: telling.end_activity,
    acts.Extend: telling.extend,
    acts.Explain: telling.explain,
    acts.JudgeExplanation: telling.judge_explanation,
    acts.Tag: keeping.tag,
    acts.Hold: keeping.hold,
    acts.LiftHold: keeping.lift_hold,
    acts.OpenCase: keeping.open_case,
    acts.StepCase: keeping.step_case,
    acts.ArchiveCase: keeping.archive_case,
    acts.RequestAccess: keeping.request_access,
    acts.Approve: keeping.approve,
    acts.Refuse: keeping.refuse,
    acts.UseAccess: keeping.use_access,
    acts.DrawCheck: keeping.draw_check,
    acts.JudgeCheck: keeping.judge_check,
    acts.SkipCheck: keeping.skip_check,
    acts.ProposeExpiry: keeping.propose_expiry,
    acts.ApproveExpiry: keeping.approve_expiry,
    acts.IssuePaper: keeping.issue_paper,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an act led to: its places in the ledger, the matter it was about, the recordings that were judged again."""

    entries: tuple[int, ...]
    kind: str
    matter: str
    judged_again: tuple[str, ...]


def do(bench: Bench, act: acts.Act, actor: Actor) -> Done:
    """Do it, or raise :class:`~bwcdock.errors.Misused` with nothing changed."""
    written: list[Fact] = []

    def facts(ledger: Ledger, at: datetime) -> Sequence[Fact]:
        room = Room(bench=bench, ledger=ledger, at=at, actor=actor)
        must_be_allowed(act, room)
        said = HOW[type(act)](act, room)
        matters = [_carried_on(fact, room) for fact in said if isinstance(fact, Statement)]
        written.extend([*said, *_judged_again(room, said, matters)])
        return written

    entries = bench.book.decide(facts, actor)
    about = next((fact for fact in written if isinstance(fact, Statement)), None)
    kind, name = about.about if about else written[0].about
    again = tuple(dict.fromkeys(fact.record for fact in written if fact.record))
    return Done(entries=tuple(entry.seq for entry in entries), kind=kind, matter=name, judged_again=again)


def _carried_on(fact: Statement, room: Room) -> Matter:
    """The matter after this statement; refused with the words of its own table and judge."""
    before = room.ledger.matter(desk.KINDS[fact.kind].shape, fact.matter)
    entry = Entry(seq=room.ledger.size, at=room.at, fact=fact, actor=room.actor)
    if why := desk.why_not(before, entry):
        raise refused_for(why)
    return desk.apply(before, entry)


# --- the rules speak again --------------------------------------------------------------------------------------------


def _judged_again(room: Room, said: Iterable[Fact], matters: Iterable[Matter]) -> list[Fact]:
    """Both judgements stay in the ledger: what was owed before, and what is owed from now on."""
    facts: list[Fact] = []
    for record, told in (*_labelled(room, said), *_borne_on(room, matters)):
        now, findings = obligation_again(room.bench, record, record.corrected, told)
        if record.obligation is not None and now != record.obligation:
            facts.append(obliged(record, now))
        facts += [Found(record=record.id, finding=finding) for finding in findings]
    return facts


def _labelled(room: Room, said: Iterable[Fact]) -> list[tuple[Record, Circumstances]]:
    """The recordings that have another label now, with it."""
    found = []
    for fact in said:
        if isinstance(fact, Tagged):
            record = room.record(fact.record)
            found.append((replace(record, label=fact.label), stated(room.ledger, record.recorder)))
    return found


def _borne_on(room: Room, matters: Iterable[Matter]) -> list[tuple[Record, Circumstances]]:
    """The recordings that a trip, an activity or an extension bears on, with it among the circumstances."""
    found = []
    for matter in matters:
        if isinstance(matter, Trip | Activity | Extension):
            told = _with(stated(room.ledger, matter.device), matter)
            for record in room.ledger.recent(matter.device, RECENT):
                made = record.corrected.end or record.corrected.start
                if made is not None and matter.covers(record.recorder, made):
                    found.append((record, told))
    return found


def _with(told: Circumstances, matter: Trip | Activity | Extension) -> Circumstances:
    """The circumstances with this matter as it is now."""
    match matter:
        case Trip():
            return replace(told, trips=(*(t for t in told.trips if t.id != matter.id), matter))
        case Activity():
            return replace(told, activities=(*told.activities, matter))
        case Extension():
            return replace(told, extensions=(*told.extensions, matter))
