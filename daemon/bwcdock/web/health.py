"""How the station is, for whoever answers for it: from the ledger, and from what the process at work publishes."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from bwcdock import doctor, meters, overview
from bwcdock.clock import ClockHealth
from bwcdock.core.facts import Beat, Confirmed, CopyBad, Entry, LookedAgain, Scrubbed, Severity, Started
from bwcdock.core.live import LiveView, RoomView
from bwcdock.core.storage import ScrubView
from bwcdock.core.view import FindingView, finding_view
from bwcdock.ledger import Reader
from bwcdock.ledger.codec import from_ms
from bwcdock.metrics import station as figures
from bwcdock.metrics.exposition import at_work
from bwcdock.settings import Settings

CONFIRMATIONS = 500
"""Newest confirmations in which the last of each sink is looked for; each recording goes to all of them."""

LOUD = (Severity.REFUSE, Severity.WARN, Severity.NOTE)
"""The loudest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkHealth:
    """A central storage: whether it answers (``None``: nobody says), what waits for it, what it confirmed last.

    ``ails`` and ``opens`` are as in :class:`~bwcdock.core.live.QueueView`; the hours are known without the daemon too.
    ``errors`` are the calls that failed since the process at work began; ``witnessed_at`` is when it was last found to
    have a signed head, and ``witnessed`` how many entries that head covers.
    """

    name: str
    up: bool | None
    since: datetime | None
    waiting: int
    bytes: int
    oldest: datetime | None
    errors: int | None
    confirmed: Entry | None
    witnessed_at: datetime | None
    witnessed: int | None
    is_stale: bool
    ails: str = ""
    opens: datetime | None = None
    scrubbed: ScrubView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is amiss in one way: the newest finding that says so, and of how many there are more of its kind."""

    finding: FindingView
    count: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Looser:
    """A setting that asks less than the one the program comes with: both values as they stand in the file."""

    key: str
    value: str
    shipped: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StationHealth:
    """Everything at one moment. ``live`` is ``None`` where no process at work has published anything just now.

    ``days_left`` is how long the free part of the spool takes what came in during the last week, if nothing is
    released; ``None`` where nothing came.
    """

    running: int | None
    live: LiveView | None
    spool: RoomView | None
    inflow: int
    days_left: float | None
    sinks: tuple[SinkHealth, ...]
    scrubbed: Entry | None
    looked_again: Entry | None
    copy_bad: Entry | None
    to_look: int
    clock: str
    is_vouched: bool
    findings: tuple[Told, ...]
    advice: tuple[doctor.Advice, ...]
    looser: tuple[Looser, ...]


def station(settings: Settings, ledger: Reader, now: datetime) -> StationHealth:
    """How the station is now."""
    pid = overview.running(settings)
    live = _live(settings, pid, now)
    room = figures.room(settings, at_work(settings, now))
    inflow = ledger.inflow(now - figures.INFLOW_OVER)
    left = figures.lasts(ledger, now, room, inflow)
    clock = live.clock if live else _last_clock(ledger)
    is_vouched = bool(clock) and not clock.startswith("unvouched")
    return StationHealth(
        running=pid,
        live=live,
        spool=room,
        inflow=inflow,
        days_left=None if left is None else left / 86400,
        sinks=sinks(settings, ledger, now),
        scrubbed=ledger.last(Scrubbed.ev),
        looked_again=ledger.last(LookedAgain.ev),
        copy_bad=ledger.last(CopyBad.ev),
        to_look=dict(ledger.counts(now).by_waiting).get("look", 0),
        clock=clock,
        is_vouched=is_vouched,
        findings=tuple(sorted(_amiss(ledger), key=lambda told: LOUD.index(told.finding.severity))),
        advice=_advice(settings, ClockHealth(vouched=is_vouched, text=clock, max_error_ms=None)),
        looser=tuple(loosened(settings)),
    )


def sinks(settings: Settings, ledger: Reader, now: datetime) -> tuple[SinkHealth, ...]:
    """Every central storage of the settings, and every other that something is still owed to."""
    live = _live(settings, overview.running(settings), now)
    queues = ledger.queues()
    shown = {queue.name: queue for queue in live.sinks} if live else {}
    confirmed = _last_confirmed(ledger)
    counted = _counts(settings)
    alarm = timedelta(seconds=settings.ledger.witness_alarm_s)
    closed, scrubbed = settings.closed(now), overview.scrubs(ledger)
    found = []
    for name in dict.fromkeys((*(sink.name for sink in settings.sink), *queues)):
        queue, seen = queues.get(name), counted.get(("bwcdock_ledger_witnessed_timestamp_seconds", name))
        witnessed_at = from_ms(round(seen * 1000)) if seen else None
        size = counted.get(("bwcdock_ledger_witnessed_entries", name))
        errors = counted.get(("bwcdock_sink_errors_total", name))
        found.append(
            SinkHealth(
                name=name,
                up=shown[name].up if name in shown else None,
                since=shown[name].since if name in shown else None,
                waiting=queue.count if queue else 0,
                bytes=queue.bytes if queue else 0,
                oldest=queue.since if queue else None,
                errors=round(errors or 0) if counted else None,
                confirmed=confirmed.get(name),
                witnessed_at=witnessed_at,
                witnessed=None if size is None else round(size),
                is_stale=witnessed_at is not None and now - witnessed_at > alarm,
                ails=shown[name].ails if name in shown else "",
                opens=closed.get(name),
                scrubbed=scrubbed.get(name),
            )
        )
    return tuple(found)


def _live(settings: Settings, pid: int | None, now: datetime) -> LiveView | None:
    told = overview.published(settings)
    if told is None or told.pid != pid or abs(now - told.at) > timedelta(seconds=overview.FRESH_S):
        return None
    return told


def _last_clock(ledger: Reader) -> str:
    told = [entry for ev in (Beat.ev, Started.ev) if (entry := ledger.last(ev))]
    fact = max(told, key=lambda entry: entry.seq).fact if told else None
    return fact.clock if isinstance(fact, Beat | Started) else ""


def _last_confirmed(ledger: Reader) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for entry in ledger.entries_back(ev=Confirmed.ev, limit=CONFIRMATIONS):
        if isinstance(entry.fact, Confirmed):
            found.setdefault(entry.fact.sink, entry)
    return found


def _counts(settings: Settings) -> dict[tuple[str, str], float]:
    """What the process at work counted for each sink; empty where it publishes nothing."""
    told = meters.read(settings.paths.run)
    found: Counter[tuple[str, str]] = Counter()
    for family in text_string_to_metric_families(told.text.decode()) if told else ():
        for sample in family.samples:
            if sink := sample.labels.get("sink"):
                found[sample.name, sink] += sample.value  # type: ignore[assignment]  # errors come by kind as well
    return dict(found)


def _amiss(ledger: Reader) -> Iterator[Told]:
    """Every kind of finding that holds, counted whole, with the newest of each."""
    for code, severity, count in ledger.told():
        told = ledger.newest_told(code, severity)
        if told is not None:
            view = finding_view(told.finding, about=f"{told.subject_kind} {told.subject}".strip())
            yield Told(finding=view, count=count, since=told.since)


SEEN_FROM_HERE = frozenset({"udev", "slots", "user", "others", "hub", "speed", "write"})
"""What the pages can see of the machine as it is; spool, keys and clock are hidden from them, or told by the daemon."""


def _advice(settings: Settings, clock: ClockHealth) -> tuple[doctor.Advice, ...]:
    """What a look at the machine finds amiss."""
    try:
        found = doctor.examine(doctor.Machine(clock=clock), settings)
    except OSError:
        return ()
    return tuple(each for each in found if not each.well and each.topic in SEEN_FROM_HERE)


# --- settings ---------------------------------------------------------------------------------------------------------


def _more(a: Any, b: Any) -> bool:
    return bool(a > b)


def _less(a: Any, b: Any) -> bool:
    return bool(a < b)


LOOSER: tuple[tuple[str, Callable[[Any, Any], bool]], ...] = (
    ("dock.any_port", _more), ("checks.drift_warn_s", _more), ("checks.battery_low_percent", _less),
    ("checks.storage_free_low_ratio", _less), ("pull.distrust_limit", _more), ("spool.reserve_ratio", _less),
    ("spool.keep_after_confirm_s", _less), ("spool.second_look_after_s", _more), ("spool.scrub_days", _more),
    ("erase.enabled", _more), ("erase.after_days", _less), ("erase.reformat", _more), ("erase.persons", _less),
    ("law.at_risk_ratio", _less), ("law.spot_check_percent", _less), ("web.mask_names", _less),
    ("web.idle_s", _more), ("web.absolute_s", _more), ("web.tries", _more), ("web.tries_within_s", _less),
    ("web.viewing_s", _more), ("ledger.checkpoint_every_s", _more), ("ledger.beat_s", _more),
    ("ledger.witness_alarm_s", _more),
)  # fmt: skip
"""Settings that guard something, and in which direction they would guard less."""


def loosened(settings: Settings) -> Iterator[Looser]:
    """The settings that guard less than those the program comes with."""
    shipped = Settings()
    for key, is_looser in LOOSER:
        table, _, name = key.partition(".")
        here, there = getattr(getattr(settings, table), name), getattr(getattr(shipped, table), name)
        if is_looser(here, there):
            yield Looser(key=key, value=_written(here), shipped=_written(there))
    if settings.web.identify == "badge":
        yield Looser(key="web.identify", value="badge", shipped=shipped.web.identify)


def _written(value: object) -> str:
    """As it stands in the file."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
