"""A USB bus that is not there: /sys, udev's database and udev's messages, in namespaces of their own. No privilege.

What reads it is the real libudev and the real pyudev. The kernel's tree is made of files, and what udevd would send is
sent to the group it sends to, in the form libudev reads (systemd, src/libsystemd/sd-device/device-monitor.c).
Run as a program it is the inside: MODULE FUNCTION.
"""

import asyncio
import importlib
import inspect
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

LIMIT_S = 60.0
HOST = "/devices/pci0000:00/0000:00:14.0/usb1"
ID_HOST = "pci-0000:00:14.0-usb-0:"
UDEV_GROUP = 2
GROUPS = "root:x:0:\ndisk:x:6:\nplugdev:x:46:\nbwcdock:x:998:\nbwcdock-dock:x:999:\n"

# Mounts that hide the machine's own: what is made here is seen by nobody else, and is gone with the process. /dev as
# well: udevadm makes links there.
_COMMON = """
mount -t tmpfs run /run && mkdir -p /run/udev/data /run/udev/rules.d /run/lab || exit 99
"""
_GROUPS = """
printf '%s' "$GROUPS_FILE" > /run/lab/group && mount --bind /run/lab/group /etc/group || exit 99
"""
_FILES = f"""
mount -t tmpfs sys /sys || exit 99
{_COMMON}
touch /run/udev/control
mount -t tmpfs dev /run/lab || exit 99
for node in null zero urandom; do touch /run/lab/$node && mount --bind /dev/$node /run/lab/$node || exit 99; done
mount --rbind /run/lab /dev && umount -l /run/lab || exit 99
{_GROUPS}
exec "$@"
"""
_UDEVD = f"""
test -x /lib/systemd/systemd-udevd || {{ echo "root must have udev to run this: install it" >&2; exit 98; }}
{_COMMON}
mount -t tmpfs dev /dev || exit 99
mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 && mknod /dev/loop-control c 10 237 || exit 99
{_GROUPS}
/lib/systemd/systemd-udevd > /run/lab/udevd.log 2>&1 &
udevd=$!
for try in $(seq 100); do [ -S /run/udev/control ] && break; sleep 0.05; done
"$@"
status=$?
kill $udevd
wait $udevd
exit $status
"""


ALONE = ["--net", "--mount"]
"""Namespaces of its own for every test of these."""

AS_NOBODY = ["--user", "--map-root-user"]
"""As root of nothing: no privilege, where the machine lets ordinary users do it."""


def inside(test):
    """Run this test in namespaces of its own, as root of nothing, on a bus of files."""
    return _elsewhere(test, AS_NOBODY, _FILES)


def with_udevd(test):
    """Run this test in namespaces of its own with a real udevd, which hears the real kernel. Only root may."""
    return _elsewhere(test, ["--propagation", "private"], _UDEVD)


def _elsewhere(test, flags, mounts):
    def outside():
        module = Path(inspect.getfile(test))
        # Its own program, so that the namespaces hold one thread and end with it.
        command = [sys.executable, __file__, module.stem, test.__name__]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(module.parent), *sys.path]),
            "SYSTEMD_DEVICE_VERIFY_SYSFS": "0",  # libudev's own switch for trees that are not the kernel's
            "GROUPS_FILE": GROUPS,
        }
        ended = subprocess.run(
            ["unshare", *ALONE, *flags, "sh", "-c", mounts, "sh", *command],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_S,
            check=False,
        )
        told = ended.stdout.decode(errors="replace")
        assert ended.returncode == 0, f"status {ended.returncode}:\n{told}"

    outside.__name__, outside.__doc__ = test.__name__, test.__doc__
    outside.inside, outside.flags = test, flags
    return outside


@dataclass
class Bus:
    """What is plugged in. Each deed changes the tree and the database, then tells; ``quiet`` ones do not tell."""

    sequence: int = 100
    diskseq: int = 0
    devnum: int = 1
    minors: int = 0
    told: dict = field(default_factory=dict)
    quiet: bool = False

    def __post_init__(self):
        for folder in ("class/block", "bus/usb/devices", "class", "bus"):
            Path("/sys", folder).mkdir(parents=True, exist_ok=True)

    def plug(self, chain, interfaces=":080650:", **properties):
        """A USB device; its port is ``ID_HOST + chain``."""
        self._above(chain)
        self.devnum += 1
        source = f"bus/usb/001/{self.devnum:03}"
        minor = self.devnum - 1
        kernel = {"DEVTYPE": "usb_device", "MAJOR": 189, "MINOR": minor, "DEVNAME": source}
        udev = {"ID_PATH": ID_HOST + chain, "ID_USB_INTERFACES": interfaces, **properties}
        more = {"power/control": "auto"}
        self._attributes(f"{HOST}/1-{chain}", idVendor="1209", idProduct="0001", authorized=0, **more)
        Path(f"/sys{HOST}/1-{chain}/descriptors").write_bytes(_descriptors(interfaces))
        return self._add(f"{HOST}/1-{chain}", "usb", "bus/usb", f"c189:{minor}", kernel, udev)

    def disk(self, chain, name, *, size=2048, ro=1, lun=0, **properties):
        """A disk of the device at that port, with a partition if it has a medium."""
        self.diskseq += 1
        minor = 16 * (1 + ord(name[-1]) - ord("a"))
        path = f"{HOST}/1-{chain}/1-{chain}:1.0/host0/target0:0:0/0:0:0:{lun}/block/{name}"
        kernel = {"DEVTYPE": "disk", "MAJOR": 8, "MINOR": minor, "DEVNAME": name, "DISKSEQ": self.diskseq}
        udev = {"ID_PATH": f"{ID_HOST}{chain}:1.0-scsi-0:0:0:{lun}", "ID_BUS": "usb", **properties}
        self._scsi(path)
        self._attributes(path, size=size, ro=ro)
        return self._add(path, "block", "class/block", f"b8:{minor}", kernel, udev)

    def partition(self, disk, number):
        """A partition of that disk."""
        told = self.told[disk]
        name = f"{told['DEVNAME'].removeprefix('/dev/')}{number}"
        kernel = {"DEVTYPE": "partition", "MAJOR": 8, "MINOR": told["MINOR"] + number, "DEVNAME": name}
        self._attributes(f"{disk}/{name}", partition=number, size=1024)
        udev = {k: v for k, v in told.items() if k.startswith("ID_")}  # as udev's rules take them from the disk
        return self._add(f"{disk}/{name}", "block", "class/block", f"b8:{kernel['MINOR']}", kernel, udev)

    def raw(self, disk):
        """The raw SCSI node of that disk."""
        kernel = {"MAJOR": 21, "MINOR": 1, "DEVNAME": "sg1", "DEVTYPE": ""}
        path = f"{Path(disk).parent.parent}/scsi_generic/sg1"
        return self._add(path, "scsi_generic", "class/scsi_generic", "c21:1", kernel, {})

    def inner(self, name):
        """A disk of the machine itself."""
        kernel = {"DEVTYPE": "disk", "MAJOR": 8, "MINOR": 0, "DEVNAME": name}
        path = f"/devices/pci0000:00/0000:00:17.0/block/{name}"
        _is_a(Path(f"/sys{path}").parent.parent, "bus/pci")
        self._attributes(path, size=10**6, ro=0)
        return self._add(path, "block", "class/block", "b8:0", kernel, {"ID_PATH": "pci-0000:00:17.0"})

    def medium(self, path, size):
        """The card leaves the reader (0) or another comes: a `change`."""
        self.diskseq += 1
        kernel = self.told[path] | {"DISKSEQ": self.diskseq}
        self._attributes(path, size=size)
        Path(f"/sys{path}/uevent").write_text(
            "".join(
                f"{k}={v.removeprefix('/dev/') if k == 'DEVNAME' else v}\n" for k, v in kernel.items() if k in KERNEL
            )
        )
        self._tell("change", path, kernel)

    def pull(self, path, *, bare=False):
        """It is gone, with all below it. ``bare``: the event says nothing but the path."""
        for below in sorted((p for p in self.told if p.startswith(path)), key=len, reverse=True):
            told = self.told.pop(below)
            Path("/run/udev/data", told["db"]).unlink()
            Path("/sys", told["link"], Path(below).name).unlink()
            keep = ("SUBSYSTEM", "DEVTYPE") if bare else (*KERNEL, "SUBSYSTEM")
            self._tell("remove", below, {k: v for k, v in told.items() if k in keep})
        shutil.rmtree(f"/sys{path}")

    def unbind(self, path):
        """Its driver lets go, as just before it is gone: the event has lost what the driver's rules had added."""
        told = {k: v for k, v in self.told[path].items() if k != "ID_USB_INTERFACES"}
        self._tell("unbind", path, told)

    def burst(self, path, count):
        """So many `change` events of this device, as fast as they can be sent."""
        with self._sender() as sender:
            for _ in range(count):
                self._tell("change", path, self.told[path], sender)

    # --- how ---

    def _above(self, chain):
        """What path_id of udev climbs over: the controller and the hubs, which nobody is told of."""
        _is_a(Path(f"/sys{HOST}").parent, "bus/pci")
        _is_a(Path(f"/sys{HOST}"), "bus/usb", DEVTYPE="usb_device")
        for at in range(1, chain.count(".") + 1):
            _is_a(Path(f"/sys{HOST}/1-{'.'.join(chain.split('.')[:at])}"), "bus/usb", DEVTYPE="usb_device")

    def _scsi(self, path):
        unit = Path(f"/sys{path}").parent.parent
        _is_a(unit, "bus/scsi", DEVTYPE="scsi_device")
        _is_a(unit.parent, "bus/scsi", DEVTYPE="scsi_target")
        _is_a(unit.parent.parent, "bus/scsi", DEVTYPE="scsi_host")
        _is_a(unit.parent.parent.parent, "bus/usb", DEVTYPE="usb_interface")

    def _attributes(self, path, **values):
        folder = Path(f"/sys{path}")
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(f"{value}\n")

    def _add(self, path, subsystem, link, db, kernel, udev):
        folder = Path(f"/sys{path}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "uevent").write_text("".join(f"{k}={v}\n" for k, v in kernel.items()))
        Path("/sys", link).mkdir(exist_ok=True)
        (folder / "subsystem").unlink(missing_ok=True)
        (folder / "subsystem").symlink_to(f"/sys/{link}")
        where = f"{link}/devices" if link.startswith("bus") else link
        Path("/sys", where, folder.name).symlink_to(folder)
        since = int(time.monotonic() * 1e6)
        Path("/run/udev/data", db).write_text(f"I:{since}\n" + "".join(f"E:{k}={v}\n" for k, v in udev.items()))
        named = kernel | {"DEVNAME": f"/dev/{kernel['DEVNAME']}"}
        self.told[path] = named | udev | {
            "SUBSYSTEM": subsystem, "USEC_INITIALIZED": since, "db": db, "link": where,
        }  # fmt: skip
        self._tell("add", path, self.told[path])
        return path

    def _sender(self):
        sender = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)  # NETLINK_KOBJECT_UEVENT
        sender.bind((0, 0))
        return sender

    def _tell(self, action, path, properties, sender=None):
        self.sequence += 1
        if self.quiet:
            return
        told = {"ACTION": action, "DEVPATH": path, "SEQNUM": self.sequence} | properties
        body = b"".join(f"{k}={v}\0".encode() for k, v in told.items() if k not in {"db", "link"})
        # Name, magic, three lengths in the machine's order, two hashes in the network's, the bloom filter of tags.
        hashes = (_murmur2(str(told[k]).encode()) for k in ("SUBSYSTEM", "DEVTYPE"))
        head = b"libudev\0" + struct.pack("!I", 0xFEEDCAFE) + struct.pack("=III", 40, 40, len(body))
        head += struct.pack("!II", *hashes) + struct.pack("=II", 0, 0)
        if sender is None:
            with self._sender() as own:
                own.sendto(head + body, (0, UDEV_GROUP))
        else:
            sender.sendto(head + body, (0, UDEV_GROUP))


def _is_a(folder, kind, **kernel):
    folder.mkdir(parents=True, exist_ok=True)
    Path("/sys", kind).mkdir(parents=True, exist_ok=True)
    if not (folder / "subsystem").exists():
        (folder / "subsystem").symlink_to(f"/sys/{kind}")
        (folder / "uevent").write_text("".join(f"{k}={v}\n" for k, v in kernel.items()))


def _descriptors(interfaces):
    """Device, configuration and interface descriptors (USB 2.0, 9.6) for udev's ``:ccsspp:ccsspp:``."""
    kinds = [bytes.fromhex(word) for word in interfaces.split(":") if word]
    device = bytes([18, 1, 0, 2, 0, 0, 0, 64, 9, 18, 1, 0, 0, 1, 1, 2, 3, 1])
    # Each interface with one endpoint: usb_id does not see an interface that nothing follows.
    faces = b"".join(
        bytes([9, 4, at, 0, 1, *kind, 0]) + bytes([7, 5, 0x81 + at, 2, 0, 2, 0]) for at, kind in enumerate(kinds)
    )
    return device + bytes([9, 2, 9 + len(faces), 0, len(kinds), 1, 0, 0x80, 50]) + faces


KERNEL = ("DEVTYPE", "MAJOR", "MINOR", "DEVNAME", "DISKSEQ")


def _murmur2(data):
    """MurmurHash2 (A. Appleby, public domain), by which the kernel filters udev's messages."""
    prime, mask = 0x5BD1E995, 0xFFFFFFFF
    state = len(data)
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * prime & mask
        state = state * prime & mask ^ ((word ^ word >> 24) * prime & mask)
    if rest := data[whole:]:
        state = (state ^ int.from_bytes(rest, "little")) * prime & mask
    state = (state ^ state >> 13) * prime & mask
    return state ^ state >> 15


def main():
    module, name = sys.argv[1:]
    test = getattr(importlib.import_module(module), name).inside
    result = test()
    if inspect.iscoroutine(result):
        asyncio.run(result)


if __name__ == "__main__":
    main()
