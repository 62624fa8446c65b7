"""A cheap camera is told the time by a file on its card; its next docking tells whether it took it."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from time import monotonic

import pytest
from bwcdock import clock_setter, overview
from bwcdock.clock import WallClock
from bwcdock.core.facts import ClockIntended, ClockNotSet, ClockTaken, ClockWritten, Departed, Drift, Sighting
from bwcdock.core.view import session_view
from bwcdock.erase_helper.serve import serve
from bwcdock.erasing import SOCKET_NAME
from bwcdock.ports import Recorder
from bwcdock.testing.recorder import FakeRecorder, opened
from bwcdock.testing.station import StationBed
from erase_world import DEVICE, Machine

ON = {"dock": {"set_clock": True}, "checks": {"again_s": 3600.0}}
OF_CLOCK = (ClockIntended, ClockWritten, ClockTaken, ClockNotSet)
DAY_MS = 86_400_000
DISK = Sighting(port="usb-1", source=DEVICE, slot=3, properties=(("DISKSEQ", "17"), ("SUBSYSTEM", "block")))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_setter, "TURN_S", 0.02)


class Now(Machine):
    """The machine of today."""

    def now(self):  # type: ignore[no-untyped-def]
        return WallClock().now()


class Disks:
    """A driver for the disk at the slot, which is a fake camera."""

    name = "disks"

    def __init__(self) -> None:
        self.camera: FakeRecorder

    def claims(self, sighting: Sighting) -> int:
        return 100 if sighting.source == DEVICE else 0

    @contextmanager
    def open(self, sighting: Sighting) -> Iterator[Recorder]:
        yield opened(self.camera)


class World:
    """A station with a camera whose clock begins at some other year, and a helper beside it on the card's directory."""

    def __init__(self, directory: Path, overrides: dict[str, dict[str, object]]) -> None:
        self.disks = Disks()
        self.bed = StationBed(directory, overrides, drivers=[self.disks])
        keys = self.bed.settings.paths.keys
        (directory / "card").mkdir()
        self.machine = Now(card=directory / "card", key=(keys / "station.pub").read_text().strip())
        self.file = directory / "card" / "TAG.TXT"
        self.helper: Callable[[socket.socket], object] = self.honest
        self.camera = FakeRecorder("CAM1")
        self.camera.record("a.mp4", Random(1).randbytes(50_000))
        self.camera.clock = "file"
        self.disks.camera = self.camera
        self.off(-40 * DAY_MS)

    def off(self, ms: int | None) -> None:
        now = self.bed.clock.now()
        self.camera.drift = ms and Drift(method="plug-file", offset_ms=ms, uncertainty_ms=60_000, read_at=now)

    def honest(self, connection: socket.socket) -> None:
        serve(connection, self.machine, monotonic=monotonic, note=lambda _: None)

    def dock(self) -> None:
        self.camera.plug()
        self.bed.watch.others[DISK.port] = DISK

    async def undock(self) -> None:
        before = len(self.bed.facts(Departed))
        self.bed.watch.take(DISK.port)
        self.camera.unplug()
        await self.bed.until(lambda: len(self.bed.facts(Departed)) > before)

    def told(self) -> list[str]:
        return [type(entry.fact).__name__ for entry in self.bed.entries() if isinstance(entry.fact, OF_CLOCK)]

    async def until_told(self, *names: str) -> None:
        await self.bed.until(lambda: self.told() == list(names))

    @contextmanager
    def listening(self) -> Iterator[None]:
        path = self.bed.settings.paths.run / SOCKET_NAME
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen()

        def work() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, suppress(BrokenPipeError):
                        self.helper(connection)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            server.close()
            thread.join()
            path.unlink()


@pytest.mark.parametrize(
    ("later_ms", "said", "reason"),
    [(-200, "ClockTaken", ""), (-40 * DAY_MS, "ClockNotSet", "ignored"), (None, "ClockNotSet", "unread")],
)
async def test_it_is_written_and_judged_at_the_next_docking(
    later_ms: int | None, said: str, reason: str, tmp_path: Path
) -> None:
    world = World(tmp_path, ON)
    bed = world.bed
    with world.listening():
        async with bed.at_work():
            world.dock()
            await world.until_told("ClockIntended", "ClockWritten")
            await asyncio.sleep(0.2)  # once a docking
            (session,) = bed.sessions()
            assert (
                session_view(session, {}, {}).clock_set_zh == "已写入时间，待下次插入核对（经校时文件）：校时前慢 40 天"
            )
            (written,) = bed.facts(ClockWritten)
            assert world.file.read_bytes() == f"{written.set_to:%Y/%m/%d\r\n%H:%M:%S}".encode()
            assert abs(written.set_to - bed.clock.now()) < timedelta(minutes=1)
            assert world.machine.mounts == [False, True, False]
            await world.undock()
            world.file.unlink()  # the camera reads it, or does not, and deletes it
            world.off(later_ms)
            world.dock()
            await bed.until(lambda: len(world.told()) >= 3)
    assert world.told()[2] == said
    (fact,) = [*bed.facts(ClockTaken), *bed.facts(ClockNotSet)]
    assert (fact.session, getattr(fact, "reason", "")) == (session.id, reason)
    assert [f.code for f in bed.findings() if f.code.startswith("clock.")] == (["clock.not_set"] if reason else [])
    bed.must_agree()


@pytest.mark.parametrize("yanked", [False, True])
async def test_while_it_is_written_people_are_told_to_wait_and_who_takes_it_all_the_same_loses_nothing(
    yanked: bool, tmp_path: Path
) -> None:
    world, go_on = World(tmp_path, ON), threading.Event()
    world.machine.meanwhile = lambda: world.machine.mounts[-1] and go_on.wait(60)

    def lamps() -> list[str]:
        view = overview.published(world.bed.settings)
        return [f"{session.lamp} {session.do_zh}".strip() for session in view.sessions] if view else []

    def promised() -> bool:
        return [lamp.partition(" ")[0] for lamp in lamps()] in (["safe_to_take"], ["nothing_owed"])

    with world.listening():
        async with world.bed.at_work():
            world.dock()
            try:
                await world.bed.until(lambda: lamps() == ["wait 正在写入记录仪，请等它写完再取。录像均已采集。"])
                assert world.told() == ["ClockIntended"]
                if yanked:
                    world.machine.breaks = OSError(5, "Input/output error")
                    await world.undock()
            finally:
                go_on.set()
            if not yanked:
                await world.until_told("ClockIntended", "ClockWritten")
                await world.bed.until(promised)
                return
            await world.bed.until(lambda: world.bed.findings("clock.cut_off"))
            world.machine.breaks = None
            world.dock()
            await world.bed.until(lambda: len(world.told()) >= 2)
            await world.bed.until(promised)
    assert [fact.reason for fact in world.bed.facts(ClockNotSet)][:1] == ["interrupted"]
    assert all(record.finished for record in world.bed.records())
    world.bed.must_agree()


async def test_one_that_lies_there_is_not_written_over(tmp_path: Path) -> None:
    world = World(tmp_path, ON)
    world.file.write_bytes(b"2011/05/01\r\n21:32:44")
    with world.listening():
        async with world.bed.at_work():
            world.dock()
            await world.until_told("ClockIntended", "ClockNotSet")
    assert world.file.read_bytes() == b"2011/05/01\r\n21:32:44"
    assert world.machine.mounts == [False]
    (fact,) = world.bed.facts(ClockNotSet)
    assert fact.reason == "refused"
    (told,) = [f for f in world.bed.findings() if f.code.startswith("clock.")]
    assert (told.code, dict(told.evidence)["path"]) == ("clock.file_there", "TAG.TXT")
    world.bed.must_agree()


@pytest.mark.parametrize(
    ("overrides", "ms"),
    [
        ({"dock": {}}, -40 * DAY_MS),  # off
        (ON, -DAY_MS),  # the file would be later than the clock is wrong
        (ON, None),  # nobody has measured it
        ({"dock": {"set_clock": True, "set_file_beyond_s": 100 * 86_400}}, -40 * DAY_MS),
    ],
)
async def test_when_none_is_written(overrides: dict[str, dict[str, object]], ms: int | None, tmp_path: Path) -> None:
    world = World(tmp_path, overrides)
    world.off(ms)
    with world.listening():
        async with world.bed.at_work():
            world.dock()
            await world.bed.until(lambda: [s for s in world.bed.sessions() if s.was_drained])
            await asyncio.sleep(0.3)
    assert (world.told(), world.machine.mounts, world.file.exists()) == ([], [], False)


async def test_without_a_helper_nothing_is_intended_and_it_is_told(tmp_path: Path) -> None:
    world = World(tmp_path, ON)
    async with world.bed.at_work():
        world.dock()
        await world.bed.until(lambda: world.bed.findings("clock.no_helper"))
    assert world.told() == []
    with world.listening():
        async with world.bed.at_work():
            await world.until_told("ClockIntended", "ClockWritten")
            assert not world.bed.findings("clock.no_helper")


def _dies_before(_: World, connection: socket.socket) -> None:
    connection.recv(1 << 16)


def _dies_after(world: World, connection: socket.socket) -> None:
    world.file.write_bytes(b"whatever")
    connection.recv(1 << 16)


def _talks_nonsense(_: World, connection: socket.socket) -> None:
    connection.recv(1 << 16)
    connection.sendall(b'{"n": 0, "outcome": "erased"}\n{"end": "done"}\n')


@pytest.mark.parametrize("helper", [_dies_before, _dies_after, _talks_nonsense])
@pytest.mark.parametrize(("ms", "said"), [(-300, "ClockTaken"), (-40 * DAY_MS, "ClockNotSet")])
async def test_a_helper_that_dies_leaves_the_intent_open(
    helper: Callable[[World, socket.socket], object], ms: int, said: str, tmp_path: Path
) -> None:
    world = World(tmp_path, ON)
    world.helper = lambda connection: helper(world, connection)
    with world.listening():
        async with world.bed.at_work():
            world.dock()
            assert await world.bed.until(lambda: world.bed.findings("clock.cut_off"))
            assert world.told() == ["ClockIntended"]
            await world.undock()
            world.file.unlink(missing_ok=True)
            world.off(ms)
            world.dock()
            await world.bed.until(lambda: len(world.told()) >= 2)
            assert world.told()[1] == said
            assert not world.bed.findings("clock.cut_off") or said == "ClockNotSet"
    assert [fact.reason for fact in world.bed.facts(ClockNotSet)] == ([] if said == "ClockTaken" else ["interrupted"])
    world.bed.must_agree()
