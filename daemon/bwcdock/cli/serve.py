"""The command run: the daemon, until it is told to stop."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bwcdock import allocator, app, desk, logs, slots, systemd
from bwcdock.cli.common import WELL, settings_of
from bwcdock.core.facts import Actor
from bwcdock.desk.acts import Act
from bwcdock.desk.answers import Answers
from bwcdock.desk.exports import Doing
from bwcdock.desk.handing import Stores
from bwcdock.desk.listening import Line
from bwcdock.detect.bus import Policy
from bwcdock.detect.exports import ExportsDoor
from bwcdock.detect.folders import DropFolder, FolderWatch
from bwcdock.detect.joined import Joinable, Joined
from bwcdock.detect.udev import UdevWatch
from bwcdock.errors import LedgerBroken
from bwcdock.ledger import open_read_only
from bwcdock.media import whole
from bwcdock.papers import fonts
from bwcdock.papers.source import Source
from bwcdock.ports import Clock
from bwcdock.settings import Drop, Settings
from bwcdock.station import Station
from bwcdock.steps.bench import Bench


def run(asked: argparse.Namespace) -> int:
    """`bwcdock run`."""
    allocator.settle()
    settings = settings_of(asked)
    logs.configure(settings.log.format, settings.log.level, sys.stderr, line_length=settings.limits.line_length)
    with app.opened(settings) as bench:
        asyncio.run(_until_told(bench, settings))
    return WELL


async def _until_told(bench: Bench, settings: Settings) -> None:
    watch = Joined(_watches(settings, bench.clock))
    station = Station(bench, app.drivers(settings), watch)
    tell = systemd.notifier(os.environ)
    attending = asyncio.ensure_future(systemd.attend(station, tell, systemd.watchdog_s(os.environ, os.getpid())))

    def stop() -> None:
        attending.cancel()
        tell.stopping()
        station.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    answers = Answers(bench, _asking(station), _doing(bench, station), lambda: stores(bench))
    line = Line(settings.paths.run, answers)
    watch.start()
    try:
        await line.start()
        await station.run()
    finally:
        await line.close()
        watch.close()
        attending.cancel()
        await asyncio.wait({attending})
        tell.close()


def _asking(station: Station) -> Callable[..., Awaitable[Any]]:
    """Questions to the ledger, one after the other beside the station's work."""

    async def asking(fn: Callable[..., Any], *args: object) -> Any:
        try:
            return await station.ask(fn, *args)
        except LedgerBroken as error:
            # Nobody knows what is true now: whoever asked is told, and the station ends as after every failed write.
            station.spawn(_raised(error), "desk")
            raise

    return asking


def _doing(bench: Bench, station: Station) -> Doing:
    """Acts of people; what they change the station then knows."""
    asking = _asking(station)

    async def doing(act: Act, actor: Actor) -> desk.Done:
        done: desk.Done = await asking(desk.do, bench, act, actor)
        await station.know(done.judged_again)
        return done

    return doing


def stores(bench: Bench) -> Stores:
    """What packages are made from at a station at work: the ledger is read beside it, as by a command."""
    settings = bench.settings

    @contextmanager
    def sources() -> Iterator[Source]:
        with open_read_only(settings.paths.ledger) as ledger:
            yield app.paper_source(settings, ledger, bench.clock.now())

    font = fonts.if_any(settings.papers.font)
    return Stores(sources=sources, sinks=bench.sinks, spool=settings.paths.spool / "whole", font=font)


async def _raised(error: LedgerBroken) -> None:
    raise error


def _drop(settings: Settings, drop: Drop) -> DropFolder:
    """A drop folder; one for exports has a door."""
    door = None
    if drop.holds == "exports":
        door = ExportsDoor(whole.judge, entries=settings.limits.drop_entries, writing_s=settings.watch.writing_s)
    return DropFolder(path=drop.path, slot=drop.slot, stable_s=drop.stable_s, door=door)


def _watches(settings: Settings, clock: Clock) -> list[Joinable]:
    """The drop folders, and the bus where the settings say so."""
    folders = FolderWatch(
        [_drop(settings, drop) for drop in settings.drop],
        rescan_s=settings.watch.rescan_s,
        children=settings.limits.drop_children,
        entries=settings.limits.drop_entries,
    )
    if not settings.dock.udev:
        return [folders]
    known = slots.load(settings.paths.slots)
    policy = Policy(
        slots=slots.numbers(known),
        first=slots.first(known),
        any_port=settings.dock.any_port,
        live_s=settings.watch.live_s,
        switch_s=settings.dock.switch_s,
    )
    return [folders, UdevWatch(policy, resync_s=settings.dock.resync_s, monotonic=clock.monotonic)]
