"""Pushing to an S3 server, against rclone copying the same files to the same server in the same run."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random
from typing import Any

from bwcdock.clock import WallClock
from bwcdock.core.facts import Digests
from bwcdock.settings import S3Sink
from bwcdock.sinks.s3.store import S3Store
from bwcdock.testing.sinks import digests_of

from bench.cards import MIB
from bench.figures import Goal, Others, median, tell, timed
from bench.memory import Resident
from bench.scale import Scale

ROOT = Path(__file__).resolve().parents[1]
AT_ONCE = 4
"""Uploads at the same time; rclone's own number as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file to push, and what it is."""

    path: Path
    digests: Digests


def s3(scale: Scale) -> None:
    """A B B A …: the sink with four uploads at once, and ``rclone copy``, each into a new bucket with object lock."""
    rclone, folder = _rclone(), scale.work / "weed"
    files = _files(scale)
    ours, theirs, looked, others = [], [], [], Others(scale.calm_s)

    def push(server: Any) -> None:
        store = _store(server, scale.work / "uploads")
        ours.append(timed(lambda: _each(files, partial(_put, store))))
        looked.append(timed(lambda: _each(files, partial(_look, store))))

    for pair in range(scale.pairs):
        with others.watching(), _server(folder) as server:
            turns: list[Callable[[], object]] = [
                lambda: push(server),
                lambda: theirs.append(_copied(rclone, server, files)),
            ]
            for turn in turns if pair % 2 == 0 else turns[::-1]:
                _fair(files)
                turn()
    resident = _memory(folder, scale.work / "uploads", files)
    size = sum(file.path.stat().st_size for file in files) / MIB
    ratios, note = _by_pair(ours, theirs), f"{len(files)} files, {size:.0f} MiB; rclone {median(theirs):.1f} s"
    goal = Goal(sign="<=", value=1.0)
    tell("s3_push_vs_rclone", median(ratios), "ratio", goal=goal, of=ratios, others=others.share, note=note)
    tell("s3_push", median(ours), "s", of=ours, others=others.share, note="without read-back, with every lock")
    note = "reading all of it back with both digests, on top of the push"
    tell("s3_read_back", median(looked), "s", of=looked, others=others.share, note=note)
    both = _by_pair([push_s + look_s for push_s, look_s in zip(ours, looked, strict=True)], theirs)
    tell("s3_push_and_read_back_vs_rclone", median(both), "ratio", of=both, others=others.share)
    note = f"resident with {AT_ONCE} uploads at once, all that a station has loaded counted"
    tell("s3_memory", resident / MIB, "MiB", goal=Goal(sign="<=", value=200), note=note)


def _by_pair(some: Sequence[float], others: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(some, others, strict=True)]


def _files(scale: Scale) -> list[File]:
    folder = scale.work / "files"
    folder.mkdir()
    found = []
    for number in range(scale.files):
        chance, path = Random(number), folder / f"{number:03}.mp4"
        with path.open("wb") as file:
            left = scale.size_each
            while left:
                left -= file.write(chance.randbytes(min(left, 4 * MIB)))
        found.append(File(path=path, digests=digests_of(path)))
    return found


def _fair(files: list[File]) -> None:
    """Everybody finds the files in memory (we take them out of it when they are sent), and a disk without a backlog."""
    os.sync()
    for file in files:
        with file.path.open("rb") as source:
            while source.read(4 * MIB):
                pass


@contextmanager
def _server(folder: Path) -> Iterator[Any]:
    """SeaweedFS as the tests start it, with nothing in it."""
    server = _tests("seaweedfs").SeaweedFs(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


def _tests(name: str) -> Any:
    """A module of the tests on real servers, which know how to start them."""
    for place in (ROOT / "tests", ROOT / "tests" / "services"):
        if str(place) not in sys.path:
            sys.path.append(str(place))
    return importlib.import_module(name)


def _rclone() -> Path:
    """Where it is. What is missing, of it and of the server, is told plainly, before anything is made."""
    processes, weed = _tests("processes"), _tests("seaweedfs")
    try:
        processes.program("weed", weed.TOOLS, hint=weed.HINT)
        hint = "Install Debian's rclone, or run `make services`, which brings one."
        found: Path = processes.program("rclone", weed.TOOLS, hint=hint)
    except processes.NotThere as missing:
        sys.exit(f"bench: {missing}")
    return found


def _store(server: Any, uploads: Path) -> S3Store:
    """The sink in a new bucket."""
    owner = _tests("seaweedfs").OWNER
    return _opened(server.endpoint, _tests("s3_beds").new_bucket(server.endpoint, owner), owner, uploads)


def _opened(endpoint: str, bucket: str, owner: Any, uploads: Path) -> S3Store:
    """The sink, with answers to what it asks once a process."""
    keys = {"access_key": {"credential": "access"}, "secret_key": {"credential": "secret"}}
    settings = S3Sink.model_validate({"name": "cloud", "kind": "s3", "endpoint": endpoint, "bucket": bucket, **keys})
    store = S3Store(
        settings,
        access_key=owner.access,
        secret_key=owner.secret,
        uploads=uploads,
        now=WallClock().now,
        station="bench",
    )
    store.initialise()
    store.abilities()
    return store


def _put(store: S3Store, file: File) -> None:
    store.put(file.path.name, file.path, file.digests, None)


def _look(store: S3Store, file: File) -> None:
    held = store.stat(file.path.name)
    assert held is not None
    assert held.digests == file.digests


def _copied(rclone: Path, server: Any, files: list[File]) -> float:
    """Seconds that it takes, as it comes: four transfers at once."""
    owner = _tests("seaweedfs").OWNER
    environ = os.environ | {
        "RCLONE_CONFIG_STORE_TYPE": "s3",
        "RCLONE_CONFIG_STORE_PROVIDER": "SeaweedFS",
        "RCLONE_CONFIG_STORE_ENDPOINT": server.endpoint,
        "RCLONE_CONFIG_STORE_ACCESS_KEY_ID": owner.access,
        "RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY": owner.secret,
        "RCLONE_S3_NO_CHECK_BUCKET": "true",
    }
    bucket = _tests("s3_beds").new_bucket(server.endpoint, owner)
    options = ["--config", "/dev/null", f"--transfers={AT_ONCE}"]
    command = [rclone, *options, "copy", files[0].path.parent, f"store:{bucket}"]
    return timed(lambda: subprocess.run(command, check=True, env=environ, stderr=subprocess.DEVNULL))


def _memory(folder: Path, uploads: Path, files: list[File]) -> int:
    """The most bytes that are resident while it pushes, in a process that has loaded what a station has and no more."""
    with _server(folder) as server:
        bucket = _tests("s3_beds").new_bucket(server.endpoint, _tests("seaweedfs").OWNER)
        told = [server.endpoint, bucket, str(uploads), [[str(one.path), asdict(one.digests)] for one in files]]
        command = [sys.executable, "-c", "from bench.s3 import alone; alone()"]
        ran = subprocess.run(command, input=json.dumps(told), stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return int(ran.stdout)


def alone() -> None:
    """The process of :func:`_memory`: pushes what it reads of, and prints the bytes."""
    endpoint, bucket, uploads, told = json.load(sys.stdin)
    store = _opened(endpoint, bucket, _tests("seaweedfs").OWNER, Path(uploads))
    watched = Resident(children=False)
    with watched:
        _each([File(path=Path(path), digests=Digests(**digests)) for path, digests in told], partial(_put, store))
    print(watched.most)


def _each(files: list[File], work: Callable[[File], None]) -> None:
    """Each file once, so many at a time; the first failure is raised."""
    waiting: SimpleQueue[File] = SimpleQueue()
    for file in files:
        waiting.put(file)
    failed: list[BaseException] = []

    def run() -> None:
        while not failed:
            try:
                work(waiting.get_nowait())
            except Empty:
                return
            except BaseException as error:  # it is raised where it is seen
                failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
