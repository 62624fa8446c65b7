"""When and where officers were: trips, the end of the day's activity, and more time that was allowed."""

from dataclasses import dataclass
from datetime import datetime

from bwcdock.core.desk.matter import Kind, Matter, plain, taken
from bwcdock.core.facts import Entry
from bwcdock.core.refusal import Refusal, because
from bwcdock.core.statements import ActivityEnded, ExtensionGranted, TripBegun, TripEnded


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip(Matter):
    """A trip with a recorder, ``out`` or ``back``."""

    person: str
    device: str
    ground: str
    out: datetime
    expected_back: datetime | None = None
    where: str = ""
    back: datetime | None = None

    def covers(self, device: str, moment: datetime) -> bool:
        """Whether this recorder was away on it at ``moment``."""
        return device == self.device and self.out <= moment and (self.back is None or moment <= self.back)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity(Matter):
    """One activity with a recorder, from its begin to its end."""

    person: str
    device: str
    began: datetime
    ended: datetime

    def covers(self, device: str, moment: datetime) -> bool:
        """Whether what this recorder made at ``moment`` belongs to it."""
        return device == self.device and self.began <= moment <= self.ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension(Matter):
    """More time for what a recorder made in a span; ``by`` allowed it in ``role`` at ``at``."""

    device: str
    since_recorded: datetime
    until_recorded: datetime
    reason: str
    role: str

    def covers(self, device: str, moment: datetime) -> bool:
        """Whether it was given for what this recorder made at ``moment``."""
        return device == self.device and self.since_recorded <= moment <= self.until_recorded


def _trip_why_not(trip: Trip | None, entry: Entry) -> Refusal | None:
    fact = entry.fact
    match fact:
        case TripBegun() if fact.out > entry.at:
            return because("trip.future", "A trip is entered when it begins: its start lies in the future.")
        case TripBegun() if fact.expected_back is not None and fact.expected_back <= fact.out:
            return because("trip.back-before", "He would be expected back before he left.")
        case TripEnded() if trip is not None and fact.back < trip.out:
            what = f"A return before the departure: trip {trip.id} began {trip.out:%Y-%m-%d %H:%M} UTC."
            return because("trip.return-before", what, trip=trip.id, since=trip.out)
        case TripEnded() if fact.back > entry.at:
            what = "A return is entered when it has happened: this one lies in the future."
            return because("trip.return-future", what)
    return None


def _activity_why_not(_: object, entry: Entry) -> Refusal | None:
    fact = entry.fact
    assert isinstance(fact, ActivityEnded)
    if fact.ended < fact.began:
        return because("activity.span", "An activity cannot end before it began.")
    if fact.ended > entry.at:
        return because("activity.future", "An activity is entered when it has ended: this end lies in the future.")
    return None


def _extension(_: object, state: str, entry: Entry) -> Extension:
    fact = entry.fact
    assert isinstance(fact, ExtensionGranted)
    span = {"since_recorded": fact.since, "until_recorded": fact.until}
    return taken(Extension, None, state, entry, role=entry.actor.role, **span)


def _extension_why_not(_: object, entry: Entry) -> Refusal | None:
    fact = entry.fact
    assert isinstance(fact, ExtensionGranted)
    if not fact.reason.strip():
        return because("extension.no-reason", "An extension needs a special reason (特殊情况), in words.")
    if fact.until < fact.since:
        return because("extension.span", "The span of an extension ends before it begins.")
    return None


TRIP = Kind(Trip, {None: {TripBegun: "out"}, "out": {TripEnded: "back"}}, plain(Trip), _trip_why_not)
ACTIVITY = Kind(Activity, {None: {ActivityEnded: "ended"}}, plain(Activity), _activity_why_not)
EXTENSION = Kind(Extension, {None: {ExtensionGranted: "granted"}}, _extension, _extension_why_not)
