"""What systemd does with a socket of ``Accept=yes``: a program of its own for every connection, which is its 0 and 1.

A process that is nobody's child, so that a test can count what is left behind. The command stands in a file beside the
socket and is read at every connection.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

READY_S = 20.0
"""How long the process may take to listen: a fraction of a second on a machine that is not busy."""


class Accepting:
    """One listening socket; ``started`` are the process ids of what it started, oldest first."""

    def __init__(self, address: Path, told: int) -> None:
        self.address = address
        self._told, self._heard = told, b""

    def starts(self, command: Sequence[str]) -> None:
        """What every later connection is answered by."""
        fresh = self.address.with_suffix(".new")
        fresh.write_text(json.dumps(list(command)), encoding="utf-8")
        fresh.replace(self.address.with_suffix(".command"))

    @property
    def started(self) -> list[int]:
        """What was started up to now."""
        while True:
            try:
                data = os.read(self._told, 65536)
            except BlockingIOError:
                break
            self._heard += data
            if not data:
                break
        return [int(line) for line in self._heard.split(b"\n")[:-1]]


@contextmanager
def accepting(directory: Path, command: Sequence[str]) -> Iterator[Accepting]:
    """Listen in ``directory`` and start ``command`` for every connection; all of it is ended at the end."""
    told, telling = os.pipe()
    try:
        made = Accepting(directory / "reader.sock", told)
        made.starts(command)
        subprocess.run(  # noqa: S603  (this file)
            [sys.executable, "-I", __file__, str(made.address), str(telling)],
            stdin=subprocess.DEVNULL,
            pass_fds=(telling,),
            timeout=READY_S,
            check=True,
        )
    finally:
        os.close(telling)
    listener = int(os.read(told, 20))  # the first line, alone: nothing connects before this returns
    os.set_blocking(told, False)
    try:
        yield made
    finally:
        os.killpg(listener, signal.SIGKILL)
        os.close(told)


def main() -> None:
    """Arguments: the socket's path, the descriptor on which process ids are told, this one's first."""
    address, telling = sys.argv[1], int(sys.argv[2])
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        if os.fork():
            os._exit(0)
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
        os.write(telling, b"%d\n" % os.getpid())
        while True:
            connection, _ = listener.accept()
            with connection:
                command = json.loads(Path(address).with_suffix(".command").read_text(encoding="utf-8"))
                started = subprocess.Popen(  # noqa: S603  (a test's own command)
                    command,
                    stdin=connection.fileno(),
                    stdout=connection.fileno(),
                    stderr=subprocess.DEVNULL,
                    env={"TZ": "UTC"},
                    cwd="/",
                )
            os.write(telling, b"%d\n" % started.pid)


if __name__ == "__main__":
    main()
