"""A clock that a test moves by hand."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta

from bwcdock.clock import ClockHealth

EPOCH = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Where a virtual clock starts unless told otherwise: a Monday, nine in the morning in China."""

VOUCHED = ClockHealth(vouched=True, text="synchronised, wrong by at most 1 ms (estimated 1 ms)", max_error_ms=1)


class VirtualClock:
    """``ports.Clock`` that stands still until :meth:`set`, :meth:`advance` or :meth:`run` moves it.

    ``kernel`` is what :meth:`health` answers, and may be changed at any time.
    """

    def __init__(self, start: datetime = EPOCH, kernel: ClockHealth = VOUCHED) -> None:
        self.kernel = kernel
        self._start = self._now = _whole(start)
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        """The moment it was last moved to."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since it was made."""
        return (self._now - self._start).total_seconds()

    def health(self) -> ClockHealth:
        """What ``kernel`` was set to."""
        return self.kernel

    @property
    def next_wake(self) -> datetime | None:
        """When the earliest sleeper wants to wake; ``None`` where nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    async def sleep_until(self, moment: datetime) -> None:
        """Return once the clock has been moved to ``moment`` or past it."""
        if moment <= self._now:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        self._count += 1  # keeps sleepers of the same moment in the order they came
        heapq.heappush(self._sleepers, (moment, self._count, woken))
        await woken

    def set(self, moment: datetime) -> None:
        """Move to ``moment`` and wake who waited for it; :class:`ValueError` when that is in the past."""
        moment = _whole(moment)
        if moment < self._now:
            raise ValueError(f"a clock does not go back: {moment} is before {self._now}")
        self._now = moment
        while (due := self.next_wake) is not None and due <= moment:
            heapq.heappop(self._sleepers)[2].set_result(None)

    def advance(self, by: timedelta | float) -> None:
        """Move on by a span, or by seconds."""
        self.set(self._now + (by if isinstance(by, timedelta) else timedelta(seconds=by)))

    async def run(self, by: timedelta | float) -> None:
        """Move on by a span, stopping at every sleeper's moment: each wakes at its own time and may sleep on."""
        end = self._now + (by if isinstance(by, timedelta) else timedelta(seconds=by))
        await _settle()
        while (due := self.next_wake) is not None and due <= end:
            self.set(due)
            await _settle()
        self.set(end)
        await _settle()


async def _settle() -> None:
    # Enough turns of the loop for a chain of tasks to hand a result on; a test that needs more waits for what it needs.
    for _ in range(10):
        await asyncio.sleep(0)


def _whole(moment: datetime) -> datetime:
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
