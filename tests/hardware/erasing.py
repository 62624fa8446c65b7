"""What must be seen where erasing is switched on: exactly what has a permit goes, by a helper with one capability."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from host import PATIENCE
from shows import MIB, Cards, need, need_right, unplug
from station import PROGRAM, Station
from units import ALLOWED, DOCK

SETTINGS = "/etc/bwcdock/bwcdock.toml"
SOCKET = "bwcdock-erase.socket"
PORTS = {"wipe1": 1, "wipe2": 4}
BLANK, KEPT = "blank", "kept"
FORMAT_PORTS = {BLANK: 2, KEPT: 5}
"""Of two cards that are ordered to be formatted, the second has a file more, which has no permit."""
BY = ("张三", "李四")

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
    f"import socket; s = socket.socket(socket.AF_UNIX); s.settimeout({60 * PATIENCE}); "
    "s.connect('/run/bwcdock/erase.sock'); "
    "s.sendall(b'{}\\n'); print(s.makefile().readline())"
)


def with_permits(station: Station) -> str:
    """Four cards after two days: what has a permit and is unchanged goes, nothing else, and each is locked again.

    Two are erased from; two persons order the others to be formatted, of which one has a file without a permit.
    """
    with _allowed(station):
        _strangers_refused(station)
        return _erased(station)


@contextmanager
def _allowed(station: Station) -> Iterator[None]:
    """Erasing and formatting are switched on, a day after the confirmation."""
    changes = {"enabled = false": "enabled = true", "after_days = 30": "after_days = 1"}
    changes |= {"reformat = false": "reformat = true"}
    _switched(station, changes)
    station.guest.run("systemctl", "enable", "--now", SOCKET)
    try:
        yield
    finally:
        station.guest.run("systemctl", "disable", "--now", SOCKET)
        _switched(station, {new: old for old, new in changes.items()})


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
    """Who is not in the dock's group cannot reach the socket; who can, as root or in that group, is not heard."""
    for who in ("--regid=1", "--regid=bwcdock"):
        out = station.guest.run("setpriv", "--reuid=1", who, "--clear-groups", "python3", "-c", TALK, check=False)
        need("PermissionError" in out["err"], f"another user reached the helper: {out}")
    for who in (("--reuid=1", "--regid=bwcdock", f"--groups={DOCK}"), ("--reuid=0", "--clear-groups")):
        out = station.guest.run("setpriv", *who, "python3", "-c", TALK, check=False)
        need('"end":"refused"' in out["out"], f"{who} was heard: {out}")


def _erased(station: Station) -> str:
    made, foreign = _made(station)
    blank, kept = _card(station, BLANK, "exfat", []), _card(station, KEPT, "vfat", [FOREIGN])
    card = station.guest.call("recorders", "on_card", name=KEPT)
    before = station.mark
    _brought(station, made | {BLANK: blank, KEPT: kept}, PORTS | FORMAT_PORTS)
    unplug(station, *made, BLANK, KEPT)
    need(not station.facts("record.erase_intended", before), "something was to be erased on the first day")
    after = _changed(station, made)
    was = station.guest.call("recorders", "about", name=BLANK)
    _later(station, 2 * 86400)
    told = _docked_again(station, made, after, foreign)
    _emptied(station, before, was)
    _stays_whole(station, card)
    wrong = station.audit()
    need(not wrong, wrong)
    return f"{told}; by order of two {was} formatted, and {KEPT} refused for {FOREIGN}"


def _brought(station: Station, made: Cards, where: dict[str, int]) -> None:
    """Plug them in until everything on them is confirmed, right, and was looked at a second time."""
    station.guest.call("recorders", "plug_all", where=where)
    station.wait_confirmed(made, 180)
    need_right(station, made)
    wanted = {fact["subject"]["record"] for name in made for fact in _of(station, "record.sealed", name)}
    _a_minute_on(station)

    def looked() -> bool:
        seen = {f["subject"]["record"] for f in station.facts("record.looked_again")}
        return wanted <= seen

    station.wait("looked at a second time", looked, 120)


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

    _ordered(station, BLANK)  # before it is docked: its files would else be erased one by one
    where = PORTS | {BLANK: FORMAT_PORTS[BLANK]}
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        station.guest.call("recorders", "plug_all", where=where)
        station.wait("drained", lambda: len(station.facts("session.drained", before)) == len(where), 120)
        _a_minute_on(station)

        def told() -> bool:
            mine = {name.upper() for name in made}
            outcomes = station.facts("record.erased", before) + station.facts("record.erase_kept", before)
            done = [fact for fact in outcomes if fact["subject"]["recorder"] in mine]
            formatted = station.facts("station.reformatted", before) or _findings(station, BLANK, before)
            return len(done) >= len(made) * (GOING + 1) and bool(formatted)

        station.wait("every intent has an outcome", told, 240)
    finally:
        station.guest.call("faults", "unwatch")
        watching.join()
    took = time.monotonic() - began
    _outcomes(station, made, stays, before)
    flags: dict[str, str] = {}
    for port in where.values():
        flags |= station.guest.call("recorders", "flags", port=port)
    need(set(flags.values()) == {"1"} and len(flags) == 5, f"blockdev --getro: {flags}")
    left = station.guest.call("recorders", "mounts")
    need(not left, f"still mounted: {left}")
    unplug(station, *where)
    for name in made:
        there = station.guest.call("recorders", "on_card", name=name)
        need(there == stays[name] | foreign[name], f"{name} holds {sorted(there)}")
        wrong = station.guest.call("recorders", "checked", name=name)
        need(not wrong, f"{name}: {wrong}")
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


# --- formatting -------------------------------------------------------------------------------------------------------


def _card(station: Station, name: str, kind: str, beside: list[str]) -> dict[str, str]:
    how = {"kind": kind, "size": SIZE, "partitioned": kind == "exfat", "beside": beside}
    return dict(station.guest.call("recorders", "make", name=name, **how))


def _ordered(station: Station, name: str) -> None:
    """Two persons leave an order for the slot."""
    order = (PROGRAM, "-C", "/etc/bwcdock", "erase", "--format", "--slot", str(FORMAT_PORTS[name] + 1))
    station.guest.run(*order, "--by", BY[0], "--by", BY[1])


def _stays_whole(station: Station, card: dict[str, str]) -> None:
    """Only the helper's own listing shows a file without a permit: the card is refused, and keeps everything."""
    _ordered(station, KEPT)
    before = station.mark
    station.guest.call("recorders", "plug", name=KEPT, port=FORMAT_PORTS[KEPT])
    station.wait("drained", lambda: bool(_of(station, "session.drained", KEPT, before)), 120)
    _a_minute_on(station)
    station.wait(f"{KEPT} is refused", lambda: bool(_findings(station, KEPT, before)), 120)
    said = _findings(station, KEPT, before)[-1]
    need("files on the card may not be erased" in said, said)
    unplug(station, KEPT)
    reasons = [fact["data"]["reason"] for fact in _of(station, "record.erase_kept", KEPT)]
    need(reasons == ["refused"] * (len(card) - 1), f"{KEPT}: {reasons}")
    there = station.guest.call("recorders", "on_card", name=KEPT)
    need(there == card, f"{KEPT} holds {sorted(there)}")
    wrong = station.guest.call("recorders", "checked", name=KEPT)
    need(not wrong, f"{KEPT}: {wrong}")


def _findings(station: Station, name: str, before: int) -> list[str]:
    found = [f["data"]["finding"] for f in _of(station, "finding.found", name, before)]
    return [one["what"] for one in found if one["code"] == "erase.kept"]


def _emptied(station: Station, before: int, was: str) -> None:
    """The card is empty and the same card; each of its files had a permit of its own, by order of these two."""
    there = station.guest.call("recorders", "on_card", name=BLANK)
    need(not there, f"{BLANK} holds {sorted(there)}")
    wrong = station.guest.call("recorders", "checked", name=BLANK)
    need(not wrong, f"{BLANK}: {wrong}")
    now = station.guest.call("recorders", "about", name=BLANK)
    need(now == was, f"{was} became {now}")
    (fact,) = station.facts("station.reformatted", before)
    need(tuple(fact["data"]["by"]) == BY and fact["subject"]["recorder"] == BLANK.upper(), fact)
    sealed = {fact["subject"]["record"] for fact in _of(station, "record.sealed", BLANK)}
    intended = _of(station, "record.erase_intended", BLANK)
    need({f["subject"]["record"] for f in intended} == sealed and len(intended) == len(sealed), intended)
    need(all(f"by order of {' and '.join(BY)}" in fact["data"]["ground"] for fact in intended), intended)
    erased = [fact["subject"]["record"] for fact in _of(station, "record.erased", BLANK)]
    need(sorted(erased) == sorted(sealed), f"erased {erased}")
