"""Release one spool copy, under a permit, with the intent in the ledger before the act and the outcome after it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bwcdock.core.facts import SPOOL, Fact, Released, ReleaseIntended, ReleaseWithdrawn
from bwcdock.core.record import Record
from bwcdock.core.retention import Permit, may_release
from bwcdock.ledger import Ledger
from bwcdock.steps.bench import Bench
from bwcdock.steps.held import held


def release(bench: Bench, record_id: str) -> tuple[Fact, ...]:
    """Drop the spool copy where it may go; the record is judged as the ledger has it at the moment of the intent.

    Between plan and act a copy elsewhere may have been found bad. If it dies before the outcome, it runs again and
    finds the file gone.
    """
    keep = bench.keep
    permits: list[Permit] = []

    def intent(ledger: Ledger, at: datetime) -> Sequence[Fact]:
        record = ledger.record(record_id)
        terms = replace(keep, held=held(ledger, [record])) if record else keep
        permit = may_release(record, SPOOL, at, terms) if record else None
        if record is None or permit is None:
            return ()
        permits.append(permit)
        told = ReleaseIntended(record=record_id, recorder=record.recorder, place=SPOOL, ground=permit.ground)
        return () if record.releasing else (told,)

    bench.book.decide(intent)
    record = bench.book.ask(lambda ledger: ledger.record(record_id))
    if record is None:
        return ()
    if not permits:
        return withdraw(bench, record)
    bench.spool.drop(record_id, permits[0])
    return (Released(record=record_id, recorder=record.recorder, place=SPOOL),)


def withdraw(bench: Bench, record: Record) -> tuple[Fact, ...]:
    """End an intent that would get no permit any more (the keeping was made longer meanwhile, a sink was added).

    If the act had been done before it died, the copy is gone and that is what is said; else the copy simply stays.
    """
    if not record.releasing:
        return ()
    subject = {"record": record.id, "recorder": record.recorder}
    if bench.spool.whole(record.id) is None:
        return (Released(**subject, place=SPOOL),)
    return (ReleaseWithdrawn(**subject, place=SPOOL),)
