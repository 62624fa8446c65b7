"""The command that takes central storage into use: sinks init."""

import argparse

from bwcdock import stores
from bwcdock.cli.common import WELL, say, settings_of


def take(asked: argparse.Namespace) -> int:
    """`bwcdock sinks init`."""
    say(*stores.take(settings_of(asked)), "A daemon that is running takes it up when it is started again.")
    return WELL
