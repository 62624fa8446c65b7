"""A dock's month in an hour: many recorders, two shifts a day, yanks, central storage that is away, a full spool.

``python -m bench.longrun`` (make long-run). The station is the daemon's own, on a disk and with a folder for central
storage; its clock runs faster than the wall, and whatever it does by the clock (deadlines, holidays, heartbeats, heads,
second looks, scrubbing, release) comes round as often as in a month. What is written to the disk takes its own time. At
the end nothing may be owed, the audit must agree, and the memory must be what it was; a page with plots is written.
"""

import argparse
import asyncio
import json
import math
import mmap
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from bwcdock import allocator, app, at_hand, logs, showing, slots, stores
from bwcdock import station as station_module
from bwcdock.audit import audit
from bwcdock.clock import Kernel, WallClock
from bwcdock.core.facts import Kind, Sighting
from bwcdock.core.rules import Standing
from bwcdock.ledger import open_read_only
from bwcdock.settings import Settings
from bwcdock.spool import Room, Spool
from bwcdock.station import Station
from bwcdock.steps.bench import Bench
from bwcdock.steps.witness import Witness
from bwcdock.testing.recorder import FakeDriver, FakeFile, FakeRecorder
from bwcdock.testing.station import found
from bwcdock.testing.troubled import TroubledSink

from bench.figures import Goal, machine, tell

PACK = "S2-guhan"
"""Two working days to hand in: weekends and holidays count."""

ZONE = ZoneInfo("Asia/Shanghai")
BEGINS = datetime(2026, 9, 20, 5, 0, tzinfo=ZONE)
"""A Sunday ten days before National Day: weekends, days worked instead and a week off lie in what follows."""

SHIFTS = (8, 20)
"""Hours at which recorders come back."""

COMING_S = 2700.0
"""Over how long those of a shift come in, one after the other."""

FILES = (14, 15, 16, 17, 18)
SIZE = 16 << 10
YANKED = 0.05
"""Share of dockings in which the recorder is pulled out at once, and put in again half an hour later."""

LOOKED_EVERY_S = 0.1
"""How often it is looked what people are about to do, in true seconds: a minute of the fast clock."""

CARRIED, PASSING, YANKED_OUT, DOCKED = range(4)
"""Where a recorder is: with somebody; in its slot, to be pulled out at once; pulled out; in its slot."""

AWAY = ((3.2, 3.7), (11.6, 13.6))
"""When central storage cannot be reached, in days from the beginning."""

FULL = ((7.1, 7.4),)
"""When the spool has no room."""

SETTLED_D = 4.0
"""Days after which a station has taken the memory it works with."""

TOO_LATE = {Standing.OVERDUE, Standing.LATE}
"""Counted, not fetched: whole records would take memory that is not the station's."""

GROWS = 0.05
SAMPLED_EVERY_S = 4 * 3600.0
RESTS = 6
"""Samples compared at each end, taken when the station had nothing to do: nothing docked, owed or in flight."""

DUE_EVERY_S = 600.0
"""How often what may go from the spool is looked for, by the fast clock: about once a second in truth."""

GONE_S = 1.0
"""How long what was taken away is told of, in true seconds: ten minutes, not half a day, of this clock."""

TURN_S = 200.0
"""How often it is looked whether too many records are at hand, or too few: three times a second in truth."""


class Fast(WallClock):
    """A wall that runs ``speed`` times as fast, from ``BEGINS`` on, with a kernel that vouches for it.

    Spans that limit a call (:meth:`monotonic`) stay true seconds: disks and threads are not faster.
    """

    def __init__(self, speed: float) -> None:
        self.speed, self._from = speed, time.monotonic()
        kernel = Kernel(synchronised=True, estimated_error_us=500, max_error_us=1000)
        super().__init__(wall=self._wall_now, kernel=lambda: kernel)

    def _wall_now(self) -> datetime:
        return BEGINS.astimezone(UTC) + timedelta(seconds=(time.monotonic() - self._from) * self.speed)

    @property
    def days(self) -> float:
        return (self.now() - BEGINS) / timedelta(days=1)

    async def sleep_until(self, moment: datetime) -> None:
        await asyncio.sleep(max(0.0, (moment - self.now()).total_seconds() / self.speed))

    async def sleep(self, seconds: float) -> None:
        await self.sleep_until(self.now() + timedelta(seconds=seconds))


class Filling(Spool):
    """A spool that has no room in the hours of ``FULL``."""

    clock: Fast

    def room(self) -> Room:
        room = super().room()
        return replace(room, free=0) if _in(FULL, self.clock.days) else room


def _in(spans: Sequence[tuple[float, float]], days: float) -> bool:
    return any(begin <= days < end for begin, end in spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is true at one moment; ``day`` from the beginning, memory in bytes, ``idle`` where no act was in flight."""

    day: float
    idle: bool
    recordings: int
    owed: int
    late: int
    spool: int
    docked: int
    leaves: int
    memory: int


class Slots:
    """What the station looks at: every recorder that is plugged in."""

    findings = ()
    awaited = ()

    def __init__(self, recorders: Sequence[FakeRecorder]) -> None:
        self.hint = asyncio.Event()
        self.recorders = recorders

    def current(self, now: datetime) -> Sequence[Sighting]:  # noqa: ARG002
        return tuple(filter(None, (recorder.sighting() for recorder in self.recorders)))


def _card() -> memoryview:
    """Where a recorder's files lie: memory of the machine, for none of it is the station's."""
    fd = os.memfd_create("card")
    try:
        os.ftruncate(fd, max(FILES) * SIZE)
        return memoryview(mmap.mmap(fd, 0))
    finally:
        os.close(fd)


class Month:
    """People at the dock: each recorder comes at the end of every shift, and is taken when it is empty.

    What they are about to do stands in arrays, and one task looks at it. A task for each, asleep until the next shift
    since the end of the last busy hour, would lie all over the memory that is to be measured.
    """

    def __init__(self, bench: Bench, clock: Fast, count: int, days: float, chance: Random) -> None:
        self.recorders = [FakeRecorder(f"F1-{n:04d}") for n in range(1, count + 1)]
        self._cards = {recorder.serial: _card() for recorder in self.recorders}
        self.watch = Slots(self.recorders)
        self.station = Station(bench, [FakeDriver(*self.recorders)], self.watch)
        self.made = self.yanks = 0
        self._clock, self._chance = clock, chance
        length = SHIFTS[1] - SHIFTS[0]
        self._shifts = array("q", range(SHIFTS[0] - BEGINS.hour, math.ceil(days * 24), length))
        """Their ends, in hours from the beginning."""
        self._next = array("q", [0] * count)
        self._where = array("q", [CARRIED] * count)
        self._until = array("d", [self._comes(0) for _ in range(count)])
        """When what each recorder does next is due, in seconds from the beginning."""

    async def live(self) -> None:
        """Until the last shift of the last day is in and nothing is owed any more."""
        while min(self._next) < len(self._shifts):
            for number in range(len(self.recorders)):
                self._lives(number)
            await asyncio.sleep(LOOKED_EVERY_S)
        while await self.station.owed() or not self.station.idle:  # noqa: ASYNC110
            await asyncio.sleep(0.2)

    def _comes(self, shift: int) -> float:
        return self._shifts[shift] * 3600 + self._chance.random() * COMING_S

    def _lives(self, number: int) -> None:
        recorder, now_s = self.recorders[number], self._clock.days * 86_400
        where = self._where[number]
        if where == DOCKED:
            if any(s.sighting == recorder.docked_as and s.was_drained for s in self.station.seen):
                self._leaves(number)
        elif now_s < self._until[number]:
            return
        elif where == CARRIED:
            self._record(recorder, BEGINS + timedelta(hours=self._shifts[self._next[number]]))
            self._plug(number)
            if self._chance.random() < YANKED:
                self.yanks += 1
                self._where[number] = PASSING
                self._until[number] = now_s + self._chance.uniform(0.05, 1.0) * self._clock.speed
        elif where == PASSING:
            recorder.unplug()
            self._where[number], self._until[number] = YANKED_OUT, now_s + 1800
        else:
            self._plug(number)

    def _plug(self, number: int) -> None:
        slot = number + 1
        self.recorders[number].plug(f"pci-0000:00:14.0-usb-0:1.{slot}", slot=slot)
        self._where[number] = DOCKED
        self.watch.hint.set()

    def _leaves(self, number: int) -> None:
        recorder = self.recorders[number]
        recorder.unplug()
        with recorder.lock:  # what is on a card is not in the station's memory, nor what the fake notes of it
            recorder.files, recorder.reads, recorder.docked_as = {}, [], None
        self._next[number] += 1
        is_over = self._next[number] == len(self._shifts)
        self._until[number] = math.inf if is_over else self._comes(self._next[number])
        self._where[number] = CARRIED

    def _record(self, recorder: FakeRecorder, ends: datetime) -> None:
        count, ends = self._chance.choice(FILES), ends.astimezone(UTC)
        each = timedelta(hours=8) / count
        files = {}
        for at in range(count):
            start = ends - each * (count - at)
            data = self._cards[recorder.serial][at * SIZE : (at + 1) * SIZE]
            data[:] = self._chance.randbytes(SIZE)
            files[f"{ends:%Y%m%d%H}/{at:03d}.mp4"] = FakeFile(data, start + each, start, Kind.VIDEO)
        with recorder.lock:
            recorder.files, recorder.reads = files, []
        self.made += count


async def _troubles(clock: Fast, sinks: Sequence[TroubledSink]) -> None:
    while True:
        for sink in sinks:
            sink.down = _in(AWAY, clock.days)
        await clock.sleep(600)


async def _sampled(bench: Bench, clock: Fast, month: Month, rests: "array[int]") -> None:
    whole = bench.settings.paths.spool / "whole"
    at = BEGINS
    while True:
        idle = await _idle(month.station)
        memory = _anonymous()  # before what is looked up for the sample takes some
        with open_read_only(bench.settings.paths.ledger) as ledger:
            counts = ledger.counts(clock.now())
            sample = Sample(
                day=round(clock.days, 2),
                idle=idle,
                recordings=month.made,
                owed=counts.owed,
                late=sum(s.count for s in ledger.standing(clock.now(), 0.0) if s.kind in TOO_LATE),
                spool=len(os.listdir(whole)),
                docked=sum(recorder.sighting() is not None for recorder in month.recorders),
                leaves=ledger.size,
                memory=memory,
            )
        if sample.day >= SETTLED_D and sample.idle and not sample.docked and not sample.owed:
            rests.append(sample.memory)
        print(json.dumps({"sample": asdict(sample)}), flush=True)
        at += timedelta(seconds=SAMPLED_EVERY_S)
        await clock.sleep_until(at)


async def _idle(station: Station) -> bool:
    """Whether there is a moment without an act, within a while: the buffer one reads into is no growth."""
    for _ in range(200):
        if station.idle:
            return True
        await asyncio.sleep(0.005)
    return False


def _anonymous() -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.split("RssAnon:")[1].split()[0]) << 10


def station(directory: Path, count: int, begins: datetime) -> Settings:
    """A new station of so many slots with the shipped settings."""
    settings = found(directory / "station", {"sink": {"scrub_percent_a_day": 1.0}}, now=begins, rules=PACK)
    ports = [slots.Slot(number=n, port=f"pci-0000:00:14.0-usb-0:1.{n}") for n in range(1, count + 1)]
    settings.paths.slots.write_text(slots.render(ports))
    return settings


async def live(settings: Settings, clock: Fast, count: int, days: float, chance: Random) -> "tuple[Month, array[int]]":
    """The whole of it; the people, and what memory the station had whenever it had nothing to do.

    Samples are told and not kept: objects made every four hours would lie in whatever memory is newest, and hold it.
    """
    at_hand.TURN_S, at_hand.DUE_EVERY_S, station_module.RECEIPTS_EVERY_S = TURN_S, DUE_EVERY_S, DUE_EVERY_S
    showing.GONE_S = GONE_S
    rests = array("q")
    with app.opened(settings, clock=clock) as opened:
        sinks = {name: TroubledSink(real) for name, real in opened.sinks.items()}
        spool = Filling(settings.paths.spool, reserve=settings.spool.reserve_ratio)
        spool.clock = clock
        witnesses = {n: Witness(opened.book, sink, opened.signer, settings.station.name) for n, sink in sinks.items()}
        bench = replace(opened, sinks=sinks, witnesses=witnesses, spool=spool)
        month = Month(bench, clock, count, days, chance)
        beside = [
            asyncio.ensure_future(_troubles(clock, tuple(sinks.values()))),
            asyncio.ensure_future(_sampled(bench, clock, month, rests)),
        ]
        running = asyncio.ensure_future(month.station.run())
        people = asyncio.ensure_future(month.live())
        try:
            await asyncio.wait({running, people}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                # What it keeps when all is done counts, not what it had before.
                await clock.sleep(RESTS * SAMPLED_EVERY_S)
            month.station.stop()
            await running
            await people
        finally:
            for each in (*beside, people):
                each.cancel()
    return month, rests


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.longrun", description=__doc__)
    parser.add_argument("--days", type=float, default=24)
    parser.add_argument("--minutes", type=float, default=60, help="how long they take in truth")
    parser.add_argument("--recorders", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"), help="a folder on the disk to work on")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was put on the disk goes in every case
    machine(seed=asked.seed, days=asked.days, recorders=asked.recorders)
    allocator.settle()
    logs.configure("console", "error", sys.stderr)
    work = Path(tempfile.mkdtemp(prefix="bwcdock-longrun-", dir=asked.work))
    try:
        settings = station(work, asked.recorders, BEGINS.astimezone(UTC))
        clock = Fast(asked.days * 1440 / asked.minutes)
        chance = Random(asked.seed)
        month, rests = asyncio.run(live(settings, clock, asked.recorders, asked.days, chance))
        return _judged(settings, month, rests)
    finally:
        shutil.rmtree(work)


def _judged(settings: Settings, month: Month, rests: Sequence[int]) -> int:
    """Print what it came to; 1 where something is owed, does not agree, or is not what was recorded."""
    with open_read_only(settings.paths.ledger) as ledger:
        records, leaves = ledger.records(), ledger.size
    begun = time.monotonic()
    told = audit(settings, stores.sinks(settings, WallClock()), app.public_key(settings))
    note = f"{leaves} leaves, {time.monotonic() - begun:.0f} s"
    tell("longrun_recordings", month.made, "recordings", note=f"{month.yanks} yanks")
    unfinished = sum(not record.finished for record in records)
    tell("longrun_unfinished", unfinished, "recordings", goal=Goal(sign="<=", value=0))
    tell("longrun_audit", len(told.disagreements), "disagreements", goal=Goal(sign="<=", value=0), note=note)
    tell("longrun_lost", month.made - len(records), "recordings", goal=Goal(sign="<=", value=0))
    if len(rests) >= 2 * RESTS:
        first, last = statistics.median(rests[:RESTS]), statistics.median(rests[-RESTS:])
        note = f"from {first / 2**20:.0f} MiB, with nothing docked, owed or in flight"
        tell("longrun_memory_growth", max(last / first - 1, 0), "ratio", goal=Goal(sign="<=", value=GROWS), note=note)
    return 1 if unfinished or told.disagreements or month.made != len(records) else 0


if __name__ == "__main__":
    sys.exit(main())
