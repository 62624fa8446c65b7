"""What kind of file system lies on a card, from its first sectors: all that is mounted here is FAT and exFAT.

Offsets are those of Microsoft's *FAT32 File System Specification* 1.03 (section numbers F) and the *exFAT file system
specification* 1.00 (X). Trusts nothing: what makes no sense is no file system.
"""

from collections.abc import Callable
from dataclasses import dataclass

Pread = Callable[[int, int], bytes]
"""(offset, length) -> at most that many bytes."""

_LABEL = 0x83
"""The entry of an exFAT root directory that holds the label (X 7.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """``kind`` is ``fat12``, ``fat16``, ``fat32`` or ``exfat``; ``sector`` and ``cluster`` are bytes."""

    kind: str
    sector: int
    cluster: int
    serial: int
    label: str

    @property
    def driver(self) -> str:
        """What the kernel calls it."""
        return "exfat" if self.kind == "exfat" else "vfat"


def probe(pread: Pread) -> FileSystem | None:
    """The file system that begins at offset 0, or ``None``. What of a label is not ASCII is replaced."""
    head = pread(0, 512)
    if len(head) < 512 or head[510:512] != b"\x55\xaa":
        return None
    return _exfat(pread, head) if head[3:11] == b"EXFAT   " else _fat(head)


def _number(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "little")


def _fat(head: bytes) -> FileSystem | None:
    """F 3.1; the width follows from the number of clusters and nothing else (F 3.5)."""
    sector, per_cluster, reserved, copies = _number(head, 0x0B, 2), head[0x0D], _number(head, 0x0E, 2), head[0x10]
    if sector not in {512, 1024, 2048, 4096} or per_cluster.bit_count() != 1 or not reserved or copies not in {1, 2}:
        return None
    per_fat = _number(head, 0x16, 2) or _number(head, 0x24, 4)
    total = _number(head, 0x13, 2) or _number(head, 0x20, 4)
    root_sectors = -(-_number(head, 0x11, 2) * 32 // sector)
    clusters = (total - reserved - copies * per_fat - root_sectors) // per_cluster
    if clusters <= 0 or not per_fat:
        return None
    width = 12 if clusters < 4085 else 16 if clusters < 65525 else 32
    extended = 0x40 if width == 32 else 0x24
    named = head[extended + 2] == 0x29
    label = head[extended + 7 : extended + 18].decode("ascii", "replace").rstrip() if named else ""
    return FileSystem(
        kind=f"fat{width}",
        sector=sector,
        cluster=sector * per_cluster,
        serial=_number(head, extended + 3, 4) if head[extended + 2] in {0x28, 0x29} else 0,
        label="" if label == "NO NAME" else label,
    )


def _exfat(pread: Pread, head: bytes) -> FileSystem | None:
    """X 3.1: the main boot sector; the label is among the first entries of the root directory."""
    sector_shift, cluster_shift = head[0x6C], head[0x6D]
    first = _number(head, 0x60, 4)
    if not 9 <= sector_shift <= 12 or cluster_shift > 25 - sector_shift or first < 2:
        return None
    cluster = 1 << sector_shift + cluster_shift
    root = pread((_number(head, 0x58, 4) << sector_shift) + (first - 2) * cluster, 4096)
    entries = [root[at : at + 32] for at in range(0, len(root) - 31, 32)]
    label = next((e[2 : 2 + 2 * min(e[1], 11)] for e in entries if e[0] == _LABEL), b"")
    return FileSystem(
        kind="exfat",
        sector=1 << sector_shift,
        cluster=cluster,
        serial=_number(head, 0x64, 4),
        label=label.decode("utf-16-le", "replace").encode("ascii", "replace").decode(),
    )
