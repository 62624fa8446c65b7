"""What may be typed for papers to print and packages to hand over."""

import argparse
from pathlib import Path

from bwcdock.cli.commands import Commands, command


def paper(commands: Commands) -> None:
    """`bwcdock paper`."""
    made = command(
        commands,
        "paper",
        "print a paper (移交回执, 证据说明 …) as HTML or PDF",
        "Write a paper that can be printed and signed. KIND and SUBJECT: `receipt` (移交回执) a docking; `evidence` "
        "(证据说明) recordings; `access-register` (查阅复制登记簿) requests, or none for all; `interruption` "
        "(中断记录说明), `unrecorded` (未记录工作记录), `late` (逾期移交说明) an explanation; `issues` (领用归还登记) "
        "recorders, or none for all; `handover` (交接清单) a handover; `equipment` (配备情况表) none; `spot-check` "
        "(抽查记录) a check. What no fact tells is a line to be filled in by hand, or by --field. "
        "The footnote names the ledger entries and the signed head it rests on. Works beside the daemon.",
        "papers.paper",
        "Example: bwcdock paper evidence 3f2a --field 证明目的=占道经营 --out 证据说明.pdf",
    )
    made.add_argument("kind", metavar="KIND", help="which paper")
    made.add_argument("subjects", metavar="SUBJECT", nargs="*", help="what it is about: an id, or how it begins")
    made.add_argument("--out", type=Path, metavar="FILE", required=True, help="a new file, .html or .pdf")
    made.add_argument("--as", dest="as_person", metavar="PERSON", help="enter in the ledger that this person issued it")
    made.add_argument("--role", metavar="ROLE", help="in which role of the rule pack")
    made.add_argument("--copies", type=int, default=1, metavar="N", help="in how many copies (份数) it is issued (1)")
    _fields(made)


def export(commands: Commands) -> None:
    """`bwcdock export`."""
    made = command(
        commands,
        "export",
        "hand recordings over: a package with proofs, papers and a verifier",
        "Make a BagIt package of the originals, read from central storage (else from the spool, never from a recorder) "
        "and compared with the sealed digests, with their signed manifests, ledger proofs, 移交回执 and 证据说明, and "
        "a verify.py that needs nothing but Python. Needs an approved request for access, "
        "and enters the line of the register first. Nothing half-made is left.",
        "papers.export",
        "Example: bwcdock export 3f2a 77c0 --to /media/usb/案卷12 --iso 案卷12.iso --copies 2 "
        "--request access-3 --as 001 --role administrator",
    )
    made.add_argument("records", metavar="RECORD", nargs="+", help="a recording, or how its id begins")
    made.add_argument(
        "--to", type=Path, metavar="DIR", required=True, help="the package: a directory that is not there yet"
    )
    made.add_argument("--iso", type=Path, metavar="FILE", help="an image of it to burn, too")
    made.add_argument(
        "--copies", type=_copies, metavar="N", default=1, help="how many discs are made of it, for the papers (1)"
    )
    made.add_argument("--request", required=True, metavar="REQUEST", help="the approved request (desk request-access)")
    made.add_argument("--as", dest="as_person", required=True, metavar="PERSON", help="who hands it over, by his id")
    made.add_argument("--role", required=True, metavar="ROLE", help="in which role: the administrator's (管理员)")
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


def _copies(text: str) -> int:
    # It stands with what the desk can be asked, which takes a while to import: only for whoever says a number.
    from bwcdock.desk.verbs import MOST_COPIES

    count = int(text)
    if not 1 <= count <= MOST_COPIES:
        raise ValueError
    return count


_copies.__name__ = "number of copies"
