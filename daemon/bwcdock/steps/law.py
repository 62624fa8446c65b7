"""Ask the rule pack about one recording, with what the bureau made stricter."""

from datetime import datetime

from bwcdock.core.facts import Corrected, Finding, Obligation
from bwcdock.core.record import Record
from bwcdock.core.rules import Basis, oblige
from bwcdock.steps.bench import Bench


def obligation_of(
    bench: Bench, corrected: Corrected, listed_at: datetime, *, not_before: datetime | None = None
) -> tuple[Obligation, tuple[Finding, ...]]:
    """What is owed for a recording with these times, first listed at ``listed_at``, and how sure that is."""
    basis = Basis(listed_at=listed_at, corrected=corrected, not_before=not_before)
    return oblige(bench.pack, basis, bench.calendar, bench.owed_sinks)


def obligation_again(bench: Bench, record: Record, corrected: Corrected) -> tuple[Obligation, tuple[Finding, ...]]:
    """What is owed for a recording whose times are known better now, and only the doubts that came with them.

    Doubts it had when it was listed were told with its card, once each, and need not be told of every file again.
    """
    now, findings = obligation_of(bench, corrected, record.listed_at, not_before=record.not_before)
    _, before = obligation_of(bench, record.corrected, record.listed_at, not_before=record.not_before)
    told = {finding.code for finding in before}
    return now, tuple(finding for finding in findings if finding.code not in told)
