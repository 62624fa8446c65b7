"""The station in the guest: installed as a user would, its facts as they come, and what must hold of its recordings."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from guest import Guest
from host import PATIENCE

PROGRAM = "/opt/bwcdock/bin/bwcdock"
SERVICE = "bwcdock.service"
SPOOL, CENTRAL = "/var/lib/bwcdock/spool", "/var/lib/bwcdock/central"

Facts = list[dict[str, Any]]


class Late(AssertionError):
    """What was waited for did not come in time."""


class Station:
    """The installed station of one guest."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.known: Facts = []
        self.ports: list[str] = []
        self.package: Callable[[], Path] | None = None
        """Gives the Debian package, once it is built."""

    # --- as an installer does it --------------------------------------------------------------------------------------

    def install(self, wheel: Path) -> str:
        """The wheel into /opt/bwcdock, `bwcdock install`, the ports learnt by plugging, and the service started."""
        self.guest.agent.put(f"/opt/{wheel.name}", wheel.read_bytes())
        pip = ("/opt/bwcdock/bin/pip", "--quiet", "--disable-pip-version-check", "install", "--no-index", "--no-deps")
        self.guest.run(*pip, f"/opt/{wheel.name}", timeout=240)
        self.guest.run(PROGRAM, "install", "--name", "dock-lab", "--unit", "unit", timeout=240)
        self.ports = self.guest.call("recorders", "ports")
        self._learn()
        # A machine that boots from NVMe has no driver of USB disks yet when its daemon starts for the first time.
        self.guest.run("modprobe", "--remove", "uas", "usb_storage", "sd_mod", check=False)
        began = time.monotonic()
        self.start()
        took = time.monotonic() - began
        return f"{len(self.ports)} slots learnt by plugging; founded and ready {took:.0f} s after start"

    def _learn(self) -> None:
        """`bwcdock slots learn`, while a recorder is plugged into one port after the other."""
        self.guest.call("recorders", "make", name="learn", files=0)
        command = f"{PROGRAM} slots learn --count {len(self.ports)} >/run/learn.txt 2>&1"
        learning = threading.Thread(
            target=self.guest.run, args=("sh", "-c", command), kwargs={"check": False, "timeout": 300}
        )
        learning.start()
        for number in range(len(self.ports) + 1):
            sign = f"slot {number}:" if number else "Plug a device"
            self._until_said("/run/learn.txt", sign)
            if number:
                self.guest.call("recorders", "pull", name="learn")
            if number < len(self.ports):
                self.guest.call("recorders", "plug", name="learn", port=number)
        learning.join()

    def _until_said(self, path: str, sign: str) -> None:
        end = time.monotonic() + 30 * PATIENCE
        while sign not in (told := str(self.guest.run("cat", path, check=False)["out"])):
            if time.monotonic() > end:
                raise Late(f"`slots learn` did not say {sign!r}: {told}")
            time.sleep(0.2)

    def start(self) -> None:
        """Start the service; it says itself when it is ready."""
        done = self.guest.run("systemctl", "start", SERVICE, timeout=120, check=False)
        if done["status"]:
            raise Late(f"the service does not start:\n{self.journal(12)}")

    def stop(self) -> None:
        """Stop the service."""
        self.guest.run("systemctl", "stop", SERVICE, timeout=60)

    def show(self, *names: str) -> dict[str, str]:
        """Properties of the service as systemd has them."""
        out = self.guest.run("systemctl", "show", SERVICE, "--property", ",".join(names))["out"]
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    @property
    def pid(self) -> int:
        """The daemon's process; 0 where there is none."""
        return int(self.show("MainPID")["MainPID"])

    def journal(self, lines: int = 40) -> str:
        """The last lines of what the service said."""
        return str(self.guest.run("journalctl", "-u", "bwcdock*", "-n", str(lines), "-o", "cat", check=False)["out"])

    # --- its facts ----------------------------------------------------------------------------------------------------

    @property
    def mark(self) -> int:
        """How many facts there are: what comes later is what one asks about."""
        self.refresh()
        return len(self.known)

    def refresh(self) -> None:
        """Learn the facts that came since."""
        self.known += self.guest.call("ledger", "facts", since=len(self.known))

    def facts(self, ev: str, since: int = 0, **subject: str) -> Facts:
        """The facts of this kind (``record.sealed``) known by now, from number ``since`` on, about this subject."""
        return [
            fact
            for fact in self.known[since:]
            if fact["ev"] == ev and all(fact["subject"].get(name) == value for name, value in subject.items())
        ]

    def wait(self, what: str, holds: Callable[[], bool], patience: float) -> float:
        """Wait until this holds of the facts; the seconds that took. :class:`Late` with the journal's end."""
        began = time.monotonic()
        while True:
            self.refresh()
            if holds():
                return time.monotonic() - began
            if time.monotonic() - began > patience * PATIENCE:
                last = "; ".join(f"{fact['ev']} {fact['subject'].get('recorder', '')}" for fact in self.known[-8:])
                raise Late(f"{what}: not in {patience * PATIENCE:g} s. Last facts: {last}. Journal:\n{self.journal()}")
            time.sleep(0.7)

    # --- what must hold -----------------------------------------------------------------------------------------------

    def wait_confirmed(self, cards: dict[str, dict[str, str]], patience: float) -> float:
        """Wait until every file of these recorders is sealed and confirmed in central storage."""

        def done() -> bool:
            return all(
                len({f["subject"]["record"] for f in self.facts("record.confirmed", recorder=name.upper())})
                >= len(sums)
                for name, sums in cards.items()
            )

        return self.wait(f"{', '.join(cards)} confirmed", done, patience)

    def wait_departed(self, since: int, count: int, patience: float = 30) -> float:
        """Wait until so many sessions have departed since."""
        return self.wait(f"{count} departed", lambda: len(self.facts("session.departed", since)) >= count, patience)

    def wrong(self, name: str, sums: dict[str, str]) -> list[str]:
        """What is not as it must be with this recorder's files: each sealed once, with the digest from before it was
        plugged in, and so in central storage; nothing more. Empty where all is well.
        """
        recorder, found = name.upper(), []
        paths = {
            f["subject"]["record"]: f["data"]["item"]["path"] for f in self.facts("record.listed", recorder=recorder)
        }
        for path, count in Counter(paths.values()).items():
            if count > 1:
                found.append(f"{path} is {count} recordings")
        sealed = {
            f["subject"]["record"]: f["data"]["digests"]["sha256"]
            for f in self.facts("record.sealed", recorder=recorder)
        }
        got = {paths[record]: digest for record, digest in sealed.items()}
        if got != sums:
            differ = sorted(path for path in got.keys() | sums.keys() if got.get(path) != sums.get(path))
            found.append(f"sealed otherwise than on the card: {', '.join(differ)}")
        spool = self.guest.call("ledger", "digests", under=f"{SPOOL}/whole")
        here = {record: digest for name, digest in spool.items() for record in sealed if record in name}
        if here != sealed:
            found.append("the spool's own copies differ")
        keys = {f["subject"]["record"]: f["data"]["key"] for f in self.facts("record.confirmed", recorder=recorder)}
        central = self.guest.call("ledger", "digests", under=CENTRAL)
        if {paths[record]: central.get(key) for record, key in keys.items()} != sums:
            found.append("central storage differs")
        ours = [key for key in central if recorder in key]
        if len(ours) != len(sums):
            found.append(f"central storage has {len(ours)} objects, not {len(sums)}")
        return found

    def audit(self) -> str:
        """What `bwcdock audit` disagrees with, run as the station's user; empty where all agrees."""
        user = ("setpriv", "--reuid", "bwcdock", "--regid", "bwcdock", "--clear-groups")
        done = self.guest.run(*user, PROGRAM, "-C", "/etc/bwcdock", "audit", check=False, timeout=300)
        return "" if done["status"] == 0 else f"status {done['status']}: {done['out'][-1500:]}{done['err'][-500:]}"
