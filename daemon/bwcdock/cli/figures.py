"""Commands for machines that watch: metrics, health."""

import argparse
import sys

from bwcdock import app, durable
from bwcdock import metrics as figures
from bwcdock.cli import unseen
from bwcdock.cli.common import DISAGREES, WELL, fold, print_json, say, settings_of, width
from bwcdock.clock import WallClock
from bwcdock.errors import Misused
from bwcdock.ledger import open_read_only


def metrics(asked: argparse.Namespace) -> int:
    """`bwcdock metrics`."""
    settings = settings_of(asked)
    law = app.law_of(settings)
    with open_read_only(settings.paths.ledger) as ledger:
        told = figures.exposition(settings, ledger, law, WallClock().now())
    if asked.textfile is None:
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write(told)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            unseen()
        return WELL
    try:
        # Whole or not at all, and readable for the node_exporter, which runs as another user.
        durable.write_small(asked.textfile, told, mode=0o644, overwrite=True)
    except OSError as error:
        what = f"{asked.textfile} cannot be written: {error.strerror}."
        raise Misused("metrics", what, "Name a file in a folder that this user may write to.") from error
    return WELL


def health(asked: argparse.Namespace) -> int:
    """`bwcdock health`."""
    told = figures.health(settings_of(asked), WallClock().now())
    if asked.json:
        print_json(told, figures.Health)
    else:
        for check in told.checks:
            say(*fold(f"{'✓' if check.well else '✗'} {check.name}: {check.what}", width(), "    "))
            if check.remedy:
                say(*fold(f"    → {check.remedy}", width(), "      "))
    return WELL if told.well else DISAGREES
