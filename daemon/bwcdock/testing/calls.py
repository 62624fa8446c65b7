"""System calls that fail, die or lose what was not synced, for trying out everything that writes to a disk."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bwcdock.calls import System

CHANGING = (
    "open", "write", "pwrite", "ftruncate", "reserve", "fsync", "fchmod", "setxattr", "link", "rename",
    "rename_noreplace", "unlink", "mkdir",
)  # fmt: skip
"""The calls of :class:`~bwcdock.calls.System` at which a fault can happen; reading and closing come beside them."""


Cut = Literal["strict", "zeros", "torn"]


class Died(BaseException):
    """The process ended here. No ``except Exception`` may see it, as none would see a SIGKILL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """At the ``nth`` call (from 1; of the call ``name``, or of any changing call): what happens.

    ``before``: it fails with ``code`` and has no effect. ``after``: it has its effect and then fails with ``code``.
    ``die_before`` and ``die_after``: the process ends there.
    """

    nth: int
    how: Literal["before", "after", "die_before", "die_after"]
    name: str = ""
    code: int = errno.EIO


class FaultySystem(System):
    """The real system calls, counted in ``told`` by name and in order, with at most one fault.

    ``refused`` names calls that always fail with a given errno: a file system without links, without direct I/O.
    """

    def __init__(self, fault: Fault | None = None, refused: dict[str, int] | None = None) -> None:
        self.told: list[str] = []
        self._fault = fault
        self.refused = refused or {}
        for name in (*CHANGING, "preadv"):
            setattr(self, name, self._wrapped(name, getattr(System, name)))

    def _wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            if name in CHANGING:
                self.told.append(name)
            if name in self.refused:
                raise OSError(self.refused[name], os.strerror(self.refused[name]))
            fault = self._fault
            counted = self.told.count(fault.name) if fault and fault.name else len(self.told)
            due = fault is not None and counted == fault.nth and name in CHANGING and fault.name in {"", name}
            if fault is None or not due:
                return self._done(name, call, args, options)
            self._fault = None
            if fault.how in {"after", "die_after"}:
                result = self._done(name, call, args, options)
                if name == "open":
                    os.close(result)  # the file may be there, but nobody has a descriptor of it
            if fault.how in {"die_before", "die_after"}:
                raise Died
            raise OSError(fault.code, os.strerror(fault.code))

        return wrapped

    def _done(self, name: str, call: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:  # noqa: ARG002
        return call(*args, **options)


@dataclass(slots=True)
class _File:
    """What is safe of one file: content and attributes at its last fsync."""

    data: bytes = b""
    marks: dict[str, bytes] = field(default_factory=dict)


class PowerCut(FaultySystem):
    """Keeps beside the real tree ``root`` what a power cut would leave of it.

    Content is safe as of the last fsync of the file, names as of the last fsync of the folder: stricter than any file
    system in use. ``forgets`` makes fsync of ``file`` or ``folder`` do nothing, to see that a campaign notices.
    """

    def __init__(self, root: Path, fault: Fault | None = None, forgets: frozenset[str] = frozenset()) -> None:
        super().__init__(fault)
        self._root = root
        self._forgets = forgets
        self._files: dict[int, _File] = {}
        self._gone = 0
        self._folders: dict[Path, dict[str, int]] = {}
        for where, _, names in os.walk(root):
            for name in names:
                self._sync_file(Path(where, name))
            self._sync_folder(Path(where))

    def _done(self, name: str, call: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if name in {"unlink", "rename"}:
            self._forget_inode(Path(args[0] if name == "unlink" else args[1]))
        result = call(*args, **options)
        if name == "fsync":
            path = Path(f"/proc/self/fd/{args[0]}").resolve()
            kind = "folder" if path.is_dir() else "file"
            if kind not in self._forgets:
                (self._sync_folder if kind == "folder" else self._sync_file)(path)
        return result

    def _forget_inode(self, path: Path) -> None:
        """The last name of a file goes: its number may be used again, while an unsynced folder still means the old."""
        if not path.exists() or path.stat().st_nlink > 1:
            return
        inode = path.stat().st_ino
        self._gone += 1
        token = -self._gone
        if inode in self._files:
            self._files[token] = self._files.pop(inode)
        for names in self._folders.values():
            for name, number in names.items():
                if number == inode:
                    names[name] = token

    def _sync_file(self, path: Path) -> None:
        self._files[path.stat().st_ino] = _File(path.read_bytes(), _marks(path))

    def _sync_folder(self, path: Path) -> None:
        self._folders[path] = {entry.name: entry.inode() for entry in os.scandir(path)}

    def leave(self, where: Path, mode: Cut) -> None:
        """Make in ``where`` the tree that the cut leaves.

        ``strict``: nothing that was not synced. ``zeros``: every name and attribute, also the unsynced, and files as
        long as they were, with zeros for each byte that was not synced: delayed allocation at its worst. ``torn``: as
        zeros, and attributes are those of the last sync.
        """
        if mode == "strict":
            self._lay(self._root, where)
            return
        for at, _, names in os.walk(self._root):
            here = where / Path(at).relative_to(self._root)
            here.mkdir(exist_ok=True)
            for name in names:
                live = Path(at, name)
                safe = self._files.get(live.stat().st_ino, _File())
                marks = _marks(live) if mode == "zeros" else safe.marks
                _write(here / name, _torn(live.read_bytes(), safe.data), marks, live.stat().st_mode)

    def _lay(self, folder: Path, where: Path) -> None:
        where.mkdir(exist_ok=True)
        for name, inode in self._folders.get(folder, {}).items():
            path = folder / name
            if path in self._folders or path.is_dir():
                self._lay(path, where / name)
            else:
                safe = self._files.get(inode, _File())
                _write(where / name, safe.data, safe.marks, 0o600)


def _torn(live: bytes, safe: bytes) -> bytes:
    """``live`` with zeros wherever it is not what was synced."""
    if safe[: len(live)] == live:
        return live
    return bytes(a if a == b else 0 for a, b in zip(live, safe.ljust(len(live), b"\0"), strict=False))


def _marks(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


def _write(path: Path, data: bytes, marks: dict[str, bytes], mode: int) -> None:
    path.write_bytes(data)
    for name, value in marks.items():
        os.setxattr(path, name, value)
    path.chmod(mode & 0o777)
