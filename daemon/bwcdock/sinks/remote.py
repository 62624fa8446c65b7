"""Files and folders of an SFTP server, as blocking calls on a :class:`~bwcdock.sinks.ssh_line.Line`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from stat import S_ISDIR, S_ISREG
from typing import Literal

import asyncssh
from asyncssh import SFTPAttrs, SFTPClient, SFTPClientFile

from bwcdock.sinks.ssh_line import Line, Window, answers

PIECE = 128 << 10
"""Bytes of one request. OpenSSH ends a session over one that is larger than 256 KiB."""

WRITABLE = 0o200

Kind = Literal["file", "folder", "other"]


class ShortRead(Exception):
    """The server gave fewer bytes than the file has."""


class SyncFailed(Exception):
    """The server's disk did not take what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the server says of a name, its links not followed."""

    kind: Kind
    size: int
    mode: int
    written: datetime


class Remote:
    """The server's files for one call to central storage; paths are bytes. Raises what :class:`Line` raises.

    ``pace`` is called before every piece that is sent and after every piece that has come.
    """

    def __init__(self, line: Line, pace: Callable[[int], None]) -> None:
        self._line = line
        self._sftp: SFTPClient = line.session()
        self._pace = pace

    def look(self, path: bytes) -> Entry | None:
        """What lies there; ``None`` where nothing does."""
        try:
            return _entry(self._line.ask(self._sftp.lstat, path))
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            return None

    def listed(self, path: bytes) -> dict[bytes, Entry]:
        """Everything in a folder, without ``.`` and ``..``. Raises ``SFTPNoSuchFile``."""
        found = self._line.ask(self._sftp.readdir, path)
        return {_bytes(one.filename): _entry(one.attrs) for one in found if one.filename not in {b".", b".."}}

    def below(self, folder: bytes, prefix: str, suffix: str) -> Iterator[str]:
        """The keys of the files below a folder whose key is ``prefix``, in the order of whole keys.

        So a folder stands where its name with a slash does. Links are not followed; what can be no part of a key is
        passed over.
        """
        found = [(name, entry.kind) for raw, entry in self.listed(folder).items() if (name := plain(raw))]
        for name, kind in sorted(found, key=lambda one: one[0] + "/" * (one[1] == "folder")):
            if kind == "folder":
                yield from self.below(folder + b"/" + name.encode(), f"{prefix}{name}/", suffix)
            elif kind == "file" and name.endswith(suffix):
                yield prefix + name

    def make_folder(self, path: bytes, mode: int) -> None:
        """Make it; one that is there is fine."""
        try:
            self._line.ask(self._sftp.mkdir, path, SFTPAttrs(permissions=mode))
        except asyncssh.SFTPError:  # version 3 has no word for "is there already"
            if self.look(path) is None:
                raise

    def discard(self, path: bytes) -> None:
        """Remove a name that is ours; one that is gone is fine."""
        with suppress(asyncssh.SFTPNoSuchFile):
            self._line.ask(self._sftp.remove, path)

    def publish(self, part: bytes, final: bytes) -> None:
        """Give the file a second name and take its first; raises ``FileExistsError`` where the new name is taken.

        A link never overwrites. A plain rename of version 3 must not either: OpenSSH makes it of the same link, and
        looks before where the disk has none. What overwrites (``posix-rename``) is never asked for.
        """
        try:
            self._line.ask(self._sftp.link, part, final)
        except asyncssh.SFTPError:
            if self.look(final) is not None:
                raise FileExistsError(final) from None
            try:
                self._line.ask(self._sftp.rename, part, final)
            except asyncssh.SFTPError:
                if self.look(final) is not None:
                    raise FileExistsError(final) from None
                raise
        self.discard(part)

    def sync_folder(self, path: bytes) -> bool:
        """Have the names in it on the disk; whether the server can. A folder opens for reading as a file does."""
        try:
            with self.opened(path, asyncssh.FXF_READ) as folder:
                return folder.sync()
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection):
            raise
        except asyncssh.SFTPError:  # it opens no folders, or has no handle for them
            return False

    def room(self, path: bytes) -> int | None:
        """How many bytes are free for us on its volume; ``None`` where the server does not say."""
        try:
            told = self._line.ask(self._sftp.statvfs, path)
        except asyncssh.SFTPError:
            return None
        return 0 if told.files and not told.favail else told.bavail * (told.frsize or told.bsize)

    @contextmanager
    def opened(self, path: bytes, flags: int, mode: int | None = None) -> Iterator["RemoteFile"]:
        """The file, closed in the end. Where something failed, its end is not waited for."""
        attrs = SFTPAttrs() if mode is None else SFTPAttrs(permissions=mode)
        file = self._line.ask(self._sftp.open, path, flags, attrs, encoding=None)
        try:
            yield RemoteFile(self._line, file, self._pace)
        except BaseException:
            self._line.begin(file.close)
            raise
        self._line.ask(file.close)  # on some servers the disk's last word


class RemoteFile:
    """An open file of the server, read and written in pieces of which several are on the way at once."""

    def __init__(self, line: Line, file: SFTPClientFile, pace: Callable[[int], None]) -> None:
        self._line = line
        self._file = file
        self._pace = pace
        self._window = Window(line)

    def look(self) -> Entry:
        """What it is."""
        return _entry(self._line.ask(self._file.stat))

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from ``start`` to ``end`` in order. Raises :class:`ShortRead` where they are fewer."""
        spans = [(at, min(PIECE, end - at)) for at in range(start, end, PIECE)]
        calls = (partial(self._file.read, size, at) for at, size in spans)
        for (at, size), piece in zip(spans, answers(self._line, calls), strict=True):
            if len(piece) != size:
                raise ShortRead(f"it gave {len(piece)} of {size} bytes at {at}")
            self._pace(size)
            yield piece

    def write(self, data: memoryview, at: int) -> None:
        """Send it; whether it arrived is said by a later one, or by :meth:`settle`."""
        for begin in range(0, len(data), PIECE):
            piece = bytes(data[begin : begin + PIECE])
            self._pace(len(piece))
            self._window.begin(self._file.write, piece, at + begin)

    def settle(self) -> None:
        """Wait until everything that was sent has arrived."""
        self._window.settle()

    def cut(self, size: int) -> None:
        """Make it so long."""
        self._line.ask(self._file.truncate, size)

    def set_mode(self, mode: int) -> None:
        """Set its permissions, where the server knows any."""
        with suppress(asyncssh.SFTPOpUnsupported):
            self._line.ask(self._file.chmod, mode)

    def sync(self) -> bool:
        """Have it on the disk; whether the server can.

        A failed sync is final (:class:`SyncFailed`): the server's next one would answer "done" for bytes that are lost.
        """
        try:
            self._line.ask(self._file.fsync)
        except asyncssh.SFTPOpUnsupported:
            return False
        except asyncssh.SFTPFailure as error:
            raise SyncFailed(error.reason) from error
        return True


def plain(name: bytes) -> str:
    """A name that can be part of a key; else empty."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() and not text.startswith(".") else ""


def _entry(attrs: SFTPAttrs) -> Entry:
    mode = attrs.permissions or 0
    kind: Kind = "folder" if S_ISDIR(mode) else "file" if S_ISREG(mode) else "other"
    return Entry(kind=kind, size=attrs.size or 0, mode=mode, written=datetime.fromtimestamp(attrs.mtime or 0, UTC))


def _bytes(name: str | bytes) -> bytes:
    return name.encode() if isinstance(name, str) else name
