"""The command ingest: dock these sources, and carry them through."""

import argparse
import asyncio
import signal
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bwcdock import app, logs
from bwcdock.cli.common import OWED, WELL, fold, say, settings_of, width
from bwcdock.cli.progress import Screen
from bwcdock.cli.receipts import receipt_lines
from bwcdock.cli.usage import STUCK_S
from bwcdock.core import words_zh
from bwcdock.core.facts import Finding
from bwcdock.core.names import show
from bwcdock.core.record import Record, State
from bwcdock.core.session import Session
from bwcdock.core.view import unlisted
from bwcdock.core.words_zh import title
from bwcdock.detect.exports import ExportsDoor
from bwcdock.detect.named import Intake, Named
from bwcdock.errors import Misused
from bwcdock.ledger import Ledger
from bwcdock.media import whole
from bwcdock.settings import Drop, Settings
from bwcdock.settings.sinks import folders
from bwcdock.station import Station
from bwcdock.steps import receipt
from bwcdock.steps.bench import Bench

LOOK_S = 0.25
"""How often the screen is made anew: as fast as eyes follow numbers."""

MOVING = 256 << 10
"""Bytes between two looks that are footage on its way: the ledger and the screen together move a tenth of that."""

NAMES = 8
"""How many recordings are named in one sentence; `bwcdock records` names them all."""

APART_ZH = {
    "unreadable": "有坏块或无权读取,已隔离",
    "untrue": "两次读取不一致,已隔离",
    "copy-bad": "副本损坏,已隔离",
    "bug": "因程序故障已隔离",
    "lost": "已不在记录仪上",
}
"""Why a recording is set apart, by the reason in its fact."""

WITNESS_S = 3.0
"""How long central storage may take to be shown the last head before it is left without; the next start shows it."""


def ingest(asked: argparse.Namespace) -> int:
    """`bwcdock ingest`."""
    settings = settings_of(asked)
    # The screen tells the same and more; what is at fault with the program itself is worth a line beside it.
    logs.configure(settings.log.format, "error", sys.stderr)
    return carry_through(settings, asked.sources, patience_s=asked.patience)


def carry_through(
    settings: Settings, sources: Sequence[Path], *, live: bool = False, patience_s: float = STUCK_S
) -> int:
    """Dock these sources, several at once, and carry everything through; the exit status. ``live`` as in ``Named``."""
    watch = Named(sources, live=live, intake=_intake(settings))
    for source in sources:
        _not_our_own(settings, source)
    with app.opened(settings) as bench:
        station = Station(bench, app.drivers(settings), watch, waited_for=watch.ports)
        stopped = asyncio.run(_until_done(station, watch, patience_s))
        return _report(bench, station, watch, stopped=stopped)


def _intake(settings: Settings) -> Intake:
    """How a folder with a note of where its footage is from is let in: as a drop folder for such would."""
    door = ExportsDoor(whole.judge, entries=settings.limits.drop_entries, writing_s=settings.watch.writing_s)
    waits = [drop.stable_s for drop in settings.drop if drop.holds == "exports"]
    still_s = max(waits, default=Drop.model_fields["stable_s"].default)
    return Intake(door=door, stable_s=still_s, entries=settings.limits.drop_entries)


def _not_our_own(settings: Settings, source: Path) -> None:
    """The station's own places are no recorder: its key would end up in central storage. Raises Misused."""
    paths = settings.paths
    own = [("ledger", paths.ledger), ("spool", paths.spool), ("keys", paths.keys), ("run", paths.run)]
    own += [(f"central storage {sink.name}", sink.path) for sink in folders(settings.sink)]
    for name, place in own:
        if _around(source)[0] in _around(place) or _around(place)[0] in _around(source):
            what = f"{source} is, holds or lies in a place of the station's own ({name})."
            raise Misused("ingest", what, "Name the recorder's folder, image or device; nothing was taken.")


def _around(path: Path) -> list[object]:
    """The path and every folder around it, each as what it really is: links and bind mounts lead to the same."""
    real = path.resolve()
    return [_really(each) for each in (real, *real.parents)]


def _really(path: Path) -> object:
    try:
        told = path.stat()
    except OSError:  # a share that is not mounted: then its name has to do
        return path
    return told.st_dev, told.st_ino


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
    moved_at, mark, moved = loop.time(), (-1, -1), 0
    with Screen(station, loop.time) as screen:
        while not running.done():
            await asyncio.wait({running}, timeout=LOOK_S)
            screen.refresh()
            was, moved = moved, _moved()
            if (station.mark, station.pushing) != mark or moved - was > MOVING:
                moved_at, mark = loop.time(), (station.mark, station.pushing)
            named = [port for port in watch.ports if port not in watch.refused]
            if station.is_done(named) or loop.time() - moved_at > patience_s:
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
    """Bytes this process has read and written, by the kernel's count: a push of gigabytes is seen to go on by it.

    0 where the kernel does not count; then only what the ledger and the screen know is seen.
    """
    try:
        told = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
    except OSError:
        return 0
    return int(told.get("rchar", 0)) + int(told.get("wchar", 0))


def _report(bench: Bench, station: Station, watch: Named, *, stopped: bool) -> int:
    """The receipt of every session, or what is still owed and what to do; the exit status."""
    owed = False
    for session in station.seen:
        told = receipt.read(bench, session.id)
        if told is not None:
            say(*receipt_lines(told, bench.settings.station.zone, width()))
        if owes := bench.book.ask(lambda ledger, sid=session.id: _owes(ledger, sid)):  # type: ignore[misc]
            owed = True
            _say_owed(session.recorder or session.sighting.source, owes)
    met = {session.sighting.port for session in station.seen}
    unseen = {dict(finding.evidence)["port"]: finding for finding in watch.findings}
    for port in watch.ports:
        if port not in met:
            owed = True
            if port in watch.refused:
                _say_owed(port.removeprefix("path:"), _refused(watch.refused[port]))
                continue
            found = unseen.get(port)
            why = f"{found.what} {found.remedy}" if found else "Nothing of it was begun. Name it again."
            _say_owed(port.removeprefix("path:"), [f"没有读取 / It was not docked. {why}"])
    if stopped:
        say("", "已手动停止,下次从断点继续 / Stopped by hand. What was begun is resumed the next time.")
    return OWED if owed else WELL


def _refused(finding: Finding) -> Iterator[str]:
    """Why footage from elsewhere was not taken, and which files are at fault."""
    zh = words_zh.said(finding)
    yield f"{zh.what}{zh.do} / {finding.what} {finding.remedy}"
    yield from (f"{name}: {what}" for name, what in finding.evidence if name not in {"path", "lacks"})


def _say_owed(name: str, sentences: Iterable[str]) -> None:
    say("", f"未结清 / still owed: {name}")
    for sentence in sentences:
        say(*fold(f"  {sentence}", width(), "    "))


def _owes(ledger: Ledger, session_id: str) -> list[str]:
    """What is still owed of this session and what to do about it, a sentence each."""
    session = ledger.session(session_id)
    assert session is not None
    said = _of_session(session)
    alike: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in filter(None, map(ledger.record, session.records)):
        if sentences := _of_record(record):
            alike[sentences].append(record)
    for (chinese, english), records in alike.items():
        names = ", ".join(show(record.item.path) for record in records[:NAMES])
        more = f" … and {len(records) - NAMES} more" if len(records) > NAMES else ""
        # Each says for itself what went wrong with it: the first stands for all, `bwcdock records` has every one.
        such = f" ({records[0].quarantine_what.rstrip('.')})" if records[0].quarantine_what else ""
        said.append(f"{len(records)} {chinese} / {len(records)} {english}: {names}{more}{such}")
    if said:
        told = [open_.finding for open_ in ledger.findings(kind="station")]
        said += [f"{f.what} {f.remedy}" for f in told if f.code != "clock.unvouched"]
    elif not session.receipt:
        said.append(
            "回执尚未入库 / The receipt is not in central storage yet. `bwcdock run`, or ingest again, brings it there."
        )
    return said


def _of_session(session: Session) -> list[str]:
    said = [f"{title(f.code)} / {f.what} {f.remedy}" for f in unlisted(session)]
    refused = [f"{title(f.code)} / {f.what} {f.remedy}" for f in session.findings if f.severity == "refuse"]
    if session.driver == "" and session.fault and not session.fault_hint:
        said.append(
            "无法识别 / It is neither a disk image nor a folder of recordings that any driver knows. "
            "Name the card's image or device, or the folder the card is mounted on."
        )
    elif session.fault:
        said.append(f"读取出错 / {session.fault} {session.fault_hint}")
    elif refused:
        said += refused
    elif not session.was_drained:
        why = session.departed_why or "nothing moved any more"
        said.append(f"未采完 / It was not emptied ({why}). Dock it again: it resumes.")
    return said


def _of_record(record: Record) -> tuple[str, str] | None:
    """What follows the number of those it holds for, in both languages; ``None`` where nothing is owed."""
    if record.state in {State.QUARANTINED, State.LOST}:
        why = record.quarantine or "lost"
        hint = f". {record.quarantine_hint}" if record.quarantine_hint else ""
        return f"个文件{APART_ZH.get(why, '已隔离')}", f"set apart ({why}){hint}".rstrip(". ")
    if record.state in {State.LISTED, State.PULLED}:
        return "个文件未封存", "not sealed yet. Dock the recorder again, it resumes"
    if not record.finished:
        sinks = ", ".join(record.owed_sinks)
        english = f"sealed here, not yet in {sinks}. `bwcdock run`, or ingest again, goes on pushing"
        return f"个文件已封存、尚未入库 {sinks}", english
    return None
