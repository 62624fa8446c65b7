"""A test that leaves something behind, or reaches for another machine, fails; one that cleans up does not."""

import re
import subprocess
import sys

import pytest
from tree import ROOT

SAMPLES = """
import asyncio, os, socket, subprocess, threading, time

import pytest

kept = []


async def test_leaves_a_task():
    kept.append(asyncio.ensure_future(asyncio.sleep(60)))


def test_leaves_a_thread():
    threading.Thread(target=time.sleep, args=(0.6,), name="left").start()


def test_leaves_a_child():
    kept.append(subprocess.Popen(["sleep", "2"]))


def test_leaves_a_child_that_ended():
    kept.append(subprocess.Popen(["true"]))


def test_leaves_a_file(tmp_path):
    kept.append(open(tmp_path / "left", "w"))


def test_leaves_a_folder(tmp_path):
    kept.append(os.open(tmp_path, os.O_RDONLY))


def test_leaves_a_removed_file(tmp_path):
    kept.append(open(tmp_path / "left", "w"))
    (tmp_path / "left").unlink()


def test_reaches_for_another_machine():
    with socket.socket() as one:
        one.connect(("192.0.2.1", 80))


async def test_reaches_for_another_machine_later():
    await asyncio.open_connection("192.0.2.1", 80)


def test_asks_for_a_name():
    socket.getaddrinfo("example.org", 80)


@pytest.fixture
async def owned():
    task = asyncio.ensure_future(asyncio.sleep(60))
    yield
    task.cancel()


async def test_is_clean(owned, tmp_path):
    with open(tmp_path / "file", "w"):
        pass
    subprocess.run(["true"], check=True)
    threading.Thread(target=time.sleep, args=(0.3,), daemon=True).start()
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


def test_is_clean_in_a_moment():
    threading.Thread(target=time.sleep, args=(0.02,)).start()
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict[str, str]:
    """What became of each sample: ``PASSED`` alone, or what was said against it."""
    where = tmp_path_factory.mktemp("samples")
    conftest = (ROOT / "tests" / "conftest.py").read_text()
    hurried = re.sub(r"^PATIENCE_S = .*$", "PATIENCE_S = 0.2", conftest, count=1, flags=re.M)
    assert hurried != conftest
    (where / "conftest.py").write_text(hurried)
    (where / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    (where / "test_samples.py").write_text(SAMPLES)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-rA",
        "--tb=no",
        f"--basetemp={where}/t",
    ]
    said = subprocess.run(
        command, cwd=where, capture_output=True, text=True, check=False, env={"COLUMNS": "400"}
    ).stdout
    found: dict[str, str] = {}
    for word, name, why in re.findall(r"^(PASSED|FAILED|ERROR) test_samples\.py::(\w+)(.*)$", said, re.M):
        found[name] = found.get(name, "") + word + why
    return found


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("test_leaves_a_task", "left behind: task"),
        ("test_leaves_a_thread", "left behind: thread left"),
        ("test_leaves_a_child", "left behind: child process"),
        ("test_leaves_a_child_that_ended", "never waited for"),
        ("test_leaves_a_file", "left behind: open file"),
        ("test_leaves_a_folder", "left behind: open file"),
        ("test_leaves_a_removed_file", "left behind: open file"),
        ("test_reaches_for_another_machine", "this machine alone"),
        ("test_reaches_for_another_machine_later", "this machine alone"),
        ("test_asks_for_a_name", "this machine alone"),
    ],
)
def test_what_is_left_behind_is_found(told, name, why):
    assert why in told[name]


@pytest.mark.parametrize("name", ["test_is_clean", "test_is_clean_in_a_moment"])
def test_what_is_clean_passes(told, name):
    assert told[name] == "PASSED"
