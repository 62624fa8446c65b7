"""What the helper needs of the machine: the narrow seam behind which everything that takes root lies."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bwcdock.erase_helper.card import FileSystem


class Refusal(Exception):
    """Nothing is done, and this sentence says why."""


class There(Refusal):
    """A file was to be new, and there is one of its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file system on a disk: ``node`` is the device it lies on, the disk itself where there is no partition."""

    node: str
    disk: str
    holds: FileSystem


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A whole disk under a slot of the dock, with every FAT and exFAT on it. ``diskseq`` is the kernel's own number."""

    slot: int
    diskseq: int
    places: tuple[Place, ...]


class System(Protocol):
    """The machine. Every call may raise ``OSError``, and :class:`Refusal` where it is asked for what it must not do."""

    def now(self) -> datetime:
        """The present moment, aware UTC."""
        ...

    def station_uid(self) -> int:
        """The user whose requests are heard."""
        ...

    def station_key(self) -> str:
        """The public key requests must be signed with, as C2SP text."""
        ...

    def disk(self, device: str) -> Disk:
        """What is known of this disk; refused where it is no whole disk under a slot."""
        ...

    def mounted(self, place: Place, *, writable: bool) -> AbstractContextManager[int]:
        """A descriptor of the root directory, mounted where nobody else sees it.

        Fresh from the card: nothing is answered from memory. Left, it is synced, unmounted and read-only again, or
        ``OSError`` is raised.
        """
        ...

    def format(self, place: Place) -> None:
        """Make the same kind of file system anew, with the same label, serial number and cluster size."""
        ...
