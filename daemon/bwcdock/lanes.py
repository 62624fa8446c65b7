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
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, TypeVarTuple

import structlog

from bwcdock.errors import Misbehaved, Unreachable

log = structlog.get_logger()

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

DEPTH = 16
"""How many calls may wait or run on a lane: the callers of one recorder are few, more means one of them loops."""


OWN_DEPTH = 4096
"""Calls that may wait on a lane of the station's own: bounded by what plan starts, never by one recorder."""

LOOKS = 8
"""How often within its limit a call is looked at for signs of life: it is given up at most an eighth too late."""

HANGS = "Look after its network, its mount and its disks. What hangs goes on by itself when it answers again."
"""The remedy for a call that hangs."""

_here = threading.local()


class _Job(Generic[T]):
    """One call. Everything but ``work`` changes on the event loop's thread only."""

    def __init__(self, work: Callable[[], T], timeout_s: float | None, loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.timeout_s = timeout_s
        self.loop = loop
        self.future: asyncio.Future[T] = loop.create_future()
        self.due = math.inf  # by the loop's clock; known once it runs
        self.running = False
        self.back: asyncio.Future[T] | None = None  # for whoever wants to know how it ended after it was given up
        self.over = False  # the lane's thread reads it too, to leave out what was refused meanwhile


class Lane:
    """A thread with a queue. ``name`` appears in errors and as the thread's name.

    ``last`` is the last thing the thread does, after :meth:`close` or, where a call hangs, as soon as that returns.
    ``moves`` grows with every :func:`moved` inside a call, ``signs`` also with every call it begins.
    Use from one event loop. Calls run in the order they were made; results and exceptions come back on the loop, also
    when the loop is being closed (then they are dropped quietly).
    """

    def __init__(self, name: str, *, depth: int = DEPTH, last: Callable[[], object] = lambda: None) -> None:
        self.name = name
        self.moves = 0
        self._begun = 0
        self._last = last
        self._depth = depth
        self._inbox: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._open: list[_Job[Any]] = []  # submitted and not over, in order; its length is what bounds the queue
        self._shut = ""  # why no further call is taken
        self.stuck = False
        self.back: asyncio.Future[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
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
    def signs(self) -> int:
        """Signs of life so far."""
        return self._begun + self.moves

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

        The running call's future raises :class:`~bwcdock.errors.Misbehaved` where it is still awaited; ``back`` ends
        as that call does, when it comes back after all.
        """
        self.stuck = True
        for job in [job for job in self._open if job.running]:
            self._end(job)
            self.back = job.back = job.loop.create_future()
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
        _here.lane = self
        self._work()
        try:
            self._last()
        except Exception:  # a driver that fails to close: nobody waits for it any more
            log.exception("lane.last", lane=self.name)

    def _work(self) -> None:
        while (job := self._inbox.get()) is not None:
            if job.over or job.future.cancelled() or not _tell(job.loop, self._begin, job):
                _tell(job.loop, self._finish, job, None, None)
                continue
            result, error = None, None
            self._begun += 1
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
            job.due = job.loop.time() + job.timeout_s
            self._watch(job)

    def _watch(self, job: _Job[Any]) -> None:
        """Have the lane's one timer ring when this call is due, or before: it looks then what runs, and goes on.

        A timer for every call would stay with the loop until it was due, long after its call: hundreds of them, each
        with a context, in whatever memory a busy hour took last.
        """
        if self._timer is not None:
            if self._timer.when() <= job.due:
                return
            self._timer.cancel()
        self._timer = job.loop.call_at(job.due, self._ring)

    def _ring(self) -> None:
        assert self._timer is not None
        rang, self._timer = self._timer.when(), None
        for job in [job for job in self._open if job.running and job.due < math.inf]:
            if job.due <= rang:
                self._expire(job)
            else:
                self._watch(job)

    def _finish(self, job: _Job[Any], result: Any, error: Exception | None) -> None:
        future = job.back if job.over else job.future
        if not job.over:
            self._end(job)
        if future is None or future.done():
            return  # refused while it waited; or the caller was cancelled
        if isinstance(error, StopIteration):  # a Future cannot carry it
            error = RuntimeError(f"lane {self.name}: {error!r} raised")
        if error is None:
            future.set_result(result)
            return
        future.set_exception(error)
        if job.over:
            future.exception()  # seen: nobody need be waiting for what had been given up

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
        self._still()

    def _end(self, job: _Job[Any]) -> None:
        job.over = True
        self._open.remove(job)
        self._still()

    def _still(self) -> None:
        """A lane that is shut and has nothing to watch needs no timer, which would keep it until then."""
        if self._shut and not self._open and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _misbehaved(self, what: str) -> Misbehaved:
        return Misbehaved(f"lane {self.name}", f"It {what}.", "Take the recorder out and dock it again.")


def moved() -> None:
    """Say, inside a call on a lane, that it gets on: whoever watches it goes on waiting. Elsewhere it is nothing."""
    lane: Lane | None = getattr(_here, "lane", None)
    if lane is not None:
        lane.moves += 1


class Hung(Unreachable):
    """A call gave no sign of life for too long and was left behind. ``back`` ends as it does, if ever it does."""

    def __init__(self, what: str, sink: str, back: "asyncio.Future[Any]") -> None:
        super().__init__("wait", what, HANGS, sink)
        self.back = back


@dataclass(slots=True)
class _Signs:
    """A call's lane, the signs of life it had given, and since when it gave no further one, by the loop's clock."""

    lane: Lane
    signs: int
    since: float


class Crew:
    """``count`` lanes for calls to central storage ``name``, which may be slow for hours but must not be silent.

    A call without a sign of life (:func:`moved`) for ``limit_s`` is left behind with its thread, and a fresh lane takes
    the place. At most ``spare`` threads are left behind so; then a place stays empty until one of them returns, for
    each holds memory and a descriptor. Use from one event loop.
    """

    def __init__(self, name: str, count: int, *, limit_s: float, spare: int) -> None:
        self.name = name
        self._count = count
        self._limit_s = limit_s
        self._most = count + spare
        self._made = 0
        self._behind = 0
        self._closed = False
        self._lanes: list[Lane] = []
        self._watched: dict[asyncio.Future[Any], _Signs] = {}
        self._looks = False
        self._fill()

    @property
    def moves(self) -> int:
        """Another number than before wherever a call got on (:func:`moved`) meanwhile; trying again does not count."""
        return sum(lane.moves for lane in self._lanes)

    @property
    def is_busy(self) -> bool:
        """Whether any call runs or waits; also where all lanes hang, so that whoever can wait does."""
        return not self._lanes or any(lane.waiting for lane in self._lanes)

    @property
    def behind(self) -> int:
        """How many calls hang and were left behind."""
        return self._behind

    async def call(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """What ``fn(*args)`` returns or raises, from the lane with the fewest calls.

        Raises :class:`Hung` when it was left behind, and ``Unreachable`` where it never began: because it waited behind
        one that hangs, or all lanes do.
        """
        if not self._lanes:
            what = f"{self._behind} calls hang there, and no more are made until one of them returns."
            raise Unreachable("wait", what, HANGS, self.name)
        lane, begun = least_busy(self._lanes), threading.Event()

        def work() -> T:
            begun.set()
            return fn(*args)

        call = lane.submit(work)
        self._watched[call] = _Signs(lane, lane.signs, call.get_loop().time())
        self._look_later(call.get_loop())
        try:
            return await call
        except Misbehaved:
            if not lane.stuck:
                raise
        finally:
            del self._watched[call]
        what = f"It has given no sign of life for {self._limit_s:g} s."
        if begun.is_set() and lane.back is not None:
            raise Hung(what, self.name, lane.back)
        raise Unreachable("wait", what, HANGS, self.name)

    def close(self) -> None:
        """Take no more calls; what runs may end."""
        self._closed = True
        for lane in self._lanes:
            lane.close()

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._looks:
            self._looks = True
            loop.call_later(self._limit_s / LOOKS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look at every call, as long as there are any; one that was given up with another on its lane is done."""
        self._looks = False
        now = loop.time()
        for call, seen in list(self._watched.items()):
            if call.done():
                continue
            if seen.lane.signs != seen.signs:
                seen.signs, seen.since = seen.lane.signs, now
            elif now - seen.since > self._limit_s:
                self._leave_behind(seen.lane)
        if self._watched:
            self._look_later(loop)

    def _leave_behind(self, lane: Lane) -> None:
        lane.give_up("hangs")
        self._lanes.remove(lane)
        if lane.back is not None:
            self._behind += 1
            lane.back.add_done_callback(self._returned)
        self._fill()

    def _returned(self, _: "asyncio.Future[Any]") -> None:
        self._behind -= 1
        self._fill()

    def _fill(self) -> None:
        while not self._closed and len(self._lanes) < self._count and len(self._lanes) + self._behind < self._most:
            self._made += 1
            self._lanes.append(own_lane(f"{self.name} {self._made}"))


def own_lane(name: str) -> Lane:
    """A lane for the station's own work."""
    return Lane(name, depth=OWN_DEPTH)


def least_busy(lanes: Sequence[Lane]) -> Lane:
    """The lane with the fewest calls."""
    return min(lanes, key=lambda lane: lane.waiting)


async def at_most(work: set[Any], limit_s: float) -> None:
    """Wait at most ``limit_s`` for all of it, then let go of what is left; its threads are daemons."""
    if not work:
        return
    _, left = await asyncio.wait(work, timeout=limit_s)
    for task in left:
        task.cancel()


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[[*Ts], object], *args: *Ts) -> bool:
    """Run ``callback`` on the loop's thread; false when the loop is closed already, which is nobody's fault."""
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        return False
    return True


class LoopLag:
    """How late the event loop runs what it should run: the sign of blocking code on it.

    ``window`` samples are kept, one every ``interval_s`` seconds: a minute by default. ``heard`` is given each of them.
    """

    def __init__(
        self, *, interval_s: float = 0.25, window: int = 240, heard: Callable[[float], object] = lambda _: None
    ) -> None:
        self._interval_s = interval_s
        self._heard = heard
        self._samples: deque[float] = deque(maxlen=window)

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._interval_s
            await asyncio.sleep(self._interval_s)
            late_s = max(0.0, loop.time() - due)
            self._samples.append(late_s)
            self._heard(late_s)

    @property
    def p99_s(self) -> float:
        """What 99 of 100 samples do not exceed (nearest rank), in seconds; 0 before the first."""
        if not self._samples:
            return 0.0
        ranked = sorted(self._samples)
        return ranked[math.ceil(0.99 * len(ranked)) - 1]
