"""What a USB device says of itself, as those need it who tell one make of recorder from another."""

from collections.abc import Sequence

ABOVE = ("ID_VENDOR_ID", "ID_MODEL_ID", "ID_REVISION", "ID_VENDOR", "ID_MODEL", "ID_SERIAL_SHORT")
"""What a sighting keeps of the USB devices that something docked hangs on, each name with ``@`` before it: enough to
know a maker's cradle by its hub. A chain has six at most, so it stays small."""

NAMELESS = (
    "generic", "genericmassstorage", "genericusbstorage", "massstorage", "usbdisk", "generalusbdisk", "usbflashdisk",
)  # fmt: skip
"""What card readers and nameless chips answer to INQUIRY, as :func:`inquiry` gives it: it tells no make."""


def inquiry(properties: Sequence[tuple[str, str]]) -> str:
    """SCSI vendor and product as udev tells them: lower case, without the blanks they are padded with."""
    told = dict(properties)
    text = told.get("ID_VENDOR", "") + told.get("ID_MODEL", "")
    return "".join(c for c in text.lower() if c not in " _")
