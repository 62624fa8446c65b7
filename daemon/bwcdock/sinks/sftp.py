"""Central storage in a folder of an SSH server, over SFTP."""

import hashlib
import heapq
import re
import secrets
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path

import asyncssh
import structlog
from asyncssh import FXF_CREAT, FXF_EXCL, FXF_READ, FXF_WRITE
from blake3 import blake3

from bwcdock.core.facts import Digests
from bwcdock.errors import Conflict, Unreachable, Untrue
from bwcdock.ports import Held
from bwcdock.settings import SftpSink
from bwcdock.sinks.filesystem import INCOMING, MARKER, UNTOUCHED
from bwcdock.sinks.keys import MAX_NOTE, check_key
from bwcdock.sinks.remote import PIECE, WRITABLE, Remote, RemoteFile, SyncFailed, plain
from bwcdock.sinks.sftp_errors import LINE_ERRORS, ROOM, told
from bwcdock.sinks.spooled import chunks_of, size_of
from bwcdock.sinks.ssh_line import WINDOW, Line

log = structlog.get_logger()

_PART = re.compile(r"[0-9a-f]{32}-[0-9a-f]{32}\.part")
_FOLDER_MODE = 0o750
_PART_MODE = 0o600
_FILE_MODE = 0o440
_KNOWN_FOLDERS = 64
"""Folders whose own name is known to be synced; beyond this each is synced once more when next it is used.

More would be another forty a day in a large dock, each in memory of a busy hour that it keeps from going back.
"""


class SftpStore:
    """A sink in a folder of an SSH server; the folder is never created by us and must carry our marker.

    ``identity``, ``station`` and ``pace`` are as in :class:`~bwcdock.sinks.filesystem.FilesystemSink`. Calls block,
    each at most as long as the server gives no sign of life; they share one connection. SFTP has no locks: a second
    call for the same object while the first still runs is refused. It has no way to hold a folder open either, so
    every step to an object is looked at before it is used, and somebody who may change folders on the server in that
    moment could lead it elsewhere; only the server's own rights keep him from it.

    ``syncs`` is whether the server writes to its disk when it is asked to, as far as is known; where it does not, a
    power cut there may lose what was confirmed, and the second look finds it.
    """

    def __init__(
        self,
        sink: SftpSink,
        *,
        identity: str | None = "",
        station: str = "",
        pace: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.name = sink.name
        self.syncs = True
        self._sink = sink
        self._root = sink.root.rstrip("/").encode()
        self._identity = identity
        self._station = station
        self._pace = pace
        self._line = Line(sink)
        self._synced: set[bytes] = set()
        self._writing: set[bytes] = set()
        self._guard = threading.Lock()

    def close(self) -> None:
        """End the connection; the next call makes another one."""
        self._line.close()

    def initialise(self) -> str:
        """Mark the folder as central storage and return its id; one marked before (by another station) keeps it."""
        with self._told("initialise"):
            remote = self._remote()
            self._root_of(remote)
            remote.make_folder(self._at(INCOMING), _FOLDER_MODE)
            part = self._at(INCOMING, f"{secrets.token_hex(16)}.marker")
            if remote.look(self._at(MARKER)) is None:
                with self._opened_part(remote, part) as file:
                    file.write(memoryview(f"{secrets.token_hex(16)}\n".encode()), 0)
                    self._finish(file, 0o444)
                with suppress(FileExistsError):  # by another station, in this moment
                    self._publish(remote, part, self._at(MARKER))
                remote.discard(part)
            return self._marker(remote)

    def marker(self) -> str:
        """The id in the marker; empty where there is none."""
        with self._told("look for the marker"):
            remote = self._remote()
            self._root_of(remote)
            return self._marker(remote)

    def foreign(self) -> list[str]:
        """What lies directly in the folder and is neither ours nor made by the file system itself, by name."""
        with self._told("look around"):
            names = self._remote().listed(self._at())
        return sorted({name.decode(errors="replace") for name in names} - UNTOUCHED)

    # --- the contract -------------------------------------------------------------------------------------------------

    def stat(self, key: str) -> Held | None:
        """See :class:`bwcdock.ports.Sink`: both digests, of what the server gives back."""
        parts = check_key(key)
        evidential, working, size = hashlib.sha256(), blake3(), 0
        with self._told("stat", key):
            remote = self._central()
            try:
                for piece in self._read(remote, self._folder(remote, key, parts), key):
                    evidential.update(piece)
                    working.update(piece)
                    size += len(piece)
            except FileNotFoundError:
                return None
        digests = Digests(sha256=evidential.hexdigest(), blake3=working.hexdigest())
        return Held(size=size, digests=digests, readback="cached")

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:  # noqa: ARG002
        """See :class:`bwcdock.ports.Sink`.

        The content grows in ``.incoming`` under a name made of key and digest. If it dies there, the next call reads
        back what has arrived and compares it with the source, chunk by chunk, and goes on behind the last one that
        agrees: what was on the way when the line broke may have left holes, and they do not agree.
        """
        self._store(key, digests.blake3, size_of(source), lambda file: self._copy(source, file, digests))

    def note(self, key: str, data: bytes) -> None:
        """See :class:`bwcdock.ports.Sink`."""

        def write(file: RemoteFile) -> None:
            file.cut(0)
            file.write(memoryview(data), 0)

        self._store(key, blake3(data).hexdigest(), len(data), write)

    def recall(self, key: str) -> bytes | None:
        """See :class:`bwcdock.ports.Sink`."""
        parts = check_key(key)
        with self._told("recall", key):
            remote = self._central()
            try:
                return self._small(remote, self._folder(remote, key, parts), key)
            except FileNotFoundError:
                return None

    def give(self, key: str) -> Generator[memoryview]:
        """See :class:`bwcdock.ports.Gives`. What its taker raises is not the server's fault."""
        parts = check_key(key)
        with self._told("give", key):
            remote = self._central()
            pieces = self._read(remote, self._folder(remote, key, parts), key)
            try:
                for piece in pieces:
                    yield memoryview(piece)
            finally:
                pieces.close()

    def newest(self, prefix: str, suffix: str, most: int) -> list[str]:
        """See :class:`bwcdock.ports.Sink`. What is no good key (a foreign name, a dotted one) is passed over."""
        parts = check_key(prefix)
        with self._told("newest", prefix):
            remote = self._central()
            try:
                found = remote.listed(self._folder(remote, prefix, (*parts, "")).rstrip(b"/"))
            except (FileNotFoundError, asyncssh.SFTPNoSuchFile):
                return []
        names = [name for name in map(plain, found) if name and name.endswith(suffix)]
        return [f"{prefix}/{name}" for name in heapq.nlargest(most, names)]

    def keys(self, prefix: str, suffix: str) -> Generator[str]:
        """See :class:`bwcdock.ports.Lists`. Links are not followed, and what is no good key is passed over."""
        parts = check_key(prefix) if prefix else ()
        with self._told("list", prefix):
            remote = self._central()
            try:
                folder = self._folder(remote, prefix, (*parts, "")).rstrip(b"/")
            except FileNotFoundError:
                return
            yield from remote.below(folder, f"{prefix}/" if prefix else "", suffix)

    def tidy(self, before: datetime) -> None:
        """See :class:`bwcdock.ports.Tidies`: only parts with this station's name that no call is writing now."""
        if not self._station:
            return
        with self._told("tidy"):
            remote = self._central()
            for name, found in remote.listed(self._at(INCOMING)).items():
                text, mine = name.decode(errors="replace"), self._part("")
                if not (text.startswith(mine) and _PART.fullmatch(text.removeprefix(mine))) or found.written >= before:
                    continue
                part = self._at(INCOMING) + b"/" + name
                with self._guard:
                    if part in self._writing:
                        continue
                remote.discard(part)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _store(self, key: str, digest: str, size: int, fill: Callable[[RemoteFile], None]) -> None:
        parts = check_key(key)
        part = self._at(INCOMING, self._part(f"{hashlib.sha256(key.encode()).hexdigest()[:32]}-{digest[:32]}.part"))
        with self._alone(part), self._told("put", key):
            remote = self._central()
            final = self._folder(remote, key, parts, create=True)
            if remote.look(final) is not None:
                self._agrees(remote, final, key, digest)
                self._sync_names(remote, final.rpartition(b"/")[0])  # it may have died between the name and this
                remote.discard(part)
                return
            self._arrive(remote, part, key, digest, size, fill)
            try:
                self._publish(remote, part, final)
            except FileExistsError:
                self._agrees(remote, final, key, digest)
                remote.discard(part)

    def _arrive(
        self, remote: Remote, part: bytes, key: str, digest: str, size: int, fill: Callable[[RemoteFile], None]
    ) -> None:
        """Have all the bytes in ``part``, synced and read back; what is not right gets no name.

        There is no delete here: a bad object would hold its key for ever. A part that has lost its owner's right to
        write was whole once and may be the other name of something published: it is never written to again.
        """
        there = remote.look(part)
        if there is not None and not (there.kind == "file" and there.mode & WRITABLE):
            if there.kind == "file" and self._is_whole(remote, part, key, digest):
                return
            remote.discard(part)
            there = None
        self._room_for(remote, size - (there.size if there else 0))
        try:
            with self._opened_part(remote, part) as file:
                fill(file)
                self._finish(file, _FILE_MODE)
        except (Untrue, SyncFailed):
            with suppress(*LINE_ERRORS):  # it is compared again next time
                remote.discard(part)
            raise
        if self._digest(remote, part, key) != digest:
            remote.discard(part)
            what = f"{self.name} gave back other bytes for {key} than were written."
            raise Unreachable("put", what, "Check the server's disks and memory; it is sent again.", self.name)

    def _is_whole(self, remote: Remote, part: bytes, key: str, digest: str) -> bool:
        with remote.opened(part, FXF_READ) as file:
            self._sync(file)
        return self._digest(remote, part, key) == digest

    def _room_for(self, remote: Remote, size: int) -> None:
        """Known before anything is sent that would fill its disk in vain."""
        room = remote.room(self._at())
        if room is not None and room < size:
            what = f"{self.name} is full: {room} bytes are free, {size} are needed."
            raise Unreachable("put", what, ROOM, self.name, ailment="full")

    def _copy(self, source: Path, file: RemoteFile, digests: Digests) -> None:
        found, offset = blake3(), 0
        there = file.look().size
        for chunk in chunks_of(source):
            found.update(chunk)
            if offset + len(chunk) > there or not _arrived(file, offset, chunk):
                if there > offset:
                    file.cut(offset)
                    there = offset
                file.write(chunk, offset)
            offset += len(chunk)
        file.settle()
        if there > offset:
            file.cut(offset)
        if found.hexdigest() != digests.blake3:
            what = f"The spool copy {source.name} is no longer what was sealed."
            raise Untrue("put", what, "Nothing was published. Check the spool's disk; the copy is verified.")

    def _finish(self, file: RemoteFile, mode: int) -> None:
        """Everything has arrived, and is safe where the server can see to that; its permissions with it."""
        file.settle()
        file.set_mode(mode)
        self._sync(file)

    def _sync(self, file: RemoteFile) -> None:
        self._note_syncing("contents", can=file.sync())

    def _sync_names(self, remote: Remote, folder: bytes) -> None:
        self._note_syncing("names", can=remote.sync_folder(folder))

    def _note_syncing(self, what: str, *, can: bool) -> None:
        if not can and self.syncs:
            self.syncs = False
            hint = "A power cut there may lose what was confirmed; the second look finds it."
            log.warning("sink.does_not_sync", sink=self.name, what=what, hint=hint)

    def _publish(self, remote: Remote, part: bytes, final: bytes) -> None:
        remote.publish(part, final)
        self._sync_names(remote, final.rpartition(b"/")[0])

    def _agrees(self, remote: Remote, final: bytes, key: str, digest: str) -> None:
        if self._digest(remote, final, key) != digest:
            what = f"{self.name} holds other bytes under {key}."
            raise Conflict(
                "put", what, "Nothing was overwritten. Find out who wrote it; bwcdock audit compares both.", key
            )

    def _digest(self, remote: Remote, path: bytes, key: str) -> str:
        found = blake3()
        for piece in self._read(remote, path, key):
            found.update(piece)
        return found.hexdigest()

    def _read(self, remote: Remote, path: bytes, key: str) -> Generator[bytes]:
        """All of a file in order. ``FileNotFoundError`` where there is none, ``Conflict`` where it is no file."""
        self._file_there(remote, path, key)
        with remote.opened(path, FXF_READ) as file:
            yield from file.read(0, file.look().size)

    def _small(self, remote: Remote, path: bytes, key: str) -> bytes:
        if self._file_there(remote, path, key) > MAX_NOTE:
            what = f"{self.name} holds something too large to be a document under {key}."
            raise Conflict("recall", what, "Find out who put it there.", key)
        return b"".join(self._read(remote, path, key))

    def _file_there(self, remote: Remote, path: bytes, key: str) -> int:
        """The size of a file. Looked at before it is opened: a pipe there would hang the server's session."""
        there = remote.look(path)
        if there is None:
            raise FileNotFoundError(path)
        if there.kind != "file":
            raise self._in_the_way(key, "it is no file")
        return there.size

    # --- places -------------------------------------------------------------------------------------------------------

    def _at(self, *names: str) -> bytes:
        return b"/".join([self._root or b"/", *(name.encode() for name in names)]).replace(b"//", b"/", 1)

    def _part(self, name: str) -> str:
        """The name of a part: with the station's before it, so that each removes its own and nobody else's."""
        return f"{self._station}.{name}" if self._station else name

    def _remote(self) -> Remote:
        return Remote(self._line, self._pace)

    def _root_of(self, remote: Remote) -> None:
        if remote.look(self._at() + b"/.") is None:
            hint = "Mount it on the server, or correct the sink's root in the settings."
            raise Unreachable("open central storage", f"{self._sink.place} does not exist.", hint, self.name)

    def _marker(self, remote: Remote) -> str:
        try:
            return self._small(remote, self._at(MARKER), MARKER).decode(errors="replace").strip()
        except FileNotFoundError:
            return ""

    def _central(self) -> Remote:
        """The server's files, once the root has proven to be the storage it was: a mount there may be gone as well."""
        remote = self._remote()
        marker = self._marker(remote)
        if not marker or self._identity not in {"", marker}:
            place = self._sink.place
            what = f"{place} is not the central storage it was." if marker else f"{place} has no marker."
            if marker and self._identity is None:
                what = f"{place} is central storage that this station has not taken into use."
            hint = "Mount it on the server; a new one is taken into use with `bwcdock sinks init`."
            raise Unreachable("open central storage", what, hint, self.name)
        return remote

    def _folder(self, remote: Remote, key: str, parts: tuple[str, ...], *, create: bool = False) -> bytes:
        """The path of a key, each step to it proven to be a folder and no link."""
        path = self._at()
        for component in parts[:-1]:
            above, path = path, path.rstrip(b"/") + b"/" + component.encode()
            there = remote.look(path)
            if there is None:
                if not create:
                    raise FileNotFoundError(path)
                remote.make_folder(path, _FOLDER_MODE)
                there = remote.look(path)
            if there is None or there.kind != "folder":
                raise self._in_the_way(key, f"{component} is no folder")
            if create and path not in self._synced:
                self._sync_names(remote, above)  # whoever made it may have died before its name was synced
                if len(self._synced) >= _KNOWN_FOLDERS:
                    self._synced.clear()
                self._synced.add(path)
        return path.rstrip(b"/") + b"/" + parts[-1].encode()

    @contextmanager
    def _opened_part(self, remote: Remote, part: bytes) -> Iterator[RemoteFile]:
        """The part, made where it is not there yet; a link that somebody laid in its place is not followed."""
        new = 0 if remote.look(part) else FXF_CREAT | FXF_EXCL
        with remote.opened(part, FXF_READ | FXF_WRITE | new, _PART_MODE) as file:
            yield file

    @contextmanager
    def _alone(self, part: bytes) -> Iterator[None]:
        with self._guard:
            if part in self._writing:
                what = f"{self.name} is busy: another call is still writing this object."
                raise Unreachable("put", what, "It is tried again.", self.name)
            self._writing.add(part)
        try:
            yield
        finally:
            with self._guard:
                self._writing.discard(part)

    # --- errors -------------------------------------------------------------------------------------------------------

    def _in_the_way(self, key: str, why: str) -> Conflict:
        what = f"Something that is not ours lies on the way to {key}: {why}."
        return Conflict("open", what, "Find out who put it there; nothing was written.", key)

    def _told(self, op: str, key: str = "") -> AbstractContextManager[None]:
        return told(self._sink, op, key, self._is_full)

    def _is_full(self) -> bool:
        try:
            room = self._remote().room(self._at())
        except LINE_ERRORS:
            return False
        return room is not None and room < PIECE * WINDOW


def _arrived(file: RemoteFile, offset: int, chunk: memoryview) -> bool:
    """Whether the file has exactly this chunk there already."""
    at = 0
    for piece in file.read(offset, offset + len(chunk)):
        if piece != chunk[at : at + len(piece)]:
            return False
        at += len(piece)
    return True
