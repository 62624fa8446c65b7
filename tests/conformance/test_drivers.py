"""The driver suite against every driver; and the suite against drivers that cheat."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import ntfs_cards
import pytest
from bwcdock.core.facts import Condition, Identity, Item, Sighting
from bwcdock.core.names import escape
from bwcdock.ports import Driver, Recorder
from bwcdock.testing.driver_suite import DriverBed, DriverSuite
from bwcdock.testing.exfat import ExfatImage
from bwcdock.testing.fat import FatImage
from bwcdock_drivers.folder import FolderDriver
from bwcdock_drivers.mass_storage import MassStorageDriver
from ntfs_cards import compressed, ntfs

WALL = datetime(2026, 11, 21, 8, 30, 4)  # noqa: DTZ001 - a recorder's wall time
MIB = 1 << 20

# Sizes around clusters, sectors, pages and nothing.
SIZES = (0, 1, 511, 512, 4095, 4096, 4097, 70_000, 3 * 65536, 1_234_567)


def content() -> dict[str, bytes]:
    chance = Random(7)
    files = {
        f"Media/DCAM_D2F018_033021_20261121_0830{at:02}.mp4": chance.randbytes(size) for at, size in enumerate(SIZES)
    }
    return files | {"IMP/王建国 录像.mp4": chance.randbytes(5000), "log.txt": b"usb attached\n"}


class FolderBed:
    def __init__(self, root: Path) -> None:
        self.root = root / "recorder"
        self.files: Mapping[str, bytes] = content()
        for path, data in self.files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(data)

    def driver(self) -> Driver:
        return FolderDriver()

    def sighting(self) -> Sighting:
        return Sighting(port="path:/drop", source=str(self.root))

    def foreign(self) -> Sighting:
        return Sighting(port="path:/drop", source=str(self.root / "log.txt"))

    def fingerprint(self) -> str:
        told = hashlib.sha256()
        for path in sorted(self.root.rglob("*")):
            found = path.stat()
            told.update(f"{path} {found.st_mode} {found.st_mtime_ns} {found.st_size}\n".encode())
            told.update(path.read_bytes() if path.is_file() else b"")
        return told.hexdigest()

    def vanish(self) -> None:
        shutil.rmtree(self.root)


class ImageBed:
    def __init__(self, root: Path, files: Mapping[str, bytes]) -> None:
        self.image, self.files = root / "card.img", files

    def driver(self) -> Driver:
        return MassStorageDriver()

    def sighting(self) -> Sighting:
        return Sighting(port="usb-1", source=str(self.image))

    def foreign(self) -> Sighting:
        return Sighting(port="usb-1", source=str(self.image.parent))

    def fingerprint(self) -> str:
        return hashlib.sha256(self.image.read_bytes()).hexdigest()

    def vanish(self) -> None:
        os.truncate(self.image, 0)  # what is still open reads nothing, as from a device that went away
        self.image.unlink()


def fat_bed(root: Path, bits: int, size: int) -> ImageBed:
    files = content()
    if bits == 32:
        # Short names in the root, so that no folder grows: the image maker's second descriptor would otherwise write
        # old bytes over files that lie within 8 KiB of a folder, as they do with clusters of 512 bytes.
        files = {f"V{at:02}.MP4": data for at, data in enumerate(files.values())}
    bed = ImageBed(root, files)
    with FatImage(bed.image, size, bits=bits, label="BWC", partitioned=bits == 32) as volume:
        for path, data in bed.files.items():
            volume.add(path, data, modified=WALL)
    return bed


def exfat_bed(root: Path) -> ImageBed:
    files = content()
    bed = ImageBed(root, files)
    with ExfatImage(bed.image, 16 * MIB, label="BWC", partitioned=True) as volume:
        for at, (path, data) in enumerate(files.items()):
            volume.add(path, data, modified=WALL, fragments=at % 4 + 1)
        volume.add("cut.mp4", b"\xaa" * 100_000, modified=WALL, valid=30_001)
    bed.files = files | {"cut.mp4": b"\xaa" * 30_001 + bytes(69_999)}
    return bed


def ext_bed(root: Path) -> ImageBed:
    source = FolderBed(root)
    bed = ImageBed(root, source.files)
    with bed.image.open("wb") as image:
        image.truncate(16 * MIB)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(source.root), str(bed.image)], check=True)
    return bed


def ntfs_bed(root: Path) -> ImageBed:
    """Small files lie in the table itself, a folder is compressed, one file has a hole and one a second stream."""
    source = FolderBed(root)
    bed = ImageBed(root, {**source.files, "IMP/packed.mp4": b"frame " * 50_000, "hole.mp4": bytes(200_000) + b"end"})

    def fill(at: Path) -> None:
        compressed(at / "IMP")
        shutil.copytree(source.root, at, dirs_exist_ok=True)
        (at / "IMP/packed.mp4").write_bytes(bed.files["IMP/packed.mp4"])
        with (at / "hole.mp4").open("wb") as hole:
            hole.seek(200_000)
            hole.write(b"end")
        (at / "log.txt:Zone.Identifier").write_bytes(b"[ZoneTransfer]")  # a second stream is no file of its own

    ntfs(bed.image, fill)
    return bed


BEDS = {
    "folder": FolderBed,
    "fat16": lambda root: fat_bed(root, 16, 8 * MIB),
    "fat32": lambda root: fat_bed(root, 32, 36 * MIB),
    "exfat": exfat_bed,
    "ext4": ext_bed,
    "ntfs": ntfs_bed,
}


@pytest.fixture(params=sorted(BEDS))
def bed(request: pytest.FixtureRequest, tmp_path: Path) -> DriverBed:
    if request.param == "ext4" and not shutil.which("mke2fs"):
        pytest.skip("cards of ext4 need Debian's e2fsprogs")
    if request.param == "ntfs" and not ntfs_cards.can_be_made():
        pytest.skip(ntfs_cards.NEEDS)
    return BEDS[request.param](tmp_path)


class TestDrivers(DriverSuite):
    pass


# --- the suite sees a driver that cheats ------------------------------------------------------------------------------


class Cheat:
    """A recorder that lies in one way, around one that does not."""

    def __init__(self, true: Recorder, lie: str) -> None:
        self.true, self.lie, self.asked = true, lie, 0

    def identity(self) -> Identity:
        return self.true.identity()

    def condition(self, now: datetime) -> Condition:
        return self.true.condition(now)

    def items(self) -> list[Item]:
        self.asked += 1
        found = self.true.items()
        if self.lie == "forgets":
            return found[1:]
        return found[::-1] if self.lie == "shuffles" and self.asked > 1 else found

    def read_into(self, item: Item, offset: int, buffer: memoryview) -> int:
        try:
            got = self.true.read_into(item, offset, buffer)
        except Exception as error:
            if self.lie == "wrong error":
                raise OSError(5, "raw") from error
            if self.lie == "empty when gone":
                return 0
            raise
        if self.lie == "flips" and offset + got > 70_000:
            buffer[0] ^= 1
        if self.lie == "pads" and got:
            return len(buffer)
        return 0 if self.lie == "ends early" and offset > 4096 else got

    def present(self) -> bool:
        return self.lie == "always there" or self.true.present()


class CheatingDriver:
    name = "cheat"

    def __init__(self, bed: FolderBed, lie: str) -> None:
        self.bed, self.lie = bed, lie

    def claims(self, sighting: Sighting) -> int:
        return 50 if self.lie == "claims all" else FolderDriver().claims(sighting)

    def open(self, sighting: Sighting) -> AbstractContextManager[Recorder]:
        return self._open(sighting)

    @contextmanager
    def _open(self, sighting: Sighting) -> Iterator[Recorder]:
        if self.lie == "leaks":
            self.bed.leaked.append(os.open("/dev/null", os.O_RDONLY))  # type: ignore[attr-defined]
        if self.lie == "writes":
            (self.bed.root / "seen.txt").write_text("was here")
        with FolderDriver().open(sighting) as true:
            yield Cheat(true, self.lie)


LIES = {
    "forgets": "test_lists_everything_once",
    "shuffles": "test_the_same_answers_again",
    "flips": "test_reads_whole_files",
    "pads": "test_ends_at_the_end",
    "ends early": "test_reads_whole_files",
    "wrong error": "test_a_gone_recorder_is_unplugged",
    "empty when gone": "test_a_gone_recorder_is_unplugged",
    "always there": "test_a_gone_recorder_is_unplugged",
    "claims all": "test_claims_only_its_own",
    "leaks": "test_leaves_nothing_behind",
    "writes": "test_leaves_the_recorder_as_it_was",
}


@pytest.mark.parametrize("lie", LIES)
def test_the_suite_sees_a_cheat(lie: str, tmp_path: Path) -> None:
    bed: Any = FolderBed(tmp_path)
    bed.leaked = []
    bed.driver = lambda: CheatingDriver(bed, lie)
    with pytest.raises((AssertionError, OSError)):
        getattr(DriverSuite(), LIES[lie])(bed)
    for fd in bed.leaked:
        os.close(fd)


def test_a_folder_name_is_escaped(tmp_path: Path) -> None:
    root = tmp_path / "rec\x1b[2J"
    root.mkdir()
    (root / os.fsdecode(b"bad\xff\n.mp4")).write_bytes(b"x")
    with FolderDriver().open(Sighting(port="path:x", source=str(root))) as recorder:
        assert recorder.identity().serial == escape(b"rec\x1b[2J")
        assert [i.path for i in recorder.items()] == [r"bad\xff\u{a}.mp4"]
