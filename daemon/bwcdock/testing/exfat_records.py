"""Packs exFAT's structures into bytes: entry sets, names, times, the up-case table, the boot region.

Section numbers are those of Microsoft's published *exFAT file system specification*, revision 1.00.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from bwcdock.testing.image import SECTOR

READ_ONLY, HIDDEN, SYSTEM, DIRECTORY, ARCHIVE = 0x01, 0x02, 0x04, 0x10, 0x20  # 7.4.4, file attributes
NAME_UNITS = 255  # 7.6.3
LABEL_UNITS = 11  # 7.3.2
END_OF_CHAIN = 0xFFFFFFFF  # 4.1.3

_IN_USE = 0x80  # 6.2.1.4
_ALLOCATED, _NO_FAT_CHAIN = 0x01, 0x02  # 6.4.2
_DIRTY = 0x0002  # 3.1.13.2, VolumeDirty
_UNITS_PER_ENTRY = 15  # 7.7.3


@dataclass(slots=True, kw_only=True)
class Node:
    """A file or directory; ``runs`` are (first cluster, count), ``zone`` quarter hours from UTC, ``None`` unsaid."""

    name: str
    attributes: int
    created: datetime
    modified: datetime
    zone: int | None
    runs: list[tuple[int, int]] = field(default_factory=list)
    size: int = 0
    valid: int = 0
    deleted: bool = False
    children: list["Node"] = field(default_factory=list)


def units_of(name: str) -> bytes:
    """The name as UTF-16 units, little-endian; half a surrogate pair stays what it is (7.7.3)."""
    return name.encode("utf-16-le", "surrogatepass")


def rotate_sum(data: Iterable[int], bits: int) -> int:
    """The checksum of 3.4 (32 bits), 6.3.3 and 7.6.4 (16 bits): rotate right by one, add the byte."""
    total, top, mask = 0, bits - 1, (1 << bits) - 1
    for byte in data:
        total = ((total << top | total >> 1) + byte) & mask
    return total


@cache
def upcase_table() -> tuple[int, bytes]:
    """The up-case table (7.2) with its checksum: every simple, reversible mapping of the basic plane, compressed.

    7.2.5: a run of characters that map to themselves is FFFF and its length. Mappings that do not lead back (long s,
    dotless i, micro sign) are left out, as they would make two different names one.
    """
    units: list[int] = []
    same = 0
    for code in range(0x10000):
        upper = _upper(code)
        if upper == code:
            same += 1
            continue
        units += [0xFFFF, same] if same else []
        units.append(upper)
        same = 0
    units += [0xFFFF, same] if same else []
    table = struct.pack(f"<{len(units)}H", *units)
    return rotate_sum(table, 32), table


def _upper(code: int) -> int:
    upper = chr(code).upper()
    return ord(upper) if len(upper) == 1 and ord(upper) < 0x10000 and upper.lower() == chr(code) else code


def _name_hash(units: bytes) -> int:
    codes = struct.unpack(f"<{len(units) // 2}H", units)
    return rotate_sum(struct.pack(f"<{len(codes)}H", *map(_upper, codes)), 16)


def _stamp(moment: datetime) -> tuple[int, int]:
    """7.4.8 and 7.4.9: date and time to 2 s, and the rest in steps of 10 ms."""
    date = (moment.year - 1980) << 9 | moment.month << 5 | moment.day
    time = moment.hour << 11 | moment.minute << 5 | moment.second // 2
    return date << 16 | time, moment.second % 2 * 100 + moment.microsecond // 10_000


def label_entry(label: str) -> bytes:
    """The Volume Label entry (7.3); not in use where there is no label."""
    units = units_of(label)
    return struct.pack("<BB22s8x", 0x83 if label else 0x03, len(units) // 2, units)


def set_length(name: str) -> int:
    """Bytes the entry set of a file of this name takes."""
    return 32 * (2 + -(-len(units_of(name)) // (2 * _UNITS_PER_ENTRY)))


def entry_set(node: Node) -> bytes:
    """A File, a Stream Extension and as many File Name entries as the name needs (7.4, 7.6, 7.7)."""
    units = units_of(node.name)
    names = [units[at : at + 2 * _UNITS_PER_ENTRY] for at in range(0, len(units), 2 * _UNITS_PER_ENTRY)]
    (created, created_10ms), (modified, modified_10ms) = _stamp(node.created), _stamp(node.modified)
    zone = 0 if node.zone is None else _IN_USE | node.zone & 0x7F  # 7.4.10: OffsetValid and quarter hours
    head = struct.pack(
        "<BBHHHIIIBBBBB7x",
        0x85,
        1 + len(names),
        0,  # the checksum, below
        node.attributes,
        0,
        created,
        modified,
        modified,
        created_10ms,
        modified_10ms,
        zone,
        zone,
        zone,
    )
    first = node.runs[0][0] if node.runs else 0
    flags = _ALLOCATED | (_NO_FAT_CHAIN if len(node.runs) == 1 else 0)
    stream = struct.pack(
        "<BBxBHxxQxxxxIQ", 0xC0, flags, len(units) // 2, _name_hash(units), node.valid, first, node.size
    )
    entries = bytearray(head + stream + b"".join(struct.pack("<BB30s", 0xC1, 0, part) for part in names))
    struct.pack_into("<H", entries, 2, rotate_sum(_without_checksum(entries), 16))
    if node.deleted:  # only the bits change: the checksum stays the one of the living set
        for at in range(0, len(entries), 32):
            entries[at] &= ~_IN_USE & 0xFF
    return bytes(entries)


def _without_checksum(entries: bytes | bytearray) -> Iterator[int]:
    return (byte for at, byte in enumerate(entries) if at not in (2, 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Where things lie, in sectors: ``start`` on the disk, the rest from there; ``cluster`` is bytes per cluster."""

    start: int
    sectors: int
    fat_at: int
    fat_sectors: int
    heap_at: int
    clusters: int
    cluster: int


def boot_region(geometry: Geometry, *, root: int, serial: int, used: int, dirty: bool) -> bytes:
    """Section 3: boot sector, eight extended boot sectors, OEM parameters, a reserved sector, the checksum."""
    boot = struct.pack(
        "<3s8s53xQQIIIIIIHHBBBBB7x390sH",
        b"\xeb\x76\x90",
        b"EXFAT   ",
        geometry.start,
        geometry.sectors,
        geometry.fat_at,
        geometry.fat_sectors,
        geometry.heap_at,
        geometry.clusters,
        root,
        serial,
        0x0100,
        _DIRTY if dirty else 0,
        SECTOR.bit_length() - 1,
        (geometry.cluster // SECTOR).bit_length() - 1,
        1,  # one FAT
        0x80,
        used * 100 // geometry.clusters,
        b"\xf4" * 390,  # 3.1.19: halt, wherever a machine that boots from this might jump
        0xAA55,
    )
    extended = (bytes(SECTOR - 4) + b"\x00\x00\x55\xaa") * 8
    body = boot + extended + bytes(2 * SECTOR)
    covered = body[:106] + body[108:112] + body[113:]  # 3.4: without VolumeFlags and PercentInUse
    return body + struct.pack("<I", rotate_sum(covered, 32)) * (SECTOR // 4)
