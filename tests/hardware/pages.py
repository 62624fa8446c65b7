"""What must be seen of the pages under systemd: that they start, what a screen shows, and that they come back."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from host import PATIENCE
from shows import MIB, cards, need, need_right, unplug
from station import PROGRAM, SERVICE, Late, Station

PAGES = "bwcdock-web.service"
USER, READERS = "bwcdock-web", "bwcdock"
"""Their user, and the one further group it is in: whoever is may read ledger and live view."""

SHOWN_S = 5
"""A recorder is on the wall so soon after its session's first fact; on a machine that is not emulated, within one."""

BACK_S, WATCHDOG_S = 45, 30
"""Killed, they are started anew within this; where they hang, after ``WatchdogSec`` more."""

START_S = 300
"""How long a start may take (``TimeoutStartSec``): a processor that is emulated, and shared, needs minutes."""
PATIENCE_S = 180
"""How long anything else is waited for that takes a second."""

_CODE = re.compile(r"\b[2-9A-HJ-NP-Z]{4}(?:-[2-9A-HJ-NP-Z]{4}){3}\b")

Told = list[dict[str, Any]]


def serve(station: Station) -> float:
    """Have the pages started with the machine, and now; the seconds until they said that they are ready."""
    began = time.monotonic()
    done = station.guest.run("systemctl", "enable", "--now", PAGES, timeout=START_S, check=False)
    need(done["status"] == 0, f"the pages do not start: {done['err']}{journal(station)}")
    return time.monotonic() - began


def journal(station: Station, *units: str) -> str:
    """Everything that the pages, or these units, have said since the machine was started."""
    chosen = [word for unit in units or (PAGES,) for word in ("-u", unit)]
    return str(station.guest.run("journalctl", *chosen, "-b", "-o", "cat", check=False)["out"])


def page(station: Station, path: str, **how: Any) -> str:
    """The text of a page that must be there."""
    answer = station.guest.call("screen", "get", path=path, **how)
    need(answer["status"] == 200, f"{path} answers {answer}")
    return str(answer["text"])


def process(station: Station) -> dict[str, str]:
    """What the kernel says of the pages' one process, by /proc/PID/status, with its ``Pid``."""
    found = station.guest.call("faults", "privileges", unit=PAGES)
    need(len(found) == 1, f"the pages are {len(found)} processes")
    ((pid, told),) = found.items()
    return {"Pid": pid, **told}


class Screen:
    """A screen in the guest that follows the wall: what it shows, told as it changes."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._seen = station.guest.call("screen", "follow")
        self.told: Told = []

    def refresh(self) -> Told:
        """All that it was told since it was looked at first."""
        self.told += self._station.guest.call("screen", "told", since=self._seen + len(self.told))
        return self.told

    def wait(self, what: str, holds: Callable[[Told], bool], patience: float) -> float:
        """Wait until this holds of what it was told; the seconds that took."""
        began = time.monotonic()
        while not holds(self.refresh()):
            if time.monotonic() - began > patience * PATIENCE:
                said = f"{self.told[-8:]}. Journal:\n{journal(self._station)[-2000:]}"
                raise Late(f"{what}: not on the screen in {patience * PATIENCE:g} s. Last it showed {said}")
            time.sleep(0.3)
        return time.monotonic() - began

    def of(self, serial: str) -> Told:
        """The cards of this recorder, in order."""
        return [one for one in self.told if one["event"] == "card" and one["serial"] == serial]

    def wait_shows(self, serial: str, shows: str) -> None:
        """Wait until the recorder's card, as it is now, shows this."""
        self.wait(f"{serial} {shows}", lambda _: [c["shows"] for c in self.of(serial)][-1:] == [shows], PATIENCE_S)


# --- they start -------------------------------------------------------------------------------------------------------


def started(station: Station) -> str:
    """Off until enabled; then their own user with no privilege, ready on both addresses, with a code for the first."""
    listed = station.guest.run("systemctl", "is-enabled", PAGES, check=False)["out"].strip()
    need(listed == "disabled", f"installing left the pages {listed}")
    took = serve(station)
    one = process(station)
    ids = _ids(station)
    need(one["Uid"].split() == [ids["uid"]] * 4, f"they are user {one['Uid']}, not {ids}")
    need(set(one["Groups"].split()) <= {ids["gid"], ids["readers"]}, f"they are in the groups {one['Groups']}")
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        need(int(one[name], 16) == 0, f"{name} is {one[name]}")
    need(one["NoNewPrivs"] == "1" and one["Seccomp"] == "2", one)
    served(station)
    wall = page(station, "/wall?lang=en")
    shown = station.guest.call("screen", "cards", html=wall)
    need(len(shown) >= len(station.ports), f"the wall has {shown}")
    return f"ready {took:.0f} s after start, user {USER}, both addresses, {len(shown)} slots, a code in the journal"


def served(station: Station) -> None:
    """They answer on both addresses, by the station's own certificate; the journal has a code for the first."""
    need('"well":true' in page(station, "/healthz"), "/healthz")
    told = station.guest.call("screen", "get", path="/readyz")["text"]
    need(not re.findall(r'"name":"(?!clock")\w+","well":false', told), told)
    authority = station.guest.run(PROGRAM, "-C", "/etc/bwcdock", "web", "certificate")["out"]
    page(station, "/first", port=8343, authority=authority)
    need(code(station), f"no code in the journal: {journal(station)}")


def code(station: Station) -> str:
    """The newest code for the first person in the journal; empty where there is none."""
    return next(iter(_CODE.findall(journal(station))[::-1]), "")


def _ids(station: Station) -> dict[str, str]:
    ask = station.guest.run
    return {
        "uid": ask("id", "-u", USER)["out"].strip(),
        "gid": ask("id", "-g", USER)["out"].strip(),
        "readers": ask("getent", "group", READERS)["out"].split(":")[2],
    }


# --- what a screen shows ----------------------------------------------------------------------------------------------


def wall(station: Station) -> str:
    """A recorder in its slot's card: pulled, yanked in the middle, back, settled with its receipt, taken away."""
    serve(station)
    screen, name, port = Screen(station), "wall", 2
    made = cards(station, name, files=3, size=10 * MIB)
    serial, before = name.upper(), station.mark
    station.guest.call("recorders", "plug", name=name, port=port)
    _part(screen, serial)
    station.guest.call("recorders", "pull", name=name)
    screen.wait_shows(serial, "unfinished")
    station.guest.call("recorders", "plug", name=name, port=port)
    station.wait_confirmed(made, PATIENCE_S)
    screen.wait("its receipt", lambda _: bool(screen.of(serial)) and screen.of(serial)[-1]["receipt"], PATIENCE_S)
    need_right(station, made)
    unplug(station, name)
    screen.wait_shows(serial, "gone")
    here = screen.of(serial)
    need({card["slot"] for card in here} == {f"s{port + 1}"}, f"it was shown in {here}")
    slot = [one for one in screen.told if one.get("slot") == f"s{port + 1}"]
    delay = _delay(station.facts("session.arrived", before), slot)
    need(delay <= SHOWN_S, f"its card came after {delay:.1f} s")
    order = list(dict.fromkeys(card["shows"] for card in here))
    need([shows for shows in order if shows in _ORDER] == list(_ORDER), f"it showed {order}")
    parts = sorted({card["percent"] for card in here if card["shows"] == "pulling"})
    return (
        f"slot {port + 1}: {', '.join(order)}; {len(parts)} steps of pulling; on the wall after {delay:.1f} s at most"
    )


_ORDER = ("pulling", "unfinished", "settled", "gone")
"""What its card must show one after the other; what it shows between is as quick as the machine."""


def _part(screen: Screen, serial: str) -> None:
    """Wait until the card shows that a part is pulled."""

    def pulled(_: Told) -> bool:
        return any(card["shows"] == "pulling" and 0 < card["percent"] < 100 for card in screen.of(serial))

    screen.wait("a part is pulled", pulled, PATIENCE_S)


def _delay(arrived: list[dict[str, Any]], shown: Told) -> float:
    """The longest time from a docking's first fact to the next card of its slot: something is there."""
    need(len(arrived) == 2, f"{len(arrived)} dockings")
    return max(min(c["mono"] for c in shown if c["mono"] * 1000 >= f["mono"]) - f["mono"] / 1000 for f in arrived)


# --- they come back ---------------------------------------------------------------------------------------------------


def back(station: Station) -> str:
    """The daemon stops: the wall says so, and promises nothing; both are started anew, killed, hung, and come back."""
    serve(station)
    screen, name = Screen(station), "back"
    made = cards(station, name, files=1, size=MIB)
    station.guest.call("recorders", "plug", name=name, port=6)
    station.wait_confirmed(made, PATIENCE_S)
    screen.wait_shows(name.upper(), "settled")
    silent = _daemon_ends(station, screen)
    began = time.monotonic()
    station.start()
    screen.wait("the daemon answers", lambda told: _beat(told)["answers"], PATIENCE_S)
    screen.wait_shows(name.upper(), "settled")
    again = time.monotonic() - began
    first = code(station)
    turns = [_again(station, screen, turn) for turn in (_restarted, _killed, _hung)]
    need(code(station) not in {"", first}, "the code of the start before is still good")
    unplug(station, name)
    said = journal(station, PAGES, SERVICE)
    need("Traceback" not in said, said[max(0, said.find("Traceback") - 500) :][:3000])
    need('"level": "error"' not in journal(station), journal(station)[-2000:])
    return (
        f"the daemon's end on the wall after {silent:.1f} s, settled again {again:.0f} s after its start; the pages "
        f"back {turns[0]:.0f} s after a restart, {turns[1]:.0f} s after SIGKILL, {turns[2]:.0f} s after SIGSTOP"
    )


def _daemon_ends(station: Station, screen: Screen) -> float:
    """Stop the daemon; the seconds until the wall says so. A page that is loaded now says it as well."""
    began = time.monotonic()
    station.stop()
    screen.wait("the daemon's end", lambda told: not _beat(told)["runs"], PATIENCE_S)
    took = time.monotonic() - began
    html = page(station, "/wall?lang=en")
    banner = re.search(r'<p class="banner" id="banner-daemon"[^>]*>', html)
    need(banner and "hidden" not in banner[0], f"no word of the daemon's end: {banner}")
    shown = set(station.guest.call("screen", "cards", html=html).values())
    need(not shown & {"safe", "settled", "ready"}, f"the wall promises something: {shown}")
    strip = [one["text"] for one in screen.refresh() if one["event"] == "strip"][-1]
    need("Not running" in strip, strip)
    need(page(station, "/healthz"), "the pages went with the daemon")
    return took


def _beat(told: Told) -> dict[str, Any]:
    return next((one for one in reversed(told) if one["event"] == "beat"), {"runs": True, "answers": False})


def _again(station: Station, screen: Screen, turn: Callable[[Station, int], float]) -> float:
    """End their process in a way; the seconds until the screen follows another one."""
    mark, pid, began = len(screen.refresh()), _pid(station), time.monotonic()
    patience = turn(station, pid)
    while _pid(station) in {0, pid}:
        need(time.monotonic() - began < patience, f"not started anew in {patience:g} s: {journal(station)[-2000:]}")
        time.sleep(0.3)
    screen.wait("the pages again", lambda told: _again_there(told[mark:]), START_S)
    return time.monotonic() - began


def _pid(station: Station) -> int:
    """The pages' process; 0 where there is none."""
    return int(station.guest.run("systemctl", "show", PAGES, "--property", "MainPID", "--value")["out"])


def _again_there(told: Told) -> bool:
    """Whether the stream was lost, was begun anew, and has said something since."""
    names = [one["event"] for one in told]
    return "lost" in names and names[-1] != "lost" and "hello" in names[names.index("lost") :]


def _restarted(station: Station, pid: int) -> float:
    station.guest.run("systemctl", "restart", PAGES, timeout=START_S)
    return START_S


def _killed(station: Station, pid: int) -> float:
    station.guest.call("faults", "send", pid=pid, name="SIGKILL")
    return BACK_S


def _hung(station: Station, pid: int) -> float:
    station.guest.call("faults", "send", pid=pid, name="SIGSTOP")
    return BACK_S + WATCHDOG_S


# --- figures as a file ------------------------------------------------------------------------------------------------

FIGURES = "/run/bwcdock-metrics/bwcdock.prom"
TIMER, WRITER = "bwcdock-metrics.timer", "bwcdock-metrics.service"


def figures(station: Station) -> str:
    """The timer, once enabled, has the figures written, and written again; everybody may read them."""
    with _timer(station):
        began = time.monotonic()
        first = _written(station, "")
        took = time.monotonic() - began
        second = _written(station, first)
    text = _as_anybody(station, "cat", FIGURES)
    for line in ("bwcdock_up 1.0", "# TYPE bwcdock_recordings gauge"):
        need(line in text, f"no {line!r} in {FIGURES}: {text[:500]}")
    said = journal(station, WRITER)
    need("Traceback" not in said, said[-2000:])
    later = int(second) - int(first)
    return f"{text.count('# TYPE')} figures {took:.0f} s after the timer was enabled, again {later} s later"


@contextmanager
def _timer(station: Station) -> Iterator[None]:
    station.guest.run("systemctl", "enable", "--now", TIMER)
    try:
        yield
    finally:
        station.guest.run("systemctl", "disable", "--now", TIMER)


def _as_anybody(station: Station, *command: str) -> str:
    done = station.guest.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command, check=False)
    return str(done["out"])


def _written(station: Station, before: str) -> str:
    """Wait until the file was written anew; the second of it."""
    end = time.monotonic() + PATIENCE_S * PATIENCE
    while (told := _as_anybody(station, "stat", "--format=%Y", FIGURES).strip()) in {"", before}:
        if time.monotonic() > end:
            raise Late(f"{FIGURES} is not written: {journal(station, WRITER)}")
        time.sleep(0.5)
    return told
