"""The servers themselves: they come up on loopback alone, keep what they have, and end."""

import time
from pathlib import Path

import boto3
import psycopg
import pytest
from botocore.config import Config
from openssh import OpenSsh
from postgres import Postgres
from processes import LOOPBACK, NotThere, Server, answers_at, free_ports, listening, program
from seaweedfs import OWNER, SeaweedFs


def is_alive(pid: int) -> bool:
    """Whether it runs; one that has ended and that nobody has asked after yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_seaweedfs_listens_here_alone_and_keeps_what_it_has(tmp_path: Path) -> None:
    server = SeaweedFs(tmp_path / "weed")
    try:
        server.start()
        assert listening(server.pid) == LOOPBACK
        client = boto3.client(
            "s3",
            endpoint_url=server.endpoint,
            aws_access_key_id=OWNER.access,
            aws_secret_access_key=OWNER.secret,
            region_name="us-east-1",
            # Started again it listens before it has found its volumes, and answers 500 until then.
            config=Config(retries={"total_max_attempts": 10, "mode": "standard"}),
        )
        client.create_bucket(Bucket="evidence")
        client.put_object(Bucket="evidence", Key="a", Body=b"x" * 10_000)
        server.kill()
        server.start()
        assert client.get_object(Bucket="evidence", Key="a")["Body"].read() == b"x" * 10_000
        client.close()
    finally:
        server.kill()


def test_openssh_listens_here_alone(tmp_path: Path) -> None:
    server = OpenSsh(tmp_path / "ssh")
    try:
        server.start()
        assert listening(server.pid) == LOOPBACK
    finally:
        server.kill()


def test_postgres_listens_here_alone_and_gives_each_test_its_own(postgres: Postgres) -> None:
    assert listening(postgres.pid) == LOOPBACK
    for _ in range(2):
        with postgres.database() as url, psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
            connection.execute("CREATE TABLE 证据 (名 text)")


def test_what_does_not_come_up_is_told_with_what_it_said(tmp_path: Path) -> None:
    server = Server(["sh", "-c", "echo no such luck; exit 3"], tmp_path / "log")
    with pytest.raises(NotThere, match="no such luck"):
        server.start(answers_at(free_ports(1)[0]))
    with pytest.raises(NotThere, match="Install it"):
        program("no-such-program", hint="Install it.")


def test_a_kill_reaches_what_it_started(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    server = Server(["sh", "-c", f"sleep 600 & echo $! >{ready}.part; mv {ready}.part {ready}; wait"], tmp_path / "log")
    server.start(ready.exists)
    child = int(ready.read_text())
    server.kill()
    end = time.monotonic() + 20
    while is_alive(child):
        assert time.monotonic() < end
        time.sleep(0.01)
