"""The exFAT writer against two readers that know nothing of it: The Sleuth Kit, and the distribution's checker."""

import os
import struct
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from bwcdock.errors import Misused
from bwcdock.testing import exfat_records as records
from bwcdock.testing import readback
from bwcdock.testing.exfat import ExfatImage
from bwcdock.testing.exfat_records import ARCHIVE, READ_ONLY
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WALL = datetime(2026, 11, 21, 9, 3, 5, 340000)  # noqa: DTZ001 - the wall time of a recorder has no zone
MIB = 1 << 20


def used_clusters(path: Path) -> set[int]:
    """What the allocation bitmap says, read by hand: it is the first thing in the heap."""
    image = path.read_bytes()
    heap, count = struct.unpack_from("<II", image, 88)
    bits = image[heap * 512 :][: -(-count // 8)]
    return {number + 2 for number in range(count) if bits[number >> 3] >> (number & 7) & 1}


def chain(path: Path, first: int) -> list[int]:
    """The clusters of a FAT chain, read by hand."""
    image, clusters = path.read_bytes(), [first]
    fat = struct.unpack_from("<I", image, 80)[0] * 512
    while (link := struct.unpack_from("<I", image, fat + clusters[-1] * 4)[0]) != 0xFFFFFFFF:
        clusters.append(link)
    return clusters


def living(path: Path, offset: int = 0) -> dict[str, readback.Found]:
    return {one.path: one for one in readback.read(path, offset) if not one.deleted}


@pytest.mark.parametrize("cluster", [512, 4096, 32768])
@pytest.mark.parametrize("partitioned", [False, True])
@pytest.mark.parametrize("dirty", [False, True])
def test_everything_written_is_read_back_and_accepted(tmp_path, cluster, partitioned, dirty):
    path, offset = tmp_path / "card.img", MIB if partitioned else 0
    contents = {
        "Media/王建国_ÀéÖ.mp4": os.urandom(100_000),
        "Media/pieces.mp4": os.urandom(200_001),
        "Media/empty.txt": b"",
        "A/b/C/d/deep.bin": os.urandom(cluster),
        "n" * 255: b"long",
    }
    with ExfatImage(
        path, 8 * MIB, label="警用01", serial=0xCAFE0001, cluster=cluster, partitioned=partitioned, dirty=dirty
    ) as volume:
        for name, content in contents.items():
            volume.add(name, content, modified=WALL, fragments=4 if "pieces" in name else 1)
        volume.add("Media/gone.mp4", b"gone" * 500, modified=WALL)
        volume.delete("Media/gone.mp4")
        volume.mkdir("Empty", modified=WALL)
        volume.mkdir("Empty", modified=WALL)
    assert readback.fsck(path, offset) == ""
    assert readback.label(path, offset) == "警用01"
    found = living(path, offset)
    assert {name: one.content for name, one in found.items() if not one.directory} == contents
    assert {name for name, one in found.items() if one.directory} == {
        "Media", "A", "A/b", "A/b/C", "A/b/C/d", "Empty"
    }  # fmt: skip
    boot = path.read_bytes()[offset : offset + 24 * 512]
    assert boot[: 12 * 512] == boot[12 * 512 :]
    assert struct.unpack_from("<I", boot, 100) == (0xCAFE0001,)
    assert struct.unpack_from("<Q", boot, 64) == (offset // 512,)
    assert struct.unpack_from("<H", boot, 106)[0] & 2 == (2 if dirty else 0)


@pytest.mark.parametrize("at", ["boot", "entry", "bitmap", "table"])
def test_the_checker_would_have_complained(tmp_path, at):
    path = tmp_path / "card.img"
    with ExfatImage(path, 4 * MIB) as volume:
        volume.add("a.mp4", b"x" * 9000, modified=WALL)
    image = bytearray(path.read_bytes())
    heap = struct.unpack_from("<I", image, 88)[0] * 512
    place = {"boot": 112 + 512, "entry": image.index(b"\x85\x02") + 4, "bitmap": heap, "table": heap + 4096}[at]
    image[place] ^= 8  # in the bitmap: the first cluster of the file
    path.write_bytes(image)
    if readback.shutil.which("fsck.exfat", path="/usr/sbin"):
        assert readback.fsck(path) != ""


def test_fragments_are_runs_with_gaps_and_whole_files_are_one_run(tmp_path):
    path = tmp_path / "card.img"
    with ExfatImage(path, 8 * MIB, cluster=4096) as volume:
        pieces = volume.add("pieces", os.urandom(10 * 4096 - 5), modified=WALL, fragments=4)
        whole = volume.add("whole", os.urandom(10 * 4096), modified=WALL)
        single = volume.add("single", b"!", modified=WALL, fragments=4)
    found = living(path)
    assert [length // 4096 for _, length in found["pieces"].runs] == [3, 3, 2, 2]
    assert [at for at, _ in found["pieces"].runs] == [at for at, _ in pieces]
    assert all(b > a + length for (a, length), (b, _) in pairwise(pieces))
    assert found["whole"].runs == tuple(whole)
    assert [at for at, _ in found["single"].runs] == [at for at, _ in single]


def test_a_deleted_file_is_found_as_deleted_with_its_bytes(tmp_path):
    path, content = tmp_path / "card.img", os.urandom(50_000)
    with ExfatImage(path, 8 * MIB) as volume:
        volume.add("Media/gone.mp4", content, modified=WALL)
        volume.add("Old/a.mp4", b"a", modified=WALL)
        volume.delete("Media/gone.mp4")
        volume.delete("Old")
        volume.add("Media/later.mp4", os.urandom(50_000), modified=WALL)
        with pytest.raises(Misused, match="There is no"):
            volume.delete("Media/gone.mp4")
    found = readback.read(path)
    assert [one.content for one in found if one.path == "Media/gone.mp4" and one.deleted] == [content]
    assert {one.path for one in found if one.deleted} == {"Media/gone.mp4", "Old"}
    assert "Media/later.mp4" in living(path)
    heap = struct.unpack_from("<I", path.read_bytes(), 88)[0] * 512
    freed = {(at - heap) // 4096 + 2 for one in found if one.deleted for at, _ in one.runs}
    assert len(freed) == 2
    assert not freed & used_clusters(path)
    assert readback.fsck(path) == ""


@pytest.mark.parametrize(("quarters", "byte"), [(None, 0x00), (0, 0x80), (32, 0xA0), (-20, 0xEC)])
def test_times_keep_ten_milliseconds_and_say_their_zone_or_nothing(tmp_path, quarters, byte):
    path = tmp_path / "card.img"
    made = WALL - timedelta(days=400, seconds=11)
    with ExfatImage(path, 2 * MIB) as volume:
        volume.add("a", b"a", modified=WALL, created=made, utc_quarters=quarters, attributes=READ_ONLY | ARCHIVE)
    image = path.read_bytes()
    entry = image[image.index(b"\x85\x02") :][:32]
    assert entry[22:25] == bytes([byte] * 3)
    assert entry[20:22] == bytes([made.second % 2 * 100 + 34, WALL.second % 2 * 100 + 34])
    assert struct.unpack_from("<H", entry, 4) == (0x21,)
    (found,) = living(path).values()
    assert found.read_only
    if quarters is None:
        assert found.modified == WALL


def test_sizes_are_64_bit_and_holes_cost_nothing(tmp_path):
    path, size = tmp_path / "card.img", (5 << 30) + 3
    with ExfatImage(path, 8 << 30) as volume:
        head = [b"head", bytes(64 * MIB)]
        places = volume.add("long.mp4", head, size=size, modified=WALL, fragments=2)
        volume.add("after.mp4", b"after", modified=WALL)
    last = places[-1][0] + places[-1][1] - 4
    with path.open("r+b") as image:
        image.seek(last)
        image.write(b"tail")
    assert path.stat().st_blocks * 512 < 4 * MIB
    long, after = (one for one in readback.read(path, limit=4) if not one.directory)
    assert (long.size, long.content, after.content) == (size, b"head", b"afte")
    assert sum(length for _, length in long.runs) >= size
    assert sum(length for _, length in places) == size


def test_what_cannot_be_held_is_refused(tmp_path):
    with pytest.raises(Misused, match="too few"):
        ExfatImage(tmp_path / "a.img", 512 << 10)
    with pytest.raises(Misused, match="too long"):
        ExfatImage(tmp_path / "a.img", 2 * MIB, label="twelve chars")
    with ExfatImage(tmp_path / "a.img", 2 * MIB) as volume, pytest.raises(Misused, match="full"):
        volume.add("a", b"", size=3 * MIB, modified=WALL)
    with ExfatImage(tmp_path / "a.img", 2 * MIB) as volume:
        for name in ("", "n" * 256, "a//b"):
            with pytest.raises(Misused, match="cannot be held"):
                volume.add(name, b"", modified=WALL)
        with pytest.raises(Misused, match="not known"):
            volume.add("a", iter([b"a"]), modified=WALL)
        with pytest.raises(Misused, match="longer"):
            volume.add("a", b"aa", size=1, modified=WALL)


def test_content_comes_from_bytes_a_file_or_a_stream(tmp_path):
    data = os.urandom(300_000)
    (tmp_path / "source").write_bytes(data)
    path = tmp_path / "card.img"
    with ExfatImage(path, 4 * MIB) as volume:
        volume.add("bytes", data, modified=WALL)
        volume.add("path", tmp_path / "source", modified=WALL)
        pieces = (data[at : at + 777] for at in range(0, len(data), 777))
        volume.add("stream", pieces, size=len(data), modified=WALL, fragments=3)
    assert [one.content for one in living(path).values()] == [data] * 3


def test_the_upcase_table_covers_the_basic_plane():
    checksum, table = records.upcase_table()
    units, plane = iter(struct.unpack(f"<{len(table) // 2}H", table)), []
    for unit in units:
        plane += range(len(plane), len(plane) + next(units)) if unit == 0xFFFF else [unit]
    assert len(plane) == 0x10000
    assert "".join(map(chr, plane[:128])) == "".join(map(chr, range(128))).upper()
    assert (chr(plane[ord("é")]), chr(plane[ord("я")]), chr(plane[ord("警")])) == ("É", "Я", "警")
    assert all(plane[unit] >= 128 for unit in range(128, 0x10000))  # nothing else becomes an ASCII letter
    total = 0
    for byte in table:
        total = ((total << 31 | total >> 1) & 0xFFFFFFFF) + byte & 0xFFFFFFFF
    assert checksum == total


# Names that the specification allows (7.7.3), so that the checker has nothing to say about them.
allowed = st.characters(
    min_codepoint=32, max_codepoint=0xFFFD, exclude_characters='"*/:<>?\\|\x7f', exclude_categories=["C"]
)
names = st.text(allowed, min_size=1, max_size=40).filter(lambda name: name.strip(". ") == name)
contents = st.integers(0, 9000).map(lambda size: (b"%d." % size * (size // 2 + 1))[:size])
leaf = st.tuples(contents, st.integers(1, 4), st.booleans())
trees = st.recursive(
    st.dictionaries(names, leaf, max_size=5),
    lambda inner: st.dictionaries(names, leaf | inner, max_size=5),
    max_leaves=12,
)


def unique(tree: dict) -> dict:
    """No two names of a directory that differ in case only."""
    kept = {}
    for name, value in tree.items():
        kept.setdefault(name.upper(), (name, value))
    return {name: unique(value) if isinstance(value, dict) else value for name, value in kept.values()}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=trees.map(unique))
def test_any_tree_comes_back(tmp_path, tree):
    path = tmp_path / "card.img"
    expected: dict[tuple[str, ...], bytes] = {}
    gone: dict[tuple[str, ...], bytes | None] = {}
    with ExfatImage(path, 2 * MIB, cluster=1024) as volume:

        def put(level: dict, above: tuple[str, ...]) -> None:
            for name, value in level.items():
                here = (*above, name)
                if isinstance(value, dict):
                    volume.mkdir(here, modified=WALL)
                    put(value, here)
                    continue
                content, fragments, deleted = value
                volume.add(here, content, modified=WALL, fragments=fragments)
                if deleted:
                    volume.delete(here)
                    # A deleted file in fragments cannot be followed by a reader: its chain may be another's by now.
                    gone[here] = content if fragments == 1 else None
                else:
                    expected[here] = content

        put(tree, ())
    assert readback.fsck(path) == ""
    found = readback.read(path)

    def text(one: readback.Found) -> tuple[str, ...]:
        return tuple(part.decode() for part in one.parts)

    assert {text(one): one.content for one in found if not (one.deleted or one.directory)} == expected
    image = path.read_bytes()
    heap, root = struct.unpack_from("<I", image, 88)[0] * 512, struct.unpack_from("<I", image, 96)[0]
    taken = {
        (at - heap) // 1024 + 2 + step
        for one in found
        for at, length in one.runs
        for step in range(length // 1024)
        if not one.deleted
    }
    # The checker does not notice clusters that are marked without need; the bitmap is cluster 2, the table follows it.
    assert used_clusters(path) == taken | set(chain(path, 2)) | set(chain(path, 3)) | set(chain(path, root))
    lost = {text(one): one.content for one in found if one.deleted}
    assert lost.keys() == gone.keys()
    assert all(lost[name] == content for name, content in gone.items() if content is not None)
