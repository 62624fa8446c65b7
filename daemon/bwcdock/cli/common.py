"""What commands share: the station they were given, and saying things to people and to machines."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import TypeAdapter
from rich.cells import cell_len, set_cell_size

from bwcdock import config
from bwcdock.cli import plain, unseen
from bwcdock.errors import Misused
from bwcdock.settings import Settings

WELL, DISAGREES, WRONG, OWED = 0, 1, 2, 3
"""Exit statuses: well; something does not agree or failed; wrong usage or configuration; something is still owed."""


def settings_of(asked: argparse.Namespace) -> Settings:
    """The settings of the station this command is about."""
    path = config.find_station(asked.station, os.environ) / config.SETTINGS_NAME
    try:
        return config.load(path)
    except OSError as error:  # not even whether there is one can be seen
        what = f"{path} cannot be looked at: {error.strerror}."
        raise Misused(
            "read the settings", what, "Work as the user the station runs as, or name another with -C."
        ) from error


# ---------------------------------------------------------------------------------------------------------------------
# Saying. Whoever reads may leave at any moment (`| head`): what is being done is then done to its end, unseen.
# ---------------------------------------------------------------------------------------------------------------------


def say(*told: str) -> None:
    """Print these lines; what is not printable is written out."""
    try:
        for line in told:
            print(plain(line))
        sys.stdout.flush()
    except BrokenPipeError:
        unseen()


def print_json(value: object, kind: Any) -> None:
    """``value`` as JSON of the typed shape ``kind``: UTF-8 whatever the locale, times as RFC 3339 in UTC."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(TypeAdapter(kind).dump_json(value, indent=2) + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        unseen()


def width() -> int | None:
    """Columns of the terminal; ``None`` where the output is none, and a line may be as long as it is."""
    if not sys.stdout.isatty():
        return None
    told = os.environ.get("COLUMNS", "")
    return int(told) if told.isdecimal() and int(told) else os.get_terminal_size(sys.stdout.fileno()).columns or 80


# ---------------------------------------------------------------------------------------------------------------------
# How things are written
# ---------------------------------------------------------------------------------------------------------------------


def size(count: float) -> str:
    """Bytes for people: three digits and a binary unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1000 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError


def span(seconds: float) -> str:
    """A duration for people, two units at most, with its sign."""
    sign = "-" if seconds < 0 else ""
    left = abs(int(seconds))
    days, hours, minutes = left // 86400, left // 3600 % 24, left // 60 % 60
    if days:
        return f"{sign}{days} d {hours} h"
    if hours:
        return f"{sign}{hours} h {minutes:02d} min"
    return f"{sign}{minutes} min" if minutes else f"{sign}{left} s"


def cut(text: str, cells: int) -> str:
    """``text`` in at most ``cells`` columns of a terminal, cut in the middle; a Chinese character takes two."""
    if cell_len(text) <= cells:
        return text
    tail = max(0, cells - 1) // 2
    end = len(text)
    while end and cell_len(text[end - 1 :]) <= tail:
        end -= 1
    return f"{set_cell_size(text, max(0, cells - 1 - tail)).rstrip()}…{text[end:]}"


def pad(text: str, cells: int) -> str:
    """``text`` to ``cells`` columns of a terminal."""
    return text + " " * max(0, cells - cell_len(text))


def fold(text: str, room: int | None, indent: str = "") -> list[str]:
    """``text`` on lines of at most ``room`` columns, broken between words; the lines after the first are indented.

    A word that is longer than a line (a path, Chinese) is left to the terminal to break.
    """
    if room is None:
        return [text]
    words = text.split()
    lines = [text[: len(text) - len(text.lstrip())] + words[0]] if words else [""]
    for word in words[1:]:
        if cell_len(lines[-1]) + 1 + cell_len(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(indent + word)
    return lines


def broken(text: str, room: int | None, indent: str) -> list[str]:
    """Chinese text, which has no blanks to fold at, on lines of at most ``room`` columns, all of it indented."""
    lines = [indent]
    for sign in text:
        if room is not None and cell_len(lines[-1]) + cell_len(sign) > room:
            lines.append(indent)
        lines[-1] += sign
    return lines


GAP = "  "
NARROWEST = 12
"""Columns the flexible column keeps at least: a shorter name tells nothing, a wrapped line still does."""


def table(rows: Iterable[Sequence[str]], *, flexible: int, room: int | None, right: Sequence[int] = ()) -> list[str]:
    """Rows (the heading is the first) as aligned lines; column ``flexible`` is cut so that they fit into ``room``.

    ``right`` names the columns that are aligned to the right.
    """
    cells = [list(row) for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    if room is not None:
        rest = sum(widths) - widths[flexible] + len(GAP) * (len(widths) - 1)
        widths[flexible] = min(widths[flexible], max(NARROWEST, room - rest))
    lines = []
    for row in cells:
        row[flexible] = cut(row[flexible], widths[flexible])
        told = [
            " " * (wide - cell_len(text)) + text if at in right else pad(text, wide)
            for at, (text, wide) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(GAP.join(told).rstrip())
    return lines
