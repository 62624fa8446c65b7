"""A folder as a recorder: only what is really in it, and only as it was listed."""

import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bwcdock.core.facts import Drift, Finding, Sighting
from bwcdock.errors import Misbehaved, NotAllowed, Unreadable
from bwcdock.testing.driver_suite import held, page_aligned
from bwcdock_drivers import folder
from bwcdock_drivers.folder import FolderDriver

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "ZFY0417"
    (made / "DCIM").mkdir(parents=True)
    (made / "DCIM" / "a.mp4").write_bytes(b"x" * 5000)
    (made / "b.mp4").write_bytes(b"y" * 10)
    return made


def docked(root: Path, *, live: bool = True) -> Sighting:
    return Sighting(port=f"path:{root}", source=str(root), live=live)


def notes(root: Path) -> dict[str, Finding]:
    with FolderDriver().open(docked(root)) as recorder:
        return {n.code: n for n in recorder.condition(NOW).notes}


def test_it_is_called_as_its_folder_when_no_name_says_more(root):
    with FolderDriver().open(docked(root)) as recorder:
        identity = recorder.identity()
        assert (identity.serial, identity.basis) == ("ZFY0417", "folder-name")
        assert [i.path for i in recorder.items()] == ["DCIM/a.mp4", "b.mp4"]
        condition = recorder.condition(NOW)
        assert (condition.storage_free, condition.storage_total, condition.dirty) == (None, None, None)


def test_links_pipes_and_sockets_are_told_and_never_followed(root, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "s.mp4").write_bytes(b"secret")
    (root / "link.mp4").symlink_to(secret / "s.mp4")
    (root / "links").symlink_to(secret)
    os.mkfifo(root / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "sock.mp4"))
        with FolderDriver().open(docked(root)) as recorder:
            assert [i.path for i in recorder.items()] == ["DCIM/a.mp4", "b.mp4"]
    told = notes(root)["file.special"]
    assert [name for name, _ in told.evidence] == ["link.mp4", "links", "pipe.mp4", "sock.mp4"]


def test_a_link_to_a_folder_and_a_file_are_no_folders(root, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(root)
    for path in (link, root / "b.mp4"):
        assert FolderDriver().claims(docked(path)) == 0
        with pytest.raises(NotAllowed), FolderDriver().open(docked(path)):
            pass


def replaced_by_other(root: Path) -> None:
    (root / "new").write_bytes(b"z" * 5000)
    os.utime(root / "new", ns=(0, (root / "DCIM/a.mp4").stat().st_mtime_ns))
    os.replace(root / "new", root / "DCIM/a.mp4")


def folder_by_link(root: Path) -> None:
    os.rename(root / "DCIM", root / "moved")
    (root / "DCIM").symlink_to("moved")


def file_by_link(root: Path) -> None:
    os.rename(root / "DCIM/a.mp4", root / "a.mp4")
    (root / "DCIM/a.mp4").symlink_to("../a.mp4")


def file_by_pipe(root: Path) -> None:
    (root / "DCIM/a.mp4").unlink()
    os.mkfifo(root / "DCIM/a.mp4")


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "DCIM/a.mp4").write_bytes(b"x" * 6000),
        lambda root: (root / "DCIM/a.mp4").write_bytes(b"x" * 10),
        lambda root: os.utime(root / "DCIM/a.mp4", (1, 1)),
        lambda root: (root / "DCIM/a.mp4").unlink(),
        replaced_by_other,
        folder_by_link,
        file_by_link,
        file_by_pipe,
    ],
)
def test_what_is_no_longer_what_was_listed_is_not_read(root, change):
    before, buffer = held(), page_aligned(8192)
    with FolderDriver().open(docked(root)) as recorder:
        first, second = recorder.items()
        change(root)
        with pytest.raises(Unreadable) as error:
            recorder.read_into(first, 0, buffer)
        assert [(s.offset, s.length) for s in error.value.spans] == [(0, 5000)]
        assert recorder.read_into(second, 0, buffer) == 10
        assert recorder.present()
    assert held() == before


def test_another_file_system_inside_is_not_entered(root):
    walk = folder._Walk(os.stat("/proc"))
    fd = os.open(root, os.O_RDONLY)
    walk.into(fd, ())
    os.close(fd)
    assert walk.seen == []
    assert walk.odd == {"folder.mounted": [("DCIM", ""), ("b.mp4", "")]}


def test_limits_hold(root, monkeypatch):
    monkeypatch.setattr(folder, "ENTRIES_MAX", 2)
    with pytest.raises(Misbehaved, match="more than 2 names"), FolderDriver().open(docked(root)):
        pass
    monkeypatch.setattr(folder, "ENTRIES_MAX", 1000)
    deep = root
    for _ in range(folder.DEPTH_MAX + 1):
        deep /= "d"
    deep.mkdir(parents=True)
    with pytest.raises(Misbehaved, match="inside each other"), FolderDriver().open(docked(root)):
        pass
    assert (folder.DEPTH_MAX, folder.PATH_BYTES_MAX) == (64, 4096)


def test_a_path_that_is_too_long_is_told(root, monkeypatch):
    monkeypatch.setattr(folder, "PATH_BYTES_MAX", 20)
    (root / ("n" * 30)).write_bytes(b"x")
    assert notes(root)["path.too_long"].evidence == (("n" * 30, ""),)


def test_the_clock_by_the_plug_file(root):
    def drift(*, live: bool) -> Drift | None:
        with FolderDriver().open(docked(root, live=live)) as recorder:
            return recorder.condition(NOW).drift

    (root / "LOG").mkdir()
    (root / "LOG" / "plug_1.txt").write_bytes(b"plug")
    (root / "DCIM" / "DCAM_A_1_20261121_083000.mp4").write_bytes(b"x")
    for path in root.rglob("*"):
        os.utime(path, (0, (NOW - timedelta(hours=1)).timestamp()))
    os.utime(root / "LOG" / "plug_1.txt", (0, (NOW + timedelta(minutes=7)).timestamp()))
    told = drift(live=True)
    assert told is not None
    assert (told.method, told.bound) == ("plug-file", "exact")
    assert abs(told.offset_ms - 420_000) < 5000
    old = drift(live=False)
    assert old is not None
    assert (old.method, old.bound) == ("newest-file", "at_least")
