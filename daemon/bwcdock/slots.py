"""Which USB port is which slot of the dock: reads and writes slots.toml, and says it to udev as rules."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bwcdock import tomlfile
from bwcdock.errors import Misused
from bwcdock.toml_lines import Loc, line_of, lines_of

OP = "read the slots"
SLOTS_NAME = "slots.toml"
RULES_PATH = Path("/etc/udev/rules.d/69-bwcdock-slots.rules")
"""Where udev finds the generated rules: before 69-libmtp.rules, which asks whether it may probe, and before the rules
that ship with the program, which do the rest for whatever has a slot."""

_HINT = "Mend it, or make it anew with `bwcdock slots learn`; docs/slots.md shows how it is written."

MOST = 999
"""The largest number of a slot: three digits fit on a label."""

# What systemd's path_id calls a USB port: the controller, then the chain of port numbers through the hubs. Nothing in
# it needs escaping in a rule (no quotes, no globs, no $ or %), which is why nothing else is let in.
_PORT = r"(?:[A-Za-z0-9_.][A-Za-z0-9_.:@+-]*-)?usb(?:v[1-4])?-[0-9]+:[0-9]+(?:\.[0-9]+)*"
_PLACE = re.compile(rf"(?P<port>{_PORT})(?::(?P<interface>[0-9]+\.[0-9]+)(?P<rest>-.*)?)?")
_SCSI = re.compile(r"-scsi-[0-9]+:[0-9]+:[0-9]+:(?P<lun>[0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a device is: the port of the USB device, and the interface and logical unit (from 0) within it."""

    port: str
    interface: str = ""
    lun: int = 0


class Slot(BaseModel):
    """One slot: its number on the dock, the stable path of its USB port, and whether it goes before the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: Annotated[int, Field(strict=True, ge=1, le=MOST)]
    port: Annotated[str, Field(max_length=200, pattern=rf"^{_PORT}$")]
    priority: Annotated[bool, Field(strict=True)] = False


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    slot: tuple[Slot, ...] = ()


def place_of(id_path: str) -> Place | None:
    """The place an ID_PATH of udev names (systemd's path_id); ``None`` where it is not on the USB bus.

    ``pci-0000:00:14.0-usb-0:1.2:1.0-scsi-0:0:0:1`` is interface 1.0, unit 1, at ``pci-0000:00:14.0-usb-0:1.2``.
    """
    found = _PLACE.fullmatch(id_path)
    if not found:
        return None
    scsi = _SCSI.fullmatch(found["rest"] or "")
    return Place(port=found["port"], interface=found["interface"] or "", lun=int(scsi["lun"]) if scsi else 0)


def load(path: Path) -> tuple[Slot, ...]:
    """The slots in ``path``, by number; none where there is no such file. :class:`Misused` with file and line."""
    try:
        slots = tomlfile.read(path, _File, OP).slot
    except Misused as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return ()
        raise Misused(OP, error.what, _HINT) from error
    problem = clash(slots)
    if problem is not None:
        at, what = problem
        line = line_of(at, lines_of(path.read_text(encoding="utf-8")))
        raise Misused(OP, f"{path}:{line}: {what}", _HINT)
    return tuple(sorted(slots, key=lambda slot: slot.number))


def clash(slots: Sequence[Slot]) -> tuple[Loc, str] | None:
    """The first slot that has the number or port of one before it, and a sentence about it; ``None`` without one."""
    numbers: dict[int, int] = {}
    ports: dict[str, int] = {}
    for at, slot in enumerate(slots):
        if numbers.setdefault(slot.number, at) != at:
            return ("slot", at, "number"), f"slot {slot.number} is named twice."
        if (first := ports.setdefault(slot.port, at)) != at:
            return ("slot", at, "port"), f"slot {slot.number} has the port of slot {slots[first].number}."
    return None


def numbers(slots: Sequence[Slot]) -> Mapping[str, int]:
    """Port to number."""
    return {slot.port: slot.number for slot in slots}


def first(slots: Sequence[Slot]) -> frozenset[int]:
    """The numbers of the slots that go before the others."""
    return frozenset(slot.number for slot in slots if slot.priority)


def render(slots: Sequence[Slot]) -> str:
    """slots.toml with these slots, by number."""
    head = (
        "# The slots of this dock. `bwcdock slots learn` writes this file and tells udev; after a change by hand run\n"
        "# `bwcdock slots write`. A port is the path of the USB port (ID_PATH of the device), through every hub.\n"
    )
    tables = (
        f'\n[[slot]]\nnumber = {slot.number}\nport = "{slot.port}"\npriority = {str(slot.priority).lower()}\n'
        for slot in sorted(slots, key=lambda slot: slot.number)
    )
    return head + "".join(tables)


_HEAD = """\
# Made by `bwcdock slots`; do not change it here. It gives a number to what is plugged into exactly these USB ports;
# 70-bwcdock.rules does the rest, and touches nothing that has no number.
SUBSYSTEM!="usb|block|scsi_generic", GOTO="bwcdock_slots_end"
ENV{ID_PATH}=="", SUBSYSTEMS=="usb", IMPORT{builtin}="path_id"
"""
_TAIL = """\
# Here and not later: 69-libmtp.rules, which comes next, would ask the recorder whether it speaks MTP.
ENV{BWCDOCK_SLOT}=="?*", ENV{MTP_NO_PROBE}="1"
LABEL="bwcdock_slots_end"
"""


def rules_for(slots: Sequence[Slot]) -> str:
    """The generated rules: BWCDOCK_SLOT for the USB device, the disks and the partitions at each slot's port.

    ``<port>`` is the device, ``<port>:…`` its interfaces and disks; a device behind a hub there is ``<port>.<n>`` and
    is not meant.
    """
    lines = (
        f'ENV{{ID_PATH}}=="{slot.port}|{slot.port}:*", ENV{{BWCDOCK_SLOT}}="{slot.number}"\n'
        for slot in sorted(slots, key=lambda slot: slot.number)
    )
    return _HEAD + "".join(lines) + _TAIL
