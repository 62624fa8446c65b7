"""What must be seen of recorders that show no disk: asked over the kernel's own USB stack, yanked, and left alone."""

from shows import MIB, need, need_right
from station import Station
from units import DOCK

NAME, PORT = "asked", 4
SIZE = 32 * MIB
"""Of each of its two files: more than a second of reading, so that a cable pulled after its first part meets it."""


def asked(station: Station) -> str:
    """A recorder that speaks MTP: yanked in the middle, back, sealed and confirmed, and on it all as before."""
    made = {NAME: station.guest.call("mtp", "make", name=NAME, files=2, size=SIZE)}
    before = station.mark
    station.guest.call("mtp", "plug", name=NAME, port=PORT)
    had = station.guest.call("mtp", "pull_at", name=NAME, least=MIB, limit_s=90)
    station.wait_departed(before, 1)
    need(not station.facts("record.pulled", before), f"the cable was pulled too late, after {had} bytes")
    station.guest.call("mtp", "plug", name=NAME, port=PORT)
    took = station.wait_confirmed(made, 180)
    node = _node(station)
    need_right(station, made)
    arrived = station.facts("session.arrived", before)
    slots = [fact["data"]["sighting"]["slot"] for fact in arrived]
    need(slots == [PORT + 1] * 2, f"plugged in twice, docked in slots {slots}: {arrived}")
    before_end = station.mark
    station.guest.call("mtp", "pull", name=NAME)
    station.wait_departed(before_end, 1)
    need(station.guest.call("mtp", "sums", name=NAME) == made[NAME], "what is on the recorder was changed")
    resumed = max(fact["data"]["resumed_at"] for fact in station.facts("record.pulled", before))
    need(resumed, f"nothing was gone on with of {had} bytes")
    return (
        f"slot {PORT + 1}, node {node}; yanked at {had / MIB:.1f} MiB, gone on with at {resumed / MIB:.1f}, "
        f"2 files of {SIZE // MIB} MiB confirmed {took:.0f} s after the second plug; on the recorder all as before"
    )


def _node(station: Station) -> str:
    """Owner, group and mode of the recorder's USB node: requests may be written to it by the dock's group alone."""
    port = f"/sys/devices/platform/dummy_hcd.{PORT}/usb*/[0-9]*-1/uevent"
    named = station.guest.run("sh", "-c", f"sed -n 's/^DEVNAME=//p' {port}")["out"].strip()
    told = str(station.guest.run("stat", "--format=%U:%G %a", f"/dev/{named}")["out"]).strip()
    need(told == f"root:{DOCK} 660", f"/dev/{named} is {told}")
    return told
