"""What a failed act proves: every error of the world as facts, and how long to rest before trying again."""

from dataclasses import dataclass

from bwcdock.core.facts import Distrusted, Fact, Finding, Found, Locked, Quarantined, Severity
from bwcdock.core.names import show
from bwcdock.core.plan import Act, Action
from bwcdock.core.record import Record, State
from bwcdock.errors import (
    Ailment,
    BwcdockError,
    Conflict,
    Declined,
    Misbehaved,
    NotAllowed,
    SpoolBroken,
    SpoolFull,
    Unlocked,
    Unplugged,
    Unreachable,
    Unreadable,
    Untrue,
)

REST_S = 30.0
"""How long a failed act of the station's own (room, disk) rests: enough not to spin, soon enough to be noticed."""

ALARM_REST_S = 3600.0
"""How long an act rests that only a person can mend (a wrong object under our key, a bug): hourly alarms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """``facts`` to record; ``rest_s`` until this action may be tried again (0: at once).

    ``ends_session`` says that the recorder itself is at fault or gone; ``sink_down`` that its sink rests for all, for
    its ``ailment``. ``drop_part``: the partial copy must not be built on. ``faulted``: the recorder is still there but
    at fault. ``bug`` says that the error was none of the world's. ``why`` is the error in one sentence, ``hint`` its
    remedy.
    """

    facts: tuple[Fact, ...] = ()
    rest_s: float = 0.0
    ends_session: bool = False
    sink_down: bool = False
    ailment: Ailment = "away"
    drop_part: bool = False
    faulted: bool = False
    bug: bool = False
    why: str = ""
    hint: str = ""


def away(error: Unreachable) -> Outcome:
    """A sink cannot be used for now."""
    return Outcome(sink_down=True, ailment=error.ailment, why=error.what, hint=error.hint)


def of(action: Action, record: Record, error: Exception, *, distrust_limit: int) -> Outcome:
    """The one place where errors become facts. An error that is none of ours is a bug: see the last line."""
    subject = {"record": record.id, "recorder": record.recorder}
    match error:
        case Unplugged() | Misbehaved() if action.act is Act.PULL:
            return Outcome(ends_session=True, faulted=isinstance(error, Misbehaved), why=error.what)
        case Unreachable():
            return away(error)
        case Unlocked():
            told = Locked(**subject, sink=action.place, lock=error.lock)
            known = any(copy.sink == action.place and copy.locked == error.lock for copy in record.held)
            unlocked = _found(record, f"sink.unlocked.{action.place}", error)
            return Outcome(facts=(unlocked,) if known else (told, unlocked), rest_s=ALARM_REST_S)
        case BwcdockError() if action.act is Act.LOCK:
            return Outcome(facts=(_found(record, f"sink.unlocked.{action.place}", error),), rest_s=ALARM_REST_S)
        case Untrue() if record.state in {State.LISTED, State.PULLED}:
            if record.distrusts + 1 >= distrust_limit:
                return Outcome(facts=(_quarantined(record, "untrue", error),), drop_part=True)
            return Outcome(facts=(Distrusted(**subject, op=error.op, what=error.what),), drop_part=True)
        case Unreadable() | NotAllowed() if record.state is State.LISTED:
            return Outcome(facts=(_quarantined(record, "unreadable", error),))
        case Conflict():
            return Outcome(facts=(_found(record, f"sink.conflict.{action.place}", error),), rest_s=ALARM_REST_S)
        case Declined():
            return Outcome(facts=(_found(record, f"sink.declined.{action.place}", error),), rest_s=ALARM_REST_S)
        case SpoolFull() | SpoolBroken():
            # Not "spool.full", which is the plan's own and settled by it; these are settled by the next seal.
            code = "spool.no_room" if isinstance(error, SpoolFull) else "spool.broken"
            return Outcome(facts=(_found(None, code, error),), rest_s=REST_S)
        case BwcdockError():
            return Outcome(facts=(_found(record, "act.failed", error),), rest_s=ALARM_REST_S)
        case _:
            return _bug(action, record, error)


def _bug(action: Action, record: Record, error: Exception) -> Outcome:
    """Not an error of the world: quarantine that record (unless its bytes are sealed), keep the station running."""
    told = BwcdockError(action.act.name.lower(), f"A fault of the program: {type(error).__name__}.", "Report it.")
    if record.state in {State.LISTED, State.PULLED}:
        return Outcome(facts=(_quarantined(record, "bug", told),), bug=True)
    return Outcome(facts=(_found(record, "program.bug", told),), rest_s=ALARM_REST_S, bug=True)


def _quarantined(record: Record, reason: str, error: BwcdockError) -> Quarantined:
    return Quarantined(
        record=record.id,
        recorder=record.recorder,
        reason=reason,
        what=error.what,
        hint=error.hint,
        unreadable=error.spans if isinstance(error, Unreadable) else (),
    )


def _found(record: Record | None, code: str, error: BwcdockError) -> Found:
    where = f"{show(record.item.path)}: " if record else ""
    finding = Finding(severity=Severity.WARN, code=code, what=f"{where}{error.what}", remedy=error.hint)
    return Found(record=record.id if record else "", finding=finding)
