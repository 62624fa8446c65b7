"""Act, prove, record: run one act, and make of whatever it ends in facts in the ledger."""

from collections.abc import Callable

import structlog

from bwcdock.core.facts import Confirmed, Fact, Finding, Found, Quarantined, Severity
from bwcdock.core.names import show
from bwcdock.core.plan import Act, Action
from bwcdock.core.record import Illegal, Record
from bwcdock.errors import BwcdockError, LedgerBroken
from bwcdock.steps import outcome
from bwcdock.steps.bench import Bench
from bwcdock.steps.lock import lock
from bwcdock.steps.look import look_again
from bwcdock.steps.outcome import Outcome
from bwcdock.steps.push import push
from bwcdock.steps.release import release
from bwcdock.steps.seal import seal

log = structlog.get_logger()

AT_SINK = frozenset({Act.PUSH, Act.LOOK, Act.LOCK})
"""What is done at a sink: ``place`` is its name."""


def perform(bench: Bench, action: Action, record: Record, attempt: Callable[[], tuple[Fact, ...]]) -> Outcome:
    """Run ``attempt`` and record what it proved, or what its failure proves. Blocking; for a lane.

    Only :class:`~bwcdock.errors.LedgerBroken` comes out: after a write that failed nobody knows what is true.
    """
    step, begun = action.act.name.lower(), bench.clock.monotonic()
    bench.meters.begun(step, record.id, _where(action))
    try:
        facts = attempt()
        bench.book.record(facts)
    except LedgerBroken:
        raise
    except Illegal as error:
        return _overtaken(bench, action, record, error)
    except Exception as error:  # every error of the world or of the program becomes a fact here, in one place
        return _failed(bench, action, record, error)
    if action.act is not Act.PULL:  # which was done elsewhere, and timed there
        bench.meters.took(step, bench.clock.monotonic() - begun, record.item.size)
    if any(isinstance(fact, Confirmed) for fact in facts):
        bench.meters.pushed(action.place, record.item.size)
    return Outcome(facts=facts)


def _where(action: Action) -> str:
    """The sink of an act at one. Where the recorder is docked makes no difference for who tries again."""
    return action.place if action.act in AT_SINK else ""


def _overtaken(bench: Bench, action: Action, record: Record, error: Illegal) -> Outcome:
    """What was proven contradicts what became known meanwhile. No byte is touched; the book has the last word.

    Where the record has moved on the station reads it anew and decides again; where it has not, this is a bug.
    """
    log.warning("act.overtaken", act=action.act.name.lower(), record=record.id, place=action.place, why=str(error))
    now = bench.book.ask(lambda ledger: ledger.record(record.id))
    if now is not None and now.state is not record.state:
        return Outcome(rest_s=outcome.REST_S, why=str(error))
    what = f"{show(record.item.path)}: a fact contradicts the ledger ({error})."
    finding = Finding(severity=Severity.WARN, code="program.bug", what=what, remedy="Report it.")
    bench.book.record([Found(record=record.id, finding=finding)])
    return Outcome(rest_s=outcome.ALARM_REST_S, bug=True, why=str(error))


def _failed(bench: Bench, action: Action, record: Record, error: Exception) -> Outcome:
    bench.meters.failed(action.act.name.lower(), record.id, _where(action), error)
    if action.act in AT_SINK:
        bench.meters.sink_failed(action.place, error)
    # As it is now: what failed may be judged otherwise meanwhile, and then none of its bytes may be touched.
    record = bench.book.ask(lambda ledger: ledger.record(record.id)) or record
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
        case Act.LOCK:
            return lambda: lock(bench, record.id, action.place)
        case _:
            return lambda: release(bench, record.id)
