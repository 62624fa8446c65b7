"""The vocabulary: every fact the ledger can hold, with the values inside facts.

Values are frozen, slotted and keyword-only. Times are aware UTC ``datetime``; sizes are bytes; durations are whole ms
where a field ends in ``_ms`` (a canonical leaf holds no floating-point number), seconds where it ends in ``_s``. A
``path`` is the escaped, printable, reversible text of :func:`bwcdock.core.names.escape`, never a path of this machine.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal

# --- values ----------------------------------------------------------------------------------------------------------


class Severity(StrEnum):
    """How loud a finding is: a note for the file, a warning for the custodian, a refusal of the recorder or record."""

    NOTE = "note"
    WARN = "warn"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a person should know.

    ``code`` is stable and dotted (``clock.drift``, ``sequence.hole``, ``name.hostile``); ``what`` and ``remedy`` are
    one sentence each; ``evidence`` is what the sentence rests on, as pairs of text, in a fixed order.
    """

    severity: Severity
    code: str
    what: str
    remedy: str
    evidence: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Something docked: where it can be opened and at which physical place it sits.

    ``port`` is a stable physical path (``pci-…-usb-0:2.3``) or ``path:<drop folder>``; it is never ``/dev/sdb``.
    ``source`` is what the driver opens (a directory, an image, a block device). ``live``: it was plugged in now, and
    what it wrote then tells its clock; an old image is not. ``priority``: its slot goes before others. ``properties``
    are udev's (of what it hangs on with ``@`` before the name), or say where footage from elsewhere is from.
    """

    port: str
    source: str
    slot: int | None = None
    live: bool = True
    properties: tuple[tuple[str, str], ...] = ()
    priority: bool = False

    @property
    def subsystem(self) -> str:
        """``usb`` for a control interface on the bus, ``block`` for a disk, empty for what did not come by the bus."""
        return dict(self.properties).get("SUBSYSTEM", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the recorder says it is. Whose it is, only the issue register knows.

    ``serial`` is the stable key of the recorder in the whole program. ``basis`` says how it was learnt: ``protocol``,
    ``device`` (that with cards to change), ``name-group``, ``label``, ``volume-serial``, ``folder-name``, ``intake``.
    """

    serial: str
    basis: str
    vendor: str = ""
    model: str = ""
    firmware: str = ""
    user: str = ""
    unit: str = ""
    label: str = ""
    quirk: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far the recorder's clock is from the station's, with how that is known.

    ``offset_ms`` is recorder minus station (positive: the recorder is fast). With ``bound="at_least"`` the clock is
    known to be off by at least that much in that direction and no more is known; it is then never used to correct a
    time, only to warn. ``method`` is one of ``protocol``, ``gps``, ``plug-file``, ``newest-file``.
    """

    method: str
    offset_ms: int
    uncertainty_ms: int
    read_at: datetime
    bound: Literal["exact", "at_least"] = "exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What the recorder says of itself; ``None`` where it cannot say.

    ``battery`` is percent 0..100. ``dirty`` is the file system's own "not properly unmounted" mark: the last recording
    was probably not closed. ``notes`` are findings the driver makes while looking (deleted entries, hostile names).
    """

    battery: int | None = None
    storage_free: int | None = None
    storage_total: int | None = None
    drift: Drift | None = None
    dirty: bool | None = None
    notes: tuple[Finding, ...] = ()


class Kind(StrEnum):
    """What an item holds, by its name; the media reader has the last word on its content."""

    VIDEO = "video"
    AUDIO = "audio"
    PHOTO = "photo"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """When an item was recorded by the recorder's own clock; never overwritten, only corrected beside.

    ``start`` and ``end`` are what the recorder's clock showed, turned into UTC by ``zone`` (an IANA name, or
    ``+08:00``). ``source`` says where the claim was read: ``name``, ``media``, ``exif``, ``mtime``. ``text`` is the
    claim as it stood there. ``resolution_ms`` is the step of that source (FAT mtime: 2000).
    """

    start: datetime | None
    end: datetime | None
    source: str
    zone: str
    text: str = ""
    resolution_ms: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file on the recorder, as the driver lists it.

    ``path`` is relative, '/'-separated, each component escaped. ``modified`` is the file's own modification time after
    the quirk's zone, ``modified_text`` the naive text of it. ``markers`` are words such as ``important`` or
    ``locked``. ``sequence`` is the recorder's own running number with ``series`` naming the run it counts in;
    ``activity`` groups segments of one recording. ``sidecars`` are paths of files that belong to this one.
    """

    path: str
    size: int
    modified: datetime | None
    claim: Claim
    kind: Kind = Kind.OTHER
    modified_text: str = ""
    markers: tuple[str, ...] = ()
    officer: str = ""
    series: str = ""
    sequence: int | None = None
    activity: str = ""
    sidecars: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """Both digests of one pass, lower-case hex: the evidential one (SHA-256) and the working one (BLAKE3)."""

    sha256: str
    blake3: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """What a container says of itself without decoding anything.

    ``container`` is ``mp4``, ``mov``, ``avi``, ``wav``, ``jpeg``, ``other``. ``started`` is the container's own time
    as if UTC (QuickTime names no zone); ``duration_ms`` is ``None`` where unknown. ``truncated`` means the container
    promises bytes that are not there, or its index was never written. ``problems`` are sentences on what was refused.
    """

    container: str = "other"
    started: datetime | None = None
    duration_ms: int | None = None
    truncated: bool = False
    fragmented: bool = False
    encoder: str = ""
    gps_time: datetime | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """When an item was recorded, corrected by the clock's measured drift; computed, never written over the claim.

    ``uncertainty_ms`` covers clock, source and file system. ``method`` is the drift's; ``uncorrected`` without one.
    """

    start: datetime | None
    end: datetime | None
    method: str
    offset_ms: int
    uncertainty_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """What the law asks for one recording, fixed when the rule pack spoke.

    ``due`` is the last moment; ``article`` names the rule and ``quote`` its words. ``keep_until`` is ``None`` with
    ``permanent=True``. ``met_by`` says which fact meets the deadline. ``basis`` and ``basis_at`` say from what moment
    it counts; ``rests_on`` are the inputs, as pairs of text, so that anyone can compute it again.
    """

    pack: str
    article: str
    quote: str
    due: datetime
    basis: str
    basis_at: datetime
    met_by: Literal["sealed", "confirmed"]
    sinks: tuple[str, ...]
    keep_article: str
    keep_until: datetime | None
    permanent: bool = False
    rests_on: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """How an object is kept from being deleted: until a moment, or (``hold``) until somebody lifts the hold."""

    until: datetime | None = None
    hold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A run of bytes, ``offset`` and ``length`` in the file."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Span):
    """A run of bytes that could be read and is kept as a file of its own; ``blake3`` of what was kept, in hex."""

    blake3: str


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
    Receipted,
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
