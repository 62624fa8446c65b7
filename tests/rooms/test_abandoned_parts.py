"""What was never finished in central storage is removed after its time: our own, unlocked, and nothing else."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bwcdock import stores
from bwcdock.durable import PartFile
from bwcdock.sinks.filesystem import INCOMING, FilesystemSink
from bwcdock.steps.witness import ABANDONED, TIDY_EVERY
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.sinks import digests_of
from bwcdock.testing.station import StationBed

NOW = datetime(2026, 11, 21, tzinfo=UTC)
PART = f"{'a' * 32}-{'b' * 32}.part"


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    FilesystemSink("nas", tmp_path).initialise()
    return tmp_path / INCOMING


def part(incoming: Path, name: str, age: timedelta) -> Path:
    path = incoming / name
    path.write_bytes(b"half")
    when = (NOW - age).timestamp()
    os.utime(path, (when, when))
    return path


def test_our_own_old_ones_go_and_nothing_else(tmp_path: Path, incoming: Path) -> None:
    old, young = timedelta(days=15), timedelta(days=13)
    ours = part(incoming, f"dock-07.{PART}", old)
    stay = [
        part(incoming, f"dock-07.{'c' * 32}-{'b' * 32}.part", young),
        part(incoming, f"dock-0.{PART}", old),
        part(incoming, f"dock-07-b.{PART}", old),
        part(incoming, PART, old),
        part(incoming, "dock-07.notes.txt", old),
    ]
    FilesystemSink("nas", tmp_path, station="dock-07").tidy(NOW - ABANDONED)
    assert not ours.exists()
    assert all(path.exists() for path in stay)
    FilesystemSink("nas", tmp_path).tidy(NOW)  # of no station: nothing is its own
    assert all(path.exists() for path in stay)


def test_what_is_being_written_stays(tmp_path: Path, incoming: Path) -> None:
    path = part(incoming, f"dock-07.{PART}", timedelta(days=15))
    with PartFile(path):
        FilesystemSink("nas", tmp_path, station="dock-07").tidy(NOW)
        assert path.exists()
    FilesystemSink("nas", tmp_path, station="dock-07").tidy(NOW)
    assert not path.exists()


def test_the_station_s_name_is_in_what_it_began(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    seen: list[str] = []
    store = stores.sinks(bed.settings, bed.clock)["central"]
    incoming = bed.central(INCOMING)
    store._pace = lambda _: seen.extend(path.name for path in incoming.iterdir())  # type: ignore[attr-defined]
    source = tmp_path / "source"
    source.write_bytes(b"x" * 10_000)
    store.put("a", source, digests_of(source), None)
    assert seen
    assert all(name.startswith("test-dock.") for name in seen)


def test_it_is_done_at_the_start_and_once_a_day(tmp_path: Path) -> None:
    clock = VirtualClock(NOW)
    bed = StationBed(tmp_path, clock=clock)
    incoming = bed.central(INCOMING)
    with bed.bench() as bench:
        for age in (timedelta(0), TIDY_EVERY / 2, TIDY_EVERY):
            left = part(incoming, f"test-dock.{PART}", timedelta(days=20))
            clock.advance(age)
            bench.witnesses["central"].bring()
            assert left.exists() is (age == TIDY_EVERY / 2)
