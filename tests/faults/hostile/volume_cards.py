"""Cards whose boot sectors, partition tables and ends are not what they say."""

import struct
from collections.abc import Callable
from pathlib import Path

from bwcdock.testing.exfat import ExfatImage
from card_makers import HONEST, MIB, WALL, Exfat, Fat, exfat, ext, fat, serial_of
from hostile_case import GOOD, GOOD_DATA, Files, Kind, Make

BOOT = Kind(name="boot sectors and partitions")
NOTHING = "no known file system"


def put(path: Path, at: int, data: bytes) -> None:
    """Bytes at a place."""
    with path.open("r+b") as image:
        image.seek(at)
        image.write(data)


def exfat_boot(at: int, data: bytes, *, checked: bool = False) -> Make:
    """An exFAT card with these bytes in its boot sector, whose checksum is made right or left wrong."""

    def make(path: Path) -> Files:
        exfat(path)
        put(path, at, data)
        if checked:
            Exfat(path).checked()
        return HONEST

    return make


def fat_boot(at: int, data: bytes, *, bits: int = 16) -> Make:
    """A FAT card with these bytes in its boot sector."""

    def make(path: Path) -> Files:
        fat(path, bits=bits)
        put(path, at, data)
        return HONEST

    return make


def ext_super(at: int, data: bytes) -> Make:
    """An ext card with these bytes in its superblock."""

    def make(path: Path) -> Files:
        ext(path)
        put(path, 1024 + at, data)
        return HONEST

    return make


def raw(head: bytes) -> Make:
    """A card that begins so, and has no file system."""

    def make(path: Path) -> Files:
        path.write_bytes(head.ljust(2 * MIB, b"\0"))
        return HONEST

    return make


def table(*parts: tuple[int, int, int]) -> bytes:
    """A partition table: (type, first sector, sectors) each."""
    rows = (struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", at, n) for kind, at, n in parts)
    return bytes(446) + b"".join(rows).ljust(64, b"\0") + b"\x55\xaa"


def parted(*parts: tuple[int, int, int], files: Files | None = None) -> Make:
    """A card with the honest volume at 1 MiB behind this table."""

    def make(path: Path) -> Files:
        exfat(path)
        whole = path.read_bytes()
        path.write_bytes(table(*parts).ljust(MIB, b"\0") + whole + bytes(MIB))
        return HONEST if files is None else files

    return make


BOOT.add("no sector size in exFAT", exfat_boot(0x6C, b"\0"), refused="impossible sector")
BOOT.add("sectors of 2 to the 255", exfat_boot(0x6C, b"\xff"), refused="impossible sector")
BOOT.add("clusters of 2 to the 255", exfat_boot(0x6D, b"\xff"), refused="impossible sector")
BOOT.add("a wrong checksum", exfat_boot(11 * 512, b"\0" * 512))
BOOT.add("a root in cluster 0", exfat_boot(0x60, b"\0\0\0\0", checked=True), refused="Unable to open")
BOOT.add("a root behind the end", exfat_boot(0x60, b"\xff\xff\xff\x0f", checked=True), refused="Unable to open")
BOOT.add("a table behind the end", exfat_boot(0x50, b"\xff\xff\xff\x0f", checked=True), refused="Unable to open")
BOOT.add(
    "four thousand million clusters", exfat_boot(0x5C, b"\xf0\xff\xff\xff", checked=True), refused="Unable to open"
)
BOOT.add("a volume of nothing", exfat_boot(0x48, bytes(8), checked=True), refused="Unable to open")
BOOT.add("no clusters in FAT", fat_boot(0x13, b"\x01\0"), refused="no clusters")
BOOT.add("no tables in FAT", fat_boot(0x10, b"\0"), refused=NOTHING)
BOOT.add("a table of 4 GiB", fat_boot(0x16, b"\0\0"), refused="no clusters")


def moved(path: Path) -> Files:
    """A FAT root of 65,535 entries: by that word the film lies where nothing was written; that is what it holds."""
    fat_boot(0x11, b"\xff\xff")(path)
    card = Fat(path)
    at = -(-card.heap // 512) * 512 + (card.first("GOOD    MP4") - 2) * card.cluster
    return {GOOD: card.get(at, len(GOOD_DATA))}


BOOT.add("a root of 65,535 entries", moved)
BOOT.add("clusters of 64 KiB that are none", fat_boot(0x0D, b"\x80"))
BOOT.add("an ext of impossible blocks", ext_super(0x18, b"\xff\0\0\0"), refused="impossible block size")
BOOT.add("an ext of no inodes in a group", ext_super(0x28, bytes(4)), refused="ext at byte 0")
BOOT.add("an ext of no blocks in a group", ext_super(0x20, bytes(4)), refused="ext at byte 0")
BOOT.add("two partitions that lie over each other", parted((7, 2048, 4096), (7, 2048, 4000)))
BOOT.add("a partition behind the end", parted((7, 2048, 4096), (7, 1 << 30, 4096)), refused=NOTHING)
BOOT.add("a partition table within itself", parted((7, 2048, 4096), (5, 0, 8192)))
BOOT.add("LUKS", raw(b"LUKS\xba\xbe\0\2"), refused="luks")
BOOT.add("a volume of LVM", raw(bytes(512) + b"LABELONE"), refused="lvm")
BOOT.add("BitLocker", raw(b"\xeb\x58\x90-FVE-FS-"), refused="bitlocker")
BOOT.add("a member of a RAID", raw(bytes(4096) + b"\xfc\x4e\x2b\xa9"), refused="no driver")


def of_4096(path: Path) -> Files:
    """An exFAT that says its sectors are of 4096 bytes, while everything lies as it did."""
    exfat(path)
    put(path, 0x6C, bytes([12, 0]))
    return HONEST


BOOT.add("sectors of 4096 that are of 512", of_4096, refused="exfat at byte 0")

# --- cut off ----------------------------------------------------------------------------------------------------------

CUT = Kind(name="cut off")
TRUNCATED = ("volume.truncated",)


def cut(make: Callable[[Path], object], length: int, files: Files | None = None) -> Make:
    """A card of which only so many bytes are there."""

    def made(path: Path) -> Files:
        make(path)
        with path.open("r+b") as image:
            image.truncate(length)
        return HONEST if files is None else files

    return made


def late(path: Path) -> Files:
    """An exFAT card whose film lies at its end."""
    film = bytes(range(256)) * 4096
    with ExfatImage(path, 3 * MIB, cluster=4096, serial=serial_of(path)) as volume:
        volume.add(GOOD, GOOD_DATA, modified=WALL)
        volume.add("film.mp4", film, modified=WALL)
    return HONEST


for length in (0, 1, 511):
    CUT.add(f"exFAT to {length} bytes", cut(exfat, length), refused="no driver")
for length in (512, 1024, 2047):
    CUT.add(f"exFAT to {length} bytes", cut(exfat, length), refused="shorter than its first sectors")
for length in (2048, 4096, 12 * 512, 65536, 70000, 81920):
    CUT.add(f"exFAT to {length} bytes", cut(exfat, length), refused="Unable to open")
CUT.add("a film cut off on exFAT", cut(late, 1 << 20), refused="Unable to open")
CUT.add("a byte of exFAT", cut(exfat, 2 * MIB - 1), codes=TRUNCATED)
CUT.add("a sector of exFAT", cut(exfat, 2 * MIB - 512), codes=TRUNCATED)
CUT.add("FAT16 to 511 bytes", cut(fat, 511), refused="no driver")
CUT.add("FAT16 to 512 bytes", cut(fat, 512), refused="shorter than its first sectors")
for length in (2048, 8192, 40960):
    CUT.add(f"FAT16 to {length} bytes", cut(fat, length, {}), codes=(*TRUNCATED, "directory.unreadable"))
CUT.add("FAT16 to a mebibyte", cut(fat, MIB), codes=TRUNCATED)
CUT.add("ext4 to 1023 bytes", cut(ext, 1023), refused="no driver")
for length in (2048, 65536):
    CUT.add(f"ext4 to {length} bytes", cut(ext, length, {}), codes=(*TRUNCATED, "directory.unreadable"))
CUT.add("ext4 to a mebibyte", cut(ext, MIB, {}), codes=(*TRUNCATED, "file.chain_broken"), aside=(GOOD,))

KINDS = (BOOT, CUT)
