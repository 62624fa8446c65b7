"""The pages' user beside the station's: reads ledger and snapshot while the daemon writes, speaks, and reaches no more.

Needs root, which alone can be two other users; each is a child that gave up being root.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import sqlite3
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bwcdock import app, config, meters, metrics, overview
from bwcdock.cli.serve import stores
from bwcdock.core.facts import Actor, Beat
from bwcdock.core.live import LiveView, RoomView
from bwcdock.desk import answers, do, line, listening
from bwcdock.desk.acts import EnterPerson
from bwcdock.errors import BwcdockError, Misused
from bwcdock.ledger import open_read_only

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to be two other users (sudo make check-dock)")

STATION, PAGES, STRANGER = 61001, 61002, 61003
"""Users and groups of these numbers, which no machine gives to anybody."""

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def child(work: Callable[[], Any], user: int, groups: Sequence[int] = ()) -> tuple[int, int]:
    """``work`` as this user in a child: its pid, and where its answer comes, as JSON."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        return pid, told
    status = 1
    try:
        os.setgroups(list(groups))
        os.setgid(user)
        os.setuid(user)
        os.umask(0o027)
        os.write(tell, json.dumps(work()).encode())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def answer(started: tuple[int, int]) -> Any:
    """What the child answered, when it has ended."""
    pid, told = started
    with open(told, "rb") as stream:
        said = stream.read()
    assert os.waitpid(pid, 0)[1] == 0, said
    return json.loads(said)


def as_pages(work: Callable[[], Any]) -> Any:
    return answer(child(work, PAGES, [STATION, PAGES]))


@pytest.fixture
def home() -> Iterator[Path]:
    """An installed station's places with their owners and modes, where everybody may look for it."""
    place = Path(tempfile.mkdtemp(prefix="bwcdock-two-", dir="/var/tmp"))
    try:
        place.chmod(0o755)
        station = place / "station"
        app.found(station, rules="S4-fuzhou", name="dock-01", unit="u", now=NOW)
        for path in (station, *station.rglob("*")):
            os.chown(path, STATION, STATION)
        for name, mode in {
            ".": 0o750, "ledger": 0o750, "spool": 0o700, "keys": 0o700, "run": 0o750, "central": 0o700,
        }.items():  # fmt: skip
            (station / name).chmod(mode)
        web = station / "run/web"
        web.mkdir()
        os.chown(web, STATION, PAGES)
        web.chmod(0o2710)
        yield station
    finally:
        shutil.rmtree(place)


def settings(home: Path) -> config.Settings:
    return config.load(home / "bwcdock.toml")


async def serve(bench: Any) -> None:
    """A daemon without a station's work: the line, and a ledger that grows."""

    async def asking(fn: Callable[..., Any], *args: Any) -> Any:
        return fn(*args)

    async def doing(act: Any, actor: Actor) -> Any:
        return do(bench, act, actor)

    door = listening.Line(bench.settings.paths.run, answers.Answers(bench, asking, doing, lambda: stores(bench)))
    await door.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    while not stop.is_set():
        bench.book.record([Beat(clock="x")])
        bench.book.ask(lambda ledger: ledger.checkpoint())
        await asyncio.sleep(0.01)
    await door.close()


def work(home: Path) -> None:
    with app.opened(settings(home)) as bench:
        asyncio.run(serve(bench))


@pytest.fixture
def daemon(home: Path) -> Iterator[tuple[int, int]]:
    started = child(lambda: work(home), STATION)
    try:
        for _ in range(3000):
            if not refused(lambda: line.hello(home / "run").pid)[0].startswith("Misused"):
                break
            time.sleep(0.01)
        yield started
    finally:
        try:
            os.kill(started[0], signal.SIGTERM)
            assert answer(started) is None
        except ProcessLookupError:
            os.close(started[1])


def looked(home: Path, times: int = 100) -> list[int]:
    """The size of the ledger, each time anew, with its last entry read."""
    sizes = []
    for _ in range(times):
        with open_read_only(home / "ledger") as ledger:
            size = ledger.size  # once: asked again it may have grown
            assert len(list(ledger.entries(size - 1, size))) == 1
            sizes.append(size)
    return sizes


def refused(*tries: Callable[[], Any]) -> list[str]:
    """What came of what must not be possible."""
    told = []
    for each in tries:
        try:
            told.append(f"done: {each()}")
        except (OSError, sqlite3.Error, BwcdockError) as error:
            told.append(type(error).__name__)
    return told


def test_the_pages_read_the_ledger_while_the_daemon_writes_it(home, daemon):
    sizes = as_pages(lambda: looked(home))
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]
    assert as_pages(lambda: overview.running(settings(home))) == daemon[0]


def test_the_pages_write_nothing_and_see_neither_keys_nor_footage(home, daemon):
    database = home / "ledger/ledger.db"

    def write() -> None:
        with sqlite3.connect(database) as db:
            db.execute("DELETE FROM fold")

    def tried() -> list[str]:
        return refused(
            write,
            lambda: os.open(database, os.O_RDWR),
            lambda: os.open(f"{database}-wal", os.O_RDWR),
            lambda: os.open(f"{database}-shm", os.O_RDWR),
            lambda: (home / "ledger/new").write_text("x"),
            database.unlink,
            lambda: os.listdir(home / "keys"),
            (home / "keys/signing.key").read_bytes,
            lambda: os.listdir(home / "spool"),
            lambda: os.listdir(home / "central"),
            lambda: (home / "run/web/other.sock").write_text("x"),
        )

    assert as_pages(tried) == ["OperationalError", *["PermissionError"] * 10]
    stranger = answer(child(lambda: refused(lambda: looked(home, 1), lambda: line.hello(home / "run").pid), STRANGER))
    assert all(not each.startswith("done") for each in stranger)


def test_the_pages_speak_at_their_own_door_alone(home, daemon):
    first = EnterPerson(person="001", name="王管理", roles=("administrator",))

    def speak() -> list[Any]:
        run = home / "run"
        done = line.ask(run, first, Actor(name="001", role="administrator"))
        return [line.hello(run).pid, done.matter, *refused(lambda: _other_door(run))]

    assert as_pages(speak) == [daemon[0], "001", "PermissionError"]
    assert answer(child(lambda: line.hello(home / "run").pid, STATION)) == daemon[0]
    mode, group = (home / "run/web" / line.NAME).stat().st_mode & 0o777, (home / "run/web" / line.NAME).stat().st_gid
    assert (oct(mode), group) == ("0o660", PAGES)


def test_the_pages_tell_the_figures_with_the_daemons_word_on_the_spool_they_may_not_see(home, daemon):
    def told() -> str:
        here = settings(home)
        with open_read_only(home / "ledger") as ledger:
            return metrics.exposition(here, ledger, app.law_of(here), NOW).decode()

    assert "\nbwcdock_up 0.0\n" in as_pages(told)
    assert "\nbwcdock_spool_free_bytes " not in as_pages(told)
    text = meters.Meters().exposition(daemon[0], NOW, "synchronised", RoomView(free=900, total=1000, reserve=100))
    answer(child(lambda: (home / "run" / meters.NAME).write_bytes(text), STATION))
    assert "\nbwcdock_up 1.0\n" in as_pages(told)
    assert "\nbwcdock_spool_free_bytes 900.0\n" in as_pages(told)
    assert "\nbwcdock_loop_turns_total 0.0\n" in as_pages(told)


def test_the_pages_tell_of_the_station_with_the_daemons_word_on_the_spool_they_may_not_see(home, daemon):
    def told() -> list[int | None] | None:
        here = settings(home)
        with open_read_only(home / "ledger") as ledger:
            spool = overview.status(here, ledger, NOW).spool
        return [spool.free, spool.used, spool.total, spool.reserve] if spool else None

    assert as_pages(told) is None
    room = RoomView(free=900, total=1000, reserve=100)
    live = overview.LIVE.dump_json(LiveView(pid=daemon[0], at=NOW, sessions=(), spool=room))
    answer(child(lambda: (home / "run" / overview.LIVE_NAME).write_bytes(live), STATION))
    assert as_pages(told) == [900, None, 1000, 100]


def _other_door(run: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end, line.short(run / line.NAME) as address:
        end.connect(address)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["ended", "killed"])
def test_the_pages_read_it_also_when_no_daemon_is_at_work(home, daemon, how):
    before = as_pages(lambda: looked(home, 1))[0]
    os.kill(daemon[0], how)
    os.waitid(os.P_PID, daemon[0], os.WEXITED | os.WNOWAIT)
    assert as_pages(lambda: looked(home, 3))[0] >= before
    with pytest.raises(Misused):
        line.hello(home / "run")
    if how is signal.SIGKILL:
        os.waitpid(daemon[0], 0)
