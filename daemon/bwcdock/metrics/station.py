"""Figures about the station itself: its recorders, its room, what is wrong, and how far its ledger is proven."""

import os
import platform
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric

from bwcdock import __version__, meters, overview
from bwcdock.core.facts import SPOOL, Beat, Fact, LookedAgain, Scrubbed
from bwcdock.core.live import RoomView
from bwcdock.core.storage import ScrubView
from bwcdock.ledger import LastSeen, Reader
from bwcdock.ledger.codec import from_ms
from bwcdock.ledger.schema import HEADS_FILE, LEDGER_FILE
from bwcdock.settings import Settings

INFLOW_OVER = timedelta(days=7)
"""What comes in is reckoned over a week: a working day and a Sunday differ, two weeks seldom do."""

MOST_RECORDERS = 500
"""Recorders that are told one by one, those that were docked last: a few figures each, and a read of the ledger."""

BAD = "copy.bad."
"""How the findings begin that say that a copy is not what was sealed; the rest is where it lies."""


def _one(name: str, told: str, value: float | None) -> Metric:
    """A family of one figure, and of none where it is not known."""
    family = GaugeMetricFamily(name, told)
    if value is not None:
        family.add_metric([], value)
    return family


def builds(settings: Settings) -> Iterator[Metric]:
    """Which program this is, and at which station."""
    versions = {"version": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    yield InfoMetricFamily("bwcdock_build", "The program that tells these figures.", versions)
    chosen = settings.station
    names = {"station": chosen.name, "unit": chosen.unit, "rules": chosen.rules}
    yield InfoMetricFamily("bwcdock_station", "The station, its unit and its rule pack.", names)


def up(*, is_up: bool) -> Metric:
    """Whether the daemon is at work."""
    told = "Whether the daemon has the station open and has told its counts within the last half minute."
    return GaugeMetricFamily("bwcdock_up", told, is_up)


# --- recorders --------------------------------------------------------------------------------------------------------


def recorders(ledger: Reader) -> Iterator[Metric]:
    """What the newest docking of each recorder found, and how many are docked now."""
    seen = [last for serial in ledger.lately(MOST_RECORDERS) if (last := ledger.last_seen(serial)) is not None]
    docked = GaugeMetricFamily("bwcdock_docked_recorders", "Recorders in the slots now, by state.", labels=["state"])
    for state, count in sorted(ledger.docked().items()):
        docked.add_metric([state], count)
    yield docked
    for name, told, figure in _OF_RECORDERS:
        family = GaugeMetricFamily(f"bwcdock_recorder_{name}", told, labels=["recorder", "slot"])
        for last in seen:
            if (value := figure(last)) is not None:
                family.add_metric([last.recorder, meters.NO_SLOT if last.slot is None else str(last.slot)], value)
        yield family


def _drift(last: LastSeen) -> float | None:
    drift = last.condition.drift if last.condition else None
    return drift.offset_ms / 1000 if drift else None


def _drift_uncertainty(last: LastSeen) -> float | None:
    drift = last.condition.drift if last.condition else None
    return drift.uncertainty_ms / 1000 if drift else None


def _battery(last: LastSeen) -> float | None:
    percent = last.condition.battery if last.condition else None
    return None if percent is None else percent / 100


def _free(last: LastSeen) -> float | None:
    return last.condition.storage_free if last.condition else None


def _total(last: LastSeen) -> float | None:
    return last.condition.storage_total if last.condition else None


_OF_RECORDERS = (
    ("docked", "Whether the recorder is docked now.", lambda last: last.is_docked),
    ("docked_timestamp_seconds", "When its newest docking began.", lambda last: last.arrived_at.timestamp()),
    ("clock_drift_seconds", "Its clock minus the station's, as its newest docking found it.", _drift),
    ("clock_drift_uncertainty_seconds", "How far the drift may be from what was found.", _drift_uncertainty),
    ("battery_ratio", "Its battery, 0 (empty) to 1 (full).", _battery),
    ("storage_free_bytes", "Room on its card.", _free),
    ("storage_size_bytes", "Size of its card.", _total),
)


# --- room -------------------------------------------------------------------------------------------------------------


def room(settings: Settings, published: meters.Published | None) -> RoomView | None:
    """Room in the spool: the daemon's word where it is at work, else what is seen here; ``None`` where neither is.

    The pages may not look into the spool. Where it is hidden from them another volume lies in its place, whose room
    would be told instead.
    """
    if published is not None and published.spool is not None:
        return published.spool
    if not os.access(settings.paths.spool, os.R_OK | os.X_OK):
        return None
    told = os.statvfs(settings.paths.spool)
    total = told.f_blocks * told.f_frsize
    return RoomView(free=told.f_bavail * told.f_frsize, total=total, reserve=int(total * settings.spool.reserve_ratio))


def spool(ledger: Reader, now: datetime, there: RoomView | None, inflow: int) -> Iterator[Metric]:
    """Room in the spool, and how long it lasts if nothing leaves it any more; ``inflow`` is what came in a week."""
    free, total, reserve = (there.free, there.total, there.reserve) if there else (None, None, None)
    yield _one("bwcdock_spool_free_bytes", "Bytes free on the spool's volume.", free)
    yield _one("bwcdock_spool_size_bytes", "Size of the spool's volume.", total)
    yield _one("bwcdock_spool_reserve_bytes", "Bytes of it that are never filled.", reserve)
    yield _one("bwcdock_inflow_week_bytes", "Bytes that dockings listed in the last seven days.", inflow)
    told = "How long the spool lasts at the last week's inflow, if central storage takes nothing more."
    yield _one("bwcdock_spool_left_seconds", told, lasts(ledger, now, there, inflow))


def lasts(ledger: Reader, now: datetime, there: RoomView | None, inflow: int) -> float | None:
    """For how many seconds the spool has room if nothing leaves it any more; ``None`` where nobody can tell."""
    if there is None or not inflow:
        return None
    # A young station has not had a week; an hour's worth of dockings says nothing of a week, a day's does a little.
    age = min(INFLOW_OVER, max(now - next(ledger.entries(0, 1)).at, timedelta(days=1)))
    return max(0, there.free - there.reserve) / (inflow / age.total_seconds())


# --- what is wrong ----------------------------------------------------------------------------------------------------


def findings(settings: Settings, ledger: Reader) -> Iterator[Metric]:
    """The findings that hold; those that are about a sink or a copy once more with its name."""
    names = [sink.name for sink in settings.sink]
    families: Counter[tuple[str, str]] = Counter()
    bad: Counter[str] = Counter(dict.fromkeys((SPOOL, *names), 0))
    for code, severity, count in ledger.told():
        families[severity, family(code)] += count
        if code.startswith(BAD):
            bad[code.removeprefix(BAD)] += count
    told = GaugeMetricFamily(
        "bwcdock_findings", "Findings that hold, by severity and family of codes.", labels=["severity", "family"]
    )
    for (severity, name), count in sorted(families.items()):
        told.add_metric([severity, name], count)
    yield told
    sinks = GaugeMetricFamily(
        "bwcdock_sink_down", "Whether a sink cannot be used, by what ails it.", labels=["sink", "ails"]
    )
    down = overview.ailing(ledger)
    copies = GaugeMetricFamily(
        "bwcdock_copies_bad", "Copies found to be other than what was sealed, by where they lie.", labels=["place"]
    )
    for name in sorted({*names, *(name for name, _ in down)}):
        for ails in overview.AILS:
            sinks.add_metric([name, ails], (name, ails) in down)
    for place, count in sorted(bad.items()):
        copies.add_metric([place], count)
    yield from (sinks, copies)


def family(code: str) -> str:
    """The first two words of a finding's code, which are fixed: what follows them is a name."""
    return ".".join(code.split(".")[:2])


# --- what is proven ---------------------------------------------------------------------------------------------------


def proofs(settings: Settings, ledger: Reader) -> Iterator[Metric]:
    """The ledger and its signed head; the last sign of life, second look and scrub that it tells of."""
    head = ledger.last_head()
    size = sum(_size(settings, name) for name in (LEDGER_FILE, HEADS_FILE))
    yield _one("bwcdock_ledger_entries", "Entries of the ledger.", ledger.size)
    yield _one("bwcdock_ledger_size_bytes", "Bytes of the ledger's files.", size)
    signed = head.checkpoint.size if head else None
    yield _one("bwcdock_ledger_signed_entries", "Entries under the newest signed head.", signed)
    at = from_ms(head.t).timestamp() if head else None
    yield _one("bwcdock_ledger_signed_timestamp_seconds", "The time that the newest signed head proves.", at)
    yield _last(ledger, Beat, "beat", "When the station last said that it is on.")
    yield _last(ledger, LookedAgain, "second_look", "When a copy in central storage was last read again and agreed.")
    yield _last(ledger, Scrubbed, "scrub", "When the spool's files had last all been read again.")
    last = ledger.last(Scrubbed.ev)
    scrubbed = last.fact if last and isinstance(last.fact, Scrubbed) else None
    files, bad = (scrubbed.files, scrubbed.bad) if scrubbed else (None, None)
    yield _one("bwcdock_scrub_files", "Files the last whole scrub read.", files)
    yield _one("bwcdock_scrub_bad_files", "Files the last whole scrub found bad.", bad)
    told = overview.scrubs(ledger)
    for name, words, figure in _OF_SCRUBS:
        family = GaugeMetricFamily(f"bwcdock_central_scrub_{name}", words, labels=["sink"])
        for sink, scrub in sorted(told.items()):
            family.add_metric([sink], figure(scrub))
        yield family


_OF_SCRUBS: tuple[tuple[str, str, Callable[[ScrubView], float]], ...] = (
    ("timestamp_seconds", "When recordings had last been read again in a sink.", lambda scrub: scrub.at.timestamp()),
    ("files", "Recordings that were read again there the last time.", lambda scrub: scrub.files),
    ("bad_files", "Recordings that were found bad or gone there the last time.", lambda scrub: scrub.bad),
)


def _last(ledger: Reader, kind: type[Fact], name: str, told: str) -> Metric:
    last = ledger.last(kind.ev)
    return _one(f"bwcdock_{name}_timestamp_seconds", told, last.at.timestamp() if last else None)


def _size(settings: Settings, name: str) -> int:
    try:
        return (settings.paths.ledger / name).stat().st_size
    except OSError:
        return 0
