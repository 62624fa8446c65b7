"""The command run: the daemon, until it is told to stop."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from bwcdock import app, desk, logs, slots, systemd
from bwcdock.cli.common import WELL, settings_of
from bwcdock.core.facts import Actor
from bwcdock.desk.acts import Act
from bwcdock.desk.line import Line
from bwcdock.detect.bus import Policy
from bwcdock.detect.folders import DropFolder, FolderWatch
from bwcdock.detect.joined import Joinable, Joined
from bwcdock.detect.udev import UdevWatch
from bwcdock.errors import LedgerBroken
from bwcdock.ports import Clock
from bwcdock.settings import Settings
from bwcdock.station import Station
from bwcdock.steps.bench import Bench


def run(asked: argparse.Namespace) -> int:
    """`bwcdock run`."""
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
    line = Line(settings.paths.run, _doing(bench, station))
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


def _doing(bench: Bench, station: Station) -> Callable[[Act, Actor], Awaitable[desk.Done]]:
    """Acts of people, one after the other beside the station's work; what they change the station then knows."""

    async def doing(act: Act, actor: Actor) -> desk.Done:
        try:
            done: desk.Done = await station.ask(desk.do, bench, act, actor)
        except LedgerBroken as error:
            # Nobody knows what is true now: whoever asked is told, and the station ends as after every failed write.
            station.spawn(_raised(error), "desk")
            raise
        await station.know(done.judged_again)
        return done

    return doing


async def _raised(error: LedgerBroken) -> None:
    raise error


def _watches(settings: Settings, clock: Clock) -> list[Joinable]:
    """The drop folders, and the bus where the settings say so."""
    folders = FolderWatch(
        [DropFolder(path=drop.path, slot=drop.slot, stable_s=drop.stable_s) for drop in settings.drop],
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
