"""How a command is declared: its words, and the function that does it, imported only when it is asked for."""

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any

Commands = Any  # argparse's own type of a group of commands is private


def command(commands: Commands, name: str, help_: str, description: str, work: str, epilog: str = "") -> Any:
    """A command that is done by ``work``, ``module.function`` of this package, imported only then: it takes a while."""
    made = commands.add_parser(name, help=help_, description=description, epilog=epilog)
    made.set_defaults(work=_late(work))
    return made


def _late(work: str) -> Callable[[argparse.Namespace], int]:
    module, _, function = work.partition(".")

    def do(asked: argparse.Namespace) -> int:
        return int(getattr(import_module(f"bwcdock.cli.{module}"), function)(asked))

    return do


def json_option(made: argparse.ArgumentParser) -> None:
    """``--json``, the same everywhere."""
    made.add_argument("--json", action="store_true", help="for machines: UTF-8, times as RFC 3339 in UTC")
