"""Put into an annotation what is known of a recording beyond its manifest: the one place that says what that is."""

from collections.abc import Mapping
from datetime import datetime

from bwcdock.core import rules
from bwcdock.core.desk import attribution
from bwcdock.core.desk.cases import Case
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.holds import Hold
from bwcdock.core.desk.people import Person
from bwcdock.core.record import Record
from bwcdock.ledger import Reader
from bwcdock.manifest import Annotation, CaseNote, Holding, Judged, Kept, Officer


class Annotator:
    """Makes annotations from the ledger as it is; what it needs of the registers it reads once, for one telling.

    A recorder's lines of issue are long, so only those are read that a recording asks for.
    """

    def __init__(self, ledger: Reader, at_risk_ratio: float) -> None:
        self._ledger = ledger
        self._ratio = at_risk_ratio
        self._people: Mapping[str, Person] | None = None
        self._holds: tuple[Hold, ...] = ()
        self._devices: dict[str, Device | None] = {}
        self._cases: dict[str, Case | None] = {}

    def annotation(self, record: Record, manifest: str, at: datetime) -> Annotation:
        """Of this recording, as it stands at ``at``; ``manifest`` is the key of its manifest."""
        label, people = record.label, self._known()
        device = self._device(record.recorder)
        officers = attribution.officers_of(record, {record.recorder: device} if device else {}, tuple(people.values()))
        return Annotation(
            record=record.id,
            manifest=manifest,
            recorder=record.recorder,
            officers=tuple(_officer(name, people.get(name)) for name in attribution.shown(officers, people)),
            case=self._case(label.case),
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
            holds=tuple(_holding(hold) for hold in self._holds if hold.fits(record, officers)),
            judged=self._judged(record, at),
            kept=_kept(record),
            sessions=record.sessions,
        )

    def _judged(self, record: Record, at: datetime) -> Judged | None:
        owed = record.obligation
        if owed is None:
            return None
        stands = rules.verdict(owed, record.met_at, at, self._ratio, record.excuse)
        kind, article = stands.kind.value, stands.article
        return Judged(kind=kind, article=article, due=owed.due, met_at=record.met_at, excuse=record.excuse)

    def _known(self) -> Mapping[str, Person]:
        if self._people is None:
            self._people = {person.id: person for person in self._ledger.matters(Person)}
            self._holds = tuple(self._ledger.matters(Hold))
        return self._people

    def _device(self, serial: str) -> Device | None:
        if serial not in self._devices:
            self._devices[serial] = self._ledger.matter(Device, serial)
        return self._devices[serial]

    def _case(self, number: str) -> CaseNote | None:
        if not number:
            return None
        if number not in self._cases:
            self._cases[number] = self._ledger.matter(Case, number)
        case = self._cases[number]
        if case is None:
            return CaseNote(number=number)
        return CaseNote(
            number=number, category=case.category, parties=case.parties, handler=case.handler, state=case.state
        )


def _officer(name: str, person: Person | None) -> Officer:
    if person is None:
        return Officer(id=name)
    return Officer(id=name, name=person.name, unit=person.unit, team=person.team)


def _holding(hold: Hold) -> Holding:
    is_placed = hold.state == "placed"
    return Holding(
        id=hold.id,
        state="placed" if is_placed else "lifted",
        reason=hold.reason,
        by=hold.placed_by,
        since=hold.since,
        until=None if is_placed else hold.at,
    )


def _kept(record: Record) -> Kept | None:
    owed = record.obligation
    return Kept(article=owed.keep_article, until=owed.keep_until, permanent=owed.permanent) if owed else None
