"""The command line: runs what was typed, and tells every error as one clear sentence with its remedy."""

# Nothing of the program is imported up here: that takes a while, and must be able to be stopped by hand.
import io
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bwcdock.errors import BwcdockError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    debug = "--debug" in (sys.argv[1:] if argv is None else argv)
    asked = Namespace(station=None)
    try:
        return _run(argv, asked)
    except SystemExit as ended:  # argparse has said what is wrong, or has helped
        return int(ended.code or 0)
    except KeyboardInterrupt:
        print("bwcdock: stopped by hand.", file=sys.stderr)
        return 130  # 128 + SIGINT, as shells count
    except Exception as error:
        if debug:
            raise
        told, status = _sentence(error, asked)
        print(f"bwcdock: {plain(told)}", file=sys.stderr)
        return status


def follow_catalogue(argv: Sequence[str] | None = None) -> int:
    """`bwcdock-catalogue`: short for `bwcdock catalogue`, and without a command for `bwcdock catalogue follow`.

    A name of its own, so that the service that reaches for the network is told from the others.
    """
    said = list(sys.argv[1:] if argv is None else argv)
    options = 0
    while options < len(said) and said[options] in {"-C", "--debug"}:
        options += 2 if said[options] == "-C" else 1
    return main([*said[:options], "catalogue", *(said[options:] or ["follow"])])


def _run(argv: Sequence[str] | None, asked: Namespace) -> int:
    for stream in (sys.stdout, sys.stderr):
        # A locale that cannot say Chinese must not end the work: what it lacks is spelled out.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    from bwcdock.cli.usage import parser

    try:
        return int(parser().parse_args(argv, asked).work(asked))
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            unseen()


def plain(text: str) -> str:
    """``text`` with everything written out that a terminal might take for an order; line ends stay.

    Names and values come from whoever could write them: a card, a share, a file that is no settings file.
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def unseen() -> None:
    """Nobody reads any more: what else is said goes nowhere, also what the interpreter flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _sentence(error: Exception, asked: Namespace) -> tuple[str, int]:
    """What is said of an error, and the exit status for it."""
    from bwcdock.errors import BwcdockError, Misused

    if isinstance(error, BwcdockError):
        return f"{_chinese(error, asked)}{error}".replace("\n ", "\n"), 2 if isinstance(error, Misused) else 1
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}. Look at the path, at who may use it, and at the disk it is on.", 1
    told = f"{type(error).__name__}: {error}".rstrip(": ")
    return f"A fault of the program ({told}). Say `bwcdock --debug …` to see where, and report it.", 1


def _chinese(error: "BwcdockError", asked: Namespace) -> str:
    """What is refused is said in Chinese first, as everything at the desk is; what is said stays one line."""
    if not error.why.code:
        return ""
    from bwcdock.cli.refusals import in_chinese

    words = in_chinese(error.why, asked)
    return f"{words} / " if words else ""
