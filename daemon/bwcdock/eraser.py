"""The round that lets files go from drained recorders: one card at a time, and never beside a pull."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta

import structlog

from bwcdock.core.record import Record
from bwcdock.core.session import Session, State
from bwcdock.docking import Docking
from bwcdock.errors import BwcdockError, LedgerBroken
from bwcdock.lanes import Lane
from bwcdock.steps import card_helper, erase, housekeeping
from bwcdock.steps.bench import Bench

log = structlog.get_logger()

TURN_S = 60.0
"""How often it is asked whether there is something to do: what may go has been proven for days."""

AGAIN_S = 3600.0
"""How long a card of which nothing may go is left alone: looking at it reads two blocks of every file."""


class Eraser:
    """Runs beside the station's loop until cancelled. ``dockings`` and ``records`` are asked anew at every turn.

    Only a docking that is drained is touched, and only while no recorder is being pulled from. What an erasing left
    open (a power cut) is settled even where erasing has been switched off since.
    """

    def __init__(
        self,
        bench: Bench,
        desk: Lane,
        dockings: Callable[[], Iterable[tuple[Docking, Session]]],
        records: Callable[[], Mapping[str, Record]],
        know: Callable[[Iterable[str]], Awaitable[None]],
    ) -> None:
        self._bench = bench
        self._desk = desk
        self._dockings = dockings
        self._records = records
        self._know = know
        self._lane = Lane("eraser")
        """The helper reads a card in full, for hours: nothing else may wait behind it."""
        self._rests: dict[str, datetime] = {}

    def close(self) -> None:
        """Let go of the thread; the helper sees that nobody listens, and stops."""
        self._lane.close()

    async def run(self) -> None:
        """Turn after turn, by the station's clock."""
        while True:
            await self._bench.clock.sleep_until(self._bench.clock.now() + timedelta(seconds=TURN_S))
            docked = list(self._dockings())
            self._rests = {s.id: self._rests[s.id] for _, s in docked if s.id in self._rests}
            for docking, session in docked:
                if session.state is State.DRAINED and card_helper.is_card(session):
                    async with docking.writing:
                        await self._turn(docking, session)

    async def _turn(self, docking: Docking, session: Session) -> None:
        records = self._records().values()
        doubtful = [record.id for record in records if record.erasing and record.recorder == session.recorder]
        ordered = await self._desk.submit(erase.is_ordered, self._bench)
        rests = self._rests.get(session.id, self._bench.clock.now()) > self._bench.clock.now()
        # Before central storage was asked since the start, nothing gets a permit: no reason to let the card rest, nor
        # to use up an order.
        enabled = self._bench.settings.erase.enabled and self._bench.keep.witnessed > 0
        if not (enabled or doubtful) or (rests and not ordered):
            return
        if any(other.moving for other, _ in self._dockings()) or docking.leaving:
            return
        self._rests[session.id] = self._bench.clock.now() + timedelta(seconds=AGAIN_S)
        try:
            looked = await docking.look(session, doubtful)
            given = await self._desk.submit(erase.order, self._bench, session)
            begun = self._bench.clock.monotonic()
            touched = await self._lane.submit(erase.erase, self._bench, session, looked, given, docking.changed)
        except LedgerBroken:
            raise
        except BwcdockError as error:  # it was taken out, or hangs: whoever watches it says so
            log.info("erase.waits", session=session.id, what=str(error))
            return
        if touched:
            # What the driver listed before is no longer what is on the card.
            self._rests[session.id] = datetime.max.replace(tzinfo=self._bench.clock.now().tzinfo)
            gone = await self._desk.submit(housekeeping.records_of, self._bench, list(touched))
            lasted_s = self._bench.clock.monotonic() - begun
            self._bench.meters.took("erase", lasted_s, sum(record.item.size for record in gone))
        await self._know([*doubtful, *touched])
