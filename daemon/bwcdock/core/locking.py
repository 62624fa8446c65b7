"""How firmly must central storage hold a copy, and is it held so? The one place that answers it.

What must not be destroyed before its keeping ends (保管期限) is locked until then; what is kept without end, or is
under a hold at the desk, carries a hold. A lock grows with what is known, and is never made shorter nor lifted from
here: who may lift a hold in the storage itself is no business of a station.
"""

from collections.abc import Collection
from datetime import UTC, datetime

from bwcdock.core.facts import Lock
from bwcdock.core.record import Record

LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""A store whose clock ends before the moment that was asked for (Ceph 16 wraps in 2106) locks until its last, and puts
a hold beside it. From here on that is taken for the moment itself; before, nothing is."""


def wanted(record: Record, now: datetime, *, is_held: bool) -> Lock:
    """The lock each copy in a locking sink needs; ``is_held`` where a hold at the desk keeps the recording.

    None (neither moment nor hold) before the rules have spoken, and of what need not be kept any more: no store locks
    until a moment that has passed.
    """
    owed = record.obligation
    if owed is None:
        return Lock(hold=is_held)
    for_ever = owed.permanent or owed.keep_until is None
    until = owed.keep_until if owed.keep_until is not None and owed.keep_until > now else None
    return Lock(until=None if for_ever else until, hold=for_ever or is_held)


def satisfies(proven: Lock | None, asked: Lock) -> bool:
    """Whether a lock, as the store itself told it, is at least as firm as was asked."""
    proven = proven or Lock()
    if asked.hold and not proven.hold:
        return False
    if asked.until is None:
        return True
    until = proven.until
    return until is not None and (until >= asked.until or (proven.hold and until >= LATEST))


def short(record: Record, sinks: Collection[str], now: datetime, *, is_held: bool) -> tuple[str, ...]:
    """Those of ``sinks`` in which its copy is not known to be locked as firmly as it has to be."""
    if not sinks:
        return ()
    asked = wanted(record, now, is_held=is_held)
    return tuple(copy.sink for copy in record.held if copy.sink in sinks and not satisfies(copy.locked, asked))
