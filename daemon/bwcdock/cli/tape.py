"""`bwcdock record-tape`: a conversation with a recorder, kept for whoever mends its driver."""

import argparse
import mmap
from collections.abc import Callable
from pathlib import Path

from bwcdock import app, durable
from bwcdock.cli.common import DISAGREES, WELL, say, settings_of
from bwcdock.clock import WallClock
from bwcdock.core.facts import Sighting
from bwcdock.errors import BwcdockError, Misused
from bwcdock.ports import Recorder, Tapes
from bwcdock.steps.dock import claimant

TAPE_MAX = 64 << 20
"""Characters of a tape: the listing of a hundred thousand files, with room."""

EDGE = 1 << 20
"""Bytes that are read of the beginning and of the end of a file; they are not kept."""


def record(asked: argparse.Namespace) -> int:
    """`bwcdock record-tape`."""
    drivers = app.drivers(settings_of(asked))
    sighting = Sighting(port="tape", source=asked.device, properties=(("SUBSYSTEM", "usb"),))
    driver = claimant(drivers, sighting)
    if driver is None:
        raise Misused(
            "record a tape", f"No driver knows {asked.device}.", "Name a recorder's USB node that is plugged in."
        )
    if not isinstance(driver, Tapes):
        what = f"The driver {driver.name} keeps no tapes."
        raise Misused("record a tape", what, "Of a disk, `bwcdock records --json` says what is needed.")
    if asked.file.exists():
        raise Misused("record a tape", f"{asked.file} exists.", "Name a file that does not.")
    lines: list[str] = []
    failed: BwcdockError | None = None
    try:
        with driver.open_taped(sighting, _bounded(lines)) as recorder:
            _everything(recorder)
    except BwcdockError as error:  # just then the tape is wanted
        failed = error
    if not lines and failed is not None:
        raise failed
    _keep(asked.file, lines)
    say(f"{asked.file}: {len(lines) - 1} exchanges by the driver {driver.name}.")
    if failed is not None:
        say(f"It ended with: {failed}")
        return DISAGREES
    return WELL


def _bounded(lines: list[str]) -> Callable[[str], object]:
    room = TAPE_MAX

    def write(line: str) -> None:
        nonlocal room
        room -= len(line)
        if room >= 0:
            lines.append(line)

    return write


def _everything(recorder: Recorder) -> None:
    """What a docking asks."""
    recorder.identity()
    recorder.condition(WallClock().now())
    items = recorder.items()
    largest = max(items, key=lambda item: item.size, default=None)
    if largest is not None:
        with memoryview(mmap.mmap(-1, EDGE)) as buffer:
            recorder.read_into(largest, 0, buffer)
            recorder.read_into(largest, max(0, largest.size - EDGE), buffer)
    recorder.present()


def _keep(path: Path, lines: list[str]) -> None:
    try:
        durable.write_small(path.absolute(), "".join(lines).encode(), mode=0o600)
    except OSError as error:
        what = f"{path} cannot be written: {error.strerror}."
        raise Misused("record a tape", what, "Name a file in a folder of your own.") from error
