"""How the station stands, in a few figures: what whoever opens the desk in the morning looks at first."""

import os
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from bwcdock import overview
from bwcdock.core.rules import Standing
from bwcdock.desk.asking import Law
from bwcdock.ledger import Reader
from bwcdock.ledger.codec import from_ms
from bwcdock.settings import Settings

INFLOW_OVER = timedelta(days=7)
"""Over how long the inflow is averaged: a week has its quiet days in it."""

UNWITNESSED = "ledger.unwitnessed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkNow:
    """A central storage: what waits for it, since when, and whether it is reached."""

    name: str
    waiting: int
    bytes: int
    since: datetime | None
    is_down: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """The figures. ``days_left`` is ``None`` while nothing comes in; a head that is ``None`` was never signed."""

    owed: int
    at_risk: int
    overdue: int
    docked: int
    free: int
    days_left: float | None
    sinks: tuple[SinkNow, ...]
    ledger_size: int
    signed_size: int
    signed_at: datetime | None
    is_unwitnessed: bool
    findings: int


def today(settings: Settings, ledger: Reader, law: Law, now: datetime) -> Today:
    """The figures at this moment; each from an index."""
    stands: Counter[Standing] = Counter()
    for each in ledger.standing(now, law.at_risk_ratio):
        stands[each.kind] += each.count
    told = ledger.told()
    codes = {code for code, _, _ in told}
    queues, ailing = ledger.queues(), overview.ailing(ledger)
    head = ledger.last_head()
    free, days = _room(settings, ledger, now)
    return Today(
        owed=ledger.counts(now).owed,
        at_risk=stands[Standing.AT_RISK],
        overdue=stands[Standing.OVERDUE],
        docked=sum(ledger.docked().values()),
        free=free,
        days_left=days,
        sinks=tuple(
            SinkNow(
                name=sink.name,
                waiting=queues[sink.name].count if sink.name in queues else 0,
                bytes=queues[sink.name].bytes if sink.name in queues else 0,
                since=queues[sink.name].since if sink.name in queues else None,
                is_down=any((sink.name, ails) in ailing for ails in overview.AILS),
            )
            for sink in settings.sink
        ),
        ledger_size=ledger.size,
        signed_size=head.checkpoint.size if head else 0,
        signed_at=from_ms(head.t) if head else None,
        is_unwitnessed=UNWITNESSED in codes,
        findings=sum(count for _, severity, count in told if severity != "note"),
    )


def _room(settings: Settings, ledger: Reader, now: datetime) -> tuple[int, float | None]:
    """Bytes that may still be written to the spool, and for how many days they last at the inflow of late."""
    room = os.statvfs(settings.paths.spool)
    reserve = int(room.f_blocks * room.f_frsize * settings.spool.reserve_ratio)
    free = max(0, room.f_bavail * room.f_frsize - reserve)
    begun = ledger.entry(0).at
    span = min(INFLOW_OVER, max(now - begun, timedelta(days=1)))
    inflow = ledger.inflow(now - span)
    return free, free / inflow * (span / timedelta(days=1)) if inflow else None
