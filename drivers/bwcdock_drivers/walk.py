"""Walks one file system folder by folder and hands over its files, inside the locked-in reader process."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import pytsk3

from bwcdock_drivers import volume
from bwcdock_drivers.volume import Pread, RawEntry, Volume

ENTRIES_MAX = 200_000
"""Names on one card, deleted ones included: a year of five-minute segments is 105,120."""

DEPTH_MAX = 64
"""Folders inside each other: recorders use five; beyond 64 it is an attack or a loop."""

PATH_BYTES_MAX = 4096
"""Raw bytes of a whole path: what Linux itself allows."""

RUNS_MAX = 20_000
"""Pieces of one file handed over as places; a file in more pieces is read through this process."""

DELETED_MAX = 1000
"""Deleted entries handed over; the rest is counted."""

_NOT_PLAIN = int(pytsk3.TSK_FS_ATTR_RES) | int(pytsk3.TSK_FS_ATTR_COMP) | int(pytsk3.TSK_FS_ATTR_ENC)
_ALLOCATED = int(pytsk3.TSK_FS_NAME_FLAG_ALLOC)
_DEFAULT = int(pytsk3.TSK_FS_ATTR_TYPE_DEFAULT)
_FILLER = int(pytsk3.TSK_FS_ATTR_RUN_FLAG_FILLER)
_SPARSE = int(pytsk3.TSK_FS_ATTR_RUN_FLAG_SPARSE)
_FILE, _FOLDER = int(pytsk3.TSK_FS_META_TYPE_REG), int(pytsk3.TSK_FS_META_TYPE_DIR)
_VIRTUAL = (int(pytsk3.TSK_FS_META_TYPE_VIRT), int(pytsk3.TSK_FS_META_TYPE_VIRT_DIR))  # The Sleuth Kit's own
_DOTS = (b".", b"..")
_PIECE = 1 << 20
_SPECIAL = {
    int(pytsk3.TSK_FS_META_TYPE_LNK): "symbolic link",
    int(pytsk3.TSK_FS_META_TYPE_FIFO): "pipe",
    int(pytsk3.TSK_FS_META_TYPE_SOCK): "socket",
    int(pytsk3.TSK_FS_META_TYPE_CHR): "device",
    int(pytsk3.TSK_FS_META_TYPE_BLK): "device",
}


class TooMuch(Exception):
    """The card has more than the limits allow."""


class Out(Protocol):
    """Where a walk puts what it finds."""

    def file(self, row: dict[str, object]) -> None:
        """A file."""

    def note(self, code: str, detail: str) -> None:
        """Something a person should know."""


def _text(seconds: int, nanos: int) -> str:
    try:
        moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None, microsecond=nanos // 1000 % 1_000_000)
    except (ValueError, OverflowError, OSError):
        return ""
    return moment.isoformat(timespec="milliseconds") if seconds > 0 else ""


@dataclass(slots=True)
class _Folder:
    """A folder being listed: where, its folders found so far, and how many living entries were understood."""

    inode: int
    parts: tuple[bytes, ...]
    hexed: list[str]
    below: list[tuple[int, bytes]] = field(default_factory=list)
    understood: int = 0
    pieces: list[tuple[int, int]] | None = None


class Walk:
    """One file system, folder by folder; sends its files and counts what it met."""

    def __init__(
        self, *, pread: Pread, source_size: int, out: Out, index: int, found: Volume, system: Any, room: int
    ) -> None:
        self._pread, self._source_size, self._out, self._index = pread, source_size, out, index
        self._system, self._block = system, int(system.info.block_size)
        self._is_fat = found.kind not in ("ntfs", "ext")
        self.volume, self.room = found, room  # the label is filled in on the way; room is how many names may still come
        self.deleted: list[dict[str, object]] = []
        self.deleted_count = 0

    def run(self) -> None:
        """Walk all of it. Raises :class:`TooMuch`."""
        root = int(self._system.info.root_inum)
        seen = {root}
        todo: list[tuple[int, tuple[bytes, ...]]] = [(root, ())]
        while todo:
            inode, parts = todo.pop()
            for child, name in self._folder(_Folder(inode, parts, [p.hex() for p in parts])):
                below = (*parts, name)
                if child in seen:
                    if name not in _DOTS:
                        self._out.note("directory.loop", _show(below))
                elif len(below) > DEPTH_MAX:
                    raise TooMuch(f"more than {DEPTH_MAX} folders lie inside each other")
                else:
                    seen.add(child)
                    todo.append((child, below))

    def _folder(self, folder: _Folder) -> list[tuple[int, bytes]]:
        """Send the files of one folder; return its folders."""
        try:
            entries = iter(self._system.open_dir(inode=folder.inode))
        except OSError:
            self._out.note("directory.unreadable", _show(folder.parts))
            return []
        broken = 0
        while broken < 100:  # an iterator that only fails would otherwise never end
            try:
                entry = next(entries)
            except StopIteration:
                break
            except OSError:
                broken += 1
                self._out.note("directory.unreadable", _show(folder.parts))
                continue
            self.room -= 1
            if self.room < 0:
                raise TooMuch(f"the card has more than {ENTRIES_MAX} names")
            self._entry(entry, folder)
        if self._is_fat and (missing := self._named(folder.inode) - folder.understood) > 0:
            # The Sleuth Kit passes over entries that make no sense to it; a recording may be behind one.
            self._out.note("directory.unreadable", f"{_show(folder.parts)}: {missing} entries make no sense")
        return folder.below

    def _named(self, inode: int) -> int:
        """How many living entries the raw content of a folder holds."""
        count = at = 0
        ended = False
        try:
            content = self._system.open_meta(inode=inode)
            while not ended and at < content.info.meta.size:
                piece = content.read_random(at, _PIECE)
                found, ended = volume.living(self.volume.kind, piece)
                count, at = count + found, at + max(len(piece), 32)
        except OSError:
            return count
        return count

    def _following(self, folder: _Folder, end: int) -> int | None:
        """Where a folder goes on after the cluster that ends at a place; asked only at cluster ends of exFAT."""
        if folder.pieces is None:
            folder.pieces = self._runs(self._system.open_meta(inode=folder.inode)) or []
        for number, (at, length) in enumerate(folder.pieces):
            if at < end < at + length:
                return end
            if end == at + length and number + 1 < len(folder.pieces):
                return folder.pieces[number + 1][0]
        return None

    def _entry(self, entry: Any, folder: _Folder) -> None:
        name, meta = entry.info.name, entry.info.meta
        raw_name = bytes(name.name or b"")
        alive = bool(int(name.flags) & _ALLOCATED)
        if meta is None:
            if alive:
                self._out.note("directory.unreadable", _show((*folder.parts, raw_name)))
            return
        kind, inode = int(meta.type), int(name.meta_addr)
        if self.volume.kind == "ntfs" and inode < 24 and raw_name.startswith(b"$"):
            return  # the file system's own tables
        raw = self._raw(inode, folder) if self._is_fat else None
        if raw and raw.short and alive and not name.shrt_name:
            raw_name = raw.short
        if kind in _SPECIAL:
            if alive:
                self._out.note("file.special", f"{_SPECIAL[kind]} {_show((*folder.parts, raw_name))}")
        elif kind == _FOLDER:
            if alive:
                folder.understood += raw_name not in _DOTS or self.volume.kind == "exfat"
                folder.below.append((inode, raw_name))
        elif kind == _FILE and raw and raw.label is not None:
            if alive and not folder.parts:
                self.volume = replace(self.volume, label=raw.label)
        elif kind == _FILE and (raw or not self._is_fat):  # without: the allocation bitmap, the up-case table
            folder.understood += alive
            self._file(entry, folder, raw_name, raw, alive=alive)
        elif alive and not self._is_fat and kind not in (_FILE, *_VIRTUAL):
            # A name whose inode says it is nothing that can be; a recording may have been behind it.
            self._out.note("directory.unreadable", _show((*folder.parts, raw_name)))

    def _file(self, entry: Any, folder: _Folder, name: bytes, raw: RawEntry | None, *, alive: bool) -> None:
        meta = entry.info.meta
        raw = raw or RawEntry(
            modified=_text(int(meta.mtime), int(meta.mtime_nano)), birth=(0, 0, 0), zone="+00:00", attributes=()
        )
        size = int(meta.size)
        path = [*folder.hexed, name.hex()]
        if sum(map(len, path)) // 2 + len(path) > PATH_BYTES_MAX:
            self._out.note("path.too_long", _show((*folder.parts, name)))
        elif not alive:
            self._deleted(entry, path, name, size, raw)
        elif not 0 <= size <= self.volume.size:
            self._out.note("file.impossible", f"{_show((*folder.parts, name))}: {size} bytes")
        else:
            self._out.file(
                {
                    "v": self._index,
                    "i": int(meta.addr),
                    "p": path,
                    "s": size,
                    "n": size if raw.initialised is None else min(raw.initialised, size),
                    "m": raw.modified,
                    "z": raw.zone,
                    "a": raw.attributes,
                    "x": self._runs(entry),
                }
            )

    def _raw(self, inode: int, folder: _Folder) -> RawEntry | None:
        try:
            return volume.raw_entry(self._pread, self.volume, inode, lambda end: self._following(folder, end))
        except OSError:
            return None

    def _deleted(self, entry: Any, path: list[str], name: bytes, size: int, raw: RawEntry) -> None:
        """A deleted entry that could have been a recording: a printable name, a size that fits, a date."""
        text = name.decode("utf-8", "replace")
        if not 0 < size <= self.volume.size or not raw.modified or "\ufffd" in text or not text.isprintable():
            return
        self.deleted_count += 1
        if len(self.deleted) < DELETED_MAX:
            places = self._runs(entry) or [(-1, 0)]
            row = {"p": path, "s": size, "m": raw.modified, "c": raw.created, "at": places[0][0]}
            self.deleted.append({"v": self._index} | row)

    def _runs(self, entry: Any) -> list[tuple[int, int]] | None:
        """Places in the source as (offset, length), -1 for a hole; ``None``: only The Sleuth Kit can read it."""
        size = int(entry.info.meta.size)
        try:
            if self.volume.kind == "ntfs":
                return None  # pytsk3 does not tell how much of an NTFS file is initialised; The Sleuth Kit heeds it
            for attribute in entry:
                if int(attribute.info.type) == _DEFAULT:
                    return self._places(attribute, size)
        except OSError:
            return []  # a broken chain: nothing of it is known, and nothing is made up
        return []

    def _places(self, attribute: Any, size: int) -> list[tuple[int, int]] | None:
        if int(attribute.info.flags) & _NOT_PLAIN:
            return None
        places: list[tuple[int, int]] = []
        done = 0
        for run in attribute:
            length = min(int(run.len) * self._block, size - done)
            at = self.volume.offset + int(run.addr) * self._block
            flags = int(run.flags)
            if int(run.offset) * self._block != done or len(places) >= RUNS_MAX:
                return None
            filler = flags & _FILLER
            if length <= 0 or (filler and self.volume.kind != "ext"):
                break
            if filler or flags & _SPARSE:
                at = -1  # a hole; in an ext file it is told as a filler
            else:
                length = min(length, self._source_size - at)
                if length <= 0:
                    break
            if places and at >= 0 and places[-1][0] >= 0 and sum(places[-1]) == at:
                places[-1] = (places[-1][0], places[-1][1] + length)
            else:
                places.append((at, length))
            done += length
            if at >= 0 and at + length >= self._source_size:
                break
        return places


def _show(parts: tuple[bytes, ...]) -> str:
    return "/".join(p.decode("utf-8", "backslashreplace") for p in parts) or "/"
