"""What is told to systemd, over a real datagram socket: ready, how it is, alive only where that is proven."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bwcdock import systemd
from bwcdock.core.live import LiveView
from bwcdock.core.view import Lamp, SessionView
from bwcdock.errors import LedgerBroken, Misused
from bwcdock.lanes import Lane

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SILENCE_S = 0.3
"""The watchdog's time in these tests: a round every tenth of a second."""

SESSION = SessionView(
    session="s1", recorder="R1", port="usb-1", slot=1, state="draining", lamp=Lamp.PULLING, files=3,
    bytes=3_000_000_000, known=0, moved=1_000_000_000, sealed=1, quarantined=0, owed=3, arrived_at=NOW,
    departed_at=None, drift_s=None, drift_uncertainty_s=None, drift_method="", battery=None,
    storage_free=None, storage_total=None, findings=(),
)  # fmt: skip


class Manager:
    """The other end: a socket as systemd binds it."""

    def __init__(self, name: str | bytes) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(0)

    def told(self) -> list[list[str]]:
        """Every message up to now, a list of lines each."""
        messages = []
        with suppress(BlockingIOError):
            while True:
                messages.append(self.socket.recv(65536).decode().split("\n"))
        return messages


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.socket.close()


@pytest.fixture
def tell(manager: Manager) -> Iterator[systemd.Notifier]:
    tell = systemd.notifier({"NOTIFY_SOCKET": manager.socket.getsockname()})
    yield tell
    tell.close()


# --- the protocol -----------------------------------------------------------------------------------------------------


def test_each_message_is_one_datagram_of_assignments(manager, tell):
    tell.ready("0 docked")
    tell.alive("1 docked")
    tell.status("2 docked")
    tell.stopping()
    assert manager.told() == [
        ["READY=1", "STATUS=0 docked"],
        ["WATCHDOG=1", "STATUS=1 docked"],
        ["STATUS=2 docked"],
        ["STOPPING=1", "STATUS=leaving the recorders"],
    ]


def test_an_abstract_name_is_reached():
    name = f"bwcdock-test-{os.getpid()}"
    manager = Manager(f"\0{name}")
    tell = systemd.notifier({"NOTIFY_SOCKET": f"@{name}"})
    tell.ready("here")
    assert manager.told() == [["READY=1", "STATUS=here"]]
    tell.close()
    manager.socket.close()


def test_without_a_manager_nothing_is_said():
    tell = systemd.notifier({})
    tell.ready("x")
    tell.stopping()
    tell.close()


@pytest.mark.parametrize("address", ["relative", "@", "/", "vsock:2:9999", "\0x"])
def test_another_kind_of_address_is_refused(address):
    with pytest.raises(Misused, match="NOTIFY_SOCKET"):
        systemd.notifier({"NOTIFY_SOCKET": address})


def test_a_status_is_one_line_and_short(manager, tell):
    tell.status("one\nREADY=1\rtwo\u2028three" + "x" * 500)
    ((status,),) = manager.told()
    assert status.startswith("STATUS=one READY=1 two three")
    assert len(status) == len("STATUS=") + systemd.STATUS_LENGTH


def test_a_manager_that_is_gone_or_full_is_no_fault(manager, tell):
    for _ in range(5000):  # many more than a queue takes
        tell.alive("x")
    before = len(manager.told())
    assert 0 < before < 5000
    tell.alive("again")
    assert manager.told() == [["WATCHDOG=1", "STATUS=again"]]
    manager.socket.close()
    tell.alive("nobody")
    tell.close()
    tell.close()
    tell.alive("after")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "77"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "78"}, None),
    ],
)
def test_whether_it_is_watched(environ, expected):
    assert systemd.watchdog_s(environ, 77) == expected


@pytest.mark.parametrize("told", ["30s", "-1", "1.5", "٣", "0"])
def test_a_watchdog_time_that_is_none_is_refused(told):
    with pytest.raises(Misused, match="WATCHDOG_USEC"):
        systemd.watchdog_s({"WATCHDOG_USEC": told}, 77)


# --- what is said -----------------------------------------------------------------------------------------------------


def test_what_is_going_on_in_one_line():
    def line(*lamps, owed=None):
        sessions = tuple(replace(SESSION, lamp=lamp, moved=SESSION.bytes) for lamp in lamps)
        return systemd.said(LiveView(pid=1, at=NOW, sessions=sessions), owed)

    assert line() == "0 docked"
    assert line(owed=7) == "0 docked, 7 owed to central storage"
    every = line(*Lamp, owed=0)
    assert (
        every == "8 docked, 2 pulling, 2 safe to take, 1 being written to, 1 to look after, 0 owed to central storage"
    )
    pulling = LiveView(pid=1, at=NOW, sessions=(SESSION, SESSION))
    assert systemd.said(pulling, None) == "2 docked, 2 pulling, 4.0 GB to pull"


# --- the watchdog -----------------------------------------------------------------------------------------------------


@dataclass
class Station:
    """A station that can be made to fail in one place at a time; its desk and its house are real lanes."""

    desk: Lane
    house: Lane
    turns: int = 0
    looked: bool = True
    turning: bool = True
    gate: "asyncio.Event | None" = None
    error: Exception | None = None
    asked: int = 0

    @property
    def lanes(self):
        return (self.desk, self.house)

    async def owed(self) -> int:
        self.asked += 1
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        return await self.desk.submit(lambda: 5)

    def live(self) -> LiveView:
        return LiveView(pid=1, at=NOW, sessions=())

    async def run(self) -> None:
        while True:
            self.turns += self.turning
            await asyncio.sleep(0.01)


@asynccontextmanager
async def attended(tell, **how):
    station = Station(Lane("desk"), Lane("house"))
    for name, value in how.items():
        setattr(station, name, value)
    tasks = [
        asyncio.ensure_future(station.run()),
        asyncio.ensure_future(systemd.attend(station, tell, SILENCE_S, stuck_s=0.2)),
    ]
    try:
        yield station
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        station.desk.close()
        station.house.close()


async def heard(manager: Manager, seconds: float) -> list[list[str]]:
    manager.told()
    await asyncio.sleep(seconds)
    return manager.told()


def lives(messages: list[list[str]]) -> int:
    return sum("WATCHDOG=1" in message for message in messages)


async def test_ready_comes_after_the_first_look_and_then_signs_of_life(manager, tell):
    async with attended(tell, looked=False) as station:
        assert await heard(manager, 0.4) == []
        station.looked = True
        first, *rest = await heard(manager, 0.9)
        assert first == ["READY=1", "STATUS=0 docked"]
        assert ["WATCHDOG=1", "STATUS=0 docked, 5 owed to central storage"] in rest[
            :2
        ]  # the ledger may be a little late
        # Three a watchdog time, so that none is missed for being a little late.
        assert 4 <= lives(rest) <= 10
        assert station.asked <= 11


async def test_a_loop_that_stopped_turning_earns_no_sign(manager, tell):
    async with attended(tell) as station:
        assert lives(await heard(manager, SILENCE_S))
        station.turning = False
        await asyncio.sleep(SILENCE_S)
        told = await heard(manager, SILENCE_S)
        assert not lives(told)
        assert told[0] == ["STATUS=not well: the loop does not turn"]
        station.turning = True
        await asyncio.sleep(SILENCE_S)
        assert lives(await heard(manager, SILENCE_S))


async def test_a_ledger_that_does_not_answer_earns_none_and_is_asked_once(manager, tell):
    async with attended(tell, gate=asyncio.Event()) as station:
        told = await heard(manager, 3 * SILENCE_S)
        assert told[0] == ["READY=1", "STATUS=0 docked"]
        assert told[1] == ["STATUS=not well: the ledger does not answer"]
        assert not lives(told)
        assert station.asked == 1
        station.gate.set()
        assert lives(await heard(manager, 2 * SILENCE_S))


async def test_a_desk_whose_thread_hangs_earns_none(manager, tell):
    async with attended(tell) as station:
        held = threading.Event()
        working = station.desk.submit(held.wait)
        await asyncio.sleep(SILENCE_S)
        assert not lives(await heard(manager, 2 * SILENCE_S))
        held.set()
        await working
        assert lives(await heard(manager, 2 * SILENCE_S))


async def test_a_ledger_that_is_broken_earns_none(manager, tell):
    async with attended(tell, error=LedgerBroken("read", "It is gone.", "Look.")) as station:
        told = await heard(manager, 2 * SILENCE_S)
        assert ["STATUS=not well: the ledger cannot answer: read: It is gone. Look."] in told
        assert not lives(told)
        station.error = None
        assert lives(await heard(manager, 2 * SILENCE_S))


async def test_a_lane_without_a_sign_of_life_earns_none_and_an_idle_one_does(manager, tell):

    async with attended(tell) as station:
        assert lives(await heard(manager, 3 * SILENCE_S))  # idle for longer than the limit
        held = threading.Event()
        working = station.house.submit(held.wait)
        await asyncio.sleep(SILENCE_S)
        told = await heard(manager, 2 * SILENCE_S)
        assert ["STATUS=not well: no sign of life from lane house"] in told
        assert not lives(told)
        station.house.moves += 1  # it moved
        assert lives(await heard(manager, SILENCE_S))
        held.set()
        await working
        assert lives(await heard(manager, 2 * SILENCE_S))


async def test_a_loop_that_is_blocked_says_nothing(manager, tell):

    async with attended(tell):
        assert lives(await heard(manager, SILENCE_S))
        time.sleep(2 * SILENCE_S)  # noqa: ASYNC251  (that is what is tested)
        assert manager.told() == []


async def test_without_a_watchdog_it_tells_what_is_going_on(manager, tell):
    station = Station(Lane("desk"), Lane("house"))
    running = asyncio.ensure_future(station.run())
    telling = asyncio.ensure_future(systemd.attend(station, tell, None, status_s=0.05))
    told = await heard(manager, 0.5)
    for task in (running, telling):
        task.cancel()
    await asyncio.wait({running, telling})
    station.desk.close()
    station.house.close()
    assert told[0][0] == "READY=1"
    assert len(told) > 3
