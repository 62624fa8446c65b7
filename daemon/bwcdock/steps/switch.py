"""Have a recorder become its disk, and know on the disk what it said before.

Some recorders only speak at first: who they are, how they are. Their files are on a disk that they become at the same
port, unlocked by a password of the station's. If it dies here, nothing is lost: the recorder is docked anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bwcdock.core.facts import Condition, Finding, Identity, Severity
from bwcdock.errors import BwcdockError, Misused, NotAllowed
from bwcdock.ports import SwitchesToDisk, Unlocks
from bwcdock.settings import Unlock

NAMED_BY_ITSELF = frozenset({"label", "name-group", "protocol"})
"""How a disk can be known to be a certain recorder's: by what the recorder itself has written there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a recorder said before it became a disk."""

    identity: Identity
    condition: Condition


def switch(unlocks: Sequence[Unlock], driver: str, serial: str, recorder: SwitchesToDisk) -> None:
    """Unlock it with the station's password for it, once, and have it become a disk. Blocking, on its lane."""
    if isinstance(recorder, Unlocks):
        recorder.unlock(_password(unlocks, driver, serial))
    recorder.switch_to_disk()


def _password(unlocks: Sequence[Unlock], driver: str, serial: str) -> str:
    """The one password for this recorder: that which names it, else that for all of its driver. None is tried out."""
    fitting = [each for each in unlocks if each.driver == driver and (not each.serials or serial in each.serials)]
    if not fitting:
        what = "It asks for a password, and the station has none for it."
        raise NotAllowed("unlock", what, "Name where its password is: [[unlock]] in bwcdock.toml.")
    chosen = max(fitting, key=lambda each: bool(each.serials))
    try:
        return chosen.password.read()
    except Misused as error:
        raise NotAllowed("unlock", f"Its password cannot be had: {error.what}", error.hint) from error


def not_come(seconds: float) -> BwcdockError:
    """The error for a recorder that took the word and did not become a disk."""
    what = f"It was told to become a disk, and none came within {seconds:g} s."
    return NotAllowed("switch", what, "Take it out and dock it again; look at its own menu and at its card.")


def identity_of(told: Told | None, disk: Identity) -> tuple[Identity, tuple[Finding, ...]]:
    """Who is docked: what the recorder said, and of its disk what only that tells.

    A disk that names another recorder is that one's: it may have been exchanged between the two.
    """
    if told is None:
        return disk, ()
    said = told.identity
    own = replace(disk, user=disk.user or said.user, unit=disk.unit or said.unit)
    if said.basis == "none":
        return own, ()
    if disk.basis in NAMED_BY_ITSELF and disk.serial != said.serial:
        return disk, (_differs(said.serial, disk),)
    return replace(
        own, serial=said.serial, basis=said.basis, vendor=said.vendor, model=said.model, firmware=said.firmware
    ), ()


def condition_of(told: Told | None, disk: Condition) -> Condition:
    """How it is: what the recorder said of itself, where its disk cannot say it better."""
    if told is None:
        return disk
    said = told.condition
    measured = disk.drift is not None and disk.drift.bound == "exact"
    return replace(
        disk,
        battery=said.battery if disk.battery is None else disk.battery,
        drift=disk.drift if measured or said.drift is None else said.drift,
    )


def _differs(said: str, disk: Identity) -> Finding:
    return Finding(
        severity=Severity.WARN,
        code="identity.differs",
        what=f"The recorder said that it is {said}, and its disk is that of {disk.serial}.",
        remedy="Look which recorder is in the slot, and whether its card is its own.",
        evidence=(("said", said), ("disk", disk.serial), ("basis", disk.basis)),
    )
