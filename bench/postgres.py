"""A PostgreSQL for measuring and for tests: from Debian's package, on loopback, with a folder of its own."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

USER, PASSWORD = "bwcdock", "only-for-a-moment"


def programs() -> Path:
    """Where Debian puts initdb and postgres: the newest version there is."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    assert found, "PostgreSQL is missing: apt-get install postgresql"
    return found[-1].parent


class Postgres:
    """One server. It refuses root, so root starts it as the package's user."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def make(self, *settings: str) -> None:
        """A new, empty database."""
        if os.geteuid() == 0:
            who = pwd.getpwnam("postgres")
            os.chown(self.directory, who.pw_uid, who.pw_gid)
        password = self.directory / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            "initdb", "-D", str(self.directory / "data"), "-U", USER, "--auth=scram-sha-256", "--pwfile", str(password),
            "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip
        password.unlink()
        with (self.directory / "data" / "postgresql.conf").open("a") as more:
            more.write("\n".join(("fsync = off", *settings, "")))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [
            str(programs() / "postgres"), "-D", str(self.directory / "data"), "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
        ]  # fmt: skip
        log = (self.directory / "log").open("ab")
        with log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **self._as())
        end = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url("postgres").replace("+psycopg", ""), connect_timeout=5).close()
            except psycopg.OperationalError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: fast (SIGINT), or by SIGQUIT as if it had crashed; harmless twice."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def database(self, name: str) -> str:
        """The address of a new, empty database; one that was there is dropped."""
        with psycopg.connect(self.url("postgres").replace("+psycopg", ""), autocommit=True) as db:
            db.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            db.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(programs() / program), *arguments], cwd="/", capture_output=True, text=True, check=False, **self._as()
        )
        assert done.returncode == 0, done.stderr

    def _as(self) -> dict:
        return {"user": "postgres", "group": "postgres", "extra_groups": ()} if os.geteuid() == 0 else {}


@contextlib.contextmanager
def served(*settings: str) -> Iterator[Postgres]:
    """A running server, ended and removed afterwards.

    Not below a folder that is closed to every other user, and so to the server's.
    """
    directory = Path(tempfile.mkdtemp(prefix="bwcdock-postgres-", dir="/var/tmp"))
    server = Postgres(directory)
    try:
        server.make(*settings)
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)
