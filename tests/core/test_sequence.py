"""Exactly the numbers a counter skipped are missed, wherever it wraps and in whatever order its files come."""

import pytest
from bwcdock.core.sequence import Hole, holes
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ([998, 999, 1, 2], []),
        ([998, 999, 0, 1], []),
        ([998, 1], [1]),
        ([9_998, 9_999, 1, 3], [1]),
        ([9_997, 2], [3]),
        ([997, 999], [1]),  # the last number before a wrap
        ([1, 1_000], [998]),  # a fourth digit means a counter of four
        ([10**17 - 1, 1], []),  # further than floats count
        ([1, 2, 5, 3, 4], []),  # out of order is not a hole
        ([5, 4, 3, 2, 1], []),
        ([7, 7, 7], []),
        ([0, 1, 2], []),
        ([], []),
        ([10**15, 10**15 + 2], [1]),
    ],
)
def test_holes(numbers, missing):
    assert [hole.missing for hole in holes(numbers)] == missing


def test_a_restarted_counter_is_a_note():
    assert list(holes([600, 601, 1, 2])) == [Hole(before=1, after=2, missing=398, restart=True)]
    # A quarter of the counter may still be lost files, one more may not.
    assert [hole.restart for hole in (*holes([1, 252]), *holes([1, 253]))] == [False, True]
    assert list(holes([1500, 1501, 1, 2])) == [Hole(before=3, after=0, missing=1497, restart=True)]


@given(first=st.integers(0, 9_999), count=st.integers(2, 200), gone=st.sets(st.integers(1, 198)), data=st.data())
def test_exactly_the_removed_numbers_are_missed_wherever_the_counter_stands(first, count, gone, data):
    # A four-digit counter from 1 to 9999, seen from any point of it, files missing anywhere inside.
    run = [(first + step) % 9_999 + 1 for step in range(count)]
    kept = [number for place, number in enumerate(run) if place not in gone or place in (0, count - 1)]
    if max(kept) < 1_000:
        return  # a lower counter cannot be told from a four-digit one that has not wrapped: covered by the table above
    assert sum(hole.missing for hole in holes(kept)) == count - len(kept)
    assert not any(hole.restart for hole in holes(kept))
    swapped = list(kept)
    place = data.draw(st.integers(0, len(kept) - 2))
    swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
    assert sum(hole.missing for hole in holes(swapped)) == count - len(kept)
