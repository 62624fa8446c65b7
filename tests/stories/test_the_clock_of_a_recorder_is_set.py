"""A drained recorder's clock is set where the bureau wants it, by a clock that is vouched for, and it is told how."""

import asyncio
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Literal

import pytest
from bwcdock import clock_setter, overview, showing
from bwcdock.clock import Kernel, WallClock
from bwcdock.core.facts import (
    Checked,
    Cleared,
    ClockIntended,
    ClockNotSet,
    ClockTaken,
    ClockWritten,
    CopyBad,
    Departed,
    Drained,
    Drift,
    Fact,
    Finding,
    Identity,
    Rechecked,
    Sealed,
    Severity,
)
from bwcdock.core.view import session_view
from bwcdock.errors import Misbehaved, Unplugged
from bwcdock.testing.recorder import FakeRecorder
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import SYNCHRONISED, StationBed
from odd_recorders import odd

ON = {"dock": {"set_clock": True}, "checks": {"again_s": 3600.0}}
OF_CLOCK = (ClockIntended, ClockWritten, ClockTaken, ClockNotSet)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_setter, "TURN_S", 0.02)


def off(ms: int = 90_000) -> Drift:
    return Drift(method="protocol", offset_ms=ms, uncertainty_ms=20, read_at=datetime.now(UTC))  # noqa: TID251


def camera(bed: StationBed, serial: str = "CAM1") -> FakeRecorder:
    recorder = bed.recorder(serial)
    recorder.record("a.mp4", Random(serial).randbytes(100_000))
    recorder.clock, recorder.drift = "honest", off()
    return recorder


def told(bed: StationBed) -> list[str]:
    return [type(entry.fact).__name__ for entry in bed.entries() if isinstance(entry.fact, OF_CLOCK)]


def place(bed: StationBed, kind: type[Fact]) -> int:
    return next(entry.seq for entry in bed.entries() if isinstance(entry.fact, kind))


async def test_it_is_measured_sealed_set_and_read_again(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, ON)
    recorder = camera(bed)
    async with bed.at_work():
        recorder.plug("usb-1")
        await bed.until(lambda: bed.facts(Rechecked))
        await asyncio.sleep(0.2)  # once a docking
        now = session_view(bed.sessions()[0], {}, {})
    assert told(bed) == ["ClockIntended", "ClockWritten", "ClockTaken"]
    order = [place(bed, kind) for kind in (Checked, Sealed, Drained, ClockIntended, ClockWritten, ClockTaken)]
    assert order == sorted(order)
    (intended,) = bed.facts(ClockIntended)
    assert (intended.how, intended.drift.offset_ms, intended.recorder) == ("protocol", 90_000, "CAM1")
    assert intended.station.startswith("synchronised")
    assert bed.facts(ClockWritten)[0].set_to == recorder.settings[0]
    assert bed.facts(ClockTaken)[0].drift.offset_ms == 10
    assert len(recorder.settings) == 1
    assert not bed.findings("clock.not_set")
    (session,) = bed.sessions()
    assert session.clock is not None
    assert (session.clock.stands, session.clock.before.offset_ms) == ("taken", 90_000)
    view = session_view(session, {}, {})
    assert view.clock_set == "set by protocol: 1 min 30 s fast before, 0.01 s fast after"
    assert view.clock_set_zh == "已校时（经设备协议）：校时前快 1 分 30 秒，校时后快 0.01 秒"
    # What was found before stands no more, and it can be issued again without waiting for the next look.
    assert (now.drift_s, now.ready, now.lacks) == (0.01, True, ())
    # What it recorded before is corrected by what was measured then.
    assert bed.record("a.mp4").drift == intended.drift
    bed.must_agree()


async def test_at_each_docking_anew(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, ON)
    recorder = camera(bed)
    async with bed.at_work():
        for n in (1, 2):
            recorder.drift = off()
            recorder.plug(f"usb-{n}")
            await bed.until(lambda n=n: len(bed.facts(ClockTaken)) == n)  # type: ignore[misc]
    assert len(recorder.settings) == 2


REFUSAL = Finding(severity=Severity.REFUSE, code="card.dirty", what="Bad.", remedy="Keep it.")

NEVER: dict[str, tuple[dict[str, dict[str, object]], Callable[[FakeRecorder], object]]] = {
    "off by default": ({"dock": {}}, lambda r: None),
    "it is right": (ON, lambda r: setattr(r, "drift", off(2_000))),
    "nobody can measure it": (ON, lambda r: setattr(r, "drift", None)),
    "it cannot be set": (ON, lambda r: setattr(r, "clock", "none")),
    "off by less than the bureau wants": ({"dock": {"set_clock": True, "set_clock_beyond_s": 100}}, lambda r: None),
    "its own uncertainty": (ON, lambda r: setattr(r, "drift", replace(off(), uncertainty_ms=100_000))),
    "it was refused": (ON, lambda r: setattr(r, "notes", (REFUSAL,))),
    "something cannot be read": (ON, lambda r: r.fail("read_into", Misbehaved("read", "Nonsense.", "Dock it again."))),
}  # fmt: skip


@pytest.mark.parametrize("why", NEVER)
async def test_when_it_is_not_set(why: str, tmp_path: Path) -> None:
    overrides, change = NEVER[why]
    bed = StationBed(tmp_path, overrides)
    recorder, witness = camera(bed), bed.recorder("OTHER")
    witness.record("b.mp4", b"b" * 1000)
    change(recorder)
    async with bed.at_work():
        recorder.plug("usb-1")
        witness.plug("usb-2")
        await bed.until_settled(witness)
        if why not in {"it was refused", "something cannot be read"}:
            await bed.until_settled(recorder)
        await asyncio.sleep(0.3)
    assert told(bed) == []
    assert recorder.settings == []


async def test_never_by_a_clock_that_nobody_vouches_for(tmp_path: Path) -> None:
    kernel = ["the kernel does not say"]
    bed = StationBed(tmp_path, ON, clock=WallClock(kernel=lambda: kernel[0] if kernel else SYNCHRONISED))
    recorder = camera(bed)
    async with bed.at_work():
        recorder.plug("usb-1")
        await bed.until_settled(recorder)
        await asyncio.sleep(0.3)
        assert told(bed) == []
        kernel.clear()
        await bed.until(lambda: bed.facts(ClockTaken))


async def test_never_while_something_is_pulled(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, ON)
    recorder = camera(bed)
    recorder.hang("read_into")
    async with bed.at_work():
        recorder.plug("usb-1")
        await bed.until(lambda: bed.records("CAM1"))
        await asyncio.sleep(0.3)
        assert told(bed) == []
        assert recorder.settings == []
        recorder.let_go()


async def test_one_that_is_pulled_from_again_after_it_was_drained_holds_up_no_other(tmp_path: Path) -> None:
    """Its copy went bad, another docking asked for it again and left: the drained one is read from once more."""
    words = [Kernel(synchronised=False, estimated_error_us=0, max_error_us=0)]
    sink = MemorySink()
    bed = StationBed(tmp_path, ON, clock=WallClock(kernel=lambda: words[0]), sinks={"central": sink})
    driver = odd(bed)
    cards = camera(bed, "one"), camera(bed, "two")
    for card in cards:
        driver.identities[card.serial] = Identity(serial="CAM1", basis="name-group")
        card.record("a.mp4", b"a" * 100_000)
    one, two = cards
    sink.down = True
    async with bed.at_work() as station:
        one.plug("usb-1")
        await bed.until(lambda: bed.facts(Drained))
        bed.whole(bed.record("a.mp4")).unlink()
        sink.down = False
        await bed.until(lambda: bed.facts(CopyBad))
        one.hang("read_into")
        two.hang("read_into")
        two.plug("usb-2")
        await bed.until(lambda: bed.facts(Cleared))
        await bed.until(lambda: any(d.moving for d in station._docks.dockings if d.sighting.port == "usb-2"))
        two.unplug()
        await bed.until(lambda: any(d.moving for d in station._docks.dockings if d.sighting.port == "usb-1"))
        words[0] = SYNCHRONISED
        other = camera(bed, "OTHER")
        other.plug("usb-3")
        await bed.until(lambda: [fact for fact in bed.facts(ClockTaken) if fact.recorder == "OTHER"])
        assert one.settings == []
        two.let_go()
        one.let_go()


async def test_it_waits_while_something_else_is_changed_on_the_recorder(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, ON)
    recorder = camera(bed)
    async with bed.at_work() as station:
        recorder.plug("usb-1")
        await bed.until(lambda: station._docks.dockings)
        async with next(iter(station._docks.dockings)).writing:
            await bed.until(lambda: bed.facts(Drained))
            await asyncio.sleep(0.3)
            assert told(bed) == []
            assert recorder.settings == []
        await bed.until(lambda: bed.facts(ClockTaken))


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (Misbehaved("set", "It says no.", "Set it by hand."), "It says no."),
        (Unplugged("set", "It is gone.", "Dock it again."), "It is gone."),
        (ValueError("a bug"), "A fault of the program: ValueError."),
    ],
)
async def test_one_that_does_not_take_it_is_told(error: Exception, what: str, tmp_path: Path) -> None:
    bed = StationBed(tmp_path, ON)
    recorder = camera(bed)
    recorder.fail("set_clock", error)
    async with bed.at_work():
        recorder.plug("usb-1")
        await bed.until(lambda: bed.findings("clock.not_set"))
        await asyncio.sleep(0.2)
        assert told(bed) == ["ClockIntended", "ClockNotSet"]
        (fact,) = bed.facts(ClockNotSet)
        assert (fact.reason, fact.what, fact.drift) == ("failed", what, None)
        assert dict(bed.findings("clock.not_set")[0].evidence)["reason"] == "failed"
        recorder.let_go()
        recorder.plug("usb-2")  # tried again, and settled
        await bed.until(lambda: not bed.findings("clock.not_set"))
    assert told(bed)[2:] == ["ClockIntended", "ClockWritten", "ClockTaken"]
    bed.must_agree()


async def test_one_that_says_it_took_it_and_did_not_is_told_at_once(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, ON)
    recorder = camera(bed)
    recorder.clock = "deaf"
    async with bed.at_work():
        recorder.plug("usb-1")
        await bed.until(lambda: bed.findings("clock.not_set"))
    (fact,) = bed.facts(ClockNotSet)
    assert (fact.reason, fact.drift and fact.drift.offset_ms) == ("ignored", 90_000)


async def test_while_it_is_told_the_time_people_are_told_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [Kernel(synchronised=False, estimated_error_us=0, max_error_us=0)]
    bed, go_on = StationBed(tmp_path, ON, clock=WallClock(kernel=lambda: words[0])), threading.Event()
    recorder = camera(bed)
    recorder.then("set_clock", lambda: go_on.wait(60))

    def lamps() -> list[str]:
        view = overview.published(bed.settings)
        return [session.lamp.value for session in view.sessions] if view else []

    async with bed.at_work():
        recorder.plug("usb-1")
        await bed.until_settled(recorder)
        await bed.until(lambda: lamps() == ["nothing_owed"] or lamps() == ["safe_to_take"])
        with monkeypatch.context() as later:
            later.setattr(showing, "STILL_S", 600.0)  # at once, and not at some next look
            await asyncio.sleep(2)
            words[0] = SYNCHRONISED
            await bed.until(lambda: told(bed) == ["ClockIntended"])
        try:
            await bed.until(lambda: lamps() == ["wait"])
        finally:
            go_on.set()
        await bed.until(lambda: lamps() in (["safe_to_take"], ["nothing_owed"]))
    assert told(bed) == ["ClockIntended", "ClockWritten", "ClockTaken"]


async def test_one_that_hangs_costs_itself_alone(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, {**ON, "pull": {"open_timeout_s": 0.5}})
    bad, good = camera(bed, "BAD"), camera(bed, "GOOD")
    bad.hang("set_clock")
    async with bed.at_work():
        bad.plug("usb-1")
        await bed.until(lambda: bed.facts(ClockNotSet))
        good.plug("usb-2")
        await bed.until(lambda: bed.facts(ClockTaken))
        # Whatever it hangs in, all its recordings are here.
        await bed.until(lambda: "wait" not in [s.lamp for s in overview.published(bed.settings).sessions])  # type: ignore[union-attr]
        bad.let_go()
        await asyncio.sleep(0.2)
    assert [fact.reason for fact in bed.facts(ClockNotSet)] == ["failed"]
    assert [fact.recorder for fact in bed.facts(ClockTaken)] == ["GOOD"]
    bed.must_agree()


@pytest.mark.parametrize(("ms", "said"), [(500, "ClockTaken"), (90_000, "ClockNotSet"), (None, "ClockNotSet")])
async def test_one_that_cannot_be_read_again_is_judged_at_its_next_docking(
    ms: int | None, said: str, tmp_path: Path
) -> None:
    bed = StationBed(tmp_path, {**ON, "dock": {"set_clock": True, "set_clock_beyond_s": 80}})
    recorder = camera(bed)
    recorder.clock = "blind"
    async with bed.at_work():
        recorder.plug("usb-1")
        await bed.until(lambda: bed.facts(ClockWritten))
        await asyncio.sleep(0.2)
        assert told(bed) == ["ClockIntended", "ClockWritten"]
        first = bed.sessions()[0].id
        recorder.unplug()
        await bed.until(lambda: bed.facts(Departed))
        recorder.clock, recorder.drift = "none", None if ms is None else off(ms)
        recorder.plug("usb-1")
        await bed.until(lambda: len(told(bed)) == 3)
    assert told(bed)[2] == said
    (fact,) = bed.facts(ClockTaken) or bed.facts(ClockNotSet)
    assert fact.session == first
    reasons = {500: [], 90_000: ["ignored"], None: ["unread"]}
    assert [fact.reason for fact in bed.facts(ClockNotSet)] == reasons[ms]
    bed.must_agree()


# --- power cuts -------------------------------------------------------------------------------------------------------

CUTS: dict[str, tuple[Literal["set_clock", "condition"], int, list[str], str]] = {
    # What hangs when the power goes, how far the clock is off afterwards, what the ledger holds, what it says later.
    "before it is told": ("set_clock", 90_000, ["ClockIntended"], "ClockNotSet"),
    "after it was told, before that was entered": ("set_clock", 300, ["ClockIntended"], "ClockTaken"),
    "before it is read again": ("condition", 300, ["ClockIntended", "ClockWritten"], "ClockTaken"),
    "it did not take it either": ("condition", 90_000, ["ClockIntended", "ClockWritten"], "ClockNotSet"),
}


@pytest.mark.parametrize("cut", CUTS)
async def test_the_power_goes_in_the_middle(cut: str, tmp_path: Path) -> None:
    call, ms, held, said = CUTS[cut]
    bed = StationBed(tmp_path, {**ON, "ledger": {"checkpoint_every_s": 600.0}})
    recorder = camera(bed)
    station, image = bed.settings.paths.ledger.parent, tmp_path / "image"
    recorder.then("set_clock", lambda: recorder.hang(call))
    async with bed.at_work():
        recorder.plug("usb-1")
        await bed.until_settled(recorder)
        await bed.until(lambda: told(bed) == held)
        await asyncio.sleep(0.1)
        shutil.copytree(station, image)  # what the disk holds at this moment
        recorder.let_go()
    shutil.rmtree(station)
    shutil.copytree(image, station)
    recorder.unplug()
    recorder.drift = off(ms)
    recorder.clock = "none"
    async with bed.at_work():
        await bed.until(lambda: [s for s in bed.sessions() if s.departed_at])
        # Whether it may have been written or not is told at once; that it was written and not read, at its docking.
        assert [f.code for f in bed.findings() if f.code.startswith("clock.")] == (
            ["clock.cut_off"] if held == ["ClockIntended"] else []
        )
        recorder.plug("usb-1")
        await bed.until(lambda: told(bed) == [*held, said])
        assert not bed.findings("clock.cut_off")
        assert [dict(f.evidence)["reason"] for f in bed.findings("clock.not_set")] == (
            [] if said == "ClockTaken" else ["interrupted" if held == ["ClockIntended"] else "ignored"]
        )
    bed.must_agree()


async def test_one_that_was_stopped_in_the_middle_is_told_at_the_next_start(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, {**ON, "limits": {"stop_s": 0.5}})
    recorder = camera(bed)
    recorder.hang("set_clock")
    async with bed.at_work():
        recorder.plug("usb-1")
        await bed.until(lambda: bed.facts(ClockIntended))
    recorder.unplug()
    async with bed.at_work():
        assert await bed.until(lambda: bed.findings("clock.cut_off"))
    recorder.let_go()
