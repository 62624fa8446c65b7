"""The way to a recorder by an adb server: nothing is started here, and no port of this machine is opened.

What `adb forward` would give to every program of this machine is asked of the server for this conversation alone: a
stream to a port of the recorder. The server is a process of its own with the USB nodes; it is asked over a socket.
"""

import contextlib
import os
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from bwcdock.errors import NotAllowed

from bwcdock_drivers.source import gone

from .talk import Ended, Stream

SOCKET_VARIABLE: Final = "BWCDOCK_ADB"
"""Names the socket of the adb server."""

PORT: Final = 20_480
"""Where the recorder's service is told to listen; any that Android leaves to programs will do."""

START_S: Final = 10.0
"""How long all may take until the service listens: the server has to greet what was just plugged in, somebody perhaps
to say on its screen that it may be trusted, and an Android program has to be started."""

REPLY_S: Final = 10.0
"""How long the server may take for one answer."""

_AGAIN_S = 0.2
_TEXT_MAX = 64 << 10
_ADB = ("ff", "42", "01")
_HINT = "Switch adb on for the station, and let the recorder trust its key (docs/vendor.md)."


class Bridge(Protocol):
    """Where recorders are found that can be asked."""

    def certainty(self, source: str) -> int:
        """How surely the USB device ``source`` can be asked; 0 for anything that is none."""
        ...

    def connect(self, source: str) -> Stream:
        """A conversation with its service. May raise what opening a recorder may raise."""
        ...


class Refused(Exception):
    """The server will not, in its own words."""


class Adb:
    """USB devices with adb's interface, by the server behind ``address``.

    ``nodes`` is where their nodes are, ``sys`` where the kernel tells of them, ``start_s`` how long a service may take
    to listen.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        nodes: Path = Path("/dev/bus/usb"),
        sys: Path = Path("/sys"),
        start_s: float = START_S,
    ) -> None:
        self._address = address if address is not None else os.environ.get(SOCKET_VARIABLE, "")
        self._nodes, self._sys = nodes, sys
        self._start_s = start_s

    def certainty(self, source: str) -> int:
        """30 where it has adb's interface, 10 where moreover nobody could be asked, else 0. Nothing is sent to it."""
        folder = self._folder(source)
        if folder is None or not any(_is_adb(each) for each in folder.glob(f"{folder.name}:*")):
            return 0
        return 30 if self._address and Path(self._address).exists() else 10

    def connect(self, source: str) -> Stream:
        """Have the service started, and speak with it."""
        folder = self._folder(source)
        if folder is None:
            raise gone("open")
        name = f"usb:{folder.name}"

        def alive() -> bool:
            return self._folder(source) == folder

        try:
            until = time.monotonic() + self._start_s
            self._shell(name, f"am broadcast -a com.zzx.sdk --ei port {PORT}", until)
            return AdbStream(self._patiently(name, f"tcp:{PORT}", until), alive)
        except (Refused, OSError) as error:
            if not alive():
                raise gone("open") from error
            raise NotAllowed("open", f"adb does not reach it: {error}.", _HINT) from error

    def _folder(self, source: str) -> Path | None:
        """Where the kernel tells of it; by its number and not by its name, which another may have by now."""
        try:
            seen = os.stat(source)
        except (OSError, ValueError):
            return None
        if not stat.S_ISCHR(seen.st_mode) or Path(source).parent.parent != self._nodes:
            return None
        link = self._sys / "dev/char" / f"{os.major(seen.st_rdev)}:{os.minor(seen.st_rdev)}"
        return link.resolve() if link.exists() else None

    def _patiently(self, name: str, service: str, until: float) -> socket.socket:
        """Ask again while there is time: the server takes a moment over what was just plugged in, so does a service."""
        while True:
            try:
                return self._open(name, service)
            except Refused:
                if time.monotonic() > until:
                    raise
            time.sleep(_AGAIN_S)

    def _shell(self, name: str, command: str, until: float) -> None:
        """Have a command run; what it says does not matter, as it says little of what was done."""
        with self._patiently(name, f"shell:{command}", until) as running:
            left = _TEXT_MAX
            while left > 0 and (more := running.recv(min(left, 4096))):
                left -= len(more)

    def _open(self, name: str, service: str) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(REPLY_S)
            connection.connect(self._address)
            for words in (f"host:transport:{name}", service):
                asked = words.encode()
                connection.sendall(b"%04x" % len(asked) + asked)
                self._must_be_okay(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _must_be_okay(self, connection: socket.socket) -> None:
        standing = _exactly(connection, 4)
        if standing == b"OKAY":
            return
        if standing != b"FAIL":
            raise Refused("what answers is no adb server")
        try:
            length = int(_exactly(connection, 4), 16)
        except ValueError as error:
            raise Refused("what answers is no adb server") from error
        said = _exactly(connection, min(length, 200)).decode("ascii", "replace")
        raise Refused(ascii(said)[1:-1])


class AdbStream:
    """A stream to a port of the recorder."""

    def __init__(self, connection: socket.socket, alive: Callable[[], bool]) -> None:
        self._connection, self._alive = connection, alive

    def send(self, data: bytes) -> None:
        """Send all of it."""
        try:
            self._connection.settimeout(REPLY_S)
            self._connection.sendall(data)
        except OSError as error:
            raise Ended from error

    def receive(self, wait_s: float) -> bytes:
        """What comes next."""
        try:
            self._connection.settimeout(max(0.001, wait_s))
            data = self._connection.recv(64 << 10)
        except TimeoutError:
            return b""
        except OSError as error:
            raise Ended from error
        if not data:
            raise Ended
        return data

    def alive(self) -> bool:
        """Whether the recorder is still on the bus."""
        return self._alive()

    def close(self) -> None:
        """End the conversation."""
        self._connection.close()


def _is_adb(interface: Path) -> bool:
    names = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")
    with contextlib.suppress(OSError, ValueError):
        return tuple((interface / name).read_text(encoding="ascii").strip() for name in names) == _ADB
    return False


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise Refused("the adb server ended it")
        data += more
    return data
