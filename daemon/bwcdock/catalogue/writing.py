"""Taking into a catalogue what stations say: joined with what they said before, agreed on, counted by day."""

import json
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    column,
    delete,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from bwcdock.catalogue import grams
from bwcdock.catalogue.agreeing import KNOWN, Agreed, Copy, Mark, Sighting, Source, agree, join
from bwcdock.catalogue.schema import Grams, copy, day_count, hold, recording, sighting, station
from bwcdock.errors import Misused
from bwcdock.ledger.codec import to_ms
from bwcdock.manifest import Annotation

BUCKETS = 64
"""What writers on PostgreSQL lock is one of so many parts of all recordings: as many locks as PostgreSQL reckons with
for each connection. A dock at work takes a few of them; two that wait for each other would have to meet in one."""

_OF_RECORDINGS, _OF_STATIONS = 0x62776301, 0x62776302

_COPY = ("sink", "key", "version", "confirmed_ms", "looked_ms", "bad")


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A station as the catalogue names it; ``origin`` is the name of its ledger."""

    origin: str
    name: str
    unit: str
    public_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldLine:
    """A hold of a station, open or lifted."""

    station: str
    id: str
    is_open: bool
    reason: str
    placed_by: str
    since: datetime
    of: Mark


# --- stations ---------------------------------------------------------------------------------------------------------


def position(db: Connection, who: Station) -> int:
    """How many leaves of the station's ledger are in the catalogue.

    ``Misused`` where another station (of another key) stands there under its name: the two would take turns in saying
    the same recordings otherwise.
    """
    found = db.execute(select(station.c.public_key, station.c.seq).where(station.c.origin == who.origin)).first()
    if found is None:
        return 0
    if found.public_key not in {"", who.public_key}:
        what = f"The catalogue holds another station called {who.origin}, which signs with another key."
        raise Misused("follow the ledger", what, "Give each station a name of its own before it is founded.")
    return int(found.seq)


def settle(db: Connection, who: Station, was: int, now: int, at: datetime) -> None:
    """Remember that the leaves below ``now`` are in the catalogue, where the position is still ``was``.

    Raises :class:`Moved` where somebody made the catalogue anew meanwhile: then all of it is said again.
    """
    if position(db, who) != was:
        raise Moved
    row = {"origin": who.origin, "name": who.name, "unit": who.unit, "public_key": who.public_key}
    put(db, station, ("origin",), [{**row, "seq": now, "at_ms": to_ms(at)}])


class Moved(Exception):
    """The position in the catalogue is no longer what it was."""


# --- sightings --------------------------------------------------------------------------------------------------------


def take(db: Connection, sightings: Iterable[Sighting], holds: Sequence[HoldLine] = ()) -> None:
    """Take what stations say, and agree anew on every recording of which any of it is new. Harmless twice.

    On PostgreSQL others write at the same time. Whoever writes of a recording locks it first and only then looks at
    what everybody says of it, so that the last to agree has seen all.
    """
    told: dict[tuple[str, str], Sighting] = {}
    for each in sightings:
        key = (each.record, each.station)
        told[key] = join(told[key], each) if key in told else each
    records = {record for record, _ in told}
    _lock(db, _OF_RECORDINGS, records)
    _lock(db, _OF_STATIONS, {of for _, of in told})
    had = stood(db, records)
    changed = []
    for key, new in told.items():
        joined = join(had[key], new) if key in had else new
        if joined != had.get(key):
            changed.append(joined)
        had[key] = joined
    _put_sightings(db, changed)
    _put_holds(db, holds)
    of_each: dict[str, list[Sighting]] = defaultdict(list)
    for each in had.values():
        of_each[each.record].append(each)
    agreed = [agree(of_each[record]) for record in dict.fromkeys(each.record for each in changed)]
    put(db, recording, ("id",), [row_of(each) for each in agreed if each is not None])


def stood(db: Connection, records: Collection[str]) -> dict[tuple[str, str], Sighting]:
    """What every station says of these recordings, by recording and station."""
    if not records:
        return {}
    copies: dict[tuple[str, str], list[Copy]] = defaultdict(list)
    for row in db.execute(select(copy).where(copy.c.record.in_(records))):
        copies[row.record, row.station].append(Copy(**{name: getattr(row, name) for name in _COPY}))
    return {
        (row.record, row.station): Sighting(
            record=row.record,
            station=row.station,
            known=KNOWN.validate_json(row.known) if row.known else None,
            known_of=Mark(source=Source(row.source), seq=row.seq),
            copies=tuple(sorted(copies[row.record, row.station])),
            said=Annotation.model_validate_json(row.said) if row.said else None,
            said_of=Mark(source=Source(row.said_source), seq=row.said_seq),
        )
        for row in db.execute(select(sighting).where(sighting.c.record.in_(records)))
    }


def sighting_row(each: Sighting) -> dict[str, Any]:
    """The row that keeps what a station says, but for the copies."""
    return {
        "record": each.record,
        "station": each.station,
        "source": each.known_of.source.value,
        "seq": each.known_of.seq,
        "known": KNOWN.dump_json(each.known, exclude_defaults=True).decode() if each.known else None,
        "said_source": each.said_of.source.value,
        "said_seq": each.said_of.seq,
        "said": each.said.model_dump_json(exclude_defaults=True) if each.said else None,
        "day": each.known.day if each.known else "",
        "owed": " ".join(each.known.owed) if each.known else "",
    }


def copy_rows(each: Sighting) -> list[dict[str, Any]]:
    """The rows that keep what a station says of the copies."""
    of = {"record": each.record, "station": each.station}
    return [{**of, **{name: getattr(one, name) for name in _COPY}} for one in each.copies]


def _put_sightings(db: Connection, changed: Sequence[Sighting]) -> None:
    put(db, sighting, ("record", "station"), list(map(sighting_row, changed)))
    if changed:
        pairs = [(each.record, each.station) for each in changed]
        db.execute(delete(copy).where(tuple_(copy.c.record, copy.c.station).in_(pairs)))
    put(db, copy, ("record", "station", "sink"), [row for each in changed for row in copy_rows(each)])


def _put_holds(db: Connection, holds: Sequence[HoldLine]) -> None:
    rows = [
        {
            "station": each.station,
            "id": each.id,
            "is_open": each.is_open,
            "reason": grams.plain(each.reason),
            "placed_by": grams.plain(each.placed_by),
            "since_ms": to_ms(each.since),
            "source": each.of.source.value,
            "seq": each.of.seq,
        }
        for each in holds
    ]
    newer = {"where": lambda new: tuple_(new.source, new.seq) >= tuple_(hold.c.source, hold.c.seq)}
    put(db, hold, ("station", "id"), rows, **newer)


def row_of(agreed: Agreed) -> dict[str, Any]:
    """The row by which a recording is found."""
    texts = grams.fields(agreed)

    def ms(moment: datetime | None) -> int | None:
        return None if moment is None else to_ms(moment)

    return {
        "id": agreed.record,
        "recorder": grams.plain(agreed.recorder),
        "unit": grams.plain(agreed.unit),
        "state": agreed.state.value,
        "kind": agreed.kind.value,
        "recorded_ms": to_ms(agreed.recorded_at),
        "received_ms": ms(agreed.received_at),
        "due_ms": ms(agreed.due),
        "basis_ms": ms(agreed.basis_at),
        "met_ms": ms(agreed.met_at),
        "excused": bool(agreed.excuse),
        "is_held": bool(agreed.holds),
        "is_disputed": agreed.disputed,
        "parties": "\t".join(texts[grams.PARTY]),
        "officers": "\t".join(texts[grams.OFFICER]),
        "place": "\t".join(texts[grams.PLACE]),
        "event": "\t".join(texts[grams.EVENT]),
        "words": "\t".join(texts[grams.WORD]),
        "grams": grams.of(agreed, texts),
    }


# --- daily counts -----------------------------------------------------------------------------------------------------


def days_of(sightings: Iterable[Sighting]) -> set[tuple[str, str]]:
    """The stations and days of which these are counted."""
    return {(each.station, each.known.day) for each in sightings if each.known and each.known.day}


def recount(db: Connection, days: Collection[tuple[str, str]] | None = None) -> None:
    """Count anew these days of these stations (``None``: all): received = stored = readable, in each sink.

    *Received* is everything the station sealed on that day, *stored* what the sink confirmed of it and did not lose,
    *readable* what was read there in full once more. A sink that holds nothing of what it is owed stands there too.
    """
    if days is not None and not days:
        return
    received: dict[tuple[str, str], int] = defaultdict(int)
    sinks: dict[tuple[str, str], set[str]] = defaultdict(set)
    of_day = (sighting.c.station, sighting.c.day)
    which = sighting.c.day != "" if days is None else tuple_(*of_day).in_(days)
    owed = select(*of_day, sighting.c.owed, func.count()).where(which).group_by(*of_day, sighting.c.owed)
    for of, day, names, count in db.execute(owed):
        received[of, day] += count
        sinks[of, day].update(names.split())
    stored: dict[tuple[str, str, str], tuple[int, int]] = {}
    good = case((copy.c.bad, 0), else_=1)
    readable = case((or_(copy.c.bad, copy.c.looked_ms.is_(None)), 0), else_=1)
    same = and_(copy.c.record == sighting.c.record, copy.c.station == sighting.c.station)
    held = select(*of_day, copy.c.sink, func.sum(good), func.sum(readable)).select_from(sighting.join(copy, same))
    for of, day, sink, whole, again in db.execute(held.where(which).group_by(*of_day, copy.c.sink)):
        sinks[of, day].add(sink)
        stored[of, day, sink] = (int(whole), int(again))
    gone = delete(day_count)
    db.execute(gone if days is None else gone.where(tuple_(day_count.c.station, day_count.c.day).in_(days)))
    rows = [_counted(of, day, sink, received, stored) for (of, day), each in sinks.items() for sink in sorted(each)]
    if rows:
        db.execute(day_count.insert(), rows)


def _counted(
    of: str,
    day: str,
    sink: str,
    received: Mapping[tuple[str, str], int],
    stored: Mapping[tuple[str, str, str], tuple[int, int]],
) -> dict[str, Any]:
    whole, again = stored.get((of, day, sink), (0, 0))
    row = {"station": of, "sink": sink, "day": day}
    return {**row, "received": received[of, day], "stored": whole, "readable": again}


# --- common -----------------------------------------------------------------------------------------------------------


def put(db: Connection, table: Table, key: tuple[str, ...], rows: Sequence[dict[str, Any]], where: Any = None) -> None:
    """Add these rows, or bring those with the same key up to date (only where ``where`` of the new row holds)."""
    if not rows:
        return
    names = list(rows[0])
    adding: Any
    if db.dialect.name == "postgresql":
        adding = postgresql.insert(table).from_select(names, _as_records(table, rows))
    else:
        adding = sqlite.insert(table)
    changes = {name: getattr(adding.excluded, name) for name in names if name not in key}
    only = where(adding.excluded) if where else None
    adding = adding.on_conflict_do_update(index_elements=list(key), set_=changes, where=only)
    db.execute(adding, {} if db.dialect.name == "postgresql" else list(rows))


def _as_records(table: Table, rows: Sequence[dict[str, Any]]) -> Select[Any]:
    """The rows as one JSON text: one statement takes a third of the time that one a row takes."""
    columns = [table.c[name] for name in rows[0]]
    # Made by the one writer of JSON here, in its plainest form; PostgreSQL turns each value into its column's type.
    told = literal(json.dumps(list(rows), ensure_ascii=False, separators=(",", ":")), Text)
    kinds = [postgresql.ARRAY(Text()) if isinstance(each.type, Grams) else each.type for each in columns]
    shape = [column(each.name, kind) for each, kind in zip(columns, kinds, strict=True)]
    records = func.json_to_recordset(cast(told, postgresql.JSON)).table_valued(*shape, name="new")
    return select(records.render_derived(with_types=True))


def _lock(db: Connection, space: int, names: Iterable[str]) -> None:
    """Until the end of the transaction, in one order for everybody, so that no two wait for each other."""
    buckets = sorted({zlib.crc32(name.encode()) % BUCKETS for name in names})
    if db.dialect.name == "postgresql" and buckets:
        told = text("SELECT pg_advisory_xact_lock(:space, bucket) FROM unnest(CAST(:buckets AS integer[])) AS bucket")
        db.execute(told, {"space": space, "buckets": buckets})
