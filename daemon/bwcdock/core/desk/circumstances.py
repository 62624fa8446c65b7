"""What people stated that bears on one recording's deadline: its trip, its activity's end, more time, its tags."""

from dataclasses import dataclass
from datetime import datetime

from bwcdock.core.desk.times import Activity, Extension, Trip
from bwcdock.core.facts import Corrected
from bwcdock.core.rules import Basis
from bwcdock.core.rules import Extension as Allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Trips, activities and extensions."""

    trips: tuple[Trip, ...] = ()
    activities: tuple[Activity, ...] = ()
    extensions: tuple[Extension, ...] = ()


NOTHING = Circumstances()


def basis_of(
    device: str,
    corrected: Corrected,
    listed_at: datetime,
    *,
    not_before: datetime | None = None,
    tags: frozenset[str] = frozenset(),
    told: Circumstances = NOTHING,
) -> Basis:
    """Everything known about one recording, for :func:`bwcdock.core.rules.oblige`.

    Where several of a sort fit, the one that ends first counts: the strict side.
    """
    made = corrected.end or corrected.start
    trips = (t for t in told.trips if made and t.covers(device, made))
    activities = (a for a in told.activities if made and a.covers(device, made))
    extensions = (e for e in told.extensions if made and e.covers(device, made))
    trip = min(trips, key=lambda t: t.back or listed_at, default=None)
    activity = min(activities, key=lambda a: a.ended, default=None)
    allowed = min(extensions, key=lambda e: e.at, default=None)
    return Basis(
        listed_at=listed_at,
        corrected=corrected,
        not_before=not_before,
        activity_end=activity.ended if activity else None,
        returned=trip.back if trip else None,
        ground=trip.ground if trip else "",
        extension=Allowed(by_role=allowed.role, reason=allowed.reason, granted_at=allowed.at) if allowed else None,
        tags=tags,
    )
