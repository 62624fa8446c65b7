"""What came of setting a recorder's clock: told at once where it can be read again, else at its next docking.

An intent without an outcome stands open in the ledger. What the clock shows when it is measured next decides, whether
or not anybody lived to say that it was written.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bwcdock.core.checks import cited, span
from bwcdock.core.clock_setting import Terms, came_of
from bwcdock.core.facts import (
    ClockNotSet,
    ClockTaken,
    Drift,
    Fact,
    Finding,
    Found,
    Settled,
    Severity,
)
from bwcdock.core.session import ClockSetting, Session
from bwcdock.ledger import Ledger
from bwcdock.settings import Settings
from bwcdock.steps.bench import Bench

Articles = Mapping[str, str]

NOT_SET, CUT_OFF = "clock.not_set", "clock.cut_off"


def terms(settings: Settings) -> Terms:
    """When clocks are set at this station."""
    dock = settings.dock
    return Terms(
        enabled=dock.set_clock,
        beyond_ms=int(dock.set_clock_beyond_s * 1000),
        file_beyond_ms=int(dock.set_file_beyond_s * 1000),
    )


def tolerance_ms(settings: Settings) -> int:
    """How far off a clock may be that counts as set: what no check tells of."""
    return int(settings.checks.drift_note_s * 1000)


def came(bench: Bench, session: str, facts: Sequence[Fact]) -> None:
    """Record what came of a setting, unless that is known already: a call that was given up may come back late."""

    def still_open(ledger: Ledger, _at: datetime) -> Sequence[Fact]:
        known = ledger.session(session)
        return facts if known and known.clock and known.clock.is_open else ()

    bench.book.decide(still_open)


def outcome(
    session: Session, setting: ClockSetting, drift: Drift | None, tolerance: int, articles: Articles
) -> tuple[Fact, ...]:
    """What ``drift``, measured after a setting, proves of it."""
    subject = {"session": session.id, "recorder": session.recorder}
    told = came_of(setting, drift, tolerance_ms=tolerance)
    if told == "taken" and drift is not None:
        how = "its clock was set and shows so"
        settled = [Settled(recorder=session.recorder, code=code, how=how) for code in (NOT_SET, CUT_OFF)]
        return (ClockTaken(**subject, drift=drift), *settled)
    off = f"its clock is {span(drift.offset_ms)} {'fast' if drift.offset_ms > 0 else 'slow'}" if drift else ""
    if told == "ignored":
        fact = ClockNotSet(**subject, reason="ignored", what=f"It was told the time, and {off}.", drift=drift)
    elif told == "interrupted":
        what = f"The setting was cut off, and {off}."
        fact = ClockNotSet(**subject, reason="interrupted", what=what, drift=drift)
    else:
        what = "Its clock could not be read afterwards, so nobody knows whether it took the time."
        fact = ClockNotSet(**subject, reason="unread", what=what, drift=drift)
    return (fact, *not_set(fact, articles))


def not_set(fact: ClockNotSet, articles: Articles) -> tuple[Fact, ...]:
    """The finding about a clock that was not set; one that the intent was cut off is over, since this says more."""
    finding = Finding(
        severity=Severity.NOTE if fact.reason == "unread" else Severity.WARN,
        code=NOT_SET,
        what=f"The clock of recorder {fact.recorder} was to be set and was not: {fact.what}",
        remedy="Set it by hand (校时) and compare it with the station's before it is issued again.",
        evidence=(("reason", fact.reason),),
    )
    return (
        Found(recorder=fact.recorder, finding=cited(finding, articles)),
        Settled(recorder=fact.recorder, code=CUT_OFF, how="what came of it is known"),
    )


def tell_earlier(bench: Bench, drift: Drift | None, earlier: Iterable[Session], articles: Articles) -> None:
    """Say of the newest setting that stands open what the clock shows now, at the recorder's next docking.

    ``earlier`` are its dockings before this one, the newest first. One that is docked still is left to who sets it.
    """
    known = next((session for session in earlier if session.clock is not None), None)
    if known is None or known.clock is None or not known.clock.is_open or known.docked:
        return
    came(bench, known.id, outcome(known, known.clock, drift, tolerance_ms(bench.settings), articles))


def cut_off(sessions: Iterable[Session]) -> list[Fact]:
    """At the start: of every docking that ended in the middle of a setting, that nobody knows what came of it.

    A recorder whose later docking has told is not among them, since its setting is not open any more.
    """
    return [
        Found(
            recorder=session.recorder,
            finding=Finding(
                severity=Severity.WARN,
                code=CUT_OFF,
                what=f"The setting of the clock of recorder {session.recorder} was broken off; it may be set or not.",
                remedy="Dock it again: then its clock tells. Do not issue it before (校时).",
                evidence=(("session", session.id),),
            ),
        )
        for session in sessions
        if session.clock is not None and session.clock.stands == "intended"
    ]
