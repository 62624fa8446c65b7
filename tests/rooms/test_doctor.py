"""The doctor finds what keeps a dock from working, and says what to do; on a machine that is well it finds nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bwcdock import config, doctor, install, slots
from bwcdock.clock import ClockHealth
from bwcdock.doctor import Advice, Machine
from bwcdock.settings import Settings
from bwcdock.volumes import FileSystem

VOUCHED = ClockHealth(vouched=True, text="synchronised, wrong by at most 3 ms", max_error_ms=3)
ONE = slots.Slot(number=1, port="pci-0000:00:14.0-usb-0:1.2")


class World:
    """A machine in a directory, well in everything that can be laid out as files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("/etc/bwcdock/slots.toml", slots.render([ONE]))
        self.write(slots.RULES_PATH, slots.rules_for([ONE]))
        for file in install.shipped_rules():
            self.write(f"/etc/udev/rules.d/{file.name}", file.read_text())
        for pid, name in (("1", "systemd"), ("77", "bwcdock")):
            self.write(f"/proc/{pid}/comm", f"{name}\n")
        self.usb("1-1", {"bDeviceClass": "09", "bmAttributes": "e0", "maxchild": "4", "dev": "189:2"})
        recorder = {"bDeviceClass": "00", "speed": "480", "version": " 2.00", "product": "BodyCam", "dev": "189:3"}
        self.usb("1-1.2", recorder)
        self.write("/sys/bus/usb/devices/1-1.2/1-1.2:1.0/host0/block/sdb/ro", "1\n")
        self.write("/run/udev/data/c189:3", "E:ID_VENDOR=x\nE:BWCDOCK_SLOT=1\n")
        text = install.settings_text("dock-07", "unit", "S4-fuzhou")
        for place in (install.STATE, install.RUN):
            text = text.replace(f'"{place}', f'"{root}{place}')
        self.write("/etc/bwcdock/bwcdock.toml", text)

    def write(self, path: str | Path, text: str) -> None:
        there = self.root / str(path).lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(text)

    def usb(self, name: str, told: dict[str, str]) -> None:
        for key, value in told.items():
            self.write(f"/sys/bus/usb/devices/{name}/{key}", f"{value}\n")

    @property
    def settings(self) -> Settings:
        loaded = config.load(self.root / "etc/bwcdock/bwcdock.toml")
        # The root of the machine comes before it anew.
        paths = loaded.paths.model_copy(update={"slots": Path("/etc/bwcdock/slots.toml")})
        return loaded.model_copy(update={"paths": paths})

    def told(self, clock: ClockHealth = VOUCHED, **more: object) -> dict[str, list[Advice]]:
        found: dict[str, list[Advice]] = {}
        for advice in doctor.examine(Machine(clock=clock, root=self.root, **more), self.settings):
            found.setdefault(advice.topic, []).append(advice)
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def ill(told: dict[str, list[Advice]]) -> list[str]:
    return [advice.what for topic in told.values() for advice in topic if not advice.well]


HERE = {"user", "files", "spool", "room"}
"""What depends on the machine the test runs on: who exists there, and what it stands on."""


def test_a_machine_that_is_well_is_told_so_line_by_line(world: World) -> None:
    told = {topic: lines for topic, lines in world.told().items() if topic not in HERE}
    assert ill(told) == []
    assert set(told) == {"udev", "slots", "clock", "sqlite", "others", "hub", "speed", "write"}
    assert all(not line.remedy for lines in told.values() for line in lines)


@pytest.mark.parametrize(
    ("topic", "damage", "says", "remedy"),
    [
        (
            "udev",
            lambda w: (w.root / "etc/udev/rules.d/70-bwcdock.rules").unlink(),
            "70-bwcdock.rules is not in place",
            "bwcdock install",
        ),
        (
            "udev",
            lambda w: w.write("/etc/udev/rules.d/70-bwcdock.rules", "# nothing\n"),
            "another one than this program's",
            "bwcdock install",
        ),
        ("slots", lambda w: w.write("/etc/bwcdock/slots.toml", ""), "No port is named", "slots learn"),
        ("slots", lambda w: w.write(slots.RULES_PATH, slots.rules_for([])), "udev has not been told", "slots write"),
        ("others", lambda w: w.write("/proc/99/comm", "ModemManager\n"), "ModemManager runs", "off this machine"),
        ("others", lambda w: w.write("/proc/99/comm", "gvfs-gphoto2-vo\n"), "The desktop opens cameras", "rules"),
        ("hub", lambda w: w.usb("1-1", {"bmAttributes": "a0"}), "lives on its cable", "power supply"),
        ("speed", lambda w: w.usb("1-1.2", {"speed": "12"}), "at 12 Mbit/s", "Change the cable"),
        ("speed", lambda w: w.usb("1-1.2", {"version": " 3.10"}), "at 480 Mbit/s", "USB 3 port"),
        (
            "write",
            lambda w: w.write("/sys/bus/usb/devices/1-1.2/1-1.2:1.0/host0/block/sdb/ro", "0\n"),
            "would let sdb be written to",
            "docs/slots.md",
        ),
    ],
)
def test_each_thing_that_is_wrong_is_found_alone_with_its_remedy(
    world: World, topic: str, damage: Callable[[World], object], says: str, remedy: str
) -> None:
    before = ill(world.told())
    damage(world)
    told = world.told()
    (new,) = [line for line in told[topic] if line.what not in before and not line.well]
    assert says in new.what
    assert remedy in new.remedy


def test_a_recorder_at_a_port_that_is_no_slot_is_none_of_ours(world: World) -> None:
    world.write("/run/udev/data/c189:3", "E:ID_VENDOR=x\n")
    world.usb("1-1.2", {"speed": "12"})
    told = world.told()
    assert "speed" not in told
    assert "plug in a recorder" in told["bus"][0].what


def test_a_clock_nobody_vouches_for_is_named_with_the_kernels_reason(world: World) -> None:
    word = ClockHealth(vouched=False, text="unvouched: the kernel knows no time source", max_error_ms=None)
    (clock,) = world.told(word)["clock"]
    assert not clock.well
    assert "no time source" in clock.what
    assert "systemd-timesyncd" in clock.remedy


def test_an_old_sqlite_is_fit_and_says_why(world: World) -> None:
    (old,) = world.told(sqlite=(3, 40, 1))["sqlite"]
    (new,) = world.told(sqlite=(3, 51, 3))["sqlite"]
    assert old.well
    assert new.well
    assert "3.40.1: fit, as one connection alone writes" in old.what
    assert new.what == "SQLite 3.51.3."


@pytest.mark.parametrize("mode", [0o750, 0o755])
def test_a_place_of_the_station_that_is_open_to_others_is_found(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    advice = doctor._owned(tmp_path, os.getuid())
    assert advice.well == (mode == 0o750)
    assert not doctor._owned(tmp_path, os.getuid() + 1).well
    assert "bwcdock-found" in doctor._owned(tmp_path / "gone", os.getuid()).remedy


@pytest.mark.parametrize(
    ("volume", "says"),
    [
        (FileSystem(kind="tmpfs", mount_point="/x", ok=True, durable=False), "lies on tmpfs"),
        (FileSystem(kind="vfat", mount_point="/x", ok=False, durable=True), "lies on vfat"),
        (FileSystem(kind="ext4", mount_point="/", ok=True, durable=True), "which footage could fill"),
        (FileSystem(kind="xfs", mount_point="/spool", ok=True, durable=True), ""),
    ],
)
def test_what_the_spool_lies_on(world: World, monkeypatch: pytest.MonkeyPatch, volume: FileSystem, says: str) -> None:
    monkeypatch.setattr(doctor, "file_system_of", lambda _: volume)
    (told,) = world.told()["spool"]
    assert told.well == (not says)
    assert says in told.what


def test_the_command_tells_it_to_people_and_to_machines(tmp_path: Path) -> None:
    directory = tmp_path / "station"
    run = Path(sys.executable).with_name("bwcdock")
    subprocess.run([run, "init", directory], check=True, capture_output=True)
    people = subprocess.run([run, "-C", directory, "doctor"], capture_output=True, text=True, check=False)
    machines = subprocess.run([run, "-C", directory, "doctor", "--json"], capture_output=True, text=True, check=False)
    told = json.loads(machines.stdout)
    assert {tuple(line) for line in told} == {("topic", "well", "what", "remedy")}
    assert people.returncode == machines.returncode == (0 if all(line["well"] for line in told) else 1)
    assert people.stdout.count("✓") + people.stdout.count("✗") == len(told)
    assert "Traceback" not in people.stderr + machines.stderr
