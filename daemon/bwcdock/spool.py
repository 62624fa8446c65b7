"""The station's own disk: partial files, whole files, what was set aside, and the room that is left."""

import errno
import os
import re
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bwcdock import durable
from bwcdock.calls import SYSTEM, System
from bwcdock.core.facts import SPOOL, Digests, Run, Span
from bwcdock.core.retention import Permit
from bwcdock.durable import PartFile
from bwcdock.errors import BwcdockError, Misused, SpoolBroken, SpoolFull, Untrue
from bwcdock.reading import ReadBack, read_back
from bwcdock.volumes import file_system_of

RESERVE = 0.05
"""Share of the volume that is never filled: file systems grow slow and fragmented beyond, and the ledger needs room."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_ID = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Bytes ``free`` for us and ``total``, the ``reserve`` kept back, and inodes left (``None``: no limit here)."""

    free: int
    total: int
    reserve: int
    inodes_free: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A file in the spool that no record accounts for.

    ``part`` and ``whole`` belong to no known record, ``spare`` is the old name of a published file, ``temporary`` an
    unfinished small file, ``foreign`` not ours at all. ``record`` is empty for the last two.
    """

    kind: Literal["part", "whole", "spare", "temporary", "foreign"]
    path: Path
    record: str
    size: int


class Spool:
    """``part/``, ``whole/`` and ``quarantine/`` under ``root``, on one volume that keeps what fsync promised.

    File names are record ids of our own and nothing else; a name from a recorder never gets here. Raises
    :class:`~bwcdock.errors.Misused` for a volume not fit for it (``allow`` names kinds to accept all the same) and
    :class:`~bwcdock.errors.SpoolBroken` where the disk fails. ``volume.durable`` is false for a spool in memory, about
    which the caller warns. ``boot`` is the kernel's boot id, by which a power cut is told from a restart.
    """

    def __init__(
        self,
        root: Path,
        *,
        reserve: float = RESERVE,
        boot: str = "",
        allow: Container[str] = (),
        system: System = SYSTEM,
    ) -> None:
        self.root = root
        self.volume = file_system_of(root, allow=allow)
        if not self.volume.ok:
            raise Misused(
                "open the spool",
                f"{root} lies on {self.volume.kind}, where a synced file may not survive a power cut.",
                "Put [paths] spool on a local ext4, xfs or btrfs volume.",
            )
        self._system = system
        self._reserve = reserve
        self._boot = boot or _BOOT_ID.read_text().strip()
        self._parts, self._wholes, self._aside = root / "part", root / "whole", root / "quarantine"
        try:
            for directory in (self._parts, self._wholes, self._aside):
                durable.make_dirs(directory, system=system)
            one_volume = len({d.stat().st_dev for d in (self._parts, self._wholes, self._aside)}) == 1
        except OSError as error:
            raise broken("open the spool", root, error) from error
        if not one_volume:
            raise Misused(
                "open the spool",
                f"The folders in {root} lie on different volumes.",
                "Mount one volume at the spool and nothing inside it: publishing needs one file system.",
            )

    # --- room ---------------------------------------------------------------------------------------------------------

    def room(self) -> Room:
        """What is left on the volume, as the file system says."""
        try:
            v = os.statvfs(self.root)
        except OSError as error:
            raise broken("look for room", self.root, error) from error
        total = v.f_blocks * v.f_frsize
        return Room(
            free=v.f_bavail * v.f_frsize,
            total=total,
            reserve=int(total * self._reserve),
            inodes_free=v.f_favail if v.f_files else None,  # btrfs counts no inodes
        )

    # --- partial files ------------------------------------------------------------------------------------------------

    def open_part(self, record_id: str) -> PartFile:
        """The partial file of a record, opened for writing; its length is how far it has come.

        After a power cut that length is what was held safe before, often 0: see :class:`~bwcdock.durable.PartFile`.
        """
        path = self._part(record_id)
        try:
            try:
                return PartFile(path, boot=self._boot, system=self._system)
            except FileExistsError:
                # It died after publishing, before the old name went: that inode is a whole file now, not ours to write.
                durable.discard(path, system=self._system)
                return PartFile(path, boot=self._boot, system=self._system)
        except OSError as error:  # it cannot be locked, or looked at
            raise broken("open part", path, error) from error

    def part_length(self, record_id: str) -> int:
        """Bytes in the partial file, 0 where there is none."""
        try:
            return self._part(record_id).stat().st_size
        except FileNotFoundError:
            return 0

    def part_rooms(self) -> dict[str, int]:
        """Bytes of the volume that each partial file takes, those reserved for it included, by record."""
        rooms = {}
        for entry in _entries(self._parts):
            with suppress(FileNotFoundError):  # published meanwhile
                rooms[entry.name.removesuffix(".part")] = entry.stat(follow_symlinks=False).st_blocks * 512
        return rooms

    def discard_part(self, record_id: str) -> None:
        """Forget what was pulled so far. If a power cut brings the name back it is told apart by its content."""
        try:
            durable.discard(self._part(record_id), system=self._system)
        except OSError as error:
            raise broken("discard", self._part(record_id), error) from error

    def quarantine_part(self, record_id: str) -> int:
        """Set the partial file aside for good, never padded; return the bytes kept, 0 where there was none."""
        return self._set_aside(self._part(record_id), record_id)

    def open_run(self, record_id: str) -> PartFile:
        """An empty file for a run of good bytes between bad places; never the partial file, which begins at byte 0.

        If it dies before :meth:`keep_run`, the next start takes it for a temporary file and discards it.
        """
        path = self._run(record_id)
        try:
            durable.discard(path, system=self._system)
            return PartFile(path, boot=self._boot, system=self._system)
        except OSError as error:
            raise broken("salvage", path, error) from error

    def keep_run(self, record_id: str, run: Span, *, of_part: bool = False) -> Run | None:
        """Set the run just written (or the partial file, its good beginning) aside under its record and its place.

        The same bytes of the same place are kept once, however often a bad card is docked. Answers what is kept, with
        the digest the disk gives for it; of nothing, nothing is kept.
        """
        path = self._part(record_id) if of_part else self._run(record_id)
        if run.length == 0:
            try:
                durable.discard(path, system=self._system)
            except OSError as error:
                raise broken("discard", path, error) from error
            return None
        try:
            digest = read_back(path, system=self._system).blake3
        except OSError as error:
            raise broken("salvage", path, error) from error
        self._set_aside(path, run_name(record_id, run.offset, run.length), once=True)
        return Run(offset=run.offset, length=run.length, blake3=digest)

    # --- whole files --------------------------------------------------------------------------------------------------

    def seal(self, record_id: str, digests: Digests, size: int) -> Literal["direct", "cached"]:
        """Make the complete partial file a whole one: sync, read back, compare, publish, sync the folder.

        Returns how it was read back; the caller records the fact only then. Raises ``Untrue`` where the disk holds
        other bytes than were pulled, and changes nothing then. May be called again after dying anywhere in it: before
        the publishing it starts over; after it, it finds the whole file, compares that, and answers the same.
        """
        part, whole = self._part(record_id), self._whole(record_id)
        try:
            if whole.exists():
                try:
                    return self._already_whole(record_id, digests, size)
                except Untrue:
                    # Published before its fact and rotten since: there it would be in the way of every later seal.
                    if part.exists() and part.samefile(whole):  # so would its other name, which nothing may be added to
                        durable.discard(part, system=self._system)
                    self._set_aside(whole, record_id)
            if not part.exists():
                raise Untrue("seal", f"The pulled file of record {record_id} is gone.", "It is pulled again.")
            with PartFile(part, system=self._system) as opened:
                opened.sync()
            found = read_back(part, system=self._system)
            self._compare("seal", record_id, found, digests, size)
            try:
                durable.publish(part, whole, system=self._system)
            except FileExistsError:
                return self._already_whole(record_id, digests, size)
            durable.discard(part, system=self._system)
        except OSError as error:
            raise broken("seal", part, error) from error
        return found.how

    def _already_whole(self, record_id: str, digests: Digests, size: int) -> Literal["direct", "cached"]:
        found = read_back(self._whole(record_id), system=self._system)
        self._compare("seal", record_id, found, digests, size)
        durable.fsync_dir(self._wholes, system=self._system)  # it may have died between the name and this
        durable.discard(self._part(record_id), system=self._system)
        return found.how

    def whole(self, record_id: str) -> Path | None:
        """Where the whole file lies, ``None`` where there is none. To be read, never to be changed."""
        path = self._whole(record_id)
        try:
            return path if path.is_file() else None
        except OSError as error:  # which is not to say that it is gone
            raise broken("look for", path, error) from error

    def verify(
        self,
        record_id: str,
        digests: Digests,
        *,
        pace: Callable[[int], None] | None = None,
    ) -> Literal["direct", "cached"]:
        """Read the whole file again and compare; ``Untrue`` where it is gone or differs, ``SpoolBroken`` if unreadable.

        ``pace`` is called with the size of every chunk read, to keep a scrub from crowding out a pull.
        """
        try:
            found = read_back(self._whole(record_id), pace=pace, system=self._system)
        except FileNotFoundError as error:
            what = f"The whole file of record {record_id} is gone."
            raise Untrue("verify", what, "Fetch it from central storage, or pull it again.") from error
        except OSError as error:
            raise broken("verify", self._whole(record_id), error) from error
        self._compare("verify", record_id, found, digests, found.size)
        return found.how

    def quarantine_whole(self, record_id: str) -> int:
        """Set a whole file aside that was found bad, so that a good one can be sealed; return the bytes kept."""
        return self._set_aside(self._whole(record_id), record_id)

    def drop(self, record_id: str, permit: Permit) -> None:
        """Remove the whole file, durably: when this returns, the fact that it was released is true.

        If it dies inside, the intention stands in the ledger and the next call finishes it.
        """
        if not isinstance(permit, Permit) or permit.record != record_id or permit.place != SPOOL:
            raise PermissionError(f"no permit to drop record {record_id} from the spool")
        try:
            durable.discard(self._whole(record_id), system=self._system)
            durable.fsync_dir(self._wholes, system=self._system)
        except OSError as error:
            raise broken("drop", self._whole(record_id), error) from error

    # --- strays -------------------------------------------------------------------------------------------------------

    def strays(self, *, parts: Container[str], wholes: Container[str]) -> list[Stray]:
        """Files that no record accounts for, given the ids that may have a part and those that may be whole."""
        found: list[Stray] = []
        for kind, directory, known in (("part", self._parts, parts), ("whole", self._wholes, wholes)):
            for entry in _entries(directory):
                record = entry.name.removesuffix(".part") if kind == "part" else entry.name
                size = entry.stat(follow_symlinks=False).st_size
                path = Path(entry.path)
                if entry.name.startswith(".") and entry.name.endswith((".tmp", ".lock")):
                    found.append(Stray(kind="temporary", path=path, record="", size=size))
                elif not entry.is_file(follow_symlinks=False) or path not in (self._path(kind, record)):
                    found.append(Stray(kind="foreign", path=path, record="", size=size))
                elif kind == "part" and entry.stat().st_nlink > 1:
                    found.append(Stray(kind="spare", path=path, record=record, size=size))
                elif record not in known:
                    found.append(Stray(kind="part" if kind == "part" else "whole", path=path, record=record, size=size))
        return found

    def put_right(self, stray: Stray) -> None:
        """Spare names and temporary files go; bytes that might be somebody's recording are set aside, never adopted.

        What is foreign stays where it is: the operator put it there, and takes it away.
        """
        try:
            if stray.kind in {"spare", "temporary"}:
                durable.discard(stray.path, system=self._system)
            elif stray.kind in {"part", "whole"}:
                self._set_aside(stray.path, stray.record)
        except OSError as error:
            raise broken("sweep", stray.path, error) from error

    # --- inside -------------------------------------------------------------------------------------------------------

    def _part(self, record_id: str) -> Path:
        return self._parts / f"{_checked(record_id)}.part"

    def _run(self, record_id: str) -> Path:
        return self._parts / f".{_checked(record_id)}.tmp"

    def _whole(self, record_id: str) -> Path:
        return self._wholes / _checked(record_id)

    def _path(self, kind: str, record: str) -> tuple[Path, ...]:
        if not _ID.fullmatch(record):
            return ()
        return (self._part(record),) if kind == "part" else (self._whole(record),)

    def _set_aside(self, path: Path, name: str, *, once: bool = False) -> int:
        """Move it into quarantine under a free name; with ``once`` not where the same bytes lie there already.

        Two threads may find the same file bad. Whichever comes late finds it gone, at any point of this, and that is
        well: the other has it in quarantine.
        """
        try:
            size = path.stat().st_size
            self._move_aside(path, name, once=once)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not os.path.lexists(path):
                return 0
            raise broken("set aside", path, error) from error
        return size

    def _move_aside(self, path: Path, name: str, *, once: bool) -> None:
        # A record may be set aside more than once; every one is kept.
        number = 0
        while True:
            target = self._aside / (f"{name}.{number}" if number else name)
            try:
                return durable.set_aside(path, target, system=self._system)
            except FileExistsError:
                # The same file: it died between the new name and the end of the old one.
                if target.samefile(path) or (once and self._alike(path, target)):
                    return durable.discard(path, system=self._system)
                number += 1

    def _alike(self, one: Path, other: Path) -> bool:
        """Whether both hold the same bytes, read from the disk; what cannot be read is like nothing."""
        if one.stat().st_size != other.stat().st_size:
            return False
        try:
            return read_back(one, system=self._system).blake3 == read_back(other, system=self._system).blake3
        except OSError:
            return False

    def _compare(self, op: str, record_id: str, found: ReadBack, digests: Digests, size: int) -> None:
        if found.size != size or found.blake3 != digests.blake3:
            what = f"The disk holds other bytes for record {record_id} than were pulled ({found.size} of {size} bytes)."
            raise Untrue(op, what, "Check the disk (smartctl, memory test); the recording is pulled again.")


def run_name(record_id: str, offset: int, length: int) -> str:
    """What a run of a record's bytes is called in quarantine: by its place, from and up to but without."""
    return f"{record_id}@{offset:016d}-{offset + length:016d}"


def _entries(directory: Path) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(directory) as entries:
            found = sorted(entries, key=lambda e: e.name)
    except OSError as error:
        raise broken("list", directory, error) from error
    yield from found


def _checked(record_id: str) -> str:
    if not _ID.fullmatch(record_id):
        raise ValueError(f"not a record id: {record_id!r}")
    return record_id


def broken(op: str, path: Path, error: OSError) -> BwcdockError:
    """What the disk said of a file of the spool: it is full, or not to be relied on."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:  # a name or a directory block found no room
        return SpoolFull(op, f"There is no room for {path.name}: {error.strerror}.", "Make room on the spool.", 0)
    what = f"{path} cannot be used: {error.strerror or error}."
    return SpoolBroken(op, what, "Check the spool's disk, its mount and its permissions.")
