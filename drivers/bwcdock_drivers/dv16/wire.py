"""The vendor commands of DV16 recorders, and what they answer. Pure.

Every command that is ever sent stands in :class:`Command`; :func:`allows` is asked by whoever sends one and, once more,
by the helper that may. Those that write the recorder's identity or password (4, 9, 10, 11) have no name here.
"""

import struct
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

WORDS: Final = "dv16devicev1.00"
"""What the vendor and product of an INQUIRY say, in lower case and without blanks."""

_READ, _WRITE = (0xFD, 0x81), (0xFB, 0x82)
"""The first two bytes of a command that gets data, and of one that gives some or none."""

CDB_BYTES: Final = 16
INQUIRY_BYTES: Final = 36
INQUIRY: Final = bytes((0x12, 0, 0, 0, INQUIRY_BYTES, 0))


class Command(IntEnum):
    """What a recorder is asked or told."""

    INIT = 1
    MODEL = 2
    INFO = 3
    SET_CLOCK = 5
    TO_DISK = 6
    BATTERY = 8
    CARD = 12
    PASSWORD = 13
    RESULT = 14


ANSWERS: Final = {
    Command.MODEL: 6,
    Command.INFO: 89,
    Command.BATTERY: 4,
    Command.CARD: 4,
    Command.PASSWORD: 16,
    Command.RESULT: 4,
}
"""Commands that read, with the bytes of their answers."""

GIVEN: Final = {Command.INIT: 0, Command.SET_CLOCK: 7, Command.TO_DISK: 0}
"""Commands that write, with the bytes they bring."""

_FIELDS = ((0, 7), (7, 13), (13, 45), (45, 57), (57, 89))
"""Serial, the wearer's number and name, the unit's number and name."""


class Malformed(ValueError):
    """Bytes that are not what they should be, in a few words."""


def asking(command: Command) -> bytes:
    """The command block of a command that reads."""
    return _block(_READ, command, ANSWERS[command])


def telling(command: Command) -> bytes:
    """The command block of a command that writes."""
    return _block(_WRITE, command, GIVEN[command])


def _block(way: tuple[int, int], command: Command, length: int) -> bytes:
    cdb = bytearray(CDB_BYTES)
    cdb[0:2], cdb[5], cdb[7] = bytes(way), command, length
    return bytes(cdb)


_MAY_READ = {INQUIRY: INQUIRY_BYTES, **{asking(each): length for each, length in ANSWERS.items()}}
_MAY_WRITE = {telling(each): length for each, length in GIVEN.items()}


def allows(cdb: bytes, *, wanted: int = 0, given: int = 0) -> bool:
    """Whether exactly this command block may be sent, to get ``wanted`` bytes or bring ``given``."""
    if wanted:
        return not given and _MAY_READ.get(cdb) == wanted
    return _MAY_WRITE.get(cdb) == given


def is_dv16(inquiry: bytes) -> bool:
    """Whether this answer to INQUIRY is that of such a recorder."""
    return is_named(inquiry[8:32].decode("latin-1"))


def is_named(text: str) -> bool:
    """Whether vendor and product, as the kernel tells them, are those of such a recorder."""
    return "".join(c for c in text.lower() if not (c.isspace() or c in "_\0")).startswith(WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """Who a recorder says it is and whose; text as it came, not fit for a screen yet."""

    serial: str
    user_number: str
    user_name: str
    unit_number: str
    unit_name: str


def model(raw: bytes) -> str:
    """The code of maker and model: the same for every recorder of a model."""
    return _text(_whole(raw, Command.MODEL))


def info(raw: bytes) -> Info:
    """Five fields of fixed length, GBK, filled up with zeros or blanks."""
    _whole(raw, Command.INFO)
    serial, user_number, user_name, unit_number, unit_name = (_text(raw[a:b]) for a, b in _FIELDS)
    return Info(
        serial=serial, user_number=user_number, user_name=user_name, unit_number=unit_number, unit_name=unit_name
    )


def without_names(raw: bytes) -> bytes:
    """The same with letters in the order of the alphabet for whatever stands in a field: what may stand on a tape."""
    if len(raw) != ANSWERS[Command.INFO]:
        return b"X" * len(raw)
    return b"".join(bytes(ord("A") + n % 26 if byte else 0 for n, byte in enumerate(raw[a:b])) for a, b in _FIELDS)


def battery(raw: bytes) -> int | None:
    """Percent; ``None`` for what is none."""
    (value,) = struct.unpack("<i", _whole(raw, Command.BATTERY))
    return int(value) if 0 <= value <= 100 else None


def has_card(raw: bytes) -> bool:
    """Whether there is a card in it."""
    return _whole(raw, Command.CARD)[0] != 0


def is_well(raw: bytes) -> bool:
    """Whether the recorder took the last command."""
    return _whole(raw, Command.RESULT)[0] == 0


def password(raw: bytes) -> bytes:
    """The recorder's password, which it tells to whoever asks."""
    return _whole(raw, Command.PASSWORD).partition(b"\0")[0]


def clock(shown: datetime) -> bytes:
    """What sets the clock to this wall time."""
    return struct.pack("<H5B", shown.year, shown.month, shown.day, shown.hour, shown.minute, shown.second)


def _whole(raw: bytes, command: Command) -> bytes:
    if len(raw) != ANSWERS[command]:
        raise Malformed(f"{command.name} was answered with {len(raw)} bytes, not {ANSWERS[command]}")
    return raw


def _text(raw: bytes) -> str:
    # What is no GBK is kept as it is, visibly: a name that cannot be read must not keep footage from being brought in.
    return raw.partition(b"\0")[0].decode("gbk", "backslashreplace").strip()
