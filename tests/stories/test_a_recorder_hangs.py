"""A recorder stops answering: it costs its own docking and nothing else, and never the end of the station."""

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import Drained, Faulted, Sealed
from bwcdock.core.session import State
from bwcdock.testing.recorder import Call, FakeRecorder
from bwcdock.testing.station import StationBed

SHORT = {"pull": {"open_timeout_s": 0.4, "list_timeout_s": 0.4, "call_timeout_s": 0.4}}
HANGS: tuple[Call, ...] = ("claims", "open", "identity", "condition", "items", "present", "read_into")


@pytest.fixture
def freed() -> Iterator[list[FakeRecorder]]:
    """Recorders whose hanging calls end with the test."""
    recorders: list[FakeRecorder] = []
    yield recorders
    for recorder in recorders:
        recorder.let_go()


def two(bed: StationBed, freed: list[FakeRecorder]) -> tuple[FakeRecorder, FakeRecorder]:
    bad, good = bed.recorder("BAD"), bed.recorder("GOOD")
    freed.append(bad)
    for at, recorder in enumerate((bad, good)):
        for name in ("a", "b", "c"):
            recorder.record(f"{name}.mp4", Random(f"{at}{name}").randbytes(150_000))
    return bad, good


@pytest.mark.parametrize("call", HANGS)
async def test_it_costs_its_own_docking_only(tmp_path: Path, freed: list[FakeRecorder], call: Call) -> None:
    bed = StationBed(tmp_path, SHORT)
    bad, good = two(bed, freed)
    bad.hang(call)
    async with bed.at_work():
        bad.plug("usb-1")
        good.plug("usb-2")
        await bed.until_settled(good)
        (fault,) = await bed.until(lambda: bed.facts(Faulted))
        assert fault.what in {"It did not answer within 0.4 s.", "It gave no byte for 0.4 s."}
        assert fault.hint == "Take the recorder out and dock it again."
        (session,) = [s for s in bed.sessions() if s.sighting.port == "usb-1"]
        assert session.state is State.FAULTED
        assert not bed.facts(Sealed, session=session.id)
        # Taken out and docked again in the same slot, it is a recorder like any other.
        bad.unplug()
        await bed.until(lambda: bed.ask(lambda ledger: ledger.session(session.id)).state is State.DEPARTED)
        bad.let_go()
        bad.plug("usb-1")
        await bed.until_settled(bad)
    assert len(bed.facts(Faulted)) == 1
    assert len(bed.records()) == 6
    assert all(r.finished for r in bed.records())
    bed.must_agree()


async def test_a_driver_that_does_not_let_go_does_not_hold_the_slot(tmp_path: Path, freed: list[FakeRecorder]) -> None:
    bed = StationBed(tmp_path, SHORT)
    bad, _ = two(bed, freed)
    bad.hang("close")
    async with bed.at_work():
        bad.plug("usb-1")
        await bed.until_settled(bad)
        bad.unplug()
        await bed.until(lambda: bed.sessions()[0].departed_at, limit_s=10)
    bed.must_agree()


@pytest.mark.parametrize(("call", "stop_s"), [("read_into", 5), *((call, 1) for call in HANGS)])
async def test_the_station_ends_all_the_same(
    tmp_path: Path, freed: list[FakeRecorder], call: Call, stop_s: float
) -> None:
    bed = StationBed(tmp_path, {"limits": {"stop_s": stop_s}})  # else the limits of a real station, a minute and more
    bad, good = two(bed, freed)
    bad.hang(call)
    async with bed.at_work():
        bad.plug("usb-1")
        good.plug("usb-2")
        await bed.until_settled(good)
        began = time.monotonic()
    # Of one second a busy machine may take several; the five of a real station are the promise.
    assert time.monotonic() - began < max(stop_s, 4)
    assert bed.entries()[-1].fact.ev == "station.stopped"
    assert not bed.ask(lambda ledger: ledger.open_sessions())
    bed.must_agree()


async def test_a_bug_in_a_driver_costs_its_own_docking_only(tmp_path: Path, freed: list[FakeRecorder]) -> None:
    bed = StationBed(tmp_path)
    bad, good = two(bed, freed)
    bad.fail("items", ZeroDivisionError("a bug"))
    async with bed.at_work():
        bad.plug("usb-1")
        good.plug("usb-2")
        await bed.until_settled(good)
        (fault,) = await bed.until(lambda: bed.facts(Faulted))
        assert fault.what == "A fault of the program: ZeroDivisionError."
    bed.must_agree()


async def test_a_bug_in_reading_sets_the_record_apart(tmp_path: Path, freed: list[FakeRecorder]) -> None:
    bed = StationBed(tmp_path)
    bad, good = two(bed, freed)
    bad.fail("read_into", ZeroDivisionError("a bug"))
    async with bed.at_work():
        bad.plug("usb-1")
        good.plug("usb-2")
        await bed.until_settled(good)
        await bed.until(lambda: len(bed.facts(Drained)) == 2)
        assert {r.quarantine for r in bed.records("BAD")} == {"bug"}
        bad.let_go()
        bad.plug("usb-3")
        await bed.until_settled(bad)
    assert all(r.finished for r in bed.records())
    bed.must_agree()
