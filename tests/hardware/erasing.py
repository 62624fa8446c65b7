"""What must be seen where erasing is switched on: exactly what has a permit goes, by a helper with one capability."""

import re
import threading
import time
from typing import Any

from shows import MIB, Cards, need, need_right, unplug
from station import Station
from units import ALLOWED

SETTINGS = "/etc/bwcdock/bwcdock.toml"
SOCKET = "bwcdock-erase.socket"
PORTS = {"wipe1": 1, "wipe2": 4}

RECORDINGS = (
    "Media/DCAM_{device}_张𠮷民_{stamp}.mp4",
    "DCIM/REC00001.MP4",
    "DCIM/rec00002.mp4",
    "执法记录/DCAM_{device}_李四_{stamp}.mp4",
    "Media/DCAM_{device}_王五_{stamp}.mp4",
)
"""Long names in Chinese, one with a character of two UTF-16 units; names that FAT32 keeps as 8.3, in either case."""
GOING = 3
"""The first so many stay as they are and must go; the next gets another first byte, the last another in its middle."""
FOREIGN = "Temp/LOG.TXT"
SIZE = MIB

TALK = (
    "import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect('/run/bwcdock/erase.sock'); "
    "s.sendall(b'{}\\n'); print(s.makefile().readline())"
)


def with_permits(station: Station) -> str:
    """Two cards after two days: what has a permit and is unchanged goes, nothing else, and the card is locked again."""
    _switched(station, {"enabled = false": "enabled = true", "after_days = 30": "after_days = 1"})
    station.guest.run("systemctl", "enable", "--now", SOCKET)
    try:
        _strangers_refused(station)
        return _erased(station)
    finally:
        station.guest.run("systemctl", "disable", "--now", SOCKET)
        _switched(station, {"enabled = true": "enabled = false", "after_days = 1": "after_days = 30"})


def _switched(station: Station, changes: dict[str, str]) -> None:
    """Change the table of erasing, with a second look at once instead of a day later, and start the station anew."""
    text = station.guest.run("cat", SETTINGS)["out"]
    head, mark, rest = text.partition("\n[erase]\n")
    for old, new in changes.items():
        need(f"\n{old}\n" in rest, f"no {old} in {SETTINGS}")
        rest = rest.replace(f"\n{old}\n", f"\n{new}\n", 1)
    head = re.sub(r"\nsecond_look_after_s = \d+\n", "\nsecond_look_after_s = 1\n", head)
    station.stop()
    station.guest.agent.put(SETTINGS, (head + mark + rest).encode(), 0o640)
    station.start()


def _strangers_refused(station: Station) -> None:
    """Another user cannot reach the socket; one who can, as root or in the station's group, is not heard."""
    out = station.guest.run("setpriv", "--reuid=1", "--regid=1", "--clear-groups", "python3", "-c", TALK, check=False)
    need("PermissionError" in out["err"], f"another user reached the helper: {out}")
    for who in (("--reuid=1", "--regid=bwcdock"), ("--reuid=0",)):
        out = station.guest.run("setpriv", *who, "--clear-groups", "python3", "-c", TALK, check=False)
        need('"end":"refused"' in out["out"], f"{who} was heard: {out}")


def _erased(station: Station) -> str:
    made, foreign = _made(station)
    before = station.mark
    station.guest.call("recorders", "plug_all", where=PORTS)
    station.wait_confirmed(made, 180)
    need_right(station, made)
    wanted = {fact["subject"]["record"] for name in made for fact in _of(station, "record.sealed", name)}

    _a_minute_on(station)

    def looked() -> bool:
        seen = {f["subject"]["record"] for f in station.facts("record.looked_again")}
        return wanted <= seen

    station.wait("looked at a second time", looked, 120)
    unplug(station, *made)
    need(not station.facts("record.erase_intended", before), "something was to be erased on the first day")
    after = _changed(station, made)
    _later(station, 2 * 86400)
    return _docked_again(station, made, after, foreign)


def _later(station: Station, seconds: float) -> None:
    """Move the guest's clock on."""
    station.guest.call("agent", "clock", wall=station.guest.call("agent", "clock") + seconds)


def _a_minute_on(station: Station) -> None:
    """Second looks and erasing come every minute of the station's clock: none is waited for in full."""
    _later(station, 61)


def _made(station: Station) -> tuple[Cards, dict[str, dict[str, str]]]:
    """A FAT32 and an exFAT card; the digests of their recordings, and of the files that are none."""
    made, foreign = {}, {}
    for name, kind in zip(PORTS, ("vfat", "exfat"), strict=True):
        paths = [path.replace("{device}", name.upper()) for path in RECORDINGS]
        how = {"kind": kind, "size": SIZE, "partitioned": kind == "exfat", "paths": paths, "beside": [FOREIGN]}
        made[name] = station.guest.call("recorders", "make", name=name, **how)
        foreign[name] = {FOREIGN: station.guest.call("recorders", "on_card", name=name)[FOREIGN]}
    return made, foreign


def _changed(station: Station, made: Cards) -> Cards:
    """Change two files on each card, whose sizes and times stay; the digests of what must be there in the end."""
    stays: Cards = {}
    for name, sums in made.items():
        for path, at in zip(list(sums)[GOING:], (0, SIZE // 2), strict=True):
            digest = station.guest.call("recorders", "change", name=name, path=path, at=at)
            need(digest != sums[path], f"{path} was not changed")
            stays.setdefault(name, {})[path] = digest
    return stays


def _docked_again(station: Station, made: Cards, stays: Cards, foreign: Cards) -> str:
    before, watched = station.mark, dict[str, Any]()
    began = time.monotonic()

    def watch() -> None:
        watched.update(station.guest.call("faults", "watch", program="bwcdock.erase_helper", patience=400))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        station.guest.call("recorders", "plug_all", where=PORTS)
        station.wait("drained", lambda: len(station.facts("session.drained", before)) == len(made), 120)
        _a_minute_on(station)

        def told() -> bool:
            outcomes = station.facts("record.erased", before) + station.facts("record.erase_kept", before)
            return len(outcomes) >= len(made) * (GOING + 1)

        station.wait("every intent has an outcome", told, 240)
    finally:
        station.guest.call("faults", "unwatch")
        watching.join()
    took = time.monotonic() - began
    _outcomes(station, made, stays, before)
    flags: dict[str, str] = {}
    for port in PORTS.values():
        flags |= station.guest.call("recorders", "flags", port=port)
    need(set(flags.values()) == {"1"} and len(flags) == 3, f"blockdev --getro: {flags}")
    left = station.guest.call("recorders", "mounts")
    need(not left, f"still mounted: {left}")
    unplug(station, *made)
    for name in made:
        there = station.guest.call("recorders", "on_card", name=name)
        need(there == stays[name] | foreign[name], f"{name} holds {sorted(there)}")
        wrong = station.guest.call("recorders", "checked", name=name)
        need(not wrong, f"{name}: {wrong}")
    wrong = station.audit()
    need(not wrong, wrong)
    mounts = _one_capability(watched)
    return (
        f"{GOING} of {len(RECORDINGS)} files gone from each of {len(made)} cards, told {took:.0f} s after docking; "
        f"helper with CAP_SYS_ADMIN alone, {mounts} private mounts, {', '.join(sorted(flags))} read-only again"
    )


def _outcomes(station: Station, made: Cards, stays: Cards, before: int) -> None:
    """Erased are exactly the unchanged; one is kept because it differs; the other is a record of its own by now."""
    for name, sums in made.items():
        listed = {f["subject"]["record"]: f["data"]["item"]["path"] for f in _of(station, "record.listed", name)}
        gone = sorted(listed[f["subject"]["record"]] for f in _of(station, "record.erased", name))
        need(gone == sorted(list(sums)[:GOING]), f"{name}: erased {gone}")
        other, differs = list(sums)[GOING:]
        kept = [(listed[f["subject"]["record"]], f["data"]["reason"]) for f in _of(station, "record.erase_kept", name)]
        need(kept == [(differs, "differs")], f"{name}: kept {kept}")
        mine = {stays[name][other]}

        def sealed(name: str = name, mine: set[str] = mine) -> bool:
            return mine == {f["data"]["digests"]["sha256"] for f in _of(station, "record.sealed", name, before)}

        station.wait(f"{other} as another record", sealed, 60)


def _of(station: Station, ev: str, name: str, since: int = 0) -> list[dict[str, Any]]:
    return station.facts(ev, since, recorder=name.upper())


def _one_capability(watched: dict[str, Any]) -> int:
    """What the kernel said of the helpers while they worked; how many different mounts were seen."""
    need(watched, "no helper was seen at work")
    mounts = set()
    for states in watched.values():
        for state in states:
            for name in ("CapPrm", "CapEff", "CapBnd"):
                need(int(state[name], 16) == ALLOWED["bwcdock-erase@"], f"{name} is {state[name]}")
            for name in ("CapInh", "CapAmb"):
                need(int(state[name], 16) == 0, f"{name} is {state[name]}")
            need(state["NoNewPrivs"] == "1" and state["Seccomp"] == "2", state)
            need(not state["outside"], f"others see {state['outside']}")
            need(state["Groups"] in {"", "0"}, f"groups {state['Groups']}")
            mounts |= {state["mount"]} - {""}
    for mount in mounts:
        need(all(word in mount for word in (" /mnt ", "nosuid", "nodev", "noexec", "nosymfollow")), mount)
    return len(mounts)
