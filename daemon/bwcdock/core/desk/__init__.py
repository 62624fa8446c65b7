"""The desk: every matter people speak about, its table, and the one fold of its statements."""

from bwcdock.core.desk.access import ACCESS
from bwcdock.core.desk.cases import CASE
from bwcdock.core.desk.checking import CHECK
from bwcdock.core.desk.devices import DEVICE
from bwcdock.core.desk.expiring import EXPIRY
from bwcdock.core.desk.explaining import EXPLANATION
from bwcdock.core.desk.holds import HOLD
from bwcdock.core.desk.matter import Kind, Matter
from bwcdock.core.desk.papers import PAPER
from bwcdock.core.desk.people import HANDOVER, PERSON, TEAM
from bwcdock.core.desk.times import ACTIVITY, EXTENSION, TRIP
from bwcdock.core.facts import Entry
from bwcdock.core.record import Illegal
from bwcdock.core.refusal import Refusal, because
from bwcdock.core.statements import Statement

KINDS: dict[str, Kind] = {
    "person": PERSON, "team": TEAM, "handover": HANDOVER, "device": DEVICE, "trip": TRIP, "activity": ACTIVITY,
    "extension": EXTENSION, "explanation": EXPLANATION, "hold": HOLD, "case": CASE, "access": ACCESS, "check": CHECK,
    "expiry": EXPIRY, "paper": PAPER,
}  # fmt: skip
"""Every sort of matter, by the ``kind`` of its statements."""

SHAPES = {kind.shape: name for name, kind in KINDS.items()}


def why_not(matter: Matter | None, entry: Entry) -> Refusal | None:
    """Why the statement in ``entry`` cannot be made about ``matter`` as it is; ``None`` where it can."""
    fact = entry.fact
    assert isinstance(fact, Statement)
    kind = KINDS[fact.kind]
    if _next_state(matter, fact) is None:
        if matter is None:
            return because("matter.none", f"There is no {fact.kind} {fact.matter!r}.", kind=fact.kind, id=fact.matter)
        what = f"The {fact.kind} {matter.id!r} is {matter.state}: {type(fact).ev} is not possible any more."
        return because("matter.state", what, kind=fact.kind, id=matter.id, state=matter.state, ev=type(fact).ev)
    return kind.why_not(matter, entry)


def apply(matter: Matter | None, entry: Entry) -> Matter:
    """``matter`` after the statement in ``entry``; raises :class:`~bwcdock.core.record.Illegal` where it is refused."""
    fact = entry.fact
    assert isinstance(fact, Statement)
    if (why := why_not(matter, entry)) is not None:
        raise Illegal(f"{type(fact).__name__}: {why.what}")
    state = _next_state(matter, fact)
    assert state is not None  # or why_not had spoken
    return KINDS[fact.kind].after(matter, state, entry)


def _next_state(matter: Matter | None, fact: Statement) -> str | None:
    return KINDS[fact.kind].table.get(matter.state if matter else None, {}).get(type(fact))


__all__ = ["KINDS", "SHAPES", "Kind", "Matter", "apply", "why_not"]
