"""What may be typed: every command with its arguments and its help, read before anything else of the program is."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from bwcdock import __version__
from bwcdock.cli import (
    plain,
    usage_catalogue,
    usage_figures,
    usage_papers,
    usage_quirk,
    usage_rules,
    usage_sinks,
    usage_tape,
    usage_web,
)
from bwcdock.cli.commands import Commands
from bwcdock.cli.commands import command as _command
from bwcdock.cli.commands import json_option as _json

STUCK_S = 20.0
"""How long nothing may move before `ingest` gives up: longer than a short fault of a network, shorter than patience."""

STATUSES = "Exit status: 0 well; 1 disagrees or failed; 2 wrong usage or configuration; 3 something is still owed."


class _Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong with what was typed, and where help is.

    ``fill`` adds what is in it, once somebody asks for it.
    """

    fill: Callable[["_Parser"], None] | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self.fill is not None:
            fill, self.fill = self.fill, None
            fill(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {plain(message)}. See `{self.prog} --help`.\n")


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
    for add in (
        _init,
        _config,
        usage_sinks.sinks,
        _ingest,
        _run,
        _status,
        _records,
        usage_figures.metrics,
        usage_figures.health,
        _audit,
        _receipt,
        usage_papers.paper,
        usage_papers.export,
        _verify,
        _demo,
        _erase,
        _slots,
        _suggest,
        usage_quirk.quirk,
        usage_tape.record_tape,
        _install,
        _uninstall,
        _found,
        _doctor,
        _desk,
        usage_web.web,
        usage_catalogue.catalogue,
        usage_rules.rules,
    ):
        add(commands)
    return made


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value


_seconds.__name__ = "number of seconds"  # argparse says "invalid … value"


# --- desk -------------------------------------------------------------------------------------------------------------


def _desk(commands: Commands) -> None:
    desk = commands.add_parser(
        "desk",
        help="what people state and do",
        description="The desk: registers, trips, explanations, tags, holds, cases, access, spot checks. Every act is "
        "an entry of the ledger with who did it, in which role, and when.",
    )
    desk.fill = _desk_acts


def _desk_acts(desk: "_Parser") -> None:
    """Its acts are made from their models, which take a while to import: only for whoever asks for the desk."""
    from bwcdock.cli.usage_desk import fill

    fill(desk)


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
        "Check a settings file and what it leads to (rule pack, local rules, quirks, holidays, slots): every problem "
        "on a line of its own, with file, line and remedy. Of quirks it says what `bwcdock quirk lint` says.",
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
        "print the receipt (移交回执) of each recorder. What is interrupted is resumed the next time. A folder with "
        "a note intake.toml holds footage from elsewhere, and is taken as from a drop folder for such.",
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
        "serve.run",
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
        "prove central storage with nothing but the station's public key",
        "Prove every object, manifest, receipt and checkpoint in CENTRAL_DIR with nothing but the station's public "
        "key: no station, no ledger, no network. With --sink the same of any central storage in the settings, all of "
        "whose bytes are fetched for it. Exit status 0 only if all hold. A recording that was removed together "
        "with its manifest and its receipt leaves no trace there: only `bwcdock audit` at the station finds that.",
        "prove.verified",
        "Example: bwcdock verify /mnt/central --key station.pub",
    )
    _json(verify)
    verify.add_argument(
        "central", type=Path, nargs="?", metavar="CENTRAL_DIR", help="a directory that is central storage"
    )
    verify.add_argument("--sink", metavar="NAME", help="the [[sink]] of this name in the settings, instead")
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


def _erase(commands: Commands) -> None:
    erase = _command(
        commands,
        "erase",
        "what may be erased from recorders, and why the rest stays",
        "Show which recordings may be erased from the recorders they came from, and for each other one why it stays; "
        "or order a whole card to be formatted anew. Where [erase] is enabled the daemon erases by itself what may go, "
        "at a docking that is drained; this command erases nothing.",
        "erase.erase",
        "Example: bwcdock erase --format --slot 3 --by 张三 --by 李四",
    )
    _json(erase)
    which = erase.add_mutually_exclusive_group()
    which.add_argument("--slot", type=int, metavar="N", help="only the recorder in this slot")
    which.add_argument("--recorder", default="", metavar="SERIAL", help="only this recorder")
    what = erase.add_mutually_exclusive_group(required=True)
    what.add_argument("--dry-run", action="store_true", help="show what may go; works beside the daemon and without it")
    what.add_argument(
        "--format", action="store_true", help="order the card to be formatted; the daemon follows it within the hour"
    )
    erase.add_argument(
        "--by", action="append", default=[], metavar="NAME", help="who orders the formatting; two different persons"
    )


# --- the machine ------------------------------------------------------------------------------------------------------


def _install(commands: Commands) -> None:
    bring = _command(
        commands,
        "install",
        "make this machine a docking station",
        "Put units, udev rules, the service's user and the settings in place, so that `systemctl start bwcdock` runs "
        "the station. What exists of settings, ledger and keys is left alone; a second run changes nothing.",
        "machine.bring",
        "Example: sudo bwcdock install --name dock-07 --unit 福州市城市管理委员会",
    )
    _root(bring)
    _rules(bring)
    bring.add_argument("--name", default="dock-01", help="the station's name, for new settings (dock-01)")
    bring.add_argument("--unit", default="unit", help="the enforcement unit (执法单位), for new settings")


def _uninstall(commands: Commands) -> None:
    away = _command(
        commands,
        "uninstall",
        "take the program off this machine",
        "Stop the station and remove units, udev rules and the service's declarations. Settings, ledger, keys and "
        "footage stay.",
        "machine.away",
    )
    _root(away)


def _root(command: argparse.ArgumentParser) -> None:
    command.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="another root, for disk images")
    command.add_argument("--dry-run", action="store_true", help="show every file and command, and change nothing")


def _found(commands: Commands) -> None:
    _command(
        commands,
        "found",
        "make the keys and the ledger of installed settings, once",
        "Make what the settings of an installed station name: keys, ledger, spool, central storage. Its unit calls it "
        "before the first start; where the mark of a founded station lies, nothing is made.",
        "machine.found",
    )


def _doctor(commands: Commands) -> None:
    doctor = _command(
        commands,
        "doctor",
        "look at everything an installer would want to know",
        "Look at udev rules, groups, the spool's file system and room, the clock, SQLite, other programs that grab "
        "recorders, and USB power and speed. Each line says well, or what to do. Changes nothing.",
        "doctor.doctor",
        "Exit status: 0 all is well; 1 something is to be done.",
    )
    _json(doctor)


# --- the dock ---------------------------------------------------------------------------------------------------------


def _slots(commands: Commands) -> None:
    slots = _command(
        commands,
        "slots",
        "which USB port is which slot of the dock",
        "The slots of the dock: number, USB port, and what is plugged in there now.",
        "dock.show",
        "Example: sudo bwcdock slots learn --count 8 --priority 1",
    )
    _json(slots)
    inner = slots.add_subparsers(metavar="COMMAND", title="commands")
    learn = _command(
        inner,
        "learn",
        "bind ports to slots by plugging one device after the other",
        "Plug one device after the other, slot 1 first: the port of each becomes the next slot, through hubs as well. "
        "Any USB device will do, one alone for all ports too. Ctrl-C ends; then slots.toml and udev's rules are "
        "written.",
        "dock.learn",
    )
    learn.add_argument("--count", type=int, metavar="N", help="end by itself after so many slots")
    learn.add_argument(
        "--priority", type=int, action="append", default=[], metavar="N", help="this slot goes first; may be repeated"
    )
    learn.add_argument("--yes", action="store_true", help="replace the slots there are without asking")
    put = _command(
        inner,
        "set",
        "bind one port to a slot",
        "Bind one port to a slot; the other slots stay as they are.",
        "dock.put",
    )
    put.add_argument("number", type=int, metavar="N", help="the slot")
    put.add_argument("port", metavar="PORT", help="the port's path, such as pci-0000:00:14.0-usb-0:1.2")
    put.add_argument("--priority", action="store_true", help="this slot goes first")
    write = _command(
        inner,
        "write",
        "tell udev the slots of slots.toml",
        "Write udev's rules for the slots of slots.toml, after it was changed by hand.",
        "dock.write",
    )
    for command in (learn, put, write):
        command.add_argument("--rules", type=Path, metavar="FILE", help="udev's rules are written here instead")


def _suggest(commands: Commands) -> None:
    _command(
        commands,
        "suggest",
        "print the quirk stanza that would match what is plugged in",
        "For every disk that is plugged in by USB, a quirk file that would match it: save it as NAME.toml in a folder "
        "of [paths] quirks and mend it there. DRIVERS.md explains every key.",
        "dock.suggest",
    )
