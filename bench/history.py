"""What a long history costs: planning, starting, answering, and every new recording."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from bwcdock.clock import WallClock
from bwcdock.core.facts import SPOOL
from bwcdock.core.plan import World, plan
from bwcdock.core.record import Record, State
from bwcdock.ledger import open_read_only
from bwcdock.settings import Settings

from bench import cards, ledgers, scrape, stations
from bench.figures import Goal, Others, median, tell, timed
from bench.scale import Scale

KIB = 1 << 10
ROUNDS = 5


def planning(scale: Scale) -> None:
    """Plan over open records: a third listed on docked recorders, a third pulled, a third waiting to be pushed."""
    with finished(scale) as (_, records):
        world = _world(records, scale.plan_records)
    others = Others(scale.calm_s)
    with others.watching():
        took = [timed(lambda: plan(world)) * 1000 for _ in range(11)]
    name = f"plan_{scale.plan_records}"
    tell(name, median(took), "ms", goal=Goal(sign="<=", value=100), of=sorted(took), others=others.share)


def _world(records: list[Record], wanted: int) -> World:
    """Open records of 24 recorders made from finished ones, with as much in flight as a full dock has."""
    now = WallClock().now()
    open_records: dict[str, Record] = {}
    for number in range(wanted):
        state = (State.LISTED, State.PULLED, State.SEALED)[number % 3]
        record = replace(
            records[number % len(records)],
            id=f"{number:032x}",
            recorder=f"R{number % 24}",
            state=state,
            listed_at=now - timedelta(seconds=number),
            copies=frozenset({SPOOL}) if state is State.SEALED else frozenset(),
            held=(),
        )
        open_records[record.id] = record
    docked = {rid: f"session {r.recorder}" for rid, r in open_records.items() if r.state is State.LISTED}
    world = World(now=now, records=open_records, docked=docked, sinks={"central": now}, room=1 << 50)
    return replace(world, busy=frozenset(plan(world).actions[:100]))


@contextmanager
def finished(scale: Scale) -> Iterator[tuple[Settings, list[Record]]]:
    """A station that has carried one card to the end, a week ago as it were; and its records."""
    station = scale.work / "finished"
    card = cards.hollow(scale.work / "first.exfat", ledgers.SERIAL, files=scale.docked_files, size_each=64 * KIB)
    settings = stations.founded(station)
    try:
        stations.carry(settings, [card])
        ledgers.finish(settings)
        with open_read_only(settings.paths.ledger) as ledger:
            yield settings, ledger.records()
    finally:
        card.unlink()
        shutil.rmtree(station)


def history(scale: Scale) -> None:
    """Stations without and with a history: how they start, answer, and what a new recording costs there."""
    with finished(scale) as (settings, _):
        form = ledgers.Form(settings.paths.ledger)
    stood = {wanted: stations.founded(scale.work / f"history{wanted}", _long_ago()) for wanted in scale.histories}
    try:
        for wanted, settings in stood.items():
            if wanted:
                ledgers.fill(settings, form, wanted)
                ledgers.proven(settings)
        longest = max(stood)
        _started(scale, longest, stood[longest])
        _docked(scale, stood)
        scrape.scrape(scale, longest, stood[longest])
    finally:
        for wanted in stood:
            shutil.rmtree(scale.work / f"history{wanted}")


def _long_ago() -> datetime:
    return WallClock().now() - timedelta(days=ledgers.DAYS + 1)


def _started(scale: Scale, wanted: int, settings: Settings) -> None:
    directory = settings.paths.ledger.parent
    starts, answers, others = [], [], Others(scale.calm_s)
    for _ in range(3):
        with others.watching():
            starts.append(_start(directory, settings))
            answers.append(timed(lambda: _command(directory, "status", stdout=subprocess.DEVNULL).check_returncode()))
    note = f"{wanted} finished recordings; the whole command, with Python's own start"
    goals = Goal(sign="<=", value=3), Goal(sign="<=", value=1)
    tell(f"start_{wanted}", median(starts), "s", goal=goals[0], of=starts, others=others.share, note=note)
    tell(f"status_{wanted}", median(answers), "s", goal=goals[1], of=answers, others=others.share, note=note)


def _start(directory: Path, settings: Settings) -> float:
    """Seconds from ``bwcdock run`` until the ledger says that the station is on."""
    with open_read_only(settings.paths.ledger) as ledger:
        before, begun = ledger.size, time.perf_counter()
        running = subprocess.Popen(_arguments(directory, "run"), stderr=subprocess.DEVNULL)
        try:
            while ledger.size == before:
                if running.poll() is not None or time.perf_counter() - begun > 60:
                    raise RuntimeError("the station does not start")
                time.sleep(0.01)
            return time.perf_counter() - begun
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait()


def _arguments(directory: Path, *words: str) -> list[str]:
    return [sys.executable, "-c", "from bwcdock.cli import main; main()", "-C", str(directory), *words]


def _command(directory: Path, *words: str, stdout: int) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(_arguments(directory, *words), stdout=stdout, check=False)


def _docked(scale: Scale, stood: dict[int, Settings]) -> None:
    """Round after round, the same small card at every station, shortest history first: dock, pull, seal, push."""
    took: dict[int, list[float]] = {wanted: [] for wanted in stood}
    others = Others(scale.calm_s)
    for number in range(1 if scale.pairs == 1 else ROUNDS):
        device = ledgers.serial(number)  # a recorder the stations know, and new recordings on it
        card = cards.hollow(scale.work / f"{device}.exfat", device, files=scale.docked_files, size_each=64 * KIB)
        os.sync()
        with others.watching():
            for wanted, settings in stood.items():
                took[wanted].append(stations.carry(settings, [card]).seconds * 1000 / scale.docked_files)
        card.unlink()
    base = median(took[0])
    note = "dock, list, pull, seal, push and receipt of small files, of a recorder that has its share of the history"
    tell("recording_cost", base, "ms", of=took[0], others=others.share, note=note)
    for wanted in sorted(stood)[1:]:
        ratios = [a / b for a, b in zip(took[wanted], took[0], strict=True)]
        name, goal = f"recording_cost_at_{wanted}", Goal(sign="<=", value=1.3)
        tell(name, median(ratios), "ratio", goal=goal, of=ratios, others=others.share)
