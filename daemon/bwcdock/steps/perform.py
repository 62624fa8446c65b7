"""Act, prove, record: run one act, and make of whatever it ends in facts in the ledger."""

from collections.abc import Callable

import structlog

from bwcdock.core.facts import Fact, Quarantined
from bwcdock.core.plan import Act, Action
from bwcdock.core.record import Record
from bwcdock.core.retention import may_release
from bwcdock.errors import BwcdockError, LedgerBroken
from bwcdock.steps import outcome
from bwcdock.steps.bench import Bench
from bwcdock.steps.look import look_again
from bwcdock.steps.outcome import Outcome
from bwcdock.steps.push import push
from bwcdock.steps.release import release, withdraw
from bwcdock.steps.seal import seal

log = structlog.get_logger()


def perform(bench: Bench, action: Action, record: Record, attempt: Callable[[], tuple[Fact, ...]]) -> Outcome:
    """Run ``attempt`` and record what it proved, or what its failure proves. Blocking; for a lane.

    Only :class:`~bwcdock.errors.LedgerBroken` comes out: after a write that failed nobody knows what is true.
    """
    try:
        facts = attempt()
        bench.book.record(facts)
    except LedgerBroken:
        raise
    except Exception as error:  # every error of the world or of the program becomes a fact here, in one place
        return _failed(bench, action, record, error)
    return Outcome(facts=facts)


def _failed(bench: Bench, action: Action, record: Record, error: Exception) -> Outcome:
    out = outcome.of(action, record, error, distrust_limit=bench.settings.pull.distrust_limit)
    told = log.bind(act=action.act.name.lower(), record=record.id, place=action.place)
    if out.bug:
        told.exception("act.bug")
    else:
        told.warning("act.failed", error=type(error).__name__, what=str(error))
    # The bytes go before the fact. If it dies in between, the record is pulled again from nothing, which is the aim.
    try:
        if any(isinstance(fact, Quarantined) for fact in out.facts):
            bench.spool.quarantine_part(record.id)
        elif out.drop_part:
            bench.spool.discard_part(record.id)
    except BwcdockError as worse:  # the disk fails too: that is told instead, and all of it is tried again later
        return _failed(bench, action, record, worse)
    bench.book.record(out.facts)
    return out


def act_of(bench: Bench, action: Action, record: Record) -> Callable[[], tuple[Fact, ...]]:
    """The act behind an action that needs no recorder."""
    match action.act:
        case Act.SEAL:
            return lambda: seal(bench, record)
        case Act.PUSH:
            return lambda: push(bench, record, action.place)
        case Act.LOOK:
            return lambda: look_again(bench, record, action.place)
        case _:
            return lambda: _release(bench, action, record)


def _release(bench: Bench, action: Action, record: Record) -> tuple[Fact, ...]:
    # Asked again at the last moment: between plan and act the copy elsewhere may have been found bad.
    permit = may_release(record, action.place, bench.clock.now(), bench.keep)
    return release(bench, record, permit) if permit else withdraw(bench, record)
