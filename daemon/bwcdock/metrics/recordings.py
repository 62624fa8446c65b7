"""Figures about recordings: how they stand, by when they are due, what waits for central storage, what is out."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from bwcdock.core.record import State
from bwcdock.core.rules import Standing
from bwcdock.desk import asking
from bwcdock.desk.register import Register
from bwcdock.ledger import Reader
from bwcdock.settings import S3Sink, Settings

WAITS = ("work", "look", "release")
"""What a recording can wait for."""

TOLD = (Standing.AT_RISK, Standing.OVERDUE, Standing.LATE, Standing.EXCUSED)
"""What is told of deadlines, by unit and article; what was in time or is not near is in the counts by state."""


def states(ledger: Reader, now: datetime) -> Iterator[Metric]:
    """How many there are of each sort."""
    counts = ledger.counts(now)
    by_state, by_waiting = dict(counts.by_state), dict(counts.by_waiting)
    told = GaugeMetricFamily("bwcdock_recordings", "Recordings the ledger knows, by state.", labels=["state"])
    for state in State:
        told.add_metric([state.value], by_state.get(state.value, 0))
    yield told
    waiting = GaugeMetricFamily(
        "bwcdock_recordings_waiting",
        "Recordings that wait for work, for the second look at a central copy, or for the release of the spool's.",
        labels=["for"],
    )
    for what in WAITS:
        waiting.add_metric([what], by_waiting.get(what, 0))
    yield waiting
    yield GaugeMetricFamily(
        "bwcdock_recordings_owed", "Recordings that are not yet offloaded as their article asks.", counts.owed
    )


def deadlines(
    settings: Settings, ledger: Reader, law: asking.Law, now: datetime, units: Mapping[str, str]
) -> Iterator[Metric]:
    """How they stand against the law, by unit and article; the station's own article is told also where none does."""
    own = settings.station.unit
    found = Counter({(own, f"{law.pack.name} {law.pack.deadline.article}", kind): 0 for kind in TOLD})
    for stands in ledger.standing(now, law.at_risk_ratio):
        if stands.kind in TOLD:
            found[units.get(stands.recorder, own), stands.article, stands.kind] += stands.count
    told = GaugeMetricFamily(
        "bwcdock_deadline_recordings",
        "Recordings whose deadline is at risk or was passed, by unit, article and how they stand.",
        labels=["unit", "article", "standing"],
    )
    for (unit, article, kind), count in sorted(found.items()):
        told.add_metric([unit, article, kind.value], count)
    yield told
    earliest = GaugeMetricFamily(
        "bwcdock_earliest_due_timestamp_seconds", "When the most urgent recording that is still owed is due."
    )
    if (due := ledger.earliest_due()) is not None:
        earliest.add_metric([], due.timestamp())
    yield earliest


def undocked(
    ledger: Reader, law: asking.Law, now: datetime, register: Register, units: Mapping[str, str]
) -> Iterator[Metric]:
    """The recorders that are issued and that no dock has emptied since: what they may hold counts as owed."""
    due = GaugeMetricFamily(
        "bwcdock_recorder_out_due_timestamp_seconds",
        "By when a recorder that is out has to be docked, if it recorded as soon as it was issued.",
        labels=["recorder", "unit", "article"],
    )
    overdue: Counter[tuple[str, str]] = Counter()
    for each in asking.may_owe(ledger, law, now, register):
        unit, article = units[each.device], f"{each.obligation.pack} {each.obligation.article}"
        due.add_metric([each.device, unit, article], each.obligation.due.timestamp())
        overdue[unit, article] += each.verdict.kind is Standing.OVERDUE
    yield due
    told = GaugeMetricFamily(
        "bwcdock_recorders_not_returned",
        "Recorders that are issued and were not docked when what they may hold was due.",
        labels=["unit", "article"],
    )
    for (unit, article), count in sorted(overdue.items()):
        told.add_metric([unit, article], count)
    yield told


def queues(settings: Settings, ledger: Reader, now: datetime) -> Iterator[Metric]:
    """What is sealed here and not confirmed there, for every sink of the settings, and every one that is owed to."""
    waiting, sink = ledger.queues(), ["sink"]
    count = GaugeMetricFamily(
        "bwcdock_sink_unconfirmed_recordings", "Sealed recordings that a sink has not confirmed.", labels=sink
    )
    size = GaugeMetricFamily("bwcdock_sink_unconfirmed_bytes", "Bytes that a sink has not confirmed.", labels=sink)
    age = GaugeMetricFamily(
        "bwcdock_sink_queue_age_seconds", "For how long the oldest of them has been sealed.", labels=sink
    )
    shut = GaugeMetricFamily(
        "bwcdock_sink_closed", "Whether a sink is given nothing now, as it is outside its hours.", labels=sink
    )
    closed = settings.closed(now)
    for name in sorted({each.name for each in settings.sink} | waiting.keys()):
        queue = waiting.get(name)
        count.add_metric([name], queue.count if queue else 0)
        size.add_metric([name], queue.bytes if queue else 0)
        age.add_metric([name], max(0.0, (now - queue.since).total_seconds()) if queue else 0)
        shut.add_metric([name], name in closed)
    yield from (count, size, age, shut)


def locks(settings: Settings, ledger: Reader) -> Iterator[Metric]:
    """What each sink that is to lock has not locked as long as it has to be; sinks that lock nothing are not told."""
    told = GaugeMetricFamily(
        "bwcdock_sink_unlocked_recordings",
        "Copies that a sink is not known to have locked until their keeping ends.",
        labels=["sink"],
    )
    names = sorted(each.name for each in settings.sink if isinstance(each, S3Sink) and each.lock)
    counts = ledger.unlocked() if names else {}
    for name in names:
        told.add_metric([name], counts.get(name, 0))
    yield told
