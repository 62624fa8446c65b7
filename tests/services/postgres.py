"""PostgreSQL, with a database of its own for each test."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
from processes import NotThere, Server, free_ports

HINT = "Install Debian's postgresql."
ACCOUNT = "postgres"
"""The package's own user: the server refuses to run as root."""

_numbers = count(1)


class Postgres:
    """A server in a folder below the system's folder for such things: its user cannot reach ours."""

    def __init__(self) -> None:
        (self._port,) = free_ports(1)
        self._folder = Path(tempfile.mkdtemp(prefix="bwcdock-postgres-"))
        self._as: list[str] = []
        if os.geteuid() == 0:
            owner = pwd.getpwnam(ACCOUNT)
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            self._as = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
        self._programs = _programs()
        data = self._folder / "data"
        made = subprocess.run(
            [
                *self._as, self._programs / "initdb", "-D", data, "-U", "bwcdock", "-E", "UTF8", "--locale=C.UTF-8",
                "--auth=trust", "--no-sync", "--data-checksums",
            ],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if made.returncode:
            raise NotThere(made.stderr)
        command = [
            *self._as, self._programs / "postgres", "-D", data, "-p", str(self._port),
            "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._folder}",
            "-c", "fsync=off",  # what is lost in a power cut is not what is tested on it
        ]  # fmt: skip
        self._server = Server(command, self._folder / "log")

    def start(self) -> None:
        """Come up, after an end with what it had."""
        self._server.start(self._answers)

    def kill(self) -> None:
        """End it and every session."""
        self._server.kill()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._server.pid

    def url(self, database: str) -> str:
        """Where one of its databases is."""
        return f"postgresql://bwcdock@127.0.0.1:{self._port}/{database}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """A new, empty database: its address. Gone afterwards, whoever is still connected to it."""
        name = f"test_{next(_numbers)}"
        self._run(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """End it and remove what it had."""
        self._server.stop(signal.SIGINT)
        shutil.rmtree(self._folder)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:  # it listens before it is ready
            return False
        return True

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


def _programs() -> Path:
    """The folder of the newest server that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise NotThere(f"There is no PostgreSQL here. {HINT}")
    return found[-1].parent
