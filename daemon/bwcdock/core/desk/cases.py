"""Cases: when each closed, by when its file must hold its footage, and whether it does."""

from dataclasses import dataclass
from datetime import datetime

from bwcdock.core.calendar import Calendar, Counted
from bwcdock.core.desk.matter import Kind, Matter, taken
from bwcdock.core.facts import Entry
from bwcdock.core.refusal import Refusal, because
from bwcdock.core.rulepack import Archive, RulePack
from bwcdock.core.rules import archive_due
from bwcdock.core.statements import CaseArchived, CaseOpened, CaseStep, Label

GUIDANCE = "guidance-only"
"""The tag of footage that led to nothing (仅实施引导、劝导、纠正) and so to no case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Matter):
    """A case by its number: ``open``, ``closed`` (or its inspection ended), ``archived``."""

    category: str = ""
    parties: tuple[str, ...] = ()
    handler: str = ""
    inspection_ended: datetime | None = None
    case_closed: datetime | None = None
    file: str = ""
    files: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveDue:
    """By when the file of a case must hold its footage: the clause that speaks, what it counts from."""

    archive: Archive
    basis: str
    basis_at: datetime
    counted: Counted


def is_loose(label: Label) -> bool:
    """Whether a recording labelled so belongs to no case: nobody bound it to one, or set it aside as none's."""
    return not label.case and not label.unrelated and GUIDANCE not in label.tags


def due(case: Case, pack: RulePack, calendar: Calendar) -> ArchiveDue | None:
    """The earliest archive deadline of a case; ``None`` while it is open, once it is archived, or without a clock."""
    if case.state == "archived":
        return None
    found = [
        ArchiveDue(archive=archive, basis=basis, basis_at=moment, counted=archive_due(archive, moment, calendar))
        for archive in pack.archive
        for basis in archive.basis
        if (moment := case.inspection_ended if basis == "inspection_ended" else case.case_closed) is not None
    ]
    return min(found, key=lambda each: each.counted.due, default=None)


def _after(before: Case | None, state: str, entry: Entry) -> Case:
    fact = entry.fact
    if isinstance(fact, CaseStep):
        return taken(Case, before, state, entry, **{fact.step: fact.moment})
    return taken(Case, before, state, entry)


def _why_not(case: Case | None, entry: Entry) -> Refusal | None:
    fact = entry.fact
    match fact:
        case CaseStep() if fact.moment > entry.at:
            return because("case.future", "A case is closed when it is closed: this moment lies in the future.")
        case CaseStep() if case is not None and getattr(case, fact.step) is not None:
            return because("case.step-twice", f"For case {case.id} this moment is entered already.", case=case.id)
        case CaseArchived() if fact.files < 0:
            return because("case.negative", "A case file cannot hold fewer than no recordings.")
    return None


CASE = Kind(
    Case,
    {
        None: {CaseOpened: "open"},
        "open": {CaseStep: "closed", CaseOpened: "open"},
        "closed": {CaseStep: "closed", CaseArchived: "archived"},
    },
    _after,
    _why_not,
)
