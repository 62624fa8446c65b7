"""Commands that look at a station: status, records."""

import argparse
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from bwcdock import overview
from bwcdock.cli.common import WELL, broken, cut, fold, print_json, say, settings_of, size, span, table, width
from bwcdock.clock import WallClock
from bwcdock.core.names import show
from bwcdock.core.record import State
from bwcdock.core.rules import Standing
from bwcdock.core.storage import StoreView
from bwcdock.core.view import (
    LACKS_ZH,
    LAMP_ZH,
    READY_ZH,
    STANDING_ZH,
    Lamp,
    RecordView,
    SessionView,
    StatusView,
    citation,
)
from bwcdock.errors import Misused
from bwcdock.ledger import open_read_only

SESSIONS, OWES, FINDINGS = 15, 10, 10
"""How much of each a person is shown; `--json` and `bwcdock records` have more."""

SESSION_TITLES = ("session", "recorder", "docked", "lamp", "sealed", "bytes", "owed", "clock")
"""The columns of the dockings in `status`."""

RECORD_ID, SESSION_ID = 8, 12
"""Hex digits of an id in a table; `--json` has all of them, and `bwcdock receipt` is content with these."""

RECORDER = 16
"""Columns of a recorder's name beside the path, which needs them more."""

WIDE = 100
"""Columns from which `records` shows all of its columns; below, those that tell where each recording stands."""
NARROW = (1, 2, 3, 4, 6, 7)


# --- status -----------------------------------------------------------------------------------------------------------


def status(asked: argparse.Namespace) -> int:
    """`bwcdock status`."""
    settings = settings_of(asked)
    with open_read_only(settings.paths.ledger) as ledger:
        view = overview.status(settings, ledger, WallClock().now())
    if asked.json:
        print_json(view, StatusView)
    else:
        say(*_status_lines(view, settings.station.zone, width()))
    return WELL


def _status_lines(view: StatusView, zone: str, room: int | None) -> Iterator[str]:
    daemon = f"running (pid {view.running})" if view.running else "not running"
    yield from fold(f"{view.station} · {view.unit} · {view.rules} · {daemon}", room)
    yield (
        f"未移交 owed {view.owed} · 逾期 late {view.late} · 隔离 quarantined {view.quarantined} · "
        f"recordings {sum(view.records.values())}"
    )
    spool, ledger = view.spool, view.ledger
    if spool is None:
        yield "spool: only its own user can look into it"
    else:
        used = "" if spool.used is None else f"{size(spool.used)} used, "
        yield f"spool: {used}{size(spool.free)} free of {size(spool.total)}"
    yield f"ledger: {ledger.size} entries, signed to {ledger.signed_size}"
    for store in view.stores:
        yield from fold(_store_line(store, ZoneInfo(zone)), room, "  ")
    if view.sessions:
        yield ""
        rows: list[tuple[str, ...]] = [SESSION_TITLES]
        rows += [_session_row(session, ZoneInfo(zone)) for session in view.sessions[:SESSIONS]]
        yield from table(rows, flexible=1, room=room, right=(4, 5, 6, 7))
        for session in view.sessions[:SESSIONS]:
            if session.lacks and session.lamp in {Lamp.SAFE_TO_TAKE, Lamp.NOTHING_OWED}:
                lacks = "、".join(LACKS_ZH[word] for word in session.lacks)
                yield from fold(
                    f"{session.recorder}: 暂不可领用 not ready to issue: {lacks} ({session.do})", room, "  "
                )
            elif session.lamp in {Lamp.WAIT, Lamp.ATTENTION, Lamp.UNFINISHED}:
                name = session.recorder or session.port.rpartition("/")[2]
                yield from fold(f"{name}: {LAMP_ZH[session.lamp]} {session.lamp}: {session.do}", room, "  ")
    if view.owes:
        yield ""
        for record in view.owes[:OWES]:
            left = "" if record.seconds_left is None else span(record.seconds_left)
            verdict = STANDING_ZH[Standing(record.verdict)] if record.verdict else ""
            law = citation(record.article, record.regulation)
            yield from fold(f"未移交 owed: {show(record.path, 50)} · {verdict} {left} · {law}", room, "  ")
        for law, quote in dict.fromkeys((citation(r.article, r.regulation), r.quote) for r in view.owes[:OWES]):
            if quote:
                yield from broken(f"{law}:“{quote}”", room, "  ")
        yield from _more(view.owed - OWES, "see `bwcdock records`")
    if view.findings:
        yield ""
        # Told of many recordings in the same words, it is one line with their number.
        told = Counter(f"{f.severity} {f.code}: {f.what} → {f.remedy}" for f in view.findings)
        for text, count in list(told.items())[-FINDINGS:]:
            yield from fold(text if count == 1 else f"{text} ({count} times)", room, "  ")
        yield from _more(len(told) - FINDINGS, "see `bwcdock status --json`")


def _store_line(store: StoreView, zone: ZoneInfo) -> str:
    waiting = "nothing waits"
    if store.waiting:
        waiting = f"{store.waiting} recordings ({size(store.bytes)}) wait, since {_when(store.oldest, zone)}"
    ails = f" · {store.ails}" if store.ails else ""
    closed = f" · 未到传送时段 closed until {_when(store.opens, zone)}" if store.opens else ""
    told = store.scrubbed
    again = f" · {told.files} read again {_when(told.at, zone)}, {told.bad} bad" if told else ""
    return f"central storage {store.name}: {waiting}{ails}{closed}{again}"


def _session_row(session: SessionView, zone: ZoneInfo) -> tuple[str, ...]:
    moved = size(session.bytes) if session.moved >= session.bytes else f"{size(session.moved)}/{size(session.bytes)}"
    return (
        session.session[:SESSION_ID],
        session.recorder or session.port.rpartition("/")[2],
        _when(session.arrived_at, zone),
        READY_ZH if session.ready and session.lamp is Lamp.NOTHING_OWED else LAMP_ZH[session.lamp],
        f"{session.sealed}/{session.files}",
        moved,
        str(session.owed),
        "" if session.drift_s is None else f"{session.drift_s:+.0f} s",
    )


def _more(count: int, where: str) -> Iterator[str]:
    if count > 0:
        yield f"… and {count} more: {where}"


def _when(moment: datetime | None, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%m-%d %H:%M}" if moment else ""


# --- records ----------------------------------------------------------------------------------------------------------


def records(asked: argparse.Namespace) -> int:
    """`bwcdock records`."""
    settings = settings_of(asked)
    if asked.state not in {"", *State}:
        raise Misused("records", f"There is no state {asked.state}.", f"There are {', '.join(State)}.")
    with open_read_only(settings.paths.ledger) as ledger:
        chosen = ledger.records(recorder=asked.recorder, state=asked.state)
        views = overview.records(settings, ledger, chosen, WallClock().now())
    if asked.json:
        print_json(views, list[RecordView])
        return WELL
    zone = ZoneInfo(settings.station.zone)
    rows: list[tuple[str, ...]] = [
        ("id", "recorder", "path", "size", "state", "recorded", "due", "verdict", "article"),
    ]
    room = width()
    rows += [_record_row(view, zone, room) for view in views]
    if room is None or room >= WIDE:
        say(*table(rows, flexible=2, room=room, right=(3,)))
    else:
        say(*table([[row[at] for at in NARROW] for row in rows], flexible=1, room=room, right=(2,)))
    return WELL


def _record_row(view: RecordView, zone: ZoneInfo, room: int | None) -> tuple[str, ...]:
    return (
        view.id[:RECORD_ID],
        view.recorder if room is None else cut(view.recorder, RECORDER),
        view.path,
        size(view.size),
        view.state,
        _when(view.recorded_start or view.recorded_end, zone),
        _when(view.due, zone),
        STANDING_ZH[Standing(view.verdict)] if view.verdict else "",
        view.article.partition(" ")[2],  # the pack is the same for all of them, and in the first line of status
    )
