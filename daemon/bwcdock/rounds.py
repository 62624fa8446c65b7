"""What the station does by the clock and for itself: the heartbeat, the signed head and its witnesses, the scrub."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog

from bwcdock import allocator, durable, meters
from bwcdock.central import Central
from bwcdock.core.facts import Finding, Scrubbed, Severity
from bwcdock.core.live import RoomView
from bwcdock.core.record import State
from bwcdock.errors import BwcdockError, LedgerBroken
from bwcdock.lanes import Lane, LoopLag, own_lane
from bwcdock.ledger import forget_common
from bwcdock.rereading import Reread
from bwcdock.steps import housekeeping
from bwcdock.steps.bench import Bench
from bwcdock.steps.scrub import scrub
from bwcdock.steps.statements import Statements

log = structlog.get_logger()

EMPTY_S = 60.0
"""How long the scrub waits for something to read: days do not need seconds."""

SAY_S = 60.0
"""How often central storage is told what people said since; only where there is something to tell."""

AGAIN_S = 60.0
"""How long a round that failed waits before it begins anew: what made it fail is seldom gone at once."""

CARRY_S = 5.0
"""How long the signing of the next head waits for the carrying of the last: a sink that hangs does not hold it up."""


class Rounds:
    """Runs beside the loop until cancelled. ``know`` takes the records a round changed."""

    def __init__(
        self,
        bench: Bench,
        desk: Lane,
        central: Central,
        know: Callable[[Iterable[str]], Awaitable[None]],
    ) -> None:
        self.lag = LoopLag(heard=bench.meters.lagged)
        self._bench = bench
        self._desk = desk
        self._central = central
        self._know = know
        self._statements = {name: Statements(bench, name) for name in bench.sinks}
        self._scrubber = Lane("scrub")
        self._show = own_lane("show")
        self._chance = random.Random()  # noqa: S311  (it spreads reading; it guards nothing)
        self._witnessed_at = bench.clock.monotonic()

    def all(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Every round, to be run as a task each."""
        rounds = [self._on(each) for each in (self._beats, self._heads, self._says, self._scrubs, self._counts)]
        shares = {sink.name: sink.scrub_percent_a_day / 100 for sink in self._bench.settings.sink}
        for name, post in self._central.posts.items():
            if share := shares.get(name, 0):
                rounds.append(self._on(Reread(self._bench, self._central, post, self._desk, self._know, share).run))
        return *rounds, self.lag.run()

    async def _on(self, round_: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A round that fails is told, and begun anew: the disk or the program may be at fault, the others go on."""
        while True:
            try:
                await round_()
            except LedgerBroken:
                raise
            except Exception:
                log.exception("round.failed", round=round_.__qualname__)
                await self.sleep(AGAIN_S)

    def close(self) -> None:
        """Let go of the threads of the scrub and of what is shown."""
        self._scrubber.close()
        self._show.close()

    async def sleep(self, seconds: float) -> None:
        """Sleep by the station's clock."""
        await self._bench.clock.sleep_until(self._bench.clock.now() + timedelta(seconds=seconds))

    async def tell(self, findings: Sequence[Finding], codes: Iterable[str]) -> None:
        """These findings about the station hold now; of ``codes``, those that are not among them no longer do."""
        await self._desk.submit(housekeeping.tell, self._bench, findings, codes)

    async def _beats(self) -> None:
        """The heartbeat; and memory goes back with it."""
        while True:
            await self._desk.submit(housekeeping.beat, self._bench)
            await self._desk.submit(self._give_back)
            await self.sleep(self._bench.settings.ledger.beat_s)

    async def _heads(self) -> None:
        """Sign the head of the ledger and carry it to every sink."""
        carrying: asyncio.Future[None] | None = None
        try:
            while True:
                await self.sleep(self._bench.settings.ledger.checkpoint_every_s)
                await self._desk.submit(housekeeping.sign_head, self._bench)
                carrying = carrying or asyncio.ensure_future(self.witness())
                await asyncio.wait({carrying}, timeout=CARRY_S)
                if carrying.done():
                    carrying.result()
                    carrying = None
        finally:
            if carrying is not None:
                carrying.cancel()

    async def witness(self) -> None:
        """Carry every signed head to every sink that can be reached; none of them waits for another."""
        now = self._bench.clock.monotonic()
        bringing = [asyncio.ensure_future(self._bring(name)) for name in self._bench.witnesses]
        try:
            await asyncio.gather(*bringing)
        finally:
            for each in bringing:
                each.cancel()
        age_s = now - self._witnessed_at
        late = age_s > self._bench.settings.ledger.witness_alarm_s
        finding = Finding(
            severity=Severity.WARN,
            code="ledger.unwitnessed",
            what="No central storage has seen the head of the ledger for longer than it may.",
            remedy="Bring central storage back: until then an older ledger could be put in its place unseen.",
        )
        await self.tell([finding] if late else [], [finding.code])

    async def _says(self) -> None:
        """Tell central storage what was said and concluded of its recordings."""
        while True:
            await self.sleep(SAY_S)
            await self.state()

    async def state(self) -> None:
        """Tell every sink that can be reached what is new; none of them waits for another."""
        telling = [asyncio.ensure_future(self._state(name)) for name in self._statements]
        try:
            await asyncio.gather(*telling)
        finally:
            for each in telling:
                each.cancel()

    async def _state(self, sink: str) -> None:
        try:
            await self._central.posts[sink].crew.call(self._statements[sink].bring)
        except LedgerBroken:
            raise
        except BwcdockError as error:
            log.warning("statements.wait", sink=sink, what=str(error))
            self._bench.meters.sink_failed(sink, error)
        await self._central.tell_hung(sink)

    async def _bring(self, sink: str) -> None:
        try:
            head = await self._central.posts[sink].crew.call(self._bench.witnesses[sink].bring)
            self._witnessed_at = self._bench.clock.monotonic()
            self._bench.meters.witnessed(sink, self._bench.clock.now(), head.size if head else 0)
        except LedgerBroken:
            raise
        except BwcdockError as error:
            log.warning("witness.waits", sink=sink, what=str(error))
            self._bench.meters.sink_failed(sink, error)
        await self._central.tell_hung(sink)

    async def _scrubs(self) -> None:
        """Read every sealed file of the spool once in ``scrub_days``, evenly spread.

        It begins at any of them: a station that is switched off every evening would else read the same ones for ever.
        """
        while True:
            begin = f"{self._chance.getrandbits(64):016x}"  # ids are digests: any number in hex is a place among them
            files = bad = 0
            for after, last in ((begin, None), ("", begin)):
                async for rid in self._sealed(after, last):
                    files += 1
                    if not await self._scrubber.submit(scrub, self._bench, rid):
                        bad += 1
                        await self._know([rid])
            if files:
                await self._desk.submit(self._bench.book.record, [Scrubbed(files=files, bad=bad)])
            else:
                await self.sleep(EMPTY_S)

    async def _sealed(self, after: str, last: str | None) -> AsyncIterator[str]:
        """Each sealed record behind ``after`` up to ``last``, when it is its turn; how many there are changes."""
        while True:
            rid = await self._desk.submit(housekeeping.next_id, self._bench, after, State.SEALED)
            if rid is None or (last is not None and rid > last):
                return
            many = await self._desk.submit(housekeeping.many, self._bench, State.SEALED)
            await self.sleep(self._bench.settings.spool.scrub_days * 86400 / max(many, 1))
            yield rid
            after = rid

    async def _counts(self) -> None:
        """Show whoever asks beside this process what is counted here, and by that also that this process is at work."""
        path = self._bench.settings.paths.run / meters.NAME
        self._bench.meters.started(self._bench.clock.now())
        while True:
            with suppress(OSError):
                text = await self._show.submit(self._counted)
                await durable.publish_volatile(path, text, executor=self._show)
            await asyncio.sleep(meters.PUBLISH_EVERY_S)

    def _counted(self) -> bytes:
        bench, spool = self._bench, None
        with suppress(BwcdockError):  # its volume went away, of which the loop itself tells
            room = bench.spool.room()
            spool = RoomView(free=room.free, total=room.total, reserve=room.reserve)
        return bench.meters.exposition(os.getpid(), bench.clock.now(), bench.station_clock(), spool)

    def _give_back(self) -> None:
        """What was kept in case it would be of use goes first, for it holds pages."""
        forget_common()
        self._bench.book.ask(lambda ledger: ledger.give_back())
        allocator.give_back()
