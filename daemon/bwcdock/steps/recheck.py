"""Look again at a recorder that stays docked: it charges, and its clock goes on."""

from dataclasses import replace

from bwcdock.core import checks
from bwcdock.core.facts import Fact, Finding, Rechecked
from bwcdock.core.session import CONDITION
from bwcdock.ports import Recorder
from bwcdock.steps.bench import Bench
from bwcdock.steps.bounds import credible
from bwcdock.steps.dock import articles, limits
from bwcdock.steps.switch import Told, condition_of, identity_of


def recheck(bench: Bench, session: str, recorder: Recorder, told: Told | None = None) -> Fact | None:
    """What is otherwise than the last check found, or ``None``: a look that says nothing new is no fact.

    ``told`` is what it said before it became a disk.

    Blocking, on the recorder's lane. Raises what a recorder may raise. If it dies here, the next look finds the same.
    """
    identity, _ = identity_of(told, recorder.identity())
    now = bench.clock.now()
    bare = replace(condition_of(told, credible(recorder.condition(now))), notes=())
    found = checks.assess(identity, bare, limits(bench), now, articles=articles(bench))
    known = bench.book.ask(lambda ledger: ledger.session(session))
    before = known.findings if known else ()
    if _told(found) == _told(before):
        return None
    return Rechecked(session=session, recorder=identity.serial, condition=bare, findings=found)


def _told(findings: tuple[Finding, ...]) -> set[tuple[str, str]]:
    """What the findings about the condition come to; their figures may move without anything being otherwise."""
    return {(f.code, f.severity) for f in findings if f.code.partition(".")[0] in CONDITION}
