"""`bwcdock sinks check` proves a central storage end to end, and finds each thing that would be wrong with it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bwcdock import app, resources
from bwcdock.cli import main
from bwcdock.clock import WallClock
from bwcdock.core.facts import Digests, Lock
from bwcdock.errors import Unreachable
from bwcdock.ports import Held, Probe
from bwcdock.testing.s3_server import S3Server
from bwcdock.testing.s3_signing import User
from bwcdock.testing.s3_vault import Habits
from bwcdock.testing.sinks import LockingSink, MemorySink, SinkFault, digests_of
from bwcdock.testing.station import StationBed
from bwcdock.trying import KEPT, tried
from bwcdock.verify_central import verify
from s3_beds import Account, S3Bed

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def steps(store: Any, room: Path) -> dict[str, bool | None]:
    return {each.step: each.good for each in tried(store, "dock-01", room, NOW)}


@pytest.mark.parametrize("group", ["sinks", "sink"])
def test_a_folder_that_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str], group: str) -> None:
    bed = StationBed(tmp_path)
    before = set(bed.settings.paths.run.iterdir())
    assert main(["-C", str(tmp_path / "station"), group, "check", "central"]) == 0
    told = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines() if line[0] in "✓✗–"]
    assert [line.split()[0] for line in told] == ["✓"] * 6 + ["–", "✓", "✓", "–"]
    assert "通过 passed · 写入 write" in told[1]
    assert "通过 passed · 拒绝覆盖 overwrite" in told[4]
    assert "不适用 not offered · 防删锁定 lock" in told[6]
    assert set(bed.settings.paths.run.iterdir()) == before
    folder = bed.settings.sink[0].path / "checks" / "test-dock"
    assert len(list(folder.iterdir())) == 2
    # What it was tried with is no recording that somebody forgot to describe.
    report = verify(bed.settings.sink[0].path, app.public_key(bed.settings))
    assert "checks" not in "".join(report.disagreements)


def test_a_folder_that_is_away_says_what_to_do_and_the_rest_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bed = StationBed(tmp_path)
    root = bed.settings.sink[0].path
    root.rename(root.with_name("away"))
    assert main(["-C", str(tmp_path / "station"), "sinks", "check", "central", "--json"]) == 1
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["step"], told["good"]) == ("reach", False)
    assert "Mount central storage" in told["remedy"]


def test_a_name_that_no_sink_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    StationBed(tmp_path)
    assert main(["-C", str(tmp_path / "station"), "sinks", "check", "vault"]) == 2
    assert "There is central." in capsys.readouterr().err


class Careless(MemorySink):
    """Lets anything be written over anything."""

    def _agrees(self, key: str, data: bytes) -> bool:
        return False


class Twofaced(MemorySink):
    """Refuses to overwrite, and overwrites."""

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:
        try:
            super().put(key, source, digests, keep_until)
        finally:
            self.objects[key] = source.read_bytes()


class Renaming(MemorySink):
    """Makes a new version of an object whenever the same bytes come again."""

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:
        again = key in self.objects
        super().put(key, source, digests, keep_until)
        if again:
            self.objects[key] += b"x"


class Rotten(MemorySink):
    """Keeps other bytes than it is given, and says that all is well."""

    def stat(self, key: str) -> Held | None:
        held = super().stat(key)
        return replace(held, digests=digests_of(b"other")) if held else None


class Confused(MemorySink):
    def newest(self, prefix: str, suffix: str, most: int) -> list[str]:
        return []


class Short(LockingSink):
    """Locks for an hour, whatever is asked."""

    def lock(self, key: str, version: str, wanted: Lock) -> Lock:
        super().lock(key, version, wanted)
        return Lock(until=NOW + timedelta(hours=1))


class Open(MemorySink):
    """Its account may delete."""

    def probe(self) -> list[Probe]:
        return [Probe(word="rights", good=False, what="It may delete.", remedy="Take that from it.")]


class Silent(MemorySink):
    def probe(self) -> list[Probe]:
        raise Unreachable("probe", "It went away.", "Try later.", self.name)


@pytest.mark.parametrize(
    ("make", "bad"),
    [
        (MemorySink, set()),
        (LockingSink, set()),
        (Careless, {"overwrite"}),
        (Twofaced, {"overwrite"}),
        (Renaming, {"again"}),
        (Rotten, {"read"}),
        (Confused, {"document"}),
        (Short, {"lock"}),
        (Open, {"rights"}),
        (Silent, {"rights"}),
        (lambda: MemorySink(faults=[SinkFault(op="put", nth=1, how="lie")]), {"again"}),
        (lambda: MemorySink(faults=[SinkFault(op="stat", nth=4, how="lie")]), {"read"}),
        (lambda: MemorySink(faults=[SinkFault(op="put", nth=1, how="before")]), {"write"}),
    ],
)
def test_each_thing_that_is_wrong_is_found(tmp_path: Path, make: Callable[[], MemorySink], bad: set[str]) -> None:
    told = steps(make(), tmp_path)
    assert {step for step, good in told.items() if good is False} == bad
    assert not list(tmp_path.iterdir())


def test_the_lock_of_a_try_ends_soon_and_is_what_the_storage_says(tmp_path: Path) -> None:
    store = LockingSink()
    assert steps(store, tmp_path)["lock"] is True
    assert {lock.until for lock in store.locks.values()} == {NOW + KEPT}
    store = LockingSink()
    store.keeps_locks = False
    assert steps(store, tmp_path)["lock"] is None


@pytest.mark.parametrize(
    ("habits", "policy", "bad"),
    [
        (Habits(), True, []),
        (Habits(conditional_puts=False, conditional_completes=False, checksums=False), True, []),
        (Habits(), False, ["rights"]),
    ],
)
def test_a_store_that_speaks_s3(tmp_path: Path, habits: Habits, policy: bool, bad: list[str]) -> None:
    rules = json.loads((resources.config_dir() / "s3-policy.json").read_text()) if policy else None
    with S3Server(habits, users={"dock": User(secret="dock's secret", policy=rules)}) as server:
        owner = Account(server.OWNER, server.OWNERS_SECRET)
        user = Account("dock", "dock's secret") if policy else owner
        store = S3Bed(server.endpoint, server.BUCKET, user, owner, tmp_path / "uploads").sink()
        told = list(tried(store, "dock-01", tmp_path, WallClock().now()))
    assert [each.step for each in told if each.good is False] == bad
    assert [each.step for each in told][-8:] == ["clock", *["ability"] * 7]
    assert {each.step for each in told if each.good} >= {"lock", "list", "give", "overwrite", "clock"}
