"""A running guest: started from a snapshot of its own booted self, driven by its agent, and ended without trace."""

import hashlib
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import image
from channel import Agent, Gone, Qmp, Refused
from host import INSIDE, PATIENCE, cache, run

BOOT_S = 240
"""A boot takes 20 to 60 emulated seconds, by what else this machine is doing."""
SNAPSHOT = "booted"
PIECE = 1 << 20

SPARED = (
    *("dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount"),
    *("sys-fs-fuse-connections.mount", "modprobe@drm.service", "modprobe@efi_pstore.service", "modprobe@fuse.service"),
    *("proc-sys-fs-binfmt_misc.automount", "systemd-binfmt.service", "systemd-update-utmp-runlevel.service"),
)
"""Masked on the kernel's command line: together five seconds at every boot, and none has to do with a dock."""
APPEND = (
    "console=ttyS0 quiet systemd.show_status=0 net.ifnames=0 nokaslr mitigations=off no_timer_check "
    "cryptomgr.notests audit=0 apparmor=0 random.trust_cpu=on" + "".join(f" systemd.mask={unit}" for unit in SPARED)
)
HARDWARE = (
    # Software emulation: no help from the machine's processor is asked for. Nehalem is what Python's wheels need.
    *("-accel", "tcg,thread=multi,tb-size=512", "-machine", "pc", "-cpu", "Nehalem", "-smp", "2", "-m", "1536"),
    *("-nodefaults", "-no-user-config", "-display", "none", "-rtc", "base=utc"),
    *("-device", "virtio-rng-pci", "-device", "qemu-xhci,id=xhci,p2=8,p3=8", "-device", "virtio-serial-pci"),
)


class Guest:
    """One guest in a scratch folder of its own, gone with all it wrote when the ``with`` block ends."""

    def __init__(self) -> None:
        self.images = image.built()
        self.folder = Path(tempfile.mkdtemp(prefix="guest-", dir=cache()))
        self._process: subprocess.Popen[bytes] | None = None
        self.agent: Agent
        self.qmp: Qmp

    def __enter__(self) -> "Guest":
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    # --- starting -----------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        saved = self._snapshot()
        for disk in ("root", "data"):
            run("cp", "--sparse=always", "--reflink=auto", saved / f"{disk}.qcow2", self.folder / f"{disk}.qcow2")
        self._launch("-loadvm", SNAPSHOT)
        self.call("agent", "clock", wall=time.time())  # noqa: TID251 (the guest slept since its snapshot)
        for path in sorted(INSIDE.glob("*.py")):
            self.agent.put(f"/opt/lab/{path.name}", path.read_bytes())
        self.call("agent", "forget")

    def _snapshot(self) -> Path:
        """The folder with both disks, a snapshot of the booted guest in them; made once for an image and a QEMU."""
        version = run("qemu-system-x86_64", "--version")
        text = version + repr(HARDWARE) + APPEND + (self.images / "whole").parent.name
        saved = cache() / f"snapshot-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        if saved.exists():
            return saved
        for old in cache().glob("snapshot-*"):
            shutil.rmtree(old)
        for disk in ("root", "data"):
            base = self.images / f"{disk}.img"
            run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, self.folder / f"{disk}.qcow2")
        self._launch()
        self.agent.boots.get(timeout=BOOT_S * PATIENCE)
        self.settled()
        self.run("sh", "-c", "udevadm settle; sync; cat /usr/bin/python3.11 >/dev/null")
        self.qmp.monitor(f"savevm {SNAPSHOT}")
        self.qmp.ask("quit")
        self._ended()
        made = self.folder / "saved"
        made.mkdir()
        for disk in ("root", "data"):
            (self.folder / f"{disk}.qcow2").rename(made / f"{disk}.qcow2")
        made.rename(saved)
        return saved

    def _launch(self, *more: str) -> None:
        channel = f"socket,id=agent,path={self.folder}/agent,server=on,wait=off"
        with (self.folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "qemu-system-x86_64",
                    *HARDWARE,
                    *("-kernel", self.images / "kernel", "-initrd", self.images / "initrd", "-append", APPEND),
                    # The root disk holds nothing that a test asks about. The state's disk is told every flush, and
                    # keeps nothing back: what the guest has not written when its power is cut is lost.
                    *("-drive", f"if=virtio,format=qcow2,cache=unsafe,file={self.folder}/root.qcow2"),
                    *("-drive", f"if=virtio,format=qcow2,cache={self._direct()},file={self.folder}/data.qcow2"),
                    *("-chardev", channel, "-device", f"virtserialport,chardev=agent,name={image.PORT}"),
                    *("-serial", f"file:{self.folder}/console"),
                    *("-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"),
                    *more,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self.qmp, self.agent = Qmp(self.folder / "qmp"), Agent(self.folder / "agent")
        except Gone as why:
            raise Gone(f"{why}; QEMU said: {(self.folder / 'qemu.log').read_text()}") from None

    def _direct(self) -> str:
        """Past this machine's page cache, where the file system of the cache folder can."""
        probe = self.folder / "data.qcow2"
        opened = subprocess.run(
            ["dd", f"if={probe}", "of=/dev/null", "iflag=direct", "bs=4096", "count=1"],
            capture_output=True,
            check=False,
        )
        return "directsync" if opened.returncode == 0 else "writethrough"

    # --- driving ------------------------------------------------------------------------------------------------------

    def call(self, module: str, function: str, *, patience: float = 120, **args: Any) -> Any:
        """What a function of the modules in ``inside/`` returns."""
        return self.agent.call(module, function, patience=patience * PATIENCE, **args)

    def run(self, *argv: str, timeout: float = 120, text: str = "", check: bool = True, **env: str) -> dict[str, Any]:
        """A command in the guest, as root: ``status``, ``out``, ``err``, ``took``."""
        how = {"timeout": timeout * PATIENCE, "text": text, "env": env}
        done = self.call("agent", "run", patience=timeout + 30, argv=list(argv), **how)
        if check and done["status"]:
            raise RuntimeError(
                f"in the guest, {' '.join(argv)} ended with {done['status']}:\n{done['err'] or done['out']}"
            )
        return dict(done)

    def send(self, path: str, file: Path) -> None:
        """Bring a large file: in pieces, because the agent gathers each request in memory as it comes."""
        self.run("rm", "-f", path)
        with file.open("rb") as content:
            while piece := content.read(PIECE):
                self.agent.put(f"{path}.piece", piece)
                self.run("sh", "-c", f"cat {path}.piece >>{path}; rm {path}.piece")

    def settled(self) -> None:
        """Wait until systemd has started everything that starts by itself."""
        self.run("systemctl", "is-system-running", "--wait", check=False, timeout=BOOT_S)

    def cut_power(self) -> float:
        """Cut the power and switch it on again; returns once the agent is back, with the seconds that took."""
        began = time.monotonic()
        self.agent.drop()
        self.qmp.ask("system_reset")
        self.agent.boots.get(timeout=BOOT_S * PATIENCE)
        return time.monotonic() - began

    def plug_card(self, image: Path) -> None:
        """Plug a disk with this content into the first port of QEMU's own USB controller."""
        self.qmp.ask("blockdev-add", **{"node-name": "card", "driver": "file", "filename": str(image)})
        self.qmp.ask("device_add", driver="usb-storage", id="card", drive="card", bus="xhci.0", port="1", serial="CARD")

    def pull_card(self) -> None:
        """Pull that disk out."""
        self.qmp.ask("device_del", id="card")
        end = time.monotonic() + 20
        while True:
            try:
                self.qmp.ask("blockdev-del", **{"node-name": "card"})
                return
            except Refused:  # QEMU has not taken the device away yet
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def console(self) -> str:
        """What the guest's kernel said."""
        return (self.folder / "console").read_text(errors="replace")

    # --- ending -------------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            self._ended()
        shutil.rmtree(self.folder)

    def _ended(self) -> None:
        assert self._process is not None
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for name in ("agent", "qmp"):
            if hasattr(self, name):
                getattr(self, name).close()
                delattr(self, name)
