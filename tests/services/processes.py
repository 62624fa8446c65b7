"""Servers of other people's make, started for a test, on loopback alone, and ended by their own ids."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

READY_S = 90.0
"""How long a server may take to answer: Ceph needs twenty seconds where the machine is busy."""

STOP_S = 20.0
"""How long one may take to end when it is asked to; SeaweedFS takes fifteen seconds."""


class NotThere(Exception):
    """A program is not on this machine, or did not come up."""


class Server:
    """One running program; what it prints is in ``log``, in whose folder it runs."""

    def __init__(self, command: Sequence[str | Path], log: Path, environ: Mapping[str, str] | None = None) -> None:
        self._command, self.log, self._environ = [str(part) for part in command], log, environ
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, ready: Callable[[], bool]) -> None:
        """Start it and wait until it is ``ready``."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=None if self._environ is None else dict(self._environ),
                cwd=self.log.parent,
                start_new_session=True,  # a Ctrl-C at the tests is not for it
            )
        end = time.monotonic() + READY_S
        while not self._is(ready):
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise NotThere(f"{self._command[0]} did not come up:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)

    def _is(self, ready: Callable[[], bool]) -> bool:
        try:
            return ready()
        except (OSError, subprocess.SubprocessError):
            return False

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end, and where it does not, :meth:`kill` it."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End it and everything it has started, as a power cut does."""
        if self._process is None:
            return
        for pid in [*_below(self._process.pid), self._process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:  # it went with its parent
                continue
        self._process.wait(STOP_S)
        self._process = None


def _below(pid: int) -> list[int]:
    """Every process that descends from one, the youngest first."""
    found: list[int] = []
    for thread in _names(Path(f"/proc/{pid}/task")):
        try:
            children = Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
        except OSError:  # it has just ended
            continue
        for child in map(int, children):
            found += [*_below(child), child]
    return found


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens at now, and that the kernel does not hand out to anybody meanwhile.

    Below the range for outgoing connections: else one of those may have taken the port when a server is started anew.
    """
    found: list[int] = []
    for port in range(20_000 + os.getpid() % 8_000, 32_000):
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise NotThere("no free ports")


def answers_at(port: int) -> Callable[[], bool]:
    """Whether somebody listens at it."""

    def ready() -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True

    return ready


def program(name: str, *places: Path, hint: str) -> Path:
    """Where a program lies; raises :class:`NotThere`, for what is missing is never passed over."""
    for place in [*places, *map(Path, ("/usr/sbin", "/usr/bin", "/usr/local/bin"))]:
        if (place / name).is_file():
            return place / name
    raise NotThere(f"There is no {name} here. {hint}")


LOOPBACK = {"0100007F"}
"""127.0.0.1, as the kernel writes it."""


def listening(pid: int) -> set[str]:
    """Of all sockets that listen on this machine, the addresses of those that are this process's."""
    mine = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if target.startswith("socket:["):
            mine.add(target[8:-1])
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in mine:
                found.add(fields[1].partition(":")[0])
    return found


def s3_answers(port: int) -> bool:
    """An S3 server is there when it refuses a stranger, and not yet while it makes excuses."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except http.client.HTTPException:
        return False
    finally:
        connection.close()
