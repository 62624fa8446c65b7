"""The register as pages need it: people, recorders and times; whose a recording is, how somebody is called."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from bwcdock.core.desk import KINDS, Matter, attribution
from bwcdock.core.desk.circumstances import Circumstances
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.people import Person
from bwcdock.core.desk.times import Activity, Extension, Trip
from bwcdock.core.record import Record
from bwcdock.core.statements import Statement
from bwcdock.ledger import Reader

AGAIN = 2000
"""Entries since the last look, from which on reading the whole register anew is the quicker way."""


PARTS = {
    "person": "people", "device": "devices", "trip": "trips", "activity": "activities", "extension": "extensions",
}  # fmt: skip
"""The parts of the register, by the kind of matter each holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Everybody, every recorder, and what people stated of times, each by its id, in the order of ids."""

    people: Mapping[str, Person]
    devices: Mapping[str, Device]
    trips: Mapping[str, Trip]
    activities: Mapping[str, Activity]
    extensions: Mapping[str, Extension]

    @property
    def told(self) -> Circumstances:
        """What people stated that bears on deadlines."""
        return Circumstances(
            trips=tuple(self.trips.values()),
            activities=tuple(self.activities.values()),
            extensions=tuple(self.extensions.values()),
        )

    def name(self, person: str) -> str:
        """How this person is called; his id where nobody entered him."""
        return self.people[person].name if person in self.people else person

    def officers(self, record: Record) -> frozenset[str]:
        """Everybody this recording may be by."""
        return attribution.officers_of(record, self.devices, tuple(self.people.values()))

    def shown(self, record: Record) -> tuple[str, ...]:
        """As :meth:`officers`, in order and for people."""
        return attribution.shown(self.officers(record), self.people)

    def own(self, person: str) -> attribution.Own:
        """What makes a recording this person's."""
        return attribution.own(person, self.devices.values(), tuple(self.people.values()))


def read(ledger: Reader) -> Register:
    """The register as it stands."""
    return Register(
        people={person.id: person for person in ledger.matters(Person)},
        devices={device.id: device for device in ledger.matters(Device)},
        trips={trip.id: trip for trip in ledger.matters(Trip)},
        activities={activity.id: activity for activity in ledger.matters(Activity)},
        extensions={extension.id: extension for extension in ledger.matters(Extension)},
    )


class Kept:
    """The register as it was read last. What was entered since is read again, and the rest is not.

    The lines of issue and return of some years take seconds to read, and every page asks whose something is.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen = 0
        self._register: Register | None = None

    def as_of(self, ledger: Reader) -> Register:
        """The register as this ledger has it now."""
        with self._lock:
            size = ledger.size
            if self._register is None or size < self._seen or size - self._seen > AGAIN:
                self._register = read(ledger)
            elif size > self._seen:
                self._register = _brought_up(self._register, ledger, self._seen)
            self._seen = size
            return self._register


def _brought_up(register: Register, ledger: Reader, seen: int) -> Register:
    facts = [entry.fact for entry in ledger.entries(seen)]
    told = {(fact.kind, fact.matter) for fact in facts if isinstance(fact, Statement) and fact.kind in PARTS}
    new: dict[str, dict[str, Matter]] = {}
    for kind, name in told:
        if (matter := ledger.matter(KINDS[kind].shape, name)) is not None:
            new.setdefault(PARTS[kind], {})[name] = matter
    parts: dict[str, Any] = {
        part: dict(sorted({**getattr(register, part), **some}.items())) for part, some in new.items()
    }
    return replace(register, **parts) if parts else register
