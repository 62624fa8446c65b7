"""The round that has central copies locked as firmly as the recordings have to be kept."""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bwcdock.core.plan import Act, Action
from bwcdock.core.record import Record
from bwcdock.core.retention import Keep
from bwcdock.errors import BwcdockError, LedgerBroken
from bwcdock.lanes import own_lane
from bwcdock.ledger import open_read_only
from bwcdock.steps.bench import Bench
from bwcdock.steps.unlocked import Unlocked

log = structlog.get_logger()

TURN_S = 5.0
"""How often it is asked what has to be locked: a hold that was placed must have reached the storage within a minute."""


class Locker:
    """Runs beside the station's loop until cancelled; hands it the recordings that :mod:`bwcdock.core.plan` then locks.

    ``records`` and ``resting`` are the station's own. The ledger is read on a thread and a connection of its own: a
    hold by place alone reads every recording, and nobody has to wait for that.
    """

    def __init__(
        self,
        bench: Bench,
        records: Callable[[], MutableMapping[str, Record]],
        resting: Mapping[Action, datetime],
    ) -> None:
        self._bench = bench
        self._records = records
        self._resting = resting
        self._unlocked = Unlocked(bench.locking)
        self._held: frozenset[str] = frozenset()

    @property
    def keep(self) -> Keep:
        """What a copy's staying depends on, with the holds as they were found at the last turn."""
        return replace(self._bench.keep, held=self._held)

    async def run(self) -> None:
        """Turn after turn, by the station's clock; at once where no sink locks."""
        if not self._bench.locking:
            return
        lane = own_lane("locks")
        try:
            while True:
                await self._bench.clock.sleep_until(self._bench.clock.now() + timedelta(seconds=TURN_S))
                try:
                    found, self._held = await lane.submit(self._turn)
                except LedgerBroken:
                    raise
                except BwcdockError as error:
                    log.warning("locks.wait", what=str(error))
                    continue
                for record in found:
                    if not self._rests(record.id):
                        self._records().setdefault(record.id, record)
        finally:
            lane.close()

    def _turn(self) -> tuple[list[Record], frozenset[str]]:
        with open_read_only(self._bench.settings.paths.ledger) as ledger:
            return self._unlocked.turn(ledger, self._bench.clock.now()), self._unlocked.held

    def _rests(self, record: str) -> bool:
        """Whether its locks were tried and rest, in every sink: it would only fill the memory."""
        now = self._bench.clock.now()
        return all(self._resting.get(Action(Act.LOCK, record, sink), now) > now for sink in self._bench.locking)
