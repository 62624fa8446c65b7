"""The values inside facts: what recorders, files, clocks, laws and copies are said to be.

Values are frozen, slotted and keyword-only. Times are aware UTC ``datetime``; sizes are bytes; durations are whole ms
where a field ends in ``_ms`` (a canonical leaf holds no floating-point number), seconds where it ends in ``_s``. A
``path`` is the escaped, printable, reversible text of :func:`bwcdock.core.names.escape`, never a path of this machine.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

Common: TypeAlias = Annotated[str, "common"]
"""A text that thousands of values have alike (an article's words, a zone, a sink): once read they share one object."""


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
    code: Common
    what: Common
    remedy: Common
    evidence: tuple[tuple[Common, Common], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Something docked: where it can be opened and at which physical place it sits.

    ``port`` is a stable physical path (``pci-…-usb-0:2.3``) or ``path:<drop folder>``; it is never ``/dev/sdb``.
    ``source`` is what the driver opens (a directory, an image, a block device). ``live``: it was plugged in now, and
    what it wrote then tells its clock; an old image is not. ``priority``: its slot goes before others. ``properties``
    are udev's (of what it hangs on with ``@`` before the name), or say where footage from elsewhere is from.
    """

    port: Common
    source: Common
    slot: int | None = None
    live: bool = True
    properties: tuple[tuple[Common, Common], ...] = ()
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

    serial: Common
    basis: Common
    vendor: Common = ""
    model: Common = ""
    firmware: Common = ""
    user: Common = ""
    unit: Common = ""
    label: Common = ""
    quirk: Common = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far the recorder's clock is from the station's, with how that is known.

    ``offset_ms`` is recorder minus station (positive: the recorder is fast). With ``bound="at_least"`` the clock is
    known to be off by at least that much in that direction and no more is known; it is then never used to correct a
    time, only to warn. ``method`` is one of ``protocol``, ``gps``, ``plug-file``, ``newest-file``.
    """

    method: Common
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
    source: Common
    zone: Common
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
    officer: Common = ""
    series: Common = ""
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

    container: Common = "other"
    started: datetime | None = None
    duration_ms: int | None = None
    truncated: bool = False
    fragmented: bool = False
    encoder: Common = ""
    gps_time: datetime | None = None
    problems: tuple[Common, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """When an item was recorded, corrected by the clock's measured drift; computed, never written over the claim.

    ``uncertainty_ms`` covers clock, source and file system. ``method`` is the drift's; ``uncorrected`` without one.
    """

    start: datetime | None
    end: datetime | None
    method: Common
    offset_ms: int
    uncertainty_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """What the law asks for one recording, fixed when the rule pack spoke.

    ``due`` is the last moment; ``article`` names the rule and ``quote`` its words. ``keep_until`` is ``None`` with
    ``permanent=True``. ``met_by`` says which fact meets the deadline. ``basis`` and ``basis_at`` say from what moment
    it counts; ``rests_on`` are the inputs, as pairs of text, so that anyone can compute it again.
    """

    pack: Common
    article: Common
    quote: Common
    due: datetime
    basis: Common
    basis_at: datetime
    met_by: Literal["sealed", "confirmed"]
    sinks: tuple[Common, ...]
    keep_article: Common
    keep_until: datetime | None
    permanent: bool = False
    rests_on: tuple[tuple[Common, Common], ...] = ()


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
