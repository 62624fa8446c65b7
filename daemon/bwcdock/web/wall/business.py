"""What an officer at the wall may see and say: his recordings on one recorder, without their names, and his trips."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bwcdock.core.desk import attribution
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.explaining import Explanation, reasons
from bwcdock.core.desk.people import Person
from bwcdock.core.desk.times import Trip
from bwcdock.core.record import Record
from bwcdock.core.rulepack import RulePack, Term
from bwcdock.core.rules import Standing
from bwcdock.core.statements import Label
from bwcdock.core.view import judge, regulation
from bwcdock.desk.asking import BROKEN, Law
from bwcdock.ledger import Reader

LOOKED_AT = 300
"""Of how many of the recorder's newest recordings his own are chosen: a week of its shifts."""

MOST = 60
"""Lines on the screen: what a person can go through standing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One recording, as the wall may show it."""

    id: str
    start: datetime | None
    duration_s: float | None
    size: int
    kind: str
    verdict: str
    article: str
    due: datetime | None
    label: Label
    tags: tuple[str, ...]
    broken: bool
    explained: tuple[str, ...]

    @property
    def presses(self) -> bool:
        """Somebody should say why."""
        late = self.verdict in {Standing.LATE, Standing.OVERDUE} and "late" not in self.explained
        return late or (self.broken and "interruption" not in self.explained)


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """What concerns one officer at one recorder; the newest recordings first, and those that press before them.

    ``began`` and ``ended`` are what the recordings say of the last activity.
    """

    lines: tuple[Line, ...]
    trips: tuple[Trip, ...]
    began: datetime | None
    ended: datetime | None


def business(ledger: Reader, law: Law, person: str, recorder: str, now: datetime) -> Business:
    """What concerns this person at this recorder."""
    mine = own(ledger, person, recorder)
    explained = _explained(ledger, recorder)
    lines = [_line(ledger, law, record, explained, now) for record in mine[:MOST]]
    trips = [trip for trip in ledger.matters(Trip, "out", device=recorder) if trip.person == person]
    began, ended = _activity(mine)
    return Business(
        lines=tuple(sorted(lines, key=lambda line: not line.presses)), trips=tuple(trips), began=began, ended=ended
    )


def own(ledger: Reader, person: str, recorder: str) -> list[Record]:
    """The newest recordings of this recorder that may be by this person, the newest first."""
    device = ledger.matter(Device, recorder)
    devices, people = {recorder: device} if device else {}, ledger.matters(Person)
    found = [r for r in ledger.recent(recorder, LOOKED_AT) if person in attribution.officers_of(r, devices, people)]
    return sorted(found, key=lambda record: record.corrected.start or record.listed_at, reverse=True)


def _explained(ledger: Reader, recorder: str) -> dict[str, set[str]]:
    told: dict[str, set[str]] = {}
    for each in ledger.matters(Explanation, device=recorder):
        if each.state != "refused":
            for record in each.records:
                told.setdefault(record, set()).add(each.what)
    return told


def _line(ledger: Reader, law: Law, record: Record, explained: dict[str, set[str]], now: datetime) -> Line:
    stands, owed, media = judge(record, now, law.at_risk_ratio), record.obligation, record.media
    labels = {term.id: term.label for term in law.pack.tags}
    codes = {told.finding.code for told in ledger.findings(kind="record", subject=record.id)}
    words = explained.get(record.id, set())
    return Line(
        id=record.id,
        start=record.corrected.start or record.corrected.end,
        duration_s=media.duration_ms / 1000 if media and media.duration_ms is not None else None,
        size=record.item.size,
        kind=record.item.kind.value,
        verdict=stands.kind.value if stands else "",
        article=f"《{regulation(owed)}》{owed.article}" if owed and regulation(owed) else owed.article if owed else "",
        due=owed.due if owed else None,
        label=record.label,
        tags=tuple(labels.get(tag, tag) for tag in sorted(record.label.tags)),
        broken=bool(codes & BROKEN),
        explained=tuple(sorted(words | ({"late"} if record.excuse else set()))),
    )


def _activity(records: Sequence[Record]) -> tuple[datetime | None, datetime | None]:
    """From the first to the last recording of the newest day of them."""
    made = [r for r in records if r.corrected.start is not None]
    if not made:
        return None, None
    newest = max(record.corrected.end or record.corrected.start or record.listed_at for record in made)
    starts = [s for r in made if (s := r.corrected.start) is not None and newest - s < timedelta(hours=24)]
    return min(starts, default=newest), newest


def terms_for(pack: RulePack, what: str) -> tuple[Term, ...]:
    """The reasons to choose from: the pack's own list; for lateness, which has none, those for breaks and trips."""
    if what == "interruption":
        return reasons(pack, "interruption")
    away = pack.deadline.away.grounds if pack.deadline.away else ()
    breaks = pack.interruption.reasons if pack.interruption else ()
    return tuple({term.id: term for term in (*away, *breaks)}.values())
