"""How fast bytes come is the speed of the last seconds, and what presses is told with its article and its deadline."""

from dataclasses import replace

import pytest
from bwcdock.core.live import WINDOW_S, DueView, Pace, pressing, together
from lives import SEALED, STORED, at, confirmed, life, listed, obliged, pulled, sealed


def paced(*samples: tuple[float, int]) -> Pace:
    pace = Pace()
    for moment, moved in samples:
        pace.take(moment, moved)
    return pace


@pytest.mark.parametrize(
    ("samples", "speed"),
    [
        ([], None),
        ([(5, 0)], None),
        ([(5, 100)], None),
        ([(5, 100), (5, 200)], None),
        ([(5, 100), (7, 300)], 100),
        ([(0, 0), (4, 0), (5, 100), (7, 300)], 100),  # the time before the first byte counts for nothing
        ([(0, 100), (4, 900), (5, 200), (6, 260)], 60),  # thrown away, and brought again
        ([(0, 100), (1, 100), (2, 100)], 0),
        ([(0, 1), (1, 101), (WINDOW_S, 501)], 50),
        ([(0, 1), (1, 101), (1 + WINDOW_S, 501)], 40),
        ([(0, 1), (1, 101), (2 + WINDOW_S, 501)], None),
    ],
)
def test_speed_is_that_of_the_last_seconds(samples, speed):
    assert paced(*samples).speed() == speed


@pytest.mark.parametrize(
    ("speed", "left", "seconds"),
    [
        (100, 1000, 10),
        (100, 1001, 11),
        (100, 1, 1),
        (100, 0, None),
        (100, -5, None),
        (1, 7, 7),
        (0.5, 7, None),
        (0, 7, None),
    ],
)
def test_how_long_the_rest_will_take(speed, left, seconds):
    assert paced((0, 1000), (2, int(1000 + 2 * speed))).seconds_left(left) == seconds


def test_nothing_is_known_before_the_second_look():
    assert paced((0, 1000)).seconds_left(7) is None


RULED = {"rests_on": (("regulation", "某规定"),)}


@pytest.mark.parametrize(
    ("facts", "now", "verdict"),
    [
        (SEALED, at(86_400 * 0.7), None),
        (SEALED, at(86_400 * 0.8), "at_risk"),
        (SEALED, at(86_400), "overdue"),
        (STORED, at(86_400 * 9), None),
        ((listed(), obliged(due=at(4)), pulled(), sealed(), confirmed()), at(9), "late"),
        ((listed(), pulled(), sealed()), at(86_400 * 9), None),
    ],
)
def test_what_presses(facts, now, verdict):
    record = life(*facts)
    if record.obligation:
        record = replace(record, obligation=replace(record.obligation, **RULED))
    told = pressing(record, now, 0.25)
    assert told == (
        None
        if verdict is None
        else DueView(verdict=verdict, count=1, article="S4 第十三条", due=record.due, regulation="某规定")
    )


def test_what_stands_alike_is_told_together_and_the_worst_first():
    def due(verdict, hours, article="S4 一", count=1):
        return DueView(verdict=verdict, count=count, article=article, due=at(3600 * hours), regulation="某规定")

    each = [
        due("at_risk", 9),
        due("late", 1),
        due("at_risk", 5, count=2),
        due("at_risk", 4, "S4 二"),
        due("overdue", 3),
    ]
    assert together(each) == (
        due("overdue", 3), due("late", 1), due("at_risk", 4, "S4 二"), due("at_risk", 5, count=3)
    )  # fmt: skip
    assert together([]) == ()
