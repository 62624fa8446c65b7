"""What the tests of figures and alarms share: a station where much has gone wrong, and its figures as values."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from bwcdock import app, meters, metrics
from bwcdock.core.facts import Drift
from bwcdock.core.live import RoomView
from bwcdock.lock import StationLock
from bwcdock.testing.clock import VirtualClock
from desk_world import World
from prometheus_client.parser import text_string_to_metric_families

UNIT = "一大队"
LATE, YANKED, OUT = "F1-LATE", "F1-YANK", "F1-0001"
SIZE = 5000


class Station:
    """A station under S4 that has seen five days until ``now``, and is not at work.

    One recorder came days late, and one of its two recordings is excused; one was yanked out with a recording on it
    that was never brought; one is issued and did not come back; the last was carried through and was in time.
    """

    def __init__(self, directory: Path, now: datetime, **more: Any) -> None:
        world = self.world = World(directory, "S4-fuzhou", clock=VirtualClock(now - timedelta(days=5)), **more)
        self.bed = world.bed
        self.settings = world.bed.settings
        self.now = now

    async def lives(self) -> "Station":
        world, bed, now = self.world, self.bed, self.now
        for serial in (LATE, YANKED):
            world.does(world.custodian, "register-device", device=serial, team="T1", unit=UNIT)
        late, yanked, fresh = bed.recorder(LATE), bed.recorder(YANKED), bed.recorder("F1-GOOD")
        for name in ("a", "b"):
            begun = world.clock.now() - timedelta(minutes=20)
            late.record(f"{name}.mp4", Random(name).randbytes(SIZE), start=begun, modified=begun + timedelta(minutes=1))
        world.clock.advance(timedelta(days=4))
        late.drift = Drift(method="protocol", offset_ms=0, uncertainty_ms=0, read_at=world.clock.now())
        for card in (yanked, fresh):
            begun = world.clock.now() - timedelta(hours=1)
            card.record("c.mp4", Random(2).randbytes(SIZE), start=begun, modified=begun + timedelta(minutes=1))
            card.drift = Drift(method="protocol", offset_ms=75_500, uncertainty_ms=500, read_at=world.clock.now())
        fresh.battery = 12
        yanked.yank("c.mp4", 0)
        async with bed.at_work():
            late.plug("usb-1", slot=1)
            yanked.plug("usb-2", slot=2)
            fresh.plug("usb-3", slot=3)
            await bed.until_settled(late, fresh)
            await bed.until(lambda: [s for s in bed.sessions(YANKED) if not s.docked])
        (first, _) = bed.records(LATE)
        done = world.does(
            world.officer, "explain", person=world.officer[0], what="late", text="堵车", records=[first.id]
        )
        world.does(world.head, "judge-explanation", explanation=done.matter, verdict="accept")
        world.issued()
        world.clock.set(now)
        return self

    @contextmanager
    def at_work(self, told: meters.Meters | None = None, spool: RoomView | None = None) -> Iterator[None]:
        """The station is held open by this process, which has just published these counts."""
        told = told or meters.Meters()
        text = told.exposition(os.getpid(), self.now, "synchronised", spool)
        (self.settings.paths.run / meters.NAME).write_bytes(text)
        with StationLock(self.settings.paths.run):
            yield

    def exposition(self, now: datetime | None = None) -> bytes:
        law = app.law_of(self.settings)
        return self.bed.ask(lambda ledger: metrics.exposition(self.settings, ledger, law, now or self.now))

    def figures(self, now: datetime | None = None) -> dict[str, float]:
        return values(self.exposition(now))


def values(text: bytes) -> dict[str, float]:
    """Every sample by ``name{label=value,…}``, the labels in the order of their names."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            key = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert key not in found, key
            found[key] = sample.value
    return found
