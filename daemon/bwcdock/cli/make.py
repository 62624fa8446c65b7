"""Commands that make or check what a station is made of: init, config check."""

import argparse

from bwcdock import app, config
from bwcdock.cli.common import WELL, WRONG, say
from bwcdock.clock import WallClock
from bwcdock.errors import Misused


def init(asked: argparse.Namespace) -> int:
    """`bwcdock init`."""
    try:
        path = app.found(asked.directory, rules=asked.rules, name=asked.name, unit=asked.unit, now=WallClock().now())
    except OSError as error:
        what = f"{error.filename or asked.directory} cannot be made: {error.strerror}."
        raise Misused("init", what, "Name a directory on a local disk that you may write to.") from error
    settings = config.load(path)
    say(
        f"Station {settings.station.name} made in {asked.directory} under {settings.station.rules}.",
        f"Settings:   {path}",
        f"Public key: {settings.paths.keys / app.PUBLIC}",
        "            Keep a copy of the public key away from this machine: it is what proves everything else.",
        f"Next:       bwcdock -C {asked.directory} ingest SOURCE…   or   bwcdock -C {asked.directory} run",
    )
    return WELL


def check(asked: argparse.Namespace) -> int:
    """`bwcdock config check`."""
    problems = config.check(asked.file)
    say(*map(str, problems) if problems else (f"{asked.file}: well.",))
    return WRONG if problems else WELL
