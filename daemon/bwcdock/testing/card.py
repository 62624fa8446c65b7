"""What a made card is: the image on disk, and everything a test or the demo needs to judge a reader of it."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from bwcdock.core.facts import Kind
from bwcdock.testing.exfat import ExfatImage
from bwcdock.testing.exfat_records import ARCHIVE, READ_ONLY
from bwcdock.testing.fat import FatImage

ZONE = ZoneInfo("Asia/Shanghai")
# What a directory entry keeps of a modification time.
_EXFAT_STEP, _FAT_STEP = timedelta(milliseconds=10), timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFile:
    """One file on a card: what is in it, and what its name and directory entry claim.

    ``parts`` are the names from the root down, raw; ``modified`` is the naive wall time the card holds. ``start`` and
    ``end`` are the recorder's claim in its name, aware, not corrected by its clock's error; ``None`` where the name
    has none. ``number`` is the recorder's running number. ``important`` is what folder or name marks so, ``locked`` a
    read-only attribute; ``skipped`` marks files a reader leaves alone (side files). ``valid`` is less than
    ``size`` where the rest was never written: there the clusters hold something old, and ``sha256`` counts zeros.
    """

    parts: tuple[str, ...]
    modified: datetime
    size: int = 0
    valid: int = 0
    sha256: str = ""
    kind: Kind = Kind.VIDEO
    start: datetime | None = None
    end: datetime | None = None
    officer: str = ""
    number: int | None = None
    important: bool = False
    locked: bool = False
    truncated: bool = False
    skipped: bool = False

    @property
    def path(self) -> str:
        """The names joined by '/': ambiguous only on a hostile card."""
        return "/".join(self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card image, and what a reader must make of it.

    ``offset`` is where the file system starts in the image, in bytes. ``serial`` is the recorder as a reader must name
    it and ``basis`` where that stands (``name-group``, ``label``, ``volume-serial``). ``clock_offset_s`` is the true
    error of the recorder's clock, positive when fast; ``plug_file`` the file it wrote while being plugged in.
    ``holes`` are running numbers that are missing.
    """

    path: Path
    file_system: str
    size: int
    offset: int
    label: str
    volume_serial: int
    serial: str
    basis: str
    clock_offset_s: float
    files: tuple[CardFile, ...]
    deleted: tuple[CardFile, ...] = ()
    dirty: bool = False
    plug_file: str = ""
    holes: tuple[int, ...] = ()

    @property
    def items(self) -> tuple[CardFile, ...]:
        """The files a reader must list."""
        return tuple(one for one in self.files if not one.skipped)

    @property
    def truncated(self) -> tuple[CardFile, ...]:
        """The recordings that end in the middle."""
        return tuple(one for one in self.files if one.truncated)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file to be put on a card: its bytes and claims (size and digest are filled in), and how it comes to lie."""

    file: CardFile
    content: bytes
    deleted: bool = False
    fragments: int = 1


def fill_exfat(volume: ExfatImage, wanted: Iterable[Wanted], utc_quarters: int | None) -> "Filled":
    """Put the files on an exFAT volume, then delete those to be deleted."""

    def add(one: Wanted, modified: datetime, created: datetime, attributes: int) -> None:
        volume.add(
            one.file.parts,
            one.content,
            modified=modified,
            created=created,
            utc_quarters=utc_quarters,
            valid=one.file.valid or None,
            fragments=one.fragments,
            attributes=attributes,
        )

    filled = _fill(add, wanted, _EXFAT_STEP)
    for gone in filled.deleted:
        volume.delete(gone.parts)
    return filled


def fill_fat(volume: FatImage, wanted: Iterable[Wanted]) -> "Filled":
    """Put the files on a FAT volume, then delete those to be deleted."""

    def add(one: Wanted, modified: datetime, created: datetime, attributes: int) -> None:
        volume.add(one.file.path, one.content, modified=modified, created=created, attributes=attributes)

    filled = _fill(add, wanted, _FAT_STEP)
    for gone in filled.deleted:
        volume.delete(gone.path)
    return filled


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What came to lie on a card."""

    files: tuple[CardFile, ...]
    deleted: tuple[CardFile, ...]


def _fill(add: Callable[[Wanted, datetime, datetime, int], None], wanted: Iterable[Wanted], step: timedelta) -> Filled:
    files: tuple[list[CardFile], list[CardFile]] = ([], [])
    for one in wanted:
        modified = naive(one.file.modified)
        created = naive(one.file.start or one.file.modified)
        add(one, modified, created, ARCHIVE | (READ_ONLY if one.file.locked else 0))
        midnight = modified.replace(hour=0, minute=0, second=0, microsecond=0)
        readable = one.content[: one.file.valid or None].ljust(len(one.content), b"\0")
        kept = replace(
            one.file,
            size=len(one.content),
            valid=one.file.valid or len(one.content),
            sha256=hashlib.sha256(readable).hexdigest(),
            modified=midnight + (modified - midnight) // step * step,
        )
        files[one.deleted].append(kept)
    return Filled(files=tuple(files[False]), deleted=tuple(files[True]))


def naive(moment: datetime) -> datetime:
    """The wall time in Asia/Shanghai, as a recorder there writes it."""
    return moment.astimezone(ZONE).replace(tzinfo=None) if moment.tzinfo else moment
