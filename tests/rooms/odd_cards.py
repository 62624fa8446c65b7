"""Cards no recorder would write: folders with hand-made entries, for the tests of reader and disk recorder."""

from datetime import datetime
from pathlib import Path

from bwcdock.testing.exfat import ExfatImage
from bwcdock.testing.exfat_records import DIRECTORY, Node, entry_set

WALL = datetime(2026, 11, 21, 8, 30, 4)  # noqa: DTZ001 - a recorder's wall time
MIB = 1 << 20


def node(name: str, **fields: object) -> Node:
    made = Node(name=name, attributes=0x20, created=WALL, modified=WALL, zone=None)
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def card_with(path: Path, *sets: Node, copies: int = 1) -> Path:
    """A card with a film ``a.mp4`` in clusters 2.. and a folder ``d`` that holds these entry sets as they stand."""
    raw = b"".join(map(entry_set, sets)) * copies
    raw = raw.ljust(-(-len(raw) // 4096) * 4096, b"\0")
    with ExfatImage(path, len(raw) + 4 * MIB, label="BWC", cluster=4096) as volume:
        volume.add("a.mp4", b"x" * 5000, modified=WALL)
        volume.add("d", raw, modified=WALL)
    root = places(path)["root"]
    data = bytearray(path.read_bytes()[: root + 4096])
    (at,) = (p for p in range(root, root + 4096, 32) if data[p] == 0x85 and data[p + 66 : p + 68] == b"d\0")
    with path.open("r+b") as image:
        image.seek(at + 4)
        image.write(bytes([DIRECTORY]))
    return path


def places(path: Path) -> dict[str, int]:
    """Where the heap and the root folder of a card lie, and in which cluster the root is."""
    with path.open("rb") as image:
        boot = image.read(512)
    heap, cluster = int.from_bytes(boot[88:92], "little") * 512, 512 << boot[109]
    first = int.from_bytes(boot[96:100], "little")
    return {"heap": heap, "root": heap + (first - 2) * cluster, "root cluster": first}
