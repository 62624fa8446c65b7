"""Drop folders: what lies there, once it stands still, is docked."""

import asyncio
import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from bwcdock.clock import WallClock
from bwcdock.core.facts import Severity
from bwcdock.detect import folders
from bwcdock.detect.folders import DropFolder, FolderWatch
from bwcdock.detect.named import Named
from watchdog.observers.api import BaseObserver

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


class Bench:
    """A drop folder, a watch of it, and a time that a test moves."""

    def __init__(self, tmp_path, **limits):
        self.drop = tmp_path / "drop"
        self.drop.mkdir(exist_ok=True)
        self.now = START
        told = {"rescan_s": 30, "children": 50, "entries": 1000} | limits
        self.watch = FolderWatch([DropFolder(path=self.drop, slot=4, stable_s=5)], **told)

    def child(self, name, files=("DCIM/1.mp4",), age_s=60):
        path = self.drop / name
        for file in files:
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            (path / file).write_bytes(b"x" * 100)
        path.mkdir(exist_ok=True)
        self.date(path, age_s)
        return path

    def date(self, path, age_s):
        at = (self.now - timedelta(seconds=age_s)).timestamp()
        os.utime(path, (at, at))

    def ports(self, after=0.0):
        self.now += timedelta(seconds=after)
        return [s.port for s in self.watch.current(self.now)]

    def codes(self):
        return [f.code for f in self.watch.findings]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_a_child_is_sighted_once_it_stands_still(bench):
    bench.child("cam1")
    assert bench.ports() == []
    assert bench.watch.due == START + timedelta(seconds=5)
    assert bench.ports(4.9) == []
    assert bench.ports(0.1) == ["drop:1:cam1"]
    (sighting,) = bench.watch.current(bench.now)
    assert (sighting.source, sighting.slot, sighting.live) == (str(bench.drop / "cam1"), 4, False)
    assert bench.watch.due == bench.now + timedelta(seconds=30)


def test_a_child_that_grows_is_not_sighted(bench):
    path = bench.child("cam1")
    assert bench.ports() == []
    for _ in range(4):
        with (path / "DCIM" / "1.mp4").open("ab") as file:
            file.write(b"more")
        assert bench.ports(5) == []
    assert bench.ports(5) == ["drop:1:cam1"]


def test_a_child_that_changes_later_is_docked_anew(bench):
    path = bench.child("cam1")
    assert (bench.ports(), bench.ports(5)) == ([], ["drop:1:cam1"])
    (path / "DCIM" / "2.mp4").write_bytes(b"new")
    assert bench.ports(29) == ["drop:1:cam1"]  # not looked at yet
    assert bench.ports(1) == []
    assert bench.ports(5) == ["drop:1:cam1"]


def test_another_child_of_the_same_name_is_another(bench):
    path = bench.drop / "card.img"
    path.write_bytes(b"a" * 1000)
    bench.date(path, 60)
    assert (bench.ports(), bench.ports(5)) == ([], ["drop:1:card.img"])
    path.rename(bench.drop / ".old")
    path.write_bytes(b"b" * 1000)
    bench.date(path, 65)  # the same moment, name and size: only the inode tells
    assert bench.ports(30) == []


def test_a_child_that_goes_is_gone(bench):
    bench.child("cam1", files=())
    assert (bench.ports(), bench.ports(5)) == ([], ["drop:1:cam1"])
    (bench.drop / "cam1").rmdir()
    assert bench.ports(30) == []


def test_no_copy_is_live_however_new(bench):
    """Every copy was changed just now; what the recorder wrote when it was plugged in may be years old."""
    for name, age_s in (("old", 601), ("new", 0), ("ahead", -700)):
        bench.child(name, age_s=age_s)
    bench.ports()
    bench.ports(5)
    assert [s.live for s in bench.watch.current(bench.now)] == [False, False, False]


@pytest.fixture
def open_place():
    """A directory that every user may enter, as the directories of a test may not be."""
    with TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield Path(place)


def test_what_cannot_be_looked_at_is_not_docked_and_holds_up_nobody(open_place):
    """A worn disk or a stale share: one child that fails must not end the watch."""
    bench = Bench(open_place)
    (bench.drop / "card.img").write_bytes(b"x" * 512)
    bench.drop.chmod(0o444)  # its names can be read, and nothing behind them
    with no_power_over_files():
        assert bench.ports() == []
    assert bench.codes() == ["drop.unreadable"]
    bench.drop.chmod(0o755)
    bench.ports(30)
    assert (bench.ports(5), bench.codes()) == (["drop:1:card.img"], [])


def test_a_named_source_that_cannot_be_looked_at_is_not_docked(tmp_path):
    card = tmp_path / "dock" / "card"
    card.mkdir(parents=True)
    watch = Named([card])
    (port,) = watch.ports
    card.parent.chmod(0)
    with no_power_over_files():
        assert watch.current(START) == ()
    (told,) = watch.findings
    assert (told.code, told.evidence) == ("source.unreadable", (("port", port),))
    card.parent.chmod(0o755)
    assert [s.port for s in watch.current(START)] == [port]
    assert watch.findings == ()
    card.rmdir()
    assert (watch.current(START), watch.findings) == ((), ())  # taken away is no trouble


def test_a_named_copy_is_live_only_where_its_maker_says_so(tmp_path):
    image = tmp_path / "card.img"
    image.write_bytes(b"x")  # this moment
    now = WallClock().now()
    (unsaid,) = Named([image]).current(now)
    (said,) = Named([image], live=True).current(now)
    assert (unsaid.live, said.live) == (False, True)


@contextmanager
def no_power_over_files():
    """Root without the right to pass over permissions, as every other user is."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(mine)


def test_images_are_known_by_their_ending_or_their_boot_mark(bench):
    sector = b"\xeb\x3c\x90".ljust(510, b"\0")
    for name, data in {
        "card.img": b"",
        "CARD.DD": b"x",
        "a.exfat": b"x",
        "stick": sector + b"\x55\xaa",
        "stick2": sector + b"\x55\xaa" + b"more",
        "notes.txt": b"hello",
        "other": sector + b"\xaa\x55",
        "short": b"\x55\xaa",
    }.items():
        (bench.drop / name).write_bytes(data)
    bench.ports()
    assert bench.ports(5) == [f"drop:1:{n}" for n in ("CARD.DD", "a.exfat", "card.img", "stick", "stick2")]
    assert bench.codes() == ["drop.unknown"] * 3
    assert {f.severity for f in bench.watch.findings} == {Severity.NOTE}


def test_links_are_refused(bench, tmp_path):
    (tmp_path / "real").mkdir()
    (bench.drop / "link").symlink_to(tmp_path / "real")
    (bench.drop / "dangling.img").symlink_to("/nowhere")
    bench.ports()
    assert bench.ports(5) == []
    assert bench.codes() == ["drop.link", "drop.link"]


def test_links_inside_a_child_are_not_followed(bench, tmp_path):
    (tmp_path / "outside").mkdir()
    path = bench.child("cam1")
    (path / "link").symlink_to(tmp_path / "outside")
    (path / "loop").symlink_to(path)
    bench.date(path, 60)
    bench.ports()
    (tmp_path / "outside" / "busy").write_bytes(b"1")
    assert bench.ports(5) == ["drop:1:cam1"]


def test_pipes_and_sockets_are_no_images(bench):
    os.mkfifo(bench.drop / "pipe.img")
    bench.ports()
    assert bench.ports(5) == []
    assert bench.codes() == ["drop.unknown"]


def test_hostile_names(bench):
    bench.child("a b:c")
    (bench.drop / os.fsdecode(b"\xff\xfe")).mkdir()
    (bench.drop / "x\ny").mkdir()
    (bench.drop / ".partial").mkdir()
    (bench.drop / "福州 1").mkdir()
    bench.ports()
    assert bench.ports(5) == ["drop:1:a b:c", "drop:1:福州 1"]
    assert bench.codes() == ["drop.name", "drop.name"]
    assert all(f.what.isprintable() for f in bench.watch.findings)
    for sighting in bench.watch.current(bench.now):
        assert sighting.source.encode()


def test_a_missing_drop_folder_is_a_finding_and_comes_back(bench):
    bench.drop.rmdir()
    assert bench.ports() == []
    assert bench.codes() == ["drop.missing"]
    bench.drop.mkdir()
    bench.child("cam1")
    bench.ports(30)
    assert bench.codes() == []
    assert bench.ports(5) == ["drop:1:cam1"]


def test_a_crowded_drop_folder_is_bounded(tmp_path):
    bench = Bench(tmp_path, children=3)
    for n in range(5):
        bench.child(f"cam{n}")
    bench.ports()
    assert len(bench.ports(5)) == 3
    assert bench.codes() == ["drop.crowded"]


def test_a_huge_child_is_looked_at_within_bounds(tmp_path, monkeypatch):
    bench = Bench(tmp_path, entries=10)
    bench.child("cam1", files=[f"d{n}/{m}.mp4" for n in range(10) for m in range(10)])
    seen = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (seen.append(path), real(path))[1])
    bench.ports()
    assert len(seen) == 2  # the drop folder, and the child with its ten folders
    assert bench.ports(5) == ["drop:1:cam1"]


def test_two_folders_keep_apart(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "cam").mkdir(parents=True)
    watch = FolderWatch(
        [DropFolder(path=tmp_path / "one", slot=1, stable_s=1), DropFolder(path=tmp_path / "two", stable_s=9)],
        rescan_s=30, children=9, entries=9,
    )  # fmt: skip
    watch.current(START)
    assert [(s.port, s.slot) for s in watch.current(START + timedelta(seconds=1))] == [("drop:1:cam", 1)]
    assert [s.port for s in watch.current(START + timedelta(seconds=9))] == ["drop:1:cam", "drop:2:cam"]


def test_it_looks_only_when_due(bench, monkeypatch):
    looks = []
    real = folders._children
    monkeypatch.setattr(folders, "_children", lambda *a: (looks.append(1), real(*a))[1])
    for _ in range(60):
        bench.ports(1)
    assert len(looks) == 2


# --- hints ---


@pytest.fixture
async def hinted(bench):
    bench.watch.start()
    bench.ports()
    yield bench
    bench.watch.close()


async def test_a_change_is_hinted_at_and_looked_at_before_it_is_due(hinted):
    hinted.child("cam1", files=())
    await asyncio.wait_for(hinted.watch.hint.wait(), 20)
    assert hinted.ports(1) == []
    assert hinted.watch.due == hinted.now + timedelta(seconds=5)
    assert hinted.ports(5) == ["drop:1:cam1"]
    await asyncio.sleep(0.1)
    hinted.watch.hint.clear()
    (hinted.drop / "cam1").rmdir()
    await asyncio.wait_for(hinted.watch.hint.wait(), 20)
    assert hinted.ports(1) == []


async def test_looking_is_no_change(hinted):
    (hinted.drop / "card.img").write_bytes(b"x" * 600)
    await asyncio.wait_for(hinted.watch.hint.wait(), 20)
    await asyncio.sleep(0.2)
    hinted.watch.hint.clear()
    hinted.ports(1)
    hinted.ports(5)
    hinted.ports(30)
    await asyncio.sleep(0.2)
    assert not hinted.watch.hint.is_set()


async def test_a_folder_that_is_made_anew_is_followed_again(hinted):
    hinted.drop.rmdir()
    hinted.ports(31)
    assert hinted.codes() == ["drop.missing"]
    hinted.drop.mkdir()
    hinted.ports(31)
    await asyncio.sleep(0.2)
    hinted.watch.hint.clear()
    hinted.child("cam1", files=())
    await asyncio.wait_for(hinted.watch.hint.wait(), 20)


async def test_a_folder_that_is_made_anew_at_once_is_followed_again(hinted):
    hinted.drop.rmdir()
    hinted.drop.mkdir()  # perhaps with the same inode
    await asyncio.wait_for(hinted.watch.hint.wait(), 20)
    await asyncio.sleep(0.1)
    hinted.ports(1)
    hinted.watch.hint.clear()
    hinted.child("cam1", files=())
    await asyncio.wait_for(hinted.watch.hint.wait(), 20)


async def test_without_notices_looking_is_enough(bench, monkeypatch):
    def none_left(self):
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(BaseObserver, "start", none_left)
    bench.watch.start()
    bench.child("cam1")
    bench.ports()
    assert bench.ports(5) == ["drop:1:cam1"]
    bench.watch.close()
    bench.watch.close()
