"""What may be typed after `bwcdock rules`: the rule packs, and when something is due by one of them."""

import argparse
from pathlib import Path

from bwcdock.cli.commands import Commands, command, json_option

TIME = "ISO 8601, such as 2026-06-12T18:30; without an offset it is Asia/Shanghai"


def rules(commands: Commands) -> None:
    """`bwcdock rules` and all in it; only its coverage needs a station."""
    made = commands.add_parser(
        "rules",
        help="the rule packs: look at them, check one, ask when something is due",
        description="The regulations as data. Only coverage needs a station.",
    )
    inner = made.add_subparsers(required=True, metavar="COMMAND", title="commands")
    command(
        inner,
        "list",
        "the rule packs that are shipped",
        "The rule packs that are shipped, with the deadline and the shortest keeping of each.",
        "rules.listed",
    )
    _pack(
        command(
            inner,
            "show",
            "a rule pack in words",
            "Everything a rule pack says, each with its article and the regulation's own words.",
            "rules.shown",
        )
    )
    check = command(
        inner,
        "check",
        "check a rule pack or a local.toml",
        "Check a rule pack, or a bureau's own local.toml: every problem on a line of its own, with file, line and "
        "remedy.",
        "rules.checked",
        "Exit status: 0 well; 2 something is wrong with it.",
    )
    check.add_argument("file", type=Path, metavar="FILE", help="the file")
    check.add_argument(
        "--pack", metavar="PACK", help="for a local.toml: also name each setting that is looser than this pack"
    )
    _due(inner)
    json_option(
        command(
            inner,
            "coverage",
            "how each article of the station's pack is met (依据)",
            "Every article of the station's pack: how the program meets it, by which setting, with the newest entry of "
            "the ledger that shows it, or that people must do it.",
            "coverage.show",
        )
    )


def _pack(made: argparse.ArgumentParser) -> None:
    made.add_argument("pack", metavar="PACK", help="the pack's name, such as S4-fuzhou, or the path of its file")


def _due(inner: Commands) -> None:
    due = command(
        inner,
        "due",
        "when a recording is due by a rule pack, and why",
        "When a recording must be stored by PACK: the moment, the article with its words, and every day that was "
        "counted. The due moment itself is already too late: 00:00 is 24:00 of the day before.",
        "rules_due.due",
        "Example: bwcdock rules due S2-guhan --end 2026-09-28T10:00 --returned 2026-09-30T18:00 --ground away",
    )
    _pack(due)
    json_option(due)
    due.add_argument("--end", required=True, metavar="TIME", help=f"when the recording ended: {TIME}")
    due.add_argument("--activity-end", metavar="TIME", help="when the day's activity (当天执法活动) ended")
    due.add_argument("--returned", metavar="TIME", help="when the officers were back at the unit (返回单位)")
    due.add_argument(
        "--ground", metavar="GROUND", help="why they were away: away (异地), continuous (连续工作), remote (偏远)"
    )
    due.add_argument("--extension", metavar="ROLE", help="who allowed more time, such as unit-head")
    due.add_argument("--reason", default="", metavar="TEXT", help="the special reason (特殊情况) of the extension")
    due.add_argument("--granted", metavar="TIME", help="when the extension was allowed; in time where left out")
    due.add_argument(
        "--tag", action="append", default=[], metavar="NAME", help="a tag of the pack, such as dispute; may be repeated"
    )
    due.add_argument("--docked", metavar="TIME", help="when it was docked; nothing can have ended or returned later")
    due.add_argument("--holidays", type=Path, metavar="FILE", help="a holidays.toml with years not yet known")
