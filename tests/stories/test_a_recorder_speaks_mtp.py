"""Recorders without a disk: brought in, yanked and gone on with, and each alone in its troubles."""

import hashlib
from pathlib import Path

import pytest
from bwcdock.core.facts import Faulted, Pulled
from bwcdock.core.record import State
from bwcdock.testing.mtp_responder import ANDROID, CAMERA, Fault, MtpDevice, Sparse
from bwcdock.testing.mtp_usb import Library, Plugged
from bwcdock.testing.station import StationBed
from bwcdock_drivers.mtp.driver import MtpDriver
from bwcdock_drivers.mtp.protocol import Patience

PATIENCE = Patience(call_s=20, event_s=0.001, drain_s=0.3)
SIZE = 6 << 20
NAME = "DCIM/DCAM_D2F018_033021_20261121_083000.mp4"


def device(serial: str, operations: frozenset[int] = ANDROID) -> MtpDevice:
    made = MtpDevice(serial=serial, operations=operations, props=(0x5001,))
    made.record(NAME, Sparse(SIZE, seed=len(serial)))
    made.record("DCIM/DCAM_D2F018_033021_20261121_084000.mp4", b"short")
    return made


def digest(made: MtpDevice) -> str:
    raw = bytearray(SIZE)
    content = made.things[2].content
    assert content
    content.fill(0, memoryview(raw))
    return hashlib.sha256(raw).hexdigest()


class Bus:
    """Two slots of a dock, and what is plugged in there."""

    def __init__(self, directory: Path) -> None:
        self.library = Library([])
        driver = MtpDriver(library=self.library, patience=PATIENCE)
        self.bed = StationBed(directory, drivers=[driver])
        self.plugs = 4

    def plug(self, port: str, made: MtpDevice) -> None:
        self.plugs += 1
        made.is_there, made.is_open = True, False
        there = Plugged(made, address=self.plugs)
        self.library.plugged = [*(each for each in self.library.plugged if each.device is not made), there]
        self.bed.watch.show(port, Path(there.source))
        self.bed.watch.hint.set()

    def take(self, port: str) -> None:
        self.bed.watch.take(port)
        self.bed.watch.hint.set()


@pytest.mark.parametrize("operations", [ANDROID, CAMERA], ids=["parts", "whole"])
async def test_it_is_yanked_in_the_middle_and_gone_on_with(tmp_path, operations):
    bus, made = Bus(tmp_path), device("BWC-0042", operations)
    bed = bus.bed
    made.faults.append(Fault(0x95C1 if operations is ANDROID else 0x1009, "data", "vanish", at=100_000, skip=9))
    if operations is CAMERA:
        made.faults[0].skip, made.faults[0].at = 0, 2_000_000
        made.things[3].name = "DCAM_D2F018_033021_20261121_082000.mp4"
    async with bed.at_work():
        bus.plug("usb-1", made)
        await bed.until(lambda: not made.is_there)
        bus.take("usb-1")
        await bed.until(lambda: bed.sessions("BWC-0042")[0].departed_at)
        before = made.served
        bus.plug("usb-1", made)
        await bed.until(lambda: [r for r in bed.records("BWC-0042") if r.state is State.SEALED][1:])
        await bed.until(lambda: bed.sessions("BWC-0042")[0].receipt)
    record = bed.record(NAME, "BWC-0042")
    pulled = bed.facts(Pulled, record=record.id)[0]
    assert record.digests
    assert record.digests.sha256 == digest(made)
    if operations is ANDROID:
        assert pulled.resumed_at > 0
        assert made.served - before < SIZE + (1 << 20)
    bed.must_agree()


async def test_one_that_hangs_costs_its_own_slot_only(tmp_path):
    bus, silent, well = Bus(tmp_path), device("BWC-SILENT"), device("BWC-WELL-1")
    bed = bus.bed
    silent.faults += [
        Fault(0x95C1, "data", "garbage", times=99),
        Fault(0x1001, "response", "garbage", times=99, skip=1),
    ]
    async with bed.at_work():
        bus.plug("usb-1", silent)
        bus.plug("usb-2", well)
        await bed.until(lambda: bed.facts(Faulted))
        await bed.until(lambda: [r for r in bed.records("BWC-WELL-1") if r.state is State.SEALED][1:])
        await bed.until(lambda: bed.sessions("BWC-WELL-1")[0].receipt)
    assert {fact.recorder for fact in bed.facts(Faulted)} == {"BWC-SILENT"}
    assert not [r for r in bed.records("BWC-SILENT") if r.state is State.SEALED]
    assert all(each.handles == 0 for each in bus.library.plugged)
    bed.must_agree()
