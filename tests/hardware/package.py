"""What must be seen of the Debian package: it takes the place of a wheel's installation, works, and leaves evidence."""

import pages
from shows import Cards, cards, need, need_right, unplug
from station import PROGRAM, Station

FILE = "/opt/bwcdock.deb"


def replaced(station: Station) -> str:
    """The wheel's installation goes, the package comes: the same station goes on; purged, all that it kept stays."""
    guest = station.guest
    station.stop()
    mark, kept = station.mark, _kept(station)
    guest.run(PROGRAM, "uninstall")
    guest.run("rm", "-rf", "/opt/bwcdock")
    need(_stays(station, kept), "uninstalling changed what must stay")
    assert station.package
    guest.send(FILE, station.package())
    # The guest's own disk is none that a test asks about: dpkg need not sync every file of it.
    took = guest.run("dpkg", "--force-unsafe-io", "--install", FILE, timeout=300)["took"]
    need(_stays(station, kept), "installing the package changed what must stay")
    station.start()
    unit = station.show("FragmentPath")["FragmentPath"]
    need("/lib/systemd/system/" in unit, f"the service is {unit}")
    made = cards(station, "deb")
    guest.call("recorders", "plug", name="deb", port=3)
    confirmed = station.wait_confirmed(made, 120)
    (arrived,) = station.facts("session.arrived", mark)
    need(arrived["data"]["sighting"]["slot"] == 4, arrived)
    unplug(station, "deb")
    pages.serve(station)
    pages.served(station)
    _removed(station, made)
    return (
        f"in the wheel's place in {took:.0f} s, {len(kept)} files as they were; a card confirmed {confirmed:.0f} s "
        "after plugging; removed and purged: the program gone, footage, ledger, keys and settings there"
    )


def _removed(station: Station, made: Cards) -> None:
    """Removed and purged, the package leaves nothing of the program, and everything that is evidence."""
    guest, pid = station.guest, station.pid
    need(pid, "the daemon does not run")
    serving = pages.process(station)["Pid"]
    before, facts = _kept(station), station.mark
    guest.run("dpkg", "--remove", "bwcdock", timeout=120)
    guest.run("dpkg", "--purge", "bwcdock", timeout=120)
    gone = (
        f"/proc/{pid}",
        f"/proc/{serving}",
        "/opt/bwcdock",
        "/usr/bin/bwcdock",
        "/usr/lib/systemd/system/bwcdock.service",
    )
    left = guest.run("ls", "-d", *gone, check=False)["out"].split()
    need(not left, f"left behind: {left}")
    need(_stays(station, before), "removing changed what must stay")
    told = guest.call("ledger", "facts")
    need(told[:facts] == station.known[:facts], "the ledger is not what it was")
    need_right(station, made)


def _kept(station: Station) -> dict[str, str]:
    return dict(station.guest.call("ledger", "kept"))


def _stays(station: Station, kept: dict[str, str]) -> bool:
    """All of it is there and as it was; the daemon adds to central storage for as long as it runs."""
    return kept.items() <= _kept(station).items()
