"""What must be seen on a second USB controller, QEMU's own, whose port is no slot at first."""

import hashlib
import time
from datetime import UTC, datetime
from pathlib import Path

from bwcdock.testing import cards
from bwcdock.testing.card import Card
from shows import MIB, need
from station import PROGRAM, Late, Station

SLOT = 9


def no_slot_then_slot(station: Station) -> str:
    """Playable footage at a port that is no slot: told, and not read. Made a slot: sealed, and the card untouched."""
    image = station.guest.folder / "second.img"
    card = cards.dahua_fat32(image, datetime.now(UTC), clips=4, seconds=2, size=64 * MIB)  # noqa: TID251 (a card of now)
    before, mark = _whole(image), station.mark
    port = _plug(station, image)

    def told() -> bool:
        return any(fact["data"]["finding"]["code"] == "usb.no_slot" for fact in station.facts("finding.found", mark))

    station.wait("the station says that this port is no slot", told, 60)
    need(not station.facts("session.arrived", mark), "a disk at a port that is no slot was docked")
    station.guest.pull_card()
    station.guest.run(PROGRAM, "slots", "set", str(SLOT), port)
    station.guest.run("systemctl", "restart", "bwcdock.service", timeout=120)
    _plug(station, image)
    took = _sealed(station, card)
    (arrived,) = station.facts("session.arrived", mark)
    need(arrived["data"]["sighting"]["slot"] == SLOT, arrived)
    station.guest.pull_card()
    station.wait("departed", lambda: len(station.facts("session.departed", mark)) == 1, 30)
    need(_whole(image) == before, "the card was changed")
    return f"{port}: refused, then slot {SLOT}; {len(card.items)} files sealed and confirmed after {took:.0f} s"


def _plug(station: Station, image: Path) -> str:
    """Plug it in; the stable path of the port, which is on the controller of QEMU and not of a recorder of ours."""
    station.guest.plug_card(image)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        listed = station.guest.run("ls", "/dev/disk/by-path", check=False)["out"].split()
        for name in listed:
            if name.startswith("pci-") and "-usb-" in name:
                return str(name.split(":1.0-scsi")[0])
        time.sleep(0.3)
    raise Late("QEMU's disk did not appear")


def _sealed(station: Station, card: Card) -> float:
    wanted = sorted(file.sha256 for file in card.items)

    def done() -> bool:
        confirmed = station.facts("record.confirmed", recorder=card.serial)
        return sorted(fact["data"]["digests"]["sha256"] for fact in confirmed) == wanted

    return station.wait(f"{len(wanted)} files of {card.serial} confirmed with the card's digests", done, 120)


def _whole(image: Path) -> str:
    with image.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
