"""What must be seen of recorders that show no disk: asked over the kernel's own USB stack, yanked, and left alone."""

import statistics

import wheels
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


# --- how fast ---------------------------------------------------------------------------------------------------------

ROUNDS = 5
OBJECT = 48 * MIB
"""Long against one part of it, and short enough for fifteen turns where the processor is emulated."""

LEAST = 0.9
PEERS = ("libgphoto2", "mtp-getfile")


def speed(station: Station) -> str:
    """One object of Debian's umtp-responder by the driver, by libgphoto2 and by libmtp's program, in turns."""
    guest, path = station.guest, "DCIM/speed.mp4"
    wheel = wheels.peer(guest.folder / "peer", "gphoto2")
    guest.send("/opt/peer.zip", wheel)
    guest.run("/usr/bin/python3", "-m", "zipfile", "-e", "/opt/peer.zip", "/opt/peer")
    guest.call("mtp", "lay", name="speed", path=path, size=OBJECT)
    true = guest.call("mtp", "sums", name="speed")[path]
    took: dict[str, list[float]] = {who: [] for who in ("bwcdock", *PEERS)}
    station.stop()  # it would take the recorder first
    try:
        for turn in range(ROUNDS):
            for who in sorted(took, reverse=bool(turn % 2)):  # nobody always has the turn after the same other one
                done = guest.call("mtp", "pulled", patience=600, name="speed", port=PORT, who=who, path=path)
                need(done["sha256"] == true, f"{who} brought something else")
                took[who].append(done["pulled"])
    finally:
        station.start()
    ratios = {
        who: statistics.median(peer / ours for peer, ours in zip(took[who], took["bwcdock"], strict=True))
        for who in PEERS
    }
    speeds = ", ".join(f"{who} {OBJECT / MIB / statistics.median(each):.1f} MiB/s" for who, each in took.items())
    told = f"{OBJECT // MIB} MiB in {ROUNDS} turns: {speeds}; as fast as " + ", ".join(
        f"{who} times {ratio:.2f}" for who, ratio in ratios.items()
    )
    need(min(ratios.values()) >= LEAST, told)
    return told


FAR = 5 << 30
FIRST_S = 1.0


def far(station: Station) -> str:
    """A hollow object of 5 GiB, gone on with 512 MiB before its end: its size is right, and bytes come at once."""
    guest, path, offset = station.guest, "DCIM/far.mp4", FAR - 512 * MIB
    guest.call("mtp", "lay", name="far", path=path, size=FAR, hollow=True)
    station.stop()
    try:
        how = {"name": "far", "port": PORT, "who": "bwcdock", "path": path, "offset": offset, "keep": False}
        done = [guest.call("mtp", "pulled", patience=600, **how) for _ in range(ROUNDS)]
    finally:
        station.start()
    need({each["size"] for each in done} == {FAR}, f"listed with {done[0]['size']} bytes")
    need(all(each["got"] for each in done), "nothing came")
    asked, began = (statistics.median(each[name] for each in done) for name in ("first", "began"))
    told = f"first byte at {offset / (1 << 30):.1f} GiB after {asked * 1000:.0f} ms, {began:.2f} s after opening"
    need(asked < FIRST_S, told)  # loading libusb and opening it is the emulated processor's time
    return told
