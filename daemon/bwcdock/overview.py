"""What commands and pages ask about a station: its view, made by anybody beside it from the ledger and the disk."""

import fcntl
import os
from collections.abc import Iterable, Set
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from bwcdock.core.facts import CentralScrubbed, Finding
from bwcdock.core.live import LiveView
from bwcdock.core.record import Record, State
from bwcdock.core.session import Session
from bwcdock.core.storage import ScrubView, StoreView
from bwcdock.core.view import (
    FindingView,
    LedgerView,
    RecordView,
    SessionView,
    SpoolView,
    StatusView,
    finding_view,
    record_view,
    session_view,
)
from bwcdock.ledger import OpenFinding, Reader
from bwcdock.ledger.codec import from_ms
from bwcdock.lock import LOCK_NAME
from bwcdock.settings import Settings

LIVE_NAME = "live.json"
"""In the run directory: what moves at this moment. Published by whoever works on the station; never evidence."""

LIVE = TypeAdapter(LiveView)

FRESH_S = 5.0
"""A snapshot that is older tells of a station that is busy elsewhere; it is published at least every two seconds."""

OWES = 100
"""How many owing recordings a status names; the count is always whole, and `bwcdock records` has them all."""

SESSIONS = 40
"""How many of the newest dockings a status shows: a day of a large dock."""

FINDINGS = 200
"""How many open findings a status shows, the newest."""


def records(settings: Settings, ledger: Reader, chosen: Iterable[Record], now: datetime) -> list[RecordView]:
    """These recordings for people, each with the findings that still hold about it."""

    def about(record: Record) -> list[Finding]:
        return [told.finding for told in ledger.findings(kind="record", subject=record.id)]

    return [record_view(record, about(record), now, settings.law.at_risk_ratio) for record in chosen]


def status(settings: Settings, ledger: Reader, now: datetime) -> StatusView:
    """The station at this moment."""
    counts = ledger.counts(now)
    by_state = {str(state): int(number) for state, number in counts.by_state}
    pid = running(settings)
    moved = {told.session: told.moved for told in live(settings, pid, now)}
    unfinished = ledger.unfinished()
    views = [shown(ledger, session, unfinished) for session in ledger.sessions(limit=SESSIONS)]
    # Only the bytes are taken from the snapshot: of everything else the ledger knows more.
    sessions = [replace(view, moved=max(view.moved, moved.get(view.session, 0))) for view in views]
    head = ledger.last_head()
    return StatusView(
        station=settings.station.name,
        unit=settings.station.unit,
        rules=settings.station.rules,
        now=now,
        running=pid,
        recorders=tuple(ledger.recorders()),
        sessions=tuple(sessions),
        owed=counts.owed,
        late=counts.late,
        quarantined=by_state.get(State.QUARANTINED, 0) + by_state.get(State.LOST, 0),
        records=by_state,
        owes=tuple(records(settings, ledger, ledger.owed(OWES), now)),
        spool=_spool(settings),
        ledger=LedgerView(
            size=ledger.size,
            signed_size=head.checkpoint.size if head else 0,
            signed_at=from_ms(head.t) if head else None,
        ),
        findings=tuple(_about(told) for told in ledger.findings(limit=FINDINGS)),
        stores=stores(settings, ledger, now),
    )


AILS = ("down", "hung", "full", "credentials", "clock")
"""Why a central storage takes nothing, as the codes of findings say it: "sink.", this, and its name."""


def ailing(ledger: Reader) -> dict[tuple[str, str], int]:
    """How many findings hold that say why a central storage takes nothing, by its name and that word."""
    told: dict[tuple[str, str], int] = {}
    for code, _, count in ledger.told():
        sink, _, rest = code.partition(".")
        word, _, name = rest.partition(".")
        if sink == "sink" and word in AILS:
            told[name, word] = told.get((name, word), 0) + count
    return told


SCRUBS = 200
"""Newest facts among which the last scrub of each central storage is looked for: four a day and storage."""


def scrubs(ledger: Reader) -> dict[str, ScrubView]:
    """What the last scrub of each central storage told, by its name."""
    found: dict[str, ScrubView] = {}
    for entry in ledger.entries_back(ev=CentralScrubbed.ev, limit=SCRUBS):
        match entry.fact:
            case CentralScrubbed(sink=name, files=files, size=size, bad=bad):
                found.setdefault(name, ScrubView(at=entry.at, files=files, bytes=size, bad=bad))
    return found


def stores(settings: Settings, ledger: Reader, now: datetime) -> tuple[StoreView, ...]:
    """Every central storage of the settings, and every other that something is still owed to."""
    queues, closed, ails = ledger.queues(), settings.closed(now), ailing(ledger)
    scrubbed = scrubs(ledger)
    found = []
    for name in dict.fromkeys((*(sink.name for sink in settings.sink), *queues)):
        queue = queues.get(name)
        found.append(
            StoreView(
                name=name,
                waiting=queue.count if queue else 0,
                bytes=queue.bytes if queue else 0,
                oldest=queue.since if queue else None,
                ails=next((word for word in AILS if (name, word) in ails), ""),
                opens=closed.get(name),
                scrubbed=scrubbed.get(name),
            )
        )
    return tuple(found)


def shown(ledger: Reader, session: Session, unfinished: Set[str]) -> SessionView:
    """One docking for people; ``unfinished`` are the records of the ledger that are, and no other is read."""
    mine = [rid for rid in session.records if rid in unfinished]
    known = {rid: record for rid in mine if (record := ledger.record(rid)) is not None}
    return session_view(session, known, {})


def live(settings: Settings, pid: int | None, now: datetime) -> tuple[SessionView, ...]:
    """The docked recorders with the bytes that move, as process ``pid`` published them just now; else nothing."""
    told = published(settings)
    if told is None or told.pid != pid or abs(now - told.at) > timedelta(seconds=FRESH_S):
        return ()
    return told.sessions


def published(settings: Settings) -> LiveView | None:
    """The last snapshot, whoever published it and whenever; ``None`` where there is none that can be read."""
    try:
        return LIVE.validate_json((settings.paths.run / LIVE_NAME).read_bytes())
    except (OSError, ValidationError):
        return None


def running(settings: Settings) -> int | None:
    """The pid of the program that has this station open now; ``None`` when none has."""
    try:
        fd = os.open(settings.paths.run / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        text = os.pread(fd, 20, 0).decode("ascii", "replace").strip()
        # Asked first: to try the lock is to hold it for a moment, in which a daemon that starts would be refused.
        if not text.isdecimal() or not Path(f"/proc/{text}").exists():
            return None
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(text)
    finally:
        os.close(fd)
    return None


def _about(told: OpenFinding) -> FindingView:
    return finding_view(told.finding, about=f"{told.subject_kind} {told.subject}".strip())


def _spool(settings: Settings) -> SpoolView | None:
    """The spool as it lies there; for whoever may not look into it, what the daemon published last."""
    try:
        used = sum(_bytes_in(settings.paths.spool / part) for part in ("part", "whole", "quarantine"))
    except PermissionError:  # then the volume that is seen there may be another one, put before it
        told = published(settings)
        room = told.spool if told else None
        return SpoolView(free=room.free, used=None, total=room.total, reserve=room.reserve) if room else None
    volume = os.statvfs(settings.paths.spool)
    total = volume.f_blocks * volume.f_frsize
    return SpoolView(
        free=volume.f_bavail * volume.f_frsize,
        used=used,
        total=total,
        reserve=int(total * settings.spool.reserve_ratio),
    )


def _bytes_in(directory: Path) -> int:
    """What the files in it have; those the daemon takes away meanwhile have nothing."""
    used = 0
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                used += entry.stat(follow_symlinks=False).st_size
    return used
