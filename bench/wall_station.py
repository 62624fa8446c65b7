"""A station whose recorders are full again whenever they were emptied, for as long as it is told to."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from bwcdock import allocator, app, at_hand, config, logs
from bwcdock.clock import WallClock
from bwcdock.core.facts import Digests, Kind, Sighting
from bwcdock.ports import Held, Sink
from bwcdock.station import Station
from bwcdock.steps.witness import Witness
from bwcdock.testing.recorder import FakeDriver, FakeFile, FakeRecorder

FILES = 24
SIZE = 8 << 20
"""Of each file; a docking takes some ten seconds, and a minute of them fits in memory."""

MOST = 150
"""Sealed files in the spool from which on nothing is docked: it lies in memory, and what comes must also go."""

REMEMBERED = 1000
"""Recordings of which central storage knows what they were: a few minutes' until they are looked at again."""

DUE_EVERY_S = 3.0
"""How often what may go from the spool is looked for: it lies in memory here, and must not grow for a minute."""


def now() -> datetime:
    return WallClock().now()


class Digesting:
    """A central storage that keeps of a recording only what it was, and that not for ever; papers go to ``real``."""

    def __init__(self, real: Sink) -> None:
        self.name = real.name
        self.note, self.newest, self.recall = real.note, real.newest, real.recall
        self._held: dict[str, Held] = {}

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:  # noqa: ARG002
        while len(self._held) >= REMEMBERED:
            self._held.pop(next(iter(self._held)), None)
        self._held[key] = Held(size=source.stat().st_size, digests=digests, version="1")

    def stat(self, key: str) -> Held | None:
        return self._held.get(key)


class Slots:
    """What a station looks at: every recorder that is plugged in."""

    findings = ()
    awaited = ()

    def __init__(self, recorders: Sequence[FakeRecorder]) -> None:
        self.hint = asyncio.Event()
        self._recorders = recorders

    def current(self, now: datetime) -> Sequence[Sighting]:  # noqa: ARG002
        return tuple(filter(None, (recorder.sighting() for recorder in self._recorders)))


class Rest:
    """Whether recorders stay out once they were emptied: so that memory is compared in one and the same state."""

    def __init__(self) -> None:
        self.now = False

    def turn(self) -> None:
        self.now = not self.now


async def run(path: Path, told: Path, count: int) -> None:
    """Work until SIGTERM, and rest from one SIGUSR1 to the next.

    ``told`` says every half second how many bytes were read so far.
    """
    allocator.settle()
    logs.configure("console", "error", sys.stderr)
    at_hand.TURN_S = at_hand.DUE_EVERY_S = DUE_EVERY_S
    settings, clock = config.load(path), WallClock()
    recorders = [FakeRecorder(f"F1-{n:04d}") for n in range(1, count + 1)]
    with app.opened(settings, clock=clock) as opened:
        sinks = {name: Digesting(real) for name, real in opened.sinks.items()}
        witnesses = {n: Witness(opened.book, sink, opened.signer, settings.station.name) for n, sink in sinks.items()}
        bench = replace(opened, sinks=sinks, witnesses=witnesses)
        work = Station(bench, [FakeDriver(*recorders)], Slots(recorders))
        loop, rest = asyncio.get_running_loop(), Rest()
        loop.add_signal_handler(signal.SIGTERM, work.stop)
        loop.add_signal_handler(signal.SIGUSR1, rest.turn)
        beside = [asyncio.ensure_future(_refill(work, rest, r, n)) for n, r in enumerate(recorders, 1)]
        beside.append(asyncio.ensure_future(_count(recorders, told)))
        try:
            await work.run()
        finally:
            for each in beside:
                each.cancel()


async def _refill(station: Station, rest: Rest, recorder: FakeRecorder, slot: int) -> None:
    shared, dock = bytearray(Random(slot).randbytes(SIZE)), 0
    while True:
        dock += 1
        began = now() - timedelta(hours=1)
        with recorder.lock:
            recorder.files = {
                f"d{dock:05d}/{at:03d}.mp4": FakeFile(
                    shared, began + timedelta(minutes=at + 1), began + timedelta(minutes=at), Kind.VIDEO
                )
                for at in range(FILES)
            }
        port, whole = f"pci-0000:00:14.0-usb-0:1.{slot}", station.bench.settings.paths.spool / "whole"
        while rest.now or len(os.listdir(whole)) > MOST:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        recorder.plug(port, slot=slot)
        while not any(s.sighting == recorder.docked_as and s.was_drained for s in station.seen):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        recorder.unplug()
        await asyncio.sleep(0.5)


async def _count(recorders: Sequence[FakeRecorder], told: Path) -> None:
    read = 0
    while True:
        for recorder in recorders:
            with recorder.lock:
                reads, recorder.reads = recorder.reads, []
            read += sum(each.length for each in reads)
        with suppress(OSError):
            new = told.with_suffix(".new")
            new.write_text(json.dumps({"read": read}))
            new.replace(told)
        await asyncio.sleep(0.5)
