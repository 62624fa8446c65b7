"""The round that sets the clocks of drained recorders, by a station's clock that is vouched for."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import structlog

from bwcdock.core.clock_setting import why_not
from bwcdock.core.session import Session
from bwcdock.docking import Docking
from bwcdock.docks import Known
from bwcdock.errors import BwcdockError, LedgerBroken
from bwcdock.lanes import Lane
from bwcdock.steps import card_helper, set_clock
from bwcdock.steps.bench import Bench
from bwcdock.steps.clock_outcome import terms

log = structlog.get_logger()

TURN_S = 2.0
"""How often it is asked whether some clock is to be set: who hears that his recorder is safe to take goes at once."""

AGAIN_S = 3600.0
"""How long a recorder is left alone whose clock was looked at and not set: looking takes it a second."""


class ClockSetter:
    """Runs beside the station's loop until cancelled. ``dockings`` is asked anew at every turn."""

    def __init__(
        self,
        bench: Bench,
        desk: Lane,
        dockings: Callable[[], Iterable[tuple[Docking, Session]]],
        known: Known,
    ) -> None:
        self._bench = bench
        self._desk = desk
        self._dockings = dockings
        self._known = known
        self._terms = terms(bench.settings)
        self._rests: dict[str, datetime] = {}
        self._writer = Lane("clock files")
        """The helper may wait for a card for minutes: nothing else may wait behind it."""

    def close(self) -> None:
        """Let go of the thread; the helper sees that nobody listens, and stops."""
        self._writer.close()

    async def run(self) -> None:
        """Turn after turn, by the station's clock."""
        while self._terms.enabled:
            await self._bench.clock.sleep_until(self._bench.clock.now() + timedelta(seconds=TURN_S))
            docked = list(self._dockings())
            self._rests = {s.id: self._rests[s.id] for _, s in docked if s.id in self._rests}
            wanted = [each for each in docked if self._is_wanted(*each)]
            self._rests |= {s.id: self._bench.clock.now() + timedelta(seconds=AGAIN_S) for _, s in wanted}
            await asyncio.gather(*(self._set(*each) for each in wanted))

    def _is_wanted(self, docking: Docking, session: Session) -> bool:
        """Whether it is worth asking the recorder, by what was measured of it last."""
        now = self._bench.clock.now()
        if docking.moving or docking.leaving or self._rests.get(session.id, now) > now or session.condition is None:
            return False
        drift, station = session.condition.drift, self._bench.station_clock()
        return not why_not(session, drift, self._terms, how="protocol", station=station, now=now)

    async def _set(self, docking: Docking, session: Session) -> None:
        async with docking.writing:
            try:
                by_file = card_helper.is_card(session) and await docking.set_clock_by_file(session, self._writer)
                told = not by_file and await docking.set_clock()
            except LedgerBroken:
                raise
            except Exception as error:  # it was taken out, hangs, or its driver has a bug: it costs this recorder only
                log.warning("clock.failed", recorder=session.recorder, what=str(error))
                why = error.what if isinstance(error, BwcdockError) else f"A fault: {type(error).__name__}."
                await self._desk.submit(set_clock.failed, self._bench, session.id, why)
                told = False
        if told:
            await self._look_again(docking)
        await self._known.know_session(session.id)

    async def _look_again(self, docking: Docking) -> None:
        """What the check before found of its clock must not keep it from being issued again."""
        try:
            fact = await docking.recheck()
        except LedgerBroken:
            raise
        except Exception as error:  # as in the rounds that look again: the next one says
            log.info("recheck.failed", recorder=docking.serial, what=str(error))
            return
        if fact is not None:
            await self._known.advance(fact)
