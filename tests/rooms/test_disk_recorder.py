"""Disks as recorders: what a card says of itself, what is odd on it, and that no card costs more than itself."""

import os
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import Finding, Sighting
from bwcdock.errors import Misbehaved, NotAllowed, Unreadable
from bwcdock.testing.driver_suite import held, page_aligned
from bwcdock.testing.exfat import ExfatImage
from bwcdock.testing.exfat_records import DIRECTORY
from bwcdock.testing.fat import FatImage
from bwcdock_drivers import card, walk
from bwcdock_drivers.mass_storage import MassStorageDriver
from odd_cards import MIB, WALL, card_with, node, places

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


def notes(path: Path) -> dict[str, Finding]:
    with MassStorageDriver().open(Sighting(port="p", source=str(path))) as recorder:
        return {n.code: n for n in recorder.condition(NOW).notes}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "card.img"
    with ExfatImage(path, 2 * MIB, label="BWC") as volume:
        volume.add("a.mp4", b"x" * 5000, modified=WALL)
    return path


# --- what cannot be opened --------------------------------------------------------------------------------------------


def opening(path: Path) -> None:
    with MassStorageDriver().open(Sighting(port="p", source=str(path))):
        pass


def test_a_link_a_pipe_and_a_folder_are_no_cards(image, tmp_path):
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(image)
    os.mkfifo(pipe)
    for path in (link, pipe, tmp_path):
        assert MassStorageDriver().claims(Sighting(port="p", source=str(path))) == 0
        with pytest.raises(NotAllowed):
            opening(path)


@pytest.mark.parametrize("head", [b"LUKS\xba\xbe", b"\0" * 512 + b"LABELONE", b"\xeb\x3c\x90-FVE-FS-", b"just a film"])
def test_a_card_without_a_known_file_system_is_refused_by_name(tmp_path, head):
    path = tmp_path / "card.img"
    path.write_bytes(head.ljust(MIB, b"\0"))
    with pytest.raises(Misbehaved) as error:
        opening(path)
    assert any(word in error.value.what for word in ("luks", "lvm", "bitlocker", "no known file system"))


def test_a_volume_that_claims_more_than_its_card_is_cut_to_it(image):
    with image.open("r+b") as card_image:
        card_image.seek(0x48)
        card_image.write(b"\xff" * 8)  # the volume length of exFAT, in sectors
    found = notes(image)
    assert "volume.truncated" in found
    with MassStorageDriver().open(Sighting(port="p", source=str(image))) as recorder:
        assert recorder.condition(NOW).storage_total == 2 * MIB
        assert [i.path for i in recorder.items()] == ["a.mp4"]


def test_several_partitions_are_listed_under_their_numbers(tmp_path, image):
    part = image.read_bytes()
    path = tmp_path / "two.img"
    entry = b"\0\xfe\xff\xff\x07\xfe\xff\xff" + (2048).to_bytes(4, "little") + (4096).to_bytes(4, "little")
    second = entry[:8] + (8192).to_bytes(4, "little") + (4096).to_bytes(4, "little")
    third = entry[:8] + (16384).to_bytes(4, "little") + (64).to_bytes(4, "little")
    table = bytes(446) + entry + second + third + bytes(16) + b"\x55\xaa"
    path.write_bytes(table.ljust(MIB, b"\0") + part + bytes(MIB) + part + bytes(4 * MIB))
    with MassStorageDriver().open(Sighting(port="p", source=str(path))) as recorder:
        assert [i.path for i in recorder.items()] == ["a.mp4", "p2/a.mp4"]
        buffer = page_aligned(8192)
        assert [recorder.read_into(i, 0, buffer) for i in recorder.items()] == [5000, 5000]
        codes = {n.code for n in recorder.condition(NOW).notes}
        assert {"volume.several", "volume.unknown"} <= codes


# --- hostile directories ----------------------------------------------------------------------------------------------


def test_a_folder_that_leads_back_is_not_followed_for_ever(tmp_path):
    path = card_with(tmp_path / "card.img", node("x", attributes=DIRECTORY, runs=[(2, 1)], size=4096))
    root = places(path)["root cluster"]
    loop = node("loop", attributes=DIRECTORY, runs=[(root, 1)], size=4096, valid=4096)
    found = notes(card_with(path, loop))
    assert found["directory.loop"].evidence == (("d/loop/d", ""),)


def test_a_size_beyond_the_volume_is_told_and_is_no_item(tmp_path):
    path = tmp_path / "card.img"
    with FatImage(path, 8 * MIB, bits=16) as volume:
        volume.add("GOOD.MP4", b"x" * 5000, modified=WALL)
        volume.add("HUGE.MP4", b"x" * 5000, modified=WALL)
    data = bytearray(path.read_bytes())
    at = data.index(b"HUGE    MP4")
    data[at + 28 : at + 32] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    with MassStorageDriver().open(Sighting(port="p", source=str(path))) as recorder:
        assert {i.path: i.size for i in recorder.items()} == {"GOOD.MP4": 5000}
        (told,) = (n for n in recorder.condition(NOW).notes if n.code == "directory.unreadable")
    assert told.evidence == (("/: 1 entries make no sense", ""),)


@pytest.mark.parametrize(
    "odd",
    [
        {"runs": [(20, 1)], "size": 1 << 62},
        {"runs": [(20, 1)], "size": (1 << 64) - 1},
        {"runs": [(1 << 20, 2)], "size": 5000},
    ],
    ids=str,
)
def test_an_entry_that_makes_no_sense_is_told(tmp_path, odd):
    left = node("left.mp4", runs=[(50, 1)], size=50, valid=50, deleted=True)
    path = card_with(tmp_path / "card.img", node("odd.mp4", valid=0, **odd), node("good.mp4"), left)
    with MassStorageDriver().open(Sighting(port="p", source=str(path))) as recorder:
        assert {i.path for i in recorder.items()} == {"a.mp4", "d/good.mp4"}
        (told,) = (n for n in recorder.condition(NOW).notes if n.code == "directory.unreadable")
    assert told.evidence == (("d: 1 entries make no sense", ""),)


def test_more_valid_bytes_than_the_file_has_are_its_size(tmp_path):
    path = card_with(tmp_path / "card.img", node("odd.mp4", runs=[(20, 1)], size=100, valid=4000))
    with MassStorageDriver().open(Sighting(port="p", source=str(path))) as recorder:
        assert {i.path: i.size for i in recorder.items()} == {"a.mp4": 5000, "d/odd.mp4": 100}
        assert "exfat.valid_length" not in {n.code for n in recorder.condition(NOW).notes}


def test_two_files_of_one_name_are_both_there(tmp_path):
    path = tmp_path / "card.img"
    with ExfatImage(path, 4 * MIB) as volume:
        for data in (b"one", b"other", b"third!"):
            volume.add("V.mp4", data, modified=WALL)
        volume.add("V.mp4~3", b"really so named", modified=WALL)
    with MassStorageDriver().open(Sighting(port="p", source=str(path))) as recorder:
        buffer, items = page_aligned(4096), recorder.items()
        read = {i.path: bytes(buffer[: recorder.read_into(i, 0, buffer)]) for i in items}
        codes = {n.code for n in recorder.condition(NOW).notes}
    assert sorted(read.values()) == [b"one", b"other", b"really so named", b"third!"]
    assert read["V.mp4"] == b"one"
    assert read["V.mp4~2"] == b"other"
    assert "name.duplicate" in codes


def test_many_files_of_one_name_cost_no_more_than_as_many_others(tmp_path):
    path = card_with(tmp_path / "card.img", node("n.mp4"), copies=6000)
    began = time.monotonic()
    with MassStorageDriver().open(Sighting(port="p", source=str(path))) as recorder:
        assert len({i.path for i in recorder.items()}) == 6001
    assert time.monotonic() - began < 5


def test_too_deep_is_refused(tmp_path):
    path = tmp_path / "card.img"
    with ExfatImage(path, 4 * MIB, cluster=512) as volume:
        volume.add((*(f"d{n}" for n in range(walk.DEPTH_MAX + 2)), "x.mp4"), b"x", modified=WALL)
    with pytest.raises(Misbehaved, match="inside each other"):
        opening(path)


def test_a_broken_chain_gives_what_is_known_and_says_the_rest_is_not(tmp_path):
    path = tmp_path / "card.img"
    with FatImage(path, 8 * MIB, bits=16) as volume:
        places = volume.add("big.mp4", bytes(range(256)) * 400, modified=WALL)
    data = bytearray(path.read_bytes())
    cluster, reserved = data[13] * 512, int.from_bytes(data[14:16], "little")
    entries = (
        reserved * 512 + 2 * 512 * int.from_bytes(data[22:24], "little") + 32 * int.from_bytes(data[17:19], "little")
    )
    second = (places[0][0] - entries) // cluster + 2 + 1
    for copy in (0, 1):
        at = (reserved + copy * int.from_bytes(data[22:24], "little")) * 512 + 2 * second
        data[at : at + 2] = b"\0\0"
    path.write_bytes(data)
    with MassStorageDriver().open(Sighting(port="p", source=str(path))) as recorder:
        (item,) = recorder.items()
        known, buffer = 2 * cluster, page_aligned(1 << 20)
        assert item.size == 102_400
        assert recorder.read_into(item, 0, buffer) == known
        with pytest.raises(Unreadable) as error:
            recorder.read_into(item, known, buffer)
        assert [(s.offset, s.length) for s in error.value.spans] == [(known, item.size - known)]
        assert "file.chain_broken" in {n.code for n in recorder.condition(NOW).notes}


def test_a_file_without_places_is_read_through_the_reader(image):
    with MassStorageDriver().open(Sighting(port="p", source=str(image))) as recorder:
        recorder._files["a.mp4"] = replace(recorder._files["a.mp4"], places=None)
        (item,) = recorder.items()
        buffer = page_aligned(4096)
        assert [recorder.read_into(item, at, buffer) for at in (0, 4096, 5000, 9000)] == [4096, 904, 0, 0]
        assert bytes(buffer[:904]) == b"x" * 904


# --- deleted ----------------------------------------------------------------------------------------------------------


def test_deleted_files_are_told_at_most_two_hundred_and_the_rest_counted(tmp_path):
    path = tmp_path / "card.img"
    names = [f"V{n:03}.mp4" for n in range(card.LISTED_MAX + 30)]
    with ExfatImage(path, 4 * MIB, cluster=512) as volume:
        for name in [*names, "kept.mp4"]:
            volume.add(name, b"xy", modified=WALL)
        for name in names:
            volume.delete(name)
    with MassStorageDriver().open(Sighting(port="p", source=str(path))) as recorder:
        assert [i.path for i in recorder.items()] == ["kept.mp4"]
        (told,) = (n for n in recorder.condition(NOW).notes if n.code == "deleted.before_docking")
    assert len(told.evidence) <= card.LISTED_MAX + 1
    assert len(told.evidence) - 1 + int(dict(told.evidence)["more"]) == len(names)
    assert sum(len(a.encode()) + len(b.encode()) for a, b in told.evidence) < card.EVIDENCE_BYTES
    assert told.evidence[0] == (
        "V000.mp4",
        "2 bytes, created 2026-11-21T08:30:04.000, modified 2026-11-21T08:30:04.000",
    )


def test_a_file_that_was_moved_is_not_called_deleted(tmp_path):
    path = card_with(tmp_path / "card.img")
    with MassStorageDriver().open(Sighting(port="p", source=str(path))) as recorder:
        (file,) = recorder._files.values()
    cluster = (file.places[0][0] - places(path)["heap"]) // 4096 + 2
    left = node("staged.mp4", runs=[(cluster, 2)], size=5000, valid=5000, deleted=True)
    gone = node("gone.mp4", runs=[(cluster + 50, 2)], size=5000, valid=5000, deleted=True)
    assert "deleted.before_docking" not in notes(card_with(path, left))
    told = notes(card_with(path, left, gone))["deleted.before_docking"]
    assert [name for name, _ in told.evidence] == ["d/gone.mp4"]


# --- many broken cards ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, tuple[bytes, list[tuple[int, int]]]]:
    """Small cards with the parts of them worth damaging: boot sectors, tables, folders."""
    root = tmp_path_factory.mktemp("originals")
    with ExfatImage(root / "exfat", 2 * MIB, label="BWC", cluster=4096) as volume:
        for n in range(12):
            places = volume.add(f"Media/V{n}.mp4", b"x" * 9000, modified=WALL, fragments=1 + n % 3)
    heap = int.from_bytes((root / "exfat").read_bytes()[88:92], "little") * 512
    with FatImage(root / "fat16", 6 * MIB, bits=16, label="BWC") as volume:
        for n in range(12):
            volume.add(f"Media/V{n}.mp4", b"x" * 9000, modified=WALL)
    exfat, fat16 = (root / "exfat").read_bytes(), (root / "fat16").read_bytes()
    return {
        "exfat": (exfat, [(0, 512), (65536, 65536 + 512), (heap, heap + 16384), (places[-1][0], len(exfat) // 3)]),
        "fat16": (fat16, [(0, 512), (512, 1024), (0, 60_000), (40_000, 80_000)]),
    }


@pytest.mark.parametrize("seeds", [range(n, n + 25) for n in range(0, 200, 25)], ids=lambda r: f"{r.start}")
def test_a_corrupt_card_is_refused_by_type_or_read_within_its_limits(originals, tmp_path, seeds):
    driver, buffer, path = MassStorageDriver(), page_aligned(65536), tmp_path / "card.img"
    for seed in seeds:
        chance = Random(seed)
        data, parts = originals[("exfat", "fat16")[seed % 2]]
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 5, 40, 200))):
            start, stop = chance.choice(parts)
            damaged[chance.randrange(start, max(stop, start + 1))] = chance.choice((0, 255, chance.randrange(256)))
        path.write_bytes(damaged)
        before, began = held(), time.process_time()
        with suppress(Misbehaved, Unreadable), driver.open(Sighting(port="p", source=str(path))) as recorder:
            condition = recorder.condition(NOW)
            assert sum(len(repr(n).encode()) for n in condition.notes) < 60 << 10
            for item in recorder.items():
                assert item.size <= len(data)
                with suppress(Unreadable):
                    assert recorder.read_into(item, 0, buffer) <= item.size
        assert time.process_time() - began < 10
        assert held() == before


# --- what it says of itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fat12", "fat16", "fat32", "exfat"])
@pytest.mark.parametrize("dirty", [False, True])
def test_label_serial_room_and_dirty_mark(tmp_path, kind, dirty):
    free = []
    for size in (5000, 5000 + 64 * 4096):
        path = tmp_path / f"{size}.img"
        if kind == "exfat":
            volume = ExfatImage(path, 4 * MIB, label="警号0417", serial=0x0417ABCD, cluster=4096, dirty=dirty)
        else:
            room = {"fat12": 2, "fat16": 8, "fat32": 36}[kind] * MIB
            volume = FatImage(path, room, bits=int(kind[3:]), label="警号0417", serial=0x0417ABCD, dirty=dirty)
        with volume:
            volume.add("a.mp4", bytes(size), modified=WALL)
        with MassStorageDriver().open(Sighting(port="p", source=str(path))) as recorder:
            identity, condition = recorder.identity(), recorder.condition(NOW)
        assert (identity.serial, identity.basis) == ("vol-0417ABCD", "volume-serial")
        assert identity.label == "警号0417"
        assert condition.dirty is dirty
        assert condition.storage_total is not None
        assert 0 < (condition.storage_free or 0) < condition.storage_total <= path.stat().st_size
        free.append(condition.storage_free)
    assert free[0] - free[1] == 64 * 4096


def test_a_card_without_serial_number_says_that_it_cannot_be_told_apart(tmp_path):
    path = tmp_path / "card.img"
    with ExfatImage(path, 2 * MIB, serial=0) as volume:
        volume.add("a.mp4", b"x", modified=WALL)
    assert "identity.weak" in notes(path)


def test_a_time_with_its_own_offset_is_told_with_it(tmp_path):
    path = tmp_path / "card.img"
    with ExfatImage(path, 2 * MIB) as volume:
        volume.add("said.mp4", b"x", modified=WALL, utc_quarters=-14)
        volume.add("unsaid.mp4", b"x", modified=WALL)
    with MassStorageDriver().open(Sighting(port="p", source=str(path))) as recorder:
        said, unsaid = recorder.items()
    assert (said.claim.zone, said.modified) == ("-03:30", (WALL + timedelta(hours=3.5)).replace(tzinfo=UTC))
    assert (unsaid.claim.zone, unsaid.modified) == ("Asia/Shanghai", (WALL - timedelta(hours=8)).replace(tzinfo=UTC))
    assert unsaid.modified_text == "2026-11-21 08:30:04"
    assert unsaid.claim.end == unsaid.modified
    assert (unsaid.claim.start, unsaid.claim.source, unsaid.claim.resolution_ms) == (None, "mtime", 10)
