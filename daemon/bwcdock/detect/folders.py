"""Watches drop folders: what is put into one is a docked recorder, or footage from elsewhere where a door says so."""

import asyncio
import contextlib
import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from watchdog.events import (
    EVENT_TYPE_CLOSED,
    EVENT_TYPE_CREATED,
    EVENT_TYPE_DELETED,
    EVENT_TYPE_MODIFIED,
    EVENT_TYPE_MOVED,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from bwcdock.core.facts import Finding, Severity, Sighting
from bwcdock.core.names import escape

IMAGE_SUFFIXES = frozenset({".img", ".dd", ".raw", ".bin", ".exfat", ".fat"})
_SECTOR = 512
_BOOT_MARK = b"\x55\xaa"  # the last two bytes of an MBR and of a FAT or exFAT boot sector

# Not "opened" and "closed without writing": looking into a folder would cause a look into the folder.
_CHANGES = {EVENT_TYPE_CREATED, EVENT_TYPE_DELETED, EVENT_TYPE_MODIFIED, EVENT_TYPE_MOVED, EVENT_TYPE_CLOSED}


class Door(Protocol):
    """Who asks more of a folder's children than to stand still."""

    def heard(self, event: FileSystemEvent) -> None:
        """Something changed below the folder; called on the observer's thread."""
        ...

    def ask(self, child: Path, still_s: float) -> "Answer":
        """Whether this child, unchanged for ``still_s``, is let in. May read; bounded."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a door says: the properties of the sighting it lets in, or ``None`` and perhaps why not; ``soon``: ask again
    at the next turn.
    """

    properties: tuple[tuple[str, str], ...] | None = None
    findings: tuple[Finding, ...] = ()
    soon: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DropFolder:
    """A folder to watch: the number on the dock its children are shown under, and how long they must stand still.

    With a ``door`` its children are folders alone, each let in when the door says so, and all below it is listened to.
    """

    path: Path
    slot: int | None = None
    stable_s: float = 5
    door: Door | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What changes when a child is still being written: entries, bytes, newest change (ns), and which inode it is."""

    inode: int
    entries: int
    size: int
    newest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Child:
    """A child with the shape it has had since ``since``; ``sighting`` once it stood still long enough."""

    shape: Shape
    since: datetime
    sighting: Sighting | None = None


_OPEN = Answer(properties=())


class FolderWatch:
    """What lies in the drop folders now.

    A child folder, an image (by its ending, or by the boot mark of its first sector) is one sighting, at the port
    ``drop:<number of the folder>:<escaped name>``, once it has not changed for the folder's ``stable_s``; when it
    changes again it is gone until it stands still again, so that files added later are found by a new docking. Names
    that begin with a dot are left alone: copying tools use them while they write.

    The kernel's notices only hint; a look every ``rescan_s`` is the truth. ``children`` and ``entries`` bound one look.
    No child counts as plugged in just now: whatever is put into a folder is a copy, and a copy is new however old the
    card is.
    """

    def __init__(
        self,
        drops: Sequence[DropFolder],
        *,
        rescan_s: float,
        children: int,
        entries: int,
    ) -> None:
        self.hint = asyncio.Event()
        """Set (on the loop that called :meth:`start`) when something changed; whoever waits for it clears it."""
        self._drops = tuple(drops)
        self._rescan = timedelta(seconds=rescan_s)
        self._max_children = children
        self._max_entries = entries
        self._known: dict[str, _Child] = {}
        self._findings: tuple[Finding, ...] = ()
        self._due: datetime | None = None  # when to look again though nobody hinted; None: now
        self._changed = threading.Event()
        self._notices = _Notices(self._notice, [(drop.path, drop.door) for drop in drops if drop.door])
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to take the kernel's notices. Without them, looking every ``rescan_s`` is left."""
        self._loop = asyncio.get_running_loop()
        self._notices.start()

    def close(self) -> None:
        """Stop taking notices."""
        self._loop = None
        self._notices.stop()

    def current(self, now: datetime) -> tuple[Sighting, ...]:
        """What is docked, sorted by port; looks first when it was hinted at or is due. Blocking: call it on a lane."""
        if self._changed.is_set() or self._due is None or now >= self._due:
            self._changed.clear()  # before looking: what changes meanwhile causes another look
            self._look(now)
        return tuple(c.sighting for _, c in sorted(self._known.items()) if c.sighting)

    @property
    def awaited(self) -> tuple[str, ...]:
        """None: a folder that went is no recorder on its way to become a disk."""
        return ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was wrong with the drop folders at the last look; each holds until a later look no longer makes it."""
        return self._findings

    @property
    def due(self) -> datetime | None:
        """When the next look is due without a hint; ``None`` before the first."""
        return self._due

    def _notice(self) -> None:
        # On the observer's thread.
        self._changed.set()
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self.hint.set)
            except RuntimeError:
                self._loop = None  # the loop is closed: nobody waits any more

    def _look(self, now: datetime) -> None:
        findings: list[Finding] = []
        seen: dict[str, _Child] = {}
        self._due = now + self._rescan
        for number, drop in enumerate(self._drops, 1):
            self._notices.follow(drop.path)
            for entry in _children(drop, self._max_children, findings):
                port = f"drop:{number}:{escape(os.fsencode(entry.name))}"
                if (shape := shape_of(entry.path, self._max_entries)) is not None:
                    seen[port] = self._judge(port, drop, entry, shape, now, findings)
        self._known = seen
        self._findings = tuple(findings)

    def _judge(
        self,
        port: str,
        drop: DropFolder,
        entry: "os.DirEntry[str]",
        shape: Shape,
        now: datetime,
        findings: list[Finding],
    ) -> _Child:
        before = self._known.get(port)
        child = before if before and before.shape == shape and before.since <= now else _Child(shape=shape, since=now)
        if child.sighting is None:
            settled = child.since + timedelta(seconds=drop.stable_s)
            if now < settled:
                self._due = min(self._due or settled, settled)
                return child
            answer = drop.door.ask(Path(entry.path), (now - child.since).total_seconds()) if drop.door else _OPEN
            findings.extend(answer.findings)
            if answer.properties is not None:
                sighting = Sighting(
                    port=port, source=entry.path, slot=drop.slot, live=False, properties=answer.properties
                )
                child = replace(child, sighting=sighting)
            elif answer.soon:
                self._due = now
        return child


# ---------------------------------------------------------------------------------------------------------------------
# Looking
# ---------------------------------------------------------------------------------------------------------------------


def _children(drop: DropFolder, most: int, findings: list[Finding]) -> Iterator["os.DirEntry[str]"]:
    """The children of a drop folder that may be recorders; what is wrong goes to ``findings``."""
    folder = drop.path
    try:
        with os.scandir(folder) as entries:
            found = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        what = f"The drop folder {escape(os.fsencode(folder.name))} cannot be looked into: {error.strerror}."
        remedy = "Make the folder, or let the station's user read it; nothing is taken from it until then."
        findings.append(_finding("drop.missing", what, remedy, folder, Severity.WARN))
        return
    if len(found) > most:
        what = f"The drop folder {escape(os.fsencode(folder.name))} holds {len(found)} things; {most} are looked at."
        findings.append(_finding("drop.crowded", what, "Take out what has been pulled.", folder, Severity.WARN))
    for entry in found[:most]:
        try:
            problem = _problem(entry, drop)
        except OSError as error:
            # A worn disk, or a share that went away: that child is not docked now, and the others are.
            what = f"{escape(os.fsencode(entry.name))} cannot be looked at: {error.strerror}."
            remedy = "Look after its disk or share; it counts as taken away until then."
            problem = _finding("drop.unreadable", what, remedy, Path(entry.path), Severity.WARN)
        if problem is None:
            yield entry
        else:
            findings.append(problem)


def _problem(entry: "os.DirEntry[str]", drop: DropFolder) -> Finding | None:
    """Why a child is not taken for a recorder; ``None`` where it is."""
    shown = escape(os.fsencode(entry.name))
    path = Path(entry.path)
    if entry.is_symlink():
        what = f"{shown} is a link, and links are not followed out of a drop folder."
        return _finding("drop.link", what, "Put the folder or image itself there.", path, Severity.WARN)
    if not entry.name.isprintable():
        # The path to open goes into the ledger, which holds text only; the dock's own folders can be renamed.
        what = f"{shown} has a name with characters that cannot be written down."
        return _finding("drop.name", what, "Rename it; what is inside keeps its names.", path, Severity.WARN)
    if entry.is_dir(follow_symlinks=False) or (drop.door is None and _is_image(path)):
        return None
    if drop.door is not None:
        what = f"{shown} lies by itself where footage from elsewhere is taken; only folders are."
        remedy = "Put it into a folder of its own, with a note of where it is from."
        return _finding("intake.loose", what, remedy, path, Severity.WARN)
    what = f"{shown} is neither a folder nor a disk image."
    return _finding("drop.unknown", what, "Take it out, or put it into a folder of its own.", path, Severity.NOTE)


def _is_image(path: Path) -> bool:
    """Whether this is a regular file with an image's ending, or with a boot mark in its first sector."""
    try:
        # Not blocking and not following: a pipe or a link put there in this moment must not hold us.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        # Not ours to read, a socket, or gone: with an image's ending the driver will say what is wrong with it.
        return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return False
        return path.suffix.lower() in IMAGE_SUFFIXES or os.pread(fd, _SECTOR, 0)[_SECTOR - 2 :] == _BOOT_MARK
    except OSError:
        return False
    finally:
        os.close(fd)


def shape_of(path: str, most: int) -> Shape | None:
    """The shape of a child by its first ``most`` entries, breadth first, links not followed; ``None`` when it is gone.

    A bounded look cannot see every change in a huge tree; what it misses is found when a file read differs from its
    listing.
    """
    try:
        own = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    count, size, newest = 0, own.st_size, own.st_mtime_ns
    folders = [path] if stat.S_ISDIR(own.st_mode) else []
    for folder in folders:  # grows while it is walked
        if count >= most:
            break
        try:
            with os.scandir(folder) as inside:
                for one in inside:
                    if count >= most:
                        break
                    look = one.stat(follow_symlinks=False)
                    count += 1
                    size += look.st_size
                    newest = max(newest, look.st_mtime_ns)
                    if stat.S_ISDIR(look.st_mode):
                        folders.append(one.path)
        except OSError:
            continue  # vanished or closed to us: it counts as empty, and the driver will name the trouble
    return Shape(inode=own.st_ino, entries=count, size=size, newest=newest)


def _finding(code: str, what: str, remedy: str, path: Path, severity: Severity) -> Finding:
    return Finding(
        severity=severity, code=code, what=what, remedy=remedy, evidence=(("path", escape(os.fsencode(path.name))),)
    )


# ---------------------------------------------------------------------------------------------------------------------
# Hints
# ---------------------------------------------------------------------------------------------------------------------


class _Notices(FileSystemEventHandler):
    """The kernel's notices of the drop folders themselves (not of what is deep inside: that is for the next look).

    Of a folder with a door all that is below is listened to: whether a file was closed, only a notice tells.
    """

    def __init__(self, tell: Callable[[], None], doors: Sequence[tuple[Path, Door]] = ()) -> None:
        self._tell = tell
        self._doors = tuple(doors)
        self._observer: BaseObserver | None = None
        self._followed: dict[Path, tuple[int, int, ObservedWatch]] = {}
        self._deleted: set[str] = set()  # filled on the observer's thread

    def start(self) -> None:
        observer = Observer()
        try:
            observer.start()
        except OSError:
            return  # no inotify instance left on this machine: the look every rescan_s does without
        self._observer = observer

    def stop(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer = None
            self._followed.clear()

    def follow(self, folder: Path) -> None:
        """Make sure the folder that now has this name is the one followed."""
        if self._observer is None:
            return
        before = self._followed.get(folder)
        try:
            now = os.stat(folder)
            # A folder made anew may get the inode of the one before, so its deletion is remembered too.
            if before and before[:2] == (now.st_dev, now.st_ino) and str(folder) not in self._deleted:
                return
            self._forget(folder)
            deep = any(path == folder for path, _ in self._doors)
            watch = self._observer.schedule(self, str(folder), recursive=deep)
            self._followed[folder] = (now.st_dev, now.st_ino, watch)
        except OSError:
            self._forget(folder)  # missing, or no watch to be had: the look every rescan_s does without

    def _forget(self, folder: Path) -> None:
        self._deleted.discard(str(folder))
        before = self._followed.pop(folder, None)
        if before and self._observer:
            with contextlib.suppress(KeyError):  # it ended by itself when the folder was deleted
                self._observer.unschedule(before[2])

    def on_any_event(self, event: FileSystemEvent) -> None:
        """The observer's thread tells a change."""
        path = os.fsdecode(event.src_path)
        for folder, door in self._doors:
            if path.startswith(f"{folder}/"):
                door.heard(event)
                if event.event_type == EVENT_TYPE_MODIFIED:
                    return  # a copy that grows deep inside is not ready, and would cause a look at every write
        if event.event_type in _CHANGES:
            if event.event_type == EVENT_TYPE_DELETED and Path(path) in self._followed:
                self._deleted.add(path)
            self._tell()
