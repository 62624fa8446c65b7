"""Ask the rule pack about one recording, with what the bureau made stricter."""

from dataclasses import replace
from datetime import datetime

from bwcdock.core.facts import Corrected, Finding, Obligation
from bwcdock.core.rules import Basis, oblige
from bwcdock.steps.bench import Bench


def obligation_of(
    bench: Bench, corrected: Corrected, listed_at: datetime, *, not_before: datetime | None = None
) -> tuple[Obligation, tuple[Finding, ...]]:
    """What is owed for a recording with these times, first listed at ``listed_at``, and how sure that is."""
    basis = Basis(listed_at=listed_at, corrected=corrected, not_before=not_before)
    obligation, findings = oblige(bench.pack, basis, bench.calendar, bench.owed_sinks)
    # Doubts that hold for every file of a card are told once a card, by their codes, not once a file.
    return replace(obligation), findings
