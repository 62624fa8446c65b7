"""Looks at the station for the wall: who works here and what he published, the places, and what the register says."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from bwcdock import overview, slots
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.people import Person
from bwcdock.core.facts import Receipted
from bwcdock.core.live import LiveView, RoomView
from bwcdock.core.wall import Custody, Place, places
from bwcdock.errors import Misused
from bwcdock.ledger import Reader
from bwcdock.metrics import station
from bwcdock.settings import Settings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look: every place, whether a daemon works here, and what it published, ``None`` where that is old."""

    places: tuple[Place, ...]
    runs: bool
    live: LiveView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What a receipt (移交回执) is about, as the ledger has it: enough to find and to compare it."""

    session: str
    recorder: str
    count: int
    size: int
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Registers:
    """What changes rarely: whose the docked recorders are, by serial, and their receipts, by docking.

    ``inflow`` is how many bytes came in during the last week, as it was read at ``inflow_at``; ``left_s`` for how many
    seconds the spool has room at that.
    """

    custody: Mapping[str, Custody] = field(default_factory=dict)
    handed: Mapping[str, Handed] = field(default_factory=dict)
    inflow: int = 0
    inflow_at: datetime | None = None
    left_s: float | None = None

    @property
    def days(self) -> int | None:
        """The whole days of that."""
        return None if self.left_s is None else int(self.left_s // 86400)


class Eyes:
    """Looks again and again, and reads anew only what changed. Blocking: call it on a lane, from one at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._live_mark: object = None
        self._live: LiveView | None = None
        self._slots_mark: object = ()
        self._places: tuple[Place, ...] = ()

    def look(self, now: datetime) -> Seen:
        """What is there now."""
        pid = overview.running(self._settings)
        mark = _mark(self._settings.paths.run / overview.LIVE_NAME)
        if mark != self._live_mark:
            self._live_mark, self._live = mark, overview.published(self._settings)
        live = self._live
        fresh = live is not None and live.pid == pid and abs(now - live.at) <= timedelta(seconds=overview.FRESH_S)
        return Seen(places=self._look_at_places(), runs=pid is not None, live=live if fresh else None)

    def _look_at_places(self) -> tuple[Place, ...]:
        mark = _mark(self._settings.paths.slots)
        if mark == self._slots_mark:
            return self._places
        self._slots_mark = mark
        try:
            known = slots.load(self._settings.paths.slots)
        except Misused as error:  # what was there before stays on the wall until it is mended
            log.warning("wall.slots", what=str(error))
            return self._places
        drops = [(drop.slot, drop.path.name, f"drop:{at}:") for at, drop in enumerate(self._settings.drop, 1)]
        self._places = places([slot.number for slot in known], drops)
        return self._places


def _mark(path: Path) -> object:
    """Another one whenever the file was replaced; ``None`` where there is none."""
    try:
        told = os.stat(path)
    except OSError:
        return None
    return (told.st_ino, told.st_mtime_ns, told.st_size)


INFLOW_AGAIN = timedelta(minutes=5)
"""How old the week's inflow may be: it changes by a recording, and is read from hundreds."""


def registers(
    ledger: Reader,
    serials: Iterable[str],
    receipted: Iterable[str],
    before: Registers,
    room: RoomView | None,
    now: datetime,
) -> Registers:
    """What the register says of these recorders, the receipts of these dockings, and how long the spool has room.

    A receipt never changes.
    """
    custody = {serial: told for serial in serials if (told := _custody(ledger, serial)) is not None}
    handed = {name: before.handed.get(name) or _handed(ledger, name) for name in receipted}
    inflow, at = before.inflow, before.inflow_at
    if at is None or abs(now - at) >= INFLOW_AGAIN:
        inflow, at = ledger.inflow(now - station.INFLOW_OVER), now
    return Registers(
        custody=custody,
        handed={name: told for name, told in handed.items() if told is not None},
        inflow=inflow,
        inflow_at=at,
        left_s=station.lasts(ledger, now, room, inflow),
    )


def _custody(ledger: Reader, serial: str) -> Custody | None:
    device = ledger.matter(Device, serial)
    if device is None:
        return None
    person = ledger.matter(Person, device.holder) if device.holder else None
    return Custody(state=device.state, holder=device.holder, name=person.name if person else device.holder)


def _handed(ledger: Reader, session: str) -> Handed | None:
    for entry in ledger.history(session=session, ev=Receipted.ev):
        fact = entry.fact
        if isinstance(fact, Receipted):
            return Handed(
                session=session,
                recorder=fact.recorder,
                count=fact.count,
                size=fact.size,
                digest=fact.digest,
                at=entry.at,
            )
    return None
