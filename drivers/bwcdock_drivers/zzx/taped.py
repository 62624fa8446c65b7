"""A stream that keeps what passes through it on a tape, and one that answers from a tape.

Never on a tape: the password, and what tells the recorder, its wearer or their unit.
"""

import json
from collections.abc import Iterable
from typing import Any

from bwcdock.errors import Unplugged

from bwcdock_drivers.scripted import Script
from bwcdock_drivers.tape import Writing

from . import wire
from .talk import Ended, Stream

NAME = "zzx"


class Taped:
    """Another stream, and everything that passes through it on a tape: a request with the lines that came upon it."""

    def __init__(self, inner: Stream, tape: Writing) -> None:
        self._inner, self._tape = inner, tape
        self._asked: dict[str, Any] = {}
        self._came = b""

    def send(self, data: bytes) -> None:
        """Pass it on."""
        self._told()
        self._asked = {"id": _id(data), "ask": wire.without_names(data)}
        try:
            self._inner.send(data)
        except Ended:
            self._told(ended=True)
            raise

    def receive(self, wait_s: float) -> bytes:
        """Pass it on, and keep what came."""
        try:
            data = self._inner.receive(wait_s)
        except Ended:
            self._told(ended=True)
            raise
        if len(self._came) <= 2 * wire.LINE_MAX:
            self._came += data
        return data

    def alive(self) -> bool:
        """Pass it on."""
        return self._inner.alive()

    def close(self) -> None:
        """Pass it on."""
        self._told()
        self._inner.close()

    def _told(self, **how: Any) -> None:
        if self._asked:
            said = [wire.without_names(line) for line in self._came.split(b"\n") if line.strip()]
            self._tape.exchange(**self._asked, said=said, **how)
        self._asked, self._came = {}, b""


class Played:
    """Answers from a tape; where there was silence, there is silence at once."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._script = Script(lines, NAME)
        self._left = b""
        self._has_ended = False

    def send(self, data: bytes) -> None:
        """Find what came upon it."""
        try:
            found = self._script.find({"id": _id(data)})
        except Unplugged as error:
            raise Ended from error
        said = found.get("said")
        lines = [line for line in said if isinstance(line, str)] if isinstance(said, list) else []
        self._left = "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")
        self._has_ended = "ended" in found

    def receive(self, wait_s: float) -> bytes:  # noqa: ARG002
        """What came then."""
        if not self._left and self._has_ended:
            raise Ended
        data, self._left = self._left[: 64 << 10], self._left[64 << 10 :]
        return data

    def alive(self) -> bool:
        """Until the tape is at its end."""
        return not self._script.is_gone

    def close(self) -> None:
        """Nothing is held."""


def _id(request: bytes) -> str:
    """The id of a request of our own."""
    return str(json.loads(request)["header"]["id"])
