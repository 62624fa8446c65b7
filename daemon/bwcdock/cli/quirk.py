"""`bwcdock quirk`: judges and tries descriptions of makes of recorders."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from bwcdock import app
from bwcdock.cli.common import DISAGREES, WELL, print_json, say, table, width
from bwcdock.errors import Misused
from bwcdock.ports import Reading, Trial

SHOWN_MAX = 200
"""Rows of the table: more tells nobody anything new of one make; --json has all."""

_HOLDS = {
    "holds": "holds for this sample",
    "fails": "DOES NOT HOLD for this sample: the quirk would not be chosen",
    "unknown": "is about what a sample does not tell",
}


def lint(asked: argparse.Namespace) -> int:
    """`bwcdock quirk lint`."""
    files = list(_files(asked.files))
    problems = app.quirk_reader().lint(files)
    say(*problems or [f"{len(files)} {'quirk is' if len(files) == 1 else 'quirks are'} well."])
    return DISAGREES if problems else WELL


def _files(given: Sequence[Path]) -> Iterator[Path]:
    for path in given:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(path.glob("*.toml"))
        if not inside:
            raise Misused("lint quirks", f"{path} holds no quirk file.", "Name files that end in .toml.")
        yield from inside


def test(asked: argparse.Namespace) -> int:
    """`bwcdock quirk test`."""
    trial = app.quirk_reader().try_quirk(asked.file, asked.sample)
    if asked.json:
        print_json(trial, Trial)
    else:
        say(*told(trial, width()))
    fits = all(holds != "fails" for _, holds in trial.conditions)
    return WELL if fits and any(reading.pattern for reading in trial.readings) else DISAGREES


def told(trial: Trial, room: int | None) -> list[str]:
    """A trial as lines for people."""
    lines = [f"[match] {name} {_HOLDS[holds]}." for name, holds in trial.conditions]
    who = trial.identity
    kind = " ".join(word for word in (who.vendor, who.model) if word)
    source = f"by {who.basis}" if who.serial else "nothing in this sample tells it; a card's own number might"
    lines += [f"Recorder: {who.serial or '-'} ({source}){f', {kind}' if kind else ''}.", ""]
    if trial.readings:
        head = ("file", "kind", "start", "end", "recorder", "officer", "number", "marks", "read by")
        shown = trial.readings[:SHOWN_MAX]
        lines += table([head, *map(_row, shown)], flexible=0, room=room)
        if len(shown) < len(trial.readings):
            lines.append(f"… and {len(trial.readings) - len(shown)} more (--json shows all).")
    unread = sum(not reading.pattern for reading in trial.readings)
    if unread:
        lines.append(f"No pattern of [naming] fits {unread} of {len(trial.readings)} files; their own times are taken.")
    if trial.left:
        lines.append(f"Left on the recorder, as [skip] says: {', '.join(trial.left[:5])}{_more(len(trial.left) - 5)}.")
    return lines


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _row(reading: Reading) -> tuple[str, ...]:
    item, groups = reading.item, dict(reading.groups)
    number = "" if item.sequence is None else f"{item.series}/{item.sequence}" if item.series else str(item.sequence)
    by = f"pattern {reading.pattern}" if reading.pattern else "no pattern"
    cells = (reading.start, reading.end, groups.get("device", ""), item.officer, number, ", ".join(item.markers))
    return item.path, item.kind.value, *(cell or "-" for cell in cells), by
