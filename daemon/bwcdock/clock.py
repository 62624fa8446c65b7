"""The station's own time, with the kernel's word on whether it can be believed."""

import asyncio
import ctypes
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# Larger than what the plainest time client lets the bound grow between two polls: 2048 s at the kernel's 500 ppm is
# 1024 ms. Smaller than the error a recorder is allowed in one day (GA/T 947.2: 3 s), which this clock has to judge.
MAX_ERROR_MS = 2000

# A clock found this far behind was stepped, not slewed: the kernel slews at most 0.5 ms per second.
STEP_MS = 1000

# A sleep is cut into slices because a suspended machine or a stepped clock moves the wall, not the event loop's timer.
_SLICE_S = 30.0

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockHealth:
    """Whether this clock may be pushed to recorders and used to judge.

    ``text`` says why, for people and the ledger; it begins with ``unvouched: `` exactly when ``vouched`` is false.
    ``max_error_ms`` is the kernel's own upper bound, ``None`` where it gives none.
    """

    vouched: bool
    text: str
    max_error_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What adjtimex(2) says: is the clock disciplined, and how wrong may it be (microseconds)."""

    synchronised: bool
    estimated_error_us: int
    max_error_us: int


class WallClock:
    """The wall (``ports.Clock``). ``wall``, ``monotonic`` and ``kernel`` are where it reads, for tests."""

    def __init__(
        self,
        *,
        wall: Callable[[], datetime] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        kernel: Callable[[], "Kernel | str"] | None = None,
    ) -> None:
        self._wall = wall or _wall
        self._monotonic = monotonic
        self._kernel = kernel or read_kernel
        self._guard = threading.Lock()  # lanes may ask too; a torn pair would let time run backwards
        self._last = _whole(self._wall())
        self._last_at = monotonic()

    def now(self) -> datetime:
        """Aware UTC, whole milliseconds, never earlier than before.

        When the wall is set back, this clock runs at half speed until the wall has caught up: time never stands still
        (deadlines and heartbeats depend on it) and never returns. :meth:`health` says so meanwhile.
        """
        return self._look()[0]

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self._monotonic()

    async def sleep_until(self, moment: datetime) -> None:
        """Return at ``moment`` or as soon after it as possible; at once, but letting others run, when it is past."""
        while (left := (moment - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 (it waits for time itself)
            await asyncio.sleep(min(left, _SLICE_S))
        await asyncio.sleep(0)

    def health(self) -> ClockHealth:
        """Whether this clock can be vouched for now. Never raises."""
        now, wall = self._look()
        return judge(self._kernel(), behind_ms=round((now - wall) / timedelta(milliseconds=1)))

    def _look(self) -> tuple[datetime, datetime]:
        with self._guard:
            wall, at = _whole(self._wall()), self._monotonic()
            now = max(wall, self._last + timedelta(milliseconds=int((at - self._last_at) * 500)))
            if now == wall or now > self._last:
                self._last, self._last_at = now, at
            return self._last, wall


def judge(kernel: "Kernel | str", *, behind_ms: int) -> ClockHealth:
    """The kernel's word (or why it gives none) and how far the wall was set back, as one verdict."""
    if isinstance(kernel, str):
        return ClockHealth(vouched=False, text=f"unvouched: {kernel}", max_error_ms=None)
    bound = -(-kernel.max_error_us // 1000)
    if behind_ms >= STEP_MS:
        why = f"the system clock was set back by {behind_ms / 1000:.1f} s while the station ran; restart the station"
    elif not kernel.synchronised:
        why = "the kernel knows no time source; start chrony or systemd-timesyncd"
    elif bound > MAX_ERROR_MS:
        why = f"the clock may be wrong by {bound} ms (limit {MAX_ERROR_MS} ms); its time source has gone quiet"
    else:
        estimate = -(-kernel.estimated_error_us // 1000)
        text = f"synchronised, wrong by at most {bound} ms (estimated {estimate} ms)"
        return ClockHealth(vouched=True, text=text, max_error_ms=bound)
    return ClockHealth(vouched=False, text=f"unvouched: {why}", max_error_ms=bound)


class _Timeval(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_usec", ctypes.c_long))


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", _Timeval),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


def read_kernel() -> Kernel | str:
    """Ask adjtimex(2), with ``modes = 0``: it changes nothing and needs no privilege. A text where it cannot be had."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return "this system has no adjtimex"
    answer = _Timex(modes=0)
    state = adjtimex(ctypes.byref(answer))
    if state == -1:
        return f"the kernel does not say ({os.strerror(ctypes.get_errno())})"
    return Kernel(
        synchronised=state != _TIME_ERROR and not answer.status & _STA_UNSYNC,
        estimated_error_us=int(answer.esterror),
        max_error_us=int(answer.maxerror),
    )


def _wall() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 (this is the one place that reads the wall)


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
