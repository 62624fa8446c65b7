"""Recorders that are a disk: FAT12/16/32, exFAT, NTFS and ext on a block device or in an image, never mounted.

Claims: a regular file or block device that begins with one of these file systems or a partition table: 80; any
other block device, and a file that may not be read: 10, so that it is opened and what is wrong is named; nothing else.
Speaks: the file systems themselves, in user space, by The Sleuth Kit in a locked-in process (``reader.py``).
Can: list, tell deleted entries, label, serial, dirty mark, room, clock drift; read past the page cache; tell the file
that sets its clock. Never writes.
Needs: read permission on the device node; no root, no mount, no kernel file system.
Quirks: ``quirks/*.toml`` and drop-in directories; see ``quirks.py``.
Tested with: FAT12, FAT16, FAT32, exFAT images made by ``bwcdock.testing``, ext4 images by mke2fs; no hardware.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from stat import S_ISBLK, S_ISREG

from bwcdock.core.facts import Condition, Finding, Identity, Item, Severity, Sighting, Span
from bwcdock.core.names import escape
from bwcdock.errors import BwcdockError, Misbehaved, NotAllowed, Unreadable
from bwcdock.ports import ClockFile, Recorder

from . import card, naming, volume
from .card import Card, Described, finding
from .naming import Found
from .quirks import Quirks
from .reading import DeletedRow, FileRow, Listing, Reader
from .source import Extents, Source, absent, gone, opened, read_into

_RESOLUTION_MS = {"fat12": 2000, "fat16": 2000, "fat32": 2000, "exfat": 10, "ntfs": 1, "ext": 1}

_NOTES: dict[str, tuple[Severity, str, str]] = {
    "volume.several": (Severity.WARN, "The card has more partitions than are looked at.", "Look at it by hand."),
    "volume.encrypted": (Severity.WARN, "A partition is encrypted.", "Ask for the key, or copy it by hand."),
    "volume.unknown": (Severity.WARN, "A partition holds no file system that is known.", "Look at it by hand."),
    "volume.damaged": (Severity.WARN, "A file system is too damaged to be opened.", "Keep the card; image it."),
    "volume.truncated": (Severity.WARN, "A file system claims more bytes than the card has.", "Test the card."),
    "directory.loop": (Severity.WARN, "Folders lead back into themselves.", "Keep the card; check how it was made."),
    "directory.unreadable": (Severity.WARN, "Folders cannot be read; files may be missing.", "Keep the card."),
    "file.special": (Severity.WARN, "Links, pipes or devices are not followed.", "Look at them by hand."),
    "file.impossible": (Severity.WARN, "Files claim to be larger than their volume.", "Keep the card; check it."),
    "path.too_long": (Severity.WARN, "Paths over 4096 bytes; those files are left.", "Look at them by hand."),
}  # fmt: skip


class MassStorageDriver:
    """Opens disks and images of disks."""

    name = "mass-storage"

    def __init__(self, quirk_dirs: Sequence[Path] = ()) -> None:
        self._quirks = Quirks(quirk_dirs)

    def claims(self, sighting: Sighting) -> int:
        """80 where a file system or partition table begins, 10 for what only opening can tell of, else 0."""
        try:
            mode = Path(sighting.source).lstat().st_mode
        except (OSError, ValueError):
            return 0
        if not (S_ISBLK(mode) or S_ISREG(mode)):
            return 0
        unknown = 10 if S_ISBLK(mode) else 0
        try:
            with opened(sighting.source) as (source, _):
                return 80 if _begins(source) else unknown
        except NotAllowed:
            return 10  # opening says who may not read it, and what to do
        except (BwcdockError, OSError):
            return unknown

    def open(self, sighting: Sighting) -> AbstractContextManager[Recorder]:
        """Open, list and describe it; everything after this is answered from that one look."""
        return self._open(sighting)

    @contextmanager
    def _open(self, sighting: Sighting) -> Iterator[Recorder]:
        with opened(sighting.source) as (source, size):
            reader = Reader(source.fd, size, source.alive)
            try:
                yield MassStorageRecorder(sighting, source, reader, self._quirks)
            finally:
                reader.close()


def _begins(source: Source) -> bool:
    def pread(offset: int, length: int) -> bytes:
        buffer = bytearray(length)
        return bytes(buffer[: source.fill(offset, memoryview(buffer))])

    return bool(volume.sniff(pread, 0)) or pread(0, 512)[510:] == b"\x55\xaa"


@lru_cache(4096)
def _component(raw: str) -> str:
    return escape(bytes.fromhex(raw))


@dataclass(frozen=True, slots=True)
class _File:
    """What is kept of a listed file; ``places`` is ``None`` where only the file system's own reader finds them."""

    volume: int
    inode: int
    size: int
    initialised: int
    places: tuple[tuple[int, int], ...] | None


class MassStorageRecorder:
    """One opened disk. Used from one thread at a time; a reader process lives only as long as it is needed."""

    def __init__(self, sighting: Sighting, source: Source, reader: Reader, quirks: Quirks) -> None:
        self._opened = time.monotonic()
        self._live = sighting.live
        self._source, self._reader = source, reader
        listing = reader.listing()
        if not listing.volumes:
            told = [naming.printable(e) for _, _, examples in listing.notes for e in examples[:3]]
            seen = "; ".join(told) or "no file system"
            raise Misbehaved("open", f"Nothing on this card can be read: {seen}.", "Look at it by hand.")
        self._volumes = listing.volumes
        self._files: dict[str, _File] = {}
        self._current: tuple[str, Extents] | None = None
        first = listing.volumes[0]
        found, notes = self._found(listing)
        self._described: Described = card.described(
            Card(
                sighting=sighting,
                filesystem=first.kind,
                label=naming.printable(first.label),
                fallback=(f"vol-{first.serial or '0'}", "volume-serial"),
                found=found,
                notes=notes,
            ),
            quirks,
        )

    def identity(self) -> Identity:
        """Who it says it is."""
        return self._described.identity

    def condition(self, now: datetime) -> Condition:
        """Room, dirty mark, drift and findings; a disk has no battery to ask."""
        since = round((time.monotonic() - self._opened) * 1000)
        free = [v.free for v in self._volumes]
        return Condition(
            storage_free=None if None in free else sum(f or 0 for f in free),
            storage_total=sum(v.size for v in self._volumes),
            drift=card.drift(self._described, now, since, live=self._live),
            dirty=_any(v.dirty for v in self._volumes),
            notes=self._described.notes,
        )

    def clock_file(self, moment: datetime) -> ClockFile | None:
        """What its quirk says that such a recorder reads (:class:`bwcdock.ports.ReadsClockFile`)."""
        return card.clock_file(self._described, moment)

    def items(self) -> list[Item]:
        """Every file found when it was opened."""
        return list(self._described.items)

    def read_into(self, item: Item, offset: int, buffer: memoryview) -> int:
        """Read from the device into ``buffer``; compressed, resident and oddly placed files through the reader."""
        file = self._files.get(item.path)
        if file is None:
            raise absent(item)
        if file.places is None:
            return self._read_through(file, item.path, offset, buffer)
        if self._current is None or self._current[0] != item.path:
            self._current = (item.path, Extents(file.places, file.size, file.initialised))
        return read_into(self._source, self._current[1], offset, buffer, item.path)

    def _read_through(self, file: "_File", path: str, offset: int, buffer: memoryview) -> int:
        wanted = min(len(buffer), file.size - offset)
        if wanted <= 0:
            return 0
        data = self._reader.read(self._volumes[file.volume], file.inode, offset, wanted)
        if not data:
            what = f"{path} ends at {offset}, before its size."
            raise Unreadable("read", what, "Keep the card; image it.", [Span(offset=offset, length=wanted)])
        if not self._source.alive():  # the reader may know these bytes from the table, and the card be gone
            raise gone("read")
        buffer[: len(data)] = data
        return len(data)

    def present(self) -> bool:
        """Whether the device is still the one that was opened, and its first sector answers."""
        return self._source.alive()

    # --- what was listed ----------------------------------------------------------------------------------------------

    def _found(self, listing: Listing) -> tuple[list[Found], list[Finding]]:
        found: list[Found] = []
        twins: list[tuple[str, str]] = []
        counts: Counter[str] = Counter()
        broken: list[tuple[str, str]] = []
        undefined: list[tuple[str, str]] = []
        for row in listing.files:
            on = listing.volumes[row.v]
            path = _path(row)
            if path in self._files:
                path = self._twin(path, counts)
                twins.append((path, f"{row.s} bytes"))
            missing = 0 if row.x is None else min(row.n, row.s) - sum(min(n, row.s) for _, n in row.x)
            if missing > 0:
                broken.append((path, f"{missing} of {row.s} bytes"))
            if row.n < row.s:
                undefined.append((path, f"{row.s - row.n} of {row.s} bytes"))
            self._files[path] = _File(row.v, row.i, row.s, row.n, row.x)
            found.append(
                Found(
                    path=path,
                    prefix=_prefix(row.v),
                    size=row.s,
                    modified=_time(row.m),
                    zone=row.z,
                    resolution_ms=_RESOLUTION_MS[on.kind],
                    attributes=frozenset(row.a),
                )
            )
        return found, [*_listed(listing), *_file_notes(twins, broken, undefined), *_deleted_notes(listing)]

    def _twin(self, path: str, twins: Counter[str]) -> str:
        """A free name for a further file of the same name; ``twins`` counts them, so that many cost no more."""
        while True:
            twins[path] += 1
            name = f"{path}~{twins[path] + 1}"
            if name not in self._files:  # a file may really be called so
                return name


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _any(marks: Iterator[bool | None]) -> bool | None:
    known = [m for m in marks if m is not None]
    return any(known) if known else None


def _listed(listing: Listing) -> Iterator[Finding]:
    if listing.errors:
        what = f"Reads that failed while the card was listed: {listing.errors}."
        yield finding("volume.read_errors", Severity.WARN, what, "Files may be missing; keep the card.", ())
    if not (listing.files or listing.notes or listing.errors):
        what = "There is no file on this card; its file system is well."
        yield finding("listing.empty", Severity.NOTE, what, "Ask the officer whether nothing was recorded.", ())
    for code, count, examples in listing.notes:
        severity, what, remedy = _NOTES.get(code, (Severity.WARN, f"The card's reader says {code[:40]}.", ""))
        yield finding(code, severity, what, remedy, [(naming.printable(e), "") for e in examples], count)
    if len(listing.volumes) > 1:
        parts = [(f"p{n}", f"{v.kind}, {v.size} bytes") for n, v in enumerate(listing.volumes, 1)]
        what = f"The card has {len(parts)} file systems; files of the later ones are listed under p2, p3 and so on."
        yield finding("volume.several", Severity.NOTE, what, "Check that this is how the maker does it.", parts)
    room = sum(v.size for v in listing.volumes)
    claimed = sum(row.s for row in listing.files)
    if claimed > room:
        what = f"The files claim {claimed} bytes together on a card of {room}: some share their places."
        yield finding("files.crosslinked", Severity.WARN, what, "Keep the card; its tables are damaged.", ())
    if not listing.confined:
        what = "The reader of this card ran without a system-call filter."
        yield finding("reader.unfiltered", Severity.NOTE, what, "Use a kernel with seccomp on x86-64 or arm64.", ())


def _file_notes(
    twins: list[tuple[str, str]], broken: list[tuple[str, str]], undefined: list[tuple[str, str]]
) -> Iterator[Finding]:
    if twins:
        what = f"Files with the name of another in the same folder, told apart by ~2, ~3: {len(twins)}."
        yield finding("name.duplicate", Severity.WARN, what, "Check how the card was written.", twins)
    if broken:
        what = f"Files that are longer than what can be found of them: {len(broken)}."
        yield finding("file.chain_broken", Severity.WARN, what, "Keep the card; image it.", broken)
    if undefined:
        what = f"Files that end in bytes reserved and never written, which read as zeros: {len(undefined)}."
        yield finding("exfat.valid_length", Severity.WARN, what, "The last recording was probably cut off.", undefined)


def _deleted_notes(listing: Listing) -> Iterator[Finding]:
    """Deleted entries, without those whose content lives on under another name (renamed or moved, not deleted)."""
    firsts = {row.x[0][0] for row in listing.files if row.x}
    gone = [row for row in listing.deleted if row.at < 0 or row.at not in firsts]
    if not gone:
        return
    count = listing.deleted_count - (len(listing.deleted) - len(gone))
    what = f"Files deleted from the card before it was docked: {count}."
    remedy = "Ask who deleted them; their content may still be there, so keep the card."
    examples = [(_path(row), f"{row.s} bytes, created {row.c or 'unknown'}, modified {row.m}") for row in gone]
    yield finding("deleted.before_docking", Severity.WARN, what, remedy, examples, count)


def _path(row: FileRow | DeletedRow) -> str:
    """Where it lies; files of the second file system and on stand under its number."""
    return _prefix(row.v) + "/".join(map(_component, row.p))


def _prefix(volume_index: int) -> str:
    return f"p{volume_index + 1}/" if volume_index else ""
