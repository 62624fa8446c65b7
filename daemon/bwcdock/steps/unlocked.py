"""Find the recordings whose central copies have to be locked more firmly than they are known to be."""

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime

from bwcdock.core import locking
from bwcdock.core.desk.holds import Hold
from bwcdock.core.record import Record
from bwcdock.ledger import Reader
from bwcdock.steps.held import held, under
from bwcdock.steps.touched import touched

AT_ONCE = 500
"""Recordings that are looked at in one turn: what a store locks in a few seconds, and a tenth of a second's reading."""


class Unlocked:
    """What is left to look at. Nothing of it is stored: all follows from the ledger, whatever happened meanwhile.

    What an obligation asks the ledger keeps an index of. What a hold asks is compared as follows: every standing hold
    once after the start, with all it may keep, and from then on whatever the new entries bear on.
    """

    def __init__(self, sinks: frozenset[str]) -> None:
        self._sinks = sinks
        self._seen: int | None = None  # leaves whose meaning for locks is known
        self._fresh: deque[str] = deque()
        self._again: dict[str, None] = {}  # held ones that were too weak, in the order they are looked at again
        self._after = ""

    @property
    def held(self) -> frozenset[str]:
        """The records that a hold keeps, and whose copies are not known to be locked so; as far as was looked."""
        return frozenset(self._again)

    def turn(self, ledger: Reader, now: datetime) -> list[Record]:
        """The next recordings to lock: new ones first, then those an obligation asks for, then held ones once more."""
        self._follow(ledger)
        ids = [self._fresh.popleft() for _ in range(min(AT_ONCE, len(self._fresh)))]
        short = ledger.unlocked_in(self._sinks, after=self._after, limit=AT_ONCE)
        self._after = short[-1] if len(short) == AT_ONCE else ""
        waiting = [record for _, record in zip(range(AT_ONCE - len(ids)), self._again, strict=False)]
        return list(self._judged(ledger, dict.fromkeys((*ids, *short, *waiting)), now))

    def _follow(self, ledger: Reader) -> None:
        """Queue what the entries since the last turn bear on; at the first turn, what any standing hold may keep."""
        size = ledger.size
        if self._seen is None:
            found: Iterable[str] = (name for hold in ledger.matters(Hold, "placed") for name in under(ledger, hold))
        else:
            found = touched(ledger, self._seen, size)
        self._fresh.extend(dict.fromkeys(found))
        self._seen = size

    def _judged(self, ledger: Reader, ids: Iterable[str], now: datetime) -> Iterator[Record]:
        records = [record for name in ids if (record := ledger.record(name)) is not None]
        kept = held(ledger, records)
        for record in records:
            self._again.pop(record.id, None)
            if locking.short(record, self._sinks, now, is_held=record.id in kept):
                if record.id in kept:
                    self._again[record.id] = None  # at the end: each gets its turn, also where the store refuses
                yield record
