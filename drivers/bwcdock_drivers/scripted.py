"""The exchanges of a tape in their order, for a driver that answers from one."""

from collections.abc import Iterable, Mapping
from typing import Any

from bwcdock.errors import Misbehaved, Unplugged

from .tape import exchanges


class Script:
    """Finds the exchange that comes next.

    A question that is asked once more than then gets the last answer to it, and one that was asked more often is
    passed over; any other that is not the next on the tape is :class:`~bwcdock.errors.Misbehaved`. At its end, or where
    it says ``gone``, the recorder is gone.
    """

    def __init__(self, lines: Iterable[str], driver: str) -> None:
        self._tape = exchanges(lines, driver)
        self._at = 0
        self._last: dict[str, Any] = {}
        self.is_gone = False

    def find(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """The exchange of this question."""
        at = self._at
        while at < len(self._tape) and self._last and not _fits(self._tape[at], asked):
            if not _same(self._tape[at], self._last, asked):
                break
            at += 1
        if at < len(self._tape) and _fits(self._tape[at], asked):
            self._at, self._last = at + 1, self._tape[at]
        elif not (self._last and _fits(self._last, asked)):
            if self._at >= len(self._tape):
                self.is_gone = True
                raise Unplugged("read", "The tape is at its end.", "Record a longer one.")
            raise Misbehaved("read", f"The tape goes on otherwise than with {asked}.", "Record a new one.")
        if "gone" in self._last:
            self.is_gone = True
            raise Unplugged("read", "The recorder was taken away then.", "Record a new tape.")
        return self._last


def _fits(exchange: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    return all(exchange.get(name) == value for name, value in asked.items())


def _same(one: Mapping[str, Any], other: Mapping[str, Any], by: Iterable[str]) -> bool:
    return all(one.get(name) == other.get(name) for name in by)
