"""One daemon per station."""

import os
import subprocess
import sys

import pytest
from bwcdock.errors import Misused
from bwcdock.lock import StationLock

HOLD = """
import sys, pathlib
from bwcdock.lock import StationLock
lock = StationLock(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_lock_holds_the_pid(tmp_path):
    with StationLock(tmp_path) as lock:
        assert lock.path == tmp_path / "bwcdock.lock"
        assert lock.path.read_text() == f"{os.getpid()}\n"


def test_a_second_daemon_is_refused_by_name(tmp_path, other):
    with pytest.raises(Misused, match=rf"already runs on this station \(pid {other.pid}\)") as told:
        StationLock(tmp_path)
    assert "-C" in told.value.hint
    assert (tmp_path / "bwcdock.lock").read_text() == f"{other.pid}\n"


def test_a_killed_daemon_leaves_no_lock(tmp_path, other):
    (tmp_path / "bwcdock.lock").write_text("9999999999999\n")
    other.kill()
    other.wait()
    with StationLock(tmp_path) as lock:
        assert lock.path.read_text() == f"{os.getpid()}\n"


def test_also_within_one_process_and_again_after_closing(tmp_path):
    first = StationLock(tmp_path)
    with pytest.raises(Misused):
        StationLock(tmp_path)
    first.close()
    first.close()
    StationLock(tmp_path).close()
    assert (tmp_path / "bwcdock.lock").exists()


def test_children_do_not_inherit_it(tmp_path):
    lock = StationLock(tmp_path)
    program = "import sys; print(flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False
    )
    assert child.stdout.readline() == b"\n"  # it runs: whatever exec closes is closed
    lock.close()
    StationLock(tmp_path).close()
    child.communicate()


def test_a_run_directory_that_cannot_be_used(tmp_path):
    with pytest.raises(Misused, match="No such file") as told:
        StationLock(tmp_path / "missing")
    assert "[paths] run" in told.value.hint
    (tmp_path / "bwcdock.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Misused, match="cannot be used"):
        StationLock(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
