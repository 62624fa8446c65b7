"""Makes a catalogue again from central storage alone, and finds where the two differ."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection, delete, select, text, update

from bwcdock.catalogue import versions, writing
from bwcdock.catalogue.agreeing import Known, Sighting
from bwcdock.catalogue.papers import Batch, Papers
from bwcdock.catalogue.schema import copy, day_count, hold, recording, sighting, station
from bwcdock.catalogue.store import Catalogue
from bwcdock.lanes import Lane
from bwcdock.ledger import Verifier
from bwcdock.ledger.codec import to_ms
from bwcdock.manifest import Annotation

PATIENCE_S = 600.0
"""How long a few hundred papers may take: a share over a slow line has them one by one."""

MADE = (recording, sighting, copy, hold, day_count)
"""All that is made again. The stations stay, told to begin anew."""

Tell = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Rebuilt:
    """What a catalogue was made of, and what was not believed."""

    manifests: int = 0
    statements: int = 0
    refused: list[str] = field(default_factory=list)


async def rebuild(catalogue: Catalogue, papers: Sequence[Papers], keys: Sequence[Verifier], *, tell: Tell) -> Rebuilt:
    """Throw away what the catalogue holds, and take what the papers say.

    Stations that follow their ledgers at the same time begin from the first entry again, and have the last word: what
    they say is joined with what the papers say, whichever comes first. If it dies, it is begun again.
    """
    made = Rebuilt()
    await catalogue.run(versions.must_be_current)
    await catalogue.run(partial(_empty, keys=keys))
    for place in papers:
        async with _read(place.manifests()) as batches:
            async for batch in batches:
                await catalogue.run(partial(writing.take, sightings=batch.sightings))
                made.manifests += len(batch.sightings)
                made.refused += map(str, batch.refused)
                tell(f"{place.name}: {made.manifests} manifests")
    await catalogue.run(writing.recount)
    for place in papers:
        async with _read(place.statements(newest_first=False)) as batches:
            async for batch in batches:
                await catalogue.run(partial(_take_statement, batch=batch, sink=place.name))
                made.statements += not batch.refused
                made.refused += map(str, batch.refused)
                tell(f"{place.name}: {made.statements} statements")
    return made


def _empty(db: Connection, keys: Sequence[Verifier]) -> None:
    for table in MADE:
        db.execute(text(f"TRUNCATE {table.name}") if db.dialect.name == "postgresql" else delete(table))
    db.execute(update(station).values(seq=0, at_ms=None))  # every one: what each had told is gone as well
    rows = [{"origin": key.origin, "public_key": key.vkey, "seq": 0, "at_ms": None} for key in keys]
    writing.put(db, station, ("origin",), rows)


def _take_statement(db: Connection, batch: Batch, sink: str) -> None:
    """What people said; and the station's own counts, which know of what never came to central storage."""
    writing.take(db, batch.sightings, batch.holds)
    rows = [
        {"station": origin, "sink": sink, "day": day.day, "received": day.received, "stored": day.stored,
         "readable": day.readable}
        for origin, day in batch.days
    ]  # fmt: skip
    writing.put(db, day_count, ("station", "sink", "day"), rows)


# --- comparing --------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Compared:
    """Where catalogue and central storage differ, a line each; ``coming`` is there and was not told of yet."""

    manifests: int = 0
    coming: int = 0
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.extra or self.different or self.refused)


async def compare(catalogue: Catalogue, papers: Sequence[Papers], keys: Sequence[Verifier], *, tell: Tell) -> Compared:
    """Find what central storage has and the catalogue has not, and the other way round; changes neither.

    Only stations whose key was given are looked at. What a station did not tell of yet is no difference.
    """
    told = Compared()
    await catalogue.run(versions.must_be_current)
    told_up_to = dict(await catalogue.run(_told_up_to))
    for place in papers:
        seen: set[tuple[str, str]] = set()
        async with _read(place.manifests()) as batches:
            async for batch in batches:
                seen.update((station_, key) for key, station_ in batch.keys)
                told.refused += map(str, batch.refused)
                told.manifests += len(batch.sightings)
                had = await catalogue.run(partial(_had, batch=batch))
                for (key, _), expected in zip(batch.keys, batch.sightings, strict=True):
                    _compare_one(told, f"{place.name}/{key}", expected, had, told_up_to)
                tell(f"{place.name}: {told.manifests} manifests")
        await _compare_said(catalogue, place, told)
        await _extra(catalogue, place, {key.origin for key in keys}, seen, told)
    return told


def _told_up_to(db: Connection) -> list[tuple[str, int]]:
    return [(row.origin, row.at_ms or 0) for row in db.execute(select(station.c.origin, station.c.at_ms))]


def _had(db: Connection, batch: Batch) -> dict[tuple[str, str], Sighting]:
    return writing.stood(db, {each.record for each in batch.sightings})


def _compare_one(
    told: Compared,
    where: str,
    expected: Sighting,
    had: dict[tuple[str, str], Sighting],
    told_up_to: dict[str, int],
) -> None:
    found = had.get((expected.record, expected.station))
    (there,) = expected.copies
    copies = {each.sink: each for each in found.copies} if found else {}
    here = copies.get(there.sink)
    if found is None or found.known is None or here is None:
        known = expected.known
        at_ms = max(there.confirmed_ms or 0, to_ms(known.received_at) if known and known.received_at else 0)
        if at_ms > told_up_to.get(expected.station, 0) > 0:
            told.coming += 1
        else:
            told.missing.append(f"{where}: recording {expected.record} is not in the catalogue.")
        return
    assert expected.known is not None
    if here.bad:
        told.different.append(f"{where}: is here, and the catalogue says that this copy is bad.")
    elif here.key != there.key:
        told.different.append(f"{where}: the catalogue says it lies at {here.key}.")
    told.different += (
        f"{where}: {name} is {is_!r} in the catalogue; the manifest says {was!r}."
        for name, is_, was in _differences(found.known, expected.known)
    )


def _differences(found: Known, expected: Known) -> Iterator[tuple[str, object, object]]:
    """What a manifest says once and for all; state and deadline go on after it."""
    for name in ("recorder", "unit", "path", "size", "sha256", "user", "start", "end", "duration_ms", "received_at"):
        is_, was = getattr(found, name), getattr(expected, name)
        if is_ != was:
            yield name, is_, was


async def _compare_said(catalogue: Catalogue, place: Papers, told: Compared) -> None:
    """The newest word of each recording; older ones were replaced by it."""
    seen: set[tuple[str, str]] = set()
    async with _read(place.statements(newest_first=True)) as batches:
        async for batch in batches:
            told.refused += map(str, batch.refused)
            new = [each for each in batch.sightings if (each.record, each.station) not in seen]
            seen.update((each.record, each.station) for each in new)
            had = await catalogue.run(partial(_had, batch=Batch(sightings=tuple(new))))
            for each in new:
                found = had.get((each.record, each.station))
                if found is None or found.said_of.seq > each.said_of.seq:
                    continue  # not there (told above), or said otherwise since
                if _words(found.said) != _words(each.said):
                    told.different.append(f"{place.name}: what is said of recording {each.record} differs.")


def _words(said: Annotation | None) -> object:
    """What people said; how it stood against its deadline is of a moment."""
    return said.model_dump(exclude={"manifest", "judged", "sessions", "holds"}) if said else None


async def _extra(
    catalogue: Catalogue, place: Papers, stations: set[str], seen: set[tuple[str, str]], told: Compared
) -> None:
    """What the catalogue says is here and the listing did not have; asked for again, it may have come meanwhile."""
    lane, after = Lane("asks again"), ("", "")
    try:
        while rows := await catalogue.run(partial(_page, sink=place.name, after=after)):
            for record, of, key in rows:
                if of in stations and (of, key) not in seen and not await lane.call(
                    place.holds, key, timeout_s=PATIENCE_S
                ):  # fmt: skip
                    told.extra.append(f"{place.name}/{key}: recording {record} of {of} is not there.")
            after = (rows[-1][0], rows[-1][1])
    finally:
        lane.close()


def _page(db: Connection, sink: str, after: tuple[str, str]) -> list[tuple[str, str, str]]:
    record, of = after
    behind = (copy.c.record > record) | ((copy.c.record == record) & (copy.c.station > of))
    rows = (
        select(copy.c.record, copy.c.station, copy.c.key)
        .where(copy.c.sink == sink, ~copy.c.bad, behind)
        .order_by(copy.c.record, copy.c.station)
        .limit(5000)
    )
    return [(row.record, row.station, row.key) for row in db.execute(rows)]


# --- reading ahead ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _read(papers: Generator[Batch]) -> AsyncIterator[AsyncIterator[Batch]]:
    """The batches, read on a lane, the next one while the one before is written."""
    lane = Lane("reads papers", last=papers.close)
    try:
        yield _batches(lane, papers)
    finally:
        lane.close()


async def _batches(lane: Lane, papers: Generator[Batch]) -> AsyncIterator[Batch]:
    coming = _next(lane, papers)
    try:
        while (batch := await coming) is not None:
            coming = _next(lane, papers)
            yield batch
    finally:
        coming.cancel()


def _next(lane: Lane, papers: Generator[Batch]) -> "asyncio.Task[Batch | None]":
    return asyncio.ensure_future(lane.call(next, papers, None, timeout_s=PATIENCE_S))
