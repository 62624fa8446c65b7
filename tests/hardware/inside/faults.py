"""In the guest: what goes wrong around the station — processes that die or stop, and a spool whose disk fails."""

import glob
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

SPOOL = Path("/var/lib/bwcdock/spool")
BACKING = Path("/var/lib/spool-disk.img")
NAME = "spool"
SIZE = 768 << 20


def _sh(*argv: str, text: str = "") -> str:
    done = subprocess.run(argv, capture_output=True, text=True, input=text, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


def send(pid: int, name: str) -> None:
    """Send a signal: ``SIGKILL``, ``SIGSTOP``, ``SIGCONT``."""
    os.kill(pid, signal.Signals[name])


def privileges(unit: str) -> dict[str, dict[str, str]]:
    """The capabilities of every process of a unit as the kernel has them (/proc/PID/status), by process and command."""
    group = _sh("systemctl", "show", unit, "--property", "ControlGroup", "--value").strip()
    if not group:
        return {}
    return {pid: _status(pid) for pid in Path(f"/sys/fs/cgroup{group}/cgroup.procs").read_text().split()}


_WANTED = (
    *("Name", "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"),
    *("NoNewPrivs", "Seccomp"),
)


def _status(pid: str) -> dict[str, str]:
    lines = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    return {name: lines[name].strip() for name in _WANTED}


_watching = threading.Event()


def watch(program: str) -> dict[str, list[dict[str, str]]]:
    """Until :func:`unwatch`: what the kernel says of every process that runs ``python -m program``, by process.

    Each different state is kept once: privileges, and what of USB disks it sees mounted (``mount``), and systemd sees
    (``outside``).
    """
    _watching.set()
    seen: dict[str, list[dict[str, str]]] = {}
    while _watching.is_set():
        for line in glob.glob("/proc/[0-9]*/cmdline"):
            pid = line.split("/")[2]
            try:
                if program.encode() not in Path(line).read_bytes().split(b"\0"):
                    continue
                mounted = [m for m in Path(f"/proc/{pid}/mountinfo").read_text().splitlines() if " /dev/sd" in m]
                outside = [m for m in Path("/proc/1/mountinfo").read_text().splitlines() if " /dev/sd" in m]
                state = _status(pid) | {"mount": "; ".join(mounted), "outside": "; ".join(outside)}
            except OSError:  # it ended in this moment
                continue
            if state not in seen.setdefault(pid, []):
                seen[pid].append(state)
        time.sleep(0.02)
    return seen


def unwatch() -> None:
    """Have :func:`watch` return."""
    _watching.clear()


# --- a spool whose disk fails -----------------------------------------------------------------------------------------


def _table(how: str, loop: str) -> str:
    sectors = SIZE // 512
    return {
        "sound": f"0 {sectors} linear {loop} 0",
        # Reads are answered; every write fails at once, for as long as this table is in force.
        "unwritable": f"0 {sectors} flakey {loop} 0 0 3600 1 error_writes",
        "dead": f"0 {sectors} error",
    }[how]


def spool_disk() -> str:
    """Put the spool on a disk of its own whose failing can be chosen; the station must be stopped. Its loop device."""
    with BACKING.open("wb") as empty:
        empty.truncate(SIZE)
    loop = _sh("losetup", "--find", "--show", str(BACKING)).strip()
    _sh("dmsetup", "create", NAME, text=_table("sound", loop))
    _sh("mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1", f"/dev/mapper/{NAME}")
    aside = Path("/run/lab-spool")
    aside.mkdir(exist_ok=True)
    _sh("mount", f"/dev/mapper/{NAME}", str(aside))
    _sh("cp", "-a", f"{SPOOL}/.", str(aside))
    _sh("umount", str(aside))
    _mount()
    return loop


def _mount() -> None:
    _sh("mount", "-o", "errors=remount-ro", f"/dev/mapper/{NAME}", str(SPOOL))


def spool_fails(how: str, loop: str) -> None:
    """From now on the spool's disk is ``sound``, ``unwritable`` or ``dead``."""
    # --noflush: what is on its way to the disk meets the failing one.
    _sh("dmsetup", "suspend", "--noflush", "--nolockfs", NAME)
    _sh("dmsetup", "reload", NAME, "--table", _table(how, loop))
    _sh("dmsetup", "resume", NAME)


def spool_mended(loop: str) -> str:
    """What an administrator does: the disk is sound again, checked and mounted. The station must be stopped."""
    _sh("umount", str(SPOOL))
    spool_fails("sound", loop)
    checked = subprocess.run(["fsck.ext4", "-p", f"/dev/mapper/{NAME}"], capture_output=True, text=True, check=False)
    if checked.returncode > 1:
        raise OSError(checked.stdout + checked.stderr)
    _mount()
    return checked.stdout


def spool_back(loop: str) -> None:
    """Put what lies on that disk back where the spool was, and take the disk away. The station must be stopped."""
    aside = Path("/run/lab-spool")
    _sh("umount", str(SPOOL))
    _sh("mount", f"/dev/mapper/{NAME}", str(aside))
    _sh("cp", "-a", f"{aside}/.", str(SPOOL))
    _sh("umount", str(aside))
    _sh("dmsetup", "remove", NAME)
    _sh("losetup", "--detach", loop)
    BACKING.unlink()
