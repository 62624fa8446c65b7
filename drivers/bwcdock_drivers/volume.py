"""What a volume says of itself in its first sectors, and the raw directory entries behind its files.

The Sleuth Kit gives names and places; serial number, label, dirty mark, free space, exact times, attributes and
exFAT's ValidDataLength are read here. Offsets are those of Microsoft's *FAT32 File System Specification* 1.03 (section
numbers F), the *exFAT file system specification* 1.00 (X), the NTFS boot sector as Windows writes it, and the ext4
disk layout of the Linux kernel's documentation. Pure parsing: every function gets a ``pread`` and trusts nothing.
"""

import array
import codecs
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

Pread = Callable[[int, int], bytes]
"""(offset, length) -> at most that many bytes; fewer only at the end of the source."""

COUNT_MAX = 64 << 20
"""How much of an allocation table is read to count free clusters: a 512 GiB card with 32 KiB clusters needs 64 MiB."""

_PIECE = 1 << 20
_UTF16, _GBK = codecs.lookup("utf-16-le"), codecs.lookup("gbk")  # loaded now: a locked-in process cannot any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A file system that was recognised at ``offset`` of the source; ``free`` and ``dirty`` are ``None`` if unknown."""

    kind: str
    offset: int
    size: int
    serial: str = ""
    label: str = ""
    free: int | None = None
    dirty: bool | None = None
    entries_at: int = 0
    cluster: int = 0
    heap_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEntry:
    """A directory entry as it lies on the card: times are naive text, ``zone`` only where exFAT says one.

    ``short`` is FAT's short name where it holds more than ASCII: The Sleuth Kit would put ``^`` for such bytes.
    """

    modified: str
    birth: tuple[int, int, int]
    zone: str
    attributes: tuple[str, ...]
    initialised: int | None = None
    label: str | None = None
    short: bytes = b""

    @property
    def created(self) -> str:
        """When it was created, as text; worked out only where it is asked for."""
        return _stamp(*self.birth)


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def sniff(pread: Pread, offset: int) -> str:
    """Which file system seems to begin at ``offset``: ``fat``, ``exfat``, ``ntfs``, ``ext``, a word for what cannot
    be read (``luks``, ``lvm``, ``bitlocker``), or nothing.
    """
    head = pread(offset, 4096)
    if len(head) < 512:
        return ""
    by_name = {b"EXFAT   ": "exfat", b"NTFS    ": "ntfs", b"-FVE-FS-": "bitlocker"}.get(head[3:11])
    if by_name:
        return by_name
    if head[:6] == b"LUKS\xba\xbe":
        return "luks"
    if any(head[s : s + 8] == b"LABELONE" for s in range(0, 2048, 512)):
        return "lvm"
    if head[1080:1082] == b"\x53\xef":
        return "ext"
    sector, cluster = _u16(head, 0x0B), head[0x0D]
    is_fat = sector in (512, 1024, 2048, 4096) and cluster and not cluster & (cluster - 1) and 1 <= head[0x10] <= 4
    return "fat" if is_fat and _u16(head, 0x0E) and head[510:512] == b"\x55\xaa" else ""


def describe(pread: Pread, kind: str, offset: int) -> Volume:
    """The volume of ``kind`` at ``offset``. ``ValueError`` when its own figures make no sense."""
    head = pread(offset, 2048)
    if len(head) < 2048:
        raise ValueError("the volume is shorter than its first sectors")
    return {"fat": _fat, "exfat": _exfat, "ntfs": _ntfs, "ext": _ext}[kind](pread, head, offset)


def _fat(pread: Pread, head: bytes, offset: int) -> Volume:
    """F 3.1: the boot sector; the FAT's width follows from the number of clusters and nothing else (F 3.5)."""
    sector, per_cluster, reserved, copies = _u16(head, 0x0B), head[0x0D], _u16(head, 0x0E), head[0x10]
    per_fat = _u16(head, 0x16) or _u32(head, 0x24)
    total = _u16(head, 0x13) or _u32(head, 0x20)
    root_sectors = -(-_u16(head, 0x11) * 32 // sector)
    entries_at = reserved + copies * per_fat
    clusters = (total - entries_at - root_sectors) // per_cluster
    if clusters <= 0:
        raise ValueError("the FAT volume has no clusters")
    width = 12 if clusters < 4085 else 16 if clusters < 65525 else 32
    extended = 0x40 if width == 32 else 0x24
    label = head[extended + 7 : extended + 18] if head[extended + 2] == 0x29 else b""
    fat_at = offset + reserved * sector
    return Volume(
        kind=f"fat{width}",
        offset=offset,
        size=total * sector,
        serial=f"{_u32(head, extended + 3):08X}" if head[extended + 2] in (0x28, 0x29) else "",
        label="" if label == b"NO NAME    " else _oem(label),
        free=_fat_free(pread, fat_at, width, clusters, per_cluster * sector),
        dirty=_fat_dirty(pread, head, fat_at, width, extended),
        entries_at=offset + entries_at * sector,
        cluster=per_cluster * sector,
    )


def _fat_dirty(pread: Pread, head: bytes, fat_at: int, width: int, extended: int) -> bool | None:
    """The mark in the boot sector, or the clean-shutdown bit of FAT[1] taken away (F 4.1; FAT12 has none)."""
    if head[extended + 1] & 1:
        return True
    if width == 12:
        return False
    second = pread(fat_at + width // 8, width // 8)
    clean = 0x80 if width == 16 else 0x08
    return None if len(second) < width // 8 else not second[-1] & clean


def _fat_free(pread: Pread, fat_at: int, width: int, clusters: int, cluster: int) -> int | None:
    length = (clusters + 2) * width // 8
    if width == 12:
        table = pread(fat_at, length + 2)
        pairs = (_u16(table, n * 3 // 2) >> (4 * (n & 1)) & 0xFFF for n in range(2, clusters + 2))
        return sum(not entry for entry in pairs) * cluster
    if length > COUNT_MAX:
        return None
    free = 0
    for at in range(0, length, _PIECE):
        piece = pread(fat_at + at, min(_PIECE, length - at))
        values = array.array("H" if width == 16 else "I", piece[: len(piece) - len(piece) % (width // 8)])
        free += values.count(0)  # the two reserved entries at the start are never 0 on a sound volume
    return min(free, clusters) * cluster


def _exfat(pread: Pread, head: bytes, offset: int) -> Volume:
    """X 3.1: main boot sector; label and bitmap are the root directory's first entries as a rule, so look there."""
    sector_shift, cluster_shift = head[0x6C], head[0x6D]
    if not 9 <= sector_shift <= 12 or cluster_shift > 25 - sector_shift:
        raise ValueError("the exFAT volume has impossible sector or cluster sizes")
    cluster = 1 << sector_shift + cluster_shift
    heap_at = offset + (_u32(head, 0x58) << sector_shift)
    clusters = _u32(head, 0x5C)
    root = pread(heap_at + (_u32(head, 0x60) - 2) * cluster, min(cluster, _PIECE)) if _u32(head, 0x60) >= 2 else b""
    label, free = "", None
    for at in range(0, len(root) - 31, 32):
        if root[at] == 0x83:  # X 7.3
            label = _UTF16.decode(root[at + 2 : at + 2 + 2 * min(root[at + 1], 11)], "replace")[0]
        elif root[at] == 0x81 and not root[at + 1] & 1 and _u32(root, at + 20) >= 2:  # X 7.1, the first bitmap
            free = _exfat_free(pread, heap_at + (_u32(root, at + 20) - 2) * cluster, clusters, cluster)
    return Volume(
        kind="exfat",
        offset=offset,
        size=_u64(head, 0x48) << sector_shift,
        serial=f"{_u32(head, 0x64):08X}",
        label=label,
        free=free,
        dirty=bool(_u16(head, 0x6A) & 2),  # X 3.1.13.2
        entries_at=heap_at,
        cluster=cluster,
        heap_at=heap_at,
    )


def _exfat_free(pread: Pread, at: int, clusters: int, cluster: int) -> int | None:
    """Clear bits of the allocation bitmap, taken as contiguous: every formatter writes it so."""
    length = -(-clusters // 8)
    if length > COUNT_MAX:
        return None
    used = read = 0
    for done in range(0, length, _PIECE):
        piece = pread(at + done, min(_PIECE, length - done))
        used += int.from_bytes(piece, "little").bit_count()
        read += len(piece)
    return max(0, clusters - used) * cluster if read == length else None


def _ntfs(_pread: Pread, head: bytes, offset: int) -> Volume:
    return Volume(
        kind="ntfs", offset=offset, size=_u64(head, 0x28) * _u16(head, 0x0B), serial=f"{_u64(head, 0x48):016X}"
    )


def _ext(_pread: Pread, head: bytes, offset: int) -> Volume:
    """The superblock, 1024 bytes in. Not cleanly unmounted, or a journal to replay, is dirty."""
    sb = head[1024:]
    if _u32(sb, 0x18) > 6:
        raise ValueError("the ext volume has an impossible block size")
    block = 1024 << _u32(sb, 0x18)
    return Volume(
        kind="ext",
        offset=offset,
        size=_u32(sb, 0x04) * block,
        serial=sb[0x68:0x78].hex(),
        label=sb[0x78:0x88].split(b"\0")[0].decode("utf-8", "replace"),
        free=_u32(sb, 0x0C) * block,
        dirty=not _u16(sb, 0x3A) & 1 or bool(_u32(sb, 0x60) & 4),
    )


def _oem(raw: bytes) -> str:
    """Eleven bytes in the code page of the formatter; Chinese firmware means GBK."""
    return _GBK.decode(raw.rstrip(b" \0"), "replace")[0]


# --- directory entries ------------------------------------------------------------------------------------------------

_FIRST_INODE = 3  # The Sleuth Kit numbers 32-byte entries from here on, in the order in which they lie on the volume


def raw_entry(pread: Pread, volume: Volume, inode: int, next_cluster: Callable[[int], int | None]) -> RawEntry | None:
    """The entry behind an inode number of a FAT or exFAT volume; ``None`` where no file's entry lies there.

    ``next_cluster`` gives the place of the directory's cluster after the one that ends at a place: an entry set of
    exFAT may go on there.
    """
    at = volume.entries_at + (inode - _FIRST_INODE) * 32
    raw = pread(at, 64)
    if inode < _FIRST_INODE or len(raw) < 32:
        return None
    if volume.kind != "exfat":
        return _fat_entry(raw)
    if (at + 32 - volume.heap_at) % volume.cluster == 0:
        following = next_cluster(at + 32)
        raw = raw[:32] + (pread(following, 32) if following is not None else b"")
    return _exfat_entry(raw) if raw[0] & 0x7F == 0x05 else None  # X 7.4; without bit 7 it is deleted


def living(kind: str, content: bytes) -> tuple[int, bool]:
    """How many files and folders a piece of a folder's raw content names, and whether its end mark was met.

    ``.`` and ``..`` are not counted.
    """
    firsts = content[::32]
    end = firsts.find(b"\0")
    firsts = firsts if end < 0 else firsts[:end]
    if kind == "exfat":
        return firsts.count(0x85), end >= 0  # X 7.4, in use
    attributes = content[11::32]
    counted = (
        first not in b"\xe5." and attribute & 0x0F != 0x0F and not attribute & 0x08
        for first, attribute in zip(firsts, attributes, strict=False)
    )
    return sum(counted), end >= 0


def _words(bits: int) -> tuple[str, ...]:
    return tuple(word for bit, word in ((1, "read-only"), (2, "hidden"), (4, "system")) if bits & bit)


_FAT = struct.Struct(
    "<11sBxBHH4xHH4x4x"
)  # F 6: name, attributes, tenths, created time and date, modified time and date
_EXFAT = struct.Struct(
    "<4xH2xHHHH4xBBxB8x"
)  # X 7.4: attributes, created, modified, their hundredths, modified's offset


def _fat_entry(raw: bytes) -> RawEntry | None:
    """F 6: a short entry; a volume label says so by its attribute."""
    name, attributes, tens, created_time, created_date, time, date = _FAT.unpack_from(raw)
    if attributes & 0x3F == 0x0F:
        return None
    return RawEntry(
        modified=_stamp(date, time, 0),
        birth=(created_date, created_time, tens),
        zone="",
        attributes=_words(attributes),
        label=_oem(name) if attributes & 0x08 else None,
        short=b"" if name.isascii() else _short_name(raw),
    )


def _short_name(raw: bytes) -> bytes:
    """A short name as UTF-8: GBK if it is that, else its bytes as they stand. F 6.1: 05 stands for E5."""
    base, extension = (raw[:1].replace(b"\x05", b"\xe5") + raw[1:8]).rstrip(b" "), raw[8:11].rstrip(b" ")
    name = base + (b"." + extension if extension else b"")
    try:
        return _GBK.decode(name)[0].encode()
    except UnicodeDecodeError:
        return name


def _exfat_entry(raw: bytes) -> RawEntry:
    """X 7.4 (file) with X 7.6 (stream extension) behind it, where there is one."""
    attributes, created_time, created_date, time, date, created_tens, tens, offset = _EXFAT.unpack_from(raw)
    has_stream = len(raw) >= 64 and raw[32] & 0x7F == 0x40
    return RawEntry(
        modified=_stamp(date, time, tens),
        birth=(created_date, created_time, created_tens),
        zone=_offset(offset) if offset & 0x80 else "",
        attributes=_words(attributes) if attributes & 7 else (),
        initialised=_u64(raw, 40) if has_stream else None,
    )


def _stamp(date: int, time: int, tens: int) -> str:
    """FAT's packed date and time with up to 199 hundredths; no text where it is no date."""
    try:
        moment = datetime(  # noqa: DTZ001  the recorder's clock; its zone, if any, stands beside it
            1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2
        )
    except ValueError:
        return ""
    if tens:
        moment += timedelta(milliseconds=10 * min(tens, 199))
    return moment.isoformat(timespec="milliseconds")


def _offset(byte: int) -> str:
    """X 7.4.10: the seven bits below "valid" are signed quarters of an hour."""
    quarters = (byte & 0x7F) - (0x80 if byte & 0x40 else 0)
    hours, minutes = divmod(abs(quarters) * 15, 60)
    return f"{'-' if quarters < 0 else '+'}{hours:02d}:{minutes:02d}"
