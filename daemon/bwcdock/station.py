"""The station: look at what is docked, decide what is worth doing, act on lanes; one loop until told to stop.

The loop itself never blocks: recorders, disk, digests and the book are touched on lanes only. Nothing in progress is
stored. If it dies anywhere, the ordinary start is the recovery.
"""

import asyncio
import os
import random
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog

from bwcdock import durable
from bwcdock.core.facts import (
    Arrived,
    Departed,
    Drained,
    Fact,
    Faulted,
    Finding,
    Severity,
    Sighting,
    Unclaimed,
)
from bwcdock.core.names import session_id
from bwcdock.core.plan import Act, Action, Plan, World, plan
from bwcdock.core.record import Record, State
from bwcdock.core.session import Session
from bwcdock.core.session import State as Stands
from bwcdock.core.view import LiveView, session_view
from bwcdock.docking import Docking
from bwcdock.errors import BwcdockError, LedgerBroken
from bwcdock.lanes import LoopLag, least_busy, own_lane
from bwcdock.overview import LIVE, LIVE_NAME
from bwcdock.ports import Driver, Watch
from bwcdock.rounds import Rounds
from bwcdock.sinks.around import Backoff, Standing
from bwcdock.steps import housekeeping, receipt
from bwcdock.steps.bench import Bench
from bwcdock.steps.outcome import Outcome
from bwcdock.steps.perform import act_of, perform

log = structlog.get_logger()

HOUSE_LANES = 2
"""Threads for finishing and sealing: as many as a small machine has cores, so that two files' digests overlap."""

SEEN = 1000
"""Dockings of this run that are remembered for whoever watches it."""

ENDS = frozenset({Stands.UNCLAIMED, Stands.REFUSED, Stands.FAULTED, Stands.DEPARTED})
"""States of a session after which nothing more comes of it while it is docked."""

LOOK_S = 0.25
"""How long a turn of the loop waits for a look: a drop folder on a share that hangs must not hold up anything else."""

DUE_EVERY_S = 60.0
"""How often records that only wait for a date (second look, release) are fetched: days do not need seconds."""

LIVE_EVERY_S = 1.0
"""How often the bytes that move are shown to whoever asks beside this process."""


class Station:
    """One station at work. Built by :mod:`bwcdock.app`; ``run`` it once."""

    def __init__(self, bench: Bench, drivers: Sequence[Driver], watch: Watch) -> None:
        chosen = bench.settings.push
        self.bench = bench
        self.records: dict[str, Record] = {}
        """The records that need something now; whatever is not here waits for a date, or for nothing."""
        self.sessions: dict[str, Session] = {}
        """The sessions that still lack something."""
        self.mark = 0
        """Grows whenever anything became known that was not before."""
        self._seen: dict[str, Session] = {}
        self._drivers = tuple(drivers)
        self._watch = watch
        self._dockings: dict[str, Docking] = {}
        self._busy: set[Action] = set()
        self._resting: dict[Action, datetime] = {}
        self._sinks = {name: Standing() for name in bench.sinks}
        self._sink_lanes = {
            name: [own_lane(f"sink {name} {n}") for n in range(chosen.parallel)] for name in bench.sinks
        }
        self._house = [own_lane(f"house {n}") for n in range(HOUSE_LANES)]
        self._desk = own_lane("desk")
        self._show = own_lane("show")
        self._papers = own_lane("papers")
        """Receipts go to central storage, which may hang: not on the desk, which everything needs."""
        self._eyes = own_lane("eyes")
        self._looking: asyncio.Future[Sequence[Sighting]] | None = None
        first = {name: lanes[0] for name, lanes in self._sink_lanes.items()}
        self._rounds = Rounds(bench, self._desk, first, lambda: watch.findings, self._know)
        self._backoff = Backoff(first_s=chosen.backoff_first_s, max_s=chosen.backoff_max_s)
        self._chance = random.Random()  # noqa: S311  (it spreads retries; it guards nothing)
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._arrivals = 0
        self._missing = 0
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()
        self._fatal: BaseException | None = None

    # --- from outside -------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the loop soon, whatever a recorder or sink is doing."""
        self._stop.set()
        self._wake.set()

    @property
    def lag(self) -> LoopLag:
        """How late the event loop runs what it should run."""
        return self._rounds.lag

    async def witness(self) -> None:
        """Carry every signed head to every sink that can be reached, now."""
        await self._rounds.witness()

    @property
    def idle(self) -> bool:
        """Nothing is in flight (the station's own rounds aside)."""
        return not self._busy and not any(name != "rounds" for name in self._tasks.values())

    @property
    def seen(self) -> tuple[Session, ...]:
        """The newest dockings of this run, oldest first, as they are now."""
        return tuple(self._seen.values())

    def is_done(self, ports: Sequence[str]) -> bool:
        """Whether each of these ports was docked and nothing more will come of it by itself."""
        last = {session.sighting.port: session for session in self._seen.values()}
        return self.idle and all(port in last and (last[port].receipt or last[port].state in ENDS) for port in ports)

    @property
    def partial(self) -> dict[str, int]:
        """Bytes brought so far of every record being pulled."""
        return {rid: p.done for d in self._dockings.values() for rid, p in d.moving.items()}

    async def run(self) -> None:
        """Look, decide, act until stopped. Raises LedgerBroken: nobody knows what is true then."""
        opened = await self._desk.submit(housekeeping.start, self.bench)
        self.records = {record.id: record for record in opened.records}
        self.sessions = {session.id: session for session in opened.sessions}
        for session in opened.sessions:
            self._settle(session)
        for each in self._rounds.all():
            self._spawn(each, "rounds")
        self._spawn(self._dates(), "rounds")
        self._spawn(self._live(), "rounds")
        try:
            while not self._stop.is_set() and self._fatal is None:
                await self._look()
                self._act(self._decide())
                await self._pause()
        finally:
            await self._end()
        if self._fatal is not None:
            raise self._fatal

    async def _pause(self) -> None:
        """Until something ended, something was hinted at, or a tick has passed."""
        tick_s = self.bench.settings.limits.tick_s
        hinted = asyncio.ensure_future(self._watch.hint.wait())
        woken = asyncio.ensure_future(self._wake.wait())
        await asyncio.wait({hinted, woken}, timeout=tick_s, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (hinted, woken):
            waiting.cancel()
        self._wake.clear()
        self._watch.hint.clear()

    async def _end(self) -> None:
        """Leave every recorder and say that it was on purpose, within ``stop_s`` however badly anything behaves."""
        limit_s = self.bench.settings.limits.stop_s
        for task, name in list(self._tasks.items()):
            if name == "rounds":
                task.cancel()
        leaving = {asyncio.ensure_future(docking.leave()) for docking in self._dockings.values()}
        await _wait({*leaving, *self._tasks}, limit_s * 0.7)
        if self._fatal is None:
            docked = [docking.session for docking in self._dockings.values()]
            await _wait({self._desk.submit(housekeeping.end, self.bench, docked)}, limit_s * 0.2)
        self._rounds.close()
        own = (self._desk, self._papers, self._eyes, self._show)
        for lane in (*self._house, *own, *(lane for lanes in self._sink_lanes.values() for lane in lanes)):
            lane.close()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.ensure_future(work)
        self._tasks[task] = name
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        name = self._tasks.pop(task)
        self._wake.set()
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, LedgerBroken):
            self._fatal = error
        elif self._fatal is None and not self._stop.is_set():
            # A bug outside any act: told, and the station goes on with everything else.
            log.error("station.bug", task=name, exc_info=error)

    # --- look ---------------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        now = self.bench.clock.now()
        if self._looking is None:
            self._looking = self._eyes.submit(self._watch.current, now)
        await asyncio.wait({self._looking}, timeout=LOOK_S)
        if not self._looking.done():
            return
        looked, self._looking = self._looking, None
        sighted = {s.port: s for s in looked.result()}
        for port, docking in list(self._dockings.items()):
            if sighted.get(port) != docking.sighting and not docking.gone:
                docking.gone = True
                self._spawn(self._depart(docking, "taken away"), f"depart {port}")
        for port, sighting in sighted.items():
            if port not in self._dockings and len(self._dockings) < self.bench.settings.limits.recorders_at_once:
                self._arrivals += 1
                session = session_id(port, now, str(self._arrivals))
                self._dockings[port] = Docking(self.bench, sighting, session)
                self._spawn(self._dock(self._dockings[port]), f"dock {port}")

    async def _dock(self, docking: Docking) -> None:
        log.info("recorder.arrived", port=docking.sighting.port, session=docking.session)
        await self._advance(Arrived(session=docking.session, sighting=docking.sighting))
        try:
            docked = await docking.dock(self._drivers)
        except LedgerBroken:
            raise
        except Exception as error:  # a recorder's fault, or a driver's bug: either way it costs this recorder only
            await self._fault(docking, error)
            return
        if docked is None:
            log.warning("recorder.unclaimed", port=docking.sighting.port)
            await self._advance(Unclaimed(session=docking.session, reason="no driver knows it"))
            return
        log.info("recorder.listed", recorder=docking.serial, files=len(docked.items), refused=docked.refused)
        await self._know(docked.items)
        await self._know_session(docking.session)

    async def _depart(self, docking: Docking, why: str) -> None:
        """It was taken: its pulls end, its partial files stay, its slot is free."""
        await docking.leave()
        log.info("recorder.departed", recorder=docking.serial, why=why, session=docking.session)
        await self._advance(Departed(session=docking.session, recorder=docking.serial, reason=why))
        self._dockings.pop(docking.sighting.port, None)

    async def _fault(self, docking: Docking, error: Exception) -> None:
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
        await self._advance(fact)

    # --- decide -------------------------------------------------------------------------------------------------------

    def _decide(self) -> Plan:
        now = self.bench.clock.now()
        room = self.bench.spool.room()
        # What is being pulled has taken its room already, and plan counts it again for what may still come.
        taken = sum(self.bench.spool.part_room(action.record) for action in self._busy if action.act is Act.PULL)
        chosen = plan(
            World(
                now=now,
                records=self.records,
                docked={rid: d.session for d in self._ready() for rid in d.records},
                sinks={name: standing.not_before or now for name, standing in self._sinks.items()},
                room=room.free - room.reserve + taken,
                busy=frozenset(self._busy),
                resting=self._resting,
                keep=self.bench.keep,
                parallel=self.bench.settings.push.parallel,
            )
        )
        if bool(chosen.missing) != bool(self._missing):
            finding = Finding(
                severity=Severity.WARN,
                code="spool.full",
                what=f"The spool is {chosen.missing} bytes short for the next recording; only pulling waits.",
                remedy="Let central storage catch up, or give the spool a larger disk.",
            )
            self._spawn(self._rounds.tell([finding] if chosen.missing else [], ["spool.full"]), "tell")
        self._missing = chosen.missing
        return chosen

    def _ready(self) -> Iterable[Docking]:
        return (docking for docking in self._dockings.values() if docking.serial and not docking.leaving)

    # --- act ----------------------------------------------------------------------------------------------------------

    def _act(self, chosen: Plan) -> None:
        for action in chosen.actions:
            self._busy.add(action)
            self._spawn(self._do(action, self.records[action.record]), action.act.name.lower())

    async def _do(self, action: Action, record: Record) -> None:
        try:
            if action.act is Act.PULL:
                outcome = await self._pull(action, record)
            else:
                lanes = self._sink_lanes.get(action.place, self._house)
                act = act_of(self.bench, action, record)
                outcome = await least_busy(lanes).submit(perform, self.bench, action, record, act)
                if action.place in self._sinks:
                    await self._judge_sink(action.place, outcome)
            self._resting.pop(action, None)
            if outcome.rest_s:
                self._resting[action] = self.bench.clock.now() + timedelta(seconds=outcome.rest_s)
            await self._know([record.id])
        finally:
            self._busy.discard(action)

    async def _pull(self, action: Action, record: Record) -> Outcome:
        docking = next((d for d in self._dockings.values() if d.session == action.place), None)
        if docking is None:
            return Outcome()
        house = least_busy(self._house)
        try:
            facts = await docking.pull(record, house)
        except LedgerBroken:
            raise
        except Exception as error:  # made into facts by perform, in the one place
            failed = _raiser(error)
            outcome = await house.submit(perform, self.bench, action, record, failed)
            # Once only: what else was in flight there fails as well, while it is being let go of.
            if outcome.ends_session and not docking.gone and not docking.leaving:
                if outcome.faulted:
                    await self._fault(docking, error)
                else:
                    docking.gone = True
                    await self._depart(docking, outcome.why)
            return outcome
        return await house.submit(perform, self.bench, action, record, lambda: facts)

    async def _judge_sink(self, sink: str, outcome: Outcome) -> None:
        was_down = self._sinks[sink].failures > 0
        if outcome.sink_down:
            self._sinks[sink] = self._sinks[sink].failed(self.bench.clock.now(), self._backoff, self._chance)
        else:
            self._sinks[sink] = Standing()
        if was_down != outcome.sink_down:
            finding = Finding(
                severity=Severity.WARN,
                code=f"sink.down.{sink}",
                what=f"Central storage {sink} cannot be reached: {outcome.why}",
                remedy="Everything else goes on and it is tried again by itself; look after its network and mount.",
            )
            await self._rounds.tell([finding] if outcome.sink_down else [], [finding.code])

    # --- know ---------------------------------------------------------------------------------------------------------

    async def _know(self, ids: Iterable[str]) -> None:
        """Take these records as the book has them now, and see which sessions have come further by it."""
        records = await self._desk.submit(housekeeping.records_of, self.bench, list(ids))
        for record in records:
            self.mark += record != self.records.get(record.id)
            if record.waits_for == "work" or record.state in {State.QUARANTINED, State.LOST}:
                self.records[record.id] = record
            else:
                self.records.pop(record.id, None)
        for name in {name for record in records for name in record.sessions} & self.sessions.keys():
            self._settle(self.sessions[name])

    async def _advance(self, fact: Fact) -> None:
        self._take(await self._desk.submit(housekeeping.advance, self.bench, fact))

    async def _know_session(self, session: str) -> None:
        self._take(await self._desk.submit(housekeeping.session_of, self.bench, session))

    def _take(self, session: Session | None) -> None:
        if session is not None:
            self.mark += 1
            self.sessions[session.id] = session
            if session.id in self._seen or any(session.id == d.session for d in self._dockings.values()):
                self._seen[session.id] = session
                while len(self._seen) > SEEN:
                    self._seen.pop(next(iter(self._seen)))
            self._settle(session)

    def _settle(self, session: Session) -> None:
        """Say *drained* when every record is sealed or set apart; write the receipt when nothing is owed."""
        mine = [self.records.get(rid) for rid in session.records]
        bad = sum(1 for r in mine if r is not None and r.state in {State.QUARANTINED, State.LOST})
        bringing = sum(1 for r in mine if r is not None and r.state in {State.LISTED, State.PULLED})
        owed = sum(1 for r in mine if r is not None and not r.finished) - bad
        # A name for each: what drains a session is still a task when its fact comes back here to ask for the receipt.
        draining, receipting = f"drain {session.id}", f"receipt {session.id}"
        if session.can_drain and not bringing and draining not in self._tasks.values():
            sealed = len(mine) - bad
            log.info("session.drained", recorder=session.recorder, sealed=sealed, quarantined=bad)
            fact = Drained(session=session.id, recorder=session.recorder, sealed=sealed, quarantined=bad)
            self._spawn(self._advance(fact), draining)
        elif receipt.is_ready(session, owed) and receipting not in self._tasks.values():
            self._spawn(self._receipt(session.id), receipting)

    async def _receipt(self, session: str) -> None:
        try:
            facts = await self._papers.submit(receipt.write, self.bench, session)
        except BwcdockError as error:
            if isinstance(error, LedgerBroken):
                raise
            log.warning("receipt.waits", session=session, what=str(error))  # tried again by the rounds
            return
        for fact in facts:
            await self._advance(fact)

    # --- rounds -------------------------------------------------------------------------------------------------------

    async def _dates(self) -> None:
        """Fetch what only waits for a date, and try receipts again."""
        while True:
            await self._rounds.sleep(DUE_EVERY_S)
            for record in await self._desk.submit(housekeeping.due, self.bench):
                self.records.setdefault(record.id, record)
            for session in list(self.sessions.values()):
                if session.departed_at and (session.receipt or not session.was_drained):
                    self.sessions.pop(session.id)
                else:
                    self._settle(session)

    async def _live(self) -> None:
        """Show whoever asks beside this process how many bytes have come; no evidence, so failing costs nothing."""
        path, told = self.bench.settings.paths.run / LIVE_NAME, False
        while True:
            docked = [s for d in self._dockings.values() if (s := self._seen.get(d.session)) is not None]
            if docked or told:
                views = tuple(session_view(session, self.records, self.partial) for session in docked)
                view = LiveView(pid=os.getpid(), at=self.bench.clock.now(), sessions=views)
                with suppress(OSError):
                    await durable.publish_volatile(path, LIVE.dump_json(view), executor=self._show)
            told = bool(docked)
            await asyncio.sleep(LIVE_EVERY_S)  # of the people who look, whatever clock the station goes by


def _raiser(error: Exception) -> Callable[[], tuple[Fact, ...]]:
    def attempt() -> tuple[Fact, ...]:
        raise error

    return attempt


async def _wait(work: set[Any], limit_s: float) -> None:
    """Wait at most ``limit_s`` for all of it, then let go of what is left; its threads are daemons."""
    if not work:
        return
    _, left = await asyncio.wait(work, timeout=limit_s)
    for task in left:
        task.cancel()
