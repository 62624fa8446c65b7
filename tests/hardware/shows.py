"""What must be seen in the guest with recorders plugged in, read, pulled out. A show gives its figure, or raises."""

import random
import statistics
import threading
import time
from typing import Any

from station import Station

MIB = 1 << 20

Cards = dict[str, dict[str, str]]


class Wrong(AssertionError):
    """What was seen is not what must be."""


def need(holds: object, what: object) -> None:
    """Raise :class:`Wrong` unless it holds."""
    if not holds:
        raise Wrong(str(what))


def cards(station: Station, *names: str, **how: Any) -> Cards:
    """Make recorders' cards: exFAT and FAT32, with a partition table and without, in turn."""
    made = {}
    for at, name in enumerate(names):
        kind = {"kind": "vfat" if at % 2 else "exfat", "partitioned": at % 4 < 2} | how
        made[name] = station.guest.call("recorders", "make", name=name, **kind)
    return made


def need_right(station: Station, made: Cards) -> None:
    """Every file of these recorders is sealed once, whole, and in central storage."""
    station.refresh()
    wrong = [f"{name}: {problem}" for name, sums in made.items() for problem in station.wrong(name, sums)]
    need(not wrong, "; ".join(wrong))


def clear(station: Station) -> None:
    """Every port is empty, and the station knows it: what one show left does not hinder the next."""
    station.refresh()
    for name in station.guest.call("recorders", "plugged"):
        station.guest.call("recorders", "pull", name=name)
    gone = {fact["subject"]["session"] for fact in station.facts("session.departed")}
    there = {fact["subject"]["session"] for fact in station.facts("session.arrived")} - gone

    def empty() -> bool:
        return there <= {fact["subject"]["session"] for fact in station.facts("session.departed")}

    station.wait("every session departed", empty, 60)


def unplug(station: Station, *names: str) -> None:
    """Pull these out, and wait until the station has noticed."""
    before = station.mark
    for name in names:
        station.guest.call("recorders", "pull", name=name)
    station.wait_departed(before, len(names))


# --- four at once -----------------------------------------------------------------------------------------------------


def four_at_once(station: Station) -> str:
    """Four recorders plugged within a second: four sessions, all sealed and confirmed, digests as before plugging."""
    made = cards(station, "four1", "four2", "four3", "four4")
    before = station.mark
    at = station.guest.call("recorders", "plug_all", where={name: port for port, name in enumerate(made)})
    need(max(at) - min(at) < 1, f"it took {max(at) - min(at):.1f} s to plug them")
    took = station.wait_confirmed(made, 240)
    arrived = station.facts("session.arrived", before)
    need(len(arrived) == 4, f"{len(arrived)} sessions")
    slots = sorted(fact["data"]["sighting"]["slot"] for fact in arrived)
    need(slots == [1, 2, 3, 4], f"slots {slots}")
    need_right(station, made)
    unplug(station, *made)
    return f"plugged within {(max(at) - min(at)) * 1000:.0f} ms, 8 files of 2 MiB confirmed {took:.0f} s later"


def latency(station: Station) -> str:
    """From udev's event to the session's first fact, and to its last: single plugs with nothing else going on."""
    made = cards(station, "fast", files=1, size=64 << 10)
    since = station.guest.call("events", "listen")
    mark = station.mark
    rounds = 4
    for turn in range(rounds):
        before = station.mark
        station.guest.call("recorders", "plug", name="fast", port=turn % len(station.ports))
        station.wait("drained", lambda before=before: bool(station.facts("session.drained", before)), 60)
        unplug(station, "fast")
    events = station.guest.call("events", "told", since=since)
    disks = [event for event in events if event.get("DEVTYPE") == "disk" and "/dummy_hcd." in event["path"]]
    came, went = _delays(station, mark, disks)
    need(len(came) == len(went) == rounds, f"{len(came)} sessions and {len(went)} departures in {rounds} rounds")
    need(max(came) < 1, f"a session took {max(came):.2f} s")
    need_right(station, made)
    return f"to session {_spread(came)}, to departed {_spread(went)}, {rounds} rounds"


def _delays(station: Station, mark: int, disks: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    """Seconds from each disk's ``add`` and ``remove`` to the arrival and departure of the session of that very disk."""
    arrived = {
        dict(fact["data"]["sighting"]["properties"]).get("DISKSEQ"): fact
        for fact in station.facts("session.arrived", mark)
    }
    ghosts = [fact["data"]["sighting"]["source"] for number, fact in arrived.items() if number is None]
    need(not ghosts, f"sessions of what is no disk: {', '.join(ghosts)}")
    departed = {fact["subject"]["session"]: fact for fact in station.facts("session.departed", mark)}
    came, went = [], []
    for event in disks:
        session = arrived[event["DISKSEQ"]]
        if event["action"] == "add":
            came.append(session["mono"] / 1000 - event["mono"])
        elif event["action"] == "remove":
            went.append(departed[session["subject"]["session"]]["mono"] / 1000 - event["mono"])
    return came, went


def _spread(seconds: list[float]) -> str:
    return f"median {statistics.median(seconds):.2f} s worst {max(seconds):.2f} s"


# --- yanks ------------------------------------------------------------------------------------------------------------

YANKS = 25
SEED = 947


def yanks(station: Station) -> str:
    """25 cables pulled at random offsets and plugged into random ports: whole in the end, nothing twice."""
    made = cards(station, "yank1", "yank2", "yank3", "yank4", files=3, size=5 * MIB)
    before = station.mark
    chance, lock = random.Random(SEED), threading.Lock()
    free = set(range(len(station.ports)))
    seen: list[dict[str, float]] = []

    def live(name: str, times: int) -> None:
        for _ in range(times):
            with lock:
                offset, port = chance.randrange(5 * MIB), chance.choice(sorted(free))
                free.remove(port)
            station.guest.call("recorders", "plug", name=name, port=port)
            seen.append(station.guest.call("recorders", "pull_at", name=name, count=offset, limit_s=20))
            time.sleep(chance.uniform(0.1, 1.5))
            with lock:
                free.add(port)

    lives = [threading.Thread(target=live, args=(name, YANKS // 4 + (at < YANKS % 4))) for at, name in enumerate(made)]
    for one in lives:
        one.start()
    for one in lives:
        one.join()
    need(len(seen) == YANKS, f"only {len(seen)} yanks: a recorder's thread ended early")
    station.refresh()
    sealed_before = len(station.facts("record.sealed", before))
    station.guest.call("recorders", "plug_all", where={name: port for port, name in enumerate(made)})
    took = station.wait_confirmed(made, 300)
    need_right(station, made)
    resumed = [fact for fact in station.facts("record.pulled", before) if fact["data"].get("resumed_at")]
    sessions = len(station.facts("session.arrived", before))
    unplug(station, *made)
    at = sorted(round(one["read"] / MIB, 1) for one in seen)
    return (
        f"{YANKS} yanks after {at[0]} to {at[-1]} MiB, {sessions} sessions, {len(resumed)} resumed in mid-file, "
        f"{sealed_before} of 12 sealed meanwhile, all confirmed {took:.0f} s after the last plug"
    )


# --- a flood of events ------------------------------------------------------------------------------------------------


def flood(station: Station) -> str:
    """2,000 events that no device stands behind, and one real plug among them: it is seen."""
    made = cards(station, "flood", files=1, size=256 << 10)
    before = station.mark
    flooded: list[dict[str, float]] = []
    pid = station.pid
    port = 5
    # Stopped while they come, as by a loop that is slow at this moment: more than the socket holds.
    station.guest.call("faults", "send", pid=pid, name="SIGSTOP")
    try:
        flooded.append(station.guest.call("events", "flood", count=1000))
        station.guest.call("recorders", "plug", name="flood", port=port)
        station.guest.call("recorders", "disk", port=port)
        flooded.append(station.guest.call("events", "flood", count=1000))
    finally:
        station.guest.call("faults", "send", pid=pid, name="SIGCONT")
    began = time.monotonic()
    station.wait("the plug is seen", lambda: bool(station.facts("session.arrived", before)), 30)
    seen = time.monotonic() - began
    station.wait_confirmed(made, 90)
    need(station.pid == pid, "the daemon was started anew")
    overflows = station.journal(400).count("udev.overflow")
    need_right(station, made)
    unplug(station, "flood")
    took = sum(one["seconds"] for one in flooded)
    return f"2000 events in {took:.1f} s, {overflows} overflows, session {seen:.1f} s after the daemon could look"


# --- evidence stays as it is ------------------------------------------------------------------------------------------


def untouched(station: Station) -> str:
    """Cards stay bit-identical from plug to unplug, by the recorder's own switch and by udev's rules alone."""
    switched = cards(station, "lock", locked=True)
    ruled = cards(station, "rule")
    made = switched | ruled
    before = {name: station.guest.call("recorders", "whole", name=name) for name in made}
    station.guest.call("recorders", "plug_all", where={"lock": 2, "rule": 6})
    station.wait_confirmed(made, 120)
    written = ""
    for port in (2, 6):
        node = station.guest.call("recorders", "disk", port=port)
        written += station.guest.call("recorders", "write_refused", node=node)
    need(not written, f"root could write to {written}")
    unplug(station, *made)
    after = {name: station.guest.call("recorders", "whole", name=name) for name in made}
    need(before == after, f"changed: {[name for name in made if before[name] != after[name]]}")
    return "2 cards of 48 MiB, one writable but for the rules: same SHA-256, root's writes refused"
