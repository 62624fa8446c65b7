"""What is docked: notices recorders that come, change and go, opens them, and lets go of them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

import structlog

from bwcdock.core.facts import Arrived, Departed, Fact, Faulted, Finding, Reappeared, Severity, Sighting, Unclaimed
from bwcdock.core.names import session_id
from bwcdock.core.session import Session, State
from bwcdock.docking import Docking
from bwcdock.errors import BwcdockError, LedgerBroken
from bwcdock.lanes import Lane, own_lane
from bwcdock.ports import Driver, Watch
from bwcdock.steps.bench import Bench
from bwcdock.steps.outcome import Outcome
from bwcdock.steps.switch import not_come

log = structlog.get_logger()

LOOK_S = 0.25
"""How long a turn of the loop waits for a look: a drop folder on a share that hangs must not hold up anything else."""

LATE_S = 10.0
"""How long the bus may show a recorder after its own last word: udev tells of a removal once its work is done, and a
busy machine takes seconds for it. One that is still there by then was wrong about itself, and is asked again."""


class Known(Protocol):
    """The station, as far as its docks need it: who records what they find, and what is known of a docking."""

    async def advance(self, fact: Fact) -> None:
        """Record a fact of a docking where its table allows it."""
        ...

    async def know(self, ids: Iterable[str]) -> None:
        """Take these records as the ledger has them now."""
        ...

    async def know_session(self, session: str) -> None:
        """Take this docking as the ledger has it now."""
        ...

    def session(self, session: str) -> Session | None:
        """What is known of a docking of this run."""
        ...

    def show(self) -> None:
        """Show people anew what is docked; from any thread."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run this beside the loop."""
        ...


class Docks:
    """Every place something is docked at. All methods belong to the event loop; looking has a lane of its own."""

    def __init__(self, bench: Bench, drivers: Sequence[Driver], watch: Watch, known: Known) -> None:
        self.looked = False
        """Whether everything that was docked at the start has been seen once."""
        self.eyes: Lane = own_lane("eyes")
        self._bench = bench
        self._drivers = tuple(drivers)
        self._watch = watch
        self._known = known
        self._dockings: dict[str, Docking] = {}
        self._looking: asyncio.Future[Sequence[Sighting]] | None = None
        self._awaited: frozenset[str] = frozenset()
        self._arrivals = 0
        self._blind: tuple[Finding, ...] = ()
        self._late: dict[str, tuple[Sighting, float]] = {}

    @property
    def dockings(self) -> tuple[Docking, ...]:
        """Everything that has a place now."""
        return tuple(self._dockings.values())

    @property
    def ready(self) -> tuple[Docking, ...]:
        """The recorders that can be asked for something."""
        return tuple(d for d in self._dockings.values() if d.serial and not d.leaving)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the places looked at."""
        return (*self._watch.findings, *self._blind)

    @property
    def hint(self) -> asyncio.Event:
        """Set when a look is worth it."""
        return self._watch.hint

    # --- look ---------------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """One look: what is new is docked, what is gone departs, what became a disk is opened as one."""
        now = self._bench.clock.now()
        if self._looking is None:
            self._awaited = frozenset(self._watch.awaited)
            self._looking = self.eyes.submit(self._watch.current, now)
        await asyncio.wait({self._looking}, timeout=LOOK_S)
        if not self._looking.done():
            return
        looked, self._looking = self._looking, None
        try:
            sighted = {s.port: s for s in looked.result()}
        except Exception as error:  # a mount that broke, or a bug of a watch: what was docked counts as docked still
            log.warning("watch.failed", what=str(error), exc_info=error)
            self._blind = (_blind(error),)
            return
        self._blind, self.looked = (), True
        awaited = self._awaited | frozenset(self._watch.awaited)  # the look was at some moment between the two
        self._leave(sighted, awaited)
        # What is only awaited is nothing to dock: its recorder went in the middle, and its docking with it.
        self._meet({port: each for port, each in sighted.items() if port not in awaited}, now)

    def _leave(self, sighted: dict[str, Sighting], awaited: frozenset[str]) -> None:
        for port, docking in list(self._dockings.items()):
            found = sighted.get(port)
            session = self._known.session(docking.session)
            # One that was listed or is at fault becomes no disk any more: it was taken, and its slot is free.
            waits = session is None or session.may_become_a_disk or port not in awaited
            if docking.gone or (found == docking.sighting and waits):
                continue
            docking.gone = True
            if found is not None and session is not None and session.continues_as(found):
                self._known.spawn(self._change(docking, found), f"change {port}")
            else:
                self._known.spawn(self.depart(docking, "taken away"), f"depart {port}")

    def _meet(self, sighted: dict[str, Sighting], now: datetime) -> None:
        for port, sighting in sighted.items():
            if port in self._dockings or self._is_late(sighting):
                continue
            if len(self._dockings) < self._bench.settings.limits.recorders_at_once:
                self._arrivals += 1
                session = session_id(port, now, str(self._arrivals))
                self._dockings[port] = Docking(self._bench, sighting, session, show=self._known.show)
                self._bench.meters.docked(sighting.slot)
                arrived = Arrived(session=session, sighting=sighting)
                self._known.spawn(self._dock(self._dockings[port], arrived), f"dock {port}")

    def _is_late(self, sighting: Sighting) -> bool:
        """Whether it is only shown still: a read of it said that it is gone. Plugged in again it is another one."""
        gone, until = self._late.get(sighting.port, (None, 0.0))
        if gone == sighting and self._bench.clock.monotonic() < until:
            return True
        self._late.pop(sighting.port, None)
        return False

    async def _change(self, docking: Docking, sighting: Sighting) -> None:
        """A control interface became a disk at the same port: the same docking, opened another way."""
        await docking.leave()
        port = sighting.port
        log.info("recorder.changed", port=port, session=docking.session)
        self._dockings[port] = Docking(self._bench, sighting, docking.session, docking.told, show=self._known.show)
        await self._dock(self._dockings[port], Reappeared(session=docking.session, sighting=sighting))

    async def _dock(self, docking: Docking, first: Fact) -> None:
        log.info("recorder.arrived", port=docking.sighting.port, session=docking.session)
        try:
            await self._known.advance(first)
            docked = await docking.dock(self._drivers)
        except LedgerBroken:
            raise
        except Exception as error:  # a recorder's fault, or a driver's bug: either way it costs this recorder only
            if not docking.gone:  # else it was taken, or goes on as a disk: its call was broken off for that
                await self.fault(docking, error)
            return
        if docked is None:
            log.warning("recorder.unclaimed", port=docking.sighting.port)
            await self._known.advance(Unclaimed(session=docking.session, reason="no driver knows it"))
            return
        if docked.told is not None:
            log.info("recorder.switches", recorder=docking.serial, session=docking.session)
            self._known.spawn(self._expect(docking), f"expect a disk at {docking.sighting.port}")
            return
        log.info("recorder.listed", recorder=docking.serial, files=len(docked.items), refused=docked.refused)
        # Also what this listing found to be lost: an earlier docking may wait for its receipt because of it.
        await self._known.know([*docked.items, *docked.lost])
        await self._known.know_session(docking.session)

    async def _expect(self, docking: Docking) -> None:
        """Wait for the disk of a recorder that was told to become one: so long to go as to come."""
        limit_s = 2 * self._bench.settings.dock.switch_s
        await asyncio.sleep(limit_s)
        if self._dockings.get(docking.sighting.port) is docking and not docking.gone:
            await self.fault(docking, not_come(limit_s))

    # --- let go -------------------------------------------------------------------------------------------------------

    async def depart(self, docking: Docking, why: str) -> None:
        """It was taken: its pulls end, its partial files stay, its slot is free."""
        session, lasted_s = self._known.session(docking.session), self._bench.clock.monotonic() - docking.since
        drained = session is not None and session.was_drained
        self._bench.meters.left(docking.sighting.slot, after_s=lasted_s, drained=drained)
        await docking.leave()
        log.info("recorder.departed", recorder=docking.serial, why=why, session=docking.session)
        await self._known.advance(Departed(session=docking.session, recorder=docking.serial, reason=why))
        self._dockings.pop(docking.sighting.port, None)

    async def fault(self, docking: Docking, error: Exception) -> None:
        """It is at fault and still there: shown as such, and asked nothing more until it is taken."""
        told = error if isinstance(error, BwcdockError) else None
        log.warning("recorder.faulted", recorder=docking.serial, what=str(error), exc_info=None if told else error)
        await docking.leave()
        fact = Faulted(
            session=docking.session,
            recorder=docking.serial,
            op=told.op if told else "driver",
            what=told.what if told else f"A fault of the program: {type(error).__name__}.",
            hint=told.hint if told else "Report it; dock the recorder at another station meanwhile.",
        )
        await self._known.advance(fact)

    async def after(self, docking: Docking, error: Exception, outcome: Outcome) -> None:
        """A pull failed: end the docking where that is what it means. Once: what else was in flight fails as well."""
        if not outcome.ends_session or docking.gone or docking.leaving:
            return
        if outcome.faulted:
            await self.fault(docking, error)
        else:
            docking.gone = True
            if docking.sighting.subsystem:  # on the bus; a folder that comes back is the same sighting
                self._late[docking.sighting.port] = docking.sighting, self._bench.clock.monotonic() + LATE_S
            await self.depart(docking, outcome.why)

    async def leave_all(self) -> None:
        """Let go of everything, for the end of the program."""
        await asyncio.gather(*(docking.leave() for docking in self.dockings), return_exceptions=True)

    # --- look again ---------------------------------------------------------------------------------------------------

    async def look_again(self, sleep: Callable[[float], Coroutine[Any, Any, None]]) -> None:
        """Round after round: the condition of every recorder that stays docked after it was drained."""
        while True:
            await sleep(self._bench.settings.checks.again_s)
            for docking in self.ready:
                session = self._known.session(docking.session)
                if session is None or session.state is not State.DRAINED:
                    continue
                try:
                    fact = await docking.recheck()
                except LedgerBroken:
                    raise
                except Exception as error:  # it hangs or went away: the next pull, look or listing says which
                    log.info("recheck.failed", recorder=docking.serial, what=str(error))
                    continue
                if fact is not None:
                    await self._known.advance(fact)


def _blind(error: Exception) -> Finding:
    return Finding(
        severity=Severity.WARN,
        code="watch.failed",
        what=f"What is docked cannot be looked at: {error}",
        remedy="It is tried again at once; look after the drop folders and what is mounted there.",
    )
