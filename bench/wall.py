"""The slot wall: how soon it is seen, and what many screens that follow it cost the station.

``python -m bench.wall`` is the campaign (make bench-wall): screens come and go in turns while recorders are pulled, so
that what they cost is a ratio within one run.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from bwcdock import app, config, slots
from bwcdock.testing.station import found
from bwcdock.web.application import build
from bwcdock.web.server import listening, servers
from bwcdock.web.tls import tls_of

from bench import wall_station
from bench.figures import Goal, machine, tell
from bench.scale import Scale

FIRST_PAINT_S = 1.0
GROWS, FALLS, LATE_S = 0.05, 0.05, 1.0
SLOTS = 40
STILL_S = 8.0
"""After so long without a byte read everything that was docked is out again, and what it held is let go."""

TURN_S = 20.0
"""How long screens follow, and then do not: long against a docking, short against what else changes on the machine."""

WARM_S = 180.0
"""Until the daemon has taken the memory it works with: its buffers, the dockings it remembers (station.SEEN), and what
threads that come and go leave taken."""


def paint(scale: Scale) -> None:
    """First paint of the wall of 40 slots in Chromium: by its own account, the median of several fresh windows."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        print("bench: Debian's chromium and chromium-driver are not installed: no first paint", file=sys.stderr)
        return
    directory = scale.work / "wall"
    settings = station(directory, SLOTS)
    try:
        with process("pages", settings):
            times = [first_paint(f"http://{settings.web.listen}/wall") for _ in range(scale.pairs)]
    finally:
        shutil.rmtree(directory)
    name = f"wall_first_paint_{SLOTS}_slots"
    tell(name, statistics.median(times), "s", goal=Goal(sign="<=", value=FIRST_PAINT_S), of=times)


def first_paint(url: str) -> float:
    """Seconds until something of this page is seen, in a fresh window."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    profile = tempfile.mkdtemp(prefix="bwcdock-")
    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", "window-size=1920,1080", f"user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    service = Service(shutil.which("chromedriver"), popen_kw={"start_new_session": True})
    driver = webdriver.Chrome(options=options, service=service)
    group = service.process.pid
    try:
        driver.get(url)
        for _ in range(100):
            seen = driver.execute_script("return performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
            if seen:
                return seen / 1000
            time.sleep(0.05)
        raise RuntimeError("nothing was painted")
    finally:
        driver.quit()
        kill(group)
        shutil.rmtree(profile, ignore_errors=True)


def kill(group: int) -> None:
    """End what is left of this group of processes."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


# --- a station and its pages -----------------------------------------------------------------------------------------


def station(directory: Path, count: int) -> config.Settings:
    """A new station of so many slots, whose pages listen somewhere on this machine."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{one.getsockname()[1]}"
    tables = {"web": {"listen": listen}, "spool": {"keep_after_confirm_s": 1, "second_look_after_s": 1}}
    settings = found(directory / "station", tables, now=wall_station.now())
    ports = [slots.Slot(number=n, port=f"pci-0000:00:14.0-usb-0:1.{n}") for n in range(1, count + 1)]
    settings.paths.slots.write_text(slots.render(ports))
    return settings


@contextmanager
def process(what: str, settings: config.Settings, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon or the pages of this station, in a process of its own, at work."""
    path = settings.paths.run.parent / config.SETTINGS_NAME
    command = [sys.executable, "-m", "bench.wall", "--here", what, "--settings", str(path), *more]
    running = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[1])
    try:
        if what == "pages":
            host, _, port = settings.web.listen.rpartition(":")
            while running.poll() is None:
                with socket.socket() as one:
                    if one.connect_ex((host, int(port))) == 0:
                        break
                time.sleep(0.05)
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


async def pages(path: Path) -> None:
    """The pages, until SIGTERM."""
    house = app.house(config.load(path))
    web = house.settings.web
    plain, _ = servers(house, build(house), tls_of(web, house.settings.paths.web))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: setattr(plain, "should_exit", True))
    try:
        await plain.serve(sockets=[listening("listen", web.listen)])
    finally:
        house.close()


# --- screens ---------------------------------------------------------------------------------------------------------


class Screens:
    """So many screens that follow; how old what they were shown was when it arrived."""

    def __init__(self, listen: str) -> None:
        self._host, _, port = listen.rpartition(":")
        self._port = int(port)
        self._tasks: list[asyncio.Task[None]] = []
        self.ages: list[float] = []
        self.events = 0

    def come(self, count: int) -> None:
        self._tasks = [asyncio.ensure_future(self._follow()) for _ in range(count)]

    async def go(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=1 << 20)
        ask = f"GET /wall/events?lang=zh HTTP/1.1\r\nhost: {self._host}:{self._port}\r\n\r\n"
        writer.write(ask.encode())
        last, first = "", True
        try:
            while line := await reader.readline():
                self.events += line.startswith(b"event: ")
                if line.startswith(b'data: {"runs"'):
                    shown = json.loads(line[6:])["shown"]
                    # The first tells only when the screen came; the others, how long the newest took to be there.
                    if shown and shown != last and not first:
                        self.ages.append((wall_station.now() - datetime.fromisoformat(shown)).total_seconds())
                    last, first = shown, False
        finally:
            writer.close()


async def campaign(
    work: Path, *, minutes: float, screens: int, recorders: int, warm_s: float, turn_s: float, still_s: float
) -> None:
    """Screens follow in every other turn while the recorders are pulled."""
    settings = station(work, max(recorders, 8))
    told = work / "told.json"
    with (
        process("daemon", settings, "--told", str(told), "--recorders", str(recorders)) as daemon,
        process("pages", settings),
    ):
        await asyncio.sleep(warm_s)
        room, following = await _at_rest(daemon.pid, told, still_s), Screens(settings.web.listen)
        speeds: dict[bool, list[float]] = {True: [], False: []}
        until, watched = time.monotonic() + minutes * 60, False
        while time.monotonic() < until or not speeds[True] or not speeds[False]:
            watched = not watched
            if watched:
                following.come(screens)
            await asyncio.sleep(1.0)  # of both sorts of turn, so that coming and going itself counts for neither
            before, began = _pulled(told), time.monotonic()
            await asyncio.sleep(turn_s)
            speeds[watched].append((_pulled(told) - before) / (time.monotonic() - began))
            if watched:
                await following.go()
        grown = await _at_rest(daemon.pid, told, still_s) / room - 1
        if daemon.poll() is not None:
            raise RuntimeError("the daemon ended")
    _tell(speeds, room, grown, following, screens, recorders)


def _tell(
    speeds: dict[bool, list[float]], room: int, grown: float, following: Screens, screens: int, recorders: int
) -> None:
    note = f"from {room >> 20} MiB; {screens} screens, {recorders} recorders, {sum(map(len, speeds.values()))} turns"
    tell("wall_screens_memory_growth", max(grown, 0), "ratio", goal=Goal(sign="<=", value=GROWS), note=note)
    pairs = list(zip(speeds[True], speeds[False], strict=False))
    falls = [1 - watched / alone for watched, alone in pairs]
    # All turns of a sort together: the spool's emptying makes single ones anything from nothing to twice as much.
    speed = statistics.fmean(speeds[False]) / 2**20
    fall = 1 - statistics.fmean(speeds[True]) / statistics.fmean(speeds[False])
    goal = Goal(sign="<=", value=FALLS)
    tell(
        "wall_screens_pull_falls",
        max(fall, 0),
        "ratio",
        goal=goal,
        note=f"{speed:.0f} MiB/s without; turns {[round(f, 3) for f in falls]}",
    )
    ages = sorted(following.ages) or [0.0]
    p99, note = (
        ages[int(len(ages) * 0.99)],
        f"{len(following.ages)} updates, the slowest {ages[-1]:.2f} s; {following.events} events",
    )
    tell("wall_screens_update_p99", p99, "s", goal=Goal(sign="<=", value=LATE_S), note=note)


async def _at_rest(pid: int, told: Path, still_s: float) -> int:
    """The memory it has when all recorders were emptied and taken out, and central storage has everything.

    Between dockings the buffers of whatever is docked at a moment would be compared, which come and go.
    """
    os.kill(pid, signal.SIGUSR1)
    before = -1
    while before != (before := _pulled(told)):  # noqa: ASYNC110  (another process does it)
        await asyncio.sleep(still_s)
    await asyncio.sleep(still_s)
    resting = _rss(pid)
    os.kill(pid, signal.SIGUSR1)
    await asyncio.sleep(still_s)
    return resting


def _rss(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) << 10


def _pulled(told: Path) -> int:
    return int(json.loads(told.read_text())["read"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.wall", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--screens", type=int, default=30)
    parser.add_argument("--recorders", type=int, default=8)
    parser.add_argument("--warm", type=float, default=WARM_S)
    parser.add_argument("--turn", type=float, default=TURN_S)
    parser.add_argument("--still", type=float, default=STILL_S)
    parser.add_argument("--work", type=Path, default=Path("/dev/shm"), help="a folder with 4 GiB of room")
    parser.add_argument("--here", choices=("daemon", "pages"), help=argparse.SUPPRESS)
    parser.add_argument("--settings", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--told", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.here == "pages":
        asyncio.run(pages(asked.settings))
    elif asked.here == "daemon":
        asyncio.run(wall_station.run(asked.settings, asked.told, asked.recorders))
    else:
        machine(minutes=asked.minutes)
        work = Path(tempfile.mkdtemp(prefix="bwcdock-bench-", dir=asked.work))
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        sized = {"minutes": asked.minutes, "screens": asked.screens, "recorders": asked.recorders}
        try:
            asyncio.run(campaign(work, **sized, warm_s=asked.warm, turn_s=asked.turn, still_s=asked.still))
        finally:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
