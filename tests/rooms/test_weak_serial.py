"""A card that nothing tells from another says so: its serial is none, and stands for no recorder."""

import pytest
from bwcdock.core.facts import Sighting
from bwcdock_drivers.card import Card, described
from bwcdock_drivers.quirks import Quirks


@pytest.mark.parametrize(
    ("serial", "basis"),
    [("vol-0", "none"), ("vol-00000000", "none"), ("vol-0000-0000", "none"), ("vol-0417ABCD", "volume-serial")],
)
def test_only_a_serial_number_tells_a_card(serial: str, basis: str) -> None:
    sighting = Sighting(port="usb-1", source="x")
    card = Card(sighting=sighting, filesystem="fat32", label="", fallback=(serial, "volume-serial"), found=())
    seen = described(card, Quirks())
    assert (seen.identity.serial, seen.identity.basis) == (serial, basis)
    assert ("identity.weak" in {note.code for note in seen.notes}) == (basis == "none")
