"""Stations made for a measurement, and driven until what was docked is drained or receipted."""

import asyncio
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bwcdock import app, config, logs
from bwcdock.clock import WallClock
from bwcdock.core.session import Session
from bwcdock.detect.named import Named
from bwcdock.settings import Settings
from bwcdock.station import Station

from bench.figures import processor_s

PACK = "S4-fuzhou"
RESCUE_S = 240.0
"""How long one docking may take before it is called hung: ten times what the slowest one took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What a run of the station came to: seconds from the first docking, bytes brought, and how the loop lagged.

    ``processor_s`` are the processor seconds that this program used for it, its start and end included.
    """

    seconds: float
    size: int
    processor_s: float
    lag_p99_s: float


def founded(directory: Path, now: datetime | None = None) -> Settings:
    """A new station with the shipped settings, and a folder for central storage."""
    logs.configure("console", "error", sys.stderr)
    return config.load(app.found(directory, rules=PACK, name="bench", unit="bench", now=now or WallClock().now()))


@contextmanager
def alone(directory: Path) -> Iterator[Settings]:
    """A new station without central storage, gone afterwards: what is measured is pulling and sealing."""
    settings = founded(directory)
    try:
        yield settings.model_copy(update={"sink": ()})
    finally:
        shutil.rmtree(directory)


def drain(settings: Settings, cards: Sequence[Path]) -> Worked:
    """Dock these cards at once; from the first arrival to the last "drained", by the ledger's own times."""
    return _work(settings, cards, lambda session: session.drained_at)


def carry(settings: Settings, cards: Sequence[Path]) -> Worked:
    """Dock these cards at once; from the first arrival until each has its receipt, so that nothing is owed."""
    return _work(settings, cards, lambda session: WallClock().now() if session.receipt else None)


def _work(settings: Settings, cards: Sequence[Path], ended: Callable[[Session], datetime | None]) -> Worked:
    with app.opened(settings) as bench:
        watch = Named(cards)
        station = Station(bench, app.drivers(settings), watch, waited_for=watch.ports)
        used = processor_s()
        ends = asyncio.run(_until(station, watch, ended))
        seen = station.seen
        return Worked(
            seconds=(max(ends.values()) - min(session.arrived_at for session in seen)).total_seconds(),
            size=sum(session.size for session in seen),
            processor_s=processor_s() - used,
            lag_p99_s=station.lag.p99_s,
        )


async def _until(station: Station, watch: Named, ended: Callable[[Session], datetime | None]) -> dict[str, datetime]:
    """Run it until every card has ended; when that was, by port."""
    ends: dict[str, datetime] = {}
    running = asyncio.ensure_future(station.run())
    until = asyncio.get_running_loop().time() + RESCUE_S
    while not running.done() and len(ends) < len(watch.ports):
        await asyncio.wait({running}, timeout=0.005)
        for session in station.seen:
            if session.fault or asyncio.get_running_loop().time() > until:
                raise RuntimeError(f"{session.sighting.source}: {session.fault or 'it does not end'}")
            moment = ended(session)
            if moment is not None:
                ends.setdefault(session.sighting.port, moment)
    station.stop()
    await running
    return ends
