"""Looks at everything about a machine that keeps a dock from working, and says of each what to do."""

import grp
import os
import pwd
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bwcdock import install, slots
from bwcdock.clock import ClockHealth
from bwcdock.core.desk.people import Person, in_one_hand
from bwcdock.errors import BwcdockError
from bwcdock.ledger import open_read_only
from bwcdock.settings import Settings
from bwcdock.spool import RESERVE
from bwcdock.volumes import file_system_of

USER, DOCK = "bwcdock", "bwcdock-dock"

GRABBERS = {
    "ModemManager": "ModemManager asks every serial port whether it is a modem, also a recorder's.",
    "udisksd": "udisks mounts cards for whoever sits at a desktop.",
    "gvfs-udisks2-volume-monitor": "The desktop mounts cards and leaves files on them.",
    "gvfs-gphoto2-volume-monitor": "The desktop opens cameras, and nobody else can then.",
    "gvfs-mtp-volume-monitor": "The desktop opens MTP recorders, and nobody else can then.",
    "usbmuxd": "usbmuxd takes hold of mobile devices.",
}
"""Programs that take hold of recorders before the station does. The udev rules keep them off the dock's ports."""

FIXED_SQLITE = (3, 51, 3)
"""The first SQLite without the race between two connections that reset the WAL at once. The ledger has one."""

FULL_SPEED_MBIT = 12.0
"""USB 1.1: a gigabyte takes a quarter of an hour."""

USB3_MBIT = 5000.0
HUB_CLASS = "09"
SELF_POWERED = 0x40  # bmAttributes of a configuration, USB 2.0 specification, 9.6.3

_COMM = 15  # the kernel keeps so many characters of a program's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One line: what was looked at, whether it is well, how it is, and what to do where it is not."""

    topic: str
    well: bool
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where to look. ``root`` is the machine's own, and another one in tests; ``clock`` the kernel's word."""

    clock: ClockHealth
    root: Path = Path("/")
    sqlite: tuple[int, int, int] = field(default_factory=lambda: _version(sqlite3.sqlite_version))

    def at(self, path: str | Path) -> Path:
        """A path of the machine."""
        return self.root / str(path).lstrip("/")

    def read(self, path: str | Path) -> str | None:
        """A small text file of the machine without the white space around it, ``None`` where it cannot be read."""
        try:
            return self.at(path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None


def examine(machine: Machine, settings: Settings) -> tuple[Advice, ...]:
    """Every check, in the order in which an installer would mend things. Changes nothing."""
    return (
        *_rules(machine, settings),
        *_people(machine, settings),
        *_hands(machine, settings),
        *_spool(settings),
        _clock(machine),
        _sqlite(machine),
        *_grabbers(machine),
        *_bus(machine),
    )


# --- rules ------------------------------------------------------------------------------------------------------------


def _rules(machine: Machine, settings: Settings) -> Iterator[Advice]:
    for file in install.shipped_rules():
        there = {where: machine.read(f"/{where}/udev/rules.d/{file.name}") for where in ("etc", "usr/lib", "lib")}
        found = [text for text in there.values() if text is not None]
        if not found:
            yield Advice(
                topic="udev", well=False, what=f"{file.name} is not in place.", remedy="Run `sudo bwcdock install`."
            )
        elif found[0] != file.read_text(encoding="utf-8").strip():
            yield Advice(
                topic="udev",
                well=False,
                what=f"{file.name} in place is another one than this program's.",
                remedy="Run `sudo bwcdock install`; put changes of your own into a file of their own.",
            )
        else:
            yield Advice(topic="udev", well=True, what=f"{file.name} is in force.")
    known = slots.load(machine.at(settings.paths.slots))
    if not known and not settings.dock.any_port:
        yield Advice(
            topic="slots",
            well=False,
            what="No port is named as a slot: recorders that are plugged in are left alone.",
            remedy="Run `sudo bwcdock slots learn` and plug into one slot after the other.",
        )
    elif (machine.read(slots.RULES_PATH) or "") != slots.rules_for(known).strip():
        yield Advice(
            topic="slots",
            well=False,
            what=f"udev has not been told of the slots in {settings.paths.slots}.",
            remedy="Run `sudo bwcdock slots write`.",
        )
    else:
        yield Advice(topic="slots", well=True, what=f"{len(known)} slots are named, and udev knows them.")


# --- the station's user -----------------------------------------------------------------------------------------------


def _people(machine: Machine, settings: Settings) -> Iterator[Advice]:
    remedy = "Run `sudo bwcdock install`, which has systemd-sysusers make it."
    try:
        user, group = pwd.getpwnam(USER), grp.getgrnam(USER)
    except KeyError:
        yield Advice(topic="user", well=False, what=f"There is no user and group {USER}.", remedy=remedy)
        return
    others = [g.gr_name for g in grp.getgrall() if USER in g.gr_mem]
    if user.pw_gid != group.gr_gid or others:
        what = f"{USER} is in further groups: {', '.join(others) or 'its own is another'}."
        yield Advice(topic="user", well=False, what=what, remedy=f"Take it out: gpasswd -d {USER} GROUP.")
    else:
        yield Advice(topic="user", well=True, what=f"{USER} is in its own group alone.")
    yield _docks_group(remedy)
    for path in (settings.paths.ledger, settings.paths.spool, settings.paths.keys):
        yield _owned(machine.at(path), user.pw_uid)


def _docks_group(remedy: str) -> Advice:
    """Members of the station's group read what a status shows; those of this one every card in a slot."""
    try:
        members = grp.getgrnam(DOCK).gr_mem
    except KeyError:
        return Advice(topic="user", well=False, what=f"There is no group {DOCK}.", remedy=remedy)
    if members:
        what = f"Who is in the group {DOCK} reads every card in a slot: {', '.join(members)}."
        return Advice(topic="user", well=False, what=what, remedy=f"Take them out: gpasswd -d NAME {DOCK}.")
    return Advice(topic="user", well=True, what=f"Nobody but the daemon is in the group {DOCK}.")


def _owned(path: Path, uid: int) -> Advice:
    try:
        told = path.stat()
    except FileNotFoundError:
        return Advice(
            topic="files", well=False, what=f"{path} is not there.", remedy="Run `systemctl start bwcdock-found`."
        )
    except PermissionError:
        return Advice(topic="files", well=False, what=f"{path} cannot be looked at.", remedy="Run it with sudo.")
    if told.st_uid != uid or told.st_mode & stat.S_IRWXO:
        remedy = f"chown -R {USER}: {path}; chmod o= {path}"
        return Advice(topic="files", well=False, what=f"{path} belongs to others, or is open to them.", remedy=remedy)
    return Advice(topic="files", well=True, what=f"{path} is the station's alone.")


def _hands(machine: Machine, settings: Settings) -> Iterator[Advice]:
    """Who holds what ought to be split. A small unit may have nobody else: it is told, and is no fault."""
    try:
        with open_read_only(machine.at(settings.paths.ledger)) as ledger:
            found = in_one_hand(ledger.matters(Person))
    except BwcdockError:
        return  # where the ledger cannot be read others say so
    for person, roles in found:
        what = f"{person.name} ({person.id}) is {' and '.join(roles)} in one: these should be different persons."
        yield Advice(topic="roles", well=True, what=what, remedy="Have another administrator enter them apart.")


# --- what the station stands on ---------------------------------------------------------------------------------------


def _spool(settings: Settings) -> Iterator[Advice]:
    path = settings.paths.spool
    volume = file_system_of(path)
    if not volume.ok or not volume.durable:
        remedy = "Put [paths] spool on a local ext4, xfs or btrfs volume."
        yield Advice(topic="spool", well=False, what=f"{path} lies on {volume.kind}.", remedy=remedy)
    elif volume.mount_point == "/":
        remedy = f"Mount a volume of its own at {path}."
        what = f"{path} lies on the system's own volume ({volume.kind}), which footage could fill."
        yield Advice(topic="spool", well=False, what=what, remedy=remedy)
    else:
        yield Advice(topic="spool", well=True, what=f"{path} lies on {volume.kind} of its own.")
    there = next(p for p in (path, *path.parents) if p.exists())
    room = os.statvfs(there)
    free, total = room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
    reserve = max(settings.spool.reserve_ratio, RESERVE) * total
    what = f"The spool has {free / 1e9:.1f} of {total / 1e9:.1f} GB free."
    if free <= 2 * reserve:
        yield Advice(topic="room", well=False, what=what, remedy="Give it a larger disk before recorders are docked.")
    else:
        yield Advice(topic="room", well=True, what=what)


def _clock(machine: Machine) -> Advice:
    health = machine.clock
    remedy = "" if health.vouched else "Start systemd-timesyncd or chrony, and name a time server it can reach."
    return Advice(
        topic="clock", well=health.vouched, what=f"The kernel says of the clock: {health.text}.", remedy=remedy
    )


def _sqlite(machine: Machine) -> Advice:
    version = ".".join(map(str, machine.sqlite))
    if machine.sqlite >= FIXED_SQLITE:
        return Advice(topic="sqlite", well=True, what=f"SQLite {version}.")
    # Older ones can lose a commit when two connections reset the WAL at once; the station has one that writes.
    return Advice(topic="sqlite", well=True, what=f"SQLite {version}: fit, as one connection alone writes the ledger.")


def _grabbers(machine: Machine) -> Iterator[Advice]:
    running = {machine.read(path.relative_to(machine.root)) for path in machine.at("/proc").glob("[0-9]*/comm")}
    found = {name: why for name, why in GRABBERS.items() if name[:_COMM] in running}
    for name, why in found.items():
        yield Advice(
            topic="others",
            well=False,
            what=f"{name} runs. {why}",
            remedy="The udev rules keep it off the dock's ports; better still take it off this machine.",
        )
    if not found:
        yield Advice(topic="others", well=True, what="No other program that takes hold of recorders runs.")


# --- the bus ----------------------------------------------------------------------------------------------------------


def _bus(machine: Machine) -> Iterator[Advice]:
    docked = False
    for device in sorted(machine.at("/sys/bus/usb/devices").glob("[0-9]*-[0-9]*")):
        if ":" in device.name:
            continue  # an interface of a device
        if _text(device, "bDeviceClass") == HUB_CLASS:
            yield from _hub(device)
        elif slot := _slot(machine, device):
            docked = True
            yield _speed(device, slot)
            yield from _disks(device, slot)
    if not docked:
        yield Advice(topic="bus", well=True, what="Nothing is plugged into a slot now: plug in a recorder to test it.")


def _hub(device: Path) -> Iterator[Advice]:
    ports = _text(device, "maxchild") or "?"
    if int(_text(device, "bmAttributes") or "c0", 16) & SELF_POWERED:
        yield Advice(topic="hub", well=True, what=f"The hub {device.name} ({ports} ports) has a supply of its own.")
    else:
        yield Advice(
            topic="hub",
            well=False,
            what=f"The hub {device.name} ({ports} ports) lives on its cable: 100 mA a port, too little to charge.",
            remedy="Use a hub with a power supply: 500 mA a port at USB 2, 900 mA at USB 3.",
        )


def _speed(device: Path, slot: str) -> Advice:
    speed, version = float(_text(device, "speed") or 0), float(_text(device, "version") or 0)
    what = f"Slot {slot}: {_text(device, 'product') or device.name} at {speed:g} Mbit/s."
    if speed <= FULL_SPEED_MBIT:
        remedy = "Change the cable, or the hub: at this speed a gigabyte takes a quarter of an hour."
        return Advice(topic="speed", well=False, what=what, remedy=remedy)
    if version >= 3 and speed < USB3_MBIT:
        remedy = "It could do USB 3: use a USB 3 port, hub and cable."
        return Advice(topic="speed", well=False, what=what, remedy=remedy)
    return Advice(topic="speed", well=True, what=what)


def _disks(device: Path, slot: str) -> Iterator[Advice]:
    for disk in sorted(device.glob("**/block/*/ro")):
        name = disk.parent.name
        if disk.read_text().strip() == "1":
            yield Advice(topic="write", well=True, what=f"Slot {slot}: the kernel writes nothing to {name}.")
        else:
            remedy = "Run `sudo udevadm control --reload`, then plug it in again; see docs/slots.md."
            what = f"Slot {slot}: the kernel would let {name} be written to."
            yield Advice(topic="write", well=False, what=what, remedy=remedy)


def _slot(machine: Machine, device: Path) -> str:
    """The number udev gave this device, empty where it is at no slot."""
    told = machine.read(f"/run/udev/data/c{_text(device, 'dev')}") or ""
    return next((line.partition("=")[2] for line in told.splitlines() if line.startswith("E:BWCDOCK_SLOT=")), "")


def _text(device: Path, name: str) -> str:
    try:
        return (device / name).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _version(text: str) -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in text.split(".")[:3])
    return major, minor, patch
