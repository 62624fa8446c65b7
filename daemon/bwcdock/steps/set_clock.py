"""Set the clock of a drained recorder by its protocol: intent, the word to the recorder, what it shows afterwards.

If it dies after the intent, that stands open: the next start says so, and the recorder's next docking what came of it.
"""

from contextlib import nullcontext
from datetime import datetime

import structlog

from bwcdock.core.clock_setting import How, why_not
from bwcdock.core.facts import ClockIntended, ClockNotSet, ClockWritten, Drift, Fact
from bwcdock.core.session import Session
from bwcdock.errors import BwcdockError
from bwcdock.ledger import Ledger
from bwcdock.ports import Recorder, SetsClock
from bwcdock.steps.bench import Bench, Changed
from bwcdock.steps.bounds import credible
from bwcdock.steps.clock_outcome import came, not_set, outcome, terms, tolerance_ms
from bwcdock.steps.dock import articles
from bwcdock.steps.switch import Told, condition_of

log = structlog.get_logger()


def measured(bench: Bench, recorder: Recorder, told: Told | None) -> Drift | None:
    """How far off its clock is now; what it said before it became a disk counts where the disk cannot say it."""
    return condition_of(told, credible(recorder.condition(bench.clock.now()))).drift


def intend(bench: Bench, session: str, how: How, drift: Drift | None, name: str = "") -> Session | None:
    """Enter the intent, if the clock is to be set at this very moment; the docking as it is then, else ``None``."""
    station = bench.station_clock()

    def judged(ledger: Ledger, at: datetime) -> list[Fact]:
        known = ledger.session(session)
        if known is None or why_not(known, drift, terms(bench.settings), how=how, station=station, now=at):
            return []
        assert drift is not None
        subject = {"session": session, "recorder": known.recorder}
        return [ClockIntended(**subject, how=how, drift=drift, station=station, name=name)]

    return bench.book.ask(lambda ledger: ledger.session(session)) if bench.book.decide(judged) else None


def set_clock(
    bench: Bench, session: str, recorder: Recorder, told: Told | None, changed: Changed = nullcontext
) -> bool:
    """Measure it once more, set it, and read it again; whether it was to be set. Blocking, on the recorder's lane.

    Raises what a recorder may raise while it is measured before; afterwards its errors are what came of the setting.
    """
    if not isinstance(recorder, SetsClock):
        return False
    known = intend(bench, session, "protocol", measured(bench, recorder, told))
    if known is None:
        return False
    moment = bench.clock.now()
    try:
        with changed():
            recorder.set_clock(moment)
    except BwcdockError as error:
        failed(bench, known.id, error.what)
        return True
    except Exception as error:  # a bug of its driver: the intent must not stand open for it
        failed(bench, known.id, f"A fault of the program: {type(error).__name__}.")
        raise
    came(bench, known.id, [ClockWritten(session=known.id, recorder=known.recorder, set_to=moment)])
    try:
        after = measured(bench, recorder, told)
    except BwcdockError as error:  # it went away: its next docking tells
        log.info("clock.unread", recorder=known.recorder, what=str(error))
        return True
    conclude(bench, known.id, after)
    return True


def conclude(bench: Bench, session: str, drift: Drift | None) -> None:
    """Say what the clock shows, where it shows anything; else its next docking tells."""
    known = bench.book.ask(lambda ledger: ledger.session(session))
    if drift is not None and drift.bound == "exact" and known is not None and known.clock is not None:
        came(bench, session, outcome(known, known.clock, drift, tolerance_ms(bench.settings), articles(bench)))


def failed(bench: Bench, session: str, why: str) -> None:
    """Say that the recorder did not take the time, where it was to be given it."""
    known = bench.book.ask(lambda ledger: ledger.session(session))
    if known is not None:
        fact = ClockNotSet(session=session, recorder=known.recorder, reason="failed", what=why)
        came(bench, session, [fact, *not_set(fact, articles(bench))])
