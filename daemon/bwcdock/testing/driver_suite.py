"""What every driver must hold: a suite of promises, to be run against each way of speaking to recorders.

Derive from :class:`DriverSuite` in a test file and give it a fixture ``bed`` that answers a fresh :class:`DriverBed`.
"""

import hashlib
import mmap
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Protocol

from bwcdock.clock import WallClock
from bwcdock.core.facts import Claim, Condition, Identity, Item, Sighting
from bwcdock.errors import Unplugged
from bwcdock.ports import Driver, Recorder, SetsClock

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
READS = 60
"""Reads at random places: enough to meet every edge of a card of ten files, few enough for a second."""


NO_ITEM = Item(path="none", size=1, modified=None, claim=Claim(start=None, end=None, source="none", zone="UTC"))
"""What is asked of a recorder that has no files, once it is gone."""


class DriverBed(Protocol):
    """One docked recorder, everything that is on it, and the means to look at it from outside and to pull it out."""

    files: Mapping[str, bytes]
    """The content of every item by its path, escaped as an item has it."""

    def driver(self) -> Driver:
        """A driver made anew."""
        ...

    def sighting(self) -> Sighting:
        """Where the recorder is docked."""
        ...

    def foreign(self) -> Sighting:
        """A sighting this driver must not claim."""
        ...

    def fingerprint(self) -> str:
        """A digest of everything the recorder holds, down to the last byte of it, taken without the driver."""
        ...

    def vanish(self) -> None:
        """Pull it out, in the middle of whatever is going on."""
        ...


class DriverSuite:
    """The promises of :class:`bwcdock.ports.Driver` and :class:`bwcdock.ports.Recorder`.

    A recorder without files, because it becomes a disk for them, keeps those about files by listing none.
    """

    def test_claims_only_its_own(self, bed: DriverBed) -> None:
        """A claim is a number from 0 to 100, above 0 for its own and 0 for what it cannot open."""
        assert 0 < bed.driver().claims(bed.sighting()) <= 100
        assert bed.driver().claims(bed.foreign()) == 0

    def test_lists_everything_once(self, bed: DriverBed) -> None:
        """Every file is listed with its size, none twice, and nothing else."""
        with bed.driver().open(bed.sighting()) as recorder:
            listed = recorder.items()
            assert all(isinstance(item, Item) for item in listed)
            assert {i.path: i.size for i in listed} == {path: len(data) for path, data in bed.files.items()}
            assert len(listed) == len(bed.files)

    def test_the_same_answers_again(self, bed: DriverBed) -> None:
        """Listing twice, and opening twice, give the same list in the same order and the same identity."""
        with bed.driver().open(bed.sighting()) as recorder:
            first, identity = recorder.items(), recorder.identity()
            assert recorder.items() == first
            assert recorder.identity() == identity
            assert isinstance(identity, Identity)
            assert identity.serial
        with bed.driver().open(bed.sighting()) as recorder:
            assert recorder.items() == first
            assert recorder.identity() == identity

    def test_listing_is_a_copy(self, bed: DriverBed) -> None:
        """What a caller does with a list changes nothing."""
        with bed.driver().open(bed.sighting()) as recorder:
            first = list(recorder.items())
            recorder.items().clear()
            assert recorder.items() == first

    def test_reads_whole_files(self, bed: DriverBed) -> None:
        """Read from beginning to end, every file has exactly its bytes."""
        buffer = page_aligned(1 << 20)
        with bed.driver().open(bed.sighting()) as recorder:
            for item in recorder.items():
                digest, done = hashlib.sha256(), 0
                while got := recorder.read_into(item, done, buffer):
                    assert got <= len(buffer)
                    digest.update(buffer[:got])
                    done += got
                assert done == item.size
                assert digest.digest() == hashlib.sha256(bed.files[item.path]).digest(), item.path

    def test_reads_anywhere(self, bed: DriverBed) -> None:
        """From any offset into a buffer of any allowed size it gives a prefix of what lies there."""
        chance = Random(1)  # noqa: S311  # the same in every run
        with bed.driver().open(bed.sighting()) as recorder:
            items = [i for i in recorder.items() if i.size]
            assert bool(items) == any(bed.files.values())
            for _ in range(READS if items else 0):
                item = chance.choice(items)
                buffer = page_aligned(4096 * chance.randint(1, 40))
                offset = chance.choice((chance.randrange(item.size), item.size - 1, item.size // 4096 * 4096))
                got = recorder.read_into(item, offset, buffer)
                wanted = bed.files[item.path][offset : offset + len(buffer)]
                assert (0 < got <= len(wanted)) if wanted else got == 0
                assert bytes(buffer[:got]) == wanted[:got], (item.path, offset)

    def test_ends_at_the_end(self, bed: DriverBed) -> None:
        """At the end and past it there is nothing, and a read never gives more than the file has."""
        buffer = page_aligned(1 << 16)
        with bed.driver().open(bed.sighting()) as recorder:
            for item in recorder.items():
                for past in (0, 1, 4096, 1 << 40):
                    assert recorder.read_into(item, item.size + past, buffer) == 0
                assert recorder.read_into(item, max(0, item.size - 1), buffer) == min(1, item.size)

    def test_leaves_the_recorder_as_it_was(self, bed: DriverBed) -> None:
        """Looking changes not one byte."""
        before = bed.fingerprint()
        bed.driver().claims(bed.sighting())
        with bed.driver().open(bed.sighting()) as recorder:
            _read_all(recorder)
            assert isinstance(recorder.condition(NOW), Condition)
            assert recorder.present()
        assert bed.fingerprint() == before

    def test_leaves_nothing_behind(self, bed: DriverBed) -> None:
        """After the context no descriptor and no process is left, also when the caller failed inside."""
        _open_and_fail(bed)  # once before counting: what is loaded lazily stays
        before = held()
        for _ in range(3):
            with bed.driver().open(bed.sighting()) as recorder:
                _read_all(recorder)
            _open_and_fail(bed)
            bed.driver().claims(bed.sighting())
        assert held() == before

    def test_a_gone_recorder_is_unplugged(self, bed: DriverBed) -> None:
        """Pulled out, it is not present, and reading what was not read yet says Unplugged and nothing else."""
        before = held()
        buffer = page_aligned(4096)
        with bed.driver().open(bed.sighting()) as recorder:
            items = [i for i in recorder.items() if i.size]
            assert bool(items) == any(bed.files.values())
            if items:
                assert recorder.read_into(items[0], 0, buffer)
            bed.vanish()
            assert not recorder.present()
            for item in items[1:] or [NO_ITEM]:
                error = unplugged(lambda i=item: recorder.read_into(i, 0, buffer))  # type: ignore[misc]
                assert error.what
                assert error.hint
        assert held() == before

    def test_a_gone_recorder_does_not_open(self, bed: DriverBed) -> None:
        """What is gone before it is opened is nobody's claim, and opening it says Unplugged."""
        bed.vanish()
        driver, before = bed.driver(), held()
        assert driver.claims(bed.sighting()) == 0
        assert unplugged(lambda: driver.open(bed.sighting()).__enter__()).op
        assert held() == before


def unplugged(call: Callable[[], object]) -> Unplugged:
    """The error of a call that must find the recorder gone."""
    try:
        call()
    except Unplugged as error:
        return error
    raise AssertionError("a recorder that is gone answered")


def page_aligned(length: int) -> memoryview:
    """A buffer as the station gives it: it begins at a page, and its length is a multiple of 4096."""
    return memoryview(mmap.mmap(-1, length))


def held() -> tuple[int, frozenset[int]]:
    """How many descriptors this process has open, and its children."""
    mine = os.getpid()
    return len(os.listdir("/proc/self/fd")), frozenset(pid for pid in _processes() if _parent(pid) == mine)


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent(pid: int) -> int:
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # The program's name stands in parentheses and may hold blanks; state and parent come after it.
    return int(told.rpartition(")")[2].split()[1])


def _read_all(recorder: Recorder) -> None:
    buffer = page_aligned(1 << 18)
    for item in recorder.items():
        done = 0
        while got := recorder.read_into(item, done, buffer):
            done += got


def _open_and_fail(bed: DriverBed) -> None:
    try:
        with bed.driver().open(bed.sighting()) as recorder:
            recorder.items()
            raise KeyError("the caller failed")
    except KeyError:
        return


class ClockBed(DriverBed, Protocol):
    """One whose clock can be set, and be looked at from outside."""

    def ready(self, recorder: Recorder) -> None:
        """Whatever must be done before, such as unlocking it."""
        ...

    def error_s(self) -> float:
        """By how many seconds its clock is fast now, as its own screen would show."""
        ...


class ClockSuite:
    """The promises of :class:`bwcdock.ports.SetsClock`. The bed's clock is off by hours at the beginning."""

    def test_a_clock_that_is_set_is_right(self, clocked: ClockBed) -> None:
        """It is right by its own screen, by what setting it answers, and by what it is asked afterwards."""
        assert abs(clocked.error_s()) > 3600
        with clocked.driver().open(clocked.sighting()) as recorder:
            clocked.ready(recorder)
            assert isinstance(recorder, SetsClock)
            left = recorder.set_clock(WallClock().now())
            assert abs(clocked.error_s()) < 2
            assert left.bound == "exact"
            assert abs(left.offset_ms) <= left.uncertainty_ms + 2000
            told = recorder.condition(WallClock().now()).drift
            assert told is None or abs(told.offset_ms) <= told.uncertainty_ms + 2000

    def test_setting_it_changes_nothing_else(self, clocked: ClockBed) -> None:
        """Who it is and what lies on it stay as they were."""
        with clocked.driver().open(clocked.sighting()) as recorder:
            clocked.ready(recorder)
            before = recorder.identity(), recorder.items()
            assert isinstance(recorder, SetsClock)
            recorder.set_clock(WallClock().now())
            assert (recorder.identity(), recorder.items()) == before

    def test_a_gone_recorder_is_not_set(self, clocked: ClockBed) -> None:
        """Pulled out before, its clock is not set, and that is told as what it is."""
        with clocked.driver().open(clocked.sighting()) as recorder:
            clocked.ready(recorder)
            clocked.vanish()
            assert isinstance(recorder, SetsClock)
            unplugged(lambda: recorder.set_clock(WallClock().now()))
        assert abs(clocked.error_s()) > 3600
