"""The folder sink where it is more than the suite: wrong volumes, hostile folders, errors, power cuts; and wrappers."""

import errno
import os
import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Literal

import pytest
from bwcdock.errors import Conflict, Unreachable, Untrue
from bwcdock.ports import Lists
from bwcdock.sinks import filesystem
from bwcdock.sinks.around import Backoff, Standing, Throttle
from bwcdock.sinks.filesystem import MARKER, FilesystemSink
from bwcdock.testing.calls import Cut, Died, Fault, FaultySystem, PowerCut
from bwcdock.testing.sinks import MemorySink, SinkFault, digests_of
from hypothesis import given
from hypothesis import strategies as st

DATA = bytes(range(256)) * 40 + b"tail"
DIGESTS = digests_of(DATA)
KEY = "unit/day/recorder/file.mp4"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "central"
    path.mkdir()
    FilesystemSink("nas", path).initialise()
    return path


# --- the right volume -------------------------------------------------------------------------------------------------


def test_initialise_once(tmp_path: Path) -> None:
    sink = FilesystemSink("nas", tmp_path)
    first = sink.initialise()
    assert len(first) == 32
    assert FilesystemSink("other", tmp_path).initialise() == first


def test_nothing_is_written_under_an_unmounted_share(tmp_path: Path, source: Path) -> None:
    empty = tmp_path / "mnt"
    empty.mkdir()
    for sink in (FilesystemSink("nas", empty), FilesystemSink("nas", tmp_path / "none")):
        for call in (
            lambda s=sink: s.put(KEY, source, DIGESTS, None),
            lambda s=sink: s.note(KEY, b""),
            lambda s=sink: s.stat(KEY),
            lambda s=sink: s.recall(KEY),
        ):
            with pytest.raises(Unreachable) as told:
                call()
            assert told.value.sink == "nas"
            assert "ount" in told.value.hint
    assert list(empty.iterdir()) == []
    with pytest.raises(Unreachable):
        FilesystemSink("nas", tmp_path / "none").initialise()
    assert not (tmp_path / "none").exists()


def test_another_volume_is_not_taken_for_ours(root: Path, source: Path) -> None:
    ours = (root / MARKER).read_text().strip()
    FilesystemSink("nas", root, identity=ours).put(KEY, source, DIGESTS, None)
    with pytest.raises(Unreachable, match="not the central storage"):
        FilesystemSink("nas", root, identity="0" * 32).put("b", source, DIGESTS, None)
    assert not (root / "b").exists()


def test_a_volume_that_goes_while_it_is_written(root: Path, source: Path) -> None:
    """The share is swapped for another folder in the middle: the bytes stay on the volume that was opened."""

    class Swapping(FaultySystem):
        def _done(self, name: str, call: object, args: tuple[object, ...], options: object) -> object:
            if name == "pwrite" and not root.with_name("moved").exists():
                root.rename(root.with_name("moved"))
                root.mkdir()
            return super()._done(name, call, args, options)  # type: ignore[arg-type]

    FilesystemSink("nas", root, system=Swapping()).put(KEY, source, DIGESTS, None)
    assert list(root.iterdir()) == []
    assert (root.with_name("moved") / KEY).read_bytes() == DATA


# --- hostile folders --------------------------------------------------------------------------------------------------


def test_links_are_not_followed(root: Path, tmp_path: Path, source: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(DATA)
    (root / "unit").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    (root / "dangling").symlink_to(outside / "new")
    sink = FilesystemSink("nas", root)
    for key in ("unit/x", "unit/a/b", "file", "dangling"):
        with pytest.raises(Conflict) as told:
            sink.put(key, source, DIGESTS, None)
        assert told.value.key == key
    for key in ("unit/secret", "file"):
        with pytest.raises(Conflict):
            sink.stat(key)
        with pytest.raises(Conflict):
            sink.recall(key)
    assert [p.name for p in outside.iterdir()] == ["secret"]


def test_what_is_no_file_is_a_conflict(root: Path, source: Path) -> None:
    sink = FilesystemSink("nas", root)
    sink.put("a/b", source, DIGESTS, None)
    (root / "folder").mkdir()
    os.mkfifo(root / "fifo")
    for key in ("a/b/c", "folder", "fifo"):
        with pytest.raises((Conflict, Unreachable)):
            sink.put(key, source, DIGESTS, None)
    assert (root / "a" / "b").read_bytes() == DATA


def test_modes(root: Path, source: Path) -> None:
    before = os.umask(0o077)
    try:
        FilesystemSink("nas", root).put(KEY, source, DIGESTS, None)
    finally:
        os.umask(before)
    assert (root / KEY).stat().st_mode & 0o777 == 0o440
    assert (root / "unit" / "day").stat().st_mode & 0o777 == 0o750


def test_few_folders_are_known_to_be_synced_and_the_others_are_synced_again(
    root: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystem, "_KNOWN_FOLDERS", 3)
    system = FaultySystem()
    sink = FilesystemSink("nas", root, system=system)

    def syncs(key: str) -> int:
        system.told.clear()
        sink.put(key, source, DIGESTS, None)
        return system.told.count("fsync")

    syncs(KEY)
    known = syncs("unit/day/recorder/next.mp4")
    syncs("unit/day/other/file.mp4")  # one folder too many
    assert len(sink._synced) <= 3
    assert syncs("unit/day/recorder/last.mp4") > known


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (errno.ENOSPC, "room"),
        (errno.EDQUOT, "quota"),
        (errno.EIO, "disks"),
        (errno.ESTALE, "mount"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "right"),
        (errno.EPROTO, "network"),
    ],
)
@pytest.mark.parametrize("call", ["mkdir", "open", "pwrite", "fsync", "link", "fchmod", "ftruncate"])
def test_errors_say_what_to_do(root: Path, source: Path, call: str, code: int, hint: str) -> None:
    sink = FilesystemSink("nas", root, system=FaultySystem(Fault(name=call, nth=1, how="before", code=code)))
    with pytest.raises(Unreachable) as told:
        sink.put(KEY, source, DIGESTS, None)
    assert told.value.hint
    if call == "mkdir":
        assert hint in told.value.hint
    ails = {errno.ENOSPC: "full", errno.EDQUOT: "full"}
    ails |= dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "credentials")
    assert told.value.ailment == ails.get(code, "away")
    FilesystemSink("nas", root).put(KEY, source, DIGESTS, None)
    assert (root / KEY).read_bytes() == DATA


def test_a_lying_volume_gets_no_name(root: Path, source: Path) -> None:
    """What was written reads back as something else: nothing is published, and nothing bad is resumed."""

    class Lying(FaultySystem):
        def __init__(self) -> None:
            super().__init__()
            self.pwrite = lambda fd, data, at: os.pwrite(fd, bytes(len(data)), at)  # type: ignore[method-assign, assignment]

    with pytest.raises(Unreachable, match="other bytes"):
        FilesystemSink("nas", root, system=Lying()).put(KEY, source, DIGESTS, None)
    assert not (root / KEY).exists()
    assert list((root / ".incoming").iterdir()) == []


def test_a_missing_source_is_not_the_sinks_fault(root: Path, tmp_path: Path) -> None:
    with pytest.raises(Untrue):
        FilesystemSink("nas", root).put(KEY, tmp_path / "none", DIGESTS, None)


def test_two_stations_at_once(root: Path, source: Path) -> None:
    def meanwhile(_: int) -> None:
        with pytest.raises(Unreachable, match="busy"):
            FilesystemSink("nas", root).put(KEY, source, DIGESTS, None)

    met: list[int] = []

    def pace(size: int) -> None:
        if not met:
            met.append(size)
            meanwhile(size)

    FilesystemSink("nas", root, pace=pace).put(KEY, source, DIGESTS, None)
    assert met
    assert (root / KEY).read_bytes() == DATA


MEMORY = """
import resource, sys
from pathlib import Path
from bwcdock.sinks.filesystem import FilesystemSink
from bwcdock.testing.sinks import digests_of

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

large, sink = Path(sys.argv[1]), FilesystemSink("nas", Path(sys.argv[2]))
before = peak()
digests = digests_of(large)
sink.put("a/b", large, digests, None)
assert sink.stat("a/b").digests == digests
print(peak() - before)
"""


def test_memory_stays_small(root: Path, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(192 << 20)
    told = subprocess.run(
        [sys.executable, "-c", MEMORY, str(large), str(root)], capture_output=True, text=True, check=True
    )
    assert int(told.stdout) < 48 << 10  # KiB


# --- power cuts -------------------------------------------------------------------------------------------------------


def campaign(folder: Path, source: Path, mode: Cut, forgets: str = "") -> int:
    """Cut the power of central storage before every call in turn: what was answered must be there, and only whole."""
    for nth in count(1):
        work, left = folder / f"w{nth}", folder / f"l{nth}"
        work.mkdir()
        FilesystemSink("nas", work).initialise()
        system = PowerCut(work, Fault(nth=nth, how="die_before"), frozenset({forgets}))
        done = False
        with suppress(Died):
            FilesystemSink("nas", work, system=system).put(KEY, source, DIGESTS, None)
            done = True
        system.leave(left, mode)
        assert (left / KEY).exists() or not done, "an acknowledged object is gone"
        if (left / KEY).exists():
            assert (left / KEY).read_bytes() == DATA, "an object that is not whole has a name"
        sink = FilesystemSink("nas", left)
        sink.put(KEY, source, DIGESTS, None)
        held = sink.stat(KEY)
        assert held is not None
        assert held.digests == DIGESTS
        if nth > len(system.told):
            return nth
    raise AssertionError


@pytest.mark.parametrize("mode", ["strict", "zeros", "torn"])
def test_a_power_cut_anywhere(tmp_path: Path, source: Path, mode: Cut) -> None:
    assert campaign(tmp_path, source, mode) > 20


@pytest.mark.parametrize(("forgets", "mode"), [("file", "strict"), ("folder", "strict"), ("file", "zeros")])
def test_the_campaign_notices(tmp_path: Path, source: Path, forgets: str, mode: Cut) -> None:
    with pytest.raises((AssertionError, Conflict)):
        campaign(tmp_path, source, mode, forgets)


def test_a_kill_then_a_power_cut(tmp_path: Path, source: Path) -> None:
    """The process dies anywhere, the next one puts it again, and only then the power goes: what it said holds."""
    for nth in count(1):
        work, left = tmp_path / f"w{nth}", tmp_path / f"l{nth}"
        work.mkdir()
        FilesystemSink("nas", work).initialise()
        system = PowerCut(work, Fault(nth=nth, how="die_before"))
        try:
            FilesystemSink("nas", work, system=system).put(KEY, source, DIGESTS, None)
        except Died:
            pass
        else:
            return
        FilesystemSink("nas", work, system=system).put(KEY, source, DIGESTS, None)
        system.leave(left, "strict")
        assert (left / KEY).read_bytes() == DATA


LARGE = DATA * 500  # more than the 4 MiB of one chunk


@pytest.mark.parametrize(
    "arrived", [b"", bytes(8192), LARGE + bytes(8192), LARGE[:4096] + bytes(4096) + LARGE[8192:], bytes(len(LARGE))]
)
def test_what_arrived_wrong_is_sent_again(root: Path, source: Path, arrived: bytes) -> None:
    """It is told apart while it is resumed, so that the same put still ends well."""
    source.write_bytes(LARGE)
    digests = digests_of(LARGE)
    died = FaultySystem(Fault(name="link", nth=1, how="die_before"))
    with pytest.raises(Died):
        FilesystemSink("nas", root, system=died).put(KEY, source, digests, None)
    (part,) = (root / ".incoming").iterdir()
    part.chmod(0o600)
    part.write_bytes(arrived)
    FilesystemSink("nas", root).put(KEY, source, digests, None)
    assert (root / KEY).read_bytes() == LARGE


@pytest.mark.parametrize("how", ["before", "after", "die_before"])
def test_an_error_anywhere(tmp_path: Path, source: Path, how: Literal["before", "after", "die_before"]) -> None:
    for nth in count(1):
        root = tmp_path / f"{nth}"
        root.mkdir()
        FilesystemSink("nas", root).initialise()
        system = FaultySystem(Fault(nth=nth, how=how))
        with suppress(Unreachable, Died):
            FilesystemSink("nas", root, system=system).put(KEY, source, DIGESTS, None)
        if (root / KEY).exists():
            assert (root / KEY).read_bytes() == DATA
        FilesystemSink("nas", root).put(KEY, source, DIGESTS, None)
        assert (root / KEY).read_bytes() == DATA
        assert list((root / ".incoming").iterdir()) == []
        if nth > len(system.told):
            return


# --- around -----------------------------------------------------------------------------------------------------------


@given(failures=st.integers(1, 10_000), seed=st.integers(0, 1000))
def test_backoff(failures: int, seed: int) -> None:
    backoff = Backoff(first_s=2, factor=2, max_s=900, jitter=0.25)
    wait = backoff.wait_s(failures, random.Random(seed))
    full = min(900, 2.0 * 2 ** min(failures - 1, 20))
    assert full * 0.75 <= wait <= full


def test_standing() -> None:
    chance = random.Random(1)
    backoff = Backoff(first_s=10, factor=3, max_s=50, jitter=0)
    standing = Standing()
    assert standing.not_before is None
    for failures, wait in ((1, 10), (2, 30), (3, 50), (4, 50)):
        standing = standing.failed(NOW, backoff, chance)
        assert standing.failures == failures
        assert standing.not_before == NOW + timedelta(seconds=wait)


def test_throttle() -> None:
    clock = [100.0]

    def wait(seconds: float) -> None:
        clock[0] += seconds

    throttle = Throttle(1000, monotonic=lambda: clock[0], wait=wait)
    for _ in range(10):
        throttle(500)
    assert clock[0] == pytest.approx(105)
    clock[0] += 60  # a quiet time is not saved up
    for _ in range(4):
        throttle(500)
    assert clock[0] == pytest.approx(167)


def test_throttle_for_many_threads() -> None:
    """Pushes run side by side through one limit: none of them may take the room another has just taken."""

    class Slow(int):
        def __truediv__(self, rate: float) -> float:
            time.sleep(0.05)  # the moment between looking at what is free and taking it
            return int(self) / rate

    waited: list[float] = []
    throttle = Throttle(1000, monotonic=lambda: 100.0, wait=waited.append)
    threads = [threading.Thread(target=throttle, args=(Slow(500),)) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(waited) == [0.5, 1.0, 1.5, 2.0]


def test_memory_sink_faults(source: Path) -> None:
    sink = MemorySink(faults=[SinkFault(op="put", nth=1, how="lie"), SinkFault(op="stat", nth=2, how="lie")])
    sink.put(KEY, source, DIGESTS, NOW)
    held = sink.stat(KEY)
    assert held is not None
    assert held.digests != DIGESTS
    assert sink.stat(KEY) is None
    assert sink.kept_until == {KEY: NOW}
    sink.down = True
    with pytest.raises(Unreachable):
        sink.stat(KEY)


# --- what it holds ----------------------------------------------------------------------------------------------------


def test_what_it_holds_is_listed_at_any_depth_in_order(root: Path, tmp_path: Path) -> None:
    sink = FilesystemSink("nas", root)
    for key in ("b/2/y.json", "b/1.json", "b/10/x.json", "a.json", "b/10/x.mp4", "c/z.json"):
        sink.note(key, key.encode())
    (root / "b" / ".hidden.json").write_bytes(b"")
    (root / "b" / "way\nout.json").write_bytes(b"")
    (root / "b" / "link.json").symlink_to(root / "a.json")
    (root / "d").symlink_to(tmp_path)
    (tmp_path / "outside.json").write_bytes(b"")
    assert isinstance(sink, Lists)
    assert list(sink.keys("", ".json")) == ["a.json", "b/1.json", "b/10/x.json", "b/2/y.json", "c/z.json"]
    assert list(sink.keys("b/10", "")) == ["b/10/x.json", "b/10/x.mp4"]
    assert list(sink.keys("none/there", "")) == []
    for key in sink.keys("", ""):
        assert sink.recall(key) is not None


def test_a_listing_that_ends_early_leaves_nothing_open(root: Path) -> None:
    sink = FilesystemSink("nas", root)
    sink.note("a/b/1", b"")
    sink.note("a/b/2", b"")
    listing = sink.keys("", "")
    assert next(listing) == "a/b/1"
    listing.close()


def test_a_listing_of_what_is_not_there_is_no_empty_listing(root: Path) -> None:
    (root / MARKER).unlink()
    with pytest.raises(Unreachable):
        list(FilesystemSink("nas", root).keys("", ""))


def test_a_listing_goes_on_behind_what_was_taken_away_meanwhile(root: Path) -> None:
    sink = FilesystemSink("nas", root)
    for key in ("a/1", "b/1", "c", "d"):
        sink.note(key, b"")
    listing = sink.keys("", "")
    assert next(listing) == "a/1"
    (root / "b" / "1").unlink()
    (root / "b").rmdir()
    (root / "c").unlink()
    assert list(listing) == ["d"]
