"""`bwcdock web` as one types it: it serves, says who may be first, refuses clearly, and ends when told."""

import http.client
import json
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bwcdock.clock import WallClock
from bwcdock.settings import Web
from bwcdock.testing.station import found
from bwcdock.web.accounts import Accounts
from bwcdock.web.accounts.codes import FIRST
from bwcdock.web.server import END_S
from cli_world import run, start, told, well

CODE = re.compile(r"\b[2-9A-Z]{4}(?:-[2-9A-Z]{4}){3}\b")
FIRST_PERSON = ("--as", "001", "--role", "administrator", "--person", "001", "--name", "王管理")


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@pytest.fixture
def dock(tmp_path: Path) -> Path:
    ports = {"listen": f"127.0.0.1:{free_port()}", "tls_listen": f"127.0.0.1:{free_port()}"}
    return found(tmp_path / "dock", {"web": ports}, now=WallClock().now()).paths.run.parent


def port_of(dock: Path, name: str) -> int:
    line = re.search(rf'^{name} = "127\.0\.0\.1:(\d+)"$', (dock / "bwcdock.toml").read_text(), re.MULTILINE)
    assert line is not None
    return int(line[1])


def answers(port: int) -> bool:
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        asked.request("GET", "/static/base.css")
        return asked.getresponse().status == 200
    except OSError:
        return False
    finally:
        asked.close()


@contextmanager
def at_work(dock: Path, **more: object) -> Iterator["subprocess.Popen[bytes]"]:
    """The command, once it answers; it has ended after the block."""
    process = start("-C", dock, "web", **more)
    try:
        end = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < end and not answers(port_of(dock, "listen")):
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def certificate(dock: Path) -> ssl.SSLContext:
    made = run("-C", dock, "web", "certificate")
    assert made.status == 0
    assert re.fullmatch(r"SHA-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}\n", made.err)
    return ssl.create_default_context(cadata=made.out)


def accounts_of(dock: Path) -> Accounts:
    return Accounts(dock / "web", Web())


def test_it_serves_and_ends_when_told_although_somebody_is_there(dock: Path) -> None:
    trusting = certificate(dock)
    with at_work(dock) as process:
        asked = http.client.HTTPSConnection("localhost", port_of(dock, "tls_listen"), context=trusting, timeout=30)
        asked.request("GET", "/static/base.css")
        assert asked.getresponse().status == 200
        half = socket.create_connection(("127.0.0.1", port_of(dock, "listen")))
        half.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nContent-Length: 9\r\n\r\na")
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        done = told(process)
        assert done.status == 0, done.err
        assert time.monotonic() - began < END_S + 10, "it waited for somebody who never ends"
        half.close()
        asked.close()


def test_it_tells_systemd_when_it_listens(dock: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        with at_work(dock, env={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as process:
            assert manager.recv(4096).startswith(b"READY=1\n")
            with socket.create_connection(("127.0.0.1", port_of(dock, "listen"))):
                process.send_signal(signal.SIGINT)
            assert told(process).status == 0
            assert b"STOPPING=1" in manager.recv(4096)


@pytest.mark.parametrize("name", ["listen", "tls_listen"])
def test_a_port_that_is_taken_is_named(dock: Path, name: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port_of(dock, name)))
        other.listen()
        refused = run("-C", dock, "web")
    assert refused.status == 2
    assert f"Another program listens at 127.0.0.1:{port_of(dock, name)} already." in refused.err
    assert f"[web] {name}" in refused.err


def test_an_address_of_another_machine_is_named(dock: Path) -> None:
    path = dock / "bwcdock.toml"
    path.write_text(re.sub(r'(?m)^listen = ".*"$', 'listen = "192.0.2.1:8380"', path.read_text()))
    refused = run("-C", dock, "web")
    assert (refused.status, refused.out) == (2, "")
    assert "This machine has no address 192.0.2.1" in refused.err


def test_the_first_code_is_another_at_every_start_and_none_once_somebody_can_sign_in(dock: Path) -> None:
    codes = []
    for _ in range(2):
        with at_work(dock) as process:
            process.send_signal(signal.SIGTERM)
            codes += CODE.findall(told(process).out)
    assert len(set(codes)) == 2
    accounts = accounts_of(dock)
    now = WallClock().now()
    assert accounts.codes.fits(FIRST, codes[1], now)
    assert not accounts.codes.fits(FIRST, codes[0], now)
    accounts.set_password("001", "$argon2id$", now)
    with at_work(dock) as process:
        process.send_signal(signal.SIGTERM)
        assert CODE.findall(told(process).out) == []
    assert not accounts.codes.fits(FIRST, codes[1], now)
    accounts.close()


def test_a_code_from_the_machine_is_a_fact_first(dock: Path) -> None:
    well("-C", dock, "desk", "enter-person", *FIRST_PERSON, "--roles", "administrator")
    made = run("-C", dock, "web", "code", "001")
    assert made.status == 0, made.err
    accounts = accounts_of(dock)
    assert accounts.codes.fits("001", CODE.findall(made.out)[0], WallClock().now())
    accounts.close()
    person = json.loads(run("-C", dock, "desk", "list", "person", "--json").out)[0]
    assert [(each["what"], each["by"]) for each in person["sign_ins"]] == [("code", "001")]


def test_nobody_gets_a_code_who_does_not_work_here(dock: Path) -> None:
    refused = run("-C", dock, "web", "code", "099")
    assert refused.status == 2
    assert "Nobody works here as '099'" in refused.err
    assert not (dock / "web" / "accounts.db").exists()
