"""Who may owe footage that no dock has seen: recorders that are issued, or out, and have not come back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bwcdock.core.calendar import Calendar
from bwcdock.core.desk.circumstances import Circumstances, basis_of
from bwcdock.core.desk.devices import Device
from bwcdock.core.facts import Corrected, Obligation
from bwcdock.core.rulepack import RulePack
from bwcdock.core.rules import Basis, Verdict, oblige, verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class MayOwe:
    """A recorder that is out: ``since`` is the earliest moment it can have recorded something nobody has offloaded.

    ``obligation`` is that of a recording that ended then, so nothing on it can be due earlier; ``away`` says that a
    trip is open, and its case counts from the return.
    """

    device: str
    holder: str
    since: datetime
    expected_back: datetime | None
    last_seen: datetime | None
    obligation: Obligation
    verdict: Verdict
    ground: str = ""

    @property
    def away(self) -> bool:
        """Whether an open trip explains it."""
        return bool(self.ground)


def may_owe(
    devices: Iterable[Device],
    docked_at: dict[str, datetime],
    told: Circumstances,
    pack: RulePack,
    calendar: Calendar,
    now: datetime,
    at_risk_ratio: float,
) -> tuple[MayOwe, ...]:
    """Every issued recorder that was not emptied since, the earliest due first.

    ``docked_at`` is when each recorder's card was last listed whole at this dock. Without an open trip the ordinary
    deadline runs; on one whose pack counts from the return (S0, S2, S3) it has not begun, and counts from ``now``.
    """
    found = []
    for device in devices:
        out = device.out
        seen = docked_at.get(device.id)
        if out is None or device.state == "retired":
            continue
        since = max(out.at, seen) if seen else out.at
        trip = next((t for t in told.trips if t.device == device.id and t.state == "out"), None)
        exact = Corrected(start=since, end=since, method="issue", offset_ms=0, uncertainty_ms=0)
        basis = basis_of(device.id, exact, now, told=told)
        if trip is not None and pack.deadline.away is not None:
            away = Corrected(start=now, end=now, method="trip", offset_ms=0, uncertainty_ms=0)
            basis = Basis(listed_at=now, corrected=away)
        owed, _ = oblige(pack, basis, calendar, ())
        found.append(
            MayOwe(
                device=device.id,
                holder=out.to,
                since=since,
                expected_back=(trip.expected_back if trip else None) or out.expected_back,
                last_seen=seen,
                obligation=owed,
                verdict=verdict(owed, None, now, at_risk_ratio),
                ground=trip.ground if trip else "",
            )
        )
    return tuple(sorted(found, key=lambda each: each.obligation.due))
