"""Asks one recorder, one thing at a time, over whatever carries bytes to it."""

import time
from collections.abc import Mapping
from typing import Final, Protocol

from bwcdock.errors import BwcdockError, Misbehaved

from bwcdock_drivers.source import gone

from . import wire
from .wire import Ask, Malformed

ANSWER_S: Final = 5.0
"""How long an answer may take. What the service does not know it never answers, so this is how long that takes too."""

SETTLE_S: Final = 0.3
"""A cable that is pulled ends the conversation first; the bus says a moment later that there is nobody."""

LINES_MAX: Final = 20
"""Lines that are passed over because they answer something else."""


class Ended(Exception):
    """The other side ended the conversation."""


class Stream(Protocol):
    """What carries bytes to the service and back. Used from one thread at a time."""

    def send(self, data: bytes) -> None:
        """Send all of it. :class:`Ended` where nobody takes it any more."""
        ...

    def receive(self, wait_s: float) -> bytes:
        """What comes next, at most 64 KiB; nothing where nothing came in time. :class:`Ended` at the end."""
        ...

    def alive(self) -> bool:
        """Whether the recorder is still on the bus, without asking it."""
        ...

    def close(self) -> None:
        """End the conversation. Never fails."""
        ...


class Silent(Exception):
    """No answer in time."""


class Talk:
    """One conversation. ``answer_s`` is how long an answer may take."""

    def __init__(self, stream: Stream, answer_s: float = ANSWER_S) -> None:
        self._stream, self._answer_s = stream, answer_s
        self._came = b""

    def ask(self, ask: Ask, body: Mapping[str, str] | None = None) -> dict[str, str]:
        """The values of the answer; :class:`Silent`, :class:`Ended` or ``Malformed`` where there is none."""
        self._stream.send(wire.request(ask, body or {}))
        until = time.monotonic() + self._answer_s
        for _ in range(LINES_MAX):
            told, values = wire.answer(self._line(until))
            if told == ask:
                return values
        raise Malformed(f"{LINES_MAX} answers to something else")

    def must(self, op: str, ask: Ask, body: Mapping[str, str] | None = None) -> dict[str, str]:
        """The same, with errors as the station knows them."""
        try:
            return self.ask(ask, body)
        except (Silent, Ended, Malformed) as error:
            raise self.meant(op, error) from error

    def meant(self, op: str, error: Exception) -> BwcdockError:
        """What an error of this conversation means."""
        until = time.monotonic() + (SETTLE_S if isinstance(error, Ended) else 0)
        while self.alive() and time.monotonic() < until:
            time.sleep(0.02)
        if not self.alive():
            return gone(op)
        what = {Silent: "It does not answer.", Ended: "It ended the conversation."}.get(type(error))
        return Misbehaved(op, what or f"It answers nonsense: {error}.", "Look at its own screen, and dock it again.")

    def alive(self) -> bool:
        """Whether it is still there."""
        return self._stream.alive()

    def _line(self, until: float) -> bytes:
        while b"\n" not in self._came:
            wait_s = until - time.monotonic()
            if wait_s <= 0 or not (more := self._stream.receive(wait_s)):
                raise Silent
            self._came += more
            if len(self._came) > 2 * wire.LINE_MAX:
                self._came = b""
                raise Malformed(f"a line of more than {wire.LINE_MAX} bytes")
        line, _, self._came = self._came.partition(b"\n")
        return line
