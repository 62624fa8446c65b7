"""What must be seen of whom nobody trusts: the pages' user reaches no footage and no key, nor does the kiosk's."""

import json
from collections.abc import Iterable
from typing import Any

import pages
from host import ROOT
from shows import cards, need, unplug
from station import PROGRAM, Station
from units import DOCK

STATE, RUN, ETC = "/var/lib/bwcdock", "/run/bwcdock", "/etc/bwcdock"
LEDGER = f"{STATE}/ledger"
TRIES = "/run/lab-tries.json"
TRIED = ("/usr/bin/python3", "-I", "/opt/lab/screen.py", TRIES)

ALONE = (f"{STATE}/keys", f"{STATE}/spool", f"{STATE}/central", f"{STATE}/exports", f"{ETC}/credentials")
"""Folders that nobody but the station's user, or root, may list, nor read anything in."""


def from_footage(station: Station) -> str:
    """The pages' user, in its unit and out of it, reads no key, footage, or card in a slot, and changes nothing.

    The daemon's user and groups, who may read most of it, try the same: what nobody could read would prove nothing.
    """
    pages.serve(station)
    made = cards(station, "apart")
    station.guest.call("recorders", "plug", name="apart", port=7)
    station.wait_confirmed(made, pages.PATIENCE_S)
    tries = _tries(station, 7)
    station.guest.agent.put(TRIES, json.dumps(tries).encode())
    as_station = _by(station, "bwcdock", f"--groups={DOCK}")
    read = [what for what, how in as_station.items() if how == "done" and what.startswith(("read", "list"))]
    need(sum(f"{STATE}/spool/whole/" in what for what in read) >= 2, f"the station's user reads only {read}")
    need(any("/dev/sd" in what for what in read) and any("/keys/" in what for what in read), read)
    for where, told in (("out of its unit", _by(station, pages.USER, "--init-groups")), ("in it", _in_unit(station))):
        _may_only(told, where)
    _doctor_watches(station)
    unplug(station, "apart")
    return f"{len(tries['read'])} files and nodes, {len(tries['list'])} folders, {len(tries['write'])} to write: none"


def _doctor_watches(station: Station) -> None:
    """The doctor names whoever is put into the group of what is docked, and finds nothing else of users and groups."""
    station.guest.run("gpasswd", "-a", pages.USER, DOCK)
    try:
        told = _ill(station)
    finally:
        station.guest.run("gpasswd", "-d", pages.USER, DOCK)
    need(len(told) == 1 and pages.USER in told[0], f"the doctor says {told}")


def _ill(station: Station) -> list[str]:
    told = json.loads(station.guest.run(PROGRAM, "-C", ETC, "doctor", "--json", check=False)["out"])
    return [one["what"] for one in told if one["topic"] == "user" and not one["well"]]


_MAY = {f"read {LEDGER}/ledger.db", f"read {RUN}/live.json", f"read {ETC}/bwcdock.toml",
        f"knock {RUN}/web/desk.sock", "make /var/lib/bwcdock-web"}  # fmt: skip
"""All of what is tried that the pages' user can do."""


def _may_only(told: dict[str, str], where: str) -> None:
    did = {what for what, how in told.items() if how == "done"}
    need(did == _MAY, f"{where}, the pages' user could: {sorted(did - _MAY)}; and could not: "
         f"{[(what, told[what]) for what in sorted(_MAY - did)]}")  # fmt: skip


def _tries(station: Station, port: int) -> dict[str, list[str]]:
    """What the pages' user tries, in each way: what it must not, and what shows that trying works."""
    node = station.guest.call("recorders", "disk", port=port)
    held = station.guest.run("find", *ALONE, "-type", "f")["out"].split("\n")[:-1]
    for part in ("keys", "spool/whole", "central"):
        need(any(f"{STATE}/{part}/" in path for path in held), f"there is nothing in {part}")
    database = f"{LEDGER}/ledger.db"
    files = [database, f"{database}-wal", f"{database}-shm", f"{LEDGER}/heads.db", f"{RUN}/live.json"]
    return {
        "read": [*held, *_nodes(station, node), database, f"{RUN}/live.json", f"{ETC}/bwcdock.toml"],
        "list": [*ALONE],
        "write": [*files, *_nodes(station, node), f"{ETC}/bwcdock.toml", f"{ETC}/slots.toml"],
        "make": [LEDGER, f"{LEDGER}/receipts", RUN, f"{RUN}/web", ETC, *ALONE, "/var/lib/bwcdock-web"],
        "change": [database, f"{LEDGER}/heads.db"],
        "knock": [f"{RUN}/web/desk.sock", f"{RUN}/reader.sock", *_sockets(station)],
    }


def _nodes(station: Station, node: str) -> list[str]:
    """The nodes of the card in a slot: its disk and partitions, its USB device, and its raw SCSI node."""
    told = station.guest.run("sh", "-c", f"ls {node}*; ls -d /dev/sg*; udevadm info -q path {node}", check=False)["out"]
    *nodes, path = told.split()
    usb = station.guest.run("sh", "-c", f"cat /sys{path.split('/host')[0]}/../uevent")["out"]
    return [*nodes, "/dev/" + next(line[8:] for line in usb.splitlines() if line.startswith("DEVNAME="))]


def _sockets(station: Station) -> list[str]:
    listed = station.guest.run("sh", "-c", f"ls {RUN}/*.sock")["out"].split()
    return [path for path in listed if path != f"{RUN}/reader.sock"]


def _by(station: Station, user: str, groups: str) -> dict[str, str]:
    """What became of each try by this user, in its own group and in these, in no unit."""
    who = ("setpriv", f"--reuid={user}", f"--regid={user}", groups)
    return dict(json.loads(station.guest.run(*who, *TRIED)["out"]))


def _in_unit(station: Station) -> dict[str, str]:
    """The same in the unit of the pages, with the tries as its program."""
    text = station.guest.run("systemctl", "cat", pages.PAGES)["out"]
    lines = _but(text.splitlines(), "ExecStart=", "Type=", "NotifyAccess=", "WatchdogSec=", "Restart")
    return _ran(station, "lab-pages", [*lines, "[Service]", "Type=oneshot", f"ExecStart={' '.join(TRIED)}"])


def _but(lines: Iterable[str], *beginnings: str) -> list[str]:
    return [line for line in lines if not line.startswith(beginnings)]


def _ran(station: Station, name: str, lines: list[str]) -> dict[str, Any]:
    """Run a unit once; the JSON that its program said."""
    unit = f"/run/systemd/system/{name}.service"
    station.guest.agent.put(unit, "\n".join(lines).encode() + b"\n")
    try:
        station.guest.run("systemctl", "daemon-reload")
        done = station.guest.run("systemctl", "start", f"{name}.service", timeout=pages.PATIENCE_S, check=False)
        need(done["status"] == 0, f"{name} ended with: {pages.journal(station, f'{name}.service')}")
        # What systemd says of the unit may come between the program's lines.
        own = ("journalctl", "-u", f"{name}.service", "-b", "-o", "cat", "_TRANSPORT=stdout")
        said = str(station.guest.run(*own)["out"])
        return dict(json.JSONDecoder().raw_decode(said, f"\n{said}".index("\n{"))[0])
    finally:
        station.guest.run("rm", "-f", unit)
        station.guest.run("systemctl", "daemon-reload")


# --- the screen on the dock -------------------------------------------------------------------------------------------

EXAMPLE = ROOT / "systemd" / "bwcdock-kiosk.service.example"
KIOSK, HOME, ROOM = "bwcdock-kiosk", "/var/lib/bwcdock-kiosk", "/run/bwcdock-kiosk"


def kiosk(station: Station) -> str:
    """In the example's unit, in the place of compositor and browser: what both need is there, and the wall; no more."""
    pages.serve(station)
    made = ("useradd", "--system", "--user-group", "--home-dir", HOME, "--shell", "/usr/sbin/nologin", KIOSK)
    station.guest.run(*made)
    try:
        told = _ran(station, "lab-kiosk", _example())
    finally:
        station.guest.run("userdel", KIOSK)
    need(told.pop("groups") == [], f"it is in further groups: {told}")
    wanted = {"wall": 200, "room": "done", "home": "done", "namespace": "done"}
    need({name: told.pop(name) for name in wanted} == wanted, told)
    reached = [what for what, how in told.items() if how == "done"]
    need(not reached, f"the kiosk's user could: {reached}")
    return f"wall, room for a socket, a home, a namespace for the browser's sandbox; {len(told)} places out of reach"


def _example() -> list[str]:
    """The example with the probe as its program. Its environment is the example's own."""
    lines = EXAMPLE.read_text().splitlines()
    (command,) = (line for line in lines if line.startswith("ExecStart="))
    before, _, _ = command.partition("/usr/bin/cage")
    need(before != command and "/wall" in command, command)
    kept = _but(lines, "ExecStart=", "Type=", "Restart", "StartLimit", "Conflicts=")
    return [*kept, "[Service]", "Type=oneshot", f"{before}/usr/bin/python3 /opt/lab/kiosk.py"]
