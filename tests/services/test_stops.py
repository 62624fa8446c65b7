"""Stations are killed and central storage stops, again and again, while recordings are pushed to real servers.

In the end every recording is there once and whole, and nothing unfinished is left. A few kills and stops by default;
BWCDOCK_CAMPAIGN=long (`make stops`) does as many as a bad year has.
"""

import hashlib
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Protocol

import pytest
from buckets import bed_with_policy
from bwcdock import stores
from bwcdock.clock import WallClock
from bwcdock.core.record import State
from bwcdock.ledger import open_read_only
from bwcdock.ports import Tidies
from kill_world import Dock, Forker, finish, forker, kill, one_round_s, started
from openssh import OpenSsh
from s3_beds import LEAST_PART
from seaweedfs import DOCK, OWNER, PRINCIPAL, SeaweedFs

LONG = os.environ.get("BWCDOCK_CAMPAIGN") == "long"
LARGE = 2 * LEAST_PART + 1
SIZES = (0, 4096, 200_000, 800_000, LEAST_PART + 4097, LARGE)
"""Of files: some are sent in two or three parts, the others in one request."""

BANDWIDTH = 'bandwidth = "16 MiB"\n'
"""Slow enough that a large file is on its way for a while."""

SOON_S = 10.0
"""How long a moment is waited for that may not come: what is docked may be small, or all of it there already."""

ANY = 2
"""Of three moments the one that is not waited for."""

PUSH, OWED, NONE = "in the middle of a push", "when something was owed", "into nothing of that"
OWN = ("checkpoints", "receipts", "statements")


class Served(Protocol):
    """Central storage on a real server, seen from the server's side."""

    kills: ClassVar[int]
    stops: ClassVar[int]
    loaded: ClassVar[str]
    sink: str
    """What the settings of a station say of it."""

    def stop(self, number: int) -> None: ...

    def start(self) -> None: ...

    def close(self) -> None: ...

    def versions(self) -> dict[str, list[str]]:
        """The SHA-256 of each version under each key."""
        ...

    def unfinished(self) -> list[str]:
        """What was begun and is neither finished nor taken away."""
        ...


class OnSeaweedFs:
    kills, stops = (50, 10) if LONG else (6, 2)
    loaded = "bwcdock.sinks.s3.store"

    def __init__(self, folder: Path) -> None:
        self._server = SeaweedFs(folder / "weed")
        self._server.start()
        self._bed = bed_with_policy(self._server.endpoint, OWNER, DOCK, PRINCIPAL, folder / "uploads")
        for name, value in (("access", DOCK.access), ("secret", DOCK.secret)):
            (folder / name).write_text(value)
            (folder / name).chmod(0o600)
        self.sink = (
            f'name = "cloud"\nkind = "s3"\nendpoint = "{self._server.endpoint}"\nbucket = "{self._bed.bucket}"\n'
            f'access_key = {{ file = "{folder}/access" }}\nsecret_key = {{ file = "{folder}/secret" }}\n'
            f'part = "{LEAST_PART >> 20} MiB"\nread_timeout_s = 30.0\n{BANDWIDTH}'
        )

    def stop(self, number: int) -> None:
        """As in a power cut; every third time as an administrator does, so that it ends what it has begun."""
        if number % 3 == 2:  # takes fifteen seconds
            self._server.stop()
        else:
            self._server.kill()

    def start(self) -> None:
        self._server.start()

    def close(self) -> None:
        self._server.kill()

    def versions(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        outside, bucket = self._bed.outside, self._bed.bucket
        for page in outside.get_paginator("list_object_versions").paginate(Bucket=bucket):
            assert not page.get("DeleteMarkers")
            for one in page.get("Versions", []):
                told = outside.get_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
                found.setdefault(one["Key"], []).append(hashlib.sha256(told["Body"].read()).hexdigest())
        return found

    def unfinished(self) -> list[str]:
        return self._bed.unfinished()


class OnOpenSsh:
    kills, stops = (20, 5) if LONG else (2, 1)
    loaded = "bwcdock.sinks.sftp"

    def __init__(self, folder: Path) -> None:
        self._server = OpenSsh(folder / "ssh")
        self._server.start()
        place = self._server.place
        self._root = place.root
        self.sink = (
            f'name = "vault"\nkind = "sftp"\nhost = "127.0.0.1"\nport = {place.port}\nuser = "{place.user}"\n'
            f'root = "{place.root}"\nprivate_key = {{ file = "{place.key}" }}\nknown_hosts = "{place.known_hosts}"\n'
            f"{BANDWIDTH}"
        )

    def stop(self, number: int) -> None:
        """As in a power cut: asked to end, it would let its sessions go on."""
        self._server.kill()

    def start(self) -> None:
        self._server.start()

    def close(self) -> None:
        self._server.kill()

    def versions(self) -> dict[str, list[str]]:
        found = {}
        for path in self._root.rglob("*"):
            key = path.relative_to(self._root).as_posix()
            if path.is_file() and not key.startswith("."):
                found[key] = [hashlib.sha256(path.read_bytes()).hexdigest()]
        return found

    def unfinished(self) -> list[str]:
        return [path.name for path in (self._root / ".incoming").iterdir()]


@contextmanager
def world(kind: type[OnSeaweedFs] | type[OnOpenSsh], folder: Path) -> Iterator[tuple[Served, Dock, Forker]]:
    """A server, a station that pushes to it, and what starts the station's daemons."""
    seed = int(os.environ.get("BWCDOCK_SEED") or random.SystemRandom().randrange(10**6))
    print(f"BWCDOCK_SEED={seed}")
    (folder / "central").mkdir()
    central = kind(folder / "central")
    try:
        dock = Dock(folder, random.Random(seed), central.sink, sizes=SIZES, patience_s=180, longest_round_s=30)
        with forker(folder / "log", central.loaded) as forked:
            yield central, dock, forked
    finally:
        central.close()


def soon(condition: Callable[[], object]) -> None:
    """Wait a while until it is so."""
    end = time.monotonic() + SOON_S
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)


def owed(dock: Dock) -> bool:
    """Whether something is sealed and not yet known to be in central storage."""
    return any(record.sealed_seq is not None and not record.held for record in dock.records())


def moment(number: int, central: Served, dock: Dock, round_s: float) -> str:
    """Wait for one: by turns in the middle of a push, when something has to be pushed, and any at all; which it was."""
    if number % 3 == ANY:
        time.sleep(dock.chance.random() * round_s)
    elif number % 3:
        soon(lambda: owed(dock))
        time.sleep(dock.chance.random() * round_s / 4)
    else:  # a paper is pushed in no time: what was on its way then may be there already
        after_s, end = dock.chance.random() / 4, time.monotonic() + SOON_S
        while time.monotonic() < end:
            soon(central.unfinished)
            time.sleep(after_s)
            if central.unfinished():
                break
    return PUSH if central.unfinished() else OWED if owed(dock) else NONE


def interrupted(central: Served, dock: Dock, forked: Forker, round_s: float) -> Counter[str]:
    """Kill the station and stop central storage, in an order of chance; into what these fell."""
    kills, stops = central.kills, central.stops
    pid, fell, stopped = started(forked, dock), Counter[str](), 0
    for number, what in enumerate(dock.chance.sample([kill, central.stop], kills + stops, counts=[kills, stops])):
        dock.day_goes_on()
        if number % 3 != ANY:
            dock.new_recorder(LARGE)
        fell[moment(number, central, dock, round_s)] += 1
        if what is kill:
            kill(forked, pid)
            pid = started(forked, dock)
        else:
            central.stop(stopped)
            stopped += 1
            time.sleep(dock.chance.random())
            central.start()
    kill(forked, pid)
    return fell


def whole_and_once(dock: Dock, central: Served) -> None:
    """Every recording that ever was is confirmed, and there, once and whole; beside it nothing but signed papers."""
    records = dock.records()
    assert {(r.recorder, r.item.path): r.digests.sha256 for r in records if r.digests} == dock.recorded
    assert all(r.state is State.SEALED and r.finished for r in records)
    assert len(records) == len(dock.recorded)
    found = {key: versions for key, versions in central.versions().items() if not key.startswith(".")}
    assert not {key: len(versions) for key, versions in found.items() if len(versions) > 1}
    stored = {key: versions for key, versions in found.items() if key.split("/")[0] not in OWN}
    objects = {key: versions for key, versions in stored.items() if not key.endswith(".manifest.json")}
    assert objects == {r.held[0].key: [r.digests.sha256] for r in records if r.digests}
    assert stored.keys() - objects.keys() == {f"{key}.manifest.json" for key in objects}
    with open_read_only(dock.settings.paths.ledger) as ledger:
        codes = [told.finding.code for told in ledger.findings()]
    assert not [code for code in codes if code.startswith(("sink.", "copy."))]
    dock.audit()


def nothing_is_left(dock: Dock, central: Served) -> None:
    """What was begun and not finished is ours to take away, after its time: here, now."""
    left = central.unfinished()
    (store,) = stores.sinks(dock.settings, WallClock()).values()
    assert isinstance(store, Tidies)
    store.tidy(WallClock().now())
    assert central.unfinished() == []
    print(f"{len(left)} unfinished before tidying, none after")


@pytest.mark.timeout(3600 if LONG else 600)
@pytest.mark.parametrize("kind", [OnSeaweedFs, OnOpenSsh])
def test_killed_and_stopped_while_pushing(tmp_path: Path, kind: type[OnSeaweedFs] | type[OnOpenSsh]) -> None:
    with world(kind, tmp_path) as (central, dock, forked):
        round_s, began = one_round_s(forked, dock), time.monotonic()
        fell = interrupted(central, dock, forked, round_s)
        took_s = time.monotonic() - began
        finish(forked, dock)
        print(f"{kind.kills} kills, {kind.stops} stops in {took_s:.0f} s, {len(dock.recorded)} files: {dict(fell)}")
        whole_and_once(dock, central)
        nothing_is_left(dock, central)
        # And they did fall into the work.
        assert fell[PUSH] >= fell.total() / 5
        assert fell[NONE] <= fell.total() / 2
