"""The reader behind a socket, as the service manager starts it: the same promises, and those of the connection."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import test_reader
from bwcdock.errors import Misbehaved
from bwcdock.testing.accepting import Accepting, accepting
from bwcdock.testing.driver_suite import held
from bwcdock_drivers import reading, sandbox
from bwcdock_drivers.reading import Reader
from test_reader import READY, TRIES, image, script  # noqa: F401  (image is a fixture)

OF_PIPES = {
    "test_what_a_locked_in_process_can_do",
    "test_limits_hold_without_the_filter",
    "test_a_reader_whose_starter_is_gone_does_not_start",
}
"""Tests that start a process themselves; every other one of that file is run here again, through a socket."""

for name in [name for name in dir(test_reader) if name.startswith("test_") and name not in OF_PIPES]:
    globals()[name] = getattr(test_reader, name)


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accepting]:
    with accepting(tmp_path_factory.mktemp("run"), reading.READER) as listener:
        yield listener


@pytest.fixture(autouse=True)
def behind_the_socket(listener: Accepting, monkeypatch: pytest.MonkeyPatch) -> None:
    class BehindTheSocket(Reader):
        def __init__(self, *args, command=reading.READER, **limits):
            super().__init__(*args, **limits)
            listener.starts(command)
            self.before = len(listener.started)

        @property
        def pid(self):
            return next(iter(listener.started[self.before :][::-1]), None) if self._link else None

    listener.starts(reading.READER)
    monkeypatch.setenv(reading.SOCKET_VARIABLE, str(listener.address))
    monkeypatch.setattr(test_reader, "Reader", BehindTheSocket)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(condition, limit_s: float = 10.0) -> bool:
    end = time.monotonic() + limit_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def hello(listener: Accepting, *descriptors: int) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(str(listener.address))
    if descriptors:
        socket.send_fds(connection, [b"\n"], descriptors)
    else:
        connection.sendall(b"\n")
    return connection


def answer(connection: socket.socket) -> list[dict]:
    """Everything it says until it is gone."""
    told = b""
    while data := connection.recv(65536):
        told += data
    return [json.loads(line) for line in told.splitlines()]


# --- the descriptor ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flags", [os.O_RDWR, os.O_WRONLY, os.O_RDWR | os.O_DIRECT, os.O_WRONLY | os.O_APPEND, os.O_PATH]
)
def test_a_descriptor_that_can_do_more_than_read_is_refused(listener, image, flags):  # noqa: F811
    fd = os.open(image, flags)
    with hello(listener, fd) as connection:
        (told,) = answer(connection)
    os.close(fd)
    assert told == {"error": ["source", "what came is not open for reading alone"]}


def test_a_descriptor_of_something_else_is_refused(listener, tmp_path):
    one, other = os.pipe()
    for fd in (os.open(tmp_path, os.O_RDONLY), os.open("/dev/null", os.O_RDONLY), one, other):
        with hello(listener, fd) as connection:
            (told,) = answer(connection)
        os.close(fd)
        assert told == {"error": ["source", "what came is neither a file nor a block device"]}


@pytest.mark.parametrize("count", [0, 2, 3])
def test_one_descriptor_comes_and_no_more(listener, image, count):  # noqa: F811
    fds = [os.open(image, os.O_RDONLY) for _ in range(count)]
    with hello(listener, *fds) as connection:
        (told,) = answer(connection)
    for fd in fds:
        os.close(fd)
    assert told == {"error": ["source", "not one descriptor came with the connection"]}


def test_a_refused_descriptor_is_told_to_the_station(image):  # noqa: F811
    fd = os.open(image, os.O_RDWR)
    with pytest.raises(Misbehaved, match="not open for reading alone"):
        Reader(fd, image.stat().st_size, lambda: True).listing()
    os.close(fd)


def test_what_a_locked_in_process_can_do_behind_the_socket(listener, image):  # noqa: F811
    """The same walls, though nobody is its parent."""
    own = TRIES.replace("os.dup2(int(sys.argv[2]), sandbox.SOURCE_FD)", "from bwcdock_drivers import reader\n"
        "os.dup2(reader._brought(), sandbox.SOURCE_FD)").replace("int(sys.argv[1])", "None")  # fmt: skip
    listener.starts(script(own))
    fd = os.open(image, os.O_RDONLY)
    with hello(listener, fd) as connection:
        (told,) = answer(connection)
    os.close(fd)
    assert told.pop("open fds") == [0, 1, 2, sandbox.SOURCE_FD]
    assert told.pop("128 MiB") == "yes"
    assert told.pop("256 MiB and more") == "MemoryError"
    assert told.pop("write source") == "OSError"
    assert told.pop("filtered"), "this kernel has no seccomp: the rest of this test says nothing"
    assert set(told.values()) == {"PermissionError"}, told


# --- the connection ---------------------------------------------------------------------------------------------------


def test_the_end_of_the_connection_is_the_end_of_the_reader(listener, image):  # noqa: F811
    """Closed by the station, or half-closed: nothing is left behind it."""
    for end in (socket.socket.close, lambda connection: connection.shutdown(socket.SHUT_WR)):
        fd = os.open(image, os.O_RDONLY)
        connection = hello(listener, fd)
        os.close(fd)
        assert connection.recv(100) == b'{"ready": true}\n'
        (pid,) = listener.started[-1:]
        assert lives(pid)
        end(connection)
        assert until(lambda: not lives(pid))  # noqa: B023
        connection.close()


def test_a_station_that_dies_between_two_requests_leaves_no_reader(listener, image):  # noqa: F811
    """Its end of the connection is closed by the kernel, also while an answer is being written."""
    fd = os.open(image, os.O_RDONLY)
    connection = hello(listener, fd)
    os.close(fd)
    connection.recv(100)
    connection.sendall(b'{"op": "list"}\n' * 5000)
    (pid,) = listener.started[-1:]
    connection.close()
    assert until(lambda: not lives(pid))


@pytest.mark.parametrize("how", ["SHUT_WR", "SHUT_RDWR"])
def test_a_reader_that_half_closes_has_died(listener, image, how):  # noqa: F811
    code = f"import socket\nsocket.socket(fileno=0).shutdown(socket.{how})\ntime.sleep(60)"
    listener.starts(script(READY + code))
    fd = os.open(image, os.O_RDONLY)
    before, began = held(), time.monotonic()
    with pytest.raises(Misbehaved, match="died"):
        Reader(fd, image.stat().st_size, lambda: True).listing()
    assert held() == before
    assert time.monotonic() - began < 10
    os.close(fd)


def test_a_service_manager_that_has_no_place_left_hangs_up(tmp_path, image, monkeypatch):  # noqa: F811
    """It accepts and closes, as it does beyond MaxConnections: before or after the card was sent."""
    address = tmp_path / "full.sock"
    monkeypatch.setenv(reading.SOCKET_VARIABLE, str(address))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen()
        closer = threading.Thread(target=lambda: listening.accept()[0].close())  # noqa: PLW0108  (in the thread)
        closer.start()
        fd = os.open(image, os.O_RDONLY)
        with pytest.raises(Misbehaved, match=r"died|No reader can be started"):
            Reader(fd, image.stat().st_size, lambda: True).listing()
        closer.join()
    # Nobody listens any more, and then not even the name is there.
    for remove in (lambda: None, address.unlink):
        remove()
        with pytest.raises(Misbehaved, match="No reader can be started") as error:
            Reader(fd, image.stat().st_size, lambda: True).listing()
        assert "bwcdock-reader.socket" in error.value.hint
    os.close(fd)


def test_an_old_reader_is_not_asked_again(listener, image, monkeypatch):  # noqa: F811
    """The service manager ends one after a time of its own, which must not fall into a read."""
    fd = os.open(image, os.O_RDONLY)
    reader = test_reader.Reader(fd, image.stat().st_size, image.exists)
    told = reader.listing()
    before = len(listener.started)
    for old_s, started in ((300.0, 1), (-1.0, 3)):
        monkeypatch.setattr(reading, "OLD_S", old_s)
        for at in (0, 100):
            assert reader.read(told.volumes[0], told.files[0].i, at, 100) == b"x" * 100
        assert until(lambda: len(listener.started) == before + started)  # noqa: B023
    reader.close()
    os.close(fd)
