"""Cards of ext with links, pipes, sockets, devices, and inodes that say what they are not."""

from pathlib import Path

from card_makers import HONEST, ext
from hostile_case import GOOD, Files, Kind, Make

SPECIAL = ("file.special",)
NODES = Kind(name="links, pipes and devices")


def nodes(*commands: str, more: dict[str, bytes] | None = None, **how: object) -> Make:
    """An ext card after these commands of debugfs, with ``more`` files beside the honest one."""

    def make(path: Path) -> Files:
        return {**ext(path, *commands, **how), **(more or {})}  # type: ignore[arg-type]

    return make


for what, commands in {
    "a link to a file of the station": ("symlink passwd.mp4 /etc/passwd",),
    "a link up": ("symlink up.mp4 ../../../../../etc/shadow",),
    "a link to itself": ("symlink loop loop",),
    "a link to the honest file": (f"symlink link.mp4 {GOOD}",),
    "a link to its own folder": ("mkdir d", "symlink d/again .."),
    "a link to a disk": ("symlink disk.mp4 /dev/sda",),
    "a link to a descriptor": ("symlink fd.mp4 /proc/self/fd/3",),
    "a link longer than an inode holds": (f"symlink far.mp4 /{'a/' * 100}",),
    "a link to nothing": ("symlink none.mp4 -",),
    "a pipe": ("mknod pipe.mp4 p",),
    "the memory as a device": ("mknod mem.mp4 c 1 1",),
    "endless zeros as a device": ("mknod zero.mp4 c 1 5",),
    "a disk as a device": ("mknod sda.mp4 b 8 0",),
    "a device of the largest numbers": ("mknod odd.mp4 b 255 255",),
    "a socket by its mode": ("mknod sock.mp4 p", "set_inode_field sock.mp4 mode 0140777"),
    "one of each": ("mknod p p", "mknod c c 1 3", "mknod b b 7 0", "symlink l /"),
    "links with names that steer": ("symlink \x1b[2J.mp4 /etc/passwd",),
    "a folder of pipes": ("mkdir d", *(f"mknod d/p{n} p" for n in range(200))),
    "a link in ext2": ("symlink passwd.mp4 /etc/passwd",),
}.items():
    kind = "ext2" if "ext2" in what else "ext4"
    NODES.add(what, nodes(*commands, kind=kind), codes=SPECIAL)
NODES.add("a file of root's that nobody may read", nodes(f"set_inode_field {GOOD} mode 0100000"))
NODES.add("a program of root's with its rights", nodes(f"set_inode_field {GOOD} mode 0107777"))
NODES.add("one inode under two names", nodes(f"link {GOOD} other.mp4", more={"other.mp4": HONEST[GOOD]}))
pipe = nodes("mknod pipe.mp4 p", "set_inode_field pipe.mp4 mode 0100644", more={"pipe.mp4": b""})
NODES.add("a pipe that says it is a file", pipe)
none = nodes("mknod none.mp4 p", "set_inode_field none.mp4 mode 0")
NODES.add("a name whose inode is nothing that can be", none, codes=("directory.unreadable",))
# The Sleuth Kit follows four million blocks that are not there; the limit on its processor time ends that.
big = nodes("mknod big.mp4 c 1 5", "set_inode_field big.mp4 size 0xffffffff")
NODES.add("a device of four gibibytes", big, refused="died")

KINDS = (NODES,)
