"""The driver suite on recorders that only speak, and become a disk for their files."""

import hashlib
from collections.abc import Iterator, Mapping

import pytest
from bwcdock.core.facts import Sighting
from bwcdock.ports import Driver
from bwcdock.testing.driver_suite import DriverBed, DriverSuite
from bwcdock.testing.dv16_recorder import Dv16Rack, Dv16Recorder
from bwcdock.testing.zzx_recorder import ZzxRack, ZzxRecorder
from bwcdock_drivers.dv16.driver import Dv16Driver
from bwcdock_drivers.zzx.driver import ZzxDriver
from bwcdock_drivers.zzx.talk import Ended


class Dv16Bed:
    files: Mapping[str, bytes] = {}

    def __init__(self) -> None:
        self.recorder = Dv16Recorder()
        self.rack = Dv16Rack(sdb=self.recorder, sdc=Dv16Recorder(inquiry="Generic STORAGE DEVICE  "))

    def driver(self) -> Driver:
        return Dv16Driver(units=self.rack)

    def sighting(self) -> Sighting:
        return Sighting(port="usb-1", source="/dev/sdb")

    def foreign(self) -> Sighting:
        return Sighting(port="usb-2", source="/dev/sdc")

    def fingerprint(self) -> str:
        made = self.recorder
        held = (made.fields(), made.model, made.password, made.clock, made.is_disk, made.overwritten)
        return hashlib.sha256(repr(held).encode()).hexdigest()

    def vanish(self) -> None:
        self.recorder.is_there = False

    def close(self) -> None:
        assert self.rack.opened == 0


class ZzxBed:
    files: Mapping[str, bytes] = {}

    def __init__(self) -> None:
        self.recorder = ZzxRecorder()
        self.rack = ZzxRack(Ended, n004=self.recorder)

    def driver(self) -> Driver:
        return ZzxDriver(bridge=self.rack)

    def sighting(self) -> Sighting:
        return Sighting(port="usb-1", source="/dev/bus/usb/001/004")

    def foreign(self) -> Sighting:
        return Sighting(port="usb-2", source="/dev/bus/usb/001/005")

    def fingerprint(self) -> str:
        made = self.recorder
        held = (made.serial, made.user, made.unit, made.password, made.offset_ms, made.is_disk, made.overwritten)
        return hashlib.sha256(repr(held).encode()).hexdigest()

    def vanish(self) -> None:
        self.recorder.is_there = False

    def close(self) -> None:
        assert self.rack.opened == 0


BEDS = {"dv16": Dv16Bed, "zzx": ZzxBed}


@pytest.fixture(params=sorted(BEDS))
def bed(request: pytest.FixtureRequest) -> Iterator[DriverBed]:
    made = BEDS[request.param]()
    yield made
    made.close()


class TestVendorDrivers(DriverSuite):
    pass
