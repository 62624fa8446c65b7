"""How `bwcdock record-tape` is asked for."""

from pathlib import Path

from bwcdock.cli.commands import Commands, command


def record_tape(commands: Commands) -> None:
    """`bwcdock record-tape`."""
    made = command(
        commands,
        "record-tape",
        "keep a conversation with a recorder for a report",
        "Opens a recorder that is no disk, asks it everything that a docking asks, reads the beginning and the end of "
        "its largest file, and keeps what was said in a file. Neither the recorder's number nor any footage is in it; "
        "names of files are: look through it before it is given away.",
        "tape.record",
    )
    made.add_argument("device", metavar="DEVICE", help="its USB node, such as /dev/bus/usb/001/005 (`bwcdock slots`)")
    made.add_argument("file", type=Path, metavar="FILE", help="what was said is written here; it must not exist")
