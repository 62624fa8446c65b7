"""Commands that work: ingest (dock these sources and carry them through), run (the daemon)."""

import argparse
import asyncio
import signal
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bwcdock import app, logs
from bwcdock.cli.common import OWED, WELL, fold, say, settings_of, width
from bwcdock.cli.progress import Screen
from bwcdock.cli.receipts import receipt_lines
from bwcdock.cli.usage import STUCK_S
from bwcdock.core.names import show
from bwcdock.core.record import Record, State
from bwcdock.core.session import Session
from bwcdock.detect.folders import DropFolder, FolderWatch
from bwcdock.detect.named import Named
from bwcdock.ledger import Ledger
from bwcdock.settings import Settings
from bwcdock.station import Station
from bwcdock.steps import receipt
from bwcdock.steps.bench import Bench

LOOK_S = 0.25
"""How often the screen is made anew: as fast as eyes follow numbers."""

MOVING = 256 << 10
"""Bytes between two looks that are footage on its way: the ledger and the screen together move a tenth of that."""

NAMES = 8
"""How many recordings are named in one sentence; `bwcdock records` names them all."""

WITNESS_S = 3.0
"""How long central storage may take to be shown the last head before it is left without; the next start shows it."""


def ingest(asked: argparse.Namespace) -> int:
    """`bwcdock ingest`."""
    settings = settings_of(asked)
    # The screen tells the same and more; what is at fault with the program itself is worth a line beside it.
    logs.configure(settings.log.format, "error", sys.stderr)
    return carry_through(settings, asked.sources, patience_s=asked.patience)


def carry_through(settings: Settings, sources: Sequence[Path], *, patience_s: float = STUCK_S) -> int:
    """Dock these sources, several at once, and carry everything through; the exit status."""
    watch = Named(sources, live_s=settings.watch.live_s)
    with app.opened(settings) as bench:
        station = Station(bench, app.drivers(settings), watch)
        stopped = asyncio.run(_until_done(station, watch, patience_s))
        return _report(bench, station, stopped)


async def _until_done(station: Station, watch: Named, patience_s: float) -> bool:
    """Whether it was stopped by hand."""
    loop = asyncio.get_running_loop()
    by_hand = asyncio.Event()

    def stop() -> None:
        by_hand.set()
        station.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    running = asyncio.ensure_future(station.run())
    moved_at, mark, moved = loop.time(), -1, 0
    with Screen(station, loop.time) as screen:
        while not running.done():
            await asyncio.wait({running}, timeout=LOOK_S)
            screen.refresh()
            was, moved = moved, _moved()
            if station.mark != mark or moved - was > MOVING:
                moved_at, mark = loop.time(), station.mark
            if station.is_done(watch.ports) or loop.time() - moved_at > patience_s:
                await _end(station, running)
        screen.refresh()
    running.result()
    return by_hand.is_set()


async def _end(station: Station, running: "asyncio.Future[None]") -> None:
    """Show central storage the head of the ledger if it will look, then stop."""
    showing = asyncio.ensure_future(station.witness())
    done, _ = await asyncio.wait({showing, running}, timeout=WITNESS_S, return_when=asyncio.FIRST_COMPLETED)
    showing.cancel()
    station.stop()
    await asyncio.wait({running})
    if showing in done:
        showing.result()  # raises where central storage knows a history that is not this one


def _moved() -> int:
    """Bytes this process has read and written, by the kernel's count: a push of gigabytes is seen to go on by it."""
    told = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
    return int(told["rchar"]) + int(told["wchar"])


def _report(bench: Bench, station: Station, stopped: bool) -> int:  # noqa: FBT001 (said once, by the caller)
    """The receipt of every session, or what is still owed and what to do; the exit status."""
    owed = not station.seen
    for session in station.seen:
        told = receipt.read(bench, session.id)
        if told is not None:
            say(*receipt_lines(told, bench.settings.station.zone, width()))
        owes = bench.book.ask(lambda ledger, sid=session.id: _owes(ledger, sid))  # type: ignore[misc]
        if owes or told is None:
            owed = True
            say("", f"未结清 / still owed: {session.recorder or session.sighting.source}")
            for sentence in owes or ["Its receipt is not written yet: run it again."]:
                say(*fold(f"  {sentence}", width(), "    "))
    if stopped:
        say("", "Stopped by hand. What was begun is resumed the next time.")
    return OWED if owed else WELL


def _owes(ledger: Ledger, session_id: str) -> list[str]:
    """What is still owed of this session and what to do about it, a sentence each."""
    session = ledger.session(session_id)
    assert session is not None
    said = _of_session(session)
    alike: dict[str, list[str]] = defaultdict(list)
    for record in filter(None, map(ledger.record, session.records)):
        if sentence := _of_record(record):
            alike[sentence].append(show(record.item.path))
    for sentence, names in alike.items():
        more = f" … and {len(names) - NAMES} more" if len(names) > NAMES else ""
        said.append(f"{len(names)} {sentence} {', '.join(names[:NAMES])}{more}")
    if said:
        told = [open_.finding for open_ in ledger.findings() if open_.subject_kind == "station"]
        said += [f"{f.what} {f.remedy}" for f in told if f.code != "clock.unvouched"]
    return said


def _of_session(session: Session) -> list[str]:
    if session.driver == "" and session.fault and not session.fault_hint:
        return [
            "It is neither a disk image nor a folder of recordings that any driver knows (无法识别). "
            "Name the card's image or device, or the folder the card is mounted on."
        ]
    if session.fault:
        return [f"{session.fault} {session.fault_hint}"]
    refused = [f"{f.what} {f.remedy}" for f in session.findings if f.severity == "refuse"]
    if refused or session.was_drained:
        return refused
    return [f"It was not emptied ({session.departed_why or 'nothing moved any more'}). Dock it again: it resumes."]


def _of_record(record: Record) -> str:
    """What follows the number of those it holds for, and comes before their names; empty where nothing is owed."""
    if record.state in {State.QUARANTINED, State.LOST}:
        return f"set apart (已隔离): {record.quarantine_what} {record.quarantine_hint}".rstrip(". ") + ":"
    if record.state in {State.LISTED, State.PULLED}:
        return "not sealed yet. Dock the recorder again, it resumes:"
    if not record.finished:
        sinks = ", ".join(record.owed_sinks)
        return f"sealed here, not yet in {sinks}. `bwcdock run`, or ingest again, goes on pushing:"
    return ""


def run(asked: argparse.Namespace) -> int:
    """`bwcdock run`."""
    settings = settings_of(asked)
    logs.configure(settings.log.format, settings.log.level, sys.stderr, line_length=settings.limits.line_length)
    with app.opened(settings) as bench:
        asyncio.run(_until_told(bench, settings))
    return WELL


async def _until_told(bench: Bench, settings: Settings) -> None:
    watch = FolderWatch(
        [DropFolder(path=drop.path, slot=drop.slot, stable_s=drop.stable_s) for drop in settings.drop],
        rescan_s=settings.watch.rescan_s,
        live_s=settings.watch.live_s,
        children=settings.limits.drop_children,
        entries=settings.limits.drop_entries,
    )
    station = Station(bench, app.drivers(settings), watch)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, station.stop)
    watch.start()
    try:
        await station.run()
    finally:
        watch.close()
