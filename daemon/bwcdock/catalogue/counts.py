"""What a catalogue counts: received = stored = readable by day, and its figures for Prometheus."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, and_, case, func, or_, select

from bwcdock.catalogue.schema import day_count, recording, station

SETTLED_DAYS = 2
"""Days after which a day's counts must be equal: the second look at a central copy is due a day after the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Of what a station sealed on one of its days: how many were received, are stored in a sink, were read there again.

    ``station`` is the name of its ledger.
    """

    station: str
    sink: str
    day: str
    received: int
    stored: int
    readable: int

    @property
    def agrees(self) -> bool:
        """Whether all three are equal."""
        return self.received == self.stored == self.readable

    def mark(self, settled: str) -> str:
        """What is said of it; ``settled`` is the first day that may still be open."""
        if self.agrees:
            return "一致"
        return "不一致" if self.day < settled else "未满期"


def days(db: Connection, since: str, of: str = "") -> tuple[Day, ...]:
    """The days from ``since`` on (``YYYY-MM-DD``), newest first; of one station, or of all."""
    where = [day_count.c.day >= since, *([day_count.c.station == of] if of else [])]
    order = (day_count.c.day.desc(), day_count.c.station, day_count.c.sink)
    names = [column.name for column in day_count.c]
    found = db.execute(select(day_count).where(*where).order_by(*order))
    return tuple(Day(**dict(zip(names, row, strict=True))) for row in found)


class _Given(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def exposition(db: Connection, settled: str) -> bytes:
    """The catalogue's figures in the text form of Prometheus; ``settled`` as in :meth:`Day.mark`."""
    return generate_latest(_Given(list(_families(db, settled))))


def _families(db: Connection, settled: str) -> Iterator[Metric]:
    total = GaugeMetricFamily("bwcdock_catalogue_recordings", "Recordings in the catalogue.")
    total.add_metric([], db.execute(select(func.count()).select_from(recording)).scalar_one())
    yield total
    disputed = select(func.count()).select_from(recording).where(recording.c.is_disputed)
    family = GaugeMetricFamily("bwcdock_catalogue_disputed_recordings", "Sealed with different bytes by two stations.")
    family.add_metric([], db.execute(disputed).scalar_one())
    yield family
    told = GaugeMetricFamily("bwcdock_catalogue_entries", "Ledger entries told so far.", labels=["station"])
    at = GaugeMetricFamily(
        "bwcdock_catalogue_told_timestamp_seconds", "When the newest entry told was written.", labels=["station"]
    )
    for row in db.execute(select(station.c.origin, station.c.seq, station.c.at_ms).order_by(station.c.origin)):
        told.add_metric([row.origin], row.seq)
        at.add_metric([row.origin], (row.at_ms or 0) / 1000)
    yield told
    yield at
    yield from _counted(db, settled)


def _counted(db: Connection, settled: str) -> Iterator[Metric]:
    """Totals, and how many days that should be settled are not: one label a day would be without end."""
    differs = or_(day_count.c.received != day_count.c.stored, day_count.c.stored != day_count.c.readable)
    unequal = func.sum(case((and_(day_count.c.day < settled, differs), 1), else_=0))
    sums = [func.sum(day_count.c[name]) for name in ("received", "stored", "readable")]
    by = (day_count.c.station, day_count.c.sink)
    what = GaugeMetricFamily(
        "bwcdock_catalogue_counted_recordings",
        "Recordings received by a station, stored in a sink, and read there again.",
        labels=["station", "sink", "what"],
    )
    open_days = GaugeMetricFamily(
        "bwcdock_catalogue_unequal_days",
        "Days older than two whose received, stored and readable recordings are not equally many.",
        labels=["station", "sink"],
    )
    for row in db.execute(select(*by, unequal, *sums).group_by(*by).order_by(*by)):
        of, sink, unequal_days, *counted = tuple(row)
        open_days.add_metric([of, sink], unequal_days)
        for name, value in zip(("received", "stored", "readable"), counted, strict=True):
            what.add_metric([of, sink, name], value)
    yield what
    yield open_days
