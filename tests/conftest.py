"""What holds for every test: it leaves nothing behind, speaks to this machine alone, and tries as hard as told."""

import asyncio
import inspect
import ipaddress
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

# --- how hard hypothesis tries ---------------------------------------------------------------------------------------
#
# "dev" is the default: new random examples at every run, few enough for a person who waits. "ci" gives the same answer
# for the same code, so that a red build is never somebody else's. "long" is for a night. Each prints the blob with
# which a failure is seen again (@reproduce_failure). "mutants" is "ci" where nobody reads the failure:
# the first example that fails is enough. Choose with --hypothesis-profile or HYPOTHESIS_PROFILE.
# No deadline: a slow moment of a shared machine is not a finding; pytest's own timeout is the limit.

settings.register_profile("dev", max_examples=60, stateful_step_count=30, deadline=None, print_blob=True)
settings.register_profile(
    "ci", max_examples=200, stateful_step_count=40, deadline=None, print_blob=True, derandomize=True
)
settings.register_profile("long", max_examples=5_000, stateful_step_count=80, deadline=None, print_blob=True)
settings.register_profile("mutants", settings.get_profile("ci"), phases=(Phase.explicit, Phase.generate))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the seeds of what drew by chance: what a test prints is shown only where it fails."""
    told = (line for report in terminalreporter.stats.get("passed", ()) for line in report.capstdout.splitlines())
    for line in told:
        if line.startswith("BWCDOCK_SEED="):
            terminalreporter.write_line(line)


# --- nothing is left behind ------------------------------------------------------------------------------------------

PATIENCE_S = 20.0
"""How long something may take to end by itself after the test; spent only where something is still there."""

HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver", "forked_cli")
"""Processes that Python itself or forked_cli.py starts once and keeps until the tests end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only a coroutine gets the check for tasks: the others have no loop that could hold one when they return."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(inspect.unwrap(item.function)):
            item.fixturenames.insert(0, "no_task_is_left")  # first in, last out: after the fixtures that own tasks


@pytest.fixture
async def no_task_is_left() -> AsyncIterator[None]:
    """Fail a test that leaves a task running on the loop."""
    before = asyncio.all_tasks()
    yield
    own = asyncio.current_task()
    end = time.monotonic() + PATIENCE_S
    # There is no event for "somebody else's task has ended".
    while (left := asyncio.all_tasks() - before - {own}) and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    if left:
        pytest.fail("left behind: " + "; ".join(sorted(f"task {task.get_coro()}" for task in left)))


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread (other than a daemon), a child process, or an open file of its own behind.

    Lanes are daemon threads on purpose, so those may outlive a test; what they hold open may not.
    """
    threads, children = _threads(), _children()
    yield
    own = request.node.funcargs.get("tmp_path") if isinstance(request.node, pytest.Function) else None
    _wait_for_end("thread", lambda: sorted(t.name for t in _threads() - threads))
    _wait_for_end("child process", lambda: sorted(map(_told, _children() - children)))
    if own is not None:
        _wait_for_end("open file", lambda: _open_below(own))


def _wait_for_end(what: str, left: Callable[[], list[str]]) -> None:
    end = time.monotonic() + PATIENCE_S
    while (names := left()) and time.monotonic() < end:
        time.sleep(0.005)
    if names:
        pytest.fail(f"left behind: {what} {', '.join(names)}")


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.daemon}


def _children() -> set[int]:
    """Children of every thread of this process, those that ended and were never waited for among them."""
    found: set[int] = set()
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/children", "rb") as told:
                found.update(map(int, told.read().split()))
        except FileNotFoundError:  # that thread has just ended
            continue
    return {pid for pid in found if not any(helper in _told(pid) for helper in HELPERS)}


def _told(pid: int) -> str:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        line = ""
    return f"{pid} {line or '(ended, never waited for)'}"


def _open_below(directory: Path) -> list[str]:
    inside = f"{directory}/"
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:  # the descriptor of this very listing
            continue
        if f"{target}/".startswith(inside):
            found.append(target)
    return sorted(found)


# --- this machine alone ----------------------------------------------------------------------------------------------


class NotThisMachine(AssertionError):
    """A test tried to reach another machine."""


def _only_here(host: object) -> None:
    text = host.decode() if isinstance(host, bytes) else host
    if text in {None, "", "localhost"}:
        return
    try:
        here = ipaddress.ip_address(str(text).partition("%")[0])
    except ValueError:
        here = None
    if here is None or not (here.is_loopback or here.is_unspecified):
        raise NotThisMachine(f"tests speak to this machine alone, not to {text}")


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    """Refuse names and addresses of other machines, before anything is sent."""
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded(real):
        def call(self, address):
            if self.family in {socket.AF_INET, socket.AF_INET6}:
                _only_here(address[0])
            return real(self, address)

        return call

    def looked_up(host, *rest, **named):
        _only_here(host)
        return getaddrinfo(host, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(connect))
        patch.setattr(socket.socket, "connect_ex", guarded(connect_ex))
        patch.setattr(socket, "getaddrinfo", looked_up)
        yield
