"""May a copy go? The only maker of permits."""

from dataclasses import InitVar, dataclass
from datetime import datetime, timedelta

from bwcdock.core.facts import SPOOL
from bwcdock.core.record import Record, State

_MADE_HERE = object()


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to drop one copy of one record. Only :func:`may_release` makes one; nothing else can."""

    record: str
    place: str
    ground: str
    made_by: InitVar[object] = None

    def __post_init__(self, made_by: object) -> None:
        if made_by is not _MADE_HERE:
            raise PermissionError("a permit is made by retention.may_release and by nothing else")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long the spool keeps a copy after central storage has proved its own; both in seconds.

    ``second_look_after_s``: when the central copy is read in full again. ``spool_keep_s`` counts from the last owed
    sink's confirmation; ``None`` keeps the spool copy for ever.
    """

    second_look_after_s: int = 86_400
    spool_keep_s: int | None = 7 * 86_400


def look_due(record: Record, sink: str, keep: Keep) -> datetime | None:
    """When the second look at ``sink`` is due; ``None`` when it is not held there or has been looked at."""
    for held in record.held:
        if held.sink == sink and held.looked_at is None:
            return held.confirmed_at + timedelta(seconds=keep.second_look_after_s)
    return None


def release_due(record: Record, keep: Keep) -> datetime | None:
    """The earliest moment the spool copy may go; ``None`` while something is still missing for it."""
    if keep.spool_keep_s is None or not _released_by_proof(record):
        return None
    return max(h.confirmed_at for h in record.held) + timedelta(seconds=keep.spool_keep_s)


def _released_by_proof(record: Record) -> bool:
    """Every owed sink holds the bytes and has been read a second time, and none of the copies was found bad."""
    return (
        record.state is State.SEALED
        and SPOOL in record.copies
        and record.obligation is not None
        and bool(record.obligation.sinks)
        and all(any(h.sink == s and h.looked_at is not None for h in record.held) for s in record.obligation.sinks)
        and not record.bad_places
    )


def may_release(record: Record, place: str, now: datetime, keep: Keep) -> Permit | None:
    """A permit to drop the copy of ``record`` at ``place``, or ``None``.

    The one judge of this question. Only the spool copy can be released here; central storage is never deleted from.
    """
    due = release_due(record, keep)
    if place != SPOOL or due is None or now < due:
        return None
    sinks = ",".join(h.sink for h in record.held)
    return Permit(record.id, place, f"confirmed and looked at again in {sinks}", _MADE_HERE)
