"""The driver suite on recorders that speak MTP, over USB and over TCP, in every way they may do it."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from bwcdock.core.facts import Sighting
from bwcdock.ports import Driver
from bwcdock.testing.driver_suite import DriverBed, DriverSuite
from bwcdock.testing.mtp_responder import ANDROID, CAMERA, MtpDevice
from bwcdock.testing.mtp_usb import Library, Plugged
from bwcdock_drivers.mtp.driver import MtpDriver
from bwcdock_drivers.mtp.protocol import Patience
from mtp_child import content, device, fingerprint

PATIENCE = Patience(call_s=20, event_s=0.001, drain_s=0.3)


class UsbBed:
    def __init__(self, made: MtpDevice, *, packet: int = 512) -> None:
        self.files: Mapping[str, bytes] = content()
        self.plugged = Plugged(made, packet=packet)
        self.other = Plugged(MtpDevice(), address=6, classes=(3, 1, 1))
        self.library = Library([self.plugged, self.other])

    def driver(self) -> Driver:
        return MtpDriver(library=self.library, patience=PATIENCE)

    def sighting(self) -> Sighting:
        return Sighting(port="usb-1", source=self.plugged.source)

    def foreign(self) -> Sighting:
        return Sighting(port="usb-2", source=self.other.source)

    def fingerprint(self) -> str:
        return fingerprint(self.plugged.device)

    def vanish(self) -> None:
        self.plugged.device.unplug()

    def close(self) -> None:
        assert self.plugged.handles == 0


class IpBed:
    """The responder is a process of its own, so that what it holds is not taken for what the driver left behind."""

    def __init__(self, kind: str) -> None:
        self.files: Mapping[str, bytes] = content()
        child = Path(__file__).with_name("mtp_child.py")
        self.child = subprocess.Popen(
            [sys.executable, str(child), kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.source = self.told()

    def told(self, asked: str = "") -> str:
        assert self.child.stdin
        assert self.child.stdout
        if asked:
            self.child.stdin.write(f"{asked}\n")
            self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def driver(self) -> Driver:
        return MtpDriver(patience=PATIENCE)

    def sighting(self) -> Sighting:
        return Sighting(port="net-1", source=self.source)

    def foreign(self) -> Sighting:
        return Sighting(port="net-2", source="http://127.0.0.1:1/")

    def fingerprint(self) -> str:
        return self.told("fingerprint")

    def vanish(self) -> None:
        assert self.told("vanish") == "gone"

    def close(self) -> None:
        self.child.communicate("end\n", timeout=60)


BEDS = {
    "usb": lambda: UsbBed(device(props=(0x5001, 0x5011))),
    "usb-whole-objects": lambda: UsbBed(device(operations=CAMERA)),
    "usb-32-bits": lambda: UsbBed(device(operations=ANDROID - {0x95C1, 0x9805}, zero_packets=False)),
    "usb-forgets-empty-packets": lambda: UsbBed(device(zero_packets=False, samsung=True)),
    "usb-header-apart": lambda: UsbBed(device(split_header=True, broken_lists=True), packet=1024),
    "usb-small-parts": lambda: UsbBed(device(most_in_part=1000, keeps_session=True), packet=64),
    "tcp": lambda: IpBed("android"),
    "tcp-whole-objects": lambda: IpBed("camera"),
}


@pytest.fixture(params=sorted(BEDS))
def bed(request: pytest.FixtureRequest) -> Iterator[DriverBed]:
    made = BEDS[request.param]()
    yield made
    made.close()


class TestMtpDriver(DriverSuite):
    pass
