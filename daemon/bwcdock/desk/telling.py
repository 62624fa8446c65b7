"""Acts about times and reasons: trips, activities, extensions, explanations."""

from datetime import datetime

from bwcdock.core.desk.explaining import Explanation, reasons
from bwcdock.core.desk.times import Activity, Extension, Trip
from bwcdock.core.facts import Fact, Faulted, Found
from bwcdock.core.names import show
from bwcdock.core.record import Record
from bwcdock.core.rules import Standing
from bwcdock.core.statements import (
    ActivityEnded,
    Excused,
    ExplanationGiven,
    ExplanationJudged,
    ExtensionGranted,
    TripBegun,
    TripEnded,
)
from bwcdock.core.view import judge
from bwcdock.desk import acts
from bwcdock.desk.room import Room, refused

EXCUSING = ("clock.unvouched", "sink.", "spool.", "udev.", "watch.")
"""How the codes of findings begin that speak for the officer: what failed was the station's, not his."""

MOST_FACTS = 20
"""Lines of what the station knows in one explanation: the first of each kind tell it."""


def begin_trip(act: acts.BeginTrip, room: Room) -> list[Fact]:
    """On one of the grounds the pack knows, if it knows any."""
    away = room.bench.pack.deadline.away
    if away is None:
        rule = room.bench.pack.deadline
        what = f"{room.bench.pack.name} {rule.article} knows no case for officers away from the unit."
        raise refused("trip.unknown", what, pack=room.bench.pack.name, article=rule.article)
    room.term("ground", act.ground, away.grounds)
    room.person(act.person)
    room.device(act.device)
    if other := next((t for t in room.ledger.matters(Trip, "out") if t.device == act.device), None):
        what = f"{act.device} is out on {other.id} already."
        raise refused("trip.twice", what, "Enter that return first (end-trip).", device=act.device, trip=other.id)
    said = act.model_dump()
    return [TripBegun(matter=room.new_id(Trip), recorder=act.device, **said)]


def end_trip(act: acts.EndTrip, room: Room) -> list[Fact]:
    """From here the away case counts."""
    trip = room.matter(Trip, act.trip)
    return [TripEnded(matter=trip.id, recorder=trip.device, back=act.back)]


def end_activity(act: acts.EndActivity, room: Room) -> list[Fact]:
    """From here the deadline counts where the pack says so."""
    room.person(act.person)
    room.device(act.device)
    return [ActivityEnded(matter=room.new_id(Activity), recorder=act.device, **act.model_dump())]


def extend(act: acts.Extend, room: Room) -> list[Fact]:
    """For what a recorder recorded in a span; what bars it is judged for each recording, also when it comes later."""
    room.device(act.device)
    return [ExtensionGranted(matter=room.new_id(Extension), recorder=act.device, **act.model_dump())]


def explain(act: acts.Explain, room: Room) -> list[Fact]:
    """With what the station knows beside it, whoever asked for that or not."""
    room.person(act.person)
    if act.device:
        room.device(act.device)
    records = room.records(act.records)
    known = reasons(room.bench.pack, act.what)
    if act.reason and known:
        room.term("reason", act.reason, known)
    if act.what in {"interruption", "not_recorded"} and known and not act.reason:
        what = f"An explanation of this kind names one of the pack's reasons: {', '.join(t.id for t in known)}."
        raise refused("explanation.no-reason", what, known="、".join(term.label for term in known))
    for record in records if act.what == "late" else ():
        stands = judge(record, room.at, 0)
        if stands is None or stands.kind not in {Standing.LATE, Standing.OVERDUE}:
            path = show(record.item.path)
            raise refused("explanation.not-late", f"{path} is not late: there is nothing to explain.", path=path)
    spoken_in = room.record(act.spoken_in).id if act.spoken_in else ""
    given = ExplanationGiven(
        matter=room.new_id(Explanation),
        recorder=act.device or (records[0].recorder if records else ""),
        what=act.what,
        person=act.person,
        device=act.device or (records[0].recorder if records else ""),
        records=tuple(record.id for record in records),
        since=act.since,
        until=act.until,
        reason=act.reason,
        text=act.text,
        basis=act.basis,
        spoken=bool(spoken_in),
        spoken_in=spoken_in,
        reported_to=act.reported_to,
        facts=tuple(what_speaks_for(room, records)),
    )
    return [given]


def what_speaks_for(room: Room, records: list[Record]) -> list[str]:
    """What the station itself knows that bears on these being late: its own faults while they were owed."""
    if not records:
        return []
    since = min(r.obligation.basis_at if r.obligation else r.listed_at for r in records)
    until = max(r.met_at or room.at for r in records)
    mine = {record.recorder for record in records}
    told: dict[str, str] = {}
    for entry in room.ledger.history(ev=Found.ev):
        fact = entry.fact
        if isinstance(fact, Found) and fact.finding.code.startswith(EXCUSING) and since <= entry.at <= until:
            told.setdefault(fact.finding.code, _line(entry.at, fact.finding.what))
    for entry in room.ledger.history(ev=Faulted.ev):
        fact = entry.fact
        if isinstance(fact, Faulted) and fact.recorder in mine and since <= entry.at <= until:
            told.setdefault(f"fault {fact.recorder}", _line(entry.at, f"{fact.op}: {fact.what}"))
    return list(told.values())[:MOST_FACTS]


def _line(at: datetime, what: str) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC {what}"


def judge_explanation(act: acts.JudgeExplanation, room: Room) -> list[Fact]:
    """Accepted, it excuses the recordings it names."""
    explanation = room.matter(Explanation, act.explanation)
    accepted = act.verdict == "accept"
    facts: list[Fact] = [ExplanationJudged(matter=explanation.id, accepted=accepted, note=act.note)]
    if accepted and explanation.what in {"late", "device_fault"}:
        why = explanation.text or explanation.reason
        facts += [
            Excused(record=record.id, recorder=record.recorder, explanation=explanation.id, why=why)
            for record in room.records(explanation.records)
        ]
    return facts
