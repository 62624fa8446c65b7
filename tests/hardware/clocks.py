"""What must be seen where clocks are set by a file: one new file on a card, and nothing else is changed there."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from erasing import SETTINGS, SOCKET
from shows import MIB, need, unplug
from station import Station

PORTS = {"cam1": 1, "cam2": 4}
KINDS = {"cam1": "vfat", "cam2": "exfat"}
PLUG, TAG = "LOG/PLUG.TXT", "TAG.TXT"
AHEAD_S = 40 * 86400
"""By how much the cameras' clocks are fast: what they write at plug-in is the newest file on the card."""

QUIRK_FILE = "/etc/bwcdock/quirks/lab-camera.toml"
QUIRK = r"""about = "A camera that is none."
[match]
label = '(?i)^cam[12]$'
[clock]
zone = "UTC"
plug_file = "LOG/PLUG.TXT"
set_file = "TAG.TXT"
set_format = "[date]\r\n%Y/%m/%d\r\n%H:%M:%S"
"""

VOUCH = """
import ctypes, struct
told = bytearray(208)
struct.pack_into("I", told, 0, 0x001C)  # what may be wrong, what probably is, and that it is synchronised
struct.pack_into("qqi", told, 24, 1000, 1000, 0)
raw = (ctypes.c_char * 208).from_buffer(told)
print(ctypes.CDLL(None).adjtimex(raw))
"""
"""Has the guest's kernel say of its clock what it says on a machine with a time server."""


def by_a_file(station: Station) -> str:
    """Two cameras, FAT32 and exFAT: each gets its file and nothing else changes; one reads it, the other does not."""
    with _allowed(station):
        before = _made(station)
        mark = _docked(station, "session.clock_written", 2)
        _as_it_was(station, before, mark)
        took = _judged(station, before)
        wrong = station.audit()
        need(not wrong, wrong)
    return f"one new file of 27 bytes on {' and '.join(KINDS.values())}, all else as it was, read-only again; {took}"


@contextmanager
def _allowed(station: Station) -> Iterator[None]:
    station.guest.agent.put(QUIRK_FILE, QUIRK.encode(), 0o644)
    _switched(station, "\nset_clock = false\n", "\nset_clock = true\n")
    station.guest.run("systemctl", "enable", "--now", SOCKET)
    out = station.guest.run("python3", "-c", VOUCH)["out"]
    need(out.strip() == "0", f"adjtimex answers {out}")
    try:
        yield
    finally:
        station.guest.run("systemctl", "disable", "--now", SOCKET)
        station.guest.run("rm", QUIRK_FILE)
        _switched(station, "\nset_clock = true\n", "\nset_clock = false\n")


def _switched(station: Station, old: str, new: str) -> None:
    text = station.guest.run("cat", SETTINGS)["out"]
    need(old in text, f"no {old.strip()} in {SETTINGS}")
    station.stop()
    station.guest.agent.put(SETTINGS, text.replace(old, new, 1).encode(), 0o640)
    station.start()


def _made(station: Station) -> dict[str, dict[str, str]]:
    """The digests of everything on the cards."""
    for name, kind in KINDS.items():
        # Names without a date: nothing on the card may be later than what is written at plug-in.
        paths = ["CLIP/C0001.MP4", "CLIP/C0002.MP4"]
        how = {"kind": kind, "size": MIB, "partitioned": kind == "exfat", "paths": paths}
        station.guest.call("recorders", "make", name=name, beside=[PLUG, "SETTINGS.INI"], **how)
    return {name: station.guest.call("recorders", "on_card", name=name) for name in KINDS}


def _docked(station: Station, ev: str, count: int, *, right: str = "") -> int:
    """Dock both, each with what it writes at plug-in; wait for so many of these facts. How many facts came before."""
    for name in KINDS:
        ahead_s = 0 if name == right else AHEAD_S
        station.guest.call("recorders", "dated", name=name, path=PLUG, ahead_s=ahead_s)
    mark = station.mark
    station.guest.call("recorders", "plug_all", where=PORTS)
    station.wait(f"{count} {ev}", lambda: len(station.facts(ev, mark)) >= count, 180)
    return mark


def _as_it_was(station: Station, before: dict[str, dict[str, str]], mark: int) -> None:
    """Exactly the file that the ledger tells of is new, the cards are sound, and nothing can write to them."""
    written = station.facts("session.clock_written", mark)
    offs = [fact["data"]["drift"]["offset_ms"] / 1000 for fact in station.facts("session.clock_intended", mark)]
    need(all(abs(off - AHEAD_S) < 120 for off in offs) and len(offs) == 2, f"off by {offs}")
    need(not station.facts("record.erase_intended", mark), "something was to be erased")
    flags: dict[str, str] = {}
    for port in PORTS.values():
        flags |= station.guest.call("recorders", "flags", port=port)
    need(set(flags.values()) == {"1"} and len(flags) == 3, f"blockdev --getro: {flags}")
    left = station.guest.call("recorders", "mounts")
    need(not left, f"still mounted: {left}")
    unplug(station, *KINDS)
    said = {hashlib.sha256(_content(fact)).hexdigest() for fact in written}
    for name, was in before.items():
        there = station.guest.call("recorders", "on_card", name=name)
        need(there.pop(TAG, "") in said, f"{name}: {TAG} does not hold what was signed")
        need(there == was, f"{name} holds {sorted(there)}")
        wrong = station.guest.call("recorders", "checked", name=name)
        need(not wrong, f"{name}: {wrong}")


def _content(fact: dict[str, Any]) -> bytes:
    return time.strftime("[date]\r\n%Y/%m/%d\r\n%H:%M:%S", time.gmtime(fact["data"]["set_to"] / 1000)).encode()


def _judged(station: Station, before: dict[str, dict[str, str]]) -> str:
    """One has read its file and is right; the other still holds it, which is told and not written over."""
    station.guest.call("recorders", "remove", name="cam1", path=TAG)
    kept = station.guest.call("recorders", "on_card", name="cam2")
    mark = _docked(station, "session.clock_not_set", 2, right="cam1")
    station.wait("one took it", lambda: len(station.facts("session.clock_taken", mark)) == 1, 60)
    reasons = [fact["data"]["reason"] for fact in station.facts("session.clock_not_set", mark)]
    need(reasons == ["ignored", "refused"], reasons)
    codes = {fact["data"]["finding"]["code"] for fact in station.facts("finding.found", mark)}
    need({"clock.not_set", "clock.file_there"} <= codes, codes)
    unplug(station, *KINDS)
    now = {name: station.guest.call("recorders", "on_card", name=name) for name in KINDS}
    need(now == {"cam1": before["cam1"], "cam2": kept}, "a card changed at the second docking")
    return "one took it, the other's was not written over"
