"""What durable.py promises, with every system call failing or being the last."""

import asyncio
import errno
import fcntl
import gc
import os
import resource
import stat
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bwcdock.durable import PartFile, discard, fsync_dir, make_dirs, publish, publish_volatile, set_aside, write_small
from bwcdock.errors import Misused, SpoolBroken, SpoolFull
from bwcdock.reading import BLOCK, Buffers, Reading, Whole, chunks, read_back
from bwcdock.testing.calls import Died, Fault, FaultySystem, PowerCut
from bwcdock.testing.sinks import digests_of
from bwcdock.volumes import file_system_of
from hypothesis import given, settings
from hypothesis import strategies as st

BUFFERS = Buffers(count=2, size=1 << 20)


def filled(view: memoryview, seed: int = 0) -> bytes:
    data = bytes((seed + i * 7) % 251 for i in range(251)) * (len(view) // 251 + 1)
    view[:] = data[: len(view)]
    return bytes(view)


def count(work: Callable[[FaultySystem], object]) -> int:
    system = FaultySystem()
    work(system)
    return len(system.told)


# --- small files -----------------------------------------------------------------------------------------------------


def test_write_small(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_small(path, b"one")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"one", 0o600)
    with pytest.raises(FileExistsError):
        write_small(path, b"two")
    assert path.read_bytes() == b"one"
    write_small(path, b"two", overwrite=True, mode=0o444)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"two", 0o444)
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("how", ["before", "after", "die_before", "die_after"])
def test_write_small_is_all_or_nothing(tmp_path: Path, overwrite: bool, how: str) -> None:
    def work(system: FaultySystem, path: Path = tmp_path / "count") -> None:
        write_small(path, b"new", overwrite=overwrite, system=system)

    calls = count(work)
    for nth in range(1, calls + 1):
        folder = tmp_path / f"{nth}"
        folder.mkdir()
        path = folder / "a"
        if overwrite:
            path.write_bytes(b"old")
        system = FaultySystem(Fault(nth=nth, how=how))  # type: ignore[arg-type]
        try:
            work(system, path)
        except (OSError, Died):
            assert (path.read_bytes() if path.exists() else b"") in {b"new", b"old" if overwrite else b""}
        else:
            assert system.told[nth - 1] == "unlink"  # of a temporary name that the rename took away already
        if how == "before" and system.told[nth - 1] != "unlink":
            # An error is not a death: nothing is left lying about.
            assert set(os.listdir(folder)) <= {"a"}


@pytest.mark.parametrize("mode", ["strict", "zeros"])
def test_write_small_survives_a_power_cut(tmp_path: Path, mode: str) -> None:
    work = tmp_path / "work"
    for nth in range(1, 20):
        work.mkdir()
        write_small(work / "a", b"old")
        system = PowerCut(work, Fault(nth=nth, how="die_before"))
        done = False
        try:
            write_small(work / "a", b"new", overwrite=True, system=system)
            done = True
        except Died:
            pass
        left = tmp_path / f"{nth}"
        system.leave(left, mode)  # type: ignore[arg-type]
        assert (left / "a").read_bytes() in ({b"new"} if done else {b"new", b"old"})
        for path in work.iterdir():
            path.unlink()
        work.rmdir()
        if done:
            return
    raise AssertionError("never came to the end")


def test_short_writes(tmp_path: Path) -> None:
    class Short(FaultySystem):
        def __init__(self) -> None:
            super().__init__()
            self.write = lambda fd, data: os.write(fd, data[:3])  # type: ignore[method-assign, assignment]
            self.pwrite = lambda fd, data, at: os.pwrite(fd, data[: 4096 * 3 if len(data) > 8192 else 100], at)  # type: ignore[method-assign, assignment]

    write_small(tmp_path / "a", b"0123456789", system=Short())
    assert (tmp_path / "a").read_bytes() == b"0123456789"
    with BUFFERS.lend() as buffer, PartFile(tmp_path / "p", system=Short()) as part:
        data = filled(buffer[:100_000])
        part.write_at(buffer[:100_000], 0)
        assert part.length == 100_000
    assert (tmp_path / "p").read_bytes() == data


def test_make_dirs(tmp_path: Path) -> None:
    system = FaultySystem()
    make_dirs(tmp_path / "a" / "b" / "c", system=system)
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    assert system.told.count("mkdir") == 3
    assert system.told[-1] == "fsync"
    make_dirs(tmp_path / "a" / "b" / "c")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_dirs(tmp_path / "file")


def test_make_dirs_survives_a_power_cut(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    system = PowerCut(work)
    make_dirs(work / "a" / "b", system=system)
    write_small(work / "a" / "b" / "x", b"x", system=system)
    system.leave(tmp_path / "left", "strict")
    assert (tmp_path / "left" / "a" / "b" / "x").read_bytes() == b"x"


def test_fsync_dir_passes_over_einval_alone(tmp_path: Path) -> None:
    fsync_dir(tmp_path, system=FaultySystem(refused={"fsync": errno.EINVAL}))
    with pytest.raises(OSError, match="Input/output"):
        fsync_dir(tmp_path, system=FaultySystem(refused={"fsync": errno.EIO}))


# --- publishing ------------------------------------------------------------------------------------------------------

VOLUMES = {
    "links": {},
    "rename without overwriting": {"link": errno.EPERM},
    "lock file only": {"link": errno.EOPNOTSUPP, "rename_noreplace": errno.EINVAL},
}


@pytest.mark.parametrize("refused", VOLUMES.values(), ids=VOLUMES)
def test_publish(tmp_path: Path, refused: dict[str, int]) -> None:
    part, final = tmp_path / "part", tmp_path / "final"
    part.write_bytes(b"bytes")
    publish(part, final, system=FaultySystem(refused=refused))
    assert (final.read_bytes(), stat.S_IMODE(final.stat().st_mode)) == (b"bytes", 0o400)
    discard(part)
    discard(part)
    other = tmp_path / "other"
    other.write_bytes(b"others")
    with pytest.raises(FileExistsError):
        publish(other, final, system=FaultySystem(refused=refused))
    assert (final.read_bytes(), other.read_bytes()) == (b"bytes", b"others")


@pytest.mark.parametrize("refused", VOLUMES.values(), ids=VOLUMES)
def test_only_one_of_many_publishes(tmp_path: Path, refused: dict[str, int]) -> None:
    won: list[int] = []

    class Slow(FaultySystem):
        """Gives the others time between looking and renaming."""

        def _done(self, name: str, call: Callable[..., object], args: Any, options: Any) -> object:
            if name == "rename":
                time.sleep(0.005)
            return call(*args, **options)

    def one(number: int) -> None:
        part = tmp_path / f"part{number}"
        part.write_bytes(b"%d" % number)
        try:
            publish(part, tmp_path / "final", system=Slow(refused=refused))
            won.append(number)
        except FileExistsError:
            pass

    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert (tmp_path / "final").read_bytes() == b"%d" % won[0]


def test_publish_without_modes(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"bytes")
    publish(tmp_path / "part", tmp_path / "final", system=FaultySystem(refused={"fchmod": errno.EPERM}))
    assert (tmp_path / "final").read_bytes() == b"bytes"


def test_set_aside(tmp_path: Path) -> None:
    (tmp_path / "q").mkdir()
    (tmp_path / "a").write_bytes(b"a")
    set_aside(tmp_path / "a", tmp_path / "q" / "a")
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "q" / "a").read_bytes() == b"a"


# --- partial files ---------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(st.one_of(st.sampled_from([4096, 8192, 65536]), st.integers(1, 20_000)), min_size=1, max_size=8),
    shift=st.sampled_from([0, 0, 1, 512]),
)
def test_any_pieces_make_the_file(tmp_path_factory: pytest.TempPathFactory, pieces: list[int], shift: int) -> None:
    path = tmp_path_factory.mktemp("part") / "p"
    expected = b""
    with BUFFERS.lend() as buffer, PartFile(path) as part:
        for number, size in enumerate(pieces):
            view = buffer[shift : shift + size]
            expected += filled(view, number)
            part.write_at(view, part.length)
            assert part.length == len(expected) == os.stat(path).st_size
        part.write_at(memoryview(b"again"), 0)
        expected = b"again" + expected[5:] if len(expected) > 5 else b"again"
        part.sync()
    assert path.read_bytes() == expected
    found = read_back(path, sha256=True)
    assert found.size == len(expected)
    assert (found.sha256, found.blake3) == (digests_of(expected).sha256, digests_of(expected).blake3)


def test_goes_past_the_page_cache_and_falls_back(tmp_path: Path) -> None:
    class Refusing(FaultySystem):
        def __init__(self) -> None:
            super().__init__()
            self.direct = 0
            self.pwrite = self._pwrite  # type: ignore[method-assign, assignment]

        def _pwrite(self, fd: int, data: memoryview, at: int) -> int:
            if os.O_DIRECT & fcntl.fcntl(fd, fcntl.F_GETFL):
                self.direct += 1
                raise OSError(errno.EINVAL, "no direct writes here")
            return os.pwrite(fd, data, at)

    system = Refusing()
    with BUFFERS.lend() as buffer, PartFile(tmp_path / "p", system=system) as part:
        data = filled(buffer)
        part.write_at(buffer, 0)
        part.write_at(buffer, len(buffer))
        part.sync()
    assert system.direct == 1
    assert (tmp_path / "p").read_bytes() == data * 2


def test_length_is_never_more_than_was_written(tmp_path: Path) -> None:
    with BUFFERS.lend() as buffer, PartFile(tmp_path / "p") as part:
        part.preallocate(1 << 20)
        assert os.stat(tmp_path / "p").st_size == part.length == 0
        assert os.stat(tmp_path / "p").st_blocks * 512 >= 1 << 20
        with pytest.raises(ValueError, match="write at"):
            part.write_at(buffer, 4096)
        part.write_at(buffer[:5000], 0)
        with pytest.raises(ValueError, match="truncate"):
            part.truncate(5001)
        part.truncate(BLOCK)
        assert os.stat(tmp_path / "p").st_size == part.length == BLOCK


def test_one_writer(tmp_path: Path) -> None:
    with PartFile(tmp_path / "p"):
        with pytest.raises(Misused) as told:
            PartFile(tmp_path / "p")
        assert told.value.hint
    PartFile(tmp_path / "p").close()


def test_a_link_is_not_followed_and_a_published_file_not_opened(tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    (tmp_path / "p").symlink_to("real")
    with pytest.raises(SpoolBroken):
        PartFile(tmp_path / "p")
    os.link(tmp_path / "real", tmp_path / "second")
    with pytest.raises(FileExistsError):
        PartFile(tmp_path / "second")


def test_opens_what_died_between_mode_and_name(tmp_path: Path) -> None:
    """Not root: a read-only file cannot be opened for writing, and must be made writable first."""
    path = tmp_path / "p"
    path.write_bytes(b"x" * 5000)
    path.chmod(0o400)

    class NotRoot(FaultySystem):
        def _done(self, name: str, call: Callable[..., object], args: tuple[object, ...], options: object) -> object:
            if name == "open" and int(str(args[1])) & os.O_RDWR and not path.stat().st_mode & stat.S_IWUSR:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return call(*args)

    with PartFile(path, system=NotRoot()) as part:
        assert part.length == 5000
    path.chmod(0o400)
    os.link(path, tmp_path / "final")
    with pytest.raises(FileExistsError):
        PartFile(path, system=NotRoot())


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_failed_sync_is_final(tmp_path: Path, code: int) -> None:
    path = tmp_path / "p"
    system = FaultySystem(Fault(name="fsync", nth=1, how="before", code=code))
    with BUFFERS.lend() as buffer, PartFile(path, system=system) as part:
        part.write_at(buffer, 0)
        with pytest.raises(SpoolBroken):
            part.sync()
        assert not path.exists()
        for use in (part.sync, part.hold, lambda: part.write_at(buffer, 0), lambda: part.truncate(0)):
            with pytest.raises(SpoolBroken):
                use()
    assert system.told.count("fsync") == 1


@pytest.mark.parametrize("call", ["pwrite", "ftruncate"])
def test_a_failed_write_takes_the_file_away(tmp_path: Path, call: str) -> None:
    path = tmp_path / "p"
    path.write_bytes(b"x" * BLOCK)
    with BUFFERS.lend() as buffer, PartFile(path, system=FaultySystem(Fault(name=call, nth=1, how="before"))) as part:
        with pytest.raises(SpoolBroken) as told:  # noqa: PT012
            part.truncate(0)
            part.write_at(buffer, 0)
        assert told.value.what
        assert told.value.hint
    assert not path.exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["pwrite", "reserve"])
def test_full_keeps_what_is_there(tmp_path: Path, code: int, call: str) -> None:
    path = tmp_path / "p"
    system = FaultySystem(Fault(name=call, nth=2 if call == "pwrite" else 1, how="before", code=code))
    with BUFFERS.lend() as buffer, PartFile(path, system=system) as part:
        data = filled(buffer)
        with pytest.raises(SpoolFull) as told:  # noqa: PT012
            part.write_at(buffer, 0)
            part.preallocate(5 << 20)
            part.write_at(buffer, part.length)
        assert told.value.missing > 0
        assert part.length == len(buffer)
        part.write_at(buffer[:10], part.length)  # there is room again
    assert path.read_bytes() == data + data[:10]


def test_a_real_limit(tmp_path: Path) -> None:
    """The kernel's own refusal, not a pretended one: a file size limit of 3 MiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with BUFFERS.lend() as buffer, PartFile(tmp_path / "p") as part:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, before[1]))
        try:
            with pytest.raises(SpoolBroken):  # noqa: PT012
                for number in range(4):
                    part.write_at(buffer, number << 20)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "p").exists()


def test_a_real_full_disk() -> None:
    with pytest.raises(SpoolFull), PartFile(Path("/dev/full")) as part:
        part.write_at(memoryview(b"x"), 0)


# --- what counts after a power cut -----------------------------------------------------------------------------------


def test_progress_within_one_boot(tmp_path: Path) -> None:
    path = tmp_path / "p"
    with BUFFERS.lend() as buffer:
        with PartFile(path, boot="one") as part:
            part.write_at(buffer, 0)
        with PartFile(path, boot="one") as part:
            assert part.length == len(buffer)
            part.hold()
            part.write_at(buffer[:5000], part.length)
        with PartFile(path, boot="two") as part:
            assert part.length == len(buffer)
            part.write_at(buffer[:5000], part.length)
        with PartFile(path, boot="two") as part:
            assert part.length == len(buffer) + 5000
        with PartFile(path, boot="three") as part:
            assert part.length == len(buffer)
            part.truncate(BLOCK)
            part.write_at(buffer, BLOCK)
        with PartFile(path, boot="four") as part:
            assert part.length == BLOCK


def test_never_held_is_never_believed(tmp_path: Path) -> None:
    path = tmp_path / "p"
    path.write_bytes(b"x" * 10_000)
    with PartFile(path, boot="one") as part:
        assert part.length == 0
    for mark in (b"", b"junk", b"zero -1", b"zero 99999999999", "zero ９".encode(), b"\xff\xfe"):
        path.write_bytes(b"x" * 10_000)
        os.setxattr(path, "user.bwcdock.part", mark)
        with PartFile(path, boot="one") as part:
            assert part.length in {0, 10_000 // BLOCK * BLOCK}


def test_without_attributes_it_begins_again(tmp_path: Path) -> None:
    with BUFFERS.lend() as buffer:
        for _ in range(2):
            with PartFile(tmp_path / "p", boot="one", system=FaultySystem(refused={"setxattr": errno.ENOTSUP})) as part:
                assert part.length == 0
                part.write_at(buffer, 0)
                part.hold()


@pytest.mark.parametrize("mode", ["strict", "zeros", "torn"])
def test_what_counts_is_what_was_written(tmp_path: Path, mode: str) -> None:
    """Cut at every call of a pull that is held, cut back and written over: no byte counts that is not right."""
    with BUFFERS.lend() as old, BUFFERS.lend() as new:
        first, second = filled(old[:12288], 1), filled(new[:12288], 2)

        def pull(path: Path, system: PowerCut, told: list[int]) -> None:
            with PartFile(path, boot="one", system=system) as part:
                part.write_at(old[:8192], 0)
                part.hold()
                told.append(8192)
                part.write_at(old[8192:12288], 8192)
                part.truncate(4096)
                told.append(4096)
                part.write_at(new[4096:12288], 4096)
                fsync_dir(path.parent, system=system)
                part.hold()
                told.append(12288)

        expected = first[:4096] + second[4096:]
        for nth in range(1, 60):
            work, left, told = tmp_path / f"w{nth}", tmp_path / f"l{nth}", [0]
            work.mkdir()
            system = PowerCut(work, Fault(nth=nth, how="die_before"))
            try:
                pull(work / "p", system, told)
            except Died:
                system.leave(left, mode)  # type: ignore[arg-type]
                with PartFile(left / "p", boot="two") as part:
                    right = (first, expected)
                    assert (left / "p").read_bytes() in {r[: part.length] for r in right}
                continue
            system.leave(left, mode)  # type: ignore[arg-type]
            with PartFile(left / "p", boot="two") as part:
                assert part.length == 12288
            assert (left / "p").read_bytes() == expected
            return
    raise AssertionError("never came to the end")


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, (8 << 20) + 4096])
@pytest.mark.parametrize("direct", [True, False])
def test_read_back(tmp_path: Path, size: int, direct: bool) -> None:
    class NoDirect(FaultySystem):
        def _done(self, name: str, call: Callable[..., int], args: tuple[object, ...], options: object) -> object:
            if name == "open" and int(str(args[1])) & os.O_DIRECT:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            return call(*args)

    data = os.urandom(size)
    path = tmp_path / "a"
    path.write_bytes(data)
    paced: list[int] = []
    found = read_back(path, sha256=True, pace=paced.append, system=FaultySystem() if direct else NoDirect())
    assert (found.size, found.sha256, found.blake3) == (size, digests_of(data).sha256, digests_of(data).blake3)
    assert found.how == ("direct" if direct else "cached")
    assert sum(paced) == size
    fd = os.open(path, os.O_RDONLY)
    assert read_back(fd).blake3 == found.blake3
    os.close(fd)


def test_reading_refused_later(tmp_path: Path) -> None:
    """A volume that opens for direct reads and then refuses them."""
    (tmp_path / "a").write_bytes(b"x" * 10_000)

    class Late(FaultySystem):
        def _done(self, name: str, call: Callable[..., int], args: tuple[int, ...], options: object) -> object:
            if name == "preadv" and fcntl.fcntl(args[0], fcntl.F_GETFL) & os.O_DIRECT:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            return call(*args)

    found = read_back(tmp_path / "a", system=Late())
    assert (found.how, found.blake3) == ("cached", digests_of(b"x" * 10_000).blake3)


def test_reading_errors_come_out(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * (9 << 20))
    (tmp_path / "link").symlink_to("a")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="Input/output"):
        read_back(tmp_path / "a", system=FaultySystem(refused={"preadv": errno.EIO}))
    for bad in ("link", "fifo", "none", "."):
        with pytest.raises(OSError, match=r"."):
            read_back(tmp_path / bad)

    class Stop(Exception):
        pass

    def stop(_: int) -> None:
        raise Stop

    threads = threading.active_count()
    with pytest.raises(Stop):
        read_back(tmp_path / "a", pace=stop)
    with Reading(tmp_path / "a") as reading:
        for _ in chunks(reading, Buffers(count=1)):
            break
    assert threading.active_count() == threads


def test_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    with Whole(tmp_path / "a") as whole:
        assert (whole.size, whole.read(3, 4), whole.read(8, 9), whole.read(20, 1)) == (10, b"3456", b"89", b"")


def test_buffers_are_bounded() -> None:
    pool = Buffers(count=2, size=8192)
    with pool.lend() as a, pool.lend() as b:
        assert len(a) == len(b) == 8192
        waited = threading.Event()

        def third() -> None:
            with pool.lend():
                waited.set()

        thread = threading.Thread(target=third, daemon=True)
        thread.start()
        assert not waited.wait(0.05)
    assert waited.wait(5)
    thread.join()
    for bad in ((0, 8192), (1, 100), (1, 4097)):
        with pytest.raises(ValueError, match="buffers"):
            Buffers(*bad)


# --- volumes ---------------------------------------------------------------------------------------------------------

MOUNTS = """\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 0:5 / /spool rw,relatime shared:1 - xfs /dev/sdb1 rw
31 22 0:6 / /nas\\040share rw master:2 propagate_from:1 - cifs //nas/x rw
32 22 0:7 / /key rw - vfat /dev/sdc1 rw
33 22 0:8 / /sshfs rw - fuse.sshfs x rw
34 22 0:9 / /ntfs rw - fuseblk /dev/sdd1 rw
35 22 0:10 / /shm rw - tmpfs tmpfs rw
36 30 0:11 / /spool rw - nfs4 nas:/x rw
37 22 0:12 / /spool2 rw - btrfs /dev/sde rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "ok", "durable"),
    [
        ("/x", "ext4", True, True),
        ("/spool/part", "nfs4", False, True),  # the last mounted covers the one before
        ("/spool2", "btrfs", True, True),
        ("/nas share/a", "cifs", False, True),
        ("/nas", "ext4", True, True),
        ("/key", "vfat", False, True),
        ("/sshfs", "fuse.sshfs", False, True),
        ("/ntfs", "fuseblk", False, True),
        ("/shm/a", "tmpfs", True, False),
    ],
)
def test_file_system_of(tmp_path: Path, path: str, kind: str, ok: bool, durable: bool) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    found = file_system_of(Path(path), mountinfo=table)
    assert (found.kind, found.ok, found.durable) == (kind, ok, durable)
    assert file_system_of(Path(path), mountinfo=table, allow={kind}).ok


def test_file_system_here(tmp_path: Path) -> None:
    assert file_system_of(tmp_path / "not" / "there").kind not in {"", "unknown"}


class Late:
    """Does what it is given at once, and says so a little later: as a thread that is not heard yet."""

    def submit(self, work: Callable[..., object], *given: object) -> "asyncio.Future[object]":
        loop = asyncio.get_running_loop()
        told, result = loop.create_future(), work(*given)
        loop.call_later(0.05, lambda: told.done() or told.set_result(result))
        return told


async def test_whoever_is_cancelled_while_he_publishes_leaves_no_file_open(tmp_path):
    publishing = asyncio.ensure_future(publish_volatile(tmp_path / "live.json", b"now", executor=Late()))
    await asyncio.sleep(0)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    await asyncio.sleep(0.1)
    gc.collect()  # a file that nobody closed complains now, and complaints are errors here


def test_buffers_that_let_go_keep_no_memory_and_still_lend():
    gc.disable()  # it would find what is kept by a cycle, some time
    try:
        pool = Buffers(count=2, size=BLOCK)
        lent, free = pool.take(), pool.take()
        kept = [weakref.ref(buffer.obj) for buffer in (lent, free)]
        pool.give(free)
        del free
        assert [memory() is None for memory in kept] == [False, False]
        pool.let_go()
        assert [memory() is None for memory in kept] == [False, True]
        pool.give(lent)
        del lent
        assert [memory() is None for memory in kept] == [True, True]
        again = [pool.take(), pool.take()]
        assert [len(buffer) for buffer in again] == [BLOCK, BLOCK]
    finally:
        gc.enable()
