"""What the station does by the clock and for itself: the heartbeat, the signed head and its witnesses, the scrub."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog

from bwcdock.core.facts import Fact, Finding, Found, Scrubbed, Settled, Severity
from bwcdock.errors import BwcdockError, LedgerBroken
from bwcdock.lanes import Lane, LoopLag
from bwcdock.reading import Buffers
from bwcdock.steps import housekeeping
from bwcdock.steps.bench import Bench
from bwcdock.steps.scrub import scrub

log = structlog.get_logger()

EMPTY_S = 60.0
"""How long the scrub waits for something to read: days do not need seconds."""


class Rounds:
    """Runs beside the loop until cancelled. ``know`` takes the records a round has changed; ``sinks`` are lanes."""

    def __init__(
        self,
        bench: Bench,
        desk: Lane,
        sinks: Mapping[str, Lane],
        findings: Callable[[], Sequence[Finding]],
        know: Callable[[Iterable[str]], Awaitable[None]],
    ) -> None:
        self.lag = LoopLag()
        self._bench = bench
        self._desk = desk
        self._sinks = sinks
        self._findings = findings
        self._know = know
        self._scrubber = Lane("scrub")
        self._witnessed_at = bench.clock.monotonic()

    def all(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Every round, to be run as a task each."""
        return self._beats(), self._heads(), self._scrubs(), self.lag.run()

    def close(self) -> None:
        """Let go of the scrub's thread."""
        self._scrubber.close()

    async def sleep(self, seconds: float) -> None:
        """Sleep by the station's clock."""
        await self._bench.clock.sleep_until(self._bench.clock.now() + timedelta(seconds=seconds))

    async def tell(self, findings: Sequence[Finding], codes: Iterable[str]) -> None:
        """These findings about the station hold now; of ``codes``, those that are not among them no longer do."""
        told = {finding.code for finding in findings}
        facts: list[Fact] = [Found(finding=finding) for finding in findings]
        facts += [Settled(code=code, how="it no longer holds") for code in codes if code not in told]
        await self._desk.submit(self._bench.book.record, facts)

    async def _beats(self) -> None:
        """The heartbeat, and what the watch has to say about its places."""
        codes: set[str] = set()
        while True:
            await self._desk.submit(housekeeping.beat, self._bench)
            found = tuple(self._findings())
            codes |= {finding.code for finding in found}
            await self.tell(found, codes)
            await self.sleep(self._bench.settings.ledger.beat_s)

    async def _heads(self) -> None:
        """Sign the head of the ledger and carry it to every sink."""
        while True:
            await self.sleep(self._bench.settings.ledger.checkpoint_every_s)
            await self._desk.submit(housekeeping.sign_head, self._bench)
            await self.witness()

    async def witness(self) -> None:
        """Carry every signed head to every sink that can be reached."""
        now = self._bench.clock.monotonic()
        for name, witness in self._bench.witnesses.items():
            try:
                await self._sinks[name].submit(witness.bring)
                self._witnessed_at = self._bench.clock.monotonic()
            except LedgerBroken:
                raise
            except BwcdockError as error:
                log.warning("witness.waits", sink=name, what=str(error))
        age_s = now - self._witnessed_at
        late = age_s > self._bench.settings.ledger.witness_alarm_s
        finding = Finding(
            severity=Severity.WARN,
            code="ledger.unwitnessed",
            what="No central storage has seen the head of the ledger for longer than it may.",
            remedy="Bring central storage back: until then an older ledger could be put in its place unseen.",
        )
        await self.tell([finding] if late else [], [finding.code])

    async def _scrubs(self) -> None:
        """Read every sealed file of the spool once in ``scrub_days``, evenly spread; begun anew at every start."""
        buffers = Buffers(count=1)
        while True:
            ids = await self._desk.submit(housekeeping.sealed_ids, self._bench)
            pause_s = self._bench.settings.spool.scrub_days * 86400 / max(len(ids), 1)
            bad = 0
            for rid in ids:
                await self.sleep(pause_s)
                if not await self._scrubber.submit(scrub, self._bench, rid, buffers):
                    bad += 1
                    await self._know([rid])
            if ids:
                await self._desk.submit(self._bench.book.record, [Scrubbed(files=len(ids), bad=bad)])
            else:
                await self.sleep(EMPTY_S)
