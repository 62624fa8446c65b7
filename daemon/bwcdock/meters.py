"""What only the process at work sees: how long steps take, how late the loop runs; counted for whoever asks.

The process has no network. It publishes the counts as a small volatile file in the run directory, in the text form of
Prometheus; whoever serves figures reads it there. Nothing rests on it: a station that cannot publish works as well.
"""

import json
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bwcdock.core.live import RoomView
from bwcdock.core.plan import Act
from bwcdock.errors import BwcdockError, Unreachable

NAME = "meters.prom"
"""In the run directory: the counts as the process at work published them last; never evidence."""

PUBLISH_EVERY_S = 5.0
"""How often they are published: a third of the usual time between two scrapes."""

FRESH_S = 30.0
"""What is older was published by a process that hangs: six publications were missed."""

FLAP_S = 10.0
"""A docking that ended sooner, and without having said that it is safe to take, is a flap: a cable, a hub, a hand."""

MOST_RECORDERS = 256
"""Recorders whose bytes are counted one by one: ten times what a large dock holds; the one unseen for longest goes."""

TRANSFERS = frozenset({"pull", "push"})
"""The steps that are tried again until they succeed: what the slow scrub could not read comes round in months."""

FORESEEN = (("pull", "unplugged"), ("push", "unreachable"), ("look", "unreachable"))
"""The failures, by step and kind, that every station meets: a recorder is taken away, central storage is away."""

MOST_FAILED = 1000
"""Failed transfers that are remembered, so that trying again is counted as that."""

NO_SLOT = "none"
"""The slot of what is docked at no numbered one."""

HEAD = "# bwcdock "
"""How the first line begins, which tells who published when; to Prometheus it is a comment."""

_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)
_BYTES = tuple(float(1 << power) for power in (12, 16, 20, 24, 26, 28, 30, 32, 34))
_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a process at work published: its pid, when, what the kernel says of the clock, and the counts as text.

    ``spool`` is its word on the spool, which whoever serves figures may not be able to look at; ``None`` where it has
    none.
    """

    pid: int
    at: datetime
    clock: str
    text: bytes
    spool: RoomView | None = None


class _InPlace(values.MutexValue):
    """A count that is changed where it lies.

    A float is made anew with every change: those of a busy hour's last changes would lie in whatever memory was newest
    then, and a dozen of them hold a megabyte until each is changed again.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        self._cell = array("d", [0.0])
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]

    @property
    def _value(self) -> float:
        return self._cell[0]

    @_value.setter
    def _value(self, value: float) -> None:
        self._cell[0] = value


# As the library itself chooses it: once in the process, before the first count is made.
values.ValueClass = _InPlace


class Meters:
    """The counts of one process. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._registry = at = CollectorRegistry()
        step, sink, slot = ["step"], ["sink"], ["slot"]
        self._seconds = Histogram(
            "bwcdock_step_duration_seconds", "How long a step took.", step, buckets=_SECONDS, registry=at
        )
        self._bytes = Histogram(
            "bwcdock_step_size_bytes", "Bytes of the recording a step was about.", step, buckets=_BYTES, registry=at
        )
        self._failures = Counter(
            "bwcdock_step_failures", "Steps that failed, by the kind of error.", ["step", "kind"], registry=at
        )
        self._retries = Counter(
            "bwcdock_transfers_retried", "Transfers that were tried again after they had failed.", step, registry=at
        )
        self._sink_errors = Counter(
            "bwcdock_sink_errors", "Calls to central storage that failed, by the kind of error.",
            ["sink", "kind"], registry=at,
        )  # fmt: skip
        self._pushed = Counter(
            "bwcdock_pushed_bytes", "Bytes confirmed in central storage by this process.", sink, registry=at
        )
        self._pulled = Counter(
            "bwcdock_pulled_bytes", "Bytes read from recorders by this process.", ["recorder", "slot"], registry=at
        )
        self._dockings = Counter("bwcdock_dockings", "Recorders that were docked.", slot, registry=at)
        self._flaps = Counter(
            "bwcdock_slot_flaps", f"Dockings that ended within {FLAP_S:g} s and before all was safe.", slot, registry=at
        )
        self._lag = Histogram(
            "bwcdock_loop_lag_seconds", "How late the event loop runs what it should run.", buckets=_LAG, registry=at
        )
        self._turns = Counter("bwcdock_loop_turns", "How often the station's loop has turned.", registry=at)
        self._started = Gauge(
            "bwcdock_daemon_start_timestamp_seconds", "When the process at work was started.", registry=at
        )
        self._vouched = Gauge(
            "bwcdock_clock_vouched", "Whether the kernel vouches for the station's clock (1) or not (0).", registry=at
        )
        self._witnessed = Gauge(
            "bwcdock_ledger_witnessed_timestamp_seconds", "When a sink was last found to have the newest signed head.",
            sink, registry=at,
        )  # fmt: skip
        self._witness_size = Gauge(
            "bwcdock_ledger_witnessed_entries", "Entries under the newest signed head a sink has.", sink, registry=at
        )
        self._foreseen()
        self._shown = _Bare(at)
        self._recorders: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._failed: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    def _foreseen(self) -> None:
        """Make the counts that every station comes to need while nothing is counted yet.

        A rate sees no first event of a count that begins with it. And a count lives as long as the process: one made
        in the first outage lies in whatever memory is newest then, and holds it for good.
        """
        for act in Act:
            self._seconds.labels(act.name.lower())
            self._bytes.labels(act.name.lower())
        for step in TRANSFERS:
            self._retries.labels(step)
        for step, kind in FORESEEN:
            self._failures.labels(step, kind)

    # --- steps --------------------------------------------------------------------------------------------------------

    def took(self, step: str, seconds: float, size: int) -> None:
        """A step about ``size`` bytes came to its end."""
        self._seconds.labels(step).observe(seconds)
        self._bytes.labels(step).observe(size)

    def failed(self, step: str, record: str, place: str, error: Exception) -> None:
        """A step failed; the next of the same kind for this record at this place is a retry."""
        self._failures.labels(step, _kind(error)).inc()
        if step in TRANSFERS:
            self._failed[step, record, place] = None
        while len(self._failed) > MOST_FAILED:
            self._failed.popitem(last=False)

    def begun(self, step: str, record: str, place: str) -> None:
        """A step begins, perhaps again."""
        if (step, record, place) in self._failed:
            self._failed.pop((step, record, place), None)
            self._retries.labels(step).inc()

    # --- recorders ----------------------------------------------------------------------------------------------------

    def docked(self, slot: int | None) -> None:
        """Something was docked here. From now on the slot has its counts, so that the first flap is seen as a step."""
        self._dockings.labels(_slot(slot)).inc()
        self._flaps.labels(_slot(slot))

    def left(self, slot: int | None, *, after_s: float, drained: bool) -> None:
        """A docking ended, ``after_s`` seconds after it began."""
        if after_s < FLAP_S and not drained:
            self._flaps.labels(_slot(slot)).inc()

    def pulling(self, recorder: str, slot: int | None) -> Callable[[float], None]:
        """What is to be called with every number of bytes that comes from this recorder."""
        key = (recorder, _slot(slot))
        self._recorders[key] = None
        self._recorders.move_to_end(key)
        while len(self._recorders) > MOST_RECORDERS:
            self._pulled.remove(*self._recorders.popitem(last=False)[0])
        return self._pulled.labels(*key).inc

    # --- sinks --------------------------------------------------------------------------------------------------------

    def pushed(self, sink: str, size: int) -> None:
        """So many bytes are confirmed there."""
        self._pushed.labels(sink).inc(size)

    def sink_failed(self, sink: str, error: Exception) -> None:
        """A call to a sink failed."""
        self._sink_errors.labels(sink, _kind(error)).inc()

    def witnessed(self, sink: str, at: datetime, size: int) -> None:
        """The sink has a signed head over ``size`` entries. From now on its being away is seen as a step."""
        self._witnessed.labels(sink).set(at.timestamp())
        self._witness_size.labels(sink).set(size)
        self._sink_errors.labels(sink, "unreachable")

    # --- the process --------------------------------------------------------------------------------------------------

    def started(self, at: datetime) -> None:
        """The station begins to work."""
        self._started.set(at.timestamp())

    def turned(self) -> None:
        """The loop has turned once more."""
        self._turns.inc()

    def lagged(self, seconds: float) -> None:
        """The loop ran something so late."""
        self._lag.observe(seconds)

    # --- telling ------------------------------------------------------------------------------------------------------

    def exposition(self, pid: int, at: datetime, clock: str, spool: RoomView | None = None) -> bytes:
        """All counts as text, with a first line that says who published them when; :func:`read` is its counterpart."""
        self._vouched.set(not clock.startswith("unvouched"))
        room = [spool.free, spool.total, spool.reserve] if spool else None
        head = json.dumps({"pid": pid, "at": at.isoformat(), "clock": clock, "spool": room})
        return f"{HEAD}{head}\n".encode() + generate_latest(self._shown)

    def families(self) -> list[Metric]:
        """Every family there is, for whoever writes down what they mean."""
        return list(self._shown.collect())


class _Bare(Collector):
    """A registry without the moments at which each count was begun: two more lines a count, which nobody asks for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


def read(directory: Path) -> Published | None:
    """What was published last in this run directory; ``None`` where nothing was, or it cannot be understood."""
    try:
        first, _, text = (directory / NAME).read_bytes().partition(b"\n")
        told = json.loads(first.removeprefix(HEAD.encode()))
        return Published(
            pid=int(told["pid"]),
            at=datetime.fromisoformat(told["at"]),
            clock=str(told["clock"]),
            text=text,
            spool=_room(*told["spool"]) if told["spool"] else None,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _room(free: object, total: object, reserve: object) -> RoomView:
    return RoomView(free=int(str(free)), total=int(str(total)), reserve=int(str(reserve)))


def _slot(slot: int | None) -> str:
    return NO_SLOT if slot is None else str(slot)


def _kind(error: Exception) -> str:
    """The error's own name, of which there are a dozen; what is none of the program's errors is a bug.

    Of central storage that cannot be used, what ails it is told in its place, where it is not merely away.
    """
    if isinstance(error, Unreachable) and error.ailment != "away":
        return error.ailment
    return type(error).__name__.lower() if isinstance(error, BwcdockError) else "bug"
