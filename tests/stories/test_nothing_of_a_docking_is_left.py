"""A docking ends, well or badly: its calls, its thread, its driver and its open files end with it."""

import os
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
import structlog
from bwcdock.core.facts import Arrived, Drained, Faulted
from bwcdock.core.record import State
from bwcdock.errors import Misbehaved
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.recorder import FakeRecorder
from bwcdock.testing.station import StationBed


@pytest.fixture
def freed() -> Iterator[list[FakeRecorder]]:
    recorders: list[FakeRecorder] = []
    yield recorders
    for recorder in recorders:
        recorder.let_go()


def threads(port: str) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == f"lane recorder {port}"]


def open_below(directory: Path) -> list[str]:
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:  # the descriptor of this very listing, or one that a thread has just closed
            continue
    return [path for path in found if path.startswith(f"{directory}/")]


async def test_taken_out_after_all_was_well(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(200_000))
    async with bed.at_work():
        for at in range(3):
            port = f"left-{at}"
            card.plug(port)
            await bed.until(lambda at=at: len(bed.facts(Drained)) > at)
            assert threads(port)
            card.unplug()
            await bed.until(lambda: bed.sessions()[0].departed_at)
            await bed.until(lambda: not bed.driver.opened)
            await bed.until(lambda port=port: not threads(port))
    bed.must_agree()


async def test_the_station_forgets_what_is_over(tmp_path: Path) -> None:
    """Taken out, with its receipt or without anything that could still come of it: a year of dockings is no burden."""
    clock = VirtualClock()
    bed = StationBed(tmp_path, {"ledger": {"checkpoint_every_s": 3600}}, clock=clock)
    well, badly = bed.recorder("F1-0001"), bed.recorder("F1-0002")
    badly.fail("items", Misbehaved("list", "It is broken.", "Repair it."))
    async with bed.at_work() as station:
        well.record("a.mp4", b"x" * 5000)
        well.plug("left-1")
        badly.plug("left-2")
        await bed.until_settled(well)
        await bed.until(lambda: bed.facts(Faulted))
        assert len(station.sessions) == 2
        well.unplug()
        badly.unplug()
        await bed.until(lambda: all(session.departed_at for session in bed.sessions()))
        clock.advance(timedelta(minutes=1, seconds=1))
        await bed.until(lambda: clock.advance(1) or not station.sessions)
        assert not station.records
    bed.must_agree()


async def test_stopped_in_the_middle_of_a_file(tmp_path: Path) -> None:
    """The station says at the next buffer that it stops; what came until then is the progress."""
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001", most=512)  # so many calls that it takes seconds to the end
    card.record("a.mp4", Random(1).randbytes(8 << 20))
    async with bed.at_work() as station:
        card.plug("left-7")
        await bed.until(lambda: card.reads)
        record = bed.record("a.mp4")
        began = time.monotonic()
        station.stop()
        await bed.until(lambda: bed.facts(Arrived) and not bed.driver.opened)
        assert time.monotonic() - began < 4
        read = len(card.reads)
    assert len(card.reads) == read
    assert not threads("left-7")
    assert bed.record("a.mp4").state is State.LISTED
    assert 0 < (bed.settings.paths.spool / "part" / f"{record.id}.part").stat().st_size < 8 << 20
    bed.must_agree()


async def test_a_hung_one_is_asked_nothing_more_and_holds_no_file(tmp_path: Path, freed: list[FakeRecorder]) -> None:
    bed = StationBed(tmp_path, {"pull": {"call_timeout_s": 0.4}})
    card = bed.recorder("F1-0001")
    freed.append(card)
    for name in ("a", "b", "c"):
        card.record(f"{name}.mp4", Random(name).randbytes(200_000))
    card.hang("read_into")
    with structlog.testing.capture_logs() as told:
        async with bed.at_work():
            card.plug("left-8")
            await bed.until(lambda: bed.facts(Faulted))
            await bed.until(lambda: not open_below(bed.settings.paths.spool / "part"))
            end = time.monotonic() + 0.5
            await bed.until(lambda: time.monotonic() > end)
    failed = [line for line in told if line["event"] == "act.failed"]
    # The one that hung, and the next one, which had been begun already.
    assert 1 <= len(failed) <= 2, failed
    assert not [line for line in told if line["event"] in {"act.bug", "station.bug"}]
    assert {record.state for record in bed.records()} == {State.LISTED}
    bed.must_agree()
