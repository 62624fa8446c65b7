"""What must be seen of recorders that show no disk: asked over the kernel's own USB stack, yanked, and left alone."""

from shows import MIB, need, need_right
from station import Station
from units import DOCK

NAME, PORT = "asked", 4


def asked(station: Station) -> str:
    """A recorder that speaks MTP: yanked in the middle, back, sealed and confirmed, and on it all as before."""
    made = {NAME: station.guest.call("mtp", "make", name=NAME, files=2, size=16 * MIB)}
    before = station.mark
    station.guest.call("mtp", "plug", name=NAME, port=PORT)
    station.guest.call("ledger", "pulling", least=MIB, limit_s=90)
    node = _node(station)
    _pulled(station)
    need(len(station.facts("record.sealed", before)) < 2, "the cable was pulled too late")
    station.guest.call("mtp", "plug", name=NAME, port=PORT)
    took = station.wait_confirmed(made, 180)
    need_right(station, made)
    arrived = station.facts("session.arrived", before)
    slots = [fact["data"]["sighting"]["slot"] for fact in arrived]
    need(slots == [PORT + 1] * 2, f"plugged in twice, docked in slots {slots}: {arrived}")
    _pulled(station)
    need(station.guest.call("mtp", "sums", name=NAME) == made[NAME], "what is on the recorder was changed")
    resumed = [fact["data"]["resumed_at"] for fact in station.facts("record.pulled", before)]
    return (
        f"slot {PORT + 1}, node {node}; yanked, gone on with after {max(resumed) / MIB:.1f} MiB, "
        f"2 files of 16 MiB confirmed {took:.0f} s after the second plug; on the recorder all as before"
    )


def _node(station: Station) -> str:
    """Owner, group and mode of the recorder's USB node: requests may be written to it by the dock's group alone."""
    port = f"/sys/devices/platform/dummy_hcd.{PORT}/usb*/[0-9]*-1/uevent"
    named = station.guest.run("sh", "-c", f"sed -n 's/^DEVNAME=//p' {port}")["out"].strip()
    told = str(station.guest.run("stat", "--format=%U:%G %a", f"/dev/{named}")["out"]).strip()
    need(told == f"root:{DOCK} 660", f"/dev/{named} is {told}")
    return told


def _pulled(station: Station) -> None:
    """Pull its cable out, and wait until the station has noticed."""
    before = station.mark
    station.guest.call("mtp", "pull", name=NAME)
    station.wait_departed(before, 1)
