"""Commands for whoever sets up a machine: install, uninstall, found, doctor."""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from bwcdock import app, install
from bwcdock.cli.common import WELL, say, settings_of
from bwcdock.clock import WallClock
from bwcdock.errors import Misused

STANDINGS = {"new": "+", "changed": "~", "same": "=", "kept": "."}
"""How a file stands, as one sign: to be made, to be replaced, as it should be, left as the bureau has it."""


def bring(asked: argparse.Namespace) -> int:
    """`bwcdock install`."""
    wanted = install.files(_bin_dir(), name=asked.name, unit=asked.unit, rules=asked.rules)
    steps = install.plan(asked.root, wanted)
    for step in steps:
        if asked.dry_run or step.standing in {"new", "changed"}:
            say(f"{STANDINGS[step.standing]} {step.standing:7} {step.file.path} {step.file.mode:04o}")
    counts = Counter(step.standing for step in steps)
    if asked.dry_run:
        say(*(f"$ {' '.join(command)}" for command in install.commands(asked.root)), "Nothing was changed (--dry-run).")
        return WELL
    _as_root(asked.root)
    try:
        install.carry_out(asked.root, steps)
    except OSError as error:
        what = f"{error.filename or asked.root} cannot be written: {error.strerror}."
        raise Misused("install", what, "Run it as root, on a machine whose /etc can be written.") from error
    for command in install.commands(asked.root):
        install.tell(command)
    say(f"{counts['new']} new, {counts['changed']} changed, {counts['same'] + counts['kept']} as they were.")
    if asked.root == Path("/"):
        say(
            "Next: `bwcdock doctor`, then `bwcdock slots learn` to give the dock's ports their numbers,",
            f"      look through {install.ETC}/bwcdock.toml, then `systemctl start bwcdock`.",
        )
    return WELL


def away(asked: argparse.Namespace) -> int:
    """`bwcdock uninstall`."""
    wanted = install.files(_bin_dir(), name="dock-01", unit="unit", rules="S4-fuzhou")
    if asked.dry_run:
        there = [step for step in install.plan(asked.root, wanted) if step.file.ours and step.standing != "new"]
        say(*(f"- {step.file.path}" for step in there), "Nothing was changed (--dry-run).")
        return WELL
    _as_root(asked.root)
    for command in install.farewells(asked.root):
        install.tell(command)
    gone = install.remove(asked.root, wanted)
    if asked.root == Path("/"):
        install.tell(("systemctl", "daemon-reload"))
        install.tell(("udevadm", "control", "--reload"))
    say(*(f"- {path}" for path in gone))
    say(f"Settings ({install.ETC}), ledger, keys and footage ({install.STATE}) are left as they are.")
    return WELL


def found(asked: argparse.Namespace) -> int:
    """`bwcdock found`."""
    settings = settings_of(asked)
    try:
        made = app.establish(settings, now=WallClock().now())
    except OSError as error:
        what = f"{error.filename} cannot be made: {error.strerror}."
        raise Misused("found", what, "Run it as the user the station runs as.") from error
    say(
        f"Station {settings.station.name} is founded. Public key: {settings.paths.keys / app.PUBLIC}"
        if made
        else f"Station {settings.station.name} was founded before ({app.founded(settings)}); nothing was changed."
    )
    return WELL


def _bin_dir() -> Path:
    """Where this program's commands lie; the interpreter's own folder, whatever it is a link to."""
    return Path(sys.executable).parent


def _as_root(root: Path) -> None:
    if root == Path("/") and os.geteuid() != 0:
        raise Misused("install", "Only root may change this machine.", "Run it with sudo, or look with --dry-run.")
