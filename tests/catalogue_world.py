"""Catalogues on a real database and stations that tell them, for the tests of the catalogue."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from bwcdock.catalogue import Catalogue, Found, Place, Sought, searching, versions, writing
from bwcdock.catalogue.following import Follower
from bwcdock.catalogue.schema import copy, day_count, hold, recording, sighting, station
from bwcdock.catalogue.telling import Teller
from bwcdock.catalogue.writing import Station
from bwcdock.clock import WallClock
from bwcdock.core.facts import Corrected, Fact, Sealed
from bwcdock.core.statements import Label, Tagged
from bwcdock.ledger import Ledger, Signer
from ledger_world import life, listed, obliged, visit
from sqlalchemy import Connection, select

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
TABLES = (station, recording, sighting, copy, hold, day_count)


def rid(number: int) -> str:
    return f"{number:032x}"


class Dock:
    """A station's ledger, written by hand, and what follows it."""

    def __init__(self, directory: Path, name: str = "dock-1", unit: str = "一大队") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.name, self.unit, self.path = name, unit, directory
        self.origin = f"bureau/{name}"
        self.signer = Signer.generate(directory / "key.pem", self.origin)
        self.ledger = Ledger.create(directory, "S4-fuzhou", self.signer, T0, mono=lambda: 12.5)
        self.at = T0

    @property
    def who(self) -> Station:
        return Station(origin=self.origin, name=self.name, unit=self.unit, public_key=self.signer.verifier.vkey)

    def teller(self) -> Teller:
        return Teller(origin=self.origin, unit=self.unit, zone=ZONE, at_risk_ratio=0.25)

    def say(self, *facts: Fact, after_s: float = 60) -> None:
        self.at += timedelta(seconds=after_s)
        self.ledger.append(list(facts), self.at)

    def bring(
        self, number: int, *, recorder: str = "R1", steps: int = 6, label: Label | None = None, officer: str = "",
        recorded_at: datetime | None = None,
    ) -> str:  # fmt: skip
        """One recording, for so many ``steps``: listed, obliged, pulled, sealed, confirmed, looked at."""
        record = rid(number)
        start = recorded_at or T0 + timedelta(minutes=number)
        corrected = Corrected(start=start, end=None, method="uncorrected", offset_ms=0, uncertainty_ms=2000)
        made = listed(record, "s1", recorder)
        own = {
            0: replace(made, item=replace(made.item, officer=officer), corrected=corrected),
            1: obliged(record, start + timedelta(days=1)),
        }
        facts = [own.get(step, fact) for step, fact in enumerate(life(record, "s1", recorder)[:steps])]
        facts = [replace(fact, corrected=corrected) if isinstance(fact, Sealed) else fact for fact in facts]
        self.say(*facts)
        if label is not None:
            self.tag(record, label, recorder)
        return record

    def tag(self, record: str, label: Label, recorder: str = "R1") -> None:
        self.say(Tagged(record=record, recorder=recorder, label=label))

    def docked(self) -> None:
        self.say(*visit())

    def close(self) -> None:
        self.ledger.close()


@asynccontextmanager
async def made(place: Place) -> AsyncIterator[Catalogue]:
    """A catalogue with its tables."""
    async with Catalogue(place) as catalogue:
        await catalogue.run(versions.upgrade)
        yield catalogue


@asynccontextmanager
async def following(dock: Dock, catalogue: Catalogue, *, batch: int = 500) -> AsyncIterator[Follower]:
    follower = Follower(dock.path, catalogue, WallClock(), who=dock.who, teller=dock.teller(), batch=batch)
    try:
        yield follower
    finally:
        follower.close()


async def told(dock: Dock, catalogue: Catalogue, *, batch: int = 500) -> int:
    """Have the dock tell all it has; in how many batches."""
    async with following(dock, catalogue, batch=batch) as follower:
        return await caught_up(follower)


async def caught_up(follower: Follower) -> int:
    rounds = 0
    while await follower.once():
        rounds += 1
    return rounds


async def found(catalogue: Catalogue, sought: Sought, now: datetime = T0, *, limit: int = 50) -> list[str]:
    """The ids of all that is found, page by page, each page no longer than asked for."""
    ids: list[str] = []
    after = ""
    while True:
        asked = partial(searching.search, sought=sought, now=now, at_risk_ratio=0.25, after=after, limit=limit)
        page = await catalogue.run(asked)
        assert len(page.found) <= limit
        ids += [each.agreed.record for each in page.found]
        if not page.next:
            count = await catalogue.run(lambda db: searching.how_many(db, sought, now, 0.25))
            assert count == len(ids)
            return ids
        after = page.next


async def one(catalogue: Catalogue, record: str) -> Found:
    shown = await catalogue.run(lambda db: searching.one(db, record))
    assert shown is not None
    return shown


def everything(db: Connection) -> dict[str, list[tuple[object, ...]]]:
    """All that is in a catalogue, but the numbers the database gives its rows."""
    content = {}
    for table in TABLES:
        columns = [column for column in table.c if column.name != "number"]
        content[table.name] = sorted((tuple(map(_plain, row)) for row in db.execute(select(*columns))), key=repr)
    return content


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def take(db: Connection, batch: Iterable[writing.Sighting]) -> None:
    taken = list(batch)
    writing.take(db, taken)
    writing.recount(db, writing.days_of(taken))
