"""Build the guest once: Debian 12 with its own kernel, systemd and udev, on two disk images, from Debian's packages."""

import gzip
import hashlib
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import wheels
from host import INSIDE, ROOT, cache, run

SUITE = "bookworm"
PACKAGES = (
    "systemd-sysv", "udev", "dbus", "kmod", "procps", "python3", "python3-venv",
    "e2fsprogs", "dosfstools", "exfatprogs", "dmsetup", "fdisk", "usbutils", "umtp-responder", "mtp-tools",
)  # fmt: skip

BOOT_MODULES = ("virtio_pci", "virtio_blk", "ext4")
"""What finds the root disk, in this order."""
MODULES = (
    *BOOT_MODULES, "virtio_console", "virtio_rng",
    "dummy_hcd", "libcomposite", "usb_f_mass_storage", "usb_f_hid", "configfs",  # a recorder's own side of the cable
    "usb_f_fs",  # and of one that speaks MTP
    "vhci_hcd",  # the same of one that is played in Python, which cheats
    "xhci_pci", "usb_storage", "uas", "sd_mod", "usbhid", "hid_generic",  # the station's side
    "loop", "vfat", "exfat", "nls_cp437", "nls_ascii", "nls_utf8",  # making cards with the kernel's own drivers
    "dm_mod", "dm_flakey",  # a spool on a failing disk
    "autofs4", "binfmt_misc",  # what systemd asks for at every boot
)  # fmt: skip

ROOT_SIZE, DATA_SIZE = 3 << 30, 4 << 30
"""Sparse: what is not written takes no room."""

STATE = "/var/lib/bwcdock"
PORT = "bwcdock.lab"
"""The name of the serial port over which the guest's agent speaks."""

INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs none /dev
for module in $(/bin/busybox cat /order); do /bin/busybox insmod "/modules/$module"; done
tries=0
until [ -b /dev/vda ] || [ $tries -gt 500 ]; do /bin/busybox usleep 10000; tries=$((tries + 1)); done
/bin/busybox mount -t ext4 -o noatime /dev/vda /new && /bin/busybox mount --move /dev /new/dev &&
    exec /bin/busybox switch_root /new /sbin/init
/bin/busybox poweroff -f
"""

AGENT_UNIT = """[Unit]
Description=What the host asks for, done in the guest
DefaultDependencies=no
After=systemd-udevd.service local-fs.target systemd-tmpfiles-setup.service
[Service]
ExecStart=/usr/bin/python3 -u /opt/lab/agent.py
Restart=always
RestartSec=1
OOMScoreAdjust=-900
"""

QUIET = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
    "e2scrub_reap.service", "systemd-timesyncd.service", "getty@tty1.service", "serial-getty@ttyS0.service",
    "systemd-pcrphase.service", "systemd-pcrphase-sysinit.service", "systemd-update-utmp.service",
    "umtp-responder.service",  # it would bind a gadget of its own to the first port
)  # fmt: skip
"""Masked: each takes emulated seconds at every boot, and none has to do with a dock."""


def built() -> Path:
    """The folder with ``kernel``, ``initrd``, ``root.img`` and ``data.img``, made now unless it is there already."""
    folder = cache() / f"image-{_stamp()}"
    if not (folder / "whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _build(folder)
        (folder / "whole").touch()
        for old in cache().glob("image-*"):
            if old != folder:
                shutil.rmtree(old)
    return folder


def _stamp() -> str:
    """Changes with everything that the image is made from, except the newest version of Debian's packages."""
    parts = [Path(__file__).read_text(), (INSIDE / "agent.py").read_text(), wheels.locked()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _build(folder: Path) -> None:
    root = folder / "root"
    wheels.fetch(folder / "wheels")
    _bootstrap(root)
    version = _kernel(folder, root)
    _initrd(folder, root, version)
    _configure(root)
    _environment(folder, root)
    for name, size, label, content in (("root", ROOT_SIZE, "root", root), ("data", DATA_SIZE, "state", None)):
        image = folder / f"{name}.img"
        with image.open("wb") as empty:
            empty.truncate(size)
        filled = ("-d", content) if content else ()
        # Both with a journal: the guest's power is cut again and again.
        run("mkfs.ext4", "-q", "-F", "-L", label, "-E", "lazy_itable_init=1,lazy_journal_init=1", *filled, image)
    shutil.rmtree(root)


def _bootstrap(root: Path) -> None:
    # The machine's own list says where its Debian packages come from; without one mmdebstrap knows the usual place.
    listed = [
        one for one in map(Path, ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")) if one.exists()
    ]
    trim = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "doc", "locale", "info")]
    own = listed[:1] if SUITE in "".join(one.read_text() for one in listed[:1]) else []
    run("mmdebstrap", "--quiet", "--variant=minbase", "--include=" + ",".join(PACKAGES), *trim, SUITE, root, *own)


def _kernel(folder: Path, root: Path) -> str:
    """Unpack Debian's kernel, keep the modules that are wanted with what they need; returns its version."""
    told = run("apt-cache", "depends", "linux-image-amd64")
    package = next(line.split()[-1] for line in told.splitlines() if "Depends: linux-image-" in line)
    version = package.removeprefix("linux-image-")
    work = folder / "kernel-package"
    work.mkdir()
    run("apt-get", "-o", "APT::Sandbox::User=root", "download", "-qq", package, cwd=work)
    (archive,) = work.glob("*.deb")
    run("dpkg-deb", "-x", archive, work)
    shutil.copy(work / "boot" / f"vmlinuz-{version}", folder / "kernel")
    home = root / "lib" / "modules" / version
    home.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(work / "lib" / "modules" / version, home)
    shutil.rmtree(work)
    run("chroot", root, "depmod", version)
    kept = set(_needed(root, version, MODULES))
    for path in home.rglob("*.ko"):
        if path not in kept:
            path.unlink()
    run("chroot", root, "depmod", version)
    return version


def _needed(root: Path, version: str, names: Iterable[str]) -> list[Path]:
    """The files of these modules and of those they need, in the order in which they load."""
    found: dict[Path, None] = {}
    for name in names:
        for line in run("chroot", root, "modprobe", "-S", version, "--show-depends", name).splitlines():
            word, _, path = line.partition(" ")
            if word == "insmod":
                found[root / path.split()[0].lstrip("/")] = None
    return list(found)


def _initrd(folder: Path, root: Path, version: str) -> None:
    made = folder / "initrd-tree"
    for part in ("bin", "dev", "new", "modules"):
        (made / part).mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox
    shutil.copy(busybox, made / "bin" / "busybox")
    order = _needed(root, version, BOOT_MODULES)
    for path in order:
        shutil.copy(path, made / "modules" / path.name)
    (made / "order").write_text("\n".join(path.name for path in order) + "\n")
    (made / "init").write_text(INIT)
    (made / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(made)) for path in sorted(made.rglob("*")))
    packed = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"], cwd=made, input=names.encode(), capture_output=True, check=True
    )
    (folder / "initrd").write_bytes(gzip.compress(packed.stdout, 1))
    shutil.rmtree(made)


def _configure(root: Path) -> None:
    def put(path: str, text: str) -> None:
        where = root / path.lstrip("/")
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text)

    put("/etc/hostname", "dock\n")
    put("/etc/hosts", "127.0.0.1 localhost dock\n")
    put(
        "/etc/fstab",
        f"/dev/vda / ext4 noatime 0 0\n/dev/vdb {STATE} ext4 noatime,nofail,x-systemd.device-timeout=30 0 0\n",
    )
    put("/etc/systemd/journald.conf.d/lab.conf", "[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\n")
    put("/etc/systemd/system/lab-agent.service", AGENT_UNIT)
    # A machine id that is not known yet makes systemd set every unit anew at the first boot: nine emulated seconds.
    put("/etc/machine-id", hashlib.sha256(b"bwcdock lab").hexdigest()[:32] + "\n")
    (root / STATE.lstrip("/")).mkdir(parents=True, exist_ok=True)
    (root / "opt" / "lab").mkdir(parents=True)
    shutil.copy(INSIDE / "agent.py", root / "opt" / "lab" / "agent.py")
    units = root / "etc" / "systemd" / "system"
    for name in QUIET:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    wanted = units / "sysinit.target.wants"
    wanted.mkdir(exist_ok=True)
    (wanted / "lab-agent.service").symlink_to("/etc/systemd/system/lab-agent.service")


def _environment(folder: Path, root: Path) -> None:
    """``/opt/bwcdock`` as an installer makes it, but for the program itself: that is put in when the guest runs."""
    shutil.copytree(folder / "wheels", root / "opt" / "wheels")
    run("chroot", root, "python3", "-m", "venv", "/opt/bwcdock")
    pip = ("chroot", root, "/opt/bwcdock/bin/pip", "--quiet", "--disable-pip-version-check", "install", "--no-index")
    names = [f"/opt/wheels/{path.name}" for path in sorted((folder / "wheels").glob("*.whl"))]
    run(*pip, "--no-deps", *names)
    for part in ("var/cache/apt", "var/lib/apt/lists", "opt/wheels"):
        shutil.rmtree(root / part, ignore_errors=True)
    assert ROOT.exists()
