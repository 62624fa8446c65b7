"""The command doctor: every check of the machine on a line of its own."""

import argparse

from bwcdock.cli.common import DISAGREES, WELL, fold, print_json, say, settings_of, width
from bwcdock.clock import WallClock
from bwcdock.doctor import Advice, Machine, examine
from bwcdock.doctor_storage import storage


def doctor(asked: argparse.Namespace) -> int:
    """`bwcdock doctor`."""
    clock, settings = WallClock(), settings_of(asked)
    told = (*examine(Machine(clock=clock.health()), settings), *storage(settings, clock))
    if asked.json:
        print_json(told, tuple[Advice, ...])
    else:
        for advice in told:
            say(*fold(f"{'✓' if advice.well else '✗'} {advice.topic}: {advice.what}", width(), "    "))
            if advice.remedy:
                say(*fold(f"    → {advice.remedy}", width(), "      "))
    return WELL if all(advice.well for advice in told) else DISAGREES
