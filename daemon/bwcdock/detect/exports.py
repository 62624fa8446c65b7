"""The door of a folder for footage from elsewhere: lets a child in when it is whole, and somebody answers for it.

Exports of other systems, of cameras and of citizens come as folders with a note (``intake.toml``). A folder is let in
when nothing in it changes any more, every file that was written to was closed, and every container is whole; what is
known to be broken and is evidence all the same is named in the note. Nothing is asked of what the note itself says
but that it is there: who signs it is for the desk.
"""

import os
import stat
import threading
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from watchdog.events import (
    EVENT_TYPE_CLOSED,
    EVENT_TYPE_CLOSED_NO_WRITE,
    EVENT_TYPE_DELETED,
    EVENT_TYPE_MODIFIED,
    EVENT_TYPE_MOVED,
    EVENT_TYPE_OPENED,
    FileSystemEvent,
)

from bwcdock.core.facts import Finding, Severity
from bwcdock.core.intake import NOTE_NAME, ORIGINS, Note, NotWhole, Origin, said
from bwcdock.core.names import escape
from bwcdock.detect.folders import Answer

Judge = Callable[[Callable[[int, int], bytes], int, str], NotWhole | None]
"""Says why a file is not whole, given how to read it, its size and its name; ``None`` where nothing is to be said."""

UNFINISHED = frozenset({".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp"})
"""Endings of what browsers and copying programs are still writing."""

AT_ONCE = 32
"""Containers looked at in one turn, 20 ms each at most: the look at other folders must not wait for a large export."""

NOTE_BYTES = 64 << 10
"""A note longer than this is none: its texts have 1,500 characters together."""

SHOWN = 10
"""Files a finding names; the rest is counted."""

WRITERS_MAX = 100_000
"""Files that are remembered as being written to; beyond that standing still has to do."""

FOLDERS_MAX = 64
"""Folders whose files are remembered as looked at; one that is forgotten is looked at again."""

_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _Said(BaseModel):
    """The note as it is written."""

    model_config = ConfigDict(extra="forbid", strict=True)

    source: Origin
    holder: str = Field(min_length=2, max_length=200)
    chain: str = Field(min_length=10, max_length=1000)
    system: str = Field(default="", max_length=200)
    as_is: list[str] = Field(default_factory=list, max_length=200)


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a folder, and what it was when its container was looked at."""

    path: Path
    name: str
    size: int
    key: tuple[int, int, int, int]


class ExportsDoor:
    """The door of one folder. ``ask`` belongs to one thread; ``heard`` to the observer's.

    ``entries`` bounds a folder; ``writing_s`` is after how much stillness a file counts as closed though nobody said
    so: notices get lost, and none come from the other side of a share.
    """

    def __init__(self, judge: Judge, *, entries: int, writing_s: float) -> None:
        self._judge = judge
        self._entries = entries
        self._writing_s = writing_s
        self._verdicts: dict[Path, dict[tuple[int, int, int, int], NotWhole | None]] = {}
        self._opened: Counter[str] = Counter()
        self._writers: set[str] = set()
        self._lock = threading.Lock()

    def heard(self, event: FileSystemEvent) -> None:
        """A file below the folder was opened, written to, closed, moved or removed."""
        if event.is_directory:
            return
        path = os.fsdecode(event.src_path)
        with self._lock:
            if event.event_type == EVENT_TYPE_OPENED:
                self._opened[path] += len(self._opened) < WRITERS_MAX
            elif event.event_type == EVENT_TYPE_MODIFIED and self._opened[path]:
                # Of a file that nobody holds open only the times or the mode were changed: it stays closed.
                self._writers.add(path)
            elif event.event_type == EVENT_TYPE_MOVED:
                self._moved(path, os.fsdecode(event.dest_path))
            elif event.event_type in {EVENT_TYPE_CLOSED, EVENT_TYPE_CLOSED_NO_WRITE}:
                self._opened[path] -= 1
            elif event.event_type == EVENT_TYPE_DELETED:
                self._opened[path] = 0
            if event.event_type in {EVENT_TYPE_CLOSED, EVENT_TYPE_DELETED}:
                self._writers.discard(path)
            if self._opened[path] <= 0:
                del self._opened[path]

    def _moved(self, path: str, to: str) -> None:
        """Who holds it open holds it under its new name."""
        self._opened[to] = self._opened.pop(path, 0)
        if path in self._writers:
            self._writers.discard(path)
            self._writers.add(to)

    def ask(self, child: Path, still_s: float) -> Answer:
        """Whether the folder is let in: its note, then whether somebody is still at it, then its containers."""
        try:
            files = _files(child, self._entries)
        except OSError as error:
            return _no(
                _finding("intake.unreadable", f"cannot be read: {error.strerror}.", "Mend its permissions.", child)
            )
        if files is None:
            what = f"holds more than {self._entries} files and folders."
            return _no(_finding("intake.crowded", what, "Hand it over in several folders, each with its note.", child))
        note = _note(child)
        if isinstance(note, _Wrong):
            remedy = f"Write {NOTE_NAME} beside the footage: docs/intake.md shows how."
            return _no(_finding("intake.note", f"is not taken: {note.what}.", remedy, child, ("lacks", note.lacks)))
        if self._being_written(child) and still_s < self._writing_s:
            return Answer()
        flawed = self._flawed(child, files, note)
        if flawed is None:
            return Answer(soon=True)
        if flawed:
            return _not_whole(child, flawed)
        self._verdicts.pop(child, None)
        if not any(file.name != NOTE_NAME for file in files):
            return _no(
                _finding("intake.empty", "holds nothing but its note.", "Put the footage beside the note.", child)
            )
        return Answer(properties=said(note))

    def _being_written(self, child: Path) -> bool:
        with self._lock:
            return any(path.startswith(f"{child}/") for path in self._writers)

    def _flawed(self, child: Path, files: list[_File], note: Note) -> list[tuple[str, NotWhole]] | None:
        """The files that are not whole; ``None`` while not all were looked at yet. What is known is not read again."""
        before = self._verdicts.get(child, {})
        known: dict[tuple[int, int, int, int], NotWhole | None] = {}
        room = AT_ONCE
        for file in files:
            if file.key in before:
                known[file.key] = before[file.key]
            elif room:
                room -= 1
                known[file.key] = self._look(file)
        self._verdicts[child] = known
        if len(self._verdicts) > FOLDERS_MAX:  # of folders that were taken away before they were let in
            del self._verdicts[next(iter(self._verdicts))]
        if any(file.key not in known for file in files):
            return None
        # A file that has two names is looked at under one; both are then whole or not.
        told = ((file.name, known[file.key]) for file in files if file.name not in (NOTE_NAME, *note.as_is))
        return [(name, verdict) for name, verdict in told if verdict is not None]

    def _look(self, file: _File) -> NotWhole | None:
        if file.path.suffix.lower() in UNFINISHED:
            return NotWhole(flaw="open-ended", what="Its name says that it is still being written.")
        try:
            fd = os.open(file.path, _OPEN_FLAGS)
        except OSError as error:
            return NotWhole(flaw="malformed", what=f"It cannot be opened: {error.strerror}.")
        try:
            return self._judge(lambda offset, length: os.pread(fd, length, offset), file.size, file.path.name)
        except OSError as error:
            return NotWhole(flaw="malformed", what=f"It cannot be read: {error.strerror}.")
        finally:
            os.close(fd)


def _files(folder: Path, most: int) -> list[_File] | None:
    """The regular files below a folder, links not followed; ``None`` where it has more than ``most`` names."""
    folders, found, count = [folder], [], 0
    for each in folders:  # grows while it is walked
        with os.scandir(each) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                look = entry.stat(follow_symlinks=False)
                count += 1
                if count > most:
                    return None
                path = Path(entry.path)
                if stat.S_ISDIR(look.st_mode):
                    folders.append(path)
                elif stat.S_ISREG(look.st_mode):
                    key = (look.st_dev, look.st_ino, look.st_size, look.st_mtime_ns)
                    found.append(_File(path, path.relative_to(folder).as_posix(), look.st_size, key))
    return found


def _note(folder: Path) -> "Note | _Wrong":
    """What the note says, or what is wrong with it."""
    try:
        fd = os.open(folder / NOTE_NAME, _OPEN_FLAGS)
    except FileNotFoundError:
        return _Wrong(f"there is no {NOTE_NAME} in it")
    except OSError as error:
        return _Wrong(f"{NOTE_NAME} cannot be opened ({error.strerror})")
    try:
        raw = os.pread(fd, NOTE_BYTES + 1, 0)
        if len(raw) > NOTE_BYTES:
            return _Wrong(f"{NOTE_NAME} is longer than {NOTE_BYTES} bytes")
        data: dict[str, Any] = tomllib.loads(raw.decode("utf-8"))
        given = _Said.model_validate(data)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return _Wrong(f"{NOTE_NAME} is no TOML text")
    except ValidationError as error:
        return _wrong(error)
    finally:
        os.close(fd)
    return Note(
        source=given.source,
        holder=_plain(given.holder),
        chain=_plain(given.chain),
        system=_plain(given.system),
        as_is=tuple(given.as_is),
    )


@dataclass(frozen=True, slots=True)
class _Wrong:
    """What is wrong with a note, and which parts are missing or wrong: all it must have, where none was read."""

    what: str
    lacks: str = "source holder chain"


def _wrong(error: ValidationError) -> _Wrong:
    """Every part that is missing; where none is, the first that is wrong."""
    found = error.errors(include_url=False)
    missing = [str(each["loc"][0]) for each in found if each["type"] == "missing"]
    if missing:
        return _Wrong(f"{NOTE_NAME} does not say its {' and its '.join(missing)}", " ".join(missing))
    first = found[0]
    key = ".".join(escape(str(part).encode("utf-8", "surrogatepass")) for part in first["loc"])[:60]
    if first["type"] == "extra_forbidden":
        return _Wrong(f"{NOTE_NAME} says {key}, which nobody asks for", key.partition(".")[0])
    if key == "source":
        return _Wrong(f"the source in {NOTE_NAME} is none of {', '.join(ORIGINS)}", key)
    return _Wrong(f"the {key} in {NOTE_NAME} is no text that tells enough, or too much", key.partition(".")[0])


def _plain(text: str) -> str:
    """A text as a leaf and a screen may hold it: on one line, what steers escaped."""
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in " ".join(text.split()))


def _not_whole(child: Path, flawed: list[tuple[str, NotWhole]]) -> Answer:
    files = [
        ("/".join(escape(os.fsencode(part)) for part in name.split("/")), f"{each.flaw}: {each.what}")
        for name, each in flawed[:SHOWN]
    ]
    if len(flawed) > SHOWN:
        files.append(("more", str(len(flawed) - SHOWN)))
    what = f"is not taken yet: files in it that are not whole: {len(flawed)}."
    remedy = f"Copy them again; what is broken and is evidence all the same is named in as_is of {NOTE_NAME}."
    return _no(_finding("intake.unfinished", what, remedy, child, *files))


def _no(finding: Finding) -> Answer:
    return Answer(findings=(finding,))


def _finding(code: str, what: str, remedy: str, child: Path, *evidence: tuple[str, str]) -> Finding:
    shown = escape(os.fsencode(child.name))
    return Finding(
        severity=Severity.WARN, code=code, what=f"{shown} {what}", remedy=remedy, evidence=(("path", shown), *evidence)
    )
