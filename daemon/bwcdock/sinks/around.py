"""Qualities of a sink that are not its own business: when to try again, how fast, how long it took."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from bwcdock.core.facts import Digests
from bwcdock.ports import Held, Sink

T = TypeVar("T")


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

    def ready(self, now: datetime) -> bool:
        """Whether it may be tried. After a success the standing is a new one."""
        return self.not_before is None or now >= self.not_before


class Throttle:
    """A ``pace`` that keeps a stream to ``bytes_per_second`` on average: call it with the size of every chunk.

    ``monotonic`` and ``wait`` are the clock's (seconds). A quiet time is not saved up for later: the link belongs to
    the bureau's day work, and a burst after a pause is what the limit is there to prevent.
    """

    def __init__(
        self, bytes_per_second: float, *, monotonic: Callable[[], float], wait: Callable[[float], object]
    ) -> None:
        self._rate = bytes_per_second
        self._monotonic = monotonic
        self._wait = wait
        self._free_at = monotonic()

    def __call__(self, size: int) -> None:
        """Wait until ``size`` more bytes fit under the limit."""
        now = self._monotonic()
        self._free_at = max(self._free_at, now) + size / self._rate
        if self._free_at > now:
            self._wait(self._free_at - now)


class Timed:
    """A sink around ``inner`` that tells ``observe(op, seconds, outcome)`` of every call.

    ``outcome`` is ``ok``, or the name of the error that came out.
    """

    def __init__(
        self, inner: Sink, *, observe: Callable[[str, float, str], None], monotonic: Callable[[], float]
    ) -> None:
        self.name = inner.name
        self._inner = inner
        self._observe = observe
        self._monotonic = monotonic

    def stat(self, key: str) -> Held | None:
        """As the inner sink."""
        return self._timed("stat", lambda: self._inner.stat(key))

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:
        """As the inner sink."""
        self._timed("put", lambda: self._inner.put(key, source, digests, keep_until))

    def note(self, key: str, data: bytes) -> None:
        """As the inner sink."""
        self._timed("note", lambda: self._inner.note(key, data))

    def recall(self, key: str) -> bytes | None:
        """As the inner sink."""
        return self._timed("recall", lambda: self._inner.recall(key))

    def newest(self, prefix: str, suffix: str) -> str | None:
        """As the inner sink."""
        return self._timed("newest", lambda: self._inner.newest(prefix, suffix))

    def _timed(self, op: str, call: Callable[[], T]) -> T:
        started = self._monotonic()
        outcome = "ok"
        try:
            return call()
        except Exception as error:
            outcome = type(error).__name__
            raise
        finally:
            self._observe(op, self._monotonic() - started, outcome)
