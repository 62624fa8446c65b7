"""In the guest: what udev tells, with the moment it was told; and thousands of events that udev never made."""

import re
import socket
import struct
import subprocess
import threading
import time

_HEAD = re.compile(r"UDEV\s+\[([0-9.]+)\]\s+(\w+)\s+(\S+)")
_told: list[dict[str, object]] = []
_listening: list["subprocess.Popen[str]"] = []


def listen() -> int:
    """Begin to listen, once a boot; how many events were told so far."""
    if not _listening:
        command = ["udevadm", "monitor", "--udev", "--property", "--subsystem-match=block", "--subsystem-match=usb"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1)
        _listening.append(process)
        threading.Thread(target=_take, args=(process,), daemon=True).start()
        time.sleep(1)  # until it has its socket; udevadm says so only to people
    return len(_told)


def _take(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    for line in process.stdout:
        head = _HEAD.match(line)
        if head:
            _told.append({"mono": float(head[1]), "action": head[2], "path": head[3]})
        elif "=" in line and _told:
            name, _, value = line.strip().partition("=")
            if name in {"DEVTYPE", "SUBSYSTEM", "DEVNAME", "ID_SERIAL_SHORT", "BWCDOCK_SLOT", "DISKSEQ"}:
                _told[-1][name] = value


def told(since: int = 0) -> list[dict[str, object]]:
    """The events from number ``since`` on; ``mono`` is seconds of CLOCK_MONOTONIC when the event came out of udev."""
    return _told[since:]


# --- events that udev never made --------------------------------------------------------------------------------------

_MAGIC, _UDEV_GROUP = 0xFEEDCAFE, 2
_KOBJECT_UEVENT = 15  # linux/netlink.h; the socket module has no name for it


def flood(count: int) -> dict[str, float]:
    """Send ``count`` events about disks that are not there to whoever listens to udev, as fast as they are taken.

    The form is that of libudev's monitor (systemd, sd-device/device-monitor.c): a header with hashes of subsystem and
    device type for the kernel's filters, then the properties.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _KOBJECT_UEVENT) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        link.bind((0, 0))
        began = time.monotonic()
        for number in range(count):
            link.sendto(_message(number), (0, _UDEV_GROUP))
        return {"count": count, "seconds": time.monotonic() - began}


def _message(number: int) -> bytes:
    path = f"/devices/virtual/block/loop{1000 + number % 100}"
    pairs = {
        "ACTION": "change" if number % 3 else "add",
        "DEVPATH": path,
        "SUBSYSTEM": "block",
        "DEVTYPE": "disk",
        "DEVNAME": f"/dev/loop{1000 + number % 100}",
        "SEQNUM": str(1_000_000 + number),
        "USEC_INITIALIZED": "1",
        "MAJOR": "7",
        "MINOR": str(1000 + number % 100),
        "ID_PATH": "x" * 300,
    }
    body = b"".join(f"{name}={value}".encode() + b"\0" for name, value in pairs.items())
    hashes = struct.pack("!4I", _murmur(b"block"), _murmur(b"disk"), 0, 0)
    head = b"libudev\0" + struct.pack("!I", _MAGIC) + struct.pack("=III", 40, 40, len(body)) + hashes
    return head + body


def _murmur(key: bytes) -> int:
    """MurmurHash2 with seed 0, by which the kernel's filters for udev know a word."""
    multiply, mask = 0x5BD1E995, 0xFFFFFFFF
    value, whole = len(key), len(key) // 4 * 4
    for (word,) in struct.iter_unpack("<I", key[:whole]):
        mixed = word * multiply & mask
        mixed = (mixed ^ mixed >> 24) * multiply & mask
        value = value * multiply & mask ^ mixed
    rest = key[whole:]
    if rest:
        value = (value ^ int.from_bytes(rest, "little")) * multiply & mask
    value = (value ^ value >> 13) * multiply & mask
    return value ^ value >> 15
