"""What is seen from beside a station: what is owed and late, who is docked, what moves, and whether it runs at all."""

import asyncio
import fcntl
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bwcdock import overview
from bwcdock.core.live import LiveView
from bwcdock.core.view import StatusView
from bwcdock.lock import LOCK_NAME, StationLock
from bwcdock.testing.recorder import FakeRecorder
from bwcdock.testing.station import StationBed

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def status(bed: StationBed, now: datetime | None = None) -> StatusView:
    return bed.ask(lambda ledger: overview.status(bed.settings, ledger, now or bed.clock.now()))


def card(bed: StationBed, **files: int) -> FakeRecorder:
    made = bed.recorder("F1-0001")
    for name, size in files.items():
        made.record(f"{name}.mp4", bytes(size), start=bed.clock.now() - timedelta(hours=1))
    return made


def test_a_new_station_has_nothing_and_says_so(tmp_path):
    view = status(StationBed(tmp_path))
    assert (view.recorders, view.sessions, view.owes, view.findings) == ((), (), (), ())
    assert (view.owed, view.late, view.quarantined, view.records) == (0, 0, 0, {})
    assert (view.running, view.spool.used) == (None, 0)
    assert 0 < view.spool.free < view.spool.total
    assert (view.ledger.size, view.ledger.signed_size) == (1, 1)


async def test_it_tells_what_is_owed_and_until_when(tmp_path):
    bed = StationBed(tmp_path, {"law": {"offload_met_by": "confirmed"}})
    bed.settings.sink[0].path.rename(tmp_path / "away")
    async with bed.at_work():
        made = card(bed, a=5000, b=300)
        made.plug()
        await bed.until(lambda: all(record.sealed_at for record in bed.records()) and bed.findings("sink.down.central"))
        view = status(bed)
        assert (view.owed, view.late, view.quarantined, view.records) == (2, 0, 0, {"sealed": 2})
        assert view.recorders == ("F1-0001",)
        assert [record.path for record in view.owes] == ["a.mp4", "b.mp4"]
        assert view.running == os.getpid()
        assert view.spool.used == 5300
        (session,) = view.sessions
        assert (session.recorder, session.files, session.bytes, session.sealed, session.owed) == (
            ("F1-0001"), 2, 5300, 2, 2
        )  # fmt: skip
        assert "sink.down.central" in {finding.code for finding in view.findings}
        later = status(bed, view.owes[0].due + timedelta(seconds=1))
        assert later.late >= 1
        assert later.owes[0].verdict == "overdue"
        (tmp_path / "away").rename(bed.settings.sink[0].path)
        await bed.until_settled(made)
    view = status(bed)
    assert (view.owed, view.owes, view.running) == (0, (), None)


async def test_it_tells_the_bytes_that_move(tmp_path):
    """Of a file that takes long, the ledger knows nothing between listed and pulled: the working station tells."""
    bed = StationBed(tmp_path, {"pull": {"chunk": "4 KiB"}})
    live = bed.settings.paths.run / overview.LIVE_NAME
    async with bed.at_work() as station:
        made = card(bed, a=8 << 20)
        made.plug()
        await bed.until(lambda: any(station.partial.values()))
        made.hang("read_into")  # in the middle of the file
        view = await bed.until(lambda: moving if (moving := status(bed)).sessions[0].moved else None)
        assert 0 < view.sessions[0].moved < 8 << 20
        assert view.sessions[0].lamp == "pulling"
        told = overview.LIVE.validate_json(live.read_bytes())
        assert told.pid == view.running == os.getpid()
        made.let_go()
        made.unplug()
        await bed.until(lambda: not json.loads(live.read_text())["sessions"])


def published(bed: StationBed, moved: int, *, pid: int | None = None, at: datetime = NOW) -> int:
    """Bytes the status shows as moved after this snapshot was published, with this process at work."""
    (session,) = status(bed).sessions
    told = LiveView(pid=os.getpid() if pid is None else pid, at=at, sessions=(replace(session, moved=moved),))
    (bed.settings.paths.run / overview.LIVE_NAME).write_bytes(overview.LIVE.dump_json(told))
    with StationLock(bed.settings.paths.run):
        return status(bed, NOW).sessions[0].moved


def test_only_a_fresh_snapshot_of_who_works_now_counts(tmp_path):
    bed = StationBed(tmp_path)

    async def dock() -> None:
        async with bed.at_work():
            made = card(bed, a=40_000)
            made.yank("a.mp4", 0)
            made.plug()
            await bed.until(lambda: [session for session in bed.sessions() if not session.docked])

    asyncio.run(dock())
    assert published(bed, 12_345) == 12_345
    assert published(bed, 12_345, pid=1) == 0
    assert published(bed, 12_345, at=NOW - timedelta(seconds=overview.FRESH_S + 1)) == 0
    assert published(bed, 12_345, at=NOW + timedelta(seconds=overview.FRESH_S + 1)) == 0
    live = bed.settings.paths.run / overview.LIVE_NAME
    for rubbish in (b"", b"{", b"[]", b'{"pid": 1}'):
        live.write_bytes(rubbish)
        assert overview.live(bed.settings, os.getpid(), NOW) == ()


def test_who_runs_is_told_by_the_lock_and_not_by_the_file(tmp_path):
    bed = StationBed(tmp_path)
    lock = bed.settings.paths.run / LOCK_NAME
    assert overview.running(bed.settings) is None
    with StationLock(bed.settings.paths.run):
        assert overview.running(bed.settings) == os.getpid()
    assert lock.read_text() == f"{os.getpid()}\n"  # it stays behind, and this process lives
    assert overview.running(bed.settings) is None
    lock.write_text("rubbish")
    assert overview.running(bed.settings) is None


def test_to_look_does_not_keep_a_daemon_from_starting(tmp_path):
    """To try a lock is to hold it for a moment; so it is not tried after whoever ran has ended."""
    bed = StationBed(tmp_path)
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    lock = bed.settings.paths.run / LOCK_NAME
    lock.write_bytes(ended.stdout)
    lock.chmod(0o600)
    tried: list[int] = []
    real = fcntl.flock
    try:
        fcntl.flock = lambda fd, how: (tried.append(how), real(fd, how))[1]
        assert overview.running(bed.settings) is None
    finally:
        fcntl.flock = real
    assert tried == []


def test_a_spool_whose_files_go_while_it_is_counted(tmp_path, monkeypatch):
    bed = StationBed(tmp_path)
    whole = bed.settings.paths.spool / "whole"
    whole.mkdir()
    for name in ("1" * 32, "2" * 32):
        (whole / name).write_bytes(bytes(1000))
    real = os.scandir

    class Going:
        """A listing whose first file is taken away before it is looked at."""

        def __init__(self, path):
            self._entries = real(path)

        def __enter__(self):
            entries = sorted(self._entries, key=lambda entry: entry.name)
            if entries:
                os.unlink(entries[0].path)
            return iter(entries)

        def __exit__(self, *_):
            self._entries.close()

    monkeypatch.setattr(overview.os, "scandir", Going)
    assert status(bed).spool.used == 1000
