"""The wire format of PTP (ISO 15740) and MTP: containers, codes, and the types that datasets are made of. Pure.

Everything is little-endian and comes from a stranger: whatever does not fit raises :class:`Malformed` and nothing else,
and no count in it makes anything larger than the bytes it came with.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

HEADER = struct.Struct("<IHHI")
"""Of every container on USB: its length with these 12 bytes, its kind, its code, its transaction."""

UNKNOWN_LENGTH = 0xFFFF_FFFF
"""A length or size that 32 bits cannot hold: 4 GiB or more."""

PARAMS_MAX = 5
ROOT = 0xFFFF_FFFF
"""As a parent: the top of a storage. As a handle of a property list: every object there is."""


class ContainerKind(IntEnum):
    """What a container is."""

    COMMAND = 1
    DATA = 2
    RESPONSE = 3
    EVENT = 4


_KINDS = frozenset(map(int, ContainerKind))


class Op(IntEnum):
    """Every operation that is ever sent. Nothing that writes to a recorder or removes from it has a name here, but the
    one by which its clock is set.
    """

    GET_DEVICE_INFO = 0x1001
    OPEN_SESSION = 0x1002
    CLOSE_SESSION = 0x1003
    GET_STORAGE_IDS = 0x1004
    GET_STORAGE_INFO = 0x1005
    GET_OBJECT_HANDLES = 0x1007
    GET_OBJECT_INFO = 0x1008
    GET_OBJECT = 0x1009
    GET_PROP_DESC = 0x1014
    GET_PROP_VALUE = 0x1015
    SET_PROP_VALUE = 0x1016
    GET_PARTIAL = 0x101B
    GET_OBJECT_PROP = 0x9803
    GET_OBJECT_PROPS = 0x9805
    GET_PARTIAL_64 = 0x95C1


class Code(IntEnum):
    """Responses that are told apart."""

    OK = 0x2001
    GENERAL_ERROR = 0x2002
    SESSION_NOT_OPEN = 0x2003
    INVALID_TRANSACTION = 0x2004
    OPERATION_NOT_SUPPORTED = 0x2005
    PARAMETER_NOT_SUPPORTED = 0x2006
    INCOMPLETE_TRANSFER = 0x2007
    INVALID_STORAGE = 0x2008
    INVALID_HANDLE = 0x2009
    PROP_NOT_SUPPORTED = 0x200A
    ACCESS_DENIED = 0x200F
    STORE_NOT_AVAILABLE = 0x2013
    DEVICE_BUSY = 0x2019
    SESSION_ALREADY_OPEN = 0x201E
    TRANSACTION_CANCELLED = 0x201F
    OBJECT_PROP_NOT_SUPPORTED = 0xA80A


class EventCode(IntEnum):
    """Events that mean something here."""

    CANCEL = 0x4001
    STORE_REMOVED = 0x4005


class Prop(IntEnum):
    """Properties of the device."""

    BATTERY = 0x5001
    CLOCK = 0x5011


class ObjectProp(IntEnum):
    """Properties of an object."""

    FORMAT = 0xDC02
    PROTECTION = 0xDC03
    SIZE = 0xDC04
    NAME = 0xDC07
    MODIFIED = 0xDC09


ASSOCIATION = 0x3001
"""The format of a folder."""

STRING = 0xFFFF
"""The type of a text."""

_WIDTHS = {
    0x0001: 1,
    0x0002: 1,
    0x0003: 2,
    0x0004: 2,
    0x0005: 4,
    0x0006: 4,
    0x0007: 8,
    0x0008: 8,
    0x0009: 16,
    0x000A: 16,
}
_SIGNED = {0x0001, 0x0003, 0x0005, 0x0007, 0x0009}
_ARRAY = 0x4000


class Malformed(ValueError):
    """Bytes that are not what they should be, in a few words."""


@dataclass(frozen=True, slots=True)
class Head:
    """The header of a container."""

    length: int
    kind: int
    code: int
    transaction: int

    @property
    def payload(self) -> int | None:
        """How many bytes follow; ``None`` where they are too many to be told."""
        return None if self.length == UNKNOWN_LENGTH else self.length - HEADER.size


@dataclass(frozen=True, slots=True)
class Response:
    """How an operation ended."""

    code: int
    params: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """What a recorder says unasked."""

    code: int
    params: tuple[int, ...] = ()


def head(raw: bytes | memoryview) -> Head:
    """The header at the beginning of ``raw``."""
    if len(raw) < HEADER.size:
        raise Malformed(f"{len(raw)} bytes are no container")
    found = Head(*HEADER.unpack_from(raw))
    if found.length < HEADER.size:
        raise Malformed(f"a container of {found.length} bytes")
    if found.kind not in _KINDS:
        raise Malformed(f"a container of the kind {found.kind}")
    return found


def container(kind: ContainerKind, code: int, transaction: int, body: bytes = b"") -> bytes:
    """A whole container."""
    length = min(HEADER.size + len(body), UNKNOWN_LENGTH)
    return HEADER.pack(length, kind, code, transaction) + body


def pack_params(params: Sequence[int]) -> bytes:
    """Parameters, 32 bits each."""
    return struct.pack(f"<{len(params)}I", *params)


def unpack_params(raw: bytes | memoryview) -> tuple[int, ...]:
    """Up to five parameters."""
    if len(raw) % 4 or len(raw) > 4 * PARAMS_MAX:
        raise Malformed(f"{len(raw)} bytes of parameters")
    return struct.unpack(f"<{len(raw) // 4}I", raw)


class Cursor:
    """Reads a dataset from its beginning. Whoever asks for more than there is gets :class:`Malformed`."""

    def __init__(self, raw: bytes) -> None:
        self._raw = memoryview(raw)
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes that were not read."""
        return len(self._raw) - self._at

    def take(self, count: int) -> memoryview:
        """The next bytes."""
        if count > self.left:
            raise Malformed(f"it ends {count - self.left} bytes too early")
        self._at += count
        return self._raw[self._at - count : self._at]

    def number(self, width: int, *, signed: bool = False) -> int:
        """A whole number of so many bytes."""
        return int.from_bytes(self.take(width), "little", signed=signed)

    def text(self) -> str:
        """A string: a count of UTF-16 units with the closing zero, and these. Halves of surrogate pairs stay."""
        raw = self.take(2 * self.number(1))
        return bytes(raw).decode("utf-16-le", "surrogatepass").rstrip("\0")

    def numbers(self, width: int) -> tuple[int, ...]:
        """An array of whole numbers: their count and these."""
        count = self.number(4)
        raw = self.take(count * width)
        return struct.unpack(f"<{count}{'BHIQ'[(1, 2, 4, 8).index(width)]}", raw)

    def value(self, kind: int) -> int | str | None:
        """A value of the type ``kind``; arrays are passed over (``None``)."""
        if kind == STRING:
            return self.text()
        width = _WIDTHS.get(kind & ~_ARRAY)
        if width is None:
            raise Malformed(f"a value of the unknown type {kind:#06x}")
        if kind & _ARRAY:
            self.take(self.number(4) * width)
            return None
        return self.number(width, signed=kind in _SIGNED)


def pack_text(text: str) -> bytes:
    """A string as it goes over the wire; at most 254 units."""
    if not text:
        return b"\0"
    raw = text.encode("utf-16-le", "surrogatepass")[: 2 * 254] + b"\0\0"
    return bytes((len(raw) // 2,)) + raw


_TIME = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})(?:\.[0-9]{1,3})?(Z|[+-][0-9]{4})?", re.ASCII
)
_REACH = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class Shown:
    """A time as a recorder shows it: naive, with its zone (``+08:00``) where it names one."""

    naive: datetime
    zone: str = ""


def shown(text: str) -> Shown | None:
    """``YYYYMMDDThhmmss[.s][Z|+hhmm]``; ``None`` for what is no time, also for a zone that no place has."""
    found = _TIME.fullmatch(text)
    if not found:
        return None
    *parts, zone = found.groups()
    try:
        naive = datetime(*map(int, parts))  # type: ignore[arg-type]  # noqa: DTZ001  a recorder's wall time
    except ValueError:
        return None
    if zone in {None, ""}:
        return Shown(naive)
    if zone == "Z":
        return Shown(naive, "+00:00")
    hours, minutes = int(zone[1:3]), int(zone[3:])
    if minutes > 59 or timedelta(hours=hours, minutes=minutes) > _REACH:
        return None
    return Shown(naive, f"{zone[:3]}:{zone[3:]}")
