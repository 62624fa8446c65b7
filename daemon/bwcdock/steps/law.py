"""Ask the rule pack about one recording, with what people stated and what the bureau made stricter."""

from dataclasses import replace
from datetime import datetime

from bwcdock.core.desk.circumstances import Circumstances, basis_of
from bwcdock.core.desk.times import Activity, Extension, Trip
from bwcdock.core.facts import Corrected, Finding, Obligation, Obliged
from bwcdock.core.record import Record
from bwcdock.core.rules import longer_kept, oblige
from bwcdock.ledger import Reader
from bwcdock.steps.bench import Bench


def stated(ledger: Reader, device: str = "") -> Circumstances:
    """What people stated that bears on the deadlines of this recorder (of all)."""
    return Circumstances(
        trips=tuple(ledger.matters(Trip, device=device)),
        activities=tuple(ledger.matters(Activity, device=device)),
        extensions=tuple(ledger.matters(Extension, device=device)),
    )


def obligation_of(
    bench: Bench,
    recorder: str,
    corrected: Corrected,
    listed_at: datetime,
    *,
    not_before: datetime | None = None,
    told: Circumstances,
) -> tuple[Obligation, tuple[Finding, ...]]:
    """What is owed for a recording with these times, first listed at ``listed_at``, and how sure that is."""
    basis = basis_of(recorder, corrected, listed_at, not_before=not_before, told=told)
    return oblige(bench.pack, basis, bench.calendar, bench.owed_sinks)


def obligation_again(
    bench: Bench, record: Record, corrected: Corrected, told: Circumstances
) -> tuple[Obligation, tuple[Finding, ...]]:
    """What is owed for a recording of which more is known now, and only the doubts that came with that.

    Doubts it had when it was listed were told with its card, once each, and need not be told of every file again. What
    central storage was promised is never shortened.
    """
    tags = tags_of(record)
    basis = basis_of(record.recorder, corrected, record.listed_at, not_before=record.not_before, tags=tags, told=told)
    sinks = record.obligation.sinks if record.obligation and record.held else bench.owed_sinks
    now, findings = oblige(bench.pack, basis, bench.calendar, sinks)
    bare = replace(basis, corrected=record.corrected, tags=frozenset(), ground="", extension=None)
    _, before = oblige(bench.pack, bare, bench.calendar, sinks)
    if record.obligation and record.held:
        now = longer_kept(now, record.obligation)
    seen = {finding.code for finding in before}
    return now, tuple(finding for finding in findings if finding.code not in seen)


def tags_of(record: Record) -> frozenset[str]:
    """The pack's words for what it is: its tags, and the kind of its sensitivity."""
    return record.label.tags | frozenset(filter(None, (record.label.sensitive,)))


def obliged(record: Record, obligation: Obligation) -> Obliged:
    """The fact that the pack spoke."""
    return Obliged(record=record.id, recorder=record.recorder, obligation=obligation)
