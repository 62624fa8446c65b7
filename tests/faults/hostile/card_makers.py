"""What the makers of hostile cards share: volumes with an honest file, and hands on their raw tables."""

import struct
import subprocess
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from bwcdock.testing.exfat import ExfatImage
from bwcdock.testing.exfat_records import DIRECTORY, Node, entry_set, rotate_sum
from bwcdock.testing.fat import FatImage
from hostile_case import GOOD, GOOD_DATA, Files

WALL = datetime(2026, 11, 21, 8, 30, 4)  # noqa: DTZ001 - a recorder's wall time
MIB = 1 << 20
HONEST = {GOOD: GOOD_DATA}
CLUSTER = 4096


def serial_of(path: Path) -> int:
    """A serial number of its own for each card of a station."""
    return 0xBAD00000 + int(path.stem)


def exfat(path: Path, *names: tuple[tuple[str, ...], bytes], size: int = 2 * MIB, **more: object) -> Files:
    """An exFAT card with the honest file and these."""
    chosen = {"cluster": CLUSTER, "serial": serial_of(path), **more}
    with ExfatImage(path, size, **chosen) as volume:  # type: ignore[arg-type]
        volume.add(GOOD, GOOD_DATA, modified=WALL)
        for parts, data in names:
            volume.add(parts, data, modified=WALL)
    return HONEST


def node(name: str, **fields: object) -> Node:
    """An exFAT entry set, with anything in it."""
    made = Node(name=name, attributes=0x20, created=WALL, modified=WALL, zone=None)
    for key, value in fields.items():
        setattr(made, key, value)
    return made


class Raw:
    """The bytes of an image."""

    path: Path

    def put(self, at: int, data: bytes) -> None:
        """Bytes at a place."""
        with self.path.open("r+b") as image:
            image.seek(at)
            image.write(data)

    def get(self, at: int, length: int) -> bytes:
        """Bytes from a place."""
        with self.path.open("rb") as image:
            image.seek(at)
            return image.read(length)


class Exfat(Raw):
    """The raw tables of an exFAT image without partitions."""

    def __init__(self, path: Path) -> None:
        self.path = path
        boot = path.read_bytes()[:512]
        self.fat_at = struct.unpack_from("<I", boot, 80)[0] * 512
        self.heap = struct.unpack_from("<I", boot, 88)[0] * 512
        self.clusters, self.root = struct.unpack_from("<II", boot, 92)
        self.cluster = 512 << boot[109]

    def at(self, cluster: int) -> int:
        """Where a cluster lies."""
        return self.heap + (cluster - 2) * self.cluster

    def link(self, cluster: int, to: int) -> None:
        """What follows a cluster in the table."""
        self.put(self.fat_at + 4 * cluster, struct.pack("<I", to & 0xFFFFFFFF))

    def entry(self, name: str) -> int:
        """Where the entry set of a name lies in the root."""
        root, wanted = self.get(self.at(self.root), self.cluster), name.encode("utf-16-le")
        return self.at(self.root) + next(
            at for at in range(0, len(root), 32) if root[at] == 0x85 and root[at + 66 :].startswith(wanted)
        )

    def change(self, name: str, offset: int, data: bytes) -> None:
        """Change an entry set at an offset in it, and make its checksum right again."""
        at = self.entry(name)
        length = 32 * (1 + self.get(at + 1, 1)[0])
        entries = bytearray(self.get(at, length))
        entries[offset : offset + len(data)] = data
        struct.pack_into("<H", entries, 2, rotate_sum((b for n, b in enumerate(entries) if n not in (2, 3)), 16))
        self.put(at, bytes(entries))

    def checked(self) -> None:
        """Make the checksum of the boot region right."""
        body = self.get(0, 11 * 512)
        told = struct.pack("<I", rotate_sum(body[:106] + body[108:112] + body[113:], 32)) * 128
        self.put(11 * 512, told)


def folder_of(path: Path, entries: bytes, *, size: int = 0, data: Iterable[tuple[str, bytes]] = ()) -> Exfat:
    """An exFAT card with the honest file and a folder ``d`` whose content is these bytes as they stand."""
    entries = entries.ljust(-(-max(1, len(entries)) // CLUSTER) * CLUSTER, b"\0")
    exfat(path, *(((name,), content) for name, content in data), (("d",), entries), size=size or len(entries) + 2 * MIB)
    card = Exfat(path)
    card.change("d", 4, bytes([DIRECTORY]))
    return card


def with_sets(path: Path, *sets: Node, copies: int = 1, size: int = 0) -> Exfat:
    """An exFAT card whose folder ``d`` holds these entry sets."""
    return folder_of(path, b"".join(map(entry_set, sets)) * copies, size=size)


def fat(path: Path, fill: Callable[[FatImage], object] | None = None, *, bits: int = 16, **more: object) -> Files:
    """A FAT card with the honest file."""
    size = {12: 2 * MIB, 16: 8 * MIB, 32: 40 * MIB}[bits]
    with FatImage(path, size, bits=bits, **{"serial": serial_of(path), **more}) as volume:  # type: ignore[arg-type]
        volume.add(GOOD, GOOD_DATA, modified=WALL)
        if fill:
            fill(volume)
    return HONEST


class Fat(Raw):
    """The raw tables of a FAT16 or FAT32 image without partitions."""

    def __init__(self, path: Path) -> None:
        self.path = path
        boot = path.read_bytes()[:512]
        self.cluster = boot[13] * 512
        reserved, self.copies = struct.unpack_from("<H", boot, 14)[0], boot[16]
        self.per_fat = (struct.unpack_from("<H", boot, 22)[0] or struct.unpack_from("<I", boot, 36)[0]) * 512
        self.width = 2 if struct.unpack_from("<H", boot, 22)[0] else 4
        self.fat_at = reserved * 512
        self.root = self.fat_at + self.copies * self.per_fat
        self.heap = self.root + struct.unpack_from("<H", boot, 17)[0] * 32

    def at(self, cluster: int) -> int:
        """Where a cluster lies."""
        return self.heap + (cluster - 2) * self.cluster

    def link(self, cluster: int, to: int) -> None:
        """What follows a cluster, in every copy of the table."""
        for copy in range(self.copies):
            data = (to & (1 << 8 * self.width) - 1).to_bytes(self.width, "little")
            self.put(self.fat_at + copy * self.per_fat + self.width * cluster, data)

    def entry(self, short: str) -> int:
        """Where the short entry of a name (``NAME    EXT``) lies in the root."""
        return self.root + self.get(self.root, 1 << 16).index(short.encode().ljust(11))

    def first(self, short: str) -> int:
        """The first cluster of a file in the root."""
        return int.from_bytes(self.get(self.entry(short) + 26, 2), "little")


def short_entry(name: bytes, *, attributes: int = 0x20, cluster: int = 0, size: int = 0) -> bytes:
    """A FAT entry of eleven raw bytes of name."""
    date, time = (2026 - 1980) << 9 | 11 << 5 | 21, 8 << 11 | 30 << 5 | 2
    return struct.pack(
        "<11sBBBHHHHHHHI", name, attributes, 0, 0, time, date, date, cluster >> 16, time, date, cluster & 0xFFFF, size
    )


def long_entries(name: bytes, short: bytes) -> bytes:
    """The long-name entries of raw UTF-16 units before a short entry."""
    units = [name[at : at + 2] for at in range(0, len(name), 2)]
    if len(units) % 13:
        units = [*units, b"\0\0"]
    while len(units) % 13:
        units.append(b"\xff\xff")
    total = 0
    for byte in short:
        total = ((total & 1) << 7 | total >> 1) + byte & 0xFF
    out, count = b"", len(units) // 13
    for number in range(count, 0, -1):
        part = units[(number - 1) * 13 : number * 13]
        order = number | (0x40 if number == count else 0)
        out += struct.pack(
            "<B10sBBB12sH4s", order, b"".join(part[:5]), 0x0F, 0, total, b"".join(part[5:11]), 0, b"".join(part[11:])
        )
    return out


def in_root(path: Path, entries: bytes, *, bits: int = 16) -> Fat:
    """A FAT card with the honest file and these raw entries behind it in its root."""
    fat(path, bits=bits)
    card = Fat(path)
    root = card.get(card.root, 512)
    end = next(at for at in range(0, 512, 32) if not root[at])
    card.put(card.root + end, entries)
    return card


def ext(path: Path, *commands: str, kind: str = "ext4", size: str = "8M", options: Iterable[str] = ()) -> Files:
    """An ext card with the honest file, and what debugfs does with these commands."""
    honest = path.with_suffix(".honest")
    honest.write_bytes(GOOD_DATA)
    name = f"bad0bad0-0000-4000-8000-{int(path.stem):012}"
    made = ["mke2fs", "-q", "-F", "-t", kind, "-b", "1024", "-U", name, *options, str(path), size]
    subprocess.run(made, check=True, capture_output=True)
    script = path.with_suffix(".commands")
    script.write_text("\n".join((f"write {honest} {GOOD}", *commands)) + "\n")
    told = subprocess.run(
        ["debugfs", "-w", "-f", str(script), str(path)], capture_output=True, text=True, check=True, errors="replace"
    )
    assert "No such" not in told.stderr, told.stderr
    script.unlink()
    honest.unlink()
    return HONEST
