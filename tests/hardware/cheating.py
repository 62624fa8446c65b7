"""What must be seen of recorders that speak MTP and cheat in ways that Debian's responder cannot be made to.

The responder of our own tests is plugged into the guest's kernel (vhci_hcd). So what it does at a certain byte comes to
the station by way of the kernel's own USB stack and libusb, as from a recorder.
"""

from typing import Any

from bwcdock_drivers.mtp.protocol import Patience
from shows import MIB, need, need_right
from station import PROGRAM, SERVICE, Station

YANKED, FORGETS = "vhciyank", "vhcifull"
SLOT = 10
"""The first of two."""
PART, WHOLE = 0x95C1, 0x1009
SIZE = 20 * MIB
FULL = 4 * MIB + 500
"""With the header of its container the last packet of 512 bytes is full: an empty one should follow."""

AGAIN_MOST = 64 << 10
"""Bytes that may be asked for again after a yank: the block by which the station knows that it is the same object."""


def over_vhci(station: Station) -> str:
    """Yanked in the middle of an object, gone on with, silent then; meanwhile one that stalls and forgets is served."""
    guest = station.guest
    _make_slots(station)
    made = {
        YANKED: guest.call("vhci", "make", name=YANKED, files=2, size=SIZE),
        FORGETS: guest.call("vhci", "make", name=FORGETS, files=2, size=FULL, whole=True, zero_packets=False),
    }
    guest.call("vhci", "cheat", name=YANKED, op=PART, phase="data", does="vanish", at=MIB, skip=1)
    guest.call("vhci", "cheat", name=FORGETS, op=WHOLE, phase="data", does="stall", at=MIB, skip=1)
    before = station.mark
    try:
        guest.call("vhci", "plug", name=YANKED, port=0)
        station.wait_departed(before, 1, 90)
        need(not station.facts("record.pulled", before), "the cable was pulled too late")
        asked = len(_told(station, YANKED)["asked"])
        guest.call("vhci", "cheat", name=YANKED, op=PART, phase="data", does="silence", at=MIB, skip=1)
        guest.call("vhci", "plug", name=YANKED, port=0)
        guest.call("vhci", "plug", name=FORGETS, port=1)
        took = station.wait_confirmed(made, 240)
        need_right(station, made)
        told = {name: _told(station, name) for name in made}
    finally:
        for name in made:
            guest.call("vhci", "pull", name=name)
    need(not any(each["cheats"] for each in told.values()), f"not every cheat was played: {told}")
    slots = sorted(fact["data"]["sighting"]["slot"] for fact in station.facts("session.arrived", before))
    need(slots == [SLOT, SLOT, SLOT + 1], f"docked in slots {slots}")
    return (
        f"{_gone_on_with(station, before, told[YANKED]['asked'][asked:])}; {_beside(station, before)}; "
        f"all confirmed {took:.0f} s after the second plug, digests as before plugging"
    )


def _make_slots(station: Station) -> None:
    for at, port in enumerate(station.guest.call("vhci", "ports", count=2)):
        station.guest.run(PROGRAM, "slots", "set", str(SLOT + at), port)
    station.guest.run("systemctl", "restart", SERVICE, timeout=120)


def _told(station: Station, name: str) -> dict[str, Any]:
    return dict(station.guest.call("vhci", "told", name=name))


def _gone_on_with(station: Station, before: int, asked: list[tuple[int, list[int]]]) -> str:
    """From where the object was gone on with after the yank, by the station and by what the recorder was asked for."""
    resumed = max(fact["data"]["resumed_at"] for fact in station.facts("record.pulled", before))
    need(resumed, "nothing was gone on with")
    parts = [params for op, params in asked if op == PART]
    again = sum(length for handle, low, _, length in parts if handle == parts[0][0] and low < resumed)
    need(again <= AGAIN_MOST, f"gone on with at {resumed}, but {again} bytes before were asked for again: {parts}")
    return f"yanked and gone on with at {resumed / MIB:.0f} MiB, {again >> 10} KiB asked for again"


def _beside(station: Station, before: int) -> str:
    """When the silent one was pulled, after the driver's patience, and when the other one was: meanwhile."""
    silent, other = (station.facts("record.pulled", before, recorder=name.upper()) for name in (YANKED, FORGETS))
    again = station.facts("session.arrived", before)[1]["mono"]
    waited, done = ((at - again) / 1000 for at in (silent[0]["mono"], other[-1]["mono"]))
    limit = Patience().call_s
    need(
        done < limit < waited, f"pulled after {waited:.0f} s, the other one after {done:.0f}; silence is {limit:.0f} s"
    )
    return (
        f"silent then, pulled after {waited:.0f} s; another, that forgets empty packets and stalls, after {done:.0f} s"
    )
