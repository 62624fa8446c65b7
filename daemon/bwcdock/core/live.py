"""What moves at this moment: the snapshot a station at work publishes for the slot wall and for `bwcdock status`."""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from bwcdock.core.record import Record
from bwcdock.core.rules import Standing
from bwcdock.core.view import SessionView, judge, regulation

WINDOW_S = 10.0
"""Speed is that of the last seconds: long enough to be calm, short enough to tell a card that has become slow."""

PRESSING = (Standing.OVERDUE, Standing.LATE, Standing.AT_RISK)
"""The verdicts that somebody at the dock should see, the worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueView:
    """Recordings of one docking that stand alike: ``verdict`` a word of ``Standing``, with its article.

    ``article`` and ``regulation`` are as in :class:`~bwcdock.core.view.RecordView`; ``due`` is the earliest deadline.
    """

    verdict: str
    count: int
    article: str
    due: datetime
    regulation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingView:
    """How fast one docking's bytes come, how long the rest will take, and which of its recordings press.

    ``bytes_s`` and ``seconds_left`` are ``None`` while nothing is known or nothing is left.
    """

    session: str
    bytes_s: float | None = None
    seconds_left: int | None = None
    due: tuple[DueView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """A central storage: whether it answers (``None``: not asked yet), since when, and what waits for it.

    ``ails`` says in a word why it cannot be used ("away", "full", "credentials", "clock"), empty where it can.
    ``opens`` is when its hours begin, ``None`` within them.
    """

    name: str
    up: bool | None = None
    since: datetime | None = None
    waiting: int = 0
    bytes: int = 0
    oldest: datetime | None = None
    ails: str = ""
    opens: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomView:
    """Room on the spool's volume in bytes; ``short`` is what the next recording lacks there."""

    free: int
    total: int
    reserve: int
    short: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveView:
    """What moves at ``at``, as process ``pid`` published it: dockings with bytes that no fact tells of yet.

    ``moving`` has one for each of ``sessions``; ``gone`` are the dockings that ended in the last minute. ``clock`` is
    the kernel's word on the station's clock, and begins with ``unvouched`` where it gives none for it.
    """

    pid: int
    at: datetime
    sessions: tuple[SessionView, ...]
    moving: tuple[MovingView, ...] = ()
    gone: tuple[SessionView, ...] = ()
    sinks: tuple[QueueView, ...] = ()
    spool: RoomView | None = None
    clock: str = ""
    version: str = ""
    started: datetime | None = None


class Pace:
    """How fast the bytes of one docking come, and how long the rest will take."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def take(self, at: float, moved: int) -> None:
        """``moved`` bytes are there at ``at`` seconds. The time before the first byte counts for nothing."""
        if not moved or (self._samples and moved < self._samples[-1][1]):
            self._samples.clear()  # not begun yet, or thrown away and brought again
        self._samples.append((at, moved))
        while self._samples[0][0] < at - WINDOW_S:
            self._samples.popleft()

    def speed(self) -> float | None:
        """Bytes a second; ``None`` where nothing is known yet."""
        if not self._samples:
            return None
        (first_at, first), (at, moved) = self._samples[0], self._samples[-1]
        return (moved - first) / (at - first_at) if at > first_at else None

    def seconds_left(self, left: int) -> int | None:
        """The time that ``left`` bytes will take; ``None`` when none are left, or they do not come."""
        speed = self.speed()
        return math.ceil(left / speed) if left > 0 and speed is not None and speed >= 1 else None


def pressing(record: Record, now: datetime, at_risk_ratio: float) -> DueView | None:
    """How this recording stands where somebody at the dock should see it; ``None`` where it does not press."""
    stands, owed = judge(record, now, at_risk_ratio), record.obligation
    if stands is None or owed is None or stands.kind not in PRESSING:
        return None
    article = f"{owed.pack} {owed.article}"
    return DueView(verdict=stands.kind.value, count=1, article=article, due=owed.due, regulation=regulation(owed))


def together(each: Iterable[DueView]) -> tuple[DueView, ...]:
    """Those that stand alike under one article as one, the worst first."""
    found: dict[tuple[str, str], DueView] = {}
    for one in each:
        at = (one.verdict, one.article)
        before = found.get(at)
        if before is not None:
            one = replace(before, count=before.count + one.count, due=min(before.due, one.due))  # noqa: PLW2901
        found[at] = one
    return tuple(sorted(found.values(), key=lambda one: (PRESSING.index(Standing(one.verdict)), one.due)))
