"""What a recorder tells of itself, its storages and its objects, read from datasets. Pure; see ``containers.py``."""

from collections.abc import Iterator
from dataclasses import dataclass

from .containers import ASSOCIATION, STRING, UNKNOWN_LENGTH, Cursor, Malformed

_FIXED = frozenset({0x0001, 0x0003})
_U32 = 0x0006


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """Who it says it is, and what it can do."""

    extension: str
    operations: frozenset[int]
    events: frozenset[int]
    props: frozenset[int]
    maker: str
    model: str
    firmware: str
    serial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageInfo:
    """One storage. ``fixed`` says that its medium cannot be taken out."""

    fixed: bool
    capacity: int
    free: int
    description: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One object. ``size`` is ``None`` where 32 bits cannot tell it."""

    folder: bool
    protected: bool
    size: int | None
    name: str
    captured: str
    modified: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PropDesc:
    """A property of the device: whether it can be set, and the least and the greatest it can be, where it says so."""

    settable: bool
    current: int | str | None
    least: int | None = None
    most: int | None = None


def device_info(raw: bytes) -> DeviceInfo:
    """The answer to GetDeviceInfo."""
    cursor = Cursor(raw)
    cursor.take(8)  # versions, and the number of whoever extended the standard: Android gives Microsoft's
    extension = cursor.text()
    cursor.take(2)
    operations, events, props = (frozenset(cursor.numbers(2)) for _ in range(3))
    cursor.numbers(2)
    cursor.numbers(2)
    maker, model, firmware, serial = (cursor.text() for _ in range(4))
    return DeviceInfo(
        extension=extension,
        operations=operations,
        events=events,
        props=props,
        maker=maker,
        model=model,
        firmware=firmware,
        serial=serial,
    )


def storage_info(raw: bytes) -> StorageInfo:
    """The answer to GetStorageInfo."""
    cursor = Cursor(raw)
    kind = cursor.number(2)
    cursor.take(4)
    capacity, free = cursor.number(8), cursor.number(8)
    cursor.take(4)
    return StorageInfo(
        fixed=kind in _FIXED, capacity=capacity, free=free, description=cursor.text(), label=cursor.text()
    )


def object_info(raw: bytes) -> ObjectInfo:
    """The answer to GetObjectInfo."""
    cursor = Cursor(raw)
    cursor.take(4)
    kind, protection, size = cursor.number(2), cursor.number(2), cursor.number(4)
    cursor.take(2 + 4 * 6)  # the thumbnail and the picture
    cursor.take(4 + 2 + 4 + 4)  # parent, kind of folder, sequence
    name, captured, modified = (cursor.text() for _ in range(3))
    return ObjectInfo(
        folder=kind == ASSOCIATION,
        protected=bool(protection),
        size=None if size == UNKNOWN_LENGTH else size,
        name=name,
        captured=captured,
        modified=modified,
    )


def prop_desc(raw: bytes) -> PropDesc:
    """The answer to GetDevicePropDesc."""
    cursor = Cursor(raw)
    cursor.take(2)
    kind, settable = cursor.number(2), cursor.number(1)
    cursor.value(kind)
    current = cursor.value(kind)
    form = cursor.number(1) if cursor.left else 0
    values: list[int] = []
    if form in {1, 2} and kind != STRING:
        count = 2 if form == 1 else cursor.number(2)
        values = [value for _ in range(count) if isinstance(value := cursor.value(kind), int)]
    return PropDesc(
        settable=settable == 1, current=current, least=min(values, default=None), most=max(values, default=None)
    )


def whole_numbers(raw: bytes) -> tuple[int, ...]:
    """An array of 32-bit numbers: storages, handles."""
    return Cursor(raw).numbers(4)


def object_props(raw: bytes, wanted: int) -> Iterator[tuple[int, int | str]]:
    """The answer to GetObjectPropList: handle and value of the property ``wanted``, one by one.

    A number of 32 bits that is full says only that it is too small, and is left out.
    """
    cursor = Cursor(raw)
    for _ in range(cursor.number(4)):
        handle, prop, kind = cursor.number(4), cursor.number(2), cursor.number(2)
        value = cursor.value(kind)
        if prop == wanted and value is not None and (kind, value) != (_U32, UNKNOWN_LENGTH):
            yield handle, value


def text_value(raw: bytes) -> str:
    """A property that is a text."""
    return Cursor(raw).text()


def number_value(raw: bytes) -> int:
    """A property that is a whole number, in as many bytes as there are."""
    if not 1 <= len(raw) <= 16:
        raise Malformed(f"a number of {len(raw)} bytes")
    return int.from_bytes(raw, "little")


def size_value(raw: bytes) -> int | None:
    """The size of an object; ``None`` where it was told in 32 bits that are full."""
    size = number_value(raw)
    return None if len(raw) <= 4 and size == UNKNOWN_LENGTH else size
