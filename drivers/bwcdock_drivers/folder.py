"""A folder as a recorder: a drop folder, a mounted card, an export of another system.

Claims: a directory: 40; nothing else.
Speaks: the folder's own file system, component by component, never through a link, never into another file system.
Can: list, tell what is no regular file, clock drift by a plug-in file; read past the page cache. Never writes.
Needs: read permission on the folder and everything below it.
Quirks: ``quirks/*.toml`` and drop-in directories; file times are taken as true UTC, which a copy or a mount decides.
Tested with: plain directories on ext4; the same cards as mass storage, copied out.
"""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from bwcdock.core.facts import Condition, Finding, Identity, Item, Severity, Sighting
from bwcdock.core.intake import heard
from bwcdock.core.names import escape
from bwcdock.errors import Misbehaved, NotAllowed
from bwcdock.ports import Recorder, Trial

from . import card, trial
from .card import Card, Described, finding
from .linting import lint
from .naming import Found
from .quirks import Quirks
from .source import OPEN_FLAGS, Extents, Source, absent, closed, gone, open_pair, read_into, refused

ENTRIES_MAX, DEPTH_MAX, PATH_BYTES_MAX = 200_000, 64, 4096
"""The limits of a listing, the same as for a disk (``walk.py`` gives the reasons)."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  naive, as Found wants it; its zone is told beside it
_DIRECTORY = OPEN_FLAGS | os.O_DIRECTORY


class FolderDriver:
    """Opens directories."""

    name = "folder"

    def __init__(self, quirk_dirs: Sequence[Path] = ()) -> None:
        self._quirks = Quirks(quirk_dirs)

    def claims(self, sighting: Sighting) -> int:
        """40 for a directory, else 0."""
        try:
            return 40 if stat.S_ISDIR(os.lstat(sighting.source).st_mode) else 0
        except (OSError, ValueError):
            return 0

    def lint(self, files: Sequence[Path]) -> list[str]:
        """What is wrong with quirk files (:class:`bwcdock.ports.ReadsQuirks`)."""
        return lint(files)

    def try_quirk(self, file: Path, sample: str) -> Trial:
        """What a quirk file makes of a folder, or of one path."""
        quirk = trial.asked(file)
        source = Path(sample).absolute()
        if not source.is_dir():
            return trial.of_name(quirk, sample)
        alone = FolderDriver()
        alone._quirks = Quirks.only(quirk)
        with alone._open(Sighting(port="sample", source=str(source), live=False)) as recorder:
            return trial.tried(quirk, recorder.identity(), recorder.items(), recorder.paths)

    def open(self, sighting: Sighting) -> AbstractContextManager[Recorder]:
        """Open, list and describe it; everything after this is answered from that one look."""
        return self._open(sighting)

    @contextmanager
    def _open(self, sighting: Sighting) -> Iterator["FolderRecorder"]:
        try:
            fd = os.open(sighting.source, _DIRECTORY)
        except NotADirectoryError as error:  # also what Linux says of a link when O_DIRECTORY meets O_NOFOLLOW
            raise NotAllowed("open", f"{sighting.source} is no directory itself.", "Give the directory.") from error
        except OSError as error:
            raise refused("open", sighting.source, error) from error
        recorder = None
        try:
            recorder = FolderRecorder(sighting, fd, self._quirks)
            yield recorder
        finally:
            if recorder:
                recorder.close()
            os.close(fd)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A listed file: its raw path and what it was then."""

    parts: tuple[bytes, ...]
    stat: os.stat_result


class _Walk:
    """One look at everything below a directory."""

    def __init__(self, root: os.stat_result) -> None:
        self._device = root.st_dev
        self._room = ENTRIES_MAX
        self.seen: list[_Seen] = []
        self.odd: dict[str, list[tuple[str, str]]] = {}

    def into(self, fd: int, parts: tuple[bytes, ...]) -> None:
        """List one directory and those below it; at most 64 are open at once."""
        if len(parts) > DEPTH_MAX:
            raise Misbehaved("list", f"More than {DEPTH_MAX} folders lie inside each other.", "Look at it by hand.")
        try:
            names = sorted(os.fsencode(name) for name in os.listdir(fd))
        except OSError:
            self._note("directory.unreadable", parts)
            return
        self._room -= len(names)
        if self._room < 0:
            raise Misbehaved("list", f"The folder has more than {ENTRIES_MAX} names.", "Give a smaller folder.")
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # gone between two looks: then it is not there
                self._entry(fd, (*parts, name))

    def _entry(self, fd: int, path: tuple[bytes, ...]) -> None:
        try:
            found = os.stat(path[-1], dir_fd=fd, follow_symlinks=False)
            if found.st_dev != self._device:
                self._note("folder.mounted", path)
            elif sum(map(len, path)) + len(path) > PATH_BYTES_MAX:
                self._note("path.too_long", path)
            elif stat.S_ISDIR(found.st_mode):
                below = os.open(path[-1], _DIRECTORY, dir_fd=fd)
                try:
                    self.into(below, path)
                finally:
                    os.close(below)
            elif stat.S_ISREG(found.st_mode):
                self.seen.append(_Seen(path, found))
            else:
                self._note("file.special", path)
        except FileNotFoundError:
            raise
        except OSError:
            self._note("directory.unreadable", path)

    def _note(self, code: str, path: tuple[bytes, ...]) -> None:
        self.odd.setdefault(code, []).append((_text(path) or ".", ""))


def _text(parts: tuple[bytes, ...]) -> str:
    return "/".join(map(escape, parts))


_NOTES = {
    "directory.unreadable": ("Folders cannot be read; files may be missing.", "Mend the permissions, or the disk."),
    "file.special": ("There are links, pipes or devices; they are not followed.", "Look at them by hand."),
    "folder.mounted": ("Other file systems are mounted inside; they are not entered.", "Give them as their own."),
    "path.too_long": (f"Paths are longer than {PATH_BYTES_MAX} bytes; those files are left.", "Look at them by hand."),
}

_EMPTY = (
    "There is no file in this folder; a mount point on which nothing is mounted looks the same.",
    "Look whether the card is mounted there, or give its device; only then it is known to be empty.",
)

# A note: a folder called by its recorder's number is all that a copy can offer.
_WEAK = Finding(
    severity=Severity.NOTE,
    code="identity.weak",
    what="Nothing but this folder's name tells the recorder: another folder of the same name counts as the same.",
    remedy="Give each folder the number of its recorder as its name.",
)


def _from_elsewhere(told: Described, intake: Mapping[str, str], name: str) -> Described:
    """Footage that came through other hands never speaks for the recorder that its names tell of."""
    identity = replace(told.identity, serial=f"{intake['source']}-{name}", basis="intake")
    source = Finding(
        severity=Severity.NOTE,
        code="intake.told",
        what=f"Footage from elsewhere ({intake['source']}), handed over by {intake['holder']}: {intake['chain']}",
        remedy="Nothing is to be done; where it is from stands in the ledger.",
        evidence=tuple(sorted(intake.items())),
    )
    return replace(told, identity=identity, notes=(*told.notes, source))


class FolderRecorder:
    """One opened folder. Used from one thread at a time; the file read last stays open until another is read."""

    def __init__(self, sighting: Sighting, fd: int, quirks: Quirks) -> None:
        self._opened = time.monotonic()
        self._sighting, self._fd = sighting, fd
        self._root = os.fstat(fd)
        self._current: tuple[str, Source, Extents] | None = None
        walk = _Walk(self._root)
        walk.into(fd, ())
        if not self.present():
            raise gone("list")
        self._seen = {_text(s.parts): s for s in walk.seen}
        notes = [finding(code, Severity.WARN, *_NOTES[code], examples) for code, examples in sorted(walk.odd.items())]
        if not walk.seen:
            notes.append(finding("listing.empty", Severity.WARN, *_EMPTY, ()))
        self._described = self._describe(walk.seen, notes, quirks)

    def _describe(self, seen: list[_Seen], notes: list[Finding], quirks: Quirks) -> Described:
        # Copied from a FAT card, all times are even seconds; else the folder's own file system keeps them exactly.
        coarse = all(s.stat.st_mtime_ns % 2_000_000_000 == 0 for s in seen)
        found = [
            Found(
                path=_text(s.parts),
                size=s.stat.st_size,
                modified=_EPOCH + timedelta(microseconds=s.stat.st_mtime_ns // 1000),
                zone="+00:00",
                resolution_ms=2000 if coarse else 1,
            )
            for s in seen
        ]
        name = escape(os.fsencode(Path(self._sighting.source).absolute().name))
        told = card.described(
            Card(
                sighting=self._sighting,
                filesystem="folder",
                label="",
                fallback=(name, "folder-name"),
                found=found,
                notes=notes,
            ),
            quirks,
        )
        if intake := heard(self._sighting.properties):
            return _from_elsewhere(told, intake, name)
        return told if told.identity.basis != "folder-name" else replace(told, notes=(*told.notes, _WEAK))

    @property
    def paths(self) -> Sequence[str]:
        """Every regular file found when it was opened, whatever the quirk says of it."""
        return sorted(self._seen)

    def identity(self) -> Identity:
        """Who its files say it is, else the folder's name."""
        return self._described.identity

    def condition(self, now: datetime) -> Condition:
        """Drift and findings; the room in a folder says nothing of a recorder."""
        since = round((time.monotonic() - self._opened) * 1000)
        drift = card.drift(self._described, now, since, live=self._sighting.live)
        return Condition(drift=drift, notes=self._described.notes)

    def items(self) -> list[Item]:
        """Every regular file found when it was opened."""
        return list(self._described.items)

    def read_into(self, item: Item, offset: int, buffer: memoryview) -> int:
        """Read the file as it was listed; one that was exchanged or rewritten since cannot be had any more."""
        if self._current is None or self._current[0] != item.path:
            self.close()
            self._current = (item.path, *self._open(item))
        _, source, extents = self._current
        return read_into(source, extents, offset, buffer, item.path)

    def present(self) -> bool:
        """Whether the path still leads to this directory, and it can be listed."""
        try:
            now = os.lstat(self._sighting.source)
            with os.scandir(self._fd) as entries:
                next(entries, None)
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == (self._root.st_dev, self._root.st_ino)

    def close(self) -> None:
        """Close the file read last."""
        if self._current:
            self._current[1].close()
        self._current = None

    def _open(self, item: Item) -> tuple[Source, Extents]:
        seen = self._seen.get(item.path)
        if seen is None:
            raise absent(item)
        source = None
        try:
            source = self._source(seen)
        except OSError as error:
            if not self.present():
                raise gone("read") from error
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise absent(item) from error
            raise closed(item, error) from error
        if source is None:
            raise absent(item)
        return source, Extents([(0, seen.stat.st_size)], seen.stat.st_size)

    def _source(self, seen: _Seen) -> Source | None:
        """The file, reached component by component; ``None`` when it is not the one that was listed."""
        fd = os.dup(self._fd)
        try:
            for part in seen.parts[:-1]:
                below = os.open(part, _DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = below
            pair = open_pair(os.fsdecode(seen.parts[-1]), fd)
        finally:
            os.close(fd)
        source = Source(*pair, self.present)
        now, then = os.fstat(source.fd), seen.stat
        same = (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)
        if same == (then.st_dev, then.st_ino, then.st_size, then.st_mtime_ns):
            return source
        source.close()
        return None
