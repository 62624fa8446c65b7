"""May a copy go? The only maker of permits."""

from dataclasses import InitVar, dataclass
from datetime import datetime, timedelta

from bwcdock.core import locking
from bwcdock.core.facts import RECORDER, SPOOL
from bwcdock.core.record import Record, State

_MADE_HERE = object()


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to drop one copy of one record. Only this module makes one; nothing else can."""

    record: str
    place: str
    ground: str
    made_by: InitVar[object] = None

    def __post_init__(self, made_by: object) -> None:
        if made_by is not _MADE_HERE:
            raise PermissionError("a permit is made by bwcdock.core.retention and by nothing else")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long the spool keeps a copy after central storage has proved its own; both in seconds.

    ``second_look_after_s``: when the central copy is read in full again. ``spool_keep_s`` counts from the last owed
    sink's confirmation; ``None`` keeps the spool copy for ever. ``witnessed`` is how many leaves of the ledger stand
    under a signed head that central storage is known to have: what it does not cover could be rolled back unseen.
    ``locking`` are the sinks that lock what they hold, whose copies count only when they are locked as they have to be
    (:mod:`bwcdock.core.locking`); ``held`` are the records that a hold at the desk keeps.
    """

    second_look_after_s: int = 86_400
    spool_keep_s: int | None = 7 * 86_400
    witnessed: int = 0
    locking: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()


def look_due(record: Record, sink: str, keep: Keep) -> datetime | None:
    """When the second look at ``sink`` is due; ``None`` when it is not held there or has been looked at."""
    for held in record.held:
        if held.sink == sink and held.looked_at is None:
            return held.confirmed_at + timedelta(seconds=keep.second_look_after_s)
    return None


def look_presses(record: Record, keep: Keep) -> datetime | None:
    """When a missing second look begins to hold up the release of the spool's copy; ``None`` when it never does."""
    return None if keep.spool_keep_s is None else record.waits_since + timedelta(seconds=keep.spool_keep_s)


def release_due(record: Record, keep: Keep) -> datetime | None:
    """The earliest moment the spool copy may go; ``None`` while something is still missing for it."""
    if keep.spool_keep_s is None or not _released_by_proof(record):
        return None
    return record.waits_since + timedelta(seconds=keep.spool_keep_s)


def _released_by_proof(record: Record) -> bool:
    """Every owed sink holds the bytes and has been read a second time, and none of the copies was found bad."""
    return (
        record.state is State.SEALED and SPOOL in record.copies and not record.bad_places and _centrally_proven(record)
    )


def _centrally_proven(record: Record) -> bool:
    """Every owed sink gave back all the bytes, and did so a second time."""
    owed = record.obligation.sinks if record.obligation else ()
    looked_at = {h.sink for h in record.held if h.looked_at is not None}
    return bool(owed) and looked_at.issuperset(owed)


def _is_witnessed(record: Record, witnessed: int) -> bool:
    """Central storage has seen a head over every confirmation: with an older ledger put back, it could tell."""
    return all(h.seq < witnessed for h in record.held)


def may_release(record: Record, place: str, now: datetime, keep: Keep) -> Permit | None:
    """A permit to drop the copy of ``record`` at ``place``, or ``None``.

    The one judge of this question. Only the spool copy can be released here; central storage is never deleted from.
    Every confirmation must be under a witnessed head: an older ledger put back would else not know of the copy. Where
    a sink locks, its copy must be locked: what can be deleted there is no reason to let ours go.
    """
    due = release_due(record, keep)
    if place != SPOOL or due is None or now < due or not _is_witnessed(record, keep.witnessed):
        return None
    if locking.short(record, keep.locking, now, is_held=record.id in keep.held):
        return None
    sinks = ",".join(h.sink for h in record.held)
    return Permit(record.id, place, f"confirmed and looked at again in {sinks}", _MADE_HERE)


# ---------------------------------------------------------------------------------------------------------------------
# The recorder's own copy. It is the original carrier (原始载体) of what may become evidence, so every reason to keep it
# counts, also those that let the spool's copy go.
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasing:
    """When a recorder's file may go: ``after_s`` seconds after the last confirmation; ``None`` never.

    ``witnessed`` is what it is in :class:`Keep`: how many leaves central storage is known to have seen a head over.
    ``held`` are the records that a hold keeps (:func:`bwcdock.core.desk.holds.keeping`), ``locking`` is as in ``Keep``.
    """

    after_s: int | None = None
    witnessed: int = 0
    held: frozenset[str] = frozenset()
    locking: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Why a file stays on its recorder: a stable word, and a sentence with the figures."""

    reason: str
    what: str


def why_kept(record: Record, now: datetime, erasing: Erasing) -> Kept | None:
    """What speaks against erasing the recorder's file of ``record`` at ``now``; ``None`` when nothing does.

    A hold keeps the original carrier (S1 第十七条: 应当保留原件,保存原始载体). A permanent record (永久保存) is like
    any other here: what must last for ever is the record, and central storage holds it.
    """
    owed = record.obligation.sinks if record.obligation else ()
    if erasing.after_s is None:
        return Kept(reason="off", what="Erasing is not switched on in the settings.")
    if record.id in erasing.held:
        return Kept(reason="hold", what="It is held: the original carrier (原始载体) stays as it is.")
    if record.state not in {State.SEALED, State.RELEASED}:
        return Kept(reason="unproven", what=f"It is {record.state}: its bytes are not proven anywhere else.")
    if record.bad_places:
        return Kept(reason="bad-copy", what=f"Its copy in {', '.join(record.bad_places)} was found bad.")
    if not owed or record.owed_sinks:
        missing = ", ".join(record.owed_sinks) or "any central storage"
        return Kept(reason="owed", what=f"It is not confirmed in {missing}.")
    if not _centrally_proven(record):
        return Kept(reason="one-look", what="Its central copy was not read a second time yet.")
    if open_ := locking.short(record, erasing.locking, now, is_held=False):  # what is held stays in any case
        return Kept(reason="unlocked", what=f"Its copy in {', '.join(open_)} is not locked as long as it has to be.")
    due = max(h.confirmed_at for h in record.held) + timedelta(seconds=erasing.after_s)
    if now < due:
        return Kept(reason="too-early", what=f"It stays until {due:%Y-%m-%d %H:%M} UTC.")
    if not _is_witnessed(record, erasing.witnessed):
        what = "Central storage is not known to have seen a signed head of the ledger over its confirmation."
        return Kept(reason="unwitnessed", what=what)
    if record.erasing:
        return Kept(reason="in-doubt", what="It was being erased, and the outcome shows at the next docking.")
    return None


def may_erase(record: Record, now: datetime, erasing: Erasing) -> Permit | None:
    """A permit to erase the recorder's own file of ``record``, or ``None``: the one judge of this question."""
    if why_kept(record, now, erasing):
        return None
    last = max(h.confirmed_at for h in record.held)
    sinks = ",".join(h.sink for h in record.held)
    ground = f"confirmed and looked at again in {sinks}; last confirmed {last:%Y-%m-%dT%H:%M:%SZ}"
    return Permit(record.id, RECORDER, ground, _MADE_HERE)
