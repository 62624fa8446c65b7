"""The promises of setting a clock, on every driver that sets one; and against recorders that cheat about it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bwcdock.clock import WallClock
from bwcdock.core.facts import Drift, Sighting
from bwcdock.ports import Driver, Recorder, Unlocks
from bwcdock.testing.driver_suite import ClockBed, ClockSuite
from bwcdock.testing.dv16_recorder import Dv16Rack, Dv16Recorder
from bwcdock.testing.mtp_responder import MtpDevice
from bwcdock.testing.mtp_usb import Library, Plugged
from bwcdock.testing.recorder import FakeDriver, FakeRecorder
from bwcdock.testing.zzx_recorder import ZzxRack, ZzxRecorder
from bwcdock_drivers.dv16.driver import Dv16Driver
from bwcdock_drivers.mtp.driver import MtpDriver
from bwcdock_drivers.mtp.protocol import Patience
from bwcdock_drivers.zzx.driver import ZzxDriver
from bwcdock_drivers.zzx.talk import Ended

BEIJING = timedelta(hours=8)
"""The zone that is assumed of clocks that name none."""

YEARS_S = -3 * 365 * 86_400.0


class Shown:
    """A clock of local time that runs on from what it was set to."""

    def __init__(self) -> None:
        self.error_s = YEARS_S

    def text(self) -> str:
        return f"{WallClock().now() + BEIJING + timedelta(seconds=self.error_s):%Y%m%dT%H%M%S}"

    def set(self, local: datetime) -> None:
        self.error_s = (local.replace(tzinfo=UTC) - BEIJING - WallClock().now()).total_seconds()


class Bed:
    """What all of them have in common."""

    files: Mapping[str, bytes] = {}

    def ready(self, recorder: Recorder) -> None:
        if isinstance(recorder, Unlocks):
            recorder.unlock("246810")


class FakeBed(Bed):
    def __init__(self) -> None:
        self.recorder = FakeRecorder("F1")
        self.recorder.clock = "honest"
        now = WallClock().now()
        self.recorder.drift = Drift(method="protocol", offset_ms=-9_000_000, uncertainty_ms=1, read_at=now)
        self.recorder.record("a.mp4", b"a" * 1000)
        self.shown = self.recorder.plug()

    def driver(self) -> Driver:
        return FakeDriver(self.recorder)

    def sighting(self) -> Sighting:
        return self.shown

    def vanish(self) -> None:
        self.recorder.unplug()

    def error_s(self) -> float:
        assert self.recorder.drift
        return self.recorder.drift.offset_ms / 1000


class SetMtp(MtpDevice):
    """One that keeps what it is told."""

    shown: Shown

    def _property(self, op: int, prop: int, given: bytes) -> Any:
        answer = super()._property(op, prop, given)
        if op == 0x1016:
            self.shown.set(datetime.strptime(self.clock_set[-1][:15], "%Y%m%dT%H%M%S"))  # noqa: DTZ007
        return answer


class MtpBed(Bed):
    def __init__(self) -> None:
        self.clock = Shown()
        self.device = SetMtp(clock=self.clock.text, props=(0x5011,))
        self.device.shown = self.clock
        self.device.record("DCIM/a.mp4", b"a" * 1000)
        self.plugged = Plugged(self.device, packet=512)

    def driver(self) -> Driver:
        patience = Patience(call_s=20, event_s=0.001, drain_s=0.3)
        return MtpDriver(library=Library([self.plugged]), patience=patience)

    def sighting(self) -> Sighting:
        return Sighting(port="usb-1", source=self.plugged.source)

    def vanish(self) -> None:
        self.device.unplug()

    def error_s(self) -> float:
        return self.clock.error_s


class ZzxBed(Bed):
    def __init__(self) -> None:
        self.recorder = ZzxRecorder(offset_ms=round(YEARS_S * 1000))
        self.rack = ZzxRack(Ended, n004=self.recorder)

    def driver(self) -> Driver:
        return ZzxDriver(bridge=self.rack)

    def sighting(self) -> Sighting:
        return Sighting(port="usb-1", source="/dev/bus/usb/001/004")

    def vanish(self) -> None:
        self.recorder.is_there = False

    def error_s(self) -> float:
        return self.recorder.offset_ms / 1000


class SetDv16(Dv16Recorder):
    """One that keeps when it was told."""

    at_s = 0.0

    def give(self, cdb: bytes, data: bytes) -> None:
        super().give(cdb, data)
        if self.clock:
            self.at_s = self.at_s or WallClock().now().timestamp()


class Dv16Bed(Bed):
    def __init__(self) -> None:
        self.recorder = SetDv16()
        self.rack = Dv16Rack(sdb=self.recorder)

    def driver(self) -> Driver:
        return Dv16Driver(units=self.rack)

    def sighting(self) -> Sighting:
        return Sighting(port="usb-1", source="/dev/sdb")

    def vanish(self) -> None:
        self.recorder.is_there = False

    def error_s(self) -> float:
        if not self.recorder.clock:
            return YEARS_S
        local = datetime(*self.recorder.clock, tzinfo=UTC)  # type: ignore[arg-type,misc]
        return (local - BEIJING).timestamp() - self.recorder.at_s


BEDS = {"fake": FakeBed, "mtp": MtpBed, "zzx": ZzxBed, "dv16": Dv16Bed}


@pytest.fixture(params=sorted(BEDS))
def clocked(request: pytest.FixtureRequest) -> ClockBed:
    return BEDS[request.param]()


class TestClocks(ClockSuite):
    pass


# --- the suite sees one that cheats -----------------------------------------------------------------------------------


class Cheat(FakeBed):
    def __init__(self, lie: str) -> None:
        super().__init__()
        self.lie = lie

    @contextmanager
    def open(self, sighting: Sighting) -> Iterator[Recorder]:
        with FakeDriver(self.recorder).open(sighting) as true:
            honest = true.set_clock  # type: ignore[attr-defined]

            def set_clock(now: datetime) -> Drift:
                if self.lie == "deaf":
                    return Drift(method="protocol", offset_ms=0, uncertainty_ms=1, read_at=now)
                if self.lie == "deletes":
                    self.recorder.delete("a.mp4")
                if self.lie == "sets it although it is gone":
                    self.recorder.drift = Drift(method="protocol", offset_ms=0, uncertainty_ms=1, read_at=now)
                left: Drift = honest(now)
                return Drift(
                    method="protocol",
                    offset_ms=90_000 if self.lie == "says it is off" else left.offset_ms,
                    uncertainty_ms=1,
                    read_at=now,
                    bound="at_least" if self.lie == "says a bound" else "exact",
                )

            true.set_clock = set_clock  # type: ignore[attr-defined]
            yield true

    def driver(self) -> Any:
        return self


LIES = {
    "deaf": "test_a_clock_that_is_set_is_right",
    "says it is off": "test_a_clock_that_is_set_is_right",
    "says a bound": "test_a_clock_that_is_set_is_right",
    "deletes": "test_setting_it_changes_nothing_else",
    "sets it although it is gone": "test_a_gone_recorder_is_not_set",
}


@pytest.mark.parametrize("lie", LIES)
def test_the_suite_sees_a_cheat(lie: str) -> None:
    with pytest.raises(AssertionError):
        getattr(ClockSuite(), LIES[lie])(Cheat(lie))
