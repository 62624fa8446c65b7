"""Recipes of whole recorder cards, laid out as recorders of known makes lay them out.

Every recipe takes ``path`` (the image to make), ``now`` (aware, the true time of docking) and ``fast_by`` (how far the
recorder's clock is ahead of it). All times on a card are the recorder's own wall time in Asia/Shanghai. The recordings
are two patrols, from five and from two hours before docking, each of segments without gaps; ``clips`` and ``seconds``
say how many and how long. The same arguments give the same card.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bwcdock.core.facts import Kind
from bwcdock.testing import footage
from bwcdock.testing.card import ZONE, Card, CardFile, Wanted, fill_exfat, fill_fat, naive
from bwcdock.testing.exfat import ExfatImage
from bwcdock.testing.fat import FatImage
from bwcdock.testing.image import PARTITION_START, SECTOR

_MIB = 1 << 20
_CLUSTER = 32 << 10  # of a real card of up to 32 GB, though the images are smaller


def _shown(now: datetime, fast_by: timedelta) -> datetime:
    """What the recorder's clock shows at docking."""
    return (now + fast_by).astimezone(ZONE)


def _patrols(shown: datetime, count: int, seconds: int) -> list[datetime]:
    """Starts of ``count`` segments in two patrols, the first with the odd one."""
    whole, first = shown.replace(microsecond=0), -(-count // 2)
    begins = [(whole - timedelta(hours=5), first), (whole - timedelta(hours=2), count - first)]
    return [begin + timedelta(seconds=seconds * at) for begin, many in begins for at in range(many)]


def _file(path: str, modified: datetime, kind: Kind = Kind.VIDEO, start: datetime | None = None) -> CardFile:
    return CardFile(parts=tuple(path.split("/")), modified=modified, kind=kind, start=start)


def _as_if_utc(moment: datetime) -> datetime:
    """The same digits, called UTC: what recorders write that know no zones."""
    return moment.replace(tzinfo=UTC)


def dcam_exfat(
    path: Path,
    now: datetime,
    *,
    device: str = "D2F018",
    officer: str = "033021",
    clips: int = 6,
    seconds: int = 60,
    fast_by: timedelta = timedelta(minutes=7),
    utc_quarters: int | None = None,
    serial: int = 0xD2F01826,
    size: int = 256 * _MIB,
) -> Card:
    """An Android recorder: exFAT behind a partition table, its clock fast, its power gone in its last recording.

    ``Media/DCAM_<device>_<officer>_<date>_<time>.mp4`` (the second in three fragments, one deleted, the last one cut
    off before its index and still with its ``.target`` side file), ``IMP/..._IMP.mp4``, photos and sound in
    ``Media/``, a staging file in ``Temp/``, and ``LOG/plug_<device>.txt`` written at docking; the volume is dirty.
    creation_time in the media is UTC by the recorder's clock. ``utc_quarters`` 32 marks every entry as +08:00;
    ``None`` leaves the zone unsaid.
    """
    shown, plug_file = _shown(now, fast_by), f"LOG/plug_{device}.txt"
    stem = f"DCAM_{device}_{officer}"
    wanted = [*_dcam_patrols(stem, shown, clips, seconds), *_dcam_others(stem, shown, seconds)]
    wanted = [replace(one, file=replace(one.file, officer=officer)) for one in wanted]
    lines = (f"{shown:%Y-%m-%d %H:%M:%S} usb attached", f"{shown:%Y-%m-%d %H:%M:%S} device={device} battery=83")
    wanted.append(Wanted(file=_file(plug_file, shown, Kind.OTHER), content=footage.log(lines)))
    with ExfatImage(path, size, label="DCAM", serial=serial, cluster=_CLUSTER, partitioned=True, dirty=True) as volume:
        filled = fill_exfat(volume, wanted, utc_quarters)
    return Card(
        path=path,
        file_system="exfat",
        size=size,
        offset=PARTITION_START * SECTOR,
        label="DCAM",
        volume_serial=serial,
        serial=device,
        basis="name-group",
        clock_offset_s=fast_by.total_seconds(),
        files=filled.files,
        deleted=filled.deleted,
        dirty=True,
        plug_file=plug_file,
    )


def _dcam_patrols(stem: str, shown: datetime, clips: int, seconds: int) -> Iterator[Wanted]:
    for at, start in enumerate(_patrols(shown, clips, seconds)):
        file = _file(f"Media/{stem}_{start:%Y%m%d_%H%M%S}.mp4", start + timedelta(seconds=seconds), start=start)
        yield Wanted(file=file, content=footage.clip(start, seconds, scene=at), fragments=3 if at == 1 else 1)


def _dcam_others(stem: str, shown: datetime, seconds: int) -> Iterator[Wanted]:
    whole, lasting = shown.replace(microsecond=0), timedelta(seconds=seconds)

    def file(folder: str, start: datetime, end: str, kind: Kind = Kind.VIDEO, took: timedelta = lasting) -> CardFile:
        return _file(f"{folder}/{stem}_{start:%Y%m%d_%H%M%S}{end}", start + took, kind, start)

    for at, hours in enumerate((4, 1)):
        start = whole - timedelta(hours=hours)
        important = replace(file("IMP", start, "_IMP.mp4"), important=True)
        yield Wanted(file=important, content=footage.clip(start, seconds, scene=at + 4))
        start += timedelta(minutes=12)
        photo = file("Media", start, ".jpg", Kind.PHOTO, timedelta(0))
        yield Wanted(file=photo, content=footage.photo(start, scene=at, make="DCAM", model=stem))
    start = whole - timedelta(minutes=90)
    yield Wanted(file=file("Media", start, ".m4a", Kind.AUDIO), content=footage.sound(start, seconds))
    start = whole - timedelta(hours=3)
    yield Wanted(file=file("Media", start, ".mp4"), content=footage.clip(start, seconds, scene=6), deleted=True)
    start = whole - timedelta(minutes=10)
    torn = footage.truncate(footage.clip(start, seconds, scene=7), 0.6)
    yield Wanted(file=replace(file("Media", start, ".mp4", took=0.6 * lasting), truncated=True), content=torn)
    side = file("Media", start, ".mp4.target", Kind.OTHER, timedelta(0))
    yield Wanted(file=replace(side, skipped=True), content=b"")
    start = whole - timedelta(minutes=5)
    staged = file("Temp", start, ".mp4", took=0.3 * lasting)
    yield Wanted(file=replace(staged, truncated=True), content=torn[: len(torn) // 2])


def dahua_fat32(
    path: Path,
    now: datetime,
    *,
    label: str = "MPT0417",
    clips: int = 8,
    seconds: int = 60,
    fast_by: timedelta = timedelta(0),
    serial: int = 0x0417DA0A,
    size: int = 512 * _MIB,
) -> Card:
    """A recorder with the date in its folders, start and end in its names, and who it is only in its label.

    ``mpt/<YYYY-MM-DD>/001/dav/<HH>/<HH.MM.SS>-<HH.MM.SS>[R][0@0][0].mp4``, folders by the start, also where the end
    is another day's; FAT32 without partition table. creation_time in the media is local time as if it were UTC.
    """
    wanted = []
    for at, start in enumerate(_patrols(_shown(now, fast_by), clips, seconds)):
        end = start + timedelta(seconds=seconds)
        name = f"{start:%H.%M.%S}-{end:%H.%M.%S}[R][0@0][0].mp4"
        file = replace(_file(f"mpt/{start:%Y-%m-%d}/001/dav/{start:%H}/{name}", end, start=start), end=end)
        wanted.append(Wanted(file=file, content=footage.clip(_as_if_utc(start), seconds, scene=at)))
    with FatImage(path, size, label=label, serial=serial) as volume:
        filled = fill_fat(volume, wanted)
    return Card(
        path=path,
        file_system="fat32",
        size=size,
        offset=0,
        label=label,
        volume_serial=serial,
        serial=label,
        basis="label",
        clock_offset_s=fast_by.total_seconds(),
        files=filled.files,
    )


def zzx_fat32(
    path: Path,
    now: datetime,
    *,
    device: str = "ZZX2080",
    officers: Sequence[tuple[str, str]] = (("033021", "王建国"), ("033087", "zhaolei")),
    clips: int = 6,
    seconds: int = 60,
    fast_by: timedelta = timedelta(0),
    serial: int = 0x20801121,
    size: int = 512 * _MIB,
) -> Card:
    """A recorder with a folder per kind and day; the fourth field of a name is its start, two and three its wearer.

    ``police/{video,pic,sound,log,text}/<yyyymmdd>/<device>_<number>_<name>_<yyyymmddhhmmss>.<ext>``, FAT32 behind a
    partition table, its clock right, one video deleted. The first patrol is the first officer's, the rest the
    second's. creation_time in the media is UTC. The file in ``log`` is written at docking.
    """
    shown = _shown(now, fast_by)
    wanted = list(_zzx_files(device, officers, shown, clips, seconds))
    with FatImage(path, size, label=device, serial=serial, partitioned=True) as volume:
        filled = fill_fat(volume, wanted)
    return Card(
        path=path,
        file_system="fat32",
        size=size,
        offset=PARTITION_START * SECTOR,
        label=device,
        volume_serial=serial,
        serial=device,
        basis="name-group",
        clock_offset_s=fast_by.total_seconds(),
        files=filled.files,
        deleted=filled.deleted,
        plug_file=filled.files[-1].path,
    )


def _zzx_files(
    device: str, officers: Sequence[tuple[str, str]], shown: datetime, clips: int, seconds: int
) -> Iterator[Wanted]:
    whole, lasting = shown.replace(microsecond=0), timedelta(seconds=seconds)

    def file(folder: str, ext: str, start: datetime, modified: datetime, kind: Kind) -> CardFile:
        number, person = officers[0] if start < whole - timedelta(hours=2) else officers[-1]
        name = f"{device}_{number}_{person}_{start:%Y%m%d%H%M%S}.{ext}"
        return replace(_file(f"police/{folder}/{start:%Y%m%d}/{name}", modified, kind, start), officer=number)

    for at, start in enumerate(_patrols(shown, clips, seconds)):
        video = file("video", "mp4", start, start + lasting, Kind.VIDEO)
        yield Wanted(file=video, content=footage.clip(start, seconds, scene=at + 2))
    start = whole - timedelta(hours=3)
    gone = file("video", "mp4", start, start + lasting, Kind.VIDEO)
    yield Wanted(file=gone, content=footage.clip(start, seconds, scene=1), deleted=True)
    start = whole - timedelta(minutes=100)
    photo = footage.photo(start, scene=3, make="ZZX", model=device)
    yield Wanted(file=file("pic", "jpg", start, start, Kind.PHOTO), content=photo)
    yield Wanted(file=file("sound", "wav", start, start + lasting, Kind.AUDIO), content=footage.tone(seconds))
    line = f"{start:%Y-%m-%d %H:%M:%S} 31.2000N 121.4333E"
    yield Wanted(file=file("text", "txt", start, start, Kind.OTHER), content=footage.log((line,)))
    line = f"{whole:%Y-%m-%d %H:%M:%S} usb connected"
    yield Wanted(file=file("log", "txt", whole, shown, Kind.OTHER), content=footage.log((line,)))


def novatek_fat32(
    path: Path,
    now: datetime,
    *,
    clips: int = 7,
    seconds: int = 60,
    fast_by: timedelta = timedelta(seconds=-95),
    serial: int = 0x1A2B3C4D,
    size: int = 512 * _MIB,
) -> Card:
    """A cheap recorder that does not say who it is: one running number over two folders, and a hole in it.

    ``Video/Normal/<yyyy>_<mmdd>_<hhmmss>_<nnn>A.MP4`` and, for every third one, ``Video/EVENT/`` with the read-only
    attribute; FAT32 without partition table or label. Number 4 was never written. creation_time in the media is local
    time as if it were UTC. Its clock is slow, and nothing on the card can tell by how much.
    """
    wanted, hole = [], 4
    for at, start in enumerate(_patrols(_shown(now, fast_by), clips, seconds)):
        number = at + 1 if at + 1 < hole else at + 2
        event = at % 3 == 2
        name = f"Video/{'EVENT' if event else 'Normal'}/{start:%Y_%m%d_%H%M%S}_{number:03}A.MP4"
        file = _file(name, start + timedelta(seconds=seconds), start=start)
        file = replace(file, number=number, important=event, locked=event)
        wanted.append(Wanted(file=file, content=footage.clip(_as_if_utc(start), seconds, scene=at)))
    with FatImage(path, size, serial=serial) as volume:
        filled = fill_fat(volume, wanted)
    return Card(
        path=path,
        file_system="fat32",
        size=size,
        offset=0,
        label="",
        volume_serial=serial,
        serial=f"{serial >> 16:04X}-{serial & 0xFFFF:04X}",
        basis="volume-serial",
        clock_offset_s=fast_by.total_seconds(),
        files=filled.files,
        holes=(hole,) if clips >= hole else (),
    )


def bench_exfat(path: Path, now: datetime, *, files: int, size_each: int, device: str = "BENCH1") -> Card:
    """``files`` MP4 shells of ``size_each`` bytes that cannot be compressed, on exFAT without partition table.

    ``Media/DCAM_<device>_000000_<date>_<time>.mp4``, five minutes apart. Each begins with a whole index and a media box
    over the rest, so a container check passes; no player finds a picture. Needs neither PyAV nor much memory.
    """
    size = (size_each + _MIB) * files + 64 * _MIB
    made, lasting = [], timedelta(minutes=5)
    with ExfatImage(path, size, label="BENCH", serial=0xBE9C0001, cluster=_CLUSTER) as volume:
        for at in range(files):
            start = _shown(now, -lasting * (files - at)).replace(microsecond=0)
            file = _file(f"Media/DCAM_{device}_000000_{start:%Y%m%d_%H%M%S}.mp4", naive(start + lasting), start=start)
            digest = hashlib.sha256()
            body = _tee(_incompressible(at, footage.husk(size_each, start, 300), size_each), digest.update)
            volume.add(file.parts, body, size=size_each, modified=file.modified, created=naive(start))
            made.append(replace(file, size=size_each, valid=size_each, sha256=digest.hexdigest(), officer="000000"))
    return Card(
        path=path,
        file_system="exfat",
        size=size,
        offset=0,
        label="BENCH",
        volume_serial=0xBE9C0001,
        serial=device,
        basis="name-group",
        clock_offset_s=0,
        files=tuple(made),
    )


def _incompressible(seed: int, head: bytes, size: int) -> Iterator[memoryview]:
    """``head``, then the key stream of a cipher: gigabytes a second, and the same for the same seed."""
    yield memoryview(head[:size])
    stream = Cipher(algorithms.AES(seed.to_bytes(16, "big")), modes.CTR(bytes(16))).encryptor()
    zeros, buffer = bytes(4 * _MIB), bytearray(4 * _MIB + 15)  # 15: update_into asks for room for a block more
    for left in range(size - len(head), 0, -len(zeros)):
        stream.update_into(zeros, buffer)
        yield memoryview(buffer)[: min(left, len(zeros))]


def _tee(pieces: Iterable[memoryview], see: Callable[[memoryview], None]) -> Iterator[memoryview]:
    for piece in pieces:
        see(piece)
        yield piece


# Names a card can hold although no operating system would write them; each is a trap for one careless reader.
HOSTILE_NAMES: tuple[tuple[str, ...], ...] = (
    ("..",),
    (".",),
    ("..", "..", "etc", "passwd.mp4"),
    ("../../../../tmp/owned.mp4",),
    ("/etc/cron.d/owned.mp4",),
    ("..\\..\\windows\\owned.mp4",),
    ("two\nlines.mp4",),
    ("cr\rlf\r\n.mp4",),
    ("\x1b[2J\x1b[31mred.mp4",),
    ("bell\x07tab\t\x7f.mp4",),
    ("nul\x00inside.mp4",),
    ("right\u202e4pm.exe",),
    ("zero\u200bwidth\ufeff.mp4",),
    ("half\ud83dpair.mp4",),
    ("astral\U0001f693.mp4",),
    ("n" * 251 + ".mp4",),
    ("警" * 251 + ".mp4",),
    ("Twin.mp4",),
    ("twin.MP4",),
    ("same.mp4",),
    ("same.mp4",),
    ("caf\u00e9.mp4",),
    ("cafe\u0301.mp4",),
    ("-rf *.mp4",),
    ("$(reboot)`id`;'\".mp4",),
    ("<script>alert(1)</script>.mp4",),
    ('=HYPERLINK("x").mp4',),
    ("%s%n{0}.mp4",),
    ("trailing. .",),
    ("CON.mp4",),
    ("$OrphanFiles", "hidden.mp4"),
    (*(f"d{level}" for level in range(40)), "deep.mp4"),
)


def hostile_exfat(path: Path, now: datetime, *, size: int = 32 * _MIB) -> Card:
    """What a hostile card could hold: :data:`HOSTILE_NAMES`, each file with its own small content.

    The last file, ``short.mp4``, is 64 KiB of which ten bytes are valid, over clusters that still hold something old.
    File-system checkers refuse this card; a reader lists what it can, and stays whole.
    """
    shown = _shown(now, timedelta(0))
    wanted = [
        Wanted(file=CardFile(parts=parts, modified=shown, kind=Kind.OTHER), content=f"hostile {at}".encode())
        for at, parts in enumerate(HOSTILE_NAMES)
    ]
    short = replace(_file("short.mp4", shown, Kind.OTHER), valid=10)
    wanted.append(Wanted(file=short, content=b"0123456789".ljust(64 << 10, b"?")))
    with ExfatImage(path, size, label="\u202eEVIL", serial=0xBADBADBA) as volume:
        filled = fill_exfat(volume, wanted, None)
    return Card(
        path=path,
        file_system="exfat",
        size=size,
        offset=0,
        label="\u202eEVIL",
        volume_serial=0xBADBADBA,
        serial="BADB-ADBA",
        basis="volume-serial",
        clock_offset_s=0,
        files=filled.files,
    )
