"""What a station says of its recordings, read from its ledger: all of it as of one moment."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bwcdock.catalogue.agreeing import Copy, Known, Mark, Sighting, Source
from bwcdock.catalogue.writing import HoldLine
from bwcdock.core.desk.cases import Case
from bwcdock.core.desk.holds import Hold
from bwcdock.core.desk.people import Person
from bwcdock.core.facts import SPOOL, Entry, Fact
from bwcdock.core.record import Record
from bwcdock.core.rules import verdict
from bwcdock.core.statements import Statement
from bwcdock.desk.register import Kept as KeptRegister
from bwcdock.desk.register import Register
from bwcdock.ledger import Reader
from bwcdock.ledger.codec import to_ms
from bwcdock.manifest import Annotation, CaseNote, Holding, Judged, Kept, Officer

AHEAD = timedelta(days=1)
"""A recording may say that it was made so much later than it was listed, because its recorder's clock was fast: those
further off are said again at their next fact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that the leaves from ``start`` up to ``seq`` touch, as it is by now; ``at`` is the time of the last."""

    start: int
    seq: int
    at: datetime | None
    sightings: tuple[Sighting, ...]
    holds: tuple[HoldLine, ...]


@dataclass(slots=True, kw_only=True)
class Teller:
    """A station that tells of its recordings. ``register`` is whose everything is, kept from one telling to the next.

    What is told is of the ledger as it is, not as it was at the leaf. So where it was all told from the first leaf on,
    nothing that was said below ``fresh`` concerns a recording that does not know of it yet.
    """

    origin: str
    unit: str
    zone: ZoneInfo
    at_risk_ratio: float
    register: KeptRegister = field(default_factory=KeptRegister)
    fresh: int = 0

    def told(self, ledger: Reader, start: int, most: int) -> Told:
        """What the next ``most`` leaves from ``start`` touch. Everything said is of the ledger as it is now.

        What a statement is about is not only what it names: a hold, a case, an issue, a person's number change what is
        said of recordings that were told before. Those that come later are told with all of it anyway.
        """
        with ledger.still() as size:
            entries = list(ledger.entries(start, min(size, start + most)))
            if not entries:
                return Told(start=start, seq=start, at=None, sightings=(), holds=())
            if start == 0:
                self.fresh = size
            records = {entry.fact.record: None for entry in entries if entry.fact.record}
            matters = list(_matters(entries))
            late = list(_matters(entry for entry in entries if entry.seq >= self.fresh))
            for record in self._concerned(ledger, late, entries[0].at):
                records.setdefault(record.id)
            found = (ledger.record(record) for record in records)
            sightings = tuple(self._sightings(ledger, filter(None, found), size))
            holds = tuple(self._holds(ledger, matters, size))
        return Told(start=start, seq=start + len(entries), at=entries[-1].at, sightings=sightings, holds=holds)

    def _concerned(self, ledger: Reader, matters: Sequence[tuple[str, str]], at: datetime) -> Iterator[Record]:
        """The recordings told before ``at`` of which something else is true after a word on these matters."""
        register = self.register.as_of(ledger)
        for kind, name in matters:
            found: Iterable[Record] = ()
            match kind:
                case "hold" if hold := ledger.matter(Hold, name):
                    found = self._held(ledger, register, hold, at)
                case "case":
                    found = ledger.of_case(name)
                case "device":
                    # An issue counts from its entry on: only a fast clock made a recording after that and before it.
                    found = ledger.recorded(recorder=name, since=at, until=at + AHEAD, limit=-1)
                case "person":
                    found = ledger.recorded(own=register.own(name), until=at + AHEAD, limit=-1)
            yield from (record for record in found if record.listed_at <= at)

    def _held(self, ledger: Reader, register: Register, hold: Hold, at: datetime) -> Iterable[Record]:
        if hold.records:
            return filter(None, map(ledger.record, hold.records))
        return ledger.recorded(
            recorder=hold.device,
            own=register.own(hold.person) if hold.person else None,
            place=hold.place,
            since=hold.since_recorded,
            until=min(hold.until_recorded or at + AHEAD, at + AHEAD),
            limit=-1,
        )

    def _sightings(self, ledger: Reader, records: Iterable[Record], size: int) -> Iterator[Sighting]:
        register, mark = self.register.as_of(ledger), Mark(source=Source.LEDGER, seq=size)
        holds = [hold for hold in ledger.matters(Hold) if hold.state == "placed"]
        at = ledger.entry(size - 1).at
        known_cases: dict[str, Case | None] = {}
        for record in records:
            number = record.label.case
            if number and number not in known_cases:
                known_cases[number] = ledger.matter(Case, number)
            yield Sighting(
                record=record.id,
                station=self.origin,
                known=known(record, self.unit, self.zone),
                known_of=mark,
                copies=copies(record),
                said=self._said(record, register, known_cases, holds, at),
                said_of=mark,
            )

    def _said(
        self, record: Record, register: Register, cases: Mapping[str, Case | None], holds: Sequence[Hold], at: datetime
    ) -> Annotation:
        label, owed, people = record.label, record.obligation, register.people
        officers = [people.get(name) or name for name in register.shown(record)]
        standing = [hold for hold in holds if hold.keeps(record, register.officers(record))]
        judged = verdict(owed, record.met_at, at, self.at_risk_ratio, record.excuse) if owed else None
        return Annotation(
            record=record.id,
            manifest="",
            recorder=record.recorder,
            officers=tuple(map(_officer, officers)),
            case=_case(label.case, cases.get(label.case)) if label.case else None,
            parties=label.parties,
            place=label.place,
            event=label.event,
            category=label.category,
            activity=label.activity,
            tags=tuple(sorted(label.tags)),
            important=label.important,
            sensitive=label.sensitive,
            unrelated=label.unrelated,
            note=label.note,
            holds=tuple(map(_holding, standing)),
            judged=Judged(
                kind=judged.kind.value,
                article=judged.article,
                due=judged.due,
                met_at=record.met_at,
                excuse=record.excuse,
            )
            if judged
            else None,
            kept=Kept(article=owed.keep_article, until=owed.keep_until, permanent=owed.permanent) if owed else None,
            sessions=record.sessions,
        )

    def _holds(self, ledger: Reader, matters: Sequence[tuple[str, str]], size: int) -> Iterator[HoldLine]:
        for kind, name in matters:
            if kind == "hold" and (hold := ledger.matter(Hold, name)):
                yield HoldLine(
                    station=self.origin,
                    id=hold.id,
                    is_open=hold.state == "placed",
                    reason=hold.reason,
                    placed_by=hold.placed_by,
                    since=hold.since,
                    of=Mark(source=Source.LEDGER, seq=size),
                )


def known(record: Record, unit: str, zone: ZoneInfo) -> Known:
    """What the fold of a recording's facts says of it."""
    owed, corrected, received = record.obligation, record.corrected, record.sealed_at
    return Known(
        recorder=record.recorder,
        unit=unit,
        path=record.item.path,
        size=record.item.size,
        state=record.state,
        kind=record.item.kind,
        recorded_at=record.recorded_at,
        start=corrected.start,
        end=corrected.end,
        measured=corrected.method != "uncorrected",
        uncertainty_ms=corrected.uncertainty_ms,
        sha256=record.digests.sha256 if record.digests and received else "",
        user=record.item.officer,
        duration_ms=record.media.duration_ms if record.media else None,
        received_at=received,
        day=day_of(received, zone),
        pack=owed.pack if owed else "",
        article=owed.article if owed else "",
        due=owed.due if owed else None,
        basis_at=owed.basis_at if owed else None,
        met_by=owed.met_by if owed else "confirmed",
        owed=owed.sinks if owed else (),
        confirmed=tuple(sorted(record.first_confirmed)),
        keep_until=owed.keep_until if owed else None,
        permanent=owed.permanent if owed else False,
    )


def copies(record: Record) -> tuple[Copy, ...]:
    """What is known of its copies in central storage."""
    good = [
        Copy(
            sink=held.sink,
            key=held.key,
            version=held.version,
            confirmed_ms=to_ms(held.confirmed_at),
            looked_ms=to_ms(held.looked_at) if held.looked_at else None,
        )
        for held in record.held
    ]
    bad = [Copy(sink=place, key="", bad=True) for place in record.bad_places if place != SPOOL]
    return tuple(sorted((*good, *bad)))


def day_of(moment: datetime | None, zone: ZoneInfo) -> str:
    """The local day of a moment, ``YYYY-MM-DD``; empty where there is none."""
    return moment.astimezone(zone).date().isoformat() if moment else ""


def _matters(entries: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    """The matters that these entries speak of, each once."""
    seen = set()
    for entry in entries:
        fact: Fact = entry.fact
        if isinstance(fact, Statement) and (fact.kind, fact.matter) not in seen:
            seen.add((fact.kind, fact.matter))
            yield fact.kind, fact.matter


def _officer(known_: Person | str) -> Officer:
    if isinstance(known_, str):
        return Officer(id=known_)
    return Officer(id=known_.id, name=known_.name, unit=known_.unit, team=known_.team)


def _case(number: str, found: Case | None) -> CaseNote:
    if found is None:
        return CaseNote(number=number)
    return CaseNote(
        number=number, category=found.category, parties=found.parties, handler=found.handler, state=found.state
    )


def _holding(hold: Hold) -> Holding:
    return Holding(id=hold.id, state="placed", reason=hold.reason, by=hold.placed_by, since=hold.since)
