"""Where the papers and the footage lie that are proven: in a folder, or with a sink of the settings."""

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bwcdock.errors import BwcdockError, Conflict, Declined, Misused, Untrue
from bwcdock.manifest import MAX_DOCUMENT
from bwcdock.ports import Lists, Store
from bwcdock.reading import Buffers, Whole, read_back
from bwcdock.sinks.filesystem import MARKER


class Unseen(Exception):
    """What lies under a name cannot be had; its text says why, as a line of the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an object is, by reading all of it: ``size`` in bytes, both digests in lower-case hex."""

    size: int
    sha256: str
    blake3: str


class Place(Protocol):
    """Central storage as a proof reads it. Nothing is changed; names are keys, with ``/`` between their parts."""

    def must_be_central(self) -> None:
        """Raise ``Misused`` where it is none: nothing is proven by an empty place."""
        ...

    def names(self, top: str, but: tuple[str, ...] = ()) -> Generator[tuple[str, str]]:
        """Every name under ``top`` (``""``: everywhere ``but`` under these) in order, each with what is wrong with it.

        What has something wrong is read no further. An object comes before the papers whose names continue its own.
        """
        ...

    def document(self, name: str) -> bytes | None:
        """A small paper, cut after its longest allowed size; ``None`` where there is none. Raises :class:`Unseen`."""
        ...

    def object(self, name: str, pace: Callable[[int], None]) -> Seen | None:
        """Read an object in full; ``None`` where there is none. Raises :class:`Unseen`."""
        ...


class Folder:
    """A directory that is central storage."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._buffers = Buffers(count=1)

    def must_be_central(self) -> None:
        """See :class:`Place`; raises ``OSError`` where the directory cannot be read."""
        if MARKER not in os.listdir(self._root):
            hint = f"Mount it, or name the directory that holds {MARKER}; nothing was proven."
            raise Misused("verify", f"{self._root} is no central storage: there is no {MARKER} in it.", hint)

    def names(self, top: str, but: tuple[str, ...] = ()) -> Generator[tuple[str, str]]:
        """See :class:`Place`. Dotted names are the sink's own workshop; links lead outside, and are told."""
        lost: list[OSError] = []
        for where, folders, files in os.walk(self._root / top, onerror=lost.append):
            here = Path(where)
            folders[:] = sorted(
                f for f in folders if not f.startswith(".") and (top or here != self._root or f not in but)
            )
            for name in (*(f for f in folders if (here / f).is_symlink()), *sorted(files)):
                path = here / name
                if path.is_symlink():
                    yield self._name(path), "a symbolic link; nothing in central storage is one."
                elif not name.startswith("."):
                    yield self._name(path), ""
            yield from self._told(lost)
        yield from self._told(lost)

    def document(self, name: str) -> bytes | None:
        """See :class:`Place`."""
        try:
            with Whole(self._root / name) as whole:
                return whole.read(0, MAX_DOCUMENT + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unseen(f"cannot be read: {error.strerror}.") from error

    def object(self, name: str, pace: Callable[[int], None]) -> Seen | None:
        """See :class:`Place`: past the page cache."""
        path = self._root / name
        if not path.is_file() or path.is_symlink():
            return None
        try:
            found = read_back(path, sha256=True, buffers=self._buffers, pace=pace)
        except OSError as error:
            raise Unseen(f"cannot be read: {error.strerror}.") from error
        return Seen(size=found.size, sha256=found.sha256, blake3=found.blake3)

    def _told(self, lost: list[OSError]) -> Generator[tuple[str, str]]:
        while lost:
            error = lost.pop(0)
            if not isinstance(error, FileNotFoundError):
                yield self._name(Path(error.filename)), f"cannot be read: {error.strerror}."

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._root))


class Stored:
    """What a sink of the settings holds, read through it. Where it is away: :class:`~bwcdock.errors.Unreachable`.

    What has no good key is nothing of ours, and is not listed.
    """

    def __init__(self, store: Store) -> None:
        if not isinstance(store, Lists):
            raise Misused("verify", f"What {store.name} holds cannot be listed.", "Name another with --sink.")
        self._store: Store = store
        self._lists: Lists = store

    def must_be_central(self) -> None:
        """See :class:`Place`."""
        if not self._store.marker():
            what = f"{self._store.name} is no central storage: it bears no marker."
            raise Misused("verify", what, f"Name another with --sink, or take it into use: bwcdock sinks init "
                          f"{self._store.name}. Nothing was proven.")  # fmt: skip

    def names(self, top: str, but: tuple[str, ...] = ()) -> Generator[tuple[str, str]]:
        """See :class:`Place`."""
        others = tuple(f"{each}/" for each in but)
        return ((key, "") for key in self._lists.keys(top, "") if not key.startswith(others))

    def document(self, name: str) -> bytes | None:
        """See :class:`Place`."""
        try:
            return self._store.recall(name)
        except (Conflict, Declined, Untrue) as error:
            raise _unseen(error) from error

    def object(self, name: str, pace: Callable[[int], None]) -> Seen | None:
        """See :class:`Place`."""
        try:
            held = self._store.stat(name)
        except (Conflict, Declined, Untrue) as error:
            raise _unseen(error) from error
        if held is None:
            return None
        pace(held.size)
        return Seen(size=held.size, sha256=held.digests.sha256, blake3=held.digests.blake3)


def _unseen(error: BwcdockError) -> Unseen:
    return Unseen(f"cannot be read: {error.what}")
