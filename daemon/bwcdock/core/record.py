"""A record: what is known of one recording, its transition table, and the fold of its facts."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from bwcdock.core.facts import (
    SPOOL,
    Cleared,
    Confirmed,
    CopyBad,
    Corrected,
    Digests,
    Distrusted,
    Drift,
    Entry,
    Erased,
    EraseIntended,
    EraseKept,
    Fact,
    Item,
    Listed,
    Lock,
    Locked,
    LookedAgain,
    Lost,
    MediaFacts,
    Obligation,
    Obliged,
    Pulled,
    Quarantined,
    Released,
    ReleaseIntended,
    ReleaseWithdrawn,
    Sealed,
    Seen,
)
from bwcdock.core.rules import met_when
from bwcdock.core.statements import NO_LABEL, Excused, Label, Tagged
from bwcdock.core.values import Common


class State(StrEnum):
    """Where a record stands."""

    LISTED = "listed"
    PULLED = "pulled"
    SEALED = "sealed"
    RELEASED = "released"
    QUARANTINED = "quarantined"
    LOST = "lost"


# The machine. A fact that is not in the row of the present state is illegal there. The value is the next state; the
# facts that stand beside it (Obliged, Seen, LookedAgain, and what people say: Tagged, Excused) change no state.
# A sealed record leaves only by being
# confirmed and released, or by its bytes being found bad: by _copy_bad where that was the last copy, and by Cleared (to
# be pulled again) where another is left but the spool's is gone. COPY_FACTS are legal beside it where they come late.
# What else a fact must not contradict is in _refused.
# The ledger keeps a row a record with the index columns state, recorder, path, waits_for, waits_since, due, met_at.
L, P, S, R, Q, X = State.LISTED, State.PULLED, State.SEALED, State.RELEASED, State.QUARANTINED, State.LOST
TABLE: dict[State | None, dict[type[Fact], State]] = {
    None: {Listed: L},
    L: {Pulled: P, Distrusted: L, Quarantined: Q, Lost: X, Obliged: L, Seen: L, Tagged: L, Excused: L},
    P: {Sealed: S, Distrusted: L, Quarantined: Q, Obliged: P, Seen: P, Tagged: P, Excused: P},
    S: {
        Confirmed: S,
        LookedAgain: S,
        Locked: S,
        ReleaseIntended: S,
        ReleaseWithdrawn: S,
        Released: R,
        CopyBad: S,
        Cleared: L,
        Obliged: S,
        Seen: S,
        Tagged: S,
        Excused: S,
        EraseIntended: S,
        Erased: S,
        EraseKept: S,
    },
    R: {
        Confirmed: R,
        LookedAgain: R,
        Locked: R,
        CopyBad: R,
        Obliged: R,
        Seen: R,
        Tagged: R,
        Excused: R,
        EraseIntended: R,
        Erased: R,
        EraseKept: R,
    },
    Q: {Cleared: L, Quarantined: Q, Obliged: Q, Seen: Q, Tagged: Q, Excused: Q},
    X: {Cleared: L, Obliged: X, Seen: X, Tagged: X, Excused: X},
}


COPY_FACTS: tuple[type[Fact], ...] = (Confirmed, LookedAgain, Locked, CopyBad)
"""What the bytes of one copy turned out to be. Reading a copy in full takes minutes, in which another copy may be found
bad and the recording even be pulled anew; what was read is true all the same. So these are legal in every state of a
record that was sealed once. Where the table does not name them they change no state, but for the one rule in
:func:`_confirmed`, which makes that a confirmation leads to the same record wherever it comes in among the others."""

ERASE_OUTCOMES: tuple[type[Fact], ...] = (Erased, EraseKept)
"""What became of the recorder's own copy. Looking at a card again takes hours, so these are as late as COPY_FACTS; they
never change the state, nor ``copies``: what is on a recorder was never one of ours."""

APART_FOR_COPY = "copy-bad"
"""Why a record is set apart whose last copy was found bad."""

DOCK_AGAIN_HINT = "Dock the recorder again; the recording is pulled again and must agree."
ERASED_HINT = "Its recorder's copy was erased: look for another one (a backup of central storage) at once."


class Illegal(ValueError):
    """A fact that the table forbids in this state: a bug of the program, never of the world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A confirmed copy: the sink's name, its key and version, when and by which leaf it was confirmed, looked at.

    ``locked`` is what the sink last told of its lock; ``None`` where it was never asked for one.
    """

    sink: Common
    key: str
    version: str
    confirmed_at: datetime
    seq: int
    manifest: str
    looked_at: datetime | None = None
    locked: Lock | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The fold of a recording's facts.

    ``copies`` is the set of places where proven bytes are (``spool`` and sinks' names): the safety of the program in
    one field. ``digests``, once sealed, are contradicted by no later pull and by no sink. ``distrusts``
    counts pulls thrown away since the last clearance. ``releasing`` names a place whose copy is being dropped.
    ``erasing`` is the ground on which the recorder's file is being erased, while the outcome is not known; ``label`` is
    what people say it is, and ``excuse`` why it is late, where somebody who may has accepted that.
    """

    id: str
    state: State
    recorder: Common
    session: Common
    sessions: tuple[Common, ...]
    item: Item
    listed_at: datetime
    corrected: Corrected
    drift: Drift | None = None
    not_before: datetime | None = None
    digests: Digests | None = None
    edges: str = ""
    resumed_at: int = 0
    readback: Literal["direct", "cached", ""] = ""
    media: MediaFacts | None = None
    obligation: Obligation | None = None
    copies: frozenset[Common] = frozenset()
    held: tuple[Held, ...] = ()
    first_confirmed: tuple[tuple[Common, datetime], ...] = ()
    sealed_at: datetime | None = None
    sealed_seq: int | None = None
    released_at: datetime | None = None
    releasing: str = ""
    erasing: str = ""
    erased_at: datetime | None = None
    distrusts: int = 0
    quarantine: str = ""
    quarantine_what: str = ""
    quarantine_hint: str = ""
    bad_places: tuple[str, ...] = ()
    label: Label = NO_LABEL
    excuse: str = ""

    @property
    def recorded_at(self) -> datetime:
        """When it was recorded, as well as is known: its start, else its end, else when it was first listed."""
        return self.corrected.start or self.corrected.end or self.listed_at

    @property
    def due(self) -> datetime | None:
        """The last moment for offloading it, once the pack has spoken."""
        return self.obligation.due if self.obligation else None

    @property
    def met_at(self) -> datetime | None:
        """When the obligation to offload was met: at the seal, or at the last owed sink's confirmation."""
        if self.obligation is None:
            return None
        return met_when(self.obligation, sealed_at=self.sealed_at, confirmed=self.first_confirmed)

    @property
    def owed_sinks(self) -> tuple[str, ...]:
        """The sinks that do not hold it yet, in the obligation's order."""
        if self.obligation is None:
            return ()
        return tuple(s for s in self.obligation.sinks if s not in self.copies)

    @property
    def waits_for(self) -> Literal["work", "look", "release", "nothing"]:
        """What the station will next have to do about it: the ledger keeps an index of this and ``waits_since``.

        ``work`` is something to do as soon as a recorder, room or a sink allows; ``look`` the second look at a central
        copy; ``release`` the dropping of the spool copy. How long to wait is a setting, and is not decided here.
        """
        if self.state in {State.LISTED, State.PULLED} or self.releasing or self.erasing:
            return "work"
        if self.state not in {State.SEALED, State.RELEASED}:
            return "nothing"
        if self.owed_sinks or self.obligation is None:
            return "work"
        if any(h.looked_at is None for h in self.held):
            return "look"
        return "release" if SPOOL in self.copies else "nothing"

    @property
    def waits_since(self) -> datetime:
        """The moment the waiting is counted from: the last confirmation, or the listing."""
        return max((h.confirmed_at for h in self.held), default=self.listed_at)

    @property
    def finished(self) -> bool:
        """Nothing is owed: sealed (or released) and in every sink it must be in."""
        sealed = self.state in {State.SEALED, State.RELEASED}
        return sealed and self.obligation is not None and bool(self.obligation.sinks) and not self.owed_sinks


def apply(record: Record | None, entry: Entry) -> Record:
    """``record`` after the fact in ``entry``; raises :class:`Illegal` where the table forbids it."""
    fact = entry.fact
    row = TABLE[record.state if record else None]
    state = row.get(type(fact))
    if state is None and record is not None and record.sealed_at and isinstance(fact, COPY_FACTS + ERASE_OUTCOMES):
        state = record.state
    if state is None:
        raise Illegal(f"{type(fact).__name__} on a record that is {record.state if record else 'unknown'}")
    if record is None:
        assert isinstance(fact, Listed)
        return _listed(fact, entry)
    if why := _refused(record, fact):
        raise Illegal(f"{type(fact).__name__}: {why}")
    record = replace(record, state=state, sessions=_with(record.sessions, fact.session))
    match fact:
        case Obliged():
            return replace(record, obligation=fact.obligation)
        case Seen():
            return replace(record, session=fact.session)
        case Pulled():
            return replace(
                record, digests=fact.digests, edges=fact.edges, resumed_at=fact.resumed_at, session=fact.session
            )
        case Sealed():
            return _sealed(record, fact, entry)
        case Confirmed():
            return _confirmed(record, fact, entry)
        case LookedAgain():
            held = tuple(replace(h, looked_at=entry.at) if h.sink == fact.sink else h for h in record.held)
            return replace(record, held=held)
        case Locked():
            held = tuple(replace(h, locked=fact.lock) if h.sink == fact.sink else h for h in record.held)
            return replace(record, held=held)
        case ReleaseIntended():
            return replace(record, releasing=fact.place)
        case ReleaseWithdrawn():
            return replace(record, releasing="")
        case Released():
            return replace(record, copies=record.copies - {fact.place}, releasing="", released_at=entry.at)
        case CopyBad():
            return _copy_bad(record, fact)
        case EraseIntended():
            return replace(record, erasing=fact.ground)
        case Erased():
            return replace(record, erasing="", erased_at=entry.at)
        case EraseKept():
            return replace(record, erasing="")
        case Tagged():
            return replace(record, label=fact.label)
        case Excused():
            return replace(record, excuse=fact.why)
        case Distrusted():
            return replace(record, distrusts=record.distrusts + 1, digests=_proven(record), edges=_proven_edges(record))
        case Quarantined():
            return replace(
                record,
                quarantine=fact.reason,
                quarantine_what=fact.what,
                quarantine_hint=fact.hint,
                digests=_proven(record),
            )
        case Cleared():
            return replace(
                record, distrusts=0, quarantine="", quarantine_what="", quarantine_hint="", session=fact.session
            )
        case _:  # Lost
            return record


def _refused(record: Record, fact: Fact) -> str:
    """Why this fact contradicts what is known, though the table allows its kind; empty when it does not."""
    match fact:
        case Pulled() if record.sealed_at and record.digests != fact.digests:
            return "other bytes than were sealed before"
        case Sealed() if record.digests != fact.digests:
            return "other bytes than were pulled"
        case Confirmed() if record.digests != fact.digests:
            return "other bytes than were sealed"
        case Released() if record.releasing != fact.place:
            return f"from {fact.place} without an intent"
        case EraseIntended() if record.digests != fact.digests or record.item.size != fact.size or not fact.ground:
            return "of other bytes than were sealed, or on no ground"
        case EraseIntended() if record.erasing:
            return "while one stands already"
        case Erased() | EraseKept() if not record.erasing:
            return "without an intent"
        case Lost() if record.copies:
            return "a copy of it is there"
        case Cleared() if record.state is State.SEALED and SPOOL in record.copies:
            return "its spool copy is there"
    return ""


def _with(sessions: tuple[str, ...], session: str) -> tuple[str, ...]:
    return sessions if not session or session in sessions else (*sessions, session)


def _listed(fact: Listed, entry: Entry) -> Record:
    return Record(
        id=fact.record,
        state=State.LISTED,
        recorder=fact.recorder,
        session=fact.session,
        sessions=(fact.session,) if fact.session else (),
        item=fact.item,
        listed_at=entry.at,
        corrected=fact.corrected,
        drift=fact.drift,
        not_before=fact.not_before,
    )


def _proven(record: Record) -> Digests | None:
    """Digests that were once sealed outlive a later failed pull; those of a pull that was thrown away do not."""
    return record.digests if record.sealed_at else None


def _proven_edges(record: Record) -> str:
    return record.edges if record.sealed_at else ""


def _sealed(record: Record, fact: Sealed, entry: Entry) -> Record:
    return replace(
        record,
        readback=fact.readback,
        media=fact.media,
        corrected=fact.corrected,
        copies=record.copies | {SPOOL},
        sealed_at=record.sealed_at or entry.at,
        sealed_seq=entry.seq if record.sealed_seq is None else record.sealed_seq,
        bad_places=tuple(p for p in record.bad_places if p != SPOOL),
    )


def _confirmed(record: Record, fact: Confirmed, entry: Entry) -> Record:
    """The sink gave back all the sealed bytes: they are proven there, whatever became of the spool's copy meanwhile.

    A record that was set apart or given up only because no copy was left is sealed again.
    """
    if record.state is State.LOST or record.quarantine == APART_FOR_COPY:
        record = replace(record, state=State.SEALED, quarantine="", quarantine_what="", quarantine_hint="")
    new = Held(
        sink=fact.sink,
        key=fact.key,
        version=fact.version,
        confirmed_at=entry.at,
        seq=entry.seq,
        manifest=fact.manifest,
    )
    first = record.first_confirmed
    return replace(
        record,
        copies=record.copies | {fact.sink},
        held=(*(h for h in record.held if h.sink != fact.sink), new),
        first_confirmed=first if fact.sink in dict(first) else (*first, (fact.sink, entry.at)),
        bad_places=tuple(p for p in record.bad_places if p != fact.sink),
    )


def _copy_bad(record: Record, fact: CopyBad) -> Record:
    """A copy is struck off. When it was the last one the record is no longer proven anywhere: quarantined, and pulled
    again as soon as the recorder is back with it (the sealed digests stay, and must be met).
    """
    copies = record.copies - {fact.place}
    record = replace(
        record,
        copies=copies,
        held=tuple(h for h in record.held if h.sink != fact.place),
        bad_places=_with(record.bad_places, fact.place),
        releasing="" if record.releasing == fact.place else record.releasing,  # what is gone is not released any more
    )
    if copies or record.state not in {State.SEALED, State.RELEASED}:
        return record
    return replace(
        record,
        state=State.QUARANTINED,
        quarantine=APART_FOR_COPY,
        quarantine_what=fact.what,
        quarantine_hint=ERASED_HINT if record.erased_at else DOCK_AGAIN_HINT,
    )
