"""What carries commands to a recorder's logical unit: by SG_IO, or by the helper that may send vendor commands.

The kernel lets nobody send vendor commands to a disk without CAP_SYS_RAWIO, and the station has no capability. So it
opens the disk's node for reading, which udev allows at a slot, and hands the descriptor to a helper, which opens
nothing itself. Both ask :func:`bwcdock_drivers.dv16.wire.allows` before anything is sent.
"""

import ctypes
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from bwcdock.errors import BwcdockError, Misbehaved, NotAllowed

from bwcdock_drivers.source import OPEN_FLAGS, gone, refused

from . import frames, wire

SOCKET_VARIABLE: Final = "BWCDOCK_VENDOR"
"""Names the socket behind which a service manager starts a helper for every connection."""

READ_MS: Final = 2_000
WRITE_MS: Final = 10_000
"""How long a recorder may take, as the maker's own program has it; it writes to its memory meanwhile."""

HELPER_S: Final = 20.0
"""How long an answer of the helper may take: its start, and the longest command."""

_SG_IO = 0x2285
_TO, _FROM, _NONE = -2, -3, -1
_GONE = frozenset({errno.ENODEV, errno.ENXIO, errno.ESHUTDOWN, errno.ENOMEDIUM})
_NO_CONNECT, _BAD_TARGET = 1, 4


class Unit(Protocol):
    """One logical unit. Used from one thread at a time; may raise what a recorder may raise."""

    def take(self, cdb: bytes, length: int) -> bytes:
        """Send a command that reads; its answer, ``length`` bytes at most."""
        ...

    def give(self, cdb: bytes, data: bytes) -> None:
        """Send a command that brings ``data``, or nothing."""
        ...

    def alive(self) -> bool:
        """Whether it is still there, without asking it."""
        ...

    def close(self) -> None:
        """Let go of it. Never fails."""
        ...


class Guarded:
    """Another unit, which gets the commands on the list and no others."""

    def __init__(self, inner: Unit) -> None:
        self._inner = inner

    def take(self, cdb: bytes, length: int) -> bytes:
        """Pass it on, if it may be sent."""
        if not length or not wire.allows(cdb, wanted=length):
            raise forbidden()
        return self._inner.take(cdb, length)[:length]

    def give(self, cdb: bytes, data: bytes) -> None:
        """Pass it on, if it may be sent."""
        if not wire.allows(cdb, given=len(data)):
            raise forbidden()
        self._inner.give(cdb, data)

    def alive(self) -> bool:
        """Pass it on."""
        return self._inner.alive()

    def close(self) -> None:
        """Pass it on."""
        self._inner.close()


def forbidden() -> NotAllowed:
    """The error for a command that is not on the list."""
    return NotAllowed("read", "This command is never sent to a recorder.", "Report it: this is a fault of the program.")


class _Header(ctypes.Structure):
    """``sg_io_hdr`` (scsi/sg.h)."""

    _fields_ = (
        ("interface", ctypes.c_int), ("direction", ctypes.c_int), ("cdb_length", ctypes.c_ubyte),
        ("sense_most", ctypes.c_ubyte), ("pieces", ctypes.c_ushort), ("length", ctypes.c_uint),
        ("data", ctypes.c_void_p), ("cdb", ctypes.c_void_p), ("sense", ctypes.c_void_p), ("timeout_ms", ctypes.c_uint),
        ("flags", ctypes.c_uint), ("id", ctypes.c_int), ("user", ctypes.c_void_p), ("status", ctypes.c_ubyte),
        ("masked", ctypes.c_ubyte), ("message", ctypes.c_ubyte), ("sense_length", ctypes.c_ubyte),
        ("host", ctypes.c_ushort), ("driver", ctypes.c_ushort), ("left", ctypes.c_int), ("took_ms", ctypes.c_uint),
        ("info", ctypes.c_uint),
    )  # fmt: skip


class SgUnit:
    """A disk's node, opened for reading; closed with this. ``alive`` says whether the disk is still there."""

    def __init__(self, fd: int, alive: Callable[[], bool] = lambda: True) -> None:
        self._fd, self._alive = fd, alive

    def take(self, cdb: bytes, length: int) -> bytes:
        """One SG_IO that reads."""
        buffer = ctypes.create_string_buffer(length)
        got = self._send(cdb, buffer, length, _FROM, READ_MS)
        return buffer.raw[:got]  # only now: it is a copy

    def give(self, cdb: bytes, data: bytes) -> None:
        """One SG_IO that writes."""
        buffer = ctypes.create_string_buffer(data, max(1, len(data)))
        self._send(cdb, buffer, len(data), _TO if data else _NONE, WRITE_MS)

    def alive(self) -> bool:
        """Whether the disk is still there."""
        return self._fd >= 0 and self._alive()

    def close(self) -> None:
        """Close the node."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _send(self, cdb: bytes, buffer: "ctypes.Array[ctypes.c_char]", length: int, way: int, limit_ms: int) -> int:
        """How many bytes went over."""
        block, sense = ctypes.create_string_buffer(cdb, len(cdb)), ctypes.create_string_buffer(32)
        header = _Header(
            interface=ord("S"), direction=way, cdb_length=len(cdb), sense_most=len(sense), length=length,
            data=ctypes.addressof(buffer), cdb=ctypes.addressof(block), sense=ctypes.addressof(sense),
            timeout_ms=limit_ms,
        )  # fmt: skip
        try:
            fcntl.ioctl(self._fd, _SG_IO, header, True)  # noqa: FBT003  (the function's own order)
        except OSError as error:
            raise self._meant(error) from error
        if header.host in {_NO_CONNECT, _BAD_TARGET} or not self.alive():
            raise gone("read")
        if header.status or header.host or header.driver:
            what = f"It refused a command (status {header.status:#x}, host {header.host}, driver {header.driver})."
            raise Misbehaved("read", what, "Take it out and dock it again; record a tape for its maker.")
        return length - min(length, max(0, int(header.left)))

    def _meant(self, error: OSError) -> BwcdockError:
        if error.errno in _GONE or not self.alive():
            return gone("read")
        if error.errno in {errno.EPERM, errno.EACCES}:
            hint = "Switch the helper on: systemctl enable --now bwcdock-vendor.socket (docs/vendor.md)."
            return NotAllowed("open", "The kernel lets this user send it no vendor commands.", hint)
        return Misbehaved("read", f"A command failed ({error.strerror}).", "Take it out and dock it again.")


class HelpedUnit:
    """A unit behind the helper. The descriptor of the node is handed over, and stays open there."""

    def __init__(self, address: str, fd: int, alive: Callable[[], bool]) -> None:
        self._alive = alive
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(HELPER_S)
            self._socket.connect(address)
            socket.send_fds(self._socket, [frames.HELLO], [fd])
            self._answer()
        except OSError as error:
            self._socket.close()
            hint = "Switch the helper on: systemctl enable --now bwcdock-vendor.socket (docs/vendor.md)."
            raise NotAllowed("open", f"The helper for vendor commands cannot be asked: {error}.", hint) from error
        except BwcdockError:
            self._socket.close()
            raise

    def take(self, cdb: bytes, length: int) -> bytes:
        """Have it sent."""
        return self._asked(frames.request(cdb, length, b""))

    def give(self, cdb: bytes, data: bytes) -> None:
        """Have it sent."""
        self._asked(frames.request(cdb, 0, data))

    def alive(self) -> bool:
        """Whether the disk is still there."""
        return self._alive()

    def close(self) -> None:
        """End the helper."""
        self._socket.close()

    def _asked(self, request: bytes) -> bytes:
        try:
            self._socket.sendall(request)
            return self._answer()
        except OSError as error:
            if not self._alive():
                raise gone("read") from error
            what = f"The helper for vendor commands does not answer ({error})."
            raise Misbehaved("read", what, "Take the recorder out and dock it again.") from error

    def _answer(self) -> bytes:
        standing, data = frames.read_reply(self._socket)
        if standing != frames.Standing.WELL and not self._alive():
            raise gone("read")
        match standing:
            case frames.Standing.WELL:
                return data
            case frames.Standing.GONE:
                raise gone("read")
            case frames.Standing.FORBIDDEN:
                raise forbidden()
            case frames.Standing.NOT_ONE:
                what = "The helper for vendor commands takes it for no recorder of this kind."
                raise NotAllowed("open", what, "Dock it as the disk it is.")
            case frames.Standing.NOT_LET:
                what = "The kernel does not let the helper send vendor commands."
                raise NotAllowed("open", what, "See that bwcdock-vendor@.service has its capability (docs/systemd.md).")
            case _:
                raise Misbehaved("read", "It refused a command.", "Take it out and dock it again.")


class Units(Protocol):
    """Where units are found."""

    def inquiry(self, source: str) -> str:
        """Vendor and product of the disk ``source`` while it has no medium; empty for anything else."""
        ...

    def connect(self, source: str) -> Unit:
        """Its unit. May raise what opening a recorder may raise."""
        ...


class Nodes:
    """Disks in /dev, as the kernel tells of them in ``sys``."""

    def __init__(self, sys: Path = Path("/sys/class/block")) -> None:
        self._sys = sys

    def inquiry(self, source: str) -> str:
        """What the kernel heard when the disk was plugged in: nothing is asked of it again."""
        name = Path(source).name
        if source != f"/dev/{name}" or not name.startswith("sd"):
            return ""
        told = self._sys / name
        try:
            if (told / "size").read_text(encoding="ascii").strip() != "0":
                return ""
            return "".join((told / "device" / each).read_text(encoding="latin-1") for each in ("vendor", "model"))
        except (OSError, ValueError):
            return ""

    def connect(self, source: str) -> Unit:
        """By the helper where there is one, else by this process, which then needs the capability itself."""
        try:
            fd = os.open(source, OPEN_FLAGS)
        except OSError as error:
            raise refused("open", source, error) from error
        seen = os.fstat(fd)

        def alive() -> bool:
            try:
                return os.stat(source).st_rdev == seen.st_rdev
            except OSError:
                return False

        if not stat.S_ISBLK(seen.st_mode):
            os.close(fd)
            raise NotAllowed("open", f"{source} is no disk.", "Give a node such as /dev/sdb.")
        if not (address := os.environ.get(SOCKET_VARIABLE)):
            return SgUnit(fd, alive)
        try:
            return HelpedUnit(address, fd, alive)
        finally:
            os.close(fd)
