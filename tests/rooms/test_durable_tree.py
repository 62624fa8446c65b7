"""A folder appears whole or not at all, on every kind of volume."""

import errno
import os
from pathlib import Path

import pytest
from bwcdock.calls import System
from bwcdock.durable_tree import appear, created, growing


def fill(folder: Path) -> None:
    with created(folder / "data" / "a") as stream:
        stream.write(b"a" * 9000)
    with created(folder / "b") as stream:
        stream.write(b"b")


def test_it_appears_with_all_it_has(tmp_path):
    final = tmp_path / "包"
    with growing(final) as folder:
        fill(folder)
        assert not final.exists()
        assert folder.name.startswith(".")
        appear(folder, final)
    assert (final / "data/a").read_bytes() == b"a" * 9000
    assert os.listdir(tmp_path) == ["包"]


def test_what_fails_leaves_nothing(tmp_path):
    def interrupted():
        with growing(tmp_path / "包") as folder:
            fill(folder)
            raise RuntimeError

    def full():
        with growing(tmp_path / "包") as folder, created(folder / "c") as stream:
            stream.write(b"c")
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(RuntimeError):
        interrupted()
    with pytest.raises(OSError, match="full"):
        full()
    assert os.listdir(tmp_path) == []


def test_a_file_that_was_not_written_is_gone(tmp_path):
    def interrupted():
        with created(tmp_path / "a") as stream:
            stream.write(b"a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert os.listdir(tmp_path) == []


def test_nothing_is_overwritten(tmp_path):
    final = tmp_path / "包"
    final.mkdir()
    with pytest.raises(FileExistsError), growing(final):
        pass
    final.rmdir()
    with growing(final) as folder:
        fill(folder)
        final.mkdir()
        (final / "mine").touch()
        with pytest.raises(FileExistsError):
            appear(folder, final)
    assert os.listdir(final) == ["mine"]
    assert os.listdir(tmp_path) == ["包"]
    with pytest.raises(FileExistsError), created(final / "mine") as stream:
        stream.write(b"x")
    assert (final / "mine").read_bytes() == b""


class NoFlag(System):
    """FAT, SMB and others know no RENAME_NOREPLACE."""

    @staticmethod
    def rename_noreplace(source, target):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def test_where_the_volume_cannot_refuse_it_is_looked_before(tmp_path):
    final = tmp_path / "包"
    with growing(final) as folder:
        fill(folder)
        appear(folder, final, system=NoFlag())
    assert (final / "b").read_bytes() == b"b"
    with growing(tmp_path / "2") as folder:
        fill(folder)
        with pytest.raises(FileExistsError):
            appear(folder, final, system=NoFlag())


def test_everything_is_synced_before_the_name(tmp_path):
    told = []

    class Telling(System):
        @staticmethod
        def fsync(fd):
            told.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
            os.fsync(fd)

        @staticmethod
        def rename_noreplace(source, target):
            told.append("name")
            os.rename(source, target)

    with growing(tmp_path / "包") as folder:
        with created(folder / "d" / "a", system=Telling()) as stream:
            stream.write(b"a")
        appear(folder, tmp_path / "包", system=Telling())
    assert told == ["a", told[1], "d", "name", tmp_path.name]
    assert told[1].startswith(".")
