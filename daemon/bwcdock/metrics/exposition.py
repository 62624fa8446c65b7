"""Every figure of a station in the text form of Prometheus: what the ledger tells, and what the process at work counts.

A scrape asks the ledger's indexes, a few rows a recorder, and the file the daemon publishes. Labels are recorders,
slots, sinks, units, articles and fixed words; never a file's name.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bwcdock import meters, overview
from bwcdock.core.statements import Statement
from bwcdock.core.vocabulary import ALL_FACTS
from bwcdock.desk import asking, register
from bwcdock.desk.register import Register
from bwcdock.ledger import Reader
from bwcdock.metrics import recordings, station
from bwcdock.settings import Settings

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of what :func:`exposition` returns."""

INFLOW_AGAIN = timedelta(minutes=5)
"""How old the week's inflow may be that a memory holds: it changes by a recording, and is read from hundreds."""

STATED = frozenset(kind.ev for kind in ALL_FACTS if issubclass(kind, Statement))
"""The kinds of entries after which the register is otherwise than before."""


@dataclass(slots=True, kw_only=True)
class Memory:
    """What whoever is asked again and again need not read anew; of one ledger. Thrown away at any time, at no loss.

    ``size`` is the ledger's at the last reading of ``register``. Each is replaced as a whole, so threads may share it.
    """

    register: tuple[int, Register] | None = None
    inflow: tuple[datetime, int] | None = None


class _Given(Collector):
    """Families that are there already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def exposition(
    settings: Settings, ledger: Reader, law: asking.Law, now: datetime, *, memory: Memory | None = None
) -> bytes:
    """All figures of the station at ``now``. ``memory`` is kept by whoever asks again, and makes asking cheap."""
    published = at_work(settings, now)
    found = families(settings, ledger, law, now, memory or Memory(), published)
    return generate_latest(_Given(found)) + (published.text if published else b"")


def families(
    settings: Settings,
    ledger: Reader,
    law: asking.Law,
    now: datetime,
    memory: Memory,
    published: meters.Published | None,
) -> Iterator[Metric]:
    """Every family but those that the process at work counts; ``published`` is its word, ``None`` where none is."""
    known = _register(ledger, memory)
    units = {device.id: device.unit or settings.station.unit for device in known.devices.values()}
    yield from station.builds(settings)
    yield station.up(is_up=published is not None)
    yield from recordings.states(ledger, now)
    yield from recordings.deadlines(settings, ledger, law, now, units)
    yield from recordings.undocked(ledger, law, now, known, units)
    yield from station.recorders(ledger)
    yield from station.spool(ledger, now, station.room(settings, published), _inflow(ledger, now, memory))
    yield from recordings.queues(settings, ledger, now)
    yield from recordings.locks(settings, ledger)
    yield from station.findings(settings, ledger)
    yield from station.proofs(settings, ledger)


def at_work(settings: Settings, now: datetime) -> meters.Published | None:
    """What the process that has the station open published just now; ``None`` where none has, or it hangs."""
    published = meters.read(settings.paths.run)
    if published is None or abs((now - published.at).total_seconds()) > meters.FRESH_S:
        return None
    return published if overview.running(settings) == published.pid else None


def _register(ledger: Reader, memory: Memory) -> Register:
    """The register, read again only after a statement."""
    size = ledger.size
    had = memory.register
    if had is not None and had[0] <= size and not ledger.kinds_since(had[0]) & STATED:
        memory.register = (size, had[1])
        return had[1]
    known = register.read(ledger)
    memory.register = (size, known)  # of before it was read: what was said meanwhile is read again the next time
    return known


def _inflow(ledger: Reader, now: datetime, memory: Memory) -> int:
    """Bytes that came in the last week."""
    had = memory.inflow
    if had is not None and abs(now - had[0]) < INFLOW_AGAIN:
        return had[1]
    size = ledger.inflow(now - station.INFLOW_OVER)
    memory.inflow = (now, size)
    return size
