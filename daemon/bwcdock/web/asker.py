"""Questions to the ledger from the pages: on lanes, read-only, so that no page holds up another or the station."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bwcdock.errors import LedgerBroken
from bwcdock.lanes import Lane
from bwcdock.ledger import Reader, open_read_only

T = TypeVar("T")

LANES = 2
"""Threads that ask: one long question (a search) and the wall beside it."""

WAITING = 200
"""Questions that may wait: a hundred screens and a room of people. More are refused with 503, and asked again."""

PATIENCE_S = 20.0
"""How long one question may take; the longest, a list over 200,000 recordings, takes a second or two."""


class Asker:
    """A few lanes with a read-only ledger each, opened when first asked and again after it failed."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._desks = [_Desk(ledger, n) for n in range(LANES)]

    async def ask(self, question: Callable[[Reader], T]) -> T:
        """What the ledger answers. Raises ``LedgerBroken``, and ``Misbehaved`` where too many ask or it hangs."""
        at = min(range(LANES), key=lambda n: self._desks[n].lane.waiting)
        desk = self._desks[at]
        if desk.lane.stuck:  # a disk that hung for one question may answer the next
            desk = self._desks[at] = _Desk(self._ledger, at)
        return await desk.lane.call(desk.put, question, timeout_s=PATIENCE_S)

    def close(self) -> None:
        """Ask no more."""
        for desk in self._desks:
            desk.lane.close()


class _Desk:
    """One lane and the reader that only its thread uses."""

    def __init__(self, ledger: Path, number: int) -> None:
        self._ledger = ledger
        self._reader: Reader | None = None
        self.lane = Lane(f"asks {number}", depth=WAITING, last=self._close)

    def put(self, question: Callable[[Reader], T]) -> T:
        if self._reader is None:
            self._reader = open_read_only(self._ledger)
        try:
            return question(self._reader)
        except LedgerBroken:
            self._close()
            raise

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
