"""What must be seen of a recorder that takes vendor commands before it becomes a disk, as far as a gadget can play it.

The kernel's mass storage gadget says what INQUIRY it is told to, and shows a card when it is told to. It knows no
vendor command: what is seen is that one reaches it, which for the kernel's filter is all that matters.
"""

from shows import need, unplug
from station import Station

NAME, PORT = "speaks", 2

BY_ITSELF = """
import sys
from bwcdock_drivers.dv16 import unit, wire
made = unit.Nodes().connect(sys.argv[1])
print(len(made.take(wire.INQUIRY, wire.INQUIRY_BYTES)))
try:
    made.give(wire.telling(wire.Command.INIT), b"")
except Exception as error:
    print(type(error).__name__, error)
"""


def speaks_first(station: Station) -> str:
    """Sighted without a medium; asked by the helper alone; read as a disk once it shows its card."""
    guest = station.guest
    sums = guest.call("recorders", "make", name=NAME, files=1)
    guest.call("recorders", "only_speak", name=NAME, inquiry="DV16    DEVICE V1.00")
    alone = _fault(station)
    need("cannot be asked" in alone["what"] and "bwcdock-vendor.socket" in alone["hint"], alone)
    node = guest.call("recorders", "disk", port=PORT)
    user = ("setpriv", "--reuid", "bwcdock", "--regid", "bwcdock-dock", "--clear-groups")
    said = guest.run(*user, "/opt/bwcdock/bin/python", "-c", BY_ITSELF, node)["out"]
    need(said.startswith("36\nNotAllowed"), f"the station's user by itself: {said}")
    unplug(station, NAME)
    guest.run("systemctl", "enable", "--now", "bwcdock-vendor.socket")
    helped = _fault(station)
    need("INIT was not taken: It refused a command" in helped["what"], helped)
    before = station.mark
    guest.call("recorders", "show_card", name=NAME)
    wanted = sorted(sums.values())

    def sealed() -> bool:
        return sorted(fact["data"]["digests"]["sha256"] for fact in station.facts("record.pulled", before)) == wanted

    took = station.wait("its file is pulled with the card's digest", sealed, 90)
    unplug(station, NAME)
    guest.run("systemctl", "disable", "--now", "bwcdock-vendor.socket")
    return f"EPERM for the station, an answer for the helper; {len(wanted)} file pulled {took:.0f} s after its card"


def _fault(station: Station) -> dict[str, str]:
    """Plug it in; what its docking fails with."""
    before = station.mark
    station.guest.call("recorders", "plug", name=NAME, port=PORT)
    station.wait("its docking fails", lambda: bool(station.facts("session.faulted", before)), 60)
    (arrived,) = station.facts("session.arrived", before)
    need(dict(arrived["data"]["sighting"]["properties"])["SUBSYSTEM"] == "usb", arrived)
    return dict(station.facts("session.faulted", before)[0]["data"])
