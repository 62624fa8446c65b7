"""What is said of one deadline by itself, without a station: when, by which words, and every day that was counted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from bwcdock.core.calendar import Calendar, Day
from bwcdock.core.rulepack import Away, Extending, RulePack
from bwcdock.core.rules import Basis, reckon
from bwcdock.core.view import FindingView, finding_view


@dataclass(frozen=True, slots=True, kw_only=True)
class DueView:
    """A deadline and how it came about; all moments carry the offset of the station's zone.

    ``due`` is exclusive: 00:00 is 24:00 of the day before. ``clause`` says whether the rule itself, its away case or
    its extension speaks; ``basis`` and ``basis_at`` what ``span`` counts from. ``counting`` are the days gone through,
    empty for hours. ``unpublished`` are years whose holidays are not known; no notice makes it due before
    ``earliest``.
    """

    pack: str
    regulation: str
    due: datetime
    earliest: datetime
    article: str
    quote: str
    clause: Literal["deadline", "away", "extension"]
    span: str
    met_by: Literal["sealed", "confirmed"]
    basis: str
    basis_at: datetime
    counting: tuple[Day, ...]
    unpublished: tuple[int, ...]
    findings: tuple[FindingView, ...]


def due_view(pack: RulePack, basis: Basis, calendar: Calendar) -> DueView:
    """What :func:`bwcdock.core.rules.reckon` says of this basis, for people and for machines."""
    reckoned, findings = reckon(pack, basis, calendar)
    zone = ZoneInfo(calendar.zone)
    clause, counted = reckoned.clause, reckoned.counted
    return DueView(
        pack=pack.name,
        regulation=pack.title,
        due=counted.due.astimezone(zone),
        earliest=counted.earliest.astimezone(zone),
        article=clause.article,
        quote=clause.quote,
        clause="away" if isinstance(clause, Away) else "extension" if isinstance(clause, Extending) else "deadline",
        span=str(clause.span),
        met_by=pack.deadline.met_by,
        basis=reckoned.basis,
        basis_at=reckoned.basis_at.astimezone(zone),
        counting=counted.days,
        unpublished=counted.unpublished,
        findings=tuple(finding_view(finding) for finding in findings),
    )
