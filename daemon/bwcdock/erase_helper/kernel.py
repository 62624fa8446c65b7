"""The real machine behind the seam: udev's word on a disk, the kernel's read-only flag, mounts, and mkfs."""

import ctypes
import fcntl
import os
import pwd
import stat
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from bwcdock.clock import WallClock
from bwcdock.erase_helper.card import FileSystem, probe
from bwcdock.erase_helper.system import Disk, Place, Refusal
from bwcdock.erasing import STATION_USER

MOUNT_POINT = "/mnt"
"""`bwcdock-erase@.service` puts an empty file system of its own there, in a mount namespace of its own."""

SLOT = "BWCDOCK_SLOT"
"""The property udev's rules give to what is plugged into a slot."""

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_NOSYMFOLLOW = 1, 2, 4, 8, 256
_BLKROSET, _BLKFLSBUF = 0x125D, 0x1261
_OPTIONS = {"vfat": b"utf8,umask=0077,errors=remount-ro", "exfat": b"iocharset=utf8,umask=0077,errors=remount-ro"}
_FORMAT_S = 300.0
"""Seconds for making a file system: a slow card of 512 GB takes one minute."""

_libc = ctypes.CDLL(None, use_errno=True)


class Kernel:
    """The machine this runs on; ``root`` stands before /run and /sys in tests."""

    def __init__(self, root: Path = Path("/"), credentials: str = "") -> None:
        self._root = root
        self._credentials = credentials

    def now(self) -> datetime:
        """By the wall: this program lives for one request."""
        return WallClock().now()

    def station_uid(self) -> int:
        """The user of the service."""
        try:
            return pwd.getpwnam(STATION_USER).pw_uid
        except KeyError as error:
            raise Refusal(f"there is no user {STATION_USER} on this machine") from error

    def station_key(self) -> str:
        """The credential systemd hands over."""
        if not self._credentials:
            raise Refusal("no station.pub was handed over: start it from its unit")
        return (Path(self._credentials) / "station.pub").read_text(encoding="ascii").strip()

    # --- the disk -----------------------------------------------------------------------------------------------------

    def disk(self, device: str) -> Disk:
        """What udev and the kernel say of it."""
        status = os.stat(device, follow_symlinks=False)
        if not stat.S_ISBLK(status.st_mode):
            raise Refusal(f"{device} is no block device.")
        about = self._about(status.st_rdev)
        if (about / "partition").exists():
            raise Refusal(f"{device} is a partition and no whole disk.")
        slot = self.slot(status.st_rdev)
        if slot is None:
            raise Refusal(f"{device} is in no slot of the dock.")
        places = []
        for node in (device, *(f"/dev/{part}" for part in self.partitions(about))):
            holds = _probed(node)
            if holds is not None:
                places.append(Place(node=node, disk=device, holds=holds))
        diskseq = int((about / "diskseq").read_text(encoding="ascii"))
        return Disk(slot=slot, diskseq=diskseq, places=tuple(places))

    def slot(self, number: int) -> int | None:
        """The slot udev's own record names for the device with this number; ``None`` for none."""
        path = self._root / "run/udev/data" / f"b{os.major(number)}:{os.minor(number)}"
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return None
        told = [line.removeprefix(f"E:{SLOT}=") for line in lines if line.startswith(f"E:{SLOT}=")]
        return int(told[0]) if len(told) == 1 and told[0].isascii() and told[0].isdecimal() else None

    def partitions(self, about: Path) -> list[str]:
        """The names of the partitions of the disk whose place in /sys this is."""
        return sorted(path.parent.name for path in about.glob("*/partition"))

    def _about(self, number: int) -> Path:
        return (self._root / "sys/dev/block" / f"{os.major(number)}:{os.minor(number)}").resolve()

    # --- mounting -----------------------------------------------------------------------------------------------------

    @contextmanager
    def mounted(self, place: Place, *, writable: bool) -> Iterator[int]:
        """See :class:`~bwcdock.erase_helper.system.System`. Whatever happens inside, it is unmounted and read-only."""
        if os.stat(MOUNT_POINT).st_dev == os.stat("/").st_dev or os.listdir(MOUNT_POINT):
            raise Refusal(f"{MOUNT_POINT} is no empty place of its own: start it from its unit.")
        with ExitStack() as undo:
            if writable:
                undo.enter_context(_writable(place))
            _flush(place)
            undo.callback(_flush, place)  # the station reads the disk, which has its own memory of these sectors
            flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC | _MS_NOSYMFOLLOW | (0 if writable else _MS_RDONLY)
            _mount(place.node, MOUNT_POINT, place.holds.driver, flags, _OPTIONS[place.holds.driver])
            undo.callback(_unmount, MOUNT_POINT)
            root = os.open(MOUNT_POINT, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            undo.callback(os.close, root)
            yield root
            if writable:
                _syncfs(root)

    def format(self, place: Place) -> None:
        """See :class:`~bwcdock.erase_helper.system.System`. If it dies inside, the card has no file system."""
        with _writable(place):
            mode = stat.S_IMODE(os.stat(place.node).st_mode)
            # The node is readable only, for us as well: we own it, and have no right to pass by its mode.
            os.chmod(place.node, 0o600)
            try:
                for command in format_commands(place):
                    _run(command)
            finally:
                os.chmod(place.node, mode)
            _flush(place)


def format_commands(place: Place) -> list[list[str]]:
    """The programs that make the same file system anew, in order."""
    holds = place.holds
    label = [holds.label] if holds.label else []
    if holds.kind == "exfat":
        named = ["-L", *label] if label else []
        made = ["/usr/sbin/mkfs.exfat", "-c", str(holds.cluster), *named, place.node]
        return [made, ["/usr/sbin/tune.exfat", "-I", f"{holds.serial:#010x}", place.node]]
    named = ["-n", *label] if label else []
    sizes = ["-F", holds.kind.removeprefix("fat"), "-S", str(holds.sector), "-s", str(holds.cluster // holds.sector)]
    whole = ["-I"] if place.node == place.disk else []
    return [["/usr/sbin/mkfs.vfat", *whole, *sizes, "-i", f"{holds.serial:08x}", *named, place.node]]


def _run(command: list[str]) -> None:
    try:
        ended = subprocess.run(  # noqa: S603 - fixed programs; the arguments are numbers, a checked node, an ASCII label
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_FORMAT_S, check=False, env={"LC_ALL": "C"}
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{command[0]} did not end") from error
    if ended.returncode:
        raise OSError(f"{command[0]} failed: {ended.stderr.decode(errors='replace')[:200].strip()}")


def _probed(node: str) -> FileSystem | None:
    descriptor = os.open(node, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return probe(lambda offset, length: os.pread(descriptor, length, offset))
    finally:
        os.close(descriptor)


@contextmanager
def _writable(place: Place) -> Iterator[None]:
    """The one partition may be written to, and no other: each has a flag, and that of the disk counts for all."""
    nodes = list(dict.fromkeys((place.disk, place.node)))
    with ExitStack() as undo:
        for node in nodes:
            undo.callback(_control, node, _BLKROSET, struct.pack("i", 1))
        for node in nodes:
            _control(node, _BLKROSET, struct.pack("i", 0))
        yield


def _flush(place: Place) -> None:
    """Write what is waiting and forget what was read, of the partition and of the disk."""
    for node in dict.fromkeys((place.node, place.disk)):
        _control(node, _BLKFLSBUF, b"")


def _control(node: str, request: int, value: bytes) -> None:
    descriptor = os.open(node, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, request, value or 0)
    finally:
        os.close(descriptor)


def _mount(source: str, target: str, driver: str, flags: int, options: bytes) -> None:
    _checked(_libc.mount(source.encode(), target.encode(), driver.encode(), ctypes.c_ulong(flags), options))


def _unmount(target: str) -> None:
    _checked(_libc.umount2(target.encode(), 0))


def _syncfs(descriptor: int) -> None:
    _checked(_libc.syncfs(descriptor))


def _checked(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
