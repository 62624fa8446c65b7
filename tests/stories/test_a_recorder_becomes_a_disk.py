"""A recorder shows a control interface first and then a disk at the same port: one docking, from plug to receipt."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from bwcdock import docks
from bwcdock.core.facts import Arrived, Departed, Drained, Faulted, Inventoried, Reappeared, Sealed, Sighting, Unclaimed
from bwcdock.errors import Unplugged
from bwcdock.ports import Recorder
from bwcdock.testing.mtp_responder import Fault, MtpDevice, Sparse
from bwcdock.testing.mtp_usb import Library, Plugged
from bwcdock.testing.recorder import FakeRecorder, OpenedRecorder
from bwcdock.testing.station import StationBed
from bwcdock_drivers.mtp.driver import MtpDriver

CONTROL = Sighting(port="usb-1", source="/dev/bus/usb/001/004", slot=1, properties=(("SUBSYSTEM", "usb"),))


class Disks:
    """Opens the recorder as a disk, and knows no control interface."""

    name = "disks"

    def __init__(self, recorder: FakeRecorder) -> None:
        self.recorder = recorder

    def claims(self, sighting: Sighting) -> int:
        return 100 if sighting.subsystem == "block" else 0

    @contextmanager
    def open(self, sighting: Sighting) -> Iterator[Recorder]:
        yield OpenedRecorder(self.recorder)


def disk(recorder: FakeRecorder, number: int = 1) -> Sighting:
    """The recorder plugged in as a disk; what the station is shown."""
    told = (("DISKSEQ", str(number)), ("SUBSYSTEM", "block"))
    recorder.docked_as = replace(recorder.plug("usb-1"), source="/dev/sdb", slot=1, properties=told)
    return recorder.docked_as


def bed_with_one(tmp_path: Path) -> tuple[StationBed, FakeRecorder]:
    bed = StationBed(tmp_path)
    recorder = bed.recorder("CAM1")
    bed.drivers = (Disks(recorder),)
    recorder.record("a.mp4", Random(1).randbytes(100_000))
    return bed, recorder


async def test_it_is_one_docking(tmp_path: Path) -> None:
    bed, recorder = bed_with_one(tmp_path)
    async with bed.at_work():
        bed.watch.others["usb-1"] = CONTROL
        await bed.until(lambda: bed.facts(Unclaimed))
        del bed.watch.others["usb-1"]
        disk(recorder)
        await bed.until(lambda: bed.sessions() and bed.sessions()[0].receipt)
    assert [len(bed.facts(fact)) for fact in (Arrived, Reappeared, Inventoried, Drained, Sealed)] == [1, 1, 1, 1, 1]
    (session,) = bed.sessions()
    assert (session.sighting.source, session.recorder, session.fault) == ("/dev/sdb", "CAM1", "")
    assert bed.facts(Departed)[0].reason == "the station was stopped"
    bed.must_agree()


class Slow(Disks):
    """Opens control interfaces too, but does not come to an end with them."""

    entered, may_end = threading.Event(), threading.Event()

    def claims(self, sighting: Sighting) -> int:
        return super().claims(sighting) or 50

    @contextmanager
    def open(self, sighting: Sighting) -> Iterator[Recorder]:
        if sighting.subsystem == "usb":
            self.entered.set()
            self.may_end.wait()
            raise Unplugged("open", "It became a disk.")
        with super().open(sighting) as opened:
            yield opened


async def test_it_is_one_docking_where_its_control_interface_was_being_opened(tmp_path: Path) -> None:
    bed, recorder = bed_with_one(tmp_path)
    driver = Slow(recorder)
    bed.drivers = (driver,)
    async with bed.at_work():
        bed.watch.others["usb-1"] = CONTROL
        await bed.until(driver.entered.is_set)
        del bed.watch.others["usb-1"]
        disk(recorder)
        await bed.until(lambda: bed.facts(Reappeared))
        driver.may_end.set()
        await bed.until(lambda: bed.facts(Drained))
    assert len(bed.facts(Arrived)) == 1
    assert not bed.facts(Faulted)
    bed.must_agree()


async def test_another_card_at_the_port_is_another_docking(tmp_path: Path) -> None:
    bed, recorder = bed_with_one(tmp_path)
    async with bed.at_work():
        disk(recorder)
        await bed.until(lambda: bed.sessions() and bed.sessions()[0].receipt)
        disk(recorder, number=2)
        await bed.until(lambda: len(bed.facts(Inventoried)) == 2)
    assert len(bed.facts(Arrived)) == 2
    assert not bed.facts(Reappeared)
    bed.must_agree()


async def test_what_was_listed_without_a_disk_is_taken_at_once_and_not_docked_again(tmp_path: Path) -> None:
    bed, recorder = bed_with_one(tmp_path)
    plugged = Plugged(MtpDevice(serial="BWC-0042"), address=4)
    plugged.device.record("DCIM/DCAM_D2F018_033021_20261121_083000.mp4", b"short")
    bed.drivers = (Disks(recorder), MtpDriver(library=Library([plugged])))
    async with bed.at_work():
        bed.watch.others["usb-1"] = replace(CONTROL, source=plugged.source)
        await bed.until(lambda: bed.facts(Drained))
        bed.watch.awaited = {"usb-1"}
        await bed.until(lambda: bed.facts(Departed))
        del bed.watch.others["usb-1"]
        bed.watch.awaited = set()
        disk(recorder)
        await bed.until(lambda: len(bed.facts(Drained)) == 2)
    assert [fact.reason for fact in bed.facts(Departed)] == ["taken away", "the station was stopped"]
    assert len(bed.facts(Arrived)) == 2
    assert not bed.facts(Reappeared)
    bed.must_agree()


async def test_what_is_only_awaited_keeps_its_docking_and_begins_none(tmp_path: Path) -> None:
    bed, _ = bed_with_one(tmp_path)
    async with bed.at_work():
        bed.watch.others["usb-1"] = CONTROL
        await bed.until(lambda: bed.facts(Unclaimed))
        bed.watch.awaited = {"usb-1", "usb-2"}
        bed.watch.others["usb-2"] = replace(CONTROL, port="usb-2", source="/dev/bus/usb/001/005")
        bed.watch.others["usb-3"] = replace(CONTROL, port="usb-3", source="/dev/bus/usb/001/006")
        await bed.until(lambda: len(bed.facts(Unclaimed)) == 2)
        assert not bed.facts(Departed)
    assert [fact.sighting.port for fact in bed.facts(Arrived)] == ["usb-1", "usb-3"]
    bed.must_agree()


def vanishing(tmp_path: Path) -> tuple[StationBed, Plugged]:
    """One whose USB device is gone in the middle of a read, while the bus shows it still."""
    bed, recorder = bed_with_one(tmp_path)
    made = MtpDevice(serial="BWC-0042")
    made.record("DCIM/DCAM_D2F018_033021_20261121_083000.mp4", Sparse(6 << 20, seed=1))
    made.faults.append(Fault(0x95C1, "data", "vanish", at=100_000))
    plugged = Plugged(made, address=4)
    bed.drivers = (Disks(recorder), MtpDriver(library=Library([plugged])))
    return bed, plugged


async def test_what_was_gone_before_the_bus_says_so_is_not_docked_again(tmp_path: Path) -> None:
    bed, plugged = vanishing(tmp_path)
    async with bed.at_work():
        bed.watch.others["usb-1"] = replace(CONTROL, source=plugged.source)
        await bed.until(lambda: bed.facts(Departed))
        bed.watch.others["usb-2"] = replace(CONTROL, port="usb-2", source="/dev/bus/usb/001/006")
        await bed.until(lambda: bed.facts(Unclaimed))
        assert [fact.sighting.port for fact in bed.facts(Arrived)] == ["usb-1", "usb-2"]
        bed.watch.others["usb-1"] = replace(CONTROL, source="/dev/bus/usb/001/007")  # plugged in again
        await bed.until(lambda: len(bed.facts(Unclaimed)) == 2)
    assert [fact.sighting.port for fact in bed.facts(Arrived)] == ["usb-1", "usb-2", "usb-1"]
    bed.must_agree()


async def test_what_is_there_still_after_it_seemed_gone_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docks, "LATE_S", 0.3)
    bed, plugged = vanishing(tmp_path)
    async with bed.at_work():
        bed.watch.others["usb-1"] = replace(CONTROL, source=plugged.source)
        await bed.until(lambda: bed.facts(Departed))
        plugged.device.is_there, plugged.device.is_open = True, False
        await bed.until(lambda: bed.facts(Drained))
    assert len(bed.facts(Arrived)) == 2
    bed.must_agree()
