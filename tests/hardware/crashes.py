"""What must be seen in the guest when the station, its power or its spool fails. A show gives its figure, or raises."""

import re
import statistics
import time

from host import PATIENCE
from shows import MIB, cards, need, need_right, unplug
from station import SERVICE, Station

BACK_S = 45
"""A daemon that was killed or hangs is started again within this. Until it is ready is emulated seconds more."""

POWER_CUTS = 5


def _back(station: Station, pid: int, patience: float) -> tuple[float, float]:
    """Seconds until systemd has started another process in its place, and until that says it is ready."""
    began, started = time.monotonic(), 0.0
    while True:
        told = station.show("MainPID", "ActiveState")
        now = time.monotonic() - began
        if int(told["MainPID"]) not in {0, pid}:
            started = started or now
            if told["ActiveState"] == "active":
                return started, now
        need(now < patience * PATIENCE, f"not back in {patience * PATIENCE:g} s: {told}; {station.journal(15)}")
        time.sleep(0.2)


def killed(station: Station) -> str:
    """`kill -9` while it pulls: started again within 45 s, and it finishes."""
    return _interrupted(station, "kill", "SIGKILL")


def hung(station: Station) -> str:
    """Stopped dead (SIGSTOP) while it pulls: the watchdog has it started again within 45 s, and it finishes."""
    return _interrupted(station, "hang", "SIGSTOP")


def _interrupted(station: Station, name: str, signal: str) -> str:
    made = cards(station, name, size=5 * MIB)
    pid = station.pid
    station.guest.call("recorders", "plug", name=name, port=1)
    station.guest.call("ledger", "pulling", least=1, limit_s=60)
    station.guest.call("faults", "send", pid=pid, name=signal)
    started, ready = _back(station, pid, BACK_S + 60)
    need(started <= BACK_S, f"it took {started:.0f} s")
    station.wait_confirmed(made, 120)
    need_right(station, made)
    unplug(station, name)
    return f"started again after {started:.1f} s, ready after {ready:.1f} s"


def power_cuts(station: Station) -> str:
    """The power cut five times while pulling: the ledger agrees with everything each time, and all finishes."""
    made, where, boots = {}, {}, []
    for turn in range(POWER_CUTS):
        # A card of its own for each cut, so that every cut meets a pull, however quick the machine is between them.
        name = f"power{turn + 1}"
        made |= cards(station, name, size=6 * MIB, kind="vfat" if turn % 2 else "exfat")
        where[name] = turn
        station.guest.call("recorders", "plug", name=name, port=turn)
        station.guest.call("ledger", "pulling", least=1, limit_s=90)
        time.sleep(turn * 0.1)
        boots.append(station.guest.cut_power())
        station.guest.call("recorders", "ports")
        station.guest.call("recorders", "plug_all", where=where)
        wrong = station.audit()
        need(not wrong, f"after cut {turn + 1}: {wrong}")
    took = station.wait_confirmed(made, 240)
    need_right(station, made)
    wrong = station.audit()
    need(not wrong, wrong)
    unplug(station, *made)
    back = statistics.median(boots)
    return f"{POWER_CUTS} cuts, back after {back:.0f} s, audit clean each time, finished {took:.0f} s after the last"


def failing_spool(station: Station) -> str:
    """The spool's disk fails while pulling: an error names it, nothing torn is sealed; mended, it goes on."""
    station.stop()
    loop = station.guest.call("faults", "spool_disk")
    station.start()
    made = cards(station, "spool", size=6 * MIB)
    before = station.mark
    station.guest.call("recorders", "plug", name="spool", port=3)
    station.guest.call("ledger", "pulling", least=1, limit_s=60)
    station.guest.call("faults", "spool_fails", how="unwritable", loop=loop)

    def said() -> bool:
        return bool(_complaints(station, before))

    station.wait("the station says what is wrong", said, 90)
    told = _complaints(station, before)[0]
    sealed = len(station.facts("record.sealed", before))
    station.guest.run("systemctl", "stop", SERVICE, check=False, timeout=60)
    station.guest.call("faults", "spool_mended", loop=loop)
    station.start()
    took = station.wait_confirmed(made, 180)
    need_right(station, made)
    wrong = station.audit()
    need(not wrong, wrong)
    unplug(station, "spool")
    station.stop()
    station.guest.call("faults", "spool_back", loop=loop)
    station.start()
    return f'said "{told}", {sealed} of 2 sealed by then, mended: whole {took:.0f} s later'


def _complaints(station: Station, before: int) -> list[str]:
    """What the station has said about its spool since: findings, faults and records set apart."""
    found = []
    for fact in station.known[before:]:
        data = fact["data"]
        about = data.get("finding", data)
        if fact["ev"] in {"finding.found", "session.faulted", "record.quarantined"} and re.search(
            r"spool|disk", f"{about.get('code', '')} {about.get('op', '')} {about.get('what', '')}"
        ):
            found.append(f"{about.get('code') or about.get('op')}: {about['what']}")
    return found
