"""What kind of volume a path lies on, as far as it matters for the promise of an fsync."""

import re
from collections.abc import Container
from pathlib import Path
from typing import NamedTuple

NOT_FOR_A_SPOOL = frozenset(
    {"vfat", "msdos", "exfat", "ntfs", "ntfs3", "hfs", "hfsplus", "iso9660", "udf", "fuse", "fuseblk"}
    | {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "ceph", "glusterfs", "lustre", "afs"}
)
"""File systems without a journal, without hard links, or with a network between fsync and the disk."""

NOT_DURABLE = frozenset({"tmpfs", "ramfs", "devtmpfs"})
"""File systems in memory: allowed for trying things out, with a warning."""


class FileSystem(NamedTuple):
    """What a path lies on: ``ok`` says fit for the spool, ``durable`` that it survives a power cut at all."""

    kind: str
    mount_point: str
    ok: bool
    durable: bool


def file_system_of(
    path: Path, *, allow: Container[str] = (), mountinfo: Path = Path("/proc/self/mountinfo")
) -> FileSystem:
    """The file system that holds ``path``, which need not exist yet. Raises ``OSError``.

    ``allow`` names kinds to accept although they are refused (tests on FUSE). Every ``fuse.<something>`` is refused.
    Read from proc(5) mountinfo: the longest mount point above the path counts, and of equal ones the last mounted.
    """
    real = path.resolve()
    best = ("/", "unknown")
    for line in mountinfo.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), before.split(" ")[4])
        if real.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, after.split(" ")[0])
    point, kind = best
    refused = kind in NOT_FOR_A_SPOOL or kind.startswith("fuse.")
    return FileSystem(kind=kind, mount_point=point, ok=not refused or kind in allow, durable=kind not in NOT_DURABLE)
