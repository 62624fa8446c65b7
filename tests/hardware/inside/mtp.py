"""In the guest: recorders that speak MTP, as Debian's umtp-responder plays them on a gadget of their own.

The program serves a folder below ``DEPOT`` through FunctionFS; the kernel's own USB stack lies between it and us.
It does not survive a cable that is pulled in the middle of a transfer, so each plug has a new one.
"""

import hashlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import ledger
from recorders import DEPOT, GADGETS, MIB, film

READY_S = 30.0

_serving: dict[str, subprocess.Popen[bytes]] = {}


def make(name: str, files: int = 2, size: int = 2 * MIB) -> dict[str, str]:
    """A recorder with footage on it, not plugged in: the SHA-256 of each file by its path."""
    store = _store(name)
    store.mkdir(parents=True, exist_ok=True)
    return film(store, name, size, [f"DCIM/100MEDIA/DCAM_{name.upper()}_033021_{{stamp}}.mp4"] * files)


def lay(name: str, path: str, size: int, *, hollow: bool = False) -> None:
    """Put an object on a recorder that is not plugged in; ``hollow`` takes no room for what it holds."""
    where = _store(name) / path
    where.parent.mkdir(parents=True, exist_ok=True)
    with where.open("wb") as file:
        for _ in range(0 if hollow else size // MIB):
            file.write(os.urandom(MIB))
        file.truncate(size)


def sums(name: str) -> dict[str, str]:
    """The SHA-256 of each file that is on the recorder now."""
    found = [path for path in sorted(_store(name).rglob("*")) if path.is_file()]
    return {str(path.relative_to(_store(name))): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def _store(name: str) -> Path:
    return DEPOT / f"{name}.mtp"


def plug(name: str, port: int) -> float:
    """Serve it, and put its cable into a port; the monotonic moment of that."""
    pull(name)
    gadget, mount = _gadget(name), Path(f"/dev/ffs-{name}")
    told = DEPOT / f"{name}.conf"
    told.write_text(
        f'storage "{_store(name)}" "Recorder" "ro"\n'
        f'manufacturer "Lab"\nproduct "Recorder"\nserial "{name.upper()}"\nfirmware_version "1.0"\ninterface "MTP"\n'
        "usb_vendor_id 0x1209\nusb_product_id 0x0002\nusb_class 0x6\nusb_subclass 0x1\nusb_protocol 0x1\n"
        "usb_dev_version 0x0100\nusb_functionfs_mode 0x1\nusb_max_packet_size 0x200\n"
        f'usb_dev_path "{mount}/ep0"\nusb_epin_path "{mount}/ep1"\n'
        f'usb_epout_path "{mount}/ep2"\nusb_epint_path "{mount}/ep3"\n'
    )
    with (DEPOT / f"{name}.log").open("wb") as log:
        _serving[name] = subprocess.Popen(["umtprd", "-conf", str(told)], stdout=log, stderr=log)
    until = time.monotonic() + READY_S
    while not (mount / "ep3").exists():
        if time.monotonic() > until or _serving[name].poll() is not None:
            raise OSError(f"umtprd does not serve {name}: {(DEPOT / f'{name}.log').read_text()[-300:]}")
        time.sleep(0.05)
    at = time.monotonic()
    (gadget / "UDC").write_text(f"dummy_udc.{port}")
    return at


def node(port: int) -> str:
    """The USB node of what is in this port, once the kernel has made it."""
    until = time.monotonic() + READY_S
    while True:
        for told in Path(f"/sys/devices/platform/dummy_hcd.{port}").glob("usb*/[0-9]*-1/uevent"):
            for line in told.read_text().splitlines():
                if line.startswith("DEVNAME="):
                    return f"/dev/{line.removeprefix('DEVNAME=')}"
        if time.monotonic() > until:
            raise TimeoutError(f"no recorder in port {port}")
        time.sleep(0.05)


def pulled(name: str, port: int, who: str, path: str, *, offset: int = 0, keep: bool = True) -> dict[str, Any]:
    """Plug it in, have ``who`` pull one object, and pull it out; the seconds that took, the SHA-256 of what came.

    Each has a session with a responder of its own: this one does not outlive every program that lets it go.
    """
    plug(name, port)
    target = Path("/dev/shm/pulled")
    try:
        where = node(port)
        subprocess.run(["udevadm", "settle"], check=True)
        done = WAYS[who](where, path, offset, str(target) if keep else "-")
        if keep:
            done["sha256"] = hashlib.sha256(target.read_bytes()).hexdigest()
        return done
    finally:
        pull(name)
        target.unlink(missing_ok=True)


PULL_S = 240
GPHOTO2 = "/opt/peer"
"""Where the host puts the package that brings libgphoto2."""


def _by_own(node: str, path: str, offset: int, target: str) -> dict[str, Any]:
    return _told(["/opt/bwcdock/bin/python", "/opt/lab/pulling.py", "own", node, path, str(offset), target])


def _by_libgphoto2(node: str, path: str, offset: int, target: str) -> dict[str, Any]:
    return _told(["/usr/bin/python3", "/opt/lab/pulling.py", "libgphoto2", node, path, str(offset), target])


def _told(argv: list[str]) -> dict[str, Any]:
    env = os.environ | {"PYTHONPATH": GPHOTO2, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PULL_S, env=env, check=False)
    if done.returncode:
        raise OSError(done.stderr[-600:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _by_mtp_getfile(node: str, path: str, offset: int, target: str) -> dict[str, Any]:
    """By libmtp's own program: what it takes, less opening and listing, which another of its programs does."""
    del node, offset
    listed, listing_s = _said(["mtp-files"])
    *_, before = listed.partition(f"Filename: {os.path.basename(path)}")[0].rpartition("File ID: ")
    _, took_s = _said(["mtp-getfile", before.split()[0], target])
    return {"pulled": took_s - listing_s}


def _said(argv: list[str]) -> tuple[str, float]:
    began = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PULL_S, check=True)
    return done.stdout, time.monotonic() - began


WAYS = {"bwcdock": _by_own, "libgphoto2": _by_libgphoto2, "mtp-getfile": _by_mtp_getfile}


def pull(name: str) -> float:
    """Pull the cable out, and end what served it; the monotonic moment of the pulling."""
    at = time.monotonic()
    udc = GADGETS / name / "UDC"
    if udc.exists() and udc.read_text().strip():
        udc.write_text("\n")
    serving = _serving.pop(name, None)
    if serving is not None:
        serving.kill()
        serving.wait()
    return at


def pull_at(name: str, least: int, limit_s: float) -> int:
    """Pull the cable out once the station has so many bytes in partial files; how many it had by then."""
    had = ledger.pulling(least, limit_s)
    pull(name)
    return had


def _gadget(name: str) -> Path:
    made = GADGETS / name
    if made.exists():
        return made
    for path in ("strings/0x409", "configs/c.1/strings/0x409", f"functions/ffs.{name}"):
        (made / path).mkdir(parents=True)
    for path, value in (
        ("idVendor", "0x1209"),
        ("idProduct", "0x0002"),
        ("bcdUSB", "0x0200"),
        ("strings/0x409/serialnumber", f"SN{name.upper()}"),
        ("strings/0x409/manufacturer", "Lab"),
        ("strings/0x409/product", "Recorder"),
    ):
        (made / path).write_text(value)
    (made / f"configs/c.1/ffs.{name}").symlink_to(made / f"functions/ffs.{name}")
    mount = Path(f"/dev/ffs-{name}")
    mount.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "functionfs", name, str(mount)], check=True)
    return made
