"""Commands that make or check what a station is made of: init, config check."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from bwcdock import app, config, holidays_cn, packs, resources, slots
from bwcdock.cli.common import WELL, WRONG, say
from bwcdock.clock import WallClock
from bwcdock.config import Problem
from bwcdock.errors import LedgerBroken, Misused
from bwcdock.settings import Settings

ROOM = "Name a new directory on a local disk that has room and that you may write to."


def init(asked: argparse.Namespace) -> int:
    """`bwcdock init`."""
    try:
        path = app.found(asked.directory, rules=asked.rules, name=asked.name, unit=asked.unit, now=WallClock().now())
    except OSError as error:
        what = f"{error.filename or asked.directory} cannot be made: {error.strerror}."
        raise Misused("init", what, ROOM) from error
    except LedgerBroken as error:  # there is nothing yet that an audit could prove
        raise Misused("init", f"{asked.directory} cannot be made: {error.what}", ROOM) from error
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
    if not problems:
        settings = config.load(asked.file)
        problems = sorted(_in_the_way(asked.file, settings), key=lambda problem: problem.line or 0)
    say(*map(str, problems) if problems else (f"{asked.file}: well.",))
    return WRONG if problems else WELL


def _in_the_way(file: Path, settings: Settings) -> Iterator[Problem]:
    """What would keep a station with these settings from its work: each file they lead to, read as the start does."""
    if not settings.sink:
        remedy = "Add one; bwcdock.toml as shipped shows how it is written."
        what = "There is no [[sink]], so nothing would reach central storage."
        yield Problem(file=file, line=None, what=what, remedy=remedy)
    station, paths, local = settings.station, settings.paths, settings.law.local_rules
    quirks = list(_quirks(file, settings))
    yield from quirks
    looks: dict[tuple[str, str], Callable[[], object]] = {
        ("station", "rules"): lambda: packs.load(station.rules, [*paths.rules, resources.config_dir() / "rules"]),
        ("law", "local_rules"): lambda: local and packs.load_local(local),
        ("paths", "quirks"): lambda: quirks or app.drivers(settings),
        ("paths", "holidays"): lambda: paths.holidays.exists() and holidays_cn.build(station.zone, paths.holidays),
        ("paths", "slots"): lambda: slots.load(paths.slots),
    }
    for loc, look in looks.items():
        try:
            look()
        except Misused as error:
            yield config.blame(file, loc, error.what, error.hint)
        except OSError as error:
            what = f"{error.filename} cannot be read: {error.strerror}."
            yield config.blame(file, loc, what, "Check what it is, and its permissions.")


def _quirks(file: Path, settings: Settings) -> Iterator[Problem]:
    """What the linter says of each folder of quirks: a station starts with one that reads nothing it promises."""
    for folder in settings.paths.quirks:
        files = sorted(folder.glob("*.toml"))
        told = app.quirk_reader().lint(files) if files else []
        remedy = f"Correct the key or remove the file; `bwcdock quirk lint {folder}` tells the same."
        yield from (config.blame(file, ("paths", "quirks"), f"{folder}/{problem}.", remedy) for problem in told)
