"""Which of the records that wait need to be at hand: with thousands waiting, the most urgent are enough to work on.

The ledger has them all and is asked again. So a dock takes no more memory, and decides no slower, for having been
without its central storage for a week.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bwcdock.core.facts import SPOOL
from bwcdock.core.plan import FAR, Act, Action
from bwcdock.core.record import Record, State

KINDS = ("work", "look", "release")
"""What records wait for that the station does by itself (:attr:`bwcdock.core.record.Record.waits_for`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What can be done at ``at``: the sinks that may be used, the actions in flight, and those that rest until when."""

    at: datetime
    sinks: Collection[str] = ()
    busy: Collection[Action] = ()
    resting: Mapping[Action, datetime] = field(default_factory=dict)

    def may_begin(self, act: Act, record: str, place: str) -> bool:
        """Whether this does not rest, and its place answers."""
        here = place == SPOOL or place in self.sinks
        return here and self.resting.get(Action(act, record, place), self.at) <= self.at


def is_workable(record: Record, now: Now) -> bool:
    """Whether something could be begun for it now, were there room; what is on a recorder alone waits for that."""
    match record.waits_for:
        case "work" if record.state is State.LISTED:
            return False
        case "work" if record.state is State.PULLED or record.releasing or record.erasing or not record.owed_sinks:
            return True
        case "work":
            return any(now.may_begin(Act.PUSH, record.id, sink) for sink in record.owed_sinks)
        case "look":
            return any(h.looked_at is None and now.may_begin(Act.LOOK, record.id, h.sink) for h in record.held)
        case waits:
            return waits == "release" and now.may_begin(Act.RELEASE, record.id, SPOOL)


def surplus(records: Iterable[Record], most: int, now: Now, docked: Collection[str]) -> list[str]:
    """The ids of those that may be let go, so that ``most`` of each kind are left.

    First go those for which nothing can be done now, lest what waits for a storage that is away keeps back what waits
    for one that answers; then what is due last. ``docked`` are the records of recorders in the slots: they stay, for
    they are shown and receipted, and so does what is in flight or was interrupted.
    """
    in_flight = {action.record for action in now.busy}
    waiting: dict[str, list[Record]] = {kind: [] for kind in KINDS}
    for record in records:
        bound = record.id in in_flight or record.id in docked or record.releasing or record.erasing
        if record.waits_for in waiting and not bound and record.state is not State.PULLED:
            waiting[record.waits_for].append(record)
    gone = []
    for many in waiting.values():
        if len(many) > most:
            many.sort(key=lambda record: (not is_workable(record, now), record.due or FAR, record.listed_at))
            gone += [record.id for record in many[most:]]
    return gone
