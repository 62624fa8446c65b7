"""The records a station has at hand, and the round that fetches others from the ledger and lets go what is too much."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta

from bwcdock.core import at_hand
from bwcdock.core.at_hand import KINDS, Now
from bwcdock.core.record import Record, State
from bwcdock.lanes import Lane
from bwcdock.steps import housekeeping
from bwcdock.steps.bench import Bench

TURN_S = 1.0
"""How often it is looked whether there are too many or too few."""

DUE_EVERY_S = 60.0
"""How often records that only wait for a date (second look, release) are fetched: days do not need seconds."""


class AtHand:
    """The records that need something now; whatever is not here waits for a date, for a storage that is away, for its
    turn, or for nothing. All methods belong to the event loop.

    ``now`` says what can be done at this moment, ``docked`` which records are those of recorders in the slots.
    """

    def __init__(self, bench: Bench, desk: Lane, now: Callable[[], Now], docked: Callable[[], Collection[str]]) -> None:
        self.records: dict[str, Record] = {}
        self._bench, self._desk, self._now, self._docked = bench, desk, now, docked
        self._more: set[str] = set()
        """The kinds of which the ledger has others that could be worked on."""

    def begin(self, records: Iterable[Record]) -> None:
        """Take what the start fetched."""
        self._took(list(records), dict.fromkeys(KINDS, self._most), self._bench.sinks)

    def know(self, record: Record) -> bool:
        """Take this record as the ledger has it now; whether that is anything new."""
        is_new = record != self.records.get(record.id)
        if record.waits_for == "work" or record.state in {State.QUARANTINED, State.LOST}:
            self.records[record.id] = record
        else:
            self.records.pop(record.id, None)
        return is_new

    async def run(self) -> None:
        """Turn after turn until cancelled, by the station's clock."""
        clock = self._bench.clock
        fetched_at = clock.now()
        while True:
            await clock.sleep_until(clock.now() + timedelta(seconds=TURN_S))
            self._shed()
            now = self._now()
            is_due = now.at - fetched_at >= timedelta(seconds=DUE_EVERY_S)
            if not (is_due or (self._more and now.sinks)):
                continue
            lacks = self._lacks(now)
            if is_due or any(lacks[kind] * 2 > self._most for kind in self._more):
                fetched_at = now.at
                await self._fetch(lacks, now.sinks)
                self._shed()

    async def _fetch(self, lacks: Mapping[str, int], sinks: Collection[str]) -> None:
        # On its own: what was fetched must not be held by a round that sleeps until the next time.
        known = frozenset(self.records)
        self._took(await self._desk.submit(housekeeping.due, self._bench, lacks, sinks, known), lacks, sinks)

    @property
    def _most(self) -> int:
        return self._bench.settings.limits.open_records

    def _took(self, records: Collection[Record], asked: Mapping[str, int], sinks: Collection[str]) -> None:
        many = Counter[str](record.waits_for for record in records)
        full = {kind for kind in KINDS if many[kind] >= asked[kind]}
        # Those that wait for a sink that was not asked for are not known to be all at hand.
        self._more = full if self._bench.sinks.keys() <= set(sinks) else self._more | full
        for record in records:
            self.records.setdefault(record.id, record)  # what came to be known meanwhile is newer

    def _shed(self) -> None:
        if len(self.records) <= self._most:
            return
        for rid in at_hand.surplus(self.records.values(), self._most, self._now(), self._docked()):
            self._more.add(self.records.pop(rid).waits_for)

    def _lacks(self, now: Now) -> dict[str, int]:
        """How many of each kind could be fetched beside those that can be worked on."""
        many = Counter[str](record.waits_for for record in self.records.values() if at_hand.is_workable(record, now))
        return {kind: max(0, self._most - many[kind]) for kind in KINDS}
