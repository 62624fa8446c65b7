"""What may be typed after `bwcdock catalogue`."""

from pathlib import Path
from typing import Any

from bwcdock.cli.commands import Commands, command, json_option

FIELDS = (
    ("party", "NAME", "part of a party's name (当事人), also of a case's"),
    ("case", "NUMBER", "the case (案件编号), as it is"),
    ("place", "WORDS", "part of the place (发生地点)"),
    ("event", "WORDS", "part of the kind of event (事件类型)"),
    ("officer", "NAME", "an officer: his number, or part of his name or number"),
    ("recorder", "SERIAL", "the recorder (执法记录仪)"),
    ("unit", "UNIT", "the unit (执法单位), as it is"),
    ("station", "STATION", "the station that met it, such as bwcdock/dock-01"),
    ("tag", "TAG", "a tag of the rule pack"),
    ("text", "WORDS", "words of which each stands anywhere"),
    ("kind", "KIND", "video, audio, photo or other"),
    ("state", "STATE", "listed, pulled, sealed, released, quarantined or lost"),
    ("standing", "KIND", "not_due, at_risk, overdue, late, met or excused"),
    ("since", "MOMENT", "recorded then or later: 2026-03-02, or 2026-03-02T08:00"),
    ("until", "MOMENT", "recorded before then; a day is meant whole"),
)
"""What may be looked for, as `Sought` names it."""


def catalogue(commands: Commands) -> None:
    """The command catalogue with its own commands."""
    made = commands.add_parser(
        "catalogue",
        help="the index over all docks",
        description="The catalogue (目录) that docks share, of [catalogue] url or file: an index over the recordings "
        "of all of them, which can be made again from central storage at any time.",
    )
    inner = made.add_subparsers(required=True, metavar="COMMAND", title="commands")
    init = command(
        inner,
        "init",
        "make its tables, or bring them to the newest form",
        "Make the catalogue's tables, or bring those of an older version to the newest form; done already is done. "
        "Needs an account that may change tables; a catalogue that a newer version made is refused.",
        "catalogue.init",
    )
    _as_owner(init)
    command(
        inner,
        "follow",
        "tell it of this station until told to stop",
        "Follow this station's ledger and tell the catalogue of its recordings, until told to stop; what "
        "bwcdock-catalogue does. While the catalogue is away the station works on, and all is told afterwards.",
        "catalogue.follow",
    )
    _search(inner)
    count = command(
        inner,
        "count",
        "received = stored = readable, day by day",
        "Show for each day and station how many recordings were received, are stored in central storage, and were read "
        "there once more in full: all three are equal two days later, or somebody should look.",
        "catalogue.count",
        "Exit status: 0 all are equal but those of the last two days; 3 some are not.",
    )
    count.add_argument(
        "--station", dest="of", default="", metavar="STATION", help="this station alone, such as bwcdock/dock-01"
    )
    count.add_argument("--days", type=int, default=14, metavar="N", help="so many days back (14)")
    json_option(count)
    figures = command(
        inner,
        "metrics",
        "its figures in the text form of Prometheus",
        "Print how far each station has told, and its counts; or write them for the textfile collector of "
        "node_exporter.",
        "catalogue.metrics",
    )
    figures.add_argument("--textfile", metavar="FILE", help="write this file, whole or not at all")
    _again(inner)


def _search(inner: Commands) -> None:
    search = command(
        inner,
        "search",
        "find recordings of all docks",
        "Find recordings of all docks by what people know of them, newest recorded first. For whoever may look at the "
        "recordings of others; an officer finds his own.",
        "catalogue.search",
        "Example: bwcdock catalogue search --as 001 --role administrator --party 张三 --since 2026-03-01",
    )
    search.add_argument("--as", dest="as_person", required=True, metavar="PERSON", help="who looks, by his id")
    search.add_argument("--role", required=True, help="in which role of the rule pack")
    for name, meta, help_ in FIELDS:
        # "station" alone is where -C says which one this is.
        search.add_argument(f"--{name}", dest=f"sought_{name}", default="", metavar=meta, help=help_)
    search.add_argument("--held", action="store_true", help="only what a hold (留存) keeps")
    search.add_argument("--disputed", action="store_true", help="only what stations sealed with different bytes")
    search.add_argument("--after", default="", metavar="END", help="the next page: what the one before ended with")
    search.add_argument("--limit", type=int, default=50, metavar="N", help="recordings on a page, at most 500 (50)")
    json_option(search)


def _again(inner: Commands) -> None:
    rebuild = command(
        inner,
        "rebuild",
        "make it again from central storage alone",
        "Throw away what the catalogue holds and make it again from the signed papers in central storage. Only what a "
        "given key signed is taken; every other paper is told. Stations that follow tell all of theirs again.",
        "catalogue.rebuild",
        "Exit status: 0 every paper was believed; 1 some were not.",
    )
    compare = command(
        inner,
        "compare",
        "find where it and central storage differ",
        "Compare the catalogue with the signed papers in central storage: what is missing here, what is not there, "
        "what differs, a line each. Changes nothing.",
        "catalogue.compare",
        "Exit status: 0 they agree; 1 they do not.",
    )
    for each in (rebuild, compare):
        _of_central(each)
    _as_owner(rebuild)


def _as_owner(made: Any) -> None:
    made.add_argument(
        "--url", type=Path, metavar="FILE", help="the address is read from this file, with an account that may do this"
    )


def _of_central(made: Any) -> None:
    made.add_argument(
        "--key",
        action="append",
        metavar="KEY",
        help="a station's key, its file, or a folder of *.pub; repeat it",
    )
    made.add_argument("--sink", action="append", metavar="NAME", help="this place of the settings alone; repeat it")
    json_option(made)
