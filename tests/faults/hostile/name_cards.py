"""Cards whose names steer, are reserved, are too long, are no text, or are twins of one another."""

from pathlib import Path

from bwcdock.testing.exfat_records import units_of
from bwcdock.testing.fat import FatImage
from card_makers import CLUSTER, HONEST, MIB, WALL, ExfatImage, exfat, in_root, long_entries, serial_of, short_entry
from hostile_case import GOOD, GOOD_DATA, Files, Kind, Make, path_of

DATA = b"a recording under a bad name"
HOSTILE = ("name.hostile",)
TWINS = ("name.duplicate",)
UNREAD = ("directory.unreadable",)


def named(*parts: str) -> Make:
    """An exFAT card with one more file, under these names."""

    def make(path: Path) -> Files:
        return {**exfat(path, (parts, DATA)), path_of(*parts): DATA}

    return make


def short(name: bytes, shown: str = "") -> Make:
    """A FAT card with an empty file of these eleven raw bytes, which is to be listed as ``shown``, if at all."""

    def make(path: Path) -> Files:
        in_root(path, short_entry(name))
        return {**HONEST, shown: b""} if shown else HONEST

    return make


def long(name: bytes, shown: str, alias: bytes = b"LONG~1  MP4") -> Make:
    """A FAT card with an empty file of this long name (UTF-16 units), which is to be listed as ``shown``."""

    def make(path: Path) -> Files:
        in_root(path, long_entries(name, alias) + short_entry(alias))
        return {**HONEST, shown: b""}

    return make


# --- names that steer -------------------------------------------------------------------------------------------------

STEERING = Kind(name="names that steer")
for what, parts in {
    "a file called dot": (".",),
    "a file called dot dot": ("..",),
    "three dots": ("...",),
    "folders that lead up": ("..", "..", "etc", "passwd.mp4"),
    "a path that leads up in one name": ("../../../../tmp/owned.mp4",),
    "an absolute path in one name": ("/etc/cron.d/owned.mp4",),
    "a path that leads up in the other notation": ("..\\..\\windows\\owned.mp4",),
    "a drive letter": ("C:\\autoexec.bat",),
    "a line feed": ("two\nlines.mp4",),
    "carriage returns": ("cr\rlf\r\n.mp4",),
    "colours and a cleared screen": ("\x1b[2J\x1b[31mred.mp4",),
    "a window title": ("\x1b]0;owned\x07.mp4",),
    "a control sequence of the upper range": ("\x9b2Jred.mp4",),
    "bell, tab and delete": ("bell\x07tab\t\x7f.mp4",),
    "writing turned round": ("right\u202e4pm.exe",),
    "writing turned round by isolates": ("\u2067turned\u2069.mp4",),
    "blanks of no width": ("zero\u200bwidth\u2060.mp4",),
    "a byte order mark first": ("\ufeffmark.mp4",),
    "a line separator": ("line\u2028end\u2029.mp4",),
    "a folder of escape characters": ("\x1b\x1b\x1b", "a.mp4"),
}.items():
    STEERING.add(what, named(*parts), codes=HOSTILE)
# The Sleuth Kit hands names over as C does: one ends at its first NUL.
STEERING.add("a NUL", lambda path: {**exfat(path, (("nul\0in.mp4",), DATA)), "nul": DATA})
STEERING.add("markup", named("<script>alert(1)<script>.mp4"))
STEERING.add("what a shell would run", named("$(reboot)`id`;'\".mp4"))
STEERING.add("what a spreadsheet would compute", named('=HYPERLINK("x").mp4'))
STEERING.add("options of a command", named("-rf %s%n{0} *.mp4"))

# --- reserved names ---------------------------------------------------------------------------------------------------

RESERVED = Kind(name="reserved names")
for what, parts in {
    "a console device": ("CON.mp4",),
    "a null device": ("NUL",),
    "a serial port as a folder": ("COM1", "a.mp4"),
    "a printer": ("LPT9.txt",),
    "a clock device": ("CLOCK$",),
    "a stream of another file": ("a.mp4:hidden",),
    "the parts of The Sleuth Kit": ("$OrphanFiles", "a.mp4"),
    "the table of NTFS": ("$MFT",),
    "the first table of FAT, as The Sleuth Kit calls it": ("$FAT1",),
    "the boot record, as The Sleuth Kit calls it": ("$MBR",),
    "the bitmap, as The Sleuth Kit calls it": ("$ALLOC_BITMAP",),
    "the up-case table, as The Sleuth Kit calls it": ("$UPCASE_TABLE",),
    "a manifest of central storage": ("a.mp4.manifest.json",),
    "a hidden temporary of central storage": (".incoming", "a.mp4"),
    "a part of the spool": ("part", "0123456789abcdef0123456789abcdef.part"),
    "the checkpoints of central storage": ("checkpoints", "dock", "1.note"),
    "the ledger": ("ledger.db",),
    "a home of the desktop": ("~", ".bashrc"),
    "the path of a second file system": ("p2", "a.mp4"),
    "the name of a twin": ("good.mp4~2",),
}.items():
    RESERVED.add(what, named(*parts))
RESERVED.add("a dot at the end", named("dot."), codes=HOSTILE)
RESERVED.add("a blank at the end", named("blank "), codes=HOSTILE)
RESERVED.add("a blank first", named(" blank"), codes=HOSTILE)
RESERVED.add("a blank alone", named(" "), codes=HOSTILE)
RESERVED.add("an escape of our own", named("\\u{2e}\\u{2e}"), codes=HOSTILE)

# --- long names, no text, twins ---------------------------------------------------------------------------------------

ODD = Kind(name="long names, no text, twins")


def twins(*names: str) -> Make:
    """An exFAT card with a file each of these names; of a name again, the further ones are told apart by a number."""

    def make(path: Path) -> Files:
        files = dict(HONEST)
        with ExfatImage(path, 2 * MIB, cluster=CLUSTER, serial=serial_of(path)) as volume:
            volume.add(GOOD, GOOD_DATA, modified=WALL)
            for number, name in enumerate(names):
                volume.add((name,), b"%d" % number, modified=WALL)
                path_, count = path_of(name), 2
                while path_ in files:
                    path_, count = f"{path_of(name)}~{count}", count + 1
                files[path_] = b"%d" % number
        return files

    return make


def aliased(names: tuple[str, ...], aliases: tuple[bytes, ...]) -> Make:
    """A FAT card with empty files of these long names and short names."""

    def make(path: Path) -> Files:
        pairs = zip(names, aliases, strict=True)
        in_root(path, b"".join(long_entries(units_of(n), a) + short_entry(a) for n, a in pairs))
        paths = [path_of(n) for n in names]
        return {**HONEST, **{p + ("~2" if p in paths[:at] else ""): b"" for at, p in enumerate(paths)}}

    return make


def fat_named(name: str) -> Make:
    """A FAT card with one more file, written as recorders write it."""

    def make(path: Path) -> Files:
        with FatImage(path, 8 * MIB, bits=16, serial=serial_of(path)) as volume:
            volume.add(GOOD, GOOD_DATA, modified=WALL)
            volume.add(name, DATA, modified=WALL)
        return {**HONEST, path_of(name): DATA}

    return make


ODD.add("255 units of ASCII", named("n" * 251 + ".mp4"))
ODD.add("255 units of Chinese", named("警" * 251 + ".mp4"))
ODD.add("255 units in surrogate pairs", named("\U0001f693" * 125 + "x.mp4"))
ODD.add("255 units in each of three folders", named("甲" * 255, "乙" * 255, "丙" * 255, "a.mp4"))
ODD.add("255 units that are all escaped", named("\u202e" * 255), codes=HOSTILE)
# The Sleuth Kit shows half a pair with what follows it as ``^``.
ODD.add("a lone half of a surrogate pair", lambda path: {**exfat(path, (("half\ud83d.mp4",), DATA)), "half^mp4": DATA})
ODD.add("private characters", named("\ue000\uf8ff.mp4"), codes=HOSTILE)
ODD.add("characters that are none yet", named("\u0378\uffff.mp4"), codes=HOSTILE)
ODD.add("a combining mark first", named("\u0301mark.mp4"), codes=HOSTILE)
ODD.add("composed and decomposed twins", twins("caf\u00e9.mp4", "cafe\u0301.mp4"), codes=HOSTILE)
ODD.add("Hangul in letters", named("\u1112\u1161\u11ab.mp4"), codes=HOSTILE)
ODD.add("twins but for case", twins("twin.mp4", "TWIN.MP4", "Twin.mp4"))
ODD.add("twins but for a dotless letter", twins("i.mp4", "\u0131.mp4", "\u0130.mp4"))
ODD.add("three entries of one name", twins("same.mp4", "same.mp4", "same.mp4"), codes=TWINS)
ODD.add("the honest name again", twins(GOOD), codes=TWINS)
ODD.add("two entries of one name and a third called as the second is", twins("a", "a", "a~2"), codes=TWINS)
ODD.add("one short name under two long ones", aliased(("one.mp4", "two.mp4"), (b"ONE~1   MP4",) * 2))
ODD.add("one long name over two short ones", aliased(("one.mp4",) * 2, (b"ONE~1   MP4", b"ONE~2   MP4")), codes=TWINS)
ODD.add("a short name in GBK", short("警".encode("gbk").ljust(8) + b"MP4", "警.MP4"))
ODD.add("a short name that is no text", short(b"\xff\xfe\xfd     MP4", "\\xff\\xfe\\xfd.MP4"), codes=HOSTILE)
ODD.add("a short name of control characters", short(b"\x01\x1b\x07     MP4"), codes=UNREAD)
ODD.add("a short name of blanks", short(b" " * 11), codes=UNREAD)
ODD.add("a long name of FAT with half a pair", long(b"\x3d\xd8x\0", "^"))
ODD.add("a long name of FAT that is empty", long(b"", "LONG~1.MP4"))
ODD.add("a long name of FAT in Chinese", fat_named("警用执法记录仪" * 10 + ".mp4"))

KINDS = (STEERING, RESERVED, ODD)
