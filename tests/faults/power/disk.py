"""What a disk may hold after a cut: everything synced, and of the rest whatever chance leaves of it.

Content is durable when its inode was synced, a name when its directory was. Of what was not: a write is kept, dropped
(with or without the length it brought) or torn at 512 bytes, mode and attributes are kept or not, and of the changes
of a directory a beginning of any length is kept. What a failed sync lost stays lost, whatever is synced later.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import NamedTuple

from blake3 import blake3

SECTOR = 512
"""What a disk writes whole or not at all."""

STRICT, ALL = "nothing un-synced", "everything"
"""The two cuts that need no chance; every other is by lot."""


class Change(NamedTuple):
    """One change of content: a write, or (``data`` is ``None``) a new length."""

    offset: int
    data: bytes | None
    lost: bool = False  # a failed sync was over it: never synced any more
    safe: bool = False  # synced, and above something that is lost


@dataclass(slots=True)
class Inode:
    """A file or a folder: what is durable of it, and the changes since, oldest first."""

    folder: bool = False
    content: bytes = b""
    known: tuple[bytes, bytes] = (b"", b"")  # a content and its digest, which most cuts ask for again
    changes: list[Change] = field(default_factory=list)
    marks: dict[str, object] = field(default_factory=dict)  # the mode and the attributes
    new_marks: list[tuple[str, object]] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    new_names: list[tuple[tuple[str, int | None], ...]] = field(default_factory=list)

    def sync_content(self) -> None:
        if not any(change.lost for change in self.changes):
            self.content, self.changes = written(self.content, self.changes), []
        else:  # what came after a lost change lies above it, and is safe; what was lost stays a matter of chance
            self.changes = [change if change.lost else change._replace(safe=True) for change in self.changes]

    def sync(self, *, content_only: bool = False) -> None:
        self.sync_content()
        if not content_only:
            self.marks.update(self.new_marks)
            self.new_marks.clear()

    def sync_names(self) -> None:
        self.names = named(self.names, self.new_names)
        self.new_names.clear()

    def lose(self) -> None:
        self.changes = [change if change.safe else change._replace(lost=True) for change in self.changes]


class Entry(NamedTuple):
    """What lies under a path after a cut."""

    inode: int
    folder: bool
    content: bytes
    digest: bytes
    marks: tuple[tuple[str, object], ...]


State = Mapping[str, Entry]
"""A whole tree by path, folders before what is in them."""


def written(content: bytes, changes: Iterable[Change]) -> bytes:
    if not changes:
        return content
    made = bytearray(content)
    for change in changes:
        if change.data is None:
            del made[change.offset :]
            made.extend(bytes(change.offset - len(made)))
            continue
        made.extend(bytes(max(0, change.offset - len(made))))
        made[change.offset : change.offset + len(change.data)] = change.data
    return bytes(made)


def named(names: Mapping[str, int], changes: Iterable[tuple[tuple[str, int | None], ...]]) -> dict[str, int]:
    made = dict(names)
    for change in changes:
        for name, inode in change:
            if inode is None:
                made.pop(name, None)
            else:
                made[name] = inode
    return made


class Disk:
    """The model, op by op."""

    def __init__(self) -> None:
        self.inodes: dict[int, Inode] = {0: Inode(folder=True)}

    def do(self, op: tuple) -> None:
        match op:
            case ("create" | "mkdir", above, name, number, mode):
                self.inodes[number] = Inode(folder=op[0] == "mkdir", marks={"mode": mode})
                self._name(above, (name, number))
            case ("write", number, offset, data):
                self.inodes[number].changes.append(Change(offset, data))
            case ("truncate", number, length):
                self.inodes[number].changes.append(Change(length, None))
            case ("chmod", number, mode):
                self.inodes[number].new_marks.append(("mode", mode))
            case ("xattr", number, name, value):
                self.inodes[number].new_marks.append((name, value))
            case ("link", above, name, number):
                self._name(above, (name, number))
            case ("unlink", above, name):
                self._name(above, (name, None))
            case ("rename", above, name, to, new):
                self._rename(above, name, to, new)
            case ("sync", number, content_only):
                self.inodes[number].sync(content_only=content_only)
            case ("sync_dir", number, _):
                self.inodes[number].sync_names()
            case ("lost", number):
                self.inodes[number].lose()

    def _name(self, above: int, *change: tuple[str, int | None]) -> None:
        self.inodes[above].new_names.append(change)

    def _rename(self, above: int, name: str, to: int, new: str) -> None:
        folder = self.inodes[above]
        number = named(folder.names, folder.new_names)[name]
        if above == to:  # one change of one folder: both names or neither
            self._name(above, (name, None), (new, number))
        else:
            self._name(to, (new, number))
            self._name(above, (name, None))

    def settle(self) -> None:
        """Everything is durable: where a recording begins."""
        for inode in self.inodes.values():
            inode.sync()
            inode.sync_names()

    def cut(self, how: str | Random) -> State:
        """What is there after a cut now."""
        kept: dict[int, Entry] = {}
        state: dict[str, Entry] = {}
        self._below(0, "", how, kept, state)
        return state

    def _below(
        self, number: int, path: str, how: str | Random, kept: dict[int, Entry], state: dict[str, Entry]
    ) -> None:
        inode = self.inodes[number]
        for name, child in sorted(named(inode.names, _some(inode.new_names, how)).items()):
            if child not in kept:
                kept[child] = self._left(child, how)
            state[f"{path}/{name}"] = kept[child]
            if kept[child].folder:
                self._below(child, f"{path}/{name}", how, kept, state)

    def _left(self, number: int, how: str | Random) -> Entry:
        inode = self.inodes[number]
        content, marks = inode.content, dict(inode.marks)
        if how == ALL:
            content = written(content, inode.changes)
            marks.update(inode.new_marks)
        elif how == STRICT:
            content = written(content, [change for change in inode.changes if change.safe])
        elif isinstance(how, Random):
            if inode.changes:
                content = written(content, _torn(inode.changes, how))
            marks.update(mark for mark in inode.new_marks if how.random() < 0.5)
        if content is not inode.known[0]:
            known = content, blake3(content).digest()
            if content is inode.content:
                inode.known = known
        else:
            known = inode.known
        return Entry(number, inode.folder, content, known[1], tuple(sorted(marks.items())))


def _some(changes: list, how: str | Random) -> list:
    """A beginning of them."""
    if isinstance(how, Random):
        return changes[: how.randint(0, len(changes))]
    return changes if how == ALL else []


def _torn(changes: list[Change], chance: Random) -> list[Change]:
    """What is left of changes of one file: what is safe, and of the rest what chance leaves."""
    free = [at for at, change in enumerate(changes) if not change.safe]
    fates = dict(zip(free, _fates(len(free), chance), strict=True))
    left: list[Change] = []
    for at, change in enumerate(changes):
        match fates.get(at, "kept"):
            case "kept":
                left.append(change)
            case "torn" if change.data is not None:
                left += _sectors(change, chance)
    return left


def _fates(many: int, chance: Random) -> list[str]:
    """All, none, a beginning, all but one, or each by its own lot."""
    lot = chance.random()
    kept = ["kept"] * many
    if lot < 0.15 or not many:
        return kept
    if lot < 0.3:
        return ["dropped"] * many
    if lot < 0.45:
        beginning = chance.randint(0, many)
        return kept[:beginning] + ["dropped"] * (many - beginning)
    if lot < 0.6:
        kept[chance.randrange(many)] = "dropped"
        return kept
    return chance.choices(["kept", "torn", "dropped"], [2, 1, 1], k=many)


def _sectors(change: Change, chance: Random) -> list[Change]:
    """A torn write: some of its sectors, and perhaps the length of all of it."""
    assert change.data is not None
    first = -change.offset % SECTOR
    bounds = [0, *range(first or SECTOR, len(change.data), SECTOR), len(change.data)]
    pieces = [Change(change.offset + a, change.data[a:b]) for a, b in pairwise(bounds) if chance.random() < 0.5]
    if chance.random() < 0.5:
        pieces.append(Change(change.offset + len(change.data), b""))
    return pieces


def digest(state: State) -> bytes:
    """Of all that is there: two states with the same need to be judged once."""
    told = hashlib.sha256()
    for path, entry in state.items():
        told.update(f"{path} {entry.inode} {entry.marks}\n".encode())
        told.update(entry.digest)
    return told.digest()


def lay(state: State, root: Path) -> None:
    """Make the tree in ``root``, an empty folder."""
    at: dict[int, str] = {}
    for path, entry in state.items():
        where = f"{root}{path}"
        if entry.folder:
            os.mkdir(where)
        elif entry.inode in at:
            os.link(at[entry.inode], where)
        else:
            at[entry.inode] = where
            fd = os.open(where, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                if entry.content:
                    os.write(fd, entry.content)
                for name, value in entry.marks:
                    if name == "mode":
                        os.fchmod(fd, value)
                    else:
                        os.setxattr(fd, name, value)
            finally:
                os.close(fd)
