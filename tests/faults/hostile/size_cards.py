"""Cards whose files claim sizes that cannot be, and cards that are all files or all folders."""

import struct
from pathlib import Path

from bwcdock.testing.exfat_records import DIRECTORY, entry_set
from card_makers import (
    HONEST,
    MIB,
    WALL,
    Exfat,
    ExfatImage,
    Fat,
    exfat,
    ext,
    fat,
    folder_of,
    in_root,
    node,
    serial_of,
    short_entry,
    with_sets,
)
from hostile_case import GOOD, GOOD_DATA, Files, Kind, Make

UNREAD = ("directory.unreadable",)
SHORT = ("exfat.valid_length",)
BROKEN = ("file.chain_broken",)
SIZES = Kind(name="sizes that cannot be")
FILM = bytes(range(256)) * 40


def claimed(size: int, valid: int | None = None, files: Files | None = None, *, runs: int = 1) -> Make:
    """An exFAT card with a film that claims this size, of which so much is valid."""

    def make(path: Path) -> Files:
        exfat(path, (("film.mp4",), FILM))
        card = Exfat(path)
        length = size if valid is None else valid
        card.change("film.mp4", 40, struct.pack("<Q", length & (1 << 64) - 1))
        card.change("film.mp4", 56, struct.pack("<Q", size & (1 << 64) - 1))
        return {**HONEST, **(files or {})}

    return make


def fat_claimed(size: int, files: Files | None = None, *, bits: int = 16, cluster: int | None = None) -> Make:
    """A FAT card with a film that claims this size."""

    def make(path: Path) -> Files:
        fat(path, lambda v: v.add("FILM.MP4", FILM, modified=WALL), bits=bits)
        card = Fat(path)
        at = card.entry("FILM    MP4")
        card.put(at + 28, struct.pack("<I", size))
        if cluster is not None:
            card.put(at + 26, struct.pack("<H", cluster))
        return {**HONEST, **(files or {})}

    return make


SIZES.add("16 EiB less one", claimed((1 << 64) - 1), codes=UNREAD)
SIZES.add("16 EiB less one of which nothing is valid", claimed((1 << 64) - 1, 0), codes=UNREAD)
SIZES.add("8 EiB", claimed(1 << 63), codes=UNREAD)
SIZES.add("8 EiB less one", claimed((1 << 63) - 1), codes=UNREAD)
SIZES.add("a pebibyte", claimed(1 << 50), codes=UNREAD)
SIZES.add("4 GiB", claimed(1 << 32), codes=UNREAD)
SIZES.add("4 GiB less one on exFAT", claimed((1 << 32) - 1), codes=UNREAD)
SIZES.add("one byte more than the card", claimed(2 * MIB + 1), codes=UNREAD)
SIZES.add("one byte", claimed(1, files={"film.mp4": FILM[:1]}))
SIZES.add("nothing, with a place", claimed(0, files={"film.mp4": b""}))
SIZES.add("one byte more than was written", claimed(len(FILM) + 1, files={"film.mp4": FILM + b"\0"}))
SIZES.add("more valid than there is", claimed(len(FILM), 1 << 40, {"film.mp4": FILM}))
SIZES.add("all ones valid", claimed(len(FILM), (1 << 64) - 1, {"film.mp4": FILM}))
SIZES.add("nothing valid", claimed(len(FILM), 0, {"film.mp4": bytes(len(FILM))}), codes=SHORT)
SIZES.add("one byte valid", claimed(len(FILM), 1, {"film.mp4": FILM[:1] + bytes(len(FILM) - 1)}), codes=SHORT)
SIZES.add("a bit of 8 EiB valid", claimed(len(FILM), 1 << 63, {"film.mp4": FILM}))
SIZES.add("4 GiB less one on FAT16", fat_claimed((1 << 32) - 1), codes=UNREAD)
SIZES.add("2 GiB on FAT16", fat_claimed(1 << 31), codes=UNREAD)
SIZES.add("4 GiB less one on FAT32", fat_claimed((1 << 32) - 1, bits=32), codes=UNREAD)
SIZES.add("all the card on FAT16", fat_claimed(7 * MIB), codes=BROKEN, aside=("FILM.MP4",))
SIZES.add("a size without a place on FAT16", fat_claimed(1000, cluster=0), codes=UNREAD)


def sparse(*commands: str, files: Files | None = None, **how: object) -> Make:
    """An ext card with a film of which not all has a place."""

    def make(path: Path) -> Files:
        return {
            **ext(path, "mknod film.mp4 p", "set_inode_field film.mp4 mode 0100644", *commands, **how),
            **(files or {}),
        }  # type: ignore[arg-type]

    return make


SIZES.add(
    "a megabyte of nothing on ext4", sparse("set_inode_field film.mp4 size 1048576", files={"film.mp4": bytes(MIB)})
)
SIZES.add(
    "8 EiB of nothing on ext4", sparse("set_inode_field film.mp4 size 0x7fffffffffffffff"), codes=("file.impossible",)
)
SIZES.add(
    "8 EiB of nothing in extents",
    sparse("set_inode_field film.mp4 flags 0x80000", "set_inode_field film.mp4 size 0x7fffffffffffffff"),
    codes=("file.impossible",),
)
SIZES.add(
    "a terabyte of nothing on ext2", sparse("set_inode_field film.mp4 size 0x10000000000", kind="ext2"), refused="died"
)

# --- very many, very deep ---------------------------------------------------------------------------------------------

MANY = Kind(name="very many, very deep")
EACH = entry_set(node("n.mp4"))


def copies(count: int, *, name: str = "n.mp4", **fields: object) -> Make:
    """An exFAT card with so many entries of one name in a folder: too many to be let in."""

    def make(path: Path) -> Files:
        raw = entry_set(node(name, **fields)) * count
        folder_of(path, raw, size=len(raw) * 5 // 4 + 4 * MIB)
        return HONEST

    return make


def numbered(count: int) -> Make:
    """An exFAT card with so many empty files, each with a name of its own."""

    def make(path: Path) -> Files:
        with_sets(path, *(node(f"{n:05}.mp4") for n in range(count)))
        return {**HONEST, **{f"d/{n:05}.mp4": b"" for n in range(count)}}

    return make


def deep(depth: int, *, name: str = "d{}", files: bool = True) -> Make:
    """An exFAT card with so many folders inside each other, and a film in the last."""

    def make(path: Path) -> Files:
        parts = (*(name.format(n) for n in range(depth)), "x.mp4")
        with ExfatImage(path, 2 * MIB + 64 * 1024 * depth // 16, cluster=512, serial=serial_of(path)) as volume:
            volume.add(GOOD, GOOD_DATA, modified=WALL)
            volume.add(parts, b"deep", modified=WALL)
        return {**HONEST, **({"/".join(parts): b"deep"} if files else {})}

    return make


def wide(count: int) -> Make:
    """An exFAT card with so many empty folders in one."""

    def make(path: Path) -> Files:
        with_sets(path, *(node(f"{n}", attributes=DIRECTORY, runs=[(2, 1)], size=4096) for n in range(count)))
        return HONEST

    return make


def long_paths(folders: int, count: int) -> Make:
    """An exFAT card with folders of the longest names inside each other, and so many files in the last."""

    def make(path: Path) -> Files | None:
        above = tuple("警" * 250 + f"{n:02}" for n in range(folders))
        raw = entry_set(node("录" * 80 + ".mp4")) * count
        with ExfatImage(path, len(raw) + 8 * MIB, cluster=4096, serial=serial_of(path)) as volume:
            volume.add((*above, "all"), raw, modified=WALL)
        data = path.read_bytes()
        at = data.index("all".encode("utf-16-le") + b"\0\0") - 66
        with path.open("r+b") as image:
            image.seek(at + 4)
            image.write(bytes([DIRECTORY]))
        return None

    return make


MANY.add("a million entries of one name", copies(1_000_000), refused="200000 names")
# A folder that The Sleuth Kit cannot hold in the memory it has: what lies beside it is brought.
MANY.add("a folder of 150 MB of the longest names", copies(250_000, name="警" * 255), codes=(*UNREAD, "storage.low"))
MANY.add("200,001 entries", copies(200_001), refused="200000 names")
MANY.add("a million deleted entries", copies(1_000_000, deleted=True), refused="200000 names")
MANY.add("101,000 entries", copies(101_000), refused="100000 are the limit")
MANY.add(
    "250,000 folders of one place",
    copies(250_000, attributes=DIRECTORY, runs=[(2, 1)], size=4096),
    refused="200000 names",
)
MANY.add("sixty files in a folder", numbered(60))
MANY.add("5,000 folders in a folder", wide(5000))
MANY.add("65 folders inside each other", deep(65, files=False), refused="inside each other")
MANY.add("64 folders inside each other", deep(64))
MANY.add("300 folders inside each other", deep(300, files=False), refused="inside each other")
MANY.add("a path of 4,100 bytes", deep(17, name="警" * 79 + "{:03}", files=False), codes=("path.too_long",))
MANY.add("199,000 paths of 4,000 bytes", long_paths(5, 199_000), refused="longer in all")


def filled(piece: bytes, count: int) -> Make:
    """An exFAT card with a folder of so many of these 32 bytes."""

    def make(path: Path) -> Files:
        folder_of(path, piece.ljust(32, b"\0") * count, size=count * 40 + 4 * MIB)
        return HONEST

    return make


def fragments(count: int) -> Make:
    """An exFAT card with a film in so many pieces."""

    def make(path: Path) -> Files:
        data = bytes(range(256)) * 2 * count
        with ExfatImage(path, 3 * len(data) + 4 * MIB, cluster=512, serial=serial_of(path)) as volume:
            volume.add(GOOD, GOOD_DATA, modified=WALL)
            volume.add("film.mp4", data, modified=WALL, fragments=count)
        return {**HONEST, "film.mp4": data}

    return make


MANY.add("100,000 lone file entries", filled(b"\x85\x02", 100_000), codes=UNREAD)
MANY.add("100,000 lone stream entries", filled(b"\xc0\x03", 100_000))
MANY.add("100,000 lone name entries", filled(b"\xc1\0a", 100_000))
MANY.add("100,000 labels", filled(b"\x83\x0bl\0a\0", 100_000))
MANY.add("100,000 bitmaps", filled(b"\x81", 100_000))
MANY.add("100,000 entries of all ones", filled(b"\xff" * 32, 100_000))
MANY.add("four megabytes of end marks", filled(b"\0", 131_072))
MANY.add(
    "5,000 deleted films",
    copies(5000, deleted=True, size=50, valid=50, runs=[(50, 1)]),
    codes=("deleted.before_docking",),
)
MANY.add("a film in 5,000 pieces", fragments(5000))
MANY.add("a film in 25,000 pieces", fragments(25_000))
MANY.add(
    "a root of FAT16 full of what was deleted",
    lambda path: in_root(path, short_entry(b"\xe5       MP4") * 500) and HONEST,
)
MANY.add(
    "a root of FAT16 of long names without a file",
    lambda path: in_root(path, (b"\x41a" + bytes(9) + b"\x0f").ljust(32, b"\0") * 500) and HONEST,
)

KINDS = (SIZES, MANY)
