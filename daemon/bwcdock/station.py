"""The station: look at what is docked, decide what is worth doing, act on lanes; one loop until told to stop.

The loop itself never blocks: recorders, disk, digests and the book are touched on lanes only. Nothing in progress is
stored. If it dies anywhere, the ordinary start is the recovery.
"""

import asyncio
import gc
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from bwcdock.at_hand import AtHand
from bwcdock.central import Central
from bwcdock.clock_setter import ClockSetter
from bwcdock.core.at_hand import Now
from bwcdock.core.facts import Drained, Fact, Finding, Severity
from bwcdock.core.live import LiveView
from bwcdock.core.plan import FAR, Act, Action, Plan, World, plan
from bwcdock.core.record import Record, State
from bwcdock.core.session import Session
from bwcdock.docking import Docking
from bwcdock.docks import Docks
from bwcdock.eraser import Eraser
from bwcdock.errors import BwcdockError, LedgerBroken, Unreachable
from bwcdock.known import Known
from bwcdock.lanes import Crew, Hung, Lane, LoopLag, at_most, least_busy, own_lane
from bwcdock.locker import Locker
from bwcdock.ports import Driver, Watch
from bwcdock.rounds import Rounds
from bwcdock.showing import Showing
from bwcdock.steps import housekeeping, receipt
from bwcdock.steps.bench import Bench
from bwcdock.steps.outcome import Outcome, away
from bwcdock.steps.perform import act_of, perform

log = structlog.get_logger()

HOUSE_LANES = 2
"""Threads for finishing and sealing: as many as a small machine has cores, so that two files' digests overlap."""

RECEIPTS_EVERY_S = 60.0
"""How often receipts that could not be written are tried again."""


class Station:
    """One station at work. Built by :mod:`bwcdock.app`; ``run`` it once. ``waited_for`` as in :class:`Known`."""

    def __init__(
        self, bench: Bench, drivers: Sequence[Driver], watch: Watch, *, waited_for: Collection[str] = ()
    ) -> None:
        chosen = bench.settings.push
        self.bench = bench
        self.sessions: dict[str, Session] = {}
        """The sessions that still lack something."""
        self.mark = 0
        """Grows whenever anything became known that was not before."""
        self._known = Known(waited_for)
        self.turns = 0
        """How often the loop has turned."""
        self._docks = Docks(bench, drivers, watch, self)
        self._busy: set[Action] = set()
        self._resting: dict[Action, datetime] = {}
        self._house = [own_lane(f"house {n}") for n in range(HOUSE_LANES)]
        self._desk = own_lane("desk")
        self._central = Central(bench, self._desk)
        self._hand = AtHand(bench, self._desk, self._now, self._in_slots)
        self.records = self._hand.records
        self._papers = Crew("papers", 1, limit_s=chosen.call_timeout_s, spare=bench.settings.limits.hung_calls)
        """Receipts go to central storage, which may hang: not on the desk, which everything needs."""
        self._rounds = Rounds(bench, self._desk, self._central, self.know)
        self._showing = Showing(
            bench,
            docked=lambda: self._docks.dockings,
            session=self.session,
            records=lambda: self.records,
            sinks=lambda: self._central.posts,
            short=lambda: self._missing or 0,
        )
        self._eraser = Eraser(bench, self._desk, self._docked, lambda: self.records, self.know)
        self._setter = ClockSetter(bench, self._desk, self._docked, self)
        self._locker = Locker(bench, lambda: self.records, self._resting)
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._missing: int | None = None
        self._told: tuple[Finding, ...] = ()
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
        """Carry every signed head, and what was said, to every sink that can be reached, now."""
        await self._rounds.witness()
        await self._rounds.state()

    @property
    def idle(self) -> bool:
        """Nothing is in flight (the station's own rounds aside)."""
        return not self._busy and not any(name != "rounds" for name in self._tasks.values())

    @property
    def seen(self) -> tuple[Session, ...]:
        """What is docked and the last docking of each port that is waited for, oldest first, as they are now."""
        return self._known.all()

    def is_done(self, ports: Sequence[str]) -> bool:
        """Whether each of these ports was docked and nothing more will come of it by itself."""
        return self.idle and self._known.has_ended(ports)

    @property
    def partial(self) -> dict[str, int]:
        """Bytes brought so far of every record being pulled."""
        return {rid: p.done for d in self._docks.dockings for rid, p in d.moving.items()}

    # --- of systemd.Pulse ---------------------------------------------------------------------------------------------

    @property
    def looked(self) -> bool:
        """Whether everything that was docked at the start was seen once."""
        return self._docks.looked

    @property
    def lanes(self) -> Sequence[Lane]:
        """The station's own lanes, whose calls end by themselves."""
        return (self._desk, *self._house)

    async def owed(self) -> int:
        """How many recordings are owed, asked of the ledger on the desk."""
        return await self._desk.submit(housekeeping.owed, self.bench)

    @property
    def pushing(self) -> int:
        """Another number than before wherever a transfer to central storage got on, or waited for the line's turn."""
        return self._central.moves

    def live(self) -> LiveView:
        """What moves now, of which no fact tells yet."""
        return self._showing.view()

    # --- the loop -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look, decide, act until stopped. Raises LedgerBroken: nobody knows what is true then."""
        opened = await self._desk.submit(housekeeping.start, self.bench)
        self._hand.begin(opened.records)
        gc.freeze()  # a collection that walks 10,000 records that stay holds the loop up twice as long as a plan
        self.sessions = {session.id: session for session in opened.sessions}
        self._showing.began(opened.waiting)
        for session in opened.sessions:
            self._settle(session)
        own = (self._hand.run(), self._receipts(), self._docks.look_again(self._rounds.sleep))
        touching = (self._eraser.run(), self._setter.run())
        for each in (*self._rounds.all(), *own, self._showing.run(), *touching, self._locker.run()):
            self.spawn(each, "rounds")
        loop = asyncio.get_running_loop()
        try:
            while not self._stop.is_set() and self._fatal is None:
                self.turns += 1
                self.bench.meters.turned()
                await self._docks.look()
                self._tell_findings()
                began_s = loop.time()
                self._act(self._decide())
                await self._pause(loop.time() - began_s)
        finally:
            gc.unfreeze()
            await self._end()
        if self._fatal is not None:
            raise self._fatal

    async def _pause(self, decided_s: float) -> None:
        """Until something ended, something was hinted at, or a tick has passed; for as long as deciding took at least.

        With thousands of records waiting and many small things ending, deciding anew after each of them would leave the
        loop nothing else to do, and the backlog would never be worked off. A tick at most: who was stopped meanwhile
        has not decided all that time.
        """
        tick_s = self.bench.settings.limits.tick_s
        rested_s = asyncio.get_running_loop().time() + min(decided_s, tick_s)
        hinted = asyncio.ensure_future(self._docks.hint.wait())
        woken = asyncio.ensure_future(self._wake.wait())
        await asyncio.wait({hinted, woken}, timeout=tick_s, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (hinted, woken):
            waiting.cancel()
        await asyncio.sleep(max(0.0, rested_s - asyncio.get_running_loop().time()))
        self._wake.clear()
        self._docks.hint.clear()

    async def _end(self) -> None:
        """Leave every recorder and say that it was on purpose, within ``stop_s`` however badly anything behaves."""
        limit_s = self.bench.settings.limits.stop_s
        for task, name in list(self._tasks.items()):
            if name == "rounds":
                task.cancel()
        leaving = asyncio.ensure_future(self._docks.leave_all())
        await at_most({leaving, *self._tasks}, limit_s * 0.7)
        if self._fatal is None:
            docked = [docking.session for docking in self._docks.dockings]
            await at_most({self._desk.submit(housekeeping.end, self.bench, docked)}, limit_s * 0.2)
        self._rounds.close()
        self._eraser.close()
        self._setter.close()
        self._showing.close()
        for lane in (*self._house, self._desk, self._docks.eyes):
            lane.close()
        self._papers.close()
        self._central.close()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run this beside the loop; a name for each."""
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

    # --- decide -------------------------------------------------------------------------------------------------------

    def _decide(self) -> Plan:
        now, (room, held) = self.bench.clock.now(), self._room()
        chosen = plan(
            World(
                now=now,
                records=self.records,
                docked={rid: d.session for d in self._docks.ready for rid in d.records},
                first=frozenset(d.session for d in self._docks.ready if d.sighting.priority),
                sinks=self._central.may_begin(now),
                answering=self._central.may_ask(now),
                room=room,
                held=held,
                busy=frozenset(self._busy),
                resting=self._resting,
                keep=self._locker.keep,
                parallel=self.bench.settings.push.parallel,
                at_once=self._central.at_once,
            )
        )
        if self._missing is None or bool(chosen.missing) != bool(self._missing):
            finding = Finding(
                severity=Severity.WARN,
                code="spool.full",
                what=f"The spool is {chosen.missing} bytes short for the next recording; only pulling waits.",
                remedy="Let central storage catch up, or give the spool a larger disk.",
            )
            self.spawn(self._rounds.tell([finding] if chosen.missing else [], ["spool.full"]), "tell")
        self._missing = chosen.missing
        return chosen

    def _room(self) -> tuple[int, dict[str, int]]:
        """Bytes the spool has for footage, and what partial files hold; nothing where its disk does not even say."""
        try:
            room, held = self.bench.spool.room(), self.bench.spool.part_rooms()
        except BwcdockError as error:
            log.warning("spool.silent", what=str(error))
            return 0, {}
        return room.free - room.reserve, held

    def _tell_findings(self) -> None:
        """What is wrong with the places looked at, as soon as it changes."""
        found, before = self._docks.findings, self._told
        if found != before:
            self._told = found
            self.spawn(self._rounds.tell(found, [finding.code for finding in before]), "tell")

    def _now(self) -> Now:
        at = self.bench.clock.now()
        return Now(at=at, sinks=self._central.open(at), busy=self._busy, resting=self._resting)

    def _in_slots(self) -> frozenset[str]:
        return frozenset().union(*(docking.records for docking in self._docks.dockings))

    def _docked(self) -> Iterable[tuple[Docking, Session]]:
        return [(d, s) for d in self._docks.ready if (s := self._known.get(d.session)) is not None]

    # --- act ----------------------------------------------------------------------------------------------------------

    def _act(self, chosen: Plan) -> None:
        for action in chosen.actions:
            self._busy.add(action)
            self.spawn(self._do(action, self.records[action.record]), action.act.name.lower())

    async def _do(self, action: Action, record: Record) -> None:
        try:
            if action.act is Act.PULL:
                outcome = await self._pull(action, record)
            else:
                outcome = await self._perform(action, record)
            self._resting.pop(action, None)
            if outcome.rest_s:
                self._resting[action] = self.bench.clock.now() + timedelta(seconds=outcome.rest_s)
            await self.know([record.id])
        finally:
            self._busy.discard(action)

    async def _perform(self, action: Action, record: Record) -> Outcome:
        act = act_of(self.bench, action, record)
        post = self._central.posts.get(action.place)
        if post is None:
            return await least_busy(self._house).submit(perform, self.bench, action, record, act)
        try:
            outcome = await post.crew.call(perform, self.bench, action, record, act)
        except Hung as hung:
            # It may be storing still: nobody does the same beside it, and it counts for nothing else meanwhile.
            self.bench.meters.sink_failed(action.place, hung)
            await self._central.tell_hung(action.place)
            await self._central.judge(action.place, away(hung))
            self._resting[action] = FAR
            self._busy.discard(action)
            outcome = await hung.back
            self._busy.add(action)  # again, until what came of it is known
            await self._central.tell_hung(action.place)
        except Unreachable as error:
            self.bench.meters.sink_failed(action.place, error)
            outcome = away(error)
        await self._central.judge(action.place, outcome)
        return outcome

    async def _pull(self, action: Action, record: Record) -> Outcome:
        docking = next((d for d in self._docks.dockings if d.session == action.place), None)
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
            await self._docks.after(docking, error, outcome)
            return outcome
        return await house.submit(perform, self.bench, action, record, lambda: facts)

    # --- know ---------------------------------------------------------------------------------------------------------

    def session(self, session: str) -> Session | None:
        """What is known of a docking that is here, or whose port is waited for."""
        return self._known.get(session)

    def show(self) -> None:
        """Show people anew what is docked."""
        self._showing.hurry()

    async def know(self, ids: Iterable[str]) -> None:
        """Take these records as the book has them now, and see which sessions have come further by it."""
        records = await self._desk.submit(housekeeping.records_of, self.bench, list(ids))
        for record in records:
            self.mark += self._hand.know(record)
            self._showing.took(record)
        for name in {name for record in records for name in record.sessions} & self.sessions.keys():
            self._settle(self.sessions[name])

    async def ask(self, fn: Callable[..., Any], *args: object) -> Any:
        """What ``fn`` answers, on the lane that talks to the ledger."""
        return await self._desk.submit(fn, *args)

    async def advance(self, fact: Fact) -> None:
        """Record a fact of a docking where its table allows it, and see how far the docking is by it."""
        self._take(await self._desk.submit(housekeeping.advance, self.bench, fact))

    async def know_session(self, session: str) -> None:
        """Take this docking as the ledger has it now."""
        self._take(await self._desk.submit(housekeeping.session_of, self.bench, session))

    def _take(self, session: Session | None) -> None:
        if session is not None:
            self.mark += 1
            self.sessions[session.id] = session
            if self._known.get(session.id) or any(session.id == d.session for d in self._docks.dockings):
                self._known.take(session)
                self._showing.changed(session)
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
            self.spawn(self.advance(fact), draining)
        elif receipt.is_ready(session, owed) and receipting not in self._tasks.values():
            self.spawn(self._receipt(session.id), receipting)

    async def _receipt(self, session: str) -> None:
        try:
            # The ledger is asked, not memory: it may hold open records that are not at hand.
            if await self._desk.submit(housekeeping.is_owed, self.bench, session):
                return
            facts = await self._papers.call(receipt.write, self.bench, session)
        except BwcdockError as error:
            if isinstance(error, LedgerBroken):
                raise
            log.warning("receipt.waits", session=session, what=str(error))  # tried again by the rounds
            return
        for fact in facts:
            await self.advance(fact)

    # --- rounds -------------------------------------------------------------------------------------------------------

    async def _receipts(self) -> None:
        """Try again the receipts that could not be written."""
        while True:
            await self._rounds.sleep(RECEIPTS_EVERY_S)
            for session in list(self.sessions.values()):
                if session.departed_at and (session.receipt or not session.was_drained):
                    self.sessions.pop(session.id)
                else:
                    self._settle(session)


def _raiser(error: Exception) -> Callable[[], tuple[Fact, ...]]:
    def attempt() -> tuple[Fact, ...]:
        raise error

    return attempt
