"""What a scrape costs: every figure of a busy station with a long history, as Prometheus asks for it."""

import os
from dataclasses import replace
from datetime import timedelta

from bwcdock import app, meters, metrics
from bwcdock.clock import WallClock
from bwcdock.core.facts import (
    Actor,
    Arrived,
    Checked,
    Condition,
    Drift,
    Fact,
    Identified,
    Identity,
    Inventoried,
    Listed,
    Obliged,
    Sighting,
)
from bwcdock.core.statements import DeviceIssued, DeviceRegistered, DeviceReturned
from bwcdock.ledger import open_read_only
from bwcdock.settings import Settings
from bwcdock.steps.bench import Bench

from bench import ledgers
from bench.figures import Goal, Others, median, tell, timed
from bench.scale import Scale

RECORDERS = 40
"""A large dock."""

OWED = 50
"""Recordings on each of them that are still to be pulled."""

SHIFTS = 250
"""Issues and returns of each in the register: a year."""

SCRAPES = 21

OURS = 0xD0000000
"""What our ids begin with: those of the history count up from nothing."""


def scrape(scale: Scale, wanted: int, settings: Settings) -> None:
    """Scrape a station of so many recordings with 40 recorders in its slots, each issued for a year."""
    memory, law = metrics.Memory(), app.law_of(settings)
    shifts, owed = (SHIFTS, OWED) if scale.pairs > 1 else (5, 5)
    with app.opened(settings) as bench, open_read_only(settings.paths.ledger) as ledger:
        _docked(bench, owed)
        _issued(bench, shifts)
        (settings.paths.run / meters.NAME).write_bytes(_counted(bench, settings))

        def once() -> None:
            told.append(metrics.exposition(settings, ledger, law, WallClock().now(), memory=memory))

        told: list[bytes] = []
        first = timed(once) * 1000
        others = Others(scale.calm_s)
        with others.watching():
            took = [timed(once) * 1000 for _ in range(SCRAPES)]
        assert b"\nbwcdock_up 1.0\n" in told[-1]
        assert told[-1].count(b"\nbwcdock_recorder_out_due_timestamp_seconds{") == RECORDERS
    note = f"{len(told[-1])} bytes; the first, which also reads the register of {shifts} issues each: {first:.0f} ms"
    name = f"scrape_{RECORDERS}_recorders_at_{wanted}"
    tell(name, median(took), "ms", goal=Goal(sign="<=", value=50), of=sorted(took), others=others.share, note=note)


def _docked(bench: Bench, owed: int) -> None:
    """Forty recorders at once, listed and not pulled yet."""
    now = bench.clock.now()
    pattern = bench.book.ask(lambda ledger: ledger.recent(ledgers.serial(0), 1))[0]
    entries = bench.book.ask(lambda ledger: ledger.history(record=pattern.id))
    listed, obliged = (next(e.fact for e in entries if isinstance(e.fact, kind)) for kind in (Listed, Obliged))
    for number in range(RECORDERS):
        session, serial = f"{OURS + number:08x}{0:016x}", ledgers.serial(number)
        subject = {"session": session, "recorder": serial}
        drift = Drift(method="protocol", offset_ms=number * 100, uncertainty_ms=10, read_at=now)
        condition = Condition(battery=90, storage_free=1 << 34, storage_total=1 << 36, drift=drift)
        ids = tuple(f"{OURS + number:08x}{file:024x}" for file in range(owed))
        facts: list[Fact] = [
            Arrived(session=session, sighting=Sighting(port=f"usb-{number}", source="/dev/null", slot=number + 1)),
            Identified(**subject, driver="folder", identity=Identity(serial=serial, basis="label")),
            Checked(**subject, condition=condition, findings=()),
        ]
        for file, rid in enumerate(ids):
            item = replace(listed.item, path=f"DCIM/{file:06d}.mp4")
            facts.append(replace(listed, **subject, record=rid, item=item))
            due = now + timedelta(hours=file - owed // 2)
            facts.append(replace(obliged, **subject, record=rid, obligation=replace(obliged.obligation, due=due)))
        facts.append(Inventoried(**subject, records=ids, new=owed, known=0, size=owed << 30, findings=()))
        bench.book.record(facts)


def _issued(bench: Bench, shifts: int) -> None:
    """Each of them stands in the register, went out and came back again and again, and is out."""
    keeper = Actor(name="001", role="administrator")
    for number in range(RECORDERS):
        name = ledgers.serial(number)
        out = DeviceIssued(matter=name, to="002", expected_back=None, checked=("clock", "battery"), findings=())
        back = DeviceReturned(matter=name)
        facts: list[Fact] = [DeviceRegistered(matter=name, unit="bench"), *[out, back] * shifts, out]
        bench.book.record(facts, keeper)


def _counted(bench: Bench, settings: Settings) -> bytes:
    """What a daemon that has been at work for a while publishes."""
    for number in range(meters.MOST_RECORDERS):
        bench.meters.pulling(f"R{number}", number % RECORDERS)(1 << 30)
        bench.meters.docked(number % RECORDERS)
    for step in ("pull", "seal", "push", "confirm", "look", "release"):
        bench.meters.took(step, 1, 1 << 30)
    for sink in settings.sink:
        bench.meters.pushed(sink.name, 1 << 30)
    return bench.meters.exposition(os.getpid(), bench.clock.now(), "synchronised")
