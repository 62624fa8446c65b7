"""Writes exFAT images as recorders leave them, without root, kernel or other tools.

Everything follows Microsoft's published *exFAT file system specification*, revision 1.00; section numbers are its own.
Directories, the allocation bitmap and the root are written by ``close``; an image not closed is not a file system.
"""

import os
import struct
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from types import TracebackType

from bwcdock.errors import Misused
from bwcdock.testing import exfat_records as records
from bwcdock.testing import image
from bwcdock.testing.exfat_records import ARCHIVE, DIRECTORY, Geometry, Node
from bwcdock.testing.image import PARTITION_START, SECTOR, Content

_FAT_AT = 128  # sector of the FAT: past both boot regions (24 sectors), on a 64 KiB boundary

Name = str | tuple[str, ...]


class ExfatImage:
    """One exFAT volume in a new file ``path`` of ``size`` bytes, all of it sparse until written.

    ``cluster`` is bytes per cluster (a power of two, 512 B to 32 MiB; by size when ``None``), ``serial`` the volume
    serial number, ``partitioned`` puts the volume behind a partition table (type 0x07, at 1 MiB), ``dirty`` leaves the
    VolumeDirty flag set. No name is refused that fits 255 UTF-16 units: a name given as a tuple of components is
    stored as it stands, whatever is in it, as a hostile card would. Freed clusters are never used again, so what is
    deleted can still be read. Raises :class:`~bwcdock.errors.Misused` where the image is too small for its content.
    """

    def __init__(
        self,
        path: Path,
        size: int,
        *,
        label: str = "",
        serial: int = 0x12345678,
        cluster: int | None = None,
        partitioned: bool = False,
        dirty: bool = False,
    ) -> None:
        if len(records.units_of(label)) // 2 > records.LABEL_UNITS:
            raise Misused("make exFAT image", f"The label {label!r} is too long.", "Use at most 11 characters.")
        self._label, self._serial, self._dirty = label, serial, dirty
        self._at = _lay_out_volume(size, cluster or _usual_cluster(size), PARTITION_START if partitioned else 0)
        self._bitmap = bytearray(-(-self._at.clusters // 8))
        self._next, self._root = 2, Node(name="", attributes=DIRECTORY, created=_EPOCH, modified=_EPOCH, zone=None)
        self._fd = image.create(path, size)
        if partitioned:
            image.write_mbr(self._fd, 0x07, self._at.sectors, serial)
        os.pwrite(self._fd, struct.pack("<II", 0xFFFFFFF8, records.END_OF_CHAIN), self._fat_entry(0))  # 4.1.1, 4.1.2
        self._bitmap_runs = self._take(self._clusters(len(self._bitmap)), 1)
        self._table_runs = self._take(self._clusters(len(records.upcase_table()[1])), 1)

    def __enter__(self) -> "ExfatImage":
        """Nothing more to do."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Finish the file system, or after an error just let go of the file."""
        if kind is None:
            self.close()
        elif self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def mkdir(
        self,
        path: Name,
        *,
        modified: datetime,
        created: datetime | None = None,
        utc_quarters: int | None = None,
        attributes: int = DIRECTORY,
    ) -> None:
        """Make a directory; times as in :meth:`add`. Making one that is there is no error."""
        *above, name = _parts(path)
        parent = self._parent(above, created or modified, modified, utc_quarters)
        if _find(parent, name, DIRECTORY) is None:
            parent.children.append(
                Node(
                    name=name,
                    attributes=attributes | DIRECTORY,
                    created=created or modified,
                    modified=modified,
                    zone=utc_quarters,
                )
            )

    def add(
        self,
        path: Name,
        content: Content,
        *,
        modified: datetime,
        created: datetime | None = None,
        utc_quarters: int | None = None,
        size: int | None = None,
        valid: int | None = None,
        fragments: int = 1,
        attributes: int = ARCHIVE,
    ) -> list[tuple[int, int]]:
        """Add a file (and the directories above it); return its places in the image file as (offset, length).

        ``modified`` and ``created`` are what the recorder's wall clock shows (a time zone in them is ignored),
        ``utc_quarters`` its offset from UTC in quarter hours, written as valid, or ``None`` for "not said".
        ``size`` is needed for streamed content and may be more than the content has (the rest is a hole); ``valid`` is
        the ValidDataLength where it is less than the size. With ``fragments`` above 1 the file lies in that many runs
        with free clusters between, linked in the FAT; else it is contiguous and marked NoFatChain. A second file of
        the same name is a second entry.
        """
        *above, name = _parts(path)
        length = image.size_of(content, size)
        runs = self._take(self._clusters(length), max(1, fragments))
        places = self._places(runs, length)
        image.pour(self._fd, places, content)
        self._parent(above, created or modified, modified, utc_quarters).children.append(
            Node(
                name=name,
                attributes=attributes,
                created=created or modified,
                modified=modified,
                zone=utc_quarters,
                runs=runs,
                size=length,
                valid=length if valid is None else valid,
            )
        )
        return places

    def delete(self, path: Name) -> None:
        """Delete as a recorder does: the entry set loses its InUse bits, the clusters are free, the bytes stay."""
        *above, name = _parts(path)
        node: Node | None = self._root
        for part in (*above, name):
            node = _find(node, part) if node else None
        if node is None:
            raise Misused("delete from image", f"There is no {path!r}.", "Add it first.")
        self._forget(node)

    def close(self) -> None:
        """Write directories, bitmap, up-case table and both boot regions. A second call does nothing."""
        if self._fd < 0:
            return
        try:
            self._lay_out(self._root)
            checksum, table = records.upcase_table()
            lead = records.label_entry(self._label)
            lead += struct.pack("<BB18xIQ", 0x81, 0, self._bitmap_runs[0][0], len(self._bitmap))  # 7.1
            lead += struct.pack("<B3xI12xIQ", 0x82, checksum, self._table_runs[0][0], len(table))  # 7.2
            self._write_directory(self._root, lead)
            for runs in (self._bitmap_runs, self._table_runs, self._root.runs):
                self._chain(runs)  # 7.1.4, 7.2.4, 3.1.10: these three have no NoFatChain flag, so always a chain
            image.pour(self._fd, self._places(self._table_runs, len(table)), table)
            image.pour(self._fd, self._places(self._bitmap_runs, len(self._bitmap)), bytes(self._bitmap))
            used = sum(byte.bit_count() for byte in self._bitmap)
            root = self._root.runs[0][0]
            region = records.boot_region(self._at, root=root, serial=self._serial, used=used, dirty=self._dirty)
            os.pwrite(self._fd, region * 2, self._at.start * SECTOR)  # 2: the backup follows the main region
        finally:
            os.close(self._fd)
            self._fd = -1

    # --- tree ---

    def _parent(self, parts: Iterable[str], created: datetime, modified: datetime, zone: int | None) -> Node:
        node = self._root
        for part in parts:
            child = _find(node, part, DIRECTORY)
            if child is None:
                child = Node(name=part, attributes=DIRECTORY, created=created, modified=modified, zone=zone)
                node.children.append(child)
            node = child
        return node

    def _forget(self, node: Node) -> None:
        node.deleted = True
        self._mark(node.runs, 0)
        for child in node.children:
            self._forget(child)

    # --- clusters ---

    def _clusters(self, length: int) -> int:
        return -(-length // self._at.cluster)

    def _fat_entry(self, cluster: int) -> int:
        return (self._at.start + self._at.fat_at) * SECTOR + cluster * 4

    def _take(self, count: int, fragments: int) -> list[tuple[int, int]]:
        """``count`` clusters never used before, in one run without chain or in several with gaps and a chain."""
        if not count:
            return []
        pieces = min(fragments, count)
        if self._next + count + pieces - 1 > self._at.clusters + 2:
            raise Misused("write exFAT image", "The image is full.", "Make the image larger.")
        runs = []
        for number in range(pieces):
            length = count // pieces + (number < count % pieces)
            runs.append((self._next, length))
            self._next += length + (number < pieces - 1)
        self._mark(runs, 1)
        if pieces > 1:
            self._chain(runs)
        return runs

    def _chain(self, runs: list[tuple[int, int]]) -> None:
        after = [first for first, _ in runs[1:]] + [records.END_OF_CHAIN]
        for (first, length), link in zip(runs, after, strict=True):
            links = struct.pack(f"<{length}I", *range(first + 1, first + length), link)
            os.pwrite(self._fd, links, self._fat_entry(first))

    def _mark(self, runs: list[tuple[int, int]], used: int) -> None:
        for first, length in runs:
            for bit in range(first - 2, first - 2 + length):
                if used:
                    self._bitmap[bit >> 3] |= 1 << (bit & 7)
                else:
                    self._bitmap[bit >> 3] &= ~(1 << (bit & 7)) & 0xFF

    def _places(self, runs: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
        places, heap = [], (self._at.start + self._at.heap_at) * SECTOR
        for first, count in runs:
            span = min(count * self._at.cluster, length)
            places.append((heap + (first - 2) * self._at.cluster, span))
            length -= span
        return places

    # --- directories ---

    def _lay_out(self, node: Node) -> None:
        """Give every directory its clusters, the deepest first."""
        length = 3 * 32 if node is self._root else 0  # the root also holds label, bitmap and up-case table
        for child in node.children:
            if child.attributes & DIRECTORY:
                self._lay_out(child)
            length += records.set_length(child.name)
        node.runs = self._take(max(1, self._clusters(length)), 1)
        node.size = node.valid = node.runs[0][1] * self._at.cluster
        if node.deleted:
            self._mark(node.runs, 0)

    def _write_directory(self, node: Node, lead: bytes = b"") -> None:
        entries = lead + b"".join(records.entry_set(child) for child in node.children)
        image.pour(self._fd, self._places(node.runs, node.size), entries)
        for child in node.children:
            if child.attributes & DIRECTORY:
                self._write_directory(child)


# A volume this old can only be a default; 1980 is the first year a timestamp can hold (7.4.8).
_EPOCH = datetime(1980, 1, 1)  # noqa: DTZ001 - wall time of a recorder, which has no zone


def _lay_out_volume(size: int, cluster: int, start: int) -> Geometry:
    sectors, per_cluster = size // SECTOR - start, cluster // SECTOR
    # The FAT is sized for every cluster the volume could have; the heap then starts on a cluster boundary.
    fat_sectors = -(-(sectors // per_cluster + 2) * 4 // SECTOR)
    heap_at = -(-(_FAT_AT + fat_sectors) // per_cluster) * per_cluster
    clusters = (sectors - heap_at) // per_cluster
    if sectors * SECTOR < 1 << 20 or clusters < 8:  # 3.1.5: a volume has at least 1 MiB
        raise Misused("make exFAT image", f"{size} bytes are too few.", "Make the image larger.")
    return Geometry(
        start=start,
        sectors=sectors,
        fat_at=_FAT_AT,
        fat_sectors=fat_sectors,
        heap_at=heap_at,
        clusters=clusters,
        cluster=cluster,
    )


def _usual_cluster(size: int) -> int:
    """What Windows and the SD Association's formatter choose, by the size of the card."""
    if size <= 256 << 20:
        return 4 << 10
    return 32 << 10 if size <= 32 << 30 else 128 << 10


def _parts(path: Name) -> tuple[str, ...]:
    parts = tuple(path.split("/")) if isinstance(path, str) else path
    for part in parts:
        if not 1 <= len(records.units_of(part)) // 2 <= records.NAME_UNITS:
            raise Misused("write exFAT image", f"The name {part!r} cannot be held.", "Use 1 to 255 UTF-16 units.")
    return parts


def _find(node: Node, name: str, kind: int = 0) -> Node | None:
    """The last live child of this very name (case matters), of any kind or with the attribute ``kind``."""
    living = (child for child in reversed(node.children) if child.name == name and not child.deleted)
    return next((child for child in living if child.attributes & kind == kind), None)
