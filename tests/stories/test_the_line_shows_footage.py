"""A viewing over the line: judged, in the register, and only then a descriptor; never a path, never without a line."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bwcdock import __version__
from bwcdock.core.facts import Actor
from bwcdock.desk import line
from bwcdock.desk.verbs import Opened
from bwcdock.errors import BwcdockError, Misused, NotAllowed, Unreachable
from cli_world import daemon
from line_world import ADMIN, CONTENT, OFFICER, Made, answers, copied, made, records, used

WHO = "当事人"


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(tmp_path_factory.mktemp("shown") / "dock")


@pytest.fixture(scope="module")
def at_work(station, tmp_path_factory) -> Iterator[Made]:
    mine = copied(station, tmp_path_factory.mktemp("at work") / "dock")
    with daemon(mine.home):
        answers(mine.home / "run")
        yield mine


def view(station: Made, request: str, number: int = 0, actor: Actor = ADMIN, **more: str) -> Opened:
    record = records(station.home)[number].id
    return line.view(station.home / "run", **{"request": request, "record": record, "who": WHO, **more}, actor=actor)


def test_who_asks_whether_it_is_there_is_told_the_version_and_the_process(at_work):
    alive = line.hello(at_work.home / "run")
    assert (alive.station, alive.version) == ("test-dock", __version__)
    assert f"{alive.pid}\n" == (at_work.home / "run/bwcdock.lock").read_text()


def test_a_granted_request_shows_its_recording_after_its_line_in_the_register(at_work):
    before = used(at_work.home, at_work.view)
    with view(at_work, at_work.view).file as file:
        assert file.read() == CONTENT["DCIM/20260302_080000.MP4"]
        os.lseek(file.fileno(), 3, os.SEEK_SET)  # what answers range requests
        assert os.pread(file.fileno(), 3, 0) == b"one"
        record = records(at_work.home)[0]
        assert used(at_work.home, at_work.view) == [*before, ("viewed", WHO, "001", f"view {record.id}")]


def test_what_is_told_of_it_is_no_name(at_work):
    opened = view(at_work, at_work.copy)
    opened.file.close()
    told, record = opened.answer, records(at_work.home)[0]
    assert (told.record, told.size, told.sha256) == (record.id, 150_000, record.digests.sha256)
    assert (told.kind, told.extension, told.place) == ("video", "mp4", "spool")
    hostile = view(at_work, at_work.everything, 2)
    hostile.file.close()
    assert hostile.answer.extension == ""


def test_the_descriptor_can_be_read_from_and_nothing_else(at_work):
    with view(at_work, at_work.view).file as file:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(file.fileno(), b"x")
        with pytest.raises(OSError, match="Invalid argument"):
            os.ftruncate(file.fileno(), 0)
        assert not os.get_inheritable(file.fileno())


@pytest.mark.parametrize(
    ("how", "kind", "says"),
    [
        ({"request": "waiting"}, NotAllowed, "is requested, not granted; the next to decide is bureau-deputy"),
        ({"request": "refused"}, NotAllowed, "is refused, not granted"),
        ({"request": "copy", "number": 1}, NotAllowed, "does not name recording"),
        ({"request": "view", "number": 1}, NotAllowed, "does not name recording"),
        ({"request": "view", "actor": OFFICER}, Misused, r"may not do this \(use-access\)"),
        ({"request": "view", "actor": Actor(name="099", role="administrator")}, Misused, "no person '099'"),
        ({"request": "view", "actor": Actor(name="003", role="administrator")}, Misused, "is not 专人"),
        ({"request": "view", "record": "ffff"}, Misused, "no recording 'ffff'"),
        ({"request": "view", "who": "x\ny"}, Misused, "who: String should match"),
    ],
)
def test_everything_else_is_refused_in_the_stations_own_words_and_leaves_no_line(at_work, how, kind, says):
    request = getattr(at_work, how["request"])
    before = used(at_work.home, request)
    more = {name: value for name, value in how.items() if name != "request"}
    with pytest.raises(kind, match=says) as told:
        view(at_work, request, **more)
    assert type(told.value) is kind
    assert told.value.hint
    assert used(at_work.home, request) == before


def test_what_the_spool_has_dropped_is_shown_from_central_storage(station, tmp_path):
    mine = copied(station, tmp_path / "dock")
    with daemon(mine.home):
        answers(mine.home / "run")
        first, second, _ = records(mine.home)
        (mine.home / "spool/whole" / first.id).unlink()
        with (opened := view(mine, mine.everything)).file as file:
            assert file.read() == CONTENT["DCIM/20260302_080000.MP4"]
        assert opened.answer.place == "central"
        shutil.rmtree(mine.home / "central")
        with pytest.raises(Unreachable, match="central cannot be used"):
            view(mine, mine.everything)
        assert len(used(mine.home, mine.everything)) == 1, "a share that is away makes no line"
        cut = mine.home / "spool/whole" / second.id
        cut.chmod(0o600)
        cut.write_bytes(b"short")
        with pytest.raises(BwcdockError, match=r"another number of bytes|central cannot be used"):
            view(mine, mine.everything, 1)


DYING = """\
import asyncio, os, signal, sys
from pathlib import Path
from bwcdock import app, config, desk
from bwcdock.cli.serve import stores
from bwcdock.desk.answers import Answers
from bwcdock.desk.listening import Line

before = sys.argv[2] == "before the line"
settings = config.load(Path(sys.argv[1]) / "bwcdock.toml")

async def asking(fn, *args):
    return fn(*args)

async def main(bench):
    async def doing(act, actor):
        if not before:
            desk.do(bench, act, actor)
        os.kill(os.getpid(), signal.SIGKILL)

    await Line(settings.paths.run, Answers(bench, asking, doing, lambda: stores(bench))).start()
    await asyncio.Event().wait()

with app.opened(settings) as bench:
    asyncio.run(main(bench))
"""


@pytest.mark.parametrize(("when", "lines"), [("before the line", 0), ("after the line", 1)])
def test_dying_between_leaves_a_line_without_a_viewing_and_never_the_other_way(station, tmp_path, when, lines):
    mine = copied(station, tmp_path / "dock")
    process = subprocess.Popen([sys.executable, "-c", DYING, mine.home, when])
    try:
        answers(mine.home / "run")
        with pytest.raises(Misused, match="cannot be reached"):
            view(mine, mine.view)
        assert process.wait(20) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()
    assert len(used(mine.home, mine.view)) == lines


def test_nobody_listens(tmp_path):
    with pytest.raises(Misused, match="cannot be reached"):
        line.hello(tmp_path)


# --- whoever asks badly costs nobody else -----------------------------------------------------------------------------


def talk(run: Path, said: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as end, line.short(run / line.NAME) as address:
        end.settimeout(20)
        end.connect(address)
        end.sendall(said)
        return end.makefile("rb").readline()


def test_nonsense_is_answered(at_work):
    run = at_work.home / "run"
    for said, says in (
        (b'{"verb": "dance"}\n', "no verb 'dance'. There are: act, hello, view, export, fetch"),
        (b'{"verb": ["view"]}\n', "There is no verb"),
        (b'{"verb": "view", "name": "001"}\n', "role: Field required"),
        (b'{"verb": "hello", "path": "/etc/passwd"}\n', "path: Extra inputs are not permitted"),
        (b'{"verb": "fetch", "name": "001", "role": "administrator", "export": "../1"}\n', "export: Input should be"),
    ):
        assert says in talk(run, said).decode().replace('", "hint": "', " "), said
    assert talk(run, b"x" * (line.MOST + 1) + b"\n") == b""
    line.hello(run)


def test_who_says_nothing_keeps_nobody_waiting_and_is_hung_up_on(at_work):
    run = at_work.home / "run"
    silent = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    try:
        with line.short(run / line.NAME) as address:
            for each in silent:
                each.settimeout(20)
                each.connect(address)
        line.hello(run)
        view(at_work, at_work.view).file.close()
        assert [each.recv(1) for each in silent] == [b""] * len(silent)
    finally:
        for each in silent:
            each.close()
