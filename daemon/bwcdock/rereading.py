"""The slow scrub of central storage: a little of it is read in full again every day, to find storage that forgets."""

import math
import random
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta

from bwcdock.central import Central, Post
from bwcdock.core.facts import CentralScrubbed, CopyBad, Found
from bwcdock.core.plan import Act, Action
from bwcdock.core.record import Record, State
from bwcdock.errors import Unreachable
from bwcdock.lanes import Hung, Lane
from bwcdock.steps import housekeeping
from bwcdock.steps.bench import Bench
from bwcdock.steps.outcome import Outcome, away
from bwcdock.steps.perform import act_of, perform

ROUND_S = 6 * 3600.0
"""How long a round lasts, at whose end its sum is written down: a station is on for a shift, not always for a day."""

DAY_S = 86_400.0

PROVEN = (State.SEALED, State.RELEASED)
"""The states of a record that central storage may hold."""

YIELD_S = 3600.0
"""How long a reading waits for a moment without other transfers there: one that is always busy is read as well."""

LOOK_S = 5.0
"""How often it is looked whether such a moment has come."""


class Reread:
    """Reads ``share`` of what one sink holds every day. It begins anywhere, so that a station that is switched off
    every evening does not read the same recordings for ever.
    """

    def __init__(
        self,
        bench: Bench,
        central: Central,
        post: Post,
        desk: Lane,
        know: Callable[[Iterable[str]], Awaitable[None]],
        share: float,
    ) -> None:
        self._bench = bench
        self._central = central
        self._post = post
        self._desk = desk
        self._know = know
        self._share = share
        self._chance = random.Random()  # noqa: S311  (it spreads reading; it guards nothing)
        self._after = f"{self._chance.getrandbits(64):016x}"
        """The id that was read last: ids are digests, so any number in hex is a place among them."""

    async def run(self) -> None:
        """Round after round, until cancelled."""
        while True:
            count = self._count(await self._desk.submit(housekeeping.many, self._bench, *PROVEN))
            if not count:
                await self._sleep(ROUND_S)
                continue
            pause_s = ROUND_S * self._post.window.share / count
            done: list[tuple[int, bool]] = []
            for _ in range(count):
                await self._sleep(pause_s)
                rid = await self._next()
                if rid is not None and (told := await self._one(rid)) is not None:
                    done.append(told)
            if done:
                size, bad = sum(size for size, _ in done), sum(not good for _, good in done)
                fact = CentralScrubbed(sink=self._post.name, files=len(done), size=size, bad=bad)
                await self._desk.submit(self._bench.book.record, [fact])

    def _count(self, of: int) -> int:
        """How many of so many this round reads; of few, one in some rounds, as often as their share says."""
        exact = of * self._share * ROUND_S / DAY_S
        return min(of, math.floor(exact) + (self._chance.random() < exact % 1))

    async def _next(self) -> str | None:
        """The next one behind the last, round and round; the place is kept also where it dies between two."""
        rid = await self._desk.submit(housekeeping.next_id, self._bench, self._after, *PROVEN)
        return rid or await self._desk.submit(housekeeping.next_id, self._bench, "", *PROVEN)

    async def _one(self, rid: str) -> tuple[int, bool] | None:
        """Read one recording there again: its bytes, and whether it was good; ``None`` where it could not be read."""
        self._after = rid
        await self._turn()
        record = await self._desk.submit(housekeeping.looked_at, self._bench, rid, self._post.name)
        if record is None:
            return None  # not held there, or its second look is still to come
        outcome = await self._look(record)
        await self._central.judge(self._post.name, outcome)
        if outcome.sink_down or outcome.bug:
            return None
        bad = any(isinstance(fact, CopyBad | Found) for fact in outcome.facts)
        if bad:
            await self._know([rid])
        return record.item.size, not bad

    async def _look(self, record: Record) -> Outcome:
        """As a second look, with all that may come of one."""
        name = self._post.name
        action = Action(Act.LOOK, record.id, name)
        act = act_of(self._bench, action, record)
        try:
            return await self._post.crew.call(perform, self._bench, action, record, act)
        except Unreachable as error:
            self._bench.meters.sink_failed(name, error)
            if isinstance(error, Hung):
                await self._central.tell_hung(name)
            return away(error)

    async def _turn(self) -> None:
        """Until the sink may be asked, and until nobody else asks it: this is what can wait longest."""
        clock = self._bench.clock
        waited_s = 0.0
        while True:
            now = clock.now()
            opens = self._post.from_(now)
            if opens > now:
                await clock.sleep_until(opens)
            elif self._post.crew.is_busy and waited_s < YIELD_S:
                await self._sleep(LOOK_S)
                waited_s += LOOK_S
            else:
                return

    async def _sleep(self, seconds: float) -> None:
        clock = self._bench.clock
        await clock.sleep_until(clock.now() + timedelta(seconds=seconds))
