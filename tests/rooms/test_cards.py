"""The cards: what each recipe says of itself is what two readers that know nothing of it find on the image."""

import hashlib
import io
import re
import struct
import sys
import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import exifread
import pytest
from bwcdock.core.facts import Kind
from bwcdock.errors import Misused
from bwcdock.testing import cards, footage, readback
from bwcdock.testing.card import ZONE, Card, CardFile, naive
from bwcdock.testing.fat import FatImage

NOW = datetime(2026, 11, 21, 7, 2, 3, 456789, tzinfo=UTC)
WALL = datetime(2026, 11, 21, 9, 3, 5, 340000)  # noqa: DTZ001 - the wall time of a recorder has no zone
MIB = 1 << 20
RECIPES = {
    "dcam": cards.dcam_exfat,
    "dahua": cards.dahua_fat32,
    "zzx": cards.zzx_fat32,
    "novatek": cards.novatek_fat32,
}


@pytest.fixture(scope="module", params=RECIPES)
def made(request, tmp_path_factory) -> tuple[Card, list[readback.Found]]:
    path = tmp_path_factory.mktemp("cards") / f"{request.param}.img"
    card = RECIPES[request.param](path, NOW, seconds=2, size=64 * MIB)
    return card, readback.read(path, card.offset)


def content_of(found: list[readback.Found], file: CardFile) -> bytes:
    (one,) = (one for one in found if one.path == file.path and not one.deleted)
    return one.content


def test_the_image_holds_exactly_the_files_the_card_names(made):
    card, found = made
    there = {
        (one.path, one.size, hashlib.sha256(one.content).hexdigest(), one.modified, one.read_only)
        for one in found
        if not (one.directory or one.deleted)
    }
    assert there == {(one.path, one.size, one.sha256, one.modified, one.locked) for one in card.files}
    assert all(one.valid == one.size for one in card.files)


def test_deleted_recordings_are_found_as_deleted_with_their_bytes(made):
    card, found = made
    there = {(one.path, hashlib.sha256(one.content).hexdigest()) for one in found if one.deleted}
    assert there == {(one.path, one.sha256) for one in card.deleted}
    assert len(card.deleted) == (1 if "police" in card.files[0].path or card.dirty else 0)


def test_the_checkers_accept_it_and_label_and_serial_are_told(made):
    card, _ = made
    boot = card.path.open("rb")
    with boot:
        boot.seek(card.offset)
        sector = boot.read(512)
    at = 100 if card.file_system == "exfat" else 67
    assert struct.unpack_from("<I", sector, at) == (card.volume_serial,)
    assert readback.label(card.path, card.offset) == card.label
    assert card.size == card.path.stat().st_size
    assert readback.fsck(card.path, card.offset) == ""
    if card.file_system == "exfat":
        assert bool(sector[106] & 2) == card.dirty


# Each layout's names, parsed here on their own: the card's claims must say the same.
LAYOUTS = (
    r"(?:Media|IMP|Temp)/DCAM_\w{6}_(?P<officer>\d{6})_(?P<start>\d{8}_\d{6})(?P<imp>_IMP)?\.(mp4|jpg|m4a)(\.target)?",
    r"mpt/(?P<start>\d{4}-\d\d-\d\d/001/dav/\d\d/\d\d\.\d\d\.\d\d)-\d\d\.\d\d\.\d\d\[R\]\[0@0\]\[0\]\.mp4",
    r"police/(video|pic|sound|log|text)/\d{8}/ZZX2080_(?P<officer>\d{6})_[^_]+_(?P<start>\d{14})\.\w{3}",
    r"Video/(?P<imp>EVENT)?(Normal)?/(?P<start>\d{4}_\d{4}_\d{6})_(?P<number>\d{3})A\.MP4",
    r"LOG/plug_\w{6}\.txt",
)


def test_the_claims_are_what_the_names_say(made):
    card, _ = made
    shown = (NOW + timedelta(seconds=card.clock_offset_s)).astimezone(ZONE)
    for file in card.files:
        (match,) = filter(None, (re.fullmatch(layout, file.path) for layout in LAYOUTS))
        told = match.groupdict()
        if told.get("start") and file.start:
            digits = re.sub(r"\D", "", told["start"].replace("/001/dav/", "_"))
            if file.path.startswith("mpt"):  # the hour stands in the folder and in the name
                digits = digits[:8] + digits[10:]
            assert digits == f"{file.start.astimezone(ZONE):%Y%m%d%H%M%S}"
            assert file.start <= shown
        assert file.officer == (told.get("officer") or "")
        assert file.important == bool(told.get("imp"))
        assert file.number == (int(told["number"]) if told.get("number") else None)


def test_the_footage_plays_and_says_when_it_was_made(made):
    card, found = made
    local = card.files[0].path.startswith(("mpt", "Video"))
    for file in card.items:
        content = content_of(found, file)
        if file.truncated:
            with pytest.raises(av.error.InvalidDataError):
                av.open(io.BytesIO(content))
        elif file.kind is Kind.VIDEO:
            with av.open(io.BytesIO(content)) as media:
                assert (media.duration, len(media.streams)) == (2_000_000, 2)
                assert sum(1 for _ in media.decode(video=0)) == 10
                told = datetime.fromisoformat(media.metadata["creation_time"])
            assert told == (file.start.replace(tzinfo=UTC) if local else file.start)
        elif file.kind is Kind.PHOTO:
            tags = exifread.process_file(io.BytesIO(content), details=False)
            assert str(tags["EXIF DateTimeOriginal"]) == f"{file.start:%Y:%m:%d %H:%M:%S}"
        elif file.kind is Kind.AUDIO:
            with av.open(io.BytesIO(content)) as media:
                assert media.duration == 2_000_000


def test_the_file_written_at_docking_tells_the_clock(made):
    card, found = made
    if not card.plug_file:
        assert card.basis in {"label", "volume-serial"}
        return
    (plug,) = (one for one in found if one.path == card.plug_file)
    error = (plug.modified - naive(NOW)).total_seconds()
    assert card.clock_offset_s - (0.01 if card.file_system == "exfat" else 2) < error <= card.clock_offset_s


def test_the_android_recorder_leaves_what_a_pulled_plug_leaves(tmp_path):
    card = cards.dcam_exfat(tmp_path / "a.img", NOW, clips=2, seconds=1, utc_quarters=32, size=16 * MIB)
    torn, staged = card.truncated
    assert staged.path.startswith("Temp/")
    assert torn.kind is Kind.VIDEO
    assert {one.path for one in card.files if one.skipped} == {torn.path + ".target"}
    assert torn in card.items
    assert len([one for one in readback.read(card.path, card.offset) if len(one.runs) == 3]) == 1
    stamped = card.path.read_bytes().count(b"\xa0\xa0\xa0" + bytes(7) + b"\xc0")
    assert stamped == len(card.files) + 4  # and the four directories


def test_the_cheap_recorder_skips_a_number_and_locks_its_events(tmp_path):
    card = cards.novatek_fat32(tmp_path / "a.img", NOW, seconds=1, size=64 * MIB)
    numbers = sorted(one.number for one in card.files if one.number)
    assert card.holes == (4,)
    assert numbers == [1, 2, 3, 5, 6, 7, 8]
    assert [one.number for one in card.files if one.locked] == [3, 7]


def test_a_recording_over_midnight_lies_in_the_folder_of_its_start(tmp_path):
    midnight = datetime(2026, 11, 22, tzinfo=ZONE)
    now = midnight + timedelta(hours=5, seconds=-1)
    first = cards.dahua_fat32(tmp_path / "a.img", now, clips=1, seconds=2, size=64 * MIB).files[0]
    assert first.path == "mpt/2026-11-21/001/dav/23/23.59.59-00.00.01[R][0@0][0].mp4"
    assert first.end - first.start == timedelta(seconds=2)


@pytest.mark.parametrize("recipe", [cards.dcam_exfat, cards.zzx_fat32, cards.novatek_fat32])
def test_the_same_arguments_make_the_same_card(tmp_path, recipe):
    def digest(path: Path) -> str:
        recipe(path, NOW, clips=2, seconds=1, size=64 * MIB)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    assert digest(tmp_path / "a.img") == digest(tmp_path / "b.img")


def test_the_hostile_card_holds_what_it_says(tmp_path):
    card = cards.hostile_exfat(tmp_path / "a.img", NOW)
    found = [one for one in readback.read(card.path) if not one.directory]
    *plain, short = card.files
    assert Counter(hashlib.sha256(one.content).hexdigest() for one in found[:-1]) == Counter(
        one.sha256 for one in plain
    )
    # What the library makes of names that are no text: it stops at a NUL and marks half a pair.
    altered = {"nul\x00inside.mp4": "nul", "half\ud83dpair.mp4": "half^air.mp4"}
    expected = Counter(tuple(altered.get(part, part) for part in one.parts) for one in card.files)
    assert Counter(tuple(part.decode() for part in one.parts) for one in found) == expected
    assert max(len(one.parts) for one in card.files) == 41
    # Ten valid bytes: the rest of its clusters is somebody else's, and counts as zeros.
    assert (short.size, short.valid) == (64 << 10, 10)
    assert short.sha256 == hashlib.sha256(b"0123456789".ljust(64 << 10, b"\0")).hexdigest()
    assert found[-1].content[:10] == b"0123456789"
    assert b"same.mp4" not in card.path.read_bytes()  # names are UTF-16 there
    assert card.path.read_bytes().count("nul\x00inside".encode("utf-16-le")) == 1


def test_the_bench_card_cannot_be_compressed_and_looks_whole(tmp_path):
    card = cards.bench_exfat(tmp_path / "a.img", NOW, files=3, size_each=9 * MIB + 5)
    found = readback.read(card.path)
    assert readback.fsck(card.path) == ""
    assert len({content_of(found, one)[-99:] for one in card.files}) == 3
    for file in card.files:
        content = content_of(found, file)
        assert hashlib.sha256(content).hexdigest() == file.sha256
        assert len(zlib.compress(content, 1)) > 0.999 * file.size
        boxes, at = [], 0
        while at < len(content):
            size, kind = struct.unpack_from(">I4s", content, at)
            size = struct.unpack_from(">Q", content, at + 8)[0] if size == 1 else size
            boxes.append(kind)
            at += size
        assert (boxes, at) == ([b"ftyp", b"moov", b"mdat"], file.size)
        with av.open(io.BytesIO(content)) as media:
            assert datetime.fromisoformat(media.metadata["creation_time"]) == file.start


@pytest.mark.parametrize(("bits", "size"), [(12, 2 * MIB), (16, 16 * MIB), (32, 40 * MIB)])
@pytest.mark.parametrize("partitioned", [False, True])
def test_every_kind_of_fat_is_accepted_and_read_back(tmp_path, bits, size, partitioned):
    path, offset = tmp_path / "a.img", MIB if partitioned else 0
    contents = {
        "Media/王建国_" + "长" * 100 + ".mp4": b"long name" * 5000,
        "EVENT/UPPER.MP4": b"short name",
        "Media/empty.txt": b"",
        "Media/sub/zeros.bin": bytes(300_000),
    }
    with FatImage(path, size + offset, bits=bits, label="CARD 1", serial=7, partitioned=partitioned) as volume:
        for name, content in contents.items():
            volume.add(name, content, modified=WALL)
        volume.add("Media/gone for good.mp4", b"gone" * 900, modified=WALL)
        volume.delete("Media/gone for good.mp4")
        volume.add("Media/sub/later.mp4", b"later" * 900, modified=WALL)
        volume.mkdir("Empty", modified=WALL)
    assert readback.fsck(path, offset) == ""
    assert readback.label(path, offset) == "CARD 1"
    found = readback.read(path, offset)
    living = {one.path: one for one in found if not one.deleted}
    assert {one.path: one.content for one in living.values() if not one.directory} == contents | {
        "Media/sub/later.mp4": b"later" * 900
    }
    assert {one.modified for one in living.values()} == {WALL.replace(second=4, microsecond=0)}
    assert [(one.path, one.content) for one in found if one.deleted] == [("Media/gone for good.mp4", b"gone" * 900)]


@pytest.mark.parametrize(("bits", "size", "flag", "top"), [(16, 16 * MIB, 0x25, 3), (32, 40 * MIB, 0x41, 7)])
def test_a_dirty_fat_says_so_twice(tmp_path, bits, size, flag, top):
    images = []
    for dirty in (False, True):
        FatImage(tmp_path / "a.img", size, bits=bits, dirty=dirty).close()
        images.append((tmp_path / "a.img").read_bytes())
    fat_at = struct.unpack_from("<H", images[0], 14)[0] * 512
    assert [image[flag] for image in images] == [0, 1]
    assert [image[fat_at + top] for image in images] == ([0xFF, 0x7F] if bits == 16 else [0x0F, 0x07])


def test_a_fat_image_refuses_what_it_cannot_hold(tmp_path):
    with pytest.raises(Misused, match="cannot be made"):
        FatImage(tmp_path / "a.img", 8 * MIB, bits=32)
    with pytest.raises(Misused, match="too long"):
        FatImage(tmp_path / "a.img", 16 * MIB, bits=16, label="执法记录仪一")
    with FatImage(tmp_path / "a.img", 16 * MIB, bits=16) as volume:
        with pytest.raises(Misused, match="full"):
            volume.add("a", b"", size=17 * MIB, modified=WALL)
        with pytest.raises(Misused, match="below 4 GiB"):
            volume.add("a", b"", size=1 << 32, modified=WALL)
        free = (16 * MIB) - (1 * MIB)
        volume.add("almost.mp4", b"", size=free, modified=WALL)
    assert readback.fsck(tmp_path / "a.img") == ""


def test_footage_comes_whole_torn_and_in_fragments():
    whole = footage.clip(NOW, 2)
    pieces = footage.clip(NOW, 2, fragmented=True)
    assert whole.count(b"moof") == 0
    assert pieces.count(b"moof") >= 1
    assert b"moov" in whole[-3000:]
    assert b"moov" not in footage.truncate(whole, 0.7)
    with av.open(io.BytesIO(pieces)) as media:
        assert sum(1 for _ in media.decode(video=0)) == 10
    assert footage.clip(NOW, 2, scene=1) != whole
    assert len(footage.clip(NOW, 6)) > 1.2 * len(whole)


@pytest.mark.parametrize(("module", "make"), [("av", footage.photo), ("pyfatfs.PyFat", None)])
def test_a_missing_package_is_told_with_its_remedy(tmp_path, monkeypatch, module, make):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Misused, match=r"Install bwcdock\[demo\]"):
        make(NOW) if make else FatImage(tmp_path / "a.img", 40 * MIB)
