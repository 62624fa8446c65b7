"""What may be typed for papers to print."""

import argparse
from pathlib import Path

from bwcdock.cli.commands import Commands, command


def paper(commands: Commands) -> None:
    """`bwcdock paper`."""
    made = command(
        commands,
        "paper",
        "print a paper (移交回执, 证据说明 …) as HTML or PDF",
        "Write a paper that can be printed and signed. KIND is `receipt` (移交回执; SUBJECT: a docking) or `evidence` "
        "(证据说明; SUBJECT: one or more recordings). What no fact tells is a line to be filled in by hand, or by "
        "--field. The footnote names the ledger entries and the signed head it rests on. Works beside the daemon.",
        "papers.paper",
        "Example: bwcdock paper evidence 3f2a --field 证明目的=占道经营 --out 证据说明.pdf",
    )
    made.add_argument("kind", metavar="KIND", help="receipt, evidence")
    made.add_argument("subjects", metavar="SUBJECT", nargs="*", help="a docking or a recording, or how its id begins")
    made.add_argument("--out", type=Path, metavar="FILE", required=True, help="a new file, .html or .pdf")
    _fields(made)


def _fields(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--field", type=_field, action="append", default=[], metavar="LABEL=TEXT", help="fill in a field of the paper"
    )


def _field(text: str) -> tuple[str, str]:
    label, equals, value = text.partition("=")
    if not (equals and label and value):
        raise ValueError
    return label, value


_field.__name__ = "LABEL=TEXT"  # argparse says "invalid … value"
