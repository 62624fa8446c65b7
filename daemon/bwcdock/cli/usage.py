"""What may be typed: every command with its arguments and its help, read before anything else of the program is."""

import argparse
import math
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from bwcdock import __version__

STUCK_S = 20.0
"""How long nothing may move before `ingest` gives up: longer than a short fault of a network, shorter than patience."""

STATUSES = "Exit status: 0 well; 1 disagrees or failed; 2 wrong usage or configuration; 3 something is still owed."

Commands = Any  # argparse's own type of a group of commands is private


class _Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong with what was typed, and where help is."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. See `{self.prog} --help`.\n")


def parser() -> argparse.ArgumentParser:
    """What is typed becomes a namespace whose ``work`` does it: given that namespace, it returns the exit status."""
    made = _Parser(
        prog="bwcdock",
        description="Docking station (采集站) for body-worn recorders: footage in, proven, judged, and central.",
        epilog=STATUSES,
    )
    made.add_argument("--version", action="version", version=f"bwcdock {__version__}")
    made.add_argument(
        "-C", dest="station", type=Path, metavar="DIR", help="the station; else $BWCDOCK_STATION, else /etc/bwcdock"
    )
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = made.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for add in (_init, _config, _ingest, _run, _status, _records, _audit, _receipt, _verify, _demo):
        add(commands)
    return made


def _command(commands: Commands, name: str, help_: str, description: str, work: str, epilog: str = "") -> Any:
    """A command that is done by ``work``, ``module.function`` of this package, imported only then: it takes a while."""
    command = commands.add_parser(name, help=help_, description=description, epilog=epilog)
    command.set_defaults(work=_late(work))
    return command


def _late(work: str) -> Callable[[argparse.Namespace], int]:
    module, _, function = work.partition(".")

    def do(asked: argparse.Namespace) -> int:
        return int(getattr(import_module(f"bwcdock.cli.{module}"), function)(asked))

    return do


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="for machines: UTF-8, times as RFC 3339 in UTC")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value


_seconds.__name__ = "number of seconds"  # argparse says "invalid … value"


# --- make -------------------------------------------------------------------------------------------------------------


def _init(commands: Commands) -> None:
    init = _command(
        commands,
        "init",
        "make a station directory",
        "Make a self-contained station: settings with a reason for each, a new signing key, the ledger, the spool, a "
        "drop folder, and a folder as central storage. Nothing that exists is touched.",
        "make.init",
        "Example: bwcdock init /srv/dock --rules S4-fuzhou --name dock-07 --unit 福州市城市管理委员会",
    )
    init.add_argument("directory", type=Path, metavar="DIR", help="a new or empty directory")
    _rules(init)
    init.add_argument("--name", default="dock-01", help="the station's name on receipts and in the ledger (dock-01)")
    init.add_argument("--unit", default="unit", help="the enforcement unit (执法单位) it belongs to")


def _rules(command: argparse.ArgumentParser) -> None:
    command.add_argument("--rules", default="S4-fuzhou", metavar="PACK", help="the rule pack (S4-fuzhou)")


def _config(commands: Commands) -> None:
    settings = commands.add_parser("config", help="look at settings", description="Look at settings.")
    inner = settings.add_subparsers(required=True, metavar="COMMAND", title="commands")
    check = _command(
        inner,
        "check",
        "check a settings file",
        "Check a settings file: every problem on a line of its own, with file, line and remedy.",
        "make.check",
    )
    check.add_argument("file", type=Path, metavar="FILE", help="the file, or a station's directory")


# --- work -------------------------------------------------------------------------------------------------------------


def _ingest(commands: Commands) -> None:
    ingest = _command(
        commands,
        "ingest",
        "dock these sources and carry them through to central storage",
        "Dock each SOURCE, several at once, and carry every recording through to confirmed in central storage; then "
        "print the receipt (移交回执) of each recorder. What is interrupted is resumed the next time.",
        "work.ingest",
        "Exit status: 0 all is in central storage; 3 something is still owed, and what to do is said; 2 wrong usage "
        "or configuration; 1 failed.",
    )
    ingest.add_argument(
        "sources",
        type=Path,
        nargs="+",
        metavar="SOURCE",
        help="a directory, a disk image (with or without a partition table), or a block device",
    )
    ingest.add_argument(
        "--patience",
        type=_seconds,
        default=STUCK_S,
        metavar="S",
        help=f"give up when nothing moved for so many seconds ({STUCK_S:g})",
    )


def _run(commands: Commands) -> None:
    _command(
        commands,
        "run",
        "the daemon: watch the drop folders until told to stop",
        "The daemon: what is put into a drop folder of the settings is a docked recorder. Ends cleanly on SIGTERM or "
        "Ctrl-C, within the seconds of [limits] stop_s. Only one may work on a station.",
        "work.run",
    )


# --- look -------------------------------------------------------------------------------------------------------------


def _status(commands: Commands) -> None:
    _json(
        _command(
            commands,
            "status",
            "the station now: dockings, what is owed, room, findings",
            "The station at this moment: each docking with its lamp and how far it is, what is owed and until when, "
            "room in the spool, the signed ledger, and the findings that hold. Works beside the daemon and without it.",
            "show.status",
        )
    )


def _records(commands: Commands) -> None:
    records = _command(
        commands,
        "records",
        "every recording with its digests, deadline, verdict and copies",
        "Every recording the ledger knows, oldest first. Times in the table are the station's; in --json UTC.",
        "show.records",
    )
    _json(records)
    records.add_argument("--recorder", default="", metavar="SERIAL", help="only of this recorder")
    records.add_argument("--state", default="", metavar="STATE", help="only in this state (listed, sealed, …)")


def _audit(commands: Commands) -> None:
    _json(
        _command(
            commands,
            "audit",
            "recompute everything and name each disagreement",
            "Recompute the ledger's proofs and fold, and compare them with the cache tables, every sealed file and "
            "every central copy, which are read in full. Writes nothing; may run beside the daemon. Exit status 0 "
            "only if all agree; else 1, with each disagreement on a line of its own.",
            "prove.audited",
        )
    )


def _receipt(commands: Commands) -> None:
    receipt = _command(
        commands,
        "receipt",
        "print a receipt (移交回执) again",
        "Print the receipt (移交回执) of a docking again; its signature is checked.",
        "prove.receipt",
    )
    _json(receipt)
    receipt.add_argument("session", metavar="SESSION", help="the docking, or how its id begins")


def _verify(commands: Commands) -> None:
    verify = _command(
        commands,
        "verify",
        "prove a central directory with nothing but the station's public key",
        "Prove every object, manifest, receipt and checkpoint in CENTRAL_DIR with nothing but the station's public "
        "key: no station, no ledger, no network. Exit status 0 only if all hold.",
        "prove.verified",
        "Example: bwcdock verify /mnt/central --key station.pub",
    )
    _json(verify)
    verify.add_argument("central", type=Path, metavar="CENTRAL_DIR", help="a directory that is central storage")
    verify.add_argument(
        "--key",
        metavar="FILE|TEXT",
        action="append",
        help="the public key (keys/station.pub), once for each station; without it that of the station of -C",
    )


def _demo(commands: Commands) -> None:
    demo = _command(
        commands,
        "demo",
        "make cards, dock them, and show the whole way to the receipt",
        "Make a station and four recorders' cards with footage in DIR, dock them, and prove the result with `audit` "
        "and `verify`. DIR can be removed afterwards. Needs the extra `demo`.",
        "demo.demo",
    )
    demo.add_argument("directory", type=Path, metavar="DIR", help="a new directory; the station is DIR/station")
    _rules(demo)
