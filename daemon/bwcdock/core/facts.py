"""The vocabulary: every fact the ledger can hold; the values inside facts are those of :mod:`bwcdock.core.values`."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from bwcdock.core.values import (
    Claim,
    Condition,
    Corrected,
    Digests,
    Drift,
    Finding,
    Identity,
    Item,
    Kind,
    Lock,
    MediaFacts,
    Obligation,
    Run,
    Severity,
    Sighting,
    Span,
)

__all__ = [
    "Claim", "Condition", "Corrected", "Digests", "Drift", "Finding", "Identity", "Item", "Kind", "Lock",
    "MediaFacts", "Obligation", "Run", "Severity", "Sighting", "Span",
]  # fmt: skip
"""The values, which are imported from here; whatever else is here is imported as well."""

# --- facts: past participles, something that is proven or that a person stated; ``ev`` is the name in the leaf --------


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """The root of all facts. ``record``, ``session`` and ``recorder`` are the subject; empty where it has none."""

    ev: ClassVar[str] = ""
    record: str = ""
    session: str = ""
    recorder: str = ""

    @property
    def about(self) -> tuple[str, str]:
        """Its narrowest subject, as kind and name: a fact about a record names session and recorder to say where."""
        subjects = (("record", self.record), ("session", self.session), ("recorder", self.recorder))
        return next((subject for subject in subjects if subject[1]), ("station", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Founded(Fact):
    """The first leaf of every ledger: which station, which pack, which key signs. ``origin`` names the log."""

    ev: ClassVar[str] = "station.founded"
    origin: str
    pack: str
    public_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Fact):
    """The program started; ``clock`` is the kernel's word on the station's own clock."""

    ev: ClassVar[str] = "station.started"
    version: str
    sqlite: str
    clock: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Fact):
    """The program stopped on purpose. A start without a stop before it was a crash or a power cut."""

    ev: ClassVar[str] = "station.stopped"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat(Fact):
    """Nothing happened, and the station was on: tells silence from absence. ``clock`` as in :class:`Started`."""

    ev: ClassVar[str] = "station.beat"
    clock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrubbed(Fact):
    """Every sealed file of the spool was read again from the disk; ``bad`` no longer had their digest."""

    ev: ClassVar[str] = "station.scrubbed"
    files: int
    bad: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralScrubbed(Fact):
    """So many recordings, of so many bytes, were read again in a sink; ``bad`` of them were gone or had other bytes."""

    ev: ClassVar[str] = "station.central_scrubbed"
    sink: str
    files: int
    size: int
    bad: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Fact):
    """A finding about its subject; about the station where it has none."""

    ev: ClassVar[str] = "finding.found"
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Fact):
    """A finding of this subject with this code no longer holds."""

    ev: ClassVar[str] = "finding.settled"
    code: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reformatted(Fact):
    """The card of a docked recorder was formatted anew, by order of the persons in ``by``.

    Every file it held stands in an :class:`Erased`. ``kind`` (``fat32`` …), label and serial number stay as they were.
    """

    ev: ClassVar[str] = "station.reformatted"
    by: tuple[str, ...]
    kind: str
    files: int


# --- session ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived(Fact):
    """Something was docked."""

    ev: ClassVar[str] = "session.arrived"
    sighting: Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class Reappeared(Fact):
    """It changed from its control interface to a disk at the same port: one docking, opened another way from now on."""

    ev: ClassVar[str] = "session.reappeared"
    sighting: Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified(Fact):
    """A driver opened it and it said who it is."""

    ev: ClassVar[str] = "session.identified"
    driver: str
    identity: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked(Fact):
    """Its clock, battery and storage were looked at, before anything was set or pulled."""

    ev: ClassVar[str] = "session.checked"
    condition: Condition
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rechecked(Fact):
    """Still docked and drained, it was looked at again and something is otherwise: it charged, or its clock ran off."""

    ev: ClassVar[str] = "session.rechecked"
    condition: Condition
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventoried(Fact):
    """Its files were listed.

    ``records`` are those this session has to bring: the new ones (counted in ``new``) and those an earlier session left
    open. ``known`` counts files that were sealed before and are still on the card; ``size`` is bytes of ``records``.
    """

    ev: ClassVar[str] = "session.inventoried"
    records: tuple[str, ...]
    new: int
    known: int
    size: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained(Fact):
    """Every record of the session is sealed or set apart with a reason: safe to take."""

    ev: ClassVar[str] = "session.drained"
    sealed: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Departed(Fact):
    """It is no longer docked."""

    ev: ClassVar[str] = "session.departed"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclaimed(Fact):
    """No driver knows it."""

    ev: ClassVar[str] = "session.unclaimed"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Fact):
    """A check refused it; nothing was pulled."""

    ev: ClassVar[str] = "session.refused"
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Faulted(Fact):
    """It stopped answering or answered nonsense; its records stay owed."""

    ev: ClassVar[str] = "session.faulted"
    op: str
    what: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockIntended(Fact):
    """Its clock is to be set, because ``drift`` was measured; stands before the first word to the recorder.

    ``how`` is ``protocol`` (it is told the time) or ``set-file`` (a file ``name`` on its card, which it reads when it
    is next switched on). ``station`` is the kernel's word on the clock that it is to be set by.
    """

    ev: ClassVar[str] = "session.clock_intended"
    how: Literal["protocol", "set-file"]
    drift: Drift
    station: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockWritten(Fact):
    """It was told ``set_to``, or the file that says so lies on its card; its clock tells later whether it took it."""

    ev: ClassVar[str] = "session.clock_written"
    set_to: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockTaken(Fact):
    """It took the time: ``drift`` is what was measured afterwards, at once or at its next docking."""

    ev: ClassVar[str] = "session.clock_taken"
    drift: Drift


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockNotSet(Fact):
    """Nobody can say that it was set, and the intent no longer stands. ``what`` is a sentence on why.

    ``drift`` is what was measured afterwards, ``None`` where nothing was.
    """

    ev: ClassVar[str] = "session.clock_not_set"
    reason: Literal["failed", "ignored", "interrupted", "refused", "unread"]
    what: str
    drift: Drift | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipted(Fact):
    """The receipt (移交回执) of this session was written; ``digest`` is the SHA-256 of its canonical JSON."""

    ev: ClassVar[str] = "session.receipted"
    digest: str
    count: int
    size: int


# --- record ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Fact):
    """A file on a recorder is known. Committed before its first byte is read: it is the intent to pull.

    ``not_before`` is when the same recorder was last listed whole without it, so it cannot have ended earlier.
    """

    ev: ClassVar[str] = "record.listed"
    item: Item
    corrected: Corrected
    drift: Drift | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Obliged(Fact):
    """The rule pack spoke. A later one replaces it for judging; both stay in the ledger."""

    ev: ClassVar[str] = "record.obliged"
    obligation: Obligation


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled(Fact):
    """Every byte was read once, digested and synced to the spool's disk; not yet read back.

    ``resumed_at`` is how many bytes an earlier session had brought (0: none). ``edges`` is the BLAKE3 of the first and
    last block, by which the same file on the card is known again without reading it whole.
    """

    ev: ClassVar[str] = "record.pulled"
    size: int
    digests: Digests
    edges: str
    resumed_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed(Fact):
    """The bytes were read back from the disk, agreed, and have their final name on a synced directory.

    ``readback`` is ``direct`` (past the page cache) or ``cached`` (weaker, where the disk refuses direct reads).
    """

    ev: ClassVar[str] = "record.sealed"
    size: int
    digests: Digests
    readback: Literal["direct", "cached"]
    media: MediaFacts
    corrected: Corrected


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed(Fact):
    """A sink holds exactly these bytes, by a full read back. ``manifest`` is the SHA-256 of the manifest beside it."""

    ev: ClassVar[str] = "record.confirmed"
    sink: str
    key: str
    version: str
    digests: Digests
    readback: Literal["direct", "cached", "server"]
    manifest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedAgain(Fact):
    """The second look (a full read of the central copy a day later) agreed, or a later one of the slow scrub did."""

    ev: ClassVar[str] = "record.looked_again"
    sink: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked(Fact):
    """A sink keeps its copy from being deleted so firmly, as it told itself after it was asked to; it may be less."""

    ev: ClassVar[str] = "record.locked"
    sink: str
    lock: Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseIntended(Fact):
    """A permit was given to drop one copy; written before the act. A crash after this leaves it visible."""

    ev: ClassVar[str] = "record.release_intended"
    place: str
    ground: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseWithdrawn(Fact):
    """The intent to drop the copy at ``place`` no longer stands: the copy is there, and gets no permit now."""

    ev: ClassVar[str] = "record.release_withdrawn"
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Released(Fact):
    """The copy at ``place`` was dropped under the permit intended before."""

    ev: ClassVar[str] = "record.released"
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Distrusted(Fact):
    """Two readings of the same bytes differed; what had been pulled was thrown away and will be pulled again."""

    ev: ClassVar[str] = "record.distrusted"
    op: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined(Fact):
    """The record cannot be proven whole; what could be read is kept aside, never padded, never called whole.

    ``unreadable`` are the spans that could not be read; ``runs`` what could, each a file in quarantine, in this order.
    """

    ev: ClassVar[str] = "record.quarantined"
    reason: str
    what: str
    hint: str
    unreadable: tuple[Span, ...] = ()
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared(Fact):
    """A quarantined or lost record is tried again (the recorder is back with it, or a person asked)."""

    ev: ClassVar[str] = "record.cleared"
    ground: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyBad(Fact):
    """The copy at ``place`` (``spool`` or a sink's name) lost the sealed digest, or is gone without a permit."""

    ev: ClassVar[str] = "record.copy_bad"
    place: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(Fact):
    """A listed file is no longer on its recorder and was never pulled."""

    ev: ClassVar[str] = "record.lost"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen(Fact):
    """A known record was met again in another session (re-docked, another port)."""

    ev: ClassVar[str] = "record.seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseIntended(Fact):
    """A permit to erase the recorder's file while it is as ``size`` and ``digests`` say; stands before the act."""

    ev: ClassVar[str] = "record.erase_intended"
    ground: str
    size: int
    digests: Digests


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased(Fact):
    """The file is no longer on the recorder, under the permit intended before.

    ``how`` is ``reported`` where the helper looked at it, deleted it and synced the card; ``gone`` where nobody could
    say so any more (a power cut, a pulled plug) and the next listing of the recorder does not have it.
    """

    ev: ClassVar[str] = "record.erased"
    how: Literal["reported", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseKept(Fact):
    """The file was not erased, and the intent no longer stands. ``reason`` is a stable word, ``what`` a sentence."""

    ev: ClassVar[str] = "record.erase_kept"
    reason: str
    what: str


RECORDER = "recorder"
"""The name of the recorder's own copy in permits. It is never in ``Record.copies``, which are proven copies of ours."""
SPOOL = "spool"
"""The name of the station's own place in ``Record.copies`` and in permits; no sink may be called so."""

Facts = tuple[type[Fact], ...]
STATION_FACTS: Facts = (Founded, Started, Stopped, Beat, Scrubbed, CentralScrubbed, Found, Settled, Reformatted)
SESSION_FACTS: Facts = (
    Arrived, Reappeared, Identified, Checked, Rechecked, Inventoried, Drained, Departed, Unclaimed, Refused, Faulted,
    ClockIntended, ClockWritten, ClockTaken, ClockNotSet, Receipted,
)  # fmt: skip
RECORD_FACTS: Facts = (
    Listed, Obliged, Pulled, Sealed, Confirmed, LookedAgain, Locked, ReleaseIntended, ReleaseWithdrawn, Released,
    Distrusted, Quarantined, Cleared, CopyBad, Lost, Seen, EraseIntended, Erased, EraseKept,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who is behind a fact: the station itself, or a named person with the role he acted in."""

    name: str = "station"
    role: str = "station"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A fact with its place in the ledger: ``seq`` counts from 0, ``at`` is the station's time to the millisecond."""

    seq: int
    at: datetime
    fact: Fact
    actor: Actor = field(default_factory=Actor)
