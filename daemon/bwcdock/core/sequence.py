"""Finds the numbers a running counter skipped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

SMALLEST_COUNTER = 1_000
"""Running numbers have three digits at least: 999 is the soonest a counter wraps."""

RESTART_SHARE = 4
"""A jump over more than a quarter of the whole counter is rather a restarted counter than lost files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """``missing`` numbers between the ``before``-th and the ``after``-th of the numbers given.

    ``restart`` says that the counter more probably began anew (a formatted card) than that files are missing: the jump
    goes back in time, or over a quarter of the counter.
    """

    before: int
    after: int
    missing: int
    restart: bool


def holes(numbers: Sequence[int]) -> Iterator[Hole]:
    """The holes among ``numbers`` (not negative, in the order of their time), lowest first; n log n.

    Each number is taken to be the one nearest, forwards or backwards, to the number before it. So a counter that wraps
    goes on upwards (9999, 1, 2), files in the wrong order do not matter, and the numbers of a year ago do not fill
    today's holes. How many digits the counter has is told by the highest number; 0 is not missed at a wrap, since most
    counters begin at 1. Of a number given twice the later place counts.
    """
    if not numbers:
        return
    counter = SMALLEST_COUNTER
    while counter <= max(numbers):
        counter *= 10
    at: dict[int, int] = {}
    last = numbers[0]
    for place, number in enumerate(numbers):
        last += (number - last + counter // 2) % counter - counter // 2
        at[last] = place
    for low, high in pairwise(sorted(at)):
        zero = low // counter < (high - 1) // counter
        missing = high - low - 1 - zero
        if missing > 0:
            before, after = at[low], at[high]
            restart = before > after or missing * RESTART_SHARE > counter
            yield Hole(before=before, after=after, missing=missing, restart=restart)
