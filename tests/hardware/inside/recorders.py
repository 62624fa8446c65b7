"""In the guest: recorders that the kernel takes for USB devices, on eight ports of their own; cards made by the kernel.

A recorder is a gadget of configfs with a mass storage function, backed by an image file below ``DEPOT``, plugged into a
port of dummy_hcd by binding it there. Pulling it out is unbinding it: the host's side of the cable sees no more of it.
"""

import glob
import hashlib
import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GADGETS = Path("/sys/kernel/config/usb_gadget")
DEPOT = Path("/opt/recorders")
MOUNT = Path("/run/lab-card")
VENDOR, PRODUCT = 0x1209, 0x0001

MIB = 1 << 20
CARD = 48 * MIB
"""Small, and yet large enough for a FAT32 that every reader calls FAT32."""

LOOK_S = 0.003


def _sh(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


def ports(count: int = 8) -> list[str]:
    """Make the ports, once a boot; their stable paths as udev will call them, port 0 first."""
    if not Path("/sys/module/dummy_hcd").exists():
        # Not super speed: dummy_hcd then has one root hub a port, as most docks' recorders see it.
        _sh("modprobe", "dummy_hcd", f"num={count}", "is_high_speed=1", "is_super_speed=0")
        _sh("modprobe", "-a", "libcomposite", "usb_f_mass_storage", "loop", "usb_storage")
    if not GADGETS.exists():
        _sh("mount", "-t", "configfs", "none", "/sys/kernel/config")
    _sh("udevadm", "settle")
    return [f"platform-dummy_hcd.{n}-usb-0:1" for n in range(count)]


# --- cards ------------------------------------------------------------------------------------------------------------


def make(
    name: str,
    kind: str = "exfat",
    files: int = 2,
    size: int = 2 * MIB,
    partitioned: bool = True,
    locked: bool = False,
    paths: list[str] | None = None,
    beside: list[str] | None = None,
) -> dict[str, str]:
    """Make a recorder's card with footage that no other has; the SHA-256 of each file by its path on the card.

    ``paths`` name the recordings where they shall be called otherwise, ``{stamp}`` in them being the time; the files
    ``beside`` are no recordings, and are not among the digests.
    """
    DEPOT.mkdir(exist_ok=True)
    image = DEPOT / f"{name}.img"
    with image.open("wb") as empty:
        empty.truncate(CARD)
    if partitioned:
        table = f"label: dos\nstart=2048, type={'c' if kind == 'vfat' else '7'}\n"
        subprocess.run(["sfdisk", "--quiet", str(image)], input=table, text=True, check=True, capture_output=True)
    with _attached(image) as part:
        if kind == "vfat":
            _sh("mkfs.vfat", "-F", "32", "-s", "1", "-n", name.upper()[:11], part)
        else:
            _sh("mkfs.exfat", "-L", name[:11], part)
        with _mounted(part, kind, name) as card:
            sums = film(card, name, size, paths or [f"Media/DCAM_{name.upper()}_033021_{{stamp}}.mp4"] * files)
            for path in beside or ():
                (card / path).parent.mkdir(parents=True, exist_ok=True)
                (card / path).write_text(f"{name} {path}\n" * 100)
    told = {"sums": sums, "locked": locked, "kind": kind}
    (DEPOT / f"{name}.json").write_text(json.dumps(told))
    os.sync()
    return sums


@contextmanager
def _attached(image: Path, *how: str) -> Iterator[str]:
    """The node of the image's one partition, or of the whole where it has none."""
    loop = _sh("losetup", *how, "--partscan", "--find", "--show", str(image)).strip()
    try:
        _sh("udevadm", "settle")
        yield f"{loop}p1" if Path(f"{loop}p1").exists() else loop
    finally:
        _sh("losetup", "--detach", loop)


@contextmanager
def _mounted(part: str, kind: str, name: str, access: str = "rw") -> Iterator[Path]:
    where = MOUNT / name
    where.mkdir(parents=True, exist_ok=True)
    _sh("mount", "-t", kind, "-o", f"{access},{'utf8' if kind == 'vfat' else 'iocharset=utf8'}", part, str(where))
    try:
        yield where
    finally:
        _sh("umount", str(where))


def film(card: Path, name: str, size: int, paths: list[str]) -> dict[str, str]:
    """Recordings of the last hours, named as DCAM recorders name them, so that each recorder is known by its own."""
    chance = random.Random(name)
    block, sums = chance.randbytes(MIB), {}
    begin = int(time.clock_gettime(time.CLOCK_REALTIME)) - 4 * 3600
    for at, pattern in enumerate(paths):
        began = begin + at * 600
        path = pattern.replace("{stamp}", time.strftime("%Y%m%d_%H%M%S", time.gmtime(began + 8 * 3600)))
        content = _box(b"ftyp", b"mp42\0\0\0\0mp42isom") + _box(
            b"mdat", chance.randbytes(64) + (block * (size // MIB + 1))[at:size]
        )
        content = content[: size - at]
        (card / path).parent.mkdir(parents=True, exist_ok=True)
        (card / path).write_bytes(content)
        os.utime(card / path, (began + 300, began + 300))
        sums[path] = hashlib.sha256(content).hexdigest()
    return sums


def _box(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def sums(name: str) -> dict[str, str]:
    """The digests told when the card was made."""
    return dict(json.loads((DEPOT / f"{name}.json").read_text())["sums"])


def whole(name: str) -> str:
    """The SHA-256 of the whole backing file, as it is on the recorder's own side."""
    digest = hashlib.sha256()
    with (DEPOT / f"{name}.img").open("rb") as image:
        while block := image.read(MIB):
            digest.update(block)
    return digest.hexdigest()


def on_card(name: str) -> dict[str, str]:
    """What is on an unplugged recorder's card by the kernel's own driver: the SHA-256 of each file by its path."""
    with _attached(DEPOT / f"{name}.img", "--read-only") as part, _mounted(part, _kind(name), name, "ro") as card:
        found = [path for path in card.rglob("*") if path.is_file()]
        return {str(p.relative_to(card)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


def checked(name: str) -> str:
    """What the file system's own checker finds wrong with an unplugged recorder's card; empty where all is well."""
    checker = "fsck.vfat" if _kind(name) == "vfat" else "fsck.exfat"
    with _attached(DEPOT / f"{name}.img", "--read-only") as part:
        done = subprocess.run([checker, "-n", part], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr if done.returncode else ""


def about(name: str) -> str:
    """Kind, label and serial number of the file system on an unplugged recorder's card."""
    with _attached(DEPOT / f"{name}.img", "--read-only") as part:
        told = dict(line.split("=", 1) for line in _sh("blkid", "-p", "-o", "export", part).splitlines() if "=" in line)
    return " ".join(told.get(key, "") for key in ("TYPE", "LABEL", "UUID"))


def change(name: str, path: str, at: int) -> str:
    """Write other bytes into a file of an unplugged recorder, which keeps its size and time; its SHA-256 since."""
    with _attached(DEPOT / f"{name}.img") as part, _mounted(part, _kind(name), name) as card:
        file = card / path
        was = file.stat()
        with file.open("r+b") as opened:
            opened.seek(at)
            opened.write(b"other bytes")
        os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
        return hashlib.sha256(file.read_bytes()).hexdigest()


def dated(name: str, path: str, ahead_s: float) -> None:
    """Have a file of an unplugged recorder be written by a clock that is so many seconds fast."""
    with _attached(DEPOT / f"{name}.img") as part, _mounted(part, _kind(name), name) as card:
        at = time.clock_gettime(time.CLOCK_REALTIME) + ahead_s
        os.utime(card / path, (at, at))


def remove(name: str, path: str) -> None:
    """Delete a file of an unplugged recorder."""
    with _attached(DEPOT / f"{name}.img") as part, _mounted(part, _kind(name), name) as card:
        (card / path).unlink()


def _kind(name: str) -> str:
    return str(json.loads((DEPOT / f"{name}.json").read_text())["kind"])


# --- cables -----------------------------------------------------------------------------------------------------------


def _gadget(name: str) -> Path:
    made = GADGETS / name
    if made.exists():
        return made
    locked = bool(json.loads((DEPOT / f"{name}.json").read_text())["locked"])
    (made / "strings/0x409").mkdir(parents=True)
    (made / "configs/c.1/strings/0x409").mkdir(parents=True)
    lun = made / "functions/mass_storage.0/lun.0"
    lun.parent.mkdir(parents=True)
    for path, value in (
        ("idVendor", f"{VENDOR:#06x}"),
        ("idProduct", f"{PRODUCT:#06x}"),
        ("bcdUSB", "0x0200"),
        ("strings/0x409/serialnumber", f"SN{name.upper()}"),
        ("strings/0x409/manufacturer", "Lab"),
        ("strings/0x409/product", "Recorder"),
    ):
        (made / path).write_text(value)
    (lun / "removable").write_text("1")
    (lun / "ro").write_text("1" if locked else "0")
    (lun / "file").write_text(str(DEPOT / f"{name}.img"))
    (lun / "inquiry_string").write_text(f"{'Lab':8.8}{'Recorder':16.16}0100")
    (made / "configs/c.1/mass_storage.0").symlink_to(made / "functions/mass_storage.0")
    return made


def only_speak(name: str, inquiry: str) -> None:
    """Have a recorder that is in no port say this to INQUIRY, and show no card until it is told to."""
    lun = _gadget(name) / "functions/mass_storage.0/lun.0"
    (lun / "inquiry_string").write_text(f"{inquiry:28.28}")
    (lun / "file").write_text("\n")


def show_card(name: str) -> None:
    """Put its card in, as far as anybody sees."""
    (GADGETS / name / "functions/mass_storage.0/lun.0/file").write_text(str(DEPOT / f"{name}.img"))


def plug(name: str, port: int) -> float:
    """Put the recorder's cable into a port; the monotonic moment of it."""
    gadget = _gadget(name)
    at = time.monotonic()
    (gadget / "UDC").write_text(f"dummy_udc.{port}")
    return at


def plug_all(where: dict[str, int]) -> list[float]:
    """Plug several, one directly after the other; the monotonic moment of each."""
    for name in where:
        _gadget(name)
    return [plug(name, port) for name, port in where.items()]


def pull(name: str) -> float:
    """Pull the cable out; the monotonic moment of it."""
    at = time.monotonic()
    try:
        (GADGETS / name / "UDC").write_text("\n")
    except OSError:  # it is in no port
        if plugged().get(name) is not None:
            raise
    return at


def pull_at(name: str, count: int, limit_s: float) -> dict[str, float]:
    """Pull the cable once so many bytes were read off the recorder since it was plugged in, or after ``limit_s``.

    Gives the monotonic moment of the pull and the bytes that had been read.
    """
    port = plugged()[name]
    end = time.monotonic() + limit_s
    read = 0
    while time.monotonic() < end and (read := _read(port)) < count:
        time.sleep(LOOK_S)
    return {"at": pull(name), "read": read, "in_time": float(read >= count)}


def _read(port: int) -> int:
    """Bytes the kernel has read from the disk in this port; 0 while there is none."""
    for block in _blocks(port):
        try:
            return int(Path(block, "stat").read_text().split()[2]) * 512
        except OSError:  # it went in this moment
            continue
    return 0


def _blocks(port: int) -> list[str]:
    """The kernel's folders of the disk in this port. Path.glob would end where a folder goes before its eyes."""
    below = f"/sys/devices/platform/dummy_hcd.{port}/usb*/[0-9]*-1/[0-9]*-1:*/host*/target*/*/block/*"
    return glob.glob(below)


def eject(name: str) -> float:
    """Take the card out of the recorder, which stays plugged in."""
    at = time.monotonic()
    (GADGETS / name / "functions/mass_storage.0/lun.0/forced_eject").write_text("1")
    return at


def plugged() -> dict[str, int]:
    """Which recorder is in which port."""
    found = {}
    for gadget in sorted(GADGETS.iterdir()) if GADGETS.exists() else ():
        bound = (gadget / "UDC").read_text().strip()
        if bound:
            found[gadget.name] = int(bound.rpartition(".")[2])
    return found


def disk(port: int, patience: float = 30) -> str:
    """The node of the disk in a port, once the kernel has made it."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        for block in _blocks(port):
            return f"/dev/{os.path.basename(block)}"
        time.sleep(0.02)
    raise TimeoutError(f"no disk in port {port}")


def flags(port: int) -> dict[str, str]:
    """The kernel's read-only flag of the disk in a port and of each partition, ``1`` or ``0``, by node."""
    (block,) = _blocks(port)
    nodes = [
        os.path.basename(block),
        *(os.path.basename(os.path.dirname(p)) for p in glob.glob(f"{block}/*/partition")),
    ]
    return {node: _sh("blockdev", "--getro", f"/dev/{node}").strip() for node in nodes}


def mounts() -> list[str]:
    """Every mount of a USB disk, in whatever process's view: lines of /proc/PID/mountinfo."""
    found = set()
    for table in glob.glob("/proc/[0-9]*/mountinfo"):
        try:
            found |= {line for line in Path(table).read_text().splitlines() if " /dev/sd" in line}
        except OSError:  # the process ended in this moment
            continue
    return sorted(found)


def write_refused(node: str) -> str:
    """Try to write the disk as root, in each way a careless program would; what succeeded, empty where nothing did."""
    done = []
    for path in sorted({node, *map(str, Path("/dev").glob(f"{Path(node).name}[0-9]*"))}):
        try:
            fd = os.open(path, os.O_RDWR)
        except OSError:
            continue
        try:
            os.pwrite(fd, b"x" * 512, 4096)
            os.fsync(fd)
            done.append(path)
        except OSError:
            pass
        finally:
            os.close(fd)
    return " ".join(done)


def away(name: str) -> None:
    """Pull it out and take it apart; its card's image stays."""
    pull(name)
    gadget = GADGETS / name
    (gadget / "configs/c.1/mass_storage.0").unlink()
    for part in ("functions/mass_storage.0", "configs/c.1/strings/0x409", "configs/c.1", "strings/0x409", "."):
        os.rmdir(gadget / part)
