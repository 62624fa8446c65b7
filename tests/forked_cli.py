"""Commands run by forks of a process that has imported the program: each a process of its own, at a tenth of the cost.

What a command needs of its start (its environment, rights, a terminal, signals) is not told this way, but by the
installed program itself: :func:`cli_world.start`.
"""

import atexit
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from kernel_calls import Watch

FORKS = """# forked_cli
import gc, importlib, json, os, pkgutil, socket, sys, traceback
sys.path.append(sys.argv[2])
import bwcdock.cli, bwcdock_drivers, kernel_calls
for package in (bwcdock.cli, bwcdock_drivers):
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(found.name)
asked = socket.socket(fileno=int(sys.argv[1]))
gc.collect()
gc.freeze()  # what is there stays; a fork that looks through it would copy it
while True:
    said, fds, _, _ = socket.recv_fds(asked, 1 << 20, 3)
    if not said:
        break
    told = json.loads(said)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            asked.close()
            watcher = [socket.socket(fileno=fd) for fd in fds[2:]]
            for number, fd in enumerate((os.open(os.devnull, os.O_RDONLY), *fds[:2])):
                os.dup2(fd, number)
                os.close(fd)
            os.chdir(told["cwd"])
            sys.argv = ["bwcdock", *told["args"]]
            for each in watcher:
                with each:
                    kernel_calls.be_watched(told["calls"], each)
            status = bwcdock.cli.main()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    for fd in fds:
        os.close(fd)
    asked.sendall(str(pid).encode())
    asked.sendall(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
"""


class Forks:
    """One process that forks at every command; it ends with this one."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            fd = its.fileno()
            command = [sys.executable, "-c", FORKS, str(fd), str(Path(__file__).parent)]
            # Pipes, as a command's own are: what Python has found out about its streams goes on to hold in the forks.
            self._process = subprocess.Popen(
                command, env=env, pass_fds=[fd], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        atexit.register(self._end)

    def run(
        self, args: Sequence[str], cwd: Path | str, limit_s: float, watch: Watch | None = None
    ) -> tuple[int, bytes, bytes]:
        """Exit status (negative: the signal), standard output, standard error of one command.

        ``watch``, where there is one, is asked about calls to the kernel before they are done.
        """
        with ExitStack() as stack:
            ends = [os.pipe(), os.pipe()]
            calls = () if watch is None else watch.calls
            told = json.dumps({"args": list(args), "cwd": os.path.abspath(cwd), "calls": calls}).encode()
            watcher = [] if watch is None else [stack.enter_context(watch.at_work())]
            socket.send_fds(self._ours, [told], [write for _, write in ends] + [each.fileno() for each in watcher])
            for each in watcher:
                each.close()
            for read, write in ends:
                os.close(write)
                stack.callback(os.close, read)
            pid = int(self._told())
            out, err, is_late = _read([read for read, _ in ends], pid, limit_s)
            status = int(self._told())
        assert not is_late, f"still running after {limit_s} s: {out.decode()} {err.decode()}"
        return status, out, err

    def _end(self) -> None:
        self._ours.close()
        self._process.communicate()

    def _told(self) -> bytes:
        told = self._ours.recv(64)
        assert told, self._process.communicate()
        return told


def _read(pipes: Sequence[int], pid: int, limit_s: float) -> tuple[bytes, bytes, bool]:
    """All that comes, until the last writer is gone; the command is killed when it takes too long."""
    end, is_late = time.monotonic() + limit_s, False
    came: dict[int, list[bytes]] = {pipe: [] for pipe in pipes}
    with selectors.DefaultSelector() as waiting:
        for pipe in pipes:
            waiting.register(pipe, selectors.EVENT_READ)
        while waiting.get_map():
            ready = waiting.select(max(0.0, end - time.monotonic()))
            if not ready and not is_late:
                is_late, end = True, time.monotonic() + limit_s
                os.kill(pid, signal.SIGKILL)
            for key, _ in ready:
                if data := os.read(key.fd, 1 << 16):
                    came[key.fd].append(data)
                else:
                    waiting.unregister(key.fd)
    out, err = (b"".join(came[pipe]) for pipe in pipes)
    return out, err, is_late
