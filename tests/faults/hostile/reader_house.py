"""Readers behind a socket, as the service manager starts them, each weighed when it has ended.

Every connection gets a process of its own that is locked in by the product's own code: a fresh interpreter, or (for
tens of thousands of cards) a fork of one that has everything imported. The process that starts them tells of each how
it ended, its peak of resident memory and its processor time; it is nobody's child, so that a test can count what is
left behind.
"""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bwcdock_drivers import reader

READY_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """One reader that has ended: ``signal`` is what ended it (0: it ended by itself)."""

    peak_mib: float
    cpu_s: float
    signal: int


class Readers:
    """The listening socket and what was told of the readers that have ended."""

    def __init__(self, address: Path, told: int) -> None:
        self.address = address
        self._told = told
        self._pending = b""

    def weighed(self, at_least: int) -> list[Weighed]:
        """Those that ended since this was last asked; waits for ``at_least`` of them."""
        found: list[Weighed] = []
        os.set_blocking(self._told, True)
        while len(found) < at_least:
            found += self._lines()
        os.set_blocking(self._told, False)
        with suppress(BlockingIOError):
            found += self._lines()
        return found

    def _lines(self) -> list[Weighed]:
        data = os.read(self._told, 65536)
        assert data, "the process that starts readers is gone"
        *lines, self._pending = (self._pending + data).split(b"\n")
        told = (line.split() for line in lines)
        return [Weighed(peak_mib=int(kib) / 1024, cpu_s=float(cpu), signal=int(sig)) for kib, cpu, sig in told]


@contextmanager
def readers(directory: Path, *, forked: bool = False) -> Iterator[Readers]:
    """Listen in ``directory``; at the end all of it is ended."""
    from bwcdock_drivers import reading

    told, telling = os.pipe()
    made = Readers(directory / "reader.sock", told)
    try:
        subprocess.run(
            [sys.executable, __file__, str(made.address), str(telling), *(() if forked else reading.READER)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(telling,),
            timeout=READY_S,
            check=True,
        )
    finally:
        os.close(telling)
    listener = int(os.read(told, 20))  # the first line, alone: nothing connects before this returns
    try:
        yield made
    finally:
        os.killpg(listener, signal.SIGKILL)
        os.close(told)


def _weigh(telling: int) -> None:
    """Tell of every reader that has ended, each in one write."""
    while True:
        try:
            pid, status, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        os.write(telling, b"%d %.3f %d\n" % (used.ru_maxrss, used.ru_utime + used.ru_stime, ended))


def _start(connection: socket.socket, command: Sequence[str]) -> None:
    """A reader at this connection: a fork, or a fresh one by its command."""
    if os.fork():
        return
    try:
        signal.set_wakeup_fd(-1)
        os.dup2(connection.fileno(), 0)
        os.dup2(connection.fileno(), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if command:
            os.closerange(3, 256)
            os.execve(command[0], command, {"TZ": "UTC"})
        sys.argv = ["reader"]
        reader.main()
    finally:
        os._exit(1)


def main() -> None:
    """Arguments: the socket's path, the descriptor to tell on, and the command of a fresh reader, if not forked."""
    address, telling, *command = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        if os.fork():
            os._exit(0)
        os.setsid()
        os.chdir("/")
        wakes, waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
        os.write(telling, b"%d\n" % os.getpid())
        waiter = select.poll()
        waiter.register(listener, select.POLLIN)
        waiter.register(wakes, select.POLLIN)
        waiter.register(telling, 0)  # an error there: nobody listens any more, however that came
        while True:
            ready = {fd for fd, _ in waiter.poll()}
            if telling in ready:
                return
            if wakes in ready:
                os.read(wakes, 4096)
                _weigh(telling)
            if listener.fileno() in ready:
                connection, _ = listener.accept()
                with connection:
                    _start(connection, command)


if __name__ == "__main__":
    main()
