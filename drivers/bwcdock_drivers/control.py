"""What recorders have in common that only speak, and become a disk for their files."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from bwcdock.core.facts import Identity, Item, Sighting
from bwcdock.errors import Misbehaved, NotAllowed

from .naming import printable
from .source import absent, gone

T = TypeVar("T")

ABOUT = frozenset({"ID_VENDOR_ID", "ID_MODEL_ID", "ID_VENDOR", "ID_MODEL", "ID_REVISION", "ID_USB_INTERFACES"})
"""What a tape may say of a device: its make, and nothing that tells it from its sisters."""


def about(sighting: Sighting) -> dict[str, str]:
    """What the first line of a tape says of the device."""
    return {name: value for name, value in sighting.properties if name in ABOUT}


class Speaking(ABC):
    """A recorder without files of its own; :meth:`present` is what each kind says of itself."""

    def items(self) -> list[Item]:
        """None: they are on the disk that it becomes."""
        return []

    def read_into(self, item: Item, offset: int, buffer: memoryview) -> int:  # noqa: ARG002
        """Nothing can be read from it."""
        if not self.present():
            raise gone("read")
        raise absent(item)

    @abstractmethod
    def present(self) -> bool:
        """Whether it is still there."""


def identified(
    *, serial: str, vendor: str, model: str, user: str, unit: str, fallback: str, firmware: str = ""
) -> Identity:
    """Who it says it is, printable. A number that cannot be one of its own (empty, or one character) counts as none."""
    number = serial.strip()
    own = len(set(number)) > 1
    return Identity(
        serial=printable(number) if own else fallback,
        basis="device" if own else "none",
        vendor=vendor,
        model=printable(model),
        firmware=printable(firmware),
        user=printable(user),
        unit=printable(unit),
    )


def answered(op: str, malformed: type[ValueError], ask: Callable[[], T]) -> T:
    """What ``ask`` answers; an answer that does not fit is the recorder's misbehaviour."""
    try:
        return ask()
    except malformed as error:
        raise Misbehaved(op, f"It answers nonsense: {error}.", "Dock it again; record a tape for its maker.") from error


def locked(op: str) -> NotAllowed:
    """The error for what a recorder does only once it is unlocked."""
    return NotAllowed(op, "It was not unlocked.", "Give the station its password ([[unlock]] in bwcdock.toml).")


def wrong_password() -> NotAllowed:
    """The error for a password that is not the recorder's. It is tried once a docking, never another."""
    return NotAllowed("unlock", "The station's password is not the recorder's.", "Correct it in the station's secrets.")
