"""Blocking code kept off the event loop: one daemon thread per recorder, one call at a time, each with a time limit.

Not an executor: an executor's threads are joined at exit, so a driver call that hangs for eight seconds would keep the
process for eight seconds. A lane's thread is a daemon; when its call hangs, the lane is given up and the process can
end at once.
"""

import asyncio
import math
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, TypeVarTuple

from bwcdock.errors import Misbehaved

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

DEPTH = 16
"""How many calls may wait or run on a lane: the callers of one recorder are few, more means one of them loops."""


OWN_DEPTH = 4096
"""Calls that may wait on a lane of the station's own: bounded by what plan starts, never by one recorder."""


class _Job(Generic[T]):
    """One call. Everything but ``work`` changes on the event loop's thread only."""

    def __init__(self, work: Callable[[], T], timeout_s: float | None, loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.timeout_s = timeout_s
        self.loop = loop
        self.future: asyncio.Future[T] = loop.create_future()
        self.timer: asyncio.TimerHandle | None = None
        self.running = False
        self.over = False  # the lane's thread reads it too, to leave out what was refused meanwhile


class Lane:
    """A thread with a queue. ``name`` appears in errors and as the thread's name.

    Use from one event loop. Calls run in the order they were made; results and exceptions come back on the loop, also
    when the loop is being closed (then they are dropped quietly).
    """

    def __init__(self, name: str, *, depth: int = DEPTH) -> None:
        self.name = name
        self._depth = depth
        self._inbox: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._open: list[_Job[Any]] = []  # submitted and not over, in order; its length is what bounds the queue
        self._shut = ""  # why no further call is taken
        self.stuck = False
        threading.Thread(target=self._run, name=f"lane {name}", daemon=True).start()

    async def call(self, fn: Callable[[*Ts], T], *args: *Ts, timeout_s: float) -> T:
        """Run ``fn(*args)`` on the lane's thread and return what it returns, or raise what it raises.

        The limit counts from the moment the call begins to run. When it passes, this raises
        :class:`~bwcdock.errors.Misbehaved`, the lane is ``stuck``, every waiting and later call is refused at once,
        and the thread is abandoned with whatever it holds. Cancelling the caller does not stop a running call (nothing
        can): the next one waits behind it, so memory lent to it must stay alive until then.
        """
        return await self._enter(fn, args, timeout_s)

    def submit(self, fn: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """As :meth:`call` but without a limit and without waiting; for work that bounds itself."""
        return self._enter(fn, args, None)

    @property
    def waiting(self) -> int:
        """How many calls run or wait."""
        return len(self._open)

    def close(self) -> None:
        """Take no more calls, refuse the waiting ones, let the running one end. Returns at once; twice is fine."""
        if not self._shut:
            self._refuse("is closed")

    def give_up(self, why: str) -> None:
        """Make the lane ``stuck`` now, for a caller that watches a :meth:`submit` itself; ``why`` completes "it …".

        The running call's future raises :class:`~bwcdock.errors.Misbehaved` where it is still awaited.
        """
        self.stuck = True
        for job in [job for job in self._open if job.running]:
            self._end(job)
            if not job.future.done():
                job.future.set_exception(self._misbehaved(why))
                job.future.exception()  # seen: whoever gave up may have stopped awaiting it
        self._refuse(why)

    def _enter(self, fn: Callable[[*Ts], T], args: tuple[*Ts], timeout_s: float | None) -> asyncio.Future[T]:
        if self._shut:
            raise self._misbehaved(f"is not asked any more: it {self._shut}")
        if len(self._open) >= self._depth:
            raise self._misbehaved(f"has {self._depth} calls waiting already")
        job = _Job(lambda: fn(*args), timeout_s, asyncio.get_running_loop())
        self._open.append(job)
        self._inbox.put(job)
        return job.future

    # --- the lane's thread ---

    def _run(self) -> None:
        while (job := self._inbox.get()) is not None:
            if job.over or job.future.cancelled() or not _tell(job.loop, self._begin, job):
                _tell(job.loop, self._finish, job, None, None)
                continue
            result, error = None, None
            try:
                result = job.work()
            except Exception as raised:  # it travels to the caller
                error = raised
            except BaseException as raised:  # SystemExit in a driver must not end the station
                error = self._misbehaved(f"tried to end the program ({type(raised).__name__})")
                error.__cause__ = raised
            _tell(job.loop, self._finish, job, result, error)
            del job, result, error  # a lane that waits for its next call keeps nothing of the last alive

    # --- the event loop's thread ---

    def _begin(self, job: _Job[Any]) -> None:
        if job.over:
            return
        job.running = True
        if job.timeout_s is not None:
            job.timer = job.loop.call_later(job.timeout_s, self._expire, job)

    def _finish(self, job: _Job[Any], result: Any, error: Exception | None) -> None:
        if job.over:
            return  # it came back after it had been given up
        self._end(job)
        if job.future.done():
            return  # the caller was cancelled
        if isinstance(error, StopIteration):  # a Future cannot carry it
            error = RuntimeError(f"lane {self.name}: {error!r} raised")
        if error is not None:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)

    def _expire(self, job: _Job[Any]) -> None:
        self._end(job)
        if not job.future.done():
            job.future.set_exception(self._misbehaved(f"did not answer within {job.timeout_s:g} s"))
        self.give_up("hung before")

    def _refuse(self, why: str) -> None:
        self._shut = why
        for job in [job for job in self._open if not job.running]:
            self._end(job)
            if not job.future.done():
                job.future.set_exception(self._misbehaved(f"is not asked any more: it {why}"))
        self._inbox.put(None)

    def _end(self, job: _Job[Any]) -> None:
        job.over = True
        self._open.remove(job)
        if job.timer is not None:
            job.timer.cancel()

    def _misbehaved(self, what: str) -> Misbehaved:
        return Misbehaved(f"lane {self.name}", f"It {what}.", "Take the recorder out and dock it again.")


def own_lane(name: str) -> Lane:
    """A lane for the station's own work."""
    return Lane(name, depth=OWN_DEPTH)


def least_busy(lanes: Sequence[Lane]) -> Lane:
    """The lane with the fewest calls."""
    return min(lanes, key=lambda lane: lane.waiting)


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[[*Ts], object], *args: *Ts) -> bool:
    """Run ``callback`` on the loop's thread; false when the loop is closed already, which is nobody's fault."""
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        return False
    return True


class LoopLag:
    """How late the event loop runs what it should run: the sign of blocking code on it.

    ``window`` samples are kept, one every ``interval_s`` seconds: a minute by default.
    """

    def __init__(self, *, interval_s: float = 0.25, window: int = 240) -> None:
        self._interval_s = interval_s
        self._samples: deque[float] = deque(maxlen=window)

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._interval_s
            await asyncio.sleep(self._interval_s)
            self._samples.append(max(0.0, loop.time() - due))

    @property
    def last_s(self) -> float:
        """The newest sample in seconds; 0 before the first."""
        return self._samples[-1] if self._samples else 0.0

    @property
    def p99_s(self) -> float:
        """What 99 of 100 samples do not exceed (nearest rank), in seconds; 0 before the first."""
        if not self._samples:
            return 0.0
        ranked = sorted(self._samples)
        return ranked[math.ceil(0.99 * len(ranked)) - 1]
