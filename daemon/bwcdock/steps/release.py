"""Release one spool copy, under a permit, with the intent in the ledger before the act and the outcome after it."""

from bwcdock.core.facts import SPOOL, Fact, Released, ReleaseIntended, ReleaseWithdrawn
from bwcdock.core.record import Record
from bwcdock.core.retention import Permit
from bwcdock.steps.bench import Bench


def release(bench: Bench, record: Record, permit: Permit) -> tuple[Released, ...]:
    """Drop the spool copy. If it dies before the outcome, it runs again and finds the file gone."""
    subject = {"record": record.id, "recorder": record.recorder}
    if not record.releasing:
        bench.book.record([ReleaseIntended(**subject, place=SPOOL, ground=permit.ground)])
    bench.spool.drop(record.id, permit)
    return (Released(**subject, place=SPOOL),)


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
