"""The words of `bwcdock quirk`."""

from pathlib import Path

from bwcdock.cli.commands import Commands, command, json_option


def quirk(commands: Commands) -> None:
    """`bwcdock quirk`."""
    group = commands.add_parser(
        "quirk",
        help="judge and try descriptions of recorders",
        description="Judge and try quirk files, which describe makes of recorders. No station is needed.",
    )
    inner = group.add_subparsers(required=True, metavar="COMMAND", title="commands")
    lint = command(
        inner,
        "lint",
        "say what is wrong with quirk files",
        "Read quirk files as a station would, hold them to their own examples, and refuse two that describe the same "
        "recorders equally closely. Every problem on a line of its own.",
        "quirk.lint",
        "Example: bwcdock quirk lint /etc/bwcdock/quirks",
    )
    lint.add_argument("files", type=Path, nargs="+", metavar="FILE", help="a quirk file, or a folder of them")
    test = command(
        inner,
        "test",
        "show what a quirk reads of a sample",
        "Show what a quirk would read of every file of a folder that lies as a card does, or of one name: the "
        "recorder, the officer, the times, the running number, the marks. Nothing is docked.",
        "quirk.test",
        "Example: bwcdock quirk test mine.toml DCIM/100MEDIA/D2F018_033021_20261121_083000.mp4",
    )
    json_option(test)
    test.add_argument("file", type=Path, metavar="FILE", help="the quirk file")
    test.add_argument("sample", metavar="SAMPLE", help="a folder, or a path as it stands on the recorder")
