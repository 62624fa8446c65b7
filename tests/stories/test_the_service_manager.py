"""`bwcdock run` under a service manager: ready when it is, alive while it works, silent when it does not, stopping."""

import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import cli_world
import pytest
from bwcdock.ledger import schema
from bwcdock.testing.accepting import accepting
from bwcdock_drivers import reading
from cli_world import daemon, digests, each_once, files, partitioned, run, station, stop, until, well


class Manager:
    """The other end of $NOTIFY_SOCKET; ``told`` is every message so far, a list of lines each."""

    def __init__(self, address: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(address))
        self.socket.settimeout(0)
        self._told: list[list[str]] = []

    @property
    def told(self) -> list[list[str]]:
        with suppress(BlockingIOError):
            while True:
                self._told.append(self.socket.recv(65536).decode().split("\n"))
        return self._told

    def lives(self) -> int:
        return sum("WATCHDOG=1" in message for message in self.told)

    def says(self, text: str) -> bool:
        return any(text in line for message in self.told for line in message)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    monkeypatch.setitem(cli_world.ENV, "NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setitem(cli_world.ENV, "WATCHDOG_USEC", "600000")
    yield manager
    manager.socket.close()


def test_ready_at_work_and_stopping(tmp_path, manager):
    dock = station(tmp_path / "dock")
    image = partitioned(tmp_path / "card.img", files(2))
    with daemon(dock) as process:
        until(lambda: manager.told)
        assert manager.told[0] == ["READY=1", "STATUS=0 docked"]
        until(lambda: manager.says("STATUS=0 docked, 0 owed to central storage"))
        image.rename(dock / "drop/card.img")
        until(lambda: manager.says("STATUS=1 docked, 1 safe to take, 0 owed to central storage"))
        assert manager.lives() > 1
        stop(process)
        assert manager.told[-1] == ["STOPPING=1", "STATUS=leaving the recorders"]
        assert sum("READY=1" in message for message in manager.told) == 1


def test_a_stopped_process_is_silent_and_one_that_goes_on_is_not(tmp_path, manager):
    dock = station(tmp_path / "dock")
    with daemon(dock) as process:
        until(lambda: manager.lives() > 1)
        process.send_signal(signal.SIGSTOP)
        until(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        before = manager.lives()
        with suppress(AssertionError):
            until(lambda: manager.lives() > before, limit_s=1.5)
        assert manager.lives() == before
        process.send_signal(signal.SIGCONT)
        until(lambda: manager.lives() > before)


def test_a_ledger_whose_end_was_changed_is_never_ready(tmp_path, manager):
    dock = station(tmp_path / "dock")
    with daemon(dock):
        until(manager.lives)
    before = len(manager.told)
    with closing(sqlite3.connect(dock / "ledger" / schema.LEDGER_FILE, isolation_level=None)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        db.execute("""UPDATE leaf SET body = CAST(replace(body, '"mono":', '"mono":1') AS BLOB) WHERE seq = 1""")
        for _, sql in triggers:
            db.execute(sql)
    refused = run("-C", dock, "run")
    assert refused.status == 1
    assert "head.root" in refused.err
    assert "bwcdock audit" in refused.err
    assert len(manager.told) == before


def test_cards_are_read_behind_the_socket(tmp_path, manager, monkeypatch):
    dock = station(tmp_path / "dock")
    with accepting(tmp_path, reading.READER) as listener:
        monkeypatch.setitem(cli_world.ENV, reading.SOCKET_VARIABLE, str(listener.address))
        with daemon(dock):
            partitioned(tmp_path / "card.img", files(2)).rename(dock / "drop/card.img")
            until(lambda: manager.says("1 safe to take"))
            assert listener.started
            until(lambda: digests(dock) == each_once(files(2)))
    assert well("-C", dock, "audit").endswith("all agree.\n")
