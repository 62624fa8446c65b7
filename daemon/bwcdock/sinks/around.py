"""Qualities of a sink that are not its own business: when to try again, and how fast."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to leave a failing sink alone: ``first_s``, then ``factor`` times longer each time, at most ``max_s``.

    ``jitter`` is the share of the wait that is left to chance, so that the stations of a bureau do not all come back
    in the same second after their NAS did.
    """

    first_s: float = 2.0
    factor: float = 2.0
    max_s: float = 900.0
    jitter: float = 0.2

    def wait_s(self, failures: int, chance: random.Random) -> float:
        """Seconds to wait after the ``failures``-th failure in a row (from 1)."""
        # The exponent is bounded because a float is: two days of failures would overflow it.
        longest = min(self.max_s, self.first_s * self.factor ** min(failures - 1, 64))
        return longest * (1 - self.jitter * chance.random())


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a sink stands: failures in a row, and the moment before which it is left alone."""

    failures: int = 0
    not_before: datetime | None = None

    def failed(self, now: datetime, backoff: Backoff, chance: random.Random) -> "Standing":
        """After one more failure."""
        failures = self.failures + 1
        wait = timedelta(seconds=backoff.wait_s(failures, chance))
        return Standing(failures=failures, not_before=now + wait)


class Throttle:
    """A ``pace`` that keeps a stream to ``bytes_per_second`` on average: call it with the size of every chunk.

    ``monotonic`` and ``wait`` are the clock's (seconds). A quiet time is not saved up for later: the link belongs to
    the bureau's day work, and a burst after a pause is what the limit is there to prevent. Any number of threads may
    share one.
    """

    def __init__(
        self, bytes_per_second: float, *, monotonic: Callable[[], float], wait: Callable[[float], object]
    ) -> None:
        self._rate = bytes_per_second
        self._monotonic = monotonic
        self._wait = wait
        self._free_at = monotonic()
        self._lock = threading.Lock()

    def __call__(self, size: int) -> None:
        """Wait until ``size`` more bytes fit under the limit."""
        with self._lock:
            now = self._monotonic()
            free_at = self._free_at = max(self._free_at, now) + size / self._rate
        if free_at > now:
            self._wait(free_at - now)
