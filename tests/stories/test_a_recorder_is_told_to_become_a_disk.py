"""A recorder speaks first, is unlocked, becomes a disk at the same port, and is brought in: one docking."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bwcdock.core.facts import (
    Arrived,
    Checked,
    Faulted,
    Identified,
    Inventoried,
    Listed,
    Reappeared,
    Rechecked,
    Sighting,
)
from bwcdock.core.session import State
from bwcdock.ports import Recorder
from bwcdock.settings import Secret, Unlock
from bwcdock.testing.dv16_recorder import Dv16Rack, Dv16Recorder
from bwcdock.testing.recorder import FakeRecorder, OpenedRecorder
from bwcdock.testing.station import StationBed
from bwcdock.testing.zzx_recorder import ZzxRack, ZzxRecorder
from bwcdock_drivers.dv16.driver import Dv16Driver
from bwcdock_drivers.zzx.driver import ZzxDriver
from bwcdock_drivers.zzx.talk import Ended

CONTROL = Sighting(port="usb-1", source="/dev/sdb", slot=1, properties=(("SUBSYSTEM", "usb"),))
DISK = replace(CONTROL, properties=(("DISKSEQ", "2"), ("SUBSYSTEM", "block")))


class Disks:
    """Opens what the recorder became, and knows nothing of what it was."""

    name = "disks"

    def __init__(self, disk: FakeRecorder) -> None:
        self.disk = disk

    def claims(self, sighting: Sighting) -> int:
        return 50 if sighting.subsystem == "block" else 0

    @contextmanager
    def open(self, sighting: Sighting) -> Iterator[Recorder]:
        yield OpenedRecorder(self.disk)


class Dock:
    """A station with one slot, the password of a recorder, and that recorder."""

    def __init__(self, directory: Path, password: str = "246810", **settings: object) -> None:
        self.bed = StationBed(directory, {"checks": {"again_s": 0.05}, **settings})  # type: ignore[dict-item]
        file = directory / "password"
        file.write_text(password)
        file.chmod(0o600)
        unlock = Unlock(driver="dv16", password=Secret(file=file))
        self.bed.settings = self.bed.settings.model_copy(update={"unlock": (unlock,)})
        self.recorder = Dv16Recorder(battery=15)
        self.rack = Dv16Rack(sdb=self.recorder)
        self.disk = self.bed.recorder("A1B2C3D")
        self.disk.battery = None
        self.disk.record("a.mp4", b"seen")
        self.bed.drivers = (Dv16Driver(units=self.rack), Disks(self.disk))

    def with_adb(self) -> ZzxRecorder:
        """Another recorder in the place of the first: one that is asked by adb."""
        (unlock,) = self.bed.settings.unlock
        fitting = unlock.model_copy(update={"driver": "zzx", "serials": ("A1B2C3D",)})
        self.bed.settings = self.bed.settings.model_copy(update={"unlock": (unlock, fitting)})
        made = ZzxRecorder(serial="A1B2C3D", offset_ms=-90_000, leaves=True)
        self.bed.drivers = (ZzxDriver(bridge=ZzxRack(Ended, n004=made)), Disks(self.disk))
        return made

    def show(self, sighting: Sighting) -> None:
        if sighting is DISK:
            self.disk.plug("usb-1")
            self.disk.docked_as = DISK
        else:
            self.bed.watch.others["usb-1"] = sighting
        self.bed.watch.hint.set()

    def become(self) -> None:
        del self.bed.watch.others["usb-1"]
        self.show(DISK)


async def test_it_is_one_docking_from_the_first_word_to_the_receipt(tmp_path: Path) -> None:
    dock = Dock(tmp_path)
    bed = dock.bed
    async with bed.at_work():
        dock.show(CONTROL)
        await bed.until(lambda: dock.recorder.is_disk and dock.rack.opened == 0)
        assert bed.sessions()[0].state is State.CHECKED
        dock.become()
        await bed.until(lambda: bed.sessions()[0].receipt)
        await bed.until(lambda: dock.disk.reads)
    assert [len(bed.facts(fact)) for fact in (Arrived, Identified, Reappeared, Checked, Listed)] == [1, 2, 1, 2, 1]
    (session,) = bed.sessions()
    assert session.identity is not None
    assert (session.recorder, session.identity.user, session.identity.unit) == (
        "A1B2C3D", "033021 王建国", "350102000000 鼓楼分局",
    )  # fmt: skip
    assert session.condition is not None
    assert session.condition.battery == 15
    assert "battery.low" in {finding.code for finding in session.findings}
    assert not bed.facts(Rechecked)  # what its disk cannot say again is what it said
    assert not bed.facts(Faulted)
    bed.must_agree()
    assert dock.recorder.overwritten == []
    assert "246810" not in "".join(
        path.read_bytes().decode("latin-1") for path in (tmp_path / "station").rglob("*") if path.is_file()
    )


async def test_what_it_said_of_its_clock_is_known_of_its_recordings(tmp_path: Path) -> None:
    dock = Dock(tmp_path)
    bed, made = dock.bed, dock.with_adb()
    async with bed.at_work():
        dock.show(replace(CONTROL, source="/dev/bus/usb/001/004"))
        await bed.until(lambda: made.is_disk)
        dock.become()
        await bed.until(lambda: bed.sessions()[0].receipt)
    (session,) = bed.sessions()
    assert (session.recorder, session.driver, made.passwords) == ("A1B2C3D", "disks", ["246810", "246810"])
    assert "clock.drift" in {finding.code for finding in session.findings}
    (listed,) = bed.facts(Listed)
    assert listed.drift is not None
    assert listed.drift.method == "protocol"
    assert abs(listed.drift.offset_ms + 90_000) < 5_000
    assert not bed.facts(Faulted)
    bed.must_agree()


async def test_a_wrong_password_ends_the_docking_and_is_not_tried_again(tmp_path: Path) -> None:
    dock = Dock(tmp_path, "135790")
    bed = dock.bed
    async with bed.at_work():
        dock.show(CONTROL)
        await bed.until(lambda: bed.facts(Faulted))
    (fault,) = bed.facts(Faulted)
    assert fault.op == "unlock"
    assert "135790" not in f"{fault.what}{fault.hint}"
    assert not dock.recorder.is_disk
    assert [cdb[5] for cdb, _ in dock.recorder.heard].count(13) == 1
    assert dock.rack.opened == 0
    assert not bed.facts(Inventoried)


async def test_one_that_takes_the_word_and_becomes_nothing_is_told(tmp_path: Path) -> None:
    dock = Dock(tmp_path, dock={"switch_s": 0.1})
    bed = dock.bed
    async with bed.at_work():
        dock.show(CONTROL)
        await bed.until(lambda: bed.facts(Faulted))
        # What comes later is a disk like any other, and is brought in.
        dock.become()
        await bed.until(lambda: bed.facts(Inventoried))
    (fault,) = bed.facts(Faulted)
    assert (fault.op, "none came within 0.2 s" in fault.what) == ("switch", True)
    assert len(bed.facts(Arrived)) == 2
    bed.must_agree()


async def test_a_disk_that_names_another_recorder_is_that_ones(tmp_path: Path) -> None:
    dock = Dock(tmp_path)
    dock.recorder.info = ("OTHER01", *dock.recorder.info[1:])
    bed = dock.bed
    async with bed.at_work():
        dock.show(CONTROL)
        await bed.until(lambda: dock.recorder.is_disk and dock.rack.opened == 0)
        dock.become()
        await bed.until(lambda: bed.sessions()[0].receipt)
    (session,) = bed.sessions()
    assert session.recorder == "A1B2C3D"
    assert "identity.differs" in {finding.code for finding in session.findings}
