"""Two conversations with a guest, each of JSON lines over a socket: QEMU itself (QMP), and the agent inside."""

import base64
import contextlib
import itertools
import json
import queue
import socket
import threading
import time
from pathlib import Path
from typing import Any


class Gone(Exception):
    """The other end has ended, or says nothing in time."""


class Refused(Exception):
    """The other end did not do what was asked; the text is its own."""


class Lines:
    """One JSON object a line, each way."""

    def __init__(self, path: Path, patience: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end = time.monotonic() + patience
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > end:
                    self._socket.close()
                    raise Gone(f"nothing listens at {path}") from None
                time.sleep(0.05)
        self._rest = b""

    def say(self, told: dict[str, Any]) -> None:
        self._socket.sendall(json.dumps(told).encode() + b"\n")

    def heard(self) -> dict[str, Any]:
        """The next object; what is none is passed over (the agent may have died in the middle of a line)."""
        while True:
            while b"\n" not in self._rest:
                data = self._socket.recv(1 << 20)
                if not data:
                    raise Gone("the other end is closed")
                self._rest += data
            line, _, self._rest = self._rest.partition(b"\n")
            try:
                return dict(json.loads(line))
            except ValueError:
                continue

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the other end has closed it already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Qmp:
    """QEMU's own control."""

    def __init__(self, path: Path) -> None:
        self._lines = Lines(path, 20)
        self._lines.heard()
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: Any) -> Any:
        """Carry out one command; its answer."""
        self._lines.say({"execute": command, "arguments": arguments})
        while True:
            told = self._lines.heard()
            if "error" in told:
                raise Refused(f"{command}: {told['error']['desc']}")
            if "return" in told:
                return told["return"]

    def monitor(self, line: str) -> str:
        """Carry out a line of QEMU's human monitor, which alone can save and delete snapshots."""
        said = str(self.ask("human-monitor-command", **{"command-line": line}))
        if "Error" in said:
            raise Refused(f"{line}: {said}")
        return said

    def close(self) -> None:
        self._lines.close()


class Agent:
    """Calls of functions that run in the guest. Answers are told apart by number, so calls may overlap."""

    def __init__(self, path: Path) -> None:
        self._lines = Lines(path, 20)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self.boots: queue.Queue[str] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        try:
            while True:
                told = self._lines.heard()
                if "hello" in told:
                    self.boots.put(str(told["hello"]))
                    continue
                with self._lock:
                    waiting = self._waiting.pop(int(told["id"]), None)
                if waiting is not None:
                    waiting.put(told)
        except (Gone, OSError):
            self.drop()

    def drop(self) -> None:
        """Whoever waits for an answer is told that none will come."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            one.put({"gone": True})

    def call(self, module: str, function: str, *, patience: float = 120, **args: Any) -> Any:
        """The value that ``module.function(**args)`` returns in the guest; :class:`Refused` with its traceback."""
        answer: queue.Queue[dict[str, Any]] = queue.Queue()
        number = next(self._numbers)
        with self._lock:
            self._waiting[number] = answer
            self._lines.say({"id": number, "module": module, "function": function, "args": args})
        try:
            told = answer.get(timeout=patience)
        except queue.Empty:
            with self._lock:
                self._waiting.pop(number, None)
            raise Gone(f"{module}.{function} did not answer in {patience:g} s") from None
        if "gone" in told:
            raise Gone(f"the guest ended during {module}.{function}")
        if "error" in told:
            raise Refused(f"{module}.{function}: {told['error']}")
        return told["value"]

    def put(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Write a file in the guest."""
        self.call("agent", "put", path=path, data=base64.b64encode(content).decode(), mode=mode)

    def close(self) -> None:
        self._lines.close()
        self._listener.join(5)
