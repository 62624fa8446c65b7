"""Central storage in a folder: a NAS share, the platform server's export, or a second disk."""

import errno
import hashlib
import heapq
import os
import re
import secrets
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from blake3 import blake3

from bwcdock import durable
from bwcdock.calls import SYSTEM, System
from bwcdock.core.facts import Digests
from bwcdock.durable import PartFile
from bwcdock.errors import Ailment, Conflict, Misused, SpoolBroken, SpoolFull, Unreachable, Untrue
from bwcdock.ports import Held
from bwcdock.reading import BLOCK, Buffers, Reading, Whole, chunks, opened, read_back
from bwcdock.sinks.keys import MAX_NOTE, check_key

MARKER = ".bwcdock-central"
"""Names the volume. A NAS that is not mounted leaves an empty folder behind, and that one has no marker."""

INCOMING = ".incoming"
"""Where content grows until it is complete; on the same volume, so that publishing is one new name."""

UNTOUCHED = frozenset({MARKER, INCOMING, "lost+found", "@eaDir", "@Recycle", "#recycle", ".snapshot"})
"""What a volume that nobody has put anything on may hold: our own, and what file systems and NAS make themselves."""

_PART = re.compile(r"[0-9a-f]{32}-[0-9a-f]{32}\.part")
_FOLDER_MODE = 0o750
_FILE_MODE = 0o440
_KNOWN_FOLDERS = 64
"""Folders whose own name is known to be synced; beyond this each is synced once more when next it is used.

More would be another forty a day in a large dock, each in memory of a busy hour that it keeps from going back.
"""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_HINTS = {
    errno.ENOSPC: "Make room in central storage; the recordings wait in the spool.",
    errno.EDQUOT: "Raise the quota of the station's account in central storage.",
    errno.EROFS: "Central storage is mounted read-only: check its disks and mount it read-write.",
    errno.EACCES: "Give the station's account the right to create files and folders there.",
    errno.EPERM: "Give the station's account the right to create files and folders there.",
    errno.EIO: "Check the disks of central storage and the network to it.",
    errno.ESTALE: "The export was changed under the mount: unmount it and mount it again.",
    errno.ENOENT: "Mount central storage, or correct the sink's root in the settings.",
    errno.ENOTCONN: "Mount central storage again.",
    errno.ETIMEDOUT: "Check the network to central storage.",
    errno.EHOSTDOWN: "Check the network to central storage.",
}

_AILMENTS: dict[int, Ailment] = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EROFS: "credentials",
    errno.EACCES: "credentials",
    errno.EPERM: "credentials",
}
"""What ails it where it is not gone or busy: no room left, or that we may not do it."""


class FilesystemSink:
    """A sink in the folder ``root``, which is never created by us and must carry our marker (:meth:`initialise`).

    ``identity`` is the id that marker must hold; empty accepts any, and ``None`` says that this station has taken none
    into use, so that none is accepted. ``station`` is in the names of what it has not finished yet. ``pace`` is called
    with the size of every chunk read or written, for throttling. A folder has no retention lock: ``keep_until`` is in
    the manifest, and holding to it is the storage's own business (snapshots the station's account cannot delete).

    Beside the errors of the contract: :class:`~bwcdock.errors.Untrue` where the source cannot be read or is not what it
    was sealed as; nothing is published then.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        *,
        identity: str | None = "",
        station: str = "",
        pace: Callable[[int], None] = lambda _: None,
        system: System = SYSTEM,
    ) -> None:
        self.name = name
        self._root = root
        self._identity = identity
        self._station = station
        self._pace = pace
        self._system = system
        self._synced: set[tuple[int, int]] = set()

    def initialise(self) -> str:
        """Mark the folder as central storage and return its id; one marked before (by another station) keeps it."""
        with self._told("initialise"), self._opened(os.open(self._root, _DIRECTORY & ~os.O_NOFOLLOW)) as root:
            durable.make_dirs(_at(root, INCOMING), mode=_FOLDER_MODE, system=self._system)
            with suppress(FileExistsError):
                data = f"{secrets.token_hex(16)}\n".encode()
                durable.write_small(_at(root, MARKER), data, mode=0o444, system=self._system)
            return _at(root, MARKER).read_text(errors="replace").strip()

    def marker(self) -> str:
        """The id in the marker; empty where there is none."""
        with self._told("look for the marker"), self._opened(os.open(self._root, _DIRECTORY & ~os.O_NOFOLLOW)) as root:
            return _marker(root)

    def foreign(self) -> list[str]:
        """What lies directly in the folder and is neither ours nor made by the file system itself, by name."""
        with self._told("look around"), self._opened(os.open(self._root, _DIRECTORY & ~os.O_NOFOLLOW)) as root:
            return sorted(set(os.listdir(root)) - UNTOUCHED)

    # --- the contract -------------------------------------------------------------------------------------------------

    def stat(self, key: str) -> Held | None:
        """See :class:`bwcdock.ports.Sink`: both digests, read past the page cache where the volume allows it."""
        parts = check_key(key)
        with self._told("stat", key), self._central() as root:
            try:
                with self._folder(root, parts) as (folder, name):
                    found = read_back(_at(folder, name), sha256=True, pace=self._pace, system=self._system)
            except FileNotFoundError:
                return None
            digests = Digests(sha256=found.sha256, blake3=found.blake3)
            return Held(size=found.size, digests=digests, readback=found.how)

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:  # noqa: ARG002
        """See :class:`bwcdock.ports.Sink`.

        The content grows in ``.incoming`` under a name made of key and digest. If it dies there, the next call
        compares what has arrived with the source, chunk by chunk, and goes on behind the last one that agrees.
        """
        self._store(key, digests.blake3, lambda part: self._copy(source, part, digests))

    def note(self, key: str, data: bytes) -> None:
        """See :class:`bwcdock.ports.Sink`."""

        def write(part: PartFile) -> None:
            part.truncate(0)
            part.write_at(memoryview(data), 0)

        self._store(key, blake3(data).hexdigest(), write)

    def recall(self, key: str) -> bytes | None:
        """See :class:`bwcdock.ports.Sink`: read through the page cache, for nothing is proven by it."""
        parts = check_key(key)
        with self._told("recall", key), self._central() as root:
            try:
                with self._folder(root, parts) as (folder, name), Whole(_at(folder, name)) as whole:
                    data = whole.read(0, MAX_NOTE + 1)
            except FileNotFoundError:
                return None
        if len(data) > MAX_NOTE:
            what = f"{self.name} holds something too large to be a document under {key}."
            raise Conflict("recall", what, "Find out who put it there.", key)
        return data

    def give(self, key: str) -> Generator[memoryview]:
        """See :class:`bwcdock.ports.Gives`: read from the disk. What its taker raises is not the volume's fault."""
        parts = check_key(key)
        with (
            self._told("give", key),
            self._central() as root,
            self._folder(root, parts) as (folder, name),
            Reading(_at(folder, name), system=self._system) as reading,
        ):
            for chunk in chunks(reading, Buffers(count=1)):
                self._pace(len(chunk))
                yield chunk

    def opened(self, key: str) -> FileIO:
        """See :class:`bwcdock.ports.Opens`."""
        parts = check_key(key)
        with self._told("open", key), self._central() as root, self._folder(root, parts) as (folder, name):
            return opened(_at(folder, name))

    def newest(self, prefix: str, suffix: str, most: int) -> list[str]:
        """See :class:`bwcdock.ports.Sink`. What is no good key (a foreign name, a dotted one) is passed over."""
        parts = check_key(prefix)
        with self._told("newest", prefix), self._central() as root:
            try:
                with self._folder(root, (*parts, "")) as (folder, _):
                    names = [name for name in os.listdir(folder) if name.endswith(suffix) and not name.startswith(".")]
            except FileNotFoundError:
                return []
        plain = [name for name in names if name.isprintable()]
        return [f"{prefix}/{name}" for name in heapq.nlargest(most, plain)]

    def keys(self, prefix: str, suffix: str) -> Generator[str]:
        """See :class:`bwcdock.ports.Lists`: folder by folder, so that only the names of one way down are in memory.

        Dotted names are the sink's own workshop; links lead outside, and what is no good key is nothing of ours.
        """
        parts = check_key(prefix) if prefix else ()
        with self._told("list", prefix or "."), self._central() as root:
            try:
                with self._folder(root, (*parts, "")) as (folder, _):
                    yield from _below(folder, f"{prefix}/" if prefix else "", suffix)
            except FileNotFoundError:
                return

    def tidy(self, before: datetime) -> None:
        """See :class:`bwcdock.ports.Tidies`: only parts with this station's name, each under its own lock."""
        if not self._station:
            return
        with (
            self._told("tidy"),
            self._central() as root,
            self._opened(os.open(INCOMING, _DIRECTORY, dir_fd=root)) as incoming,
        ):
            for name in os.listdir(incoming):
                mine = self._part("")
                if not (name.startswith(mine) and _PART.fullmatch(name.removeprefix(mine))):
                    continue
                with suppress(FileNotFoundError):  # published meanwhile
                    if datetime.fromtimestamp(os.lstat(name, dir_fd=incoming).st_mtime, UTC) < before:
                        self._abandon(_at(incoming, name))

    def _abandon(self, part: Path) -> None:
        try:
            with PartFile(part, system=self._system):
                durable.discard(part, system=self._system)
        except FileExistsError:  # it is the other name of something published
            durable.discard(part, system=self._system)
        except Misused:
            return  # somebody is writing it just now

    def _part(self, name: str) -> str:
        """The name of a part: with the station's before it, so that each removes its own and nobody else's."""
        return f"{self._station}.{name}" if self._station else name

    # --- inside -------------------------------------------------------------------------------------------------------

    def _store(self, key: str, digest: str, fill: Callable[[PartFile], None]) -> None:
        parts = check_key(key)
        with (
            self._told("put", key),
            self._central() as root,
            self._folder(root, parts, create=True) as (folder, name),
            self._opened(os.open(INCOMING, _DIRECTORY, dir_fd=root)) as incoming,
        ):
            final = _at(folder, name)
            part = _at(incoming, self._part(f"{hashlib.sha256(key.encode()).hexdigest()[:32]}-{digest[:32]}.part"))
            if os.path.lexists(final):
                self._agrees(final, key, digest)
                durable.fsync_dir(_at(folder), system=self._system)  # it may have died between the name and this
            else:
                self._arrive(part, key, digest, fill)
                try:
                    durable.publish(part, final, mode=_FILE_MODE, system=self._system)
                except FileExistsError:
                    self._agrees(final, key, digest)
            durable.discard(part, system=self._system)

    def _arrive(self, part: Path, key: str, digest: str, fill: Callable[[PartFile], None]) -> None:
        """Have all the bytes in ``part``, synced and read back; what is not right gets no name.

        There is no delete here: a bad object would hold its key for ever.
        """
        with PartFile(part, system=self._system) as opened:
            fill(opened)
            opened.sync()
        if read_back(part, pace=self._pace, system=self._system).blake3 != digest:
            durable.discard(part, system=self._system)
            what = f"{self.name} gave back other bytes for {key} than were written."
            raise Unreachable("put", what, "Check its disks and memory; it is sent again.", self.name)

    def _agrees(self, final: Path, key: str, digest: str) -> None:
        if read_back(final, pace=self._pace, system=self._system).blake3 != digest:
            what = f"{self.name} holds other bytes under {key}."
            hint = "Nothing was overwritten. Find out who wrote it; bwcdock audit compares both."
            raise Conflict("put", what, hint, key)

    def _copy(self, source: Path, part: PartFile, digests: Digests) -> None:
        told = blake3()
        offset = 0
        part.truncate(part.length // BLOCK * BLOCK)
        with suppress(FileNotFoundError):  # told below
            part.preallocate(source.stat().st_size)
        try:
            with Buffers(count=1).lend() as mine:
                for chunk in _chunks_of(source):
                    told.update(chunk)
                    if not self._arrived(part, offset, chunk, mine):
                        part.truncate(offset)
                        part.write_at(chunk, offset)
                    self._pace(len(chunk))
                    offset += len(chunk)
        except _SourceError as error:
            what = f"The spool copy of {source.name} cannot be read: {error}."
            raise Untrue("put", what, "Check the spool's disk; the copy is verified and fetched again.") from error
        part.truncate(offset)
        if told.hexdigest() != digests.blake3:
            self._forget(part)
            what = f"The spool copy {source.name} is no longer what was sealed."
            raise Untrue("put", what, "Nothing was published. Check the spool's disk; the copy is verified.")

    def _arrived(self, part: PartFile, offset: int, chunk: memoryview, mine: memoryview) -> bool:
        """Whether the partial file has exactly this chunk here already; ``mine`` is a buffer to read it into."""
        if offset + len(chunk) > part.length:
            return False
        with Reading(part.fileno(), system=self._system) as reading:
            got = min(reading.fill(mine[: -(-len(chunk) // BLOCK) * BLOCK], offset), len(chunk))
        return blake3(mine[:got]).digest() == blake3(chunk).digest()

    def _forget(self, part: PartFile) -> None:
        part.close()
        durable.discard(part.path, system=self._system)

    @contextmanager
    def _central(self) -> Iterator[int]:
        """The root, held open and proven to be the volume it was: everything below is reached through it."""
        with self._opened(os.open(self._root, _DIRECTORY & ~os.O_NOFOLLOW)) as root:
            marker = _marker(root)
            if not marker or self._identity not in {"", marker}:
                what = f"{self._root} is not the central storage it was." if marker else f"{self._root} has no marker."
                if marker and self._identity is None:
                    what = f"{self._root} is central storage that this station has not taken into use."
                hint = "Mount it; a new one is taken into use with `bwcdock sinks init`."
                raise Unreachable("open central storage", what, hint, self.name)
            yield root

    @contextmanager
    def _folder(self, root: int, parts: tuple[str, ...], *, create: bool = False) -> Iterator[tuple[int, str]]:
        """The folder of a key, reached step by step without following any link, and the last component."""
        fd = os.dup(root)
        try:
            for component in parts[:-1]:
                inner = self._step(fd, component, create=create)
                os.close(fd)
                fd = inner
            yield fd, parts[-1]
        finally:
            os.close(fd)

    def _step(self, fd: int, component: str, *, create: bool) -> int:
        try:
            inner = os.open(component, _DIRECTORY, dir_fd=fd)
        except FileNotFoundError:
            if not create:
                raise
            durable.make_dirs(_at(fd, component), mode=_FOLDER_MODE, system=self._system)
            inner = os.open(component, _DIRECTORY, dir_fd=fd)
        try:
            self._sync_step(fd, inner, create=create)
        except BaseException:
            os.close(inner)
            raise
        return inner

    def _sync_step(self, fd: int, inner: int, *, create: bool) -> None:
        """Whoever made this folder may have died before its name was synced; once for every folder and run."""
        status = os.fstat(inner)
        identity = (status.st_dev, status.st_ino)
        if create and identity not in self._synced:
            durable.fsync_dir(_at(fd), system=self._system)
            if len(self._synced) >= _KNOWN_FOLDERS:
                self._synced.clear()
            self._synced.add(identity)

    @contextmanager
    def _opened(self, fd: int) -> Iterator[int]:
        try:
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def _told(self, op: str, key: str = "") -> Iterator[None]:
        """Everything the volume says, in the words of the contract."""
        try:
            yield
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.EISDIR} and key:
                what = f"Something that is not ours lies on the way to {key}: {error.strerror}."
                raise Conflict(op, what, "Find out who put it there; nothing was written.", key) from error
            hint = _HINTS.get(error.errno or 0, "Check central storage and the network to it.")
            what = f"{self.name} cannot be used: {error.strerror or error}."
            raise Unreachable(op, what, hint, self.name, ailment=_ailment(error)) from error
        except Misused as error:
            raise Unreachable(op, f"{self.name} is busy: {error.what}", "It is tried again.", self.name) from error
        except SpoolFull as error:
            what = f"{self.name} is full."
            raise Unreachable(op, what, _HINTS[errno.ENOSPC], self.name, ailment="full") from error
        except SpoolBroken as error:
            what, ailment = f"{self.name} failed: {error.what}", _ailment(error.__cause__)
            raise Unreachable(op, what, _HINTS[errno.EIO], self.name, ailment=ailment) from error


def _ailment(error: BaseException | None) -> Ailment:
    code = error.errno if isinstance(error, OSError) else None
    return _AILMENTS.get(code or 0, "away")


class _SourceError(Exception):
    """The spool copy, not central storage, failed."""


def _chunks_of(source: Path) -> Iterator[memoryview]:
    try:
        with Reading(source) as reading:
            yield from chunks(reading, Buffers(count=1))
    except OSError as error:
        raise _SourceError(error.strerror or str(error)) from error


def _below(folder: int, at: str, suffix: str) -> Generator[str]:
    """The keys below an open folder, in order of names; each folder is open while its own are told."""
    for name in sorted(name for name in os.listdir(folder) if name.isprintable() and not name.startswith(".")):
        try:
            kind = os.lstat(name, dir_fd=folder).st_mode
            inner = os.open(name, _DIRECTORY, dir_fd=folder) if stat.S_ISDIR(kind) else -1
        except FileNotFoundError:  # taken away since: nothing of ours ever is
            continue
        if stat.S_ISREG(kind) and name.endswith(suffix):
            yield at + name
        elif inner >= 0:
            try:
                yield from _below(inner, f"{at}{name}/", suffix)
            finally:
                os.close(inner)


def _marker(root: int) -> str:
    """What the marker says; read at every call, so no more is done about it than reading."""
    try:
        fd = os.open(MARKER, os.O_RDONLY | os.O_CLOEXEC, dir_fd=root)
    except FileNotFoundError:
        return ""
    try:
        return os.read(fd, BLOCK).decode(errors="replace").strip()
    finally:
        os.close(fd)


def _at(folder: int, *names: str) -> Path:
    """A path below an open folder that stays below it whatever is renamed or mounted meanwhile."""
    return Path("/proc/self/fd", str(folder), *names)
