"""What must be seen of the units as systemd runs them: how far they are locked in, and with what privileges."""

import re
import threading
import time

from shows import MIB, cards, need, unplug
from station import SERVICE, Station

LIMITS = {
    SERVICE: 1.5, "bwcdock-reader@{}.service": 1.0, "bwcdock-erase@{}.service": 2.0, "bwcdock-web.service": 1.5,
    "bwcdock-catalogue.service": 1.5, "bwcdock-metrics.service": 1.0,
}  # fmt: skip
"""The worst score of `systemd-analyze security` that is let pass."""

ALLOWED = {SERVICE: 0, "bwcdock-reader@": 0, "bwcdock-erase@": 1 << 21}
"""Capabilities a process of the unit may have in any set: none; the erase helper CAP_SYS_ADMIN."""

DOCK = "bwcdock-dock"
"""The group to which what is docked belongs: the daemon's one further group, and nobody else's."""


def scores(station: Station) -> str:
    """`systemd-analyze security` of the units: daemon, pages, catalogue 1.5, reader and figures 1.0, eraser 2.0."""
    found = []
    for unit, limit in LIMITS.items():
        out = station.guest.run("systemd-analyze", "security", "--no-pager", unit.format("1"))["out"]
        told = re.search(r"exposure level for \S+: ([0-9.]+)", out)
        need(told, out[-300:])
        score = float(told[1])
        need(score <= limit, f"{unit.format('')} has {score}, more than {limit}")
        found.append(f"{unit.format('').removesuffix('.service')} {score}")
    return ", ".join(found)


def privileges(station: Station) -> str:
    """What the kernel says of the running processes (/proc/PID/status): no capability, not root, no more to gain."""
    cards(station, "caps", files=1, size=8 * MIB)
    seen: dict[str, dict[str, str]] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            listed = station.guest.run(
                "systemctl", "list-units", "--plain", "--no-legend", "bwcdock-reader@*", check=False
            )
            for line in listed["out"].splitlines():
                seen.update({f"{line.split()[0]}": one for one in _processes(station, line.split()[0])})
            time.sleep(0.1)

    watching = threading.Thread(target=watch)
    watching.start()
    before = station.mark
    try:
        station.guest.call("recorders", "plug", name="caps", port=0)
        station.wait("drained", lambda: bool(station.facts("session.drained", before)), 90)
    finally:
        done.set()
        watching.join()
    readers = len(seen)
    need(readers, "no reader was seen at work")
    for one in _processes(station, SERVICE):
        seen[SERVICE] = one
    groups = {SERVICE: {station.guest.run("getent", "group", DOCK)["out"].split(":")[2]}}
    for unit, one in seen.items():
        allowed = next(bits for name, bits in ALLOWED.items() if unit.startswith(name))
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            need(int(one[name], 16) & ~allowed == 0, f"{unit} has {name} {one[name]}")
        need("0" not in one["Uid"].split(), f"{unit} is root")
        need(one["NoNewPrivs"] == "1" and one["Seccomp"] == "2", f"{unit}: {one}")
        need(set(one["Groups"].split()) <= {one["Gid"].split()[0]} | groups.get(unit, set()),
             f"{unit} is in the groups {one['Groups']}")  # fmt: skip
    unplug(station, "caps")
    return f"daemon and {readers} readers: no capability in any set, not root, no new privileges, filtered calls"


def _processes(station: Station, unit: str) -> list[dict[str, str]]:
    return list(station.guest.call("faults", "privileges", unit=unit).values())
