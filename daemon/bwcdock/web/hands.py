"""What people do, carried to the daemon over the desk's line: on lanes, because an answer may take its time."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from bwcdock.lanes import Lane

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LANES = 4
"""Acts on their way at the same time; the daemon does one after the other anyhow."""

WAITING = 50
"""Acts that may wait behind one another: a room full of people who press at the same moment."""

PATIENCE_S = 40.0
"""A little longer than the line's own patience, which says better what was wrong."""


class Hands:
    """A few lanes for calls that wait for the daemon."""

    def __init__(self) -> None:
        self._lanes = [Lane(f"hand {n}", depth=WAITING) for n in range(LANES)]

    async def do(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run ``work`` and return what it returns, or raise what it raises; ``Misbehaved`` where it hangs."""
        at = min(range(LANES), key=lambda n: self._lanes[n].waiting)
        if self._lanes[at].stuck:
            self._lanes[at] = Lane(f"hand {at}", depth=WAITING)
        return await self._lanes[at].call(work, *args, timeout_s=PATIENCE_S)

    def close(self) -> None:
        """Do no more."""
        for lane in self._lanes:
            lane.close()
