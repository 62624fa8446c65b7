"""What must not go: which hold keeps a recording."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from bwcdock.core.desk.matter import Kind, Matter, taken
from bwcdock.core.facts import Entry
from bwcdock.core.record import Record
from bwcdock.core.refusal import Refusal, because
from bwcdock.core.statements import HoldLifted, HoldPlaced


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Matter):
    """A hold, ``placed`` or ``lifted``; what is empty is not asked for."""

    reason: str
    placed_by: str
    records: tuple[str, ...] = ()
    person: str = ""
    place: str = ""
    device: str = ""
    since_recorded: datetime | None = None
    until_recorded: datetime | None = None

    def keeps(self, record: Record, officers: Collection[str]) -> bool:
        """Whether the hold stands, and the record fits it; ``officers`` is everybody the record may be by."""
        return self.state == "placed" and self.fits(record, officers)

    def fits(self, record: Record, officers: Collection[str]) -> bool:
        """Whether the record fits all that the hold names, which stands or did.

        A time that is not known fits: what cannot be shown to lie outside the span must not go.
        """
        if self.records and record.id not in self.records:
            return False
        if self.device and record.recorder != self.device:
            return False
        if self.person and self.person not in officers:
            return False
        if self.place and self.place not in record.label.place:
            return False
        start, end = record.corrected.start or record.corrected.end, record.corrected.end or record.corrected.start
        if self.since_recorded and end is not None and end < self.since_recorded:
            return False
        return not (self.until_recorded and start is not None and start > self.until_recorded)


def keeping(record: Record, officers: Collection[str], holds: Iterable[Hold]) -> Hold | None:
    """The first hold that keeps this record, or ``None``."""
    return next((hold for hold in holds if hold.keeps(record, officers)), None)


def _after(before: Hold | None, state: str, entry: Entry) -> Hold:
    fact = entry.fact
    if isinstance(fact, HoldPlaced):
        span = {"since_recorded": fact.since, "until_recorded": fact.until}
        return taken(Hold, None, state, entry, placed_by=entry.actor.name, **span)
    assert before is not None
    return taken(Hold, before, state, entry, reason=before.reason)


def _why_not(_: object, entry: Entry) -> Refusal | None:
    fact = entry.fact
    match fact:
        case HoldPlaced() | HoldLifted() if not fact.reason.strip():
            return because("hold.no-reason", "A hold, and its end, need a reason.")
        case HoldPlaced() if not any((fact.records, fact.person, fact.place, fact.device, fact.since, fact.until)):
            what = "A hold names what it keeps: recordings, a person, a place, a recorder or a span of time."
            return because("hold.empty", what)
        case HoldPlaced() if fact.since is not None and fact.until is not None and fact.until < fact.since:
            return because("hold.span", "The span of the hold ends before it begins.")
    return None


HOLD = Kind(Hold, {None: {HoldPlaced: "placed"}, "placed": {HoldLifted: "lifted"}}, _after, _why_not)
