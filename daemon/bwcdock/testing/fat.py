"""Writes FAT12, FAT16 and FAT32 images as recorders leave them, formatted and laid out by pyfatfs.

Only the low-level half of pyfatfs is used (``pyfatfs.PyFat`` and its entries): its file layer stamps entries with the
present time, rewrites both FATs after every call, and needs packages that no longer install cleanly. File bytes are
written straight into the clusters it allocates.
"""

import importlib
import os
import struct
from collections.abc import Iterable
from copy import copy
from datetime import datetime
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from bwcdock.errors import Misused
from bwcdock.testing import image
from bwcdock.testing.exfat_records import ARCHIVE, DIRECTORY  # the attribute bits are FAT's
from bwcdock.testing.image import PARTITION_START, SECTOR, Content

_PARTITION_TYPES = {12: 0x01, 16: 0x06, 32: 0x0C}
# What pyfatfs's own cluster tables can format: below, it would choose no cluster size at all.
_LEAST = {12: 64 << 10, 16: 5 << 20, 32: 34 << 20}


class FatImage:
    """One FAT volume of ``bits`` 12, 16 or 32 in a new sparse file ``path`` of ``size`` bytes.

    ``label`` is at most 11 bytes of GBK, ``serial`` the volume serial number, ``partitioned`` puts the volume behind a
    partition table at 1 MiB, ``dirty`` leaves the marks of a volume that was not unmounted. Names are at most 127
    characters. Raises :class:`~bwcdock.errors.Misused` without pyfatfs, for a size that cannot be formatted, and where
    the image is full.
    """

    def __init__(
        self,
        path: Path,
        size: int,
        *,
        bits: int = 32,
        label: str = "",
        serial: int = 0x12345678,
        partitioned: bool = False,
        dirty: bool = False,
    ) -> None:
        start = PARTITION_START * SECTOR if partitioned else 0
        if bits not in _LEAST or size - start < _LEAST[bits]:
            raise Misused("make FAT image", f"FAT{bits} cannot be made in {size} bytes.", f"Sizes: {_LEAST}.")
        if len(label.encode("gbk")) > 11:
            raise Misused("make FAT image", f"The label {label!r} is too long.", "Use at most 11 bytes of GBK.")
        self._names, self._entries = _pyfatfs("EightDotThree"), _pyfatfs("FATDirectoryEntry")
        driver = _pyfatfs("PyFat").PyFat
        self._start, self._bits, self._dirty = start, bits, dirty
        self._doomed: list[Any] = []
        self._fd = image.create(path, size)
        if partitioned:
            image.write_mbr(self._fd, _PARTITION_TYPES[bits], (size - start) // SECTOR, serial)
        maker = driver(offset=start)
        maker.mkfs(str(path), fat_type=bits, size=size - start, volume_id=serial)
        maker.close()
        self._fat = driver(offset=start, lazy_load=False)
        self._fat.open(str(path))
        header = self._fat.bpb_header
        # Its FAT list covers whole FAT sectors, which is more than there are clusters: never hand those out.
        data = (header["BPB_TotSec16"] or header["BPB_TotSec32"]) - self._fat.first_data_sector
        del self._fat.fat[data // header["BPB_SecPerClus"] + 2 :]
        self._name_volume(label)

    def __enter__(self) -> "FatImage":
        """Nothing more to do."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Finish the file system and let go of the file."""
        self.close()

    def mkdir(
        self, path: str, *, modified: datetime, created: datetime | None = None, attributes: int = DIRECTORY
    ) -> None:
        """Make a directory and those above it; making one that is there is no error."""
        self._directory(path.split("/"), created or modified, modified, attributes)

    def add(
        self,
        path: str,
        content: Content,
        *,
        modified: datetime,
        created: datetime | None = None,
        size: int | None = None,
        attributes: int = ARCHIVE,
    ) -> list[tuple[int, int]]:
        """Add a file (and the directories above it); return its places in the image file as (offset, length).

        ``modified`` and ``created`` are what the recorder's wall clock shows; FAT keeps 2 s of the one and 10 ms of
        the other, and no time zone. ``size`` is needed for streamed content and may be more than the content has.
        """
        length = image.size_of(content, size)
        if length > 0xFFFFFFFF:
            raise Misused("write FAT image", f"{path} is {length} bytes long.", "FAT holds files below 4 GiB.")
        *above, name = path.split("/")
        parent = self._directory(above, created or modified, modified, DIRECTORY)
        clusters = self._take(length) if length else []
        places = self._places(clusters, length)
        image.pour(self._fd, places, content)
        entry = self._entry(parent, name, attributes, created or modified, modified)
        entry.filesize = length
        entry.set_cluster(clusters[0] if clusters else 0)
        self._put(parent, entry)
        return places

    def delete(self, path: str) -> None:
        """Delete a file as a recorder does: E5 in its entries, its clusters free, its bytes still there.

        It happens in :meth:`close`, so that nothing added later lands on those bytes.
        """
        self._doomed.append(self._fat.root_dir.get_entry(path))

    def close(self) -> None:
        """Write the FATs, the deletions, the free count and the dirty marks. A second call does nothing."""
        if self._fd < 0:
            return
        try:
            for entry in self._doomed:
                self._wipe(entry)
            self._fat.flush_fat()  # its own close forgets to, on FAT12
            self._fat.close()
            if self._bits == 32:
                self._count_free()
            if self._dirty:
                self._mark_dirty()
        finally:
            os.close(self._fd)
            self._fd = -1

    # --- entries ---

    def _name_volume(self, label: str) -> None:
        """Put the true label in both places: pyfatfs shortens it as if it were a file name."""
        raw = label.encode("gbk").ljust(11)
        self._fat.bpb_header["BS_VolLab"] = raw if label else b"NO NAME    "
        self._fat.bpb_header["BPB_HiddSec"] = self._start // SECTOR
        root = self._fat.root_dir
        (entry,) = (one for one in root._get_entries_raw() if one.is_volume_id())
        if label:
            entry.name.set_byte_name(raw)
            entry.crtdate, entry.crttime, entry.crttimetenth = 0, 0, 0
            entry.wrtdate, entry.wrttime, entry.lstaccessdate = 1 << 5 | 1, 0, 1 << 5 | 1  # 1980-01-01
        else:
            root._get_entries_raw().remove(entry)
        self._fat.update_directory_entry(root)

    def _entry(self, parent: Any, name: str, attributes: int, created: datetime, modified: datetime) -> Any:
        short = self._names.EightDotThree()
        short.set_str_name(short.make_8dot3_name(name, parent))
        entry = self._entries.FATDirectoryEntry.new(name=short, tz=None, encoding=short.encoding, attr=attributes)
        if short.get_unpadded_filename() != name:
            entry.set_lfn_entry(self._entries.make_lfn_entry(name, short))
        entry.crtdate, entry.crttime = _stamp(created)
        entry.crttimetenth = created.second % 2 * 100 + created.microsecond // 10_000
        entry.wrtdate, entry.wrttime = _stamp(modified)
        entry.lstaccessdate = entry.wrtdate
        return entry

    def _put(self, parent: Any, entry: Any) -> None:
        parent.add_subdirectory(entry)
        self._fat.update_directory_entry(parent)

    def _wipe(self, entry: Any) -> None:
        """E5 over the first byte of each entry; pyfatfs would also turn the pieces of the long name round."""
        if entry.get_cluster():
            self._fat.free_cluster_chain(entry.get_cluster())
        raw = bytearray(bytes(entry))
        raw[::32] = b"\xe5" * (len(raw) // 32)
        siblings = entry.get_parent_dir()._get_entries_raw()
        siblings[siblings.index(entry)] = bytes(raw)  # all it asks of an entry from here on is bytes(entry)
        self._fat.update_directory_entry(entry.get_parent_dir())

    def _directory(self, parts: Iterable[str], created: datetime, modified: datetime, attributes: int) -> Any:
        node = self._fat.root_dir
        for part in parts:
            found = next((one for one in node.get_entries()[0] if repr(one) == part), None)
            node = found or self._make_directory(node, part, created, modified, attributes)
        return node

    def _make_directory(self, parent: Any, name: str, created: datetime, modified: datetime, attributes: int) -> Any:
        made = self._entry(parent, name, attributes | DIRECTORY, created, modified)
        made.set_cluster(self._fat.allocate_bytes(1, erase=True)[0])
        for dots, target in ((b".", made), (b"..", parent)):
            special = copy(made)
            special.name, special.lfn_entry = self._names.EightDotThree(), None
            special.name.set_byte_name(dots.ljust(11))
            special.set_cluster(0 if target is self._fat.root_dir else target.get_cluster())
            made.add_subdirectory(special)
        self._fat.update_directory_entry(made)
        self._put(parent, made)
        return made

    # --- clusters ---

    def _take(self, length: int) -> list[int]:
        try:
            clusters: list[int] = self._fat.allocate_bytes(length)
        except _pyfatfs("_exceptions").PyFATException as full:
            raise Misused("write FAT image", "The image is full.", "Make the image larger.") from full
        return clusters

    def _places(self, clusters: list[int], length: int) -> list[tuple[int, int]]:
        """Runs of neighbouring clusters as places in the file, the last one cut to the length."""
        places: list[tuple[int, int]] = []
        step = self._fat.bytes_per_cluster
        for cluster in clusters:
            at, span = self._start + self._fat.get_data_cluster_address(cluster), min(step, length)
            if places and sum(places[-1]) == at:
                places[-1] = (places[-1][0], places[-1][1] + span)
            else:
                places.append((at, span))
            length -= span
        return places

    # --- what pyfatfs leaves out ---

    def _count_free(self) -> None:
        """FSInfo (sector 1, and its copy in sector 7): free clusters and where to look next."""
        free = struct.pack("<II", self._fat.fat.count(0), self._fat.first_free_cluster)
        for sector in (1, 7):
            os.pwrite(self._fd, free, self._start + sector * SECTOR + 488)

    def _mark_dirty(self) -> None:
        """The dirty bit of the boot sector, and the clean-shutdown bit of the FAT (FAT16 and FAT32) taken away."""
        flag_at = self._start + (0x41 if self._bits == 32 else 0x25)
        os.pwrite(self._fd, b"\x01", flag_at)
        if self._bits == 12:
            return
        header = self._fat.bpb_header
        wide = self._bits // 8
        for copy_number in range(header["BPB_NumFATs"]):
            sector = header["BPB_RsvdSecCnt"] + copy_number * self._fat._fat_size
            top = self._start + sector * SECTOR + 2 * wide - 1
            os.pwrite(self._fd, bytes([os.pread(self._fd, 1, top)[0] & (0xF7 if self._bits == 32 else 0x7F)]), top)


def _pyfatfs(module: str) -> ModuleType:
    try:
        return importlib.import_module(f"pyfatfs.{module}")
    except ImportError as missing:
        raise Misused("make FAT image", "pyfatfs is not installed.", "Install bwcdock[demo].") from missing


def _stamp(moment: datetime) -> tuple[int, int]:
    """Date and time as FAT packs them; odd seconds are lost."""
    date = (moment.year - 1980) << 9 | moment.month << 5 | moment.day
    return date, moment.hour << 11 | moment.minute << 5 | moment.second // 2
