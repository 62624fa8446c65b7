"""A month after central storage proved its copies, the files go from the recorder by themselves; and not before."""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from time import monotonic, sleep

import pytest
from bwcdock import overview
from bwcdock.core.facts import Beat, Erased, EraseIntended, LookedAgain, Sighting
from bwcdock.core.view import Lamp
from bwcdock.erase_helper.card import FileSystem
from bwcdock.erase_helper.serve import serve
from bwcdock.erase_helper.system import Disk, Place
from bwcdock.erasing import SOCKET_NAME
from bwcdock.ports import Recorder
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.recorder import FakeRecorder, OpenedRecorder
from bwcdock.testing.station import StationBed

ON = {"erase": {"enabled": True, "after_days": 30, "timeout_s": 10}}
OLD, NEW = Random(1).randbytes(50_000), Random(2).randbytes(50_000)


class DiskDriver:
    """Opens the one fake recorder as the disk it is docked as."""

    name = "disk"

    def __init__(self, recorder: FakeRecorder) -> None:
        self.recorder = recorder

    def claims(self, sighting: Sighting) -> int:
        return 100 if self.recorder.sighting() == sighting else 0

    @contextmanager
    def open(self, sighting: Sighting) -> Iterator[Recorder]:
        yield OpenedRecorder(self.recorder)


class Card:
    """A recorder whose files lie in a directory, and the machine in which it is a disk in slot 3."""

    def __init__(self, directory: Path, bed: StationBed) -> None:
        self.root = directory / "card"
        self.bed = bed
        self.shown: list[str] = []
        """The lamp each time that it may be written to."""
        self.recorder = bed.recorder("F1-0001")
        bed.drivers = (DiskDriver(self.recorder),)

    def record(self, path: str, data: bytes) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(data)
        self.recorder.record(path, data)

    def plug(self) -> None:
        """Dock it with what is on the card now."""
        for path in [path for path in self.recorder.files if not (self.root / path).exists()]:
            self.recorder.delete(path)
        sighting = self.recorder.plug()
        told = (("DISKSEQ", str(self.recorder.plugs)), ("SUBSYSTEM", "block"))
        self.recorder.docked_as = replace(sighting, source="/dev/sdb", slot=3, properties=told)

    # --- as bwcdock.erase_helper.system.System ------------------------------------------------------------------------

    def station_uid(self) -> int:
        return os.getuid()

    def station_key(self) -> str:
        return (self.bed.settings.paths.keys / "station.pub").read_text().strip()

    def disk(self, device: str) -> Disk:
        holds = FileSystem(kind="fat32", sector=512, cluster=32768, serial=1, label="")
        place = Place(node="/dev/sdb1", disk=device, holds=holds)
        return Disk(slot=3, diskseq=self.recorder.plugs, places=(place,))

    @contextmanager
    def mounted(self, place: Place, *, writable: bool) -> Iterator[int]:
        if writable:
            self.shown += self._lamps()
        root = os.open(self.root, os.O_RDONLY)
        yield root
        os.close(root)

    def _lamps(self) -> list[str]:
        """What people are shown, as soon as that is to wait; and after some seconds whatever it is."""
        end = monotonic() + 8
        while True:
            view = overview.published(self.bed.settings)
            lamps = [session.lamp.value for session in view.sessions] if view else []
            if lamps == [Lamp.WAIT] or monotonic() > end:
                return lamps
            sleep(0.02)

    def format(self, place: Place) -> None:
        raise AssertionError


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def card(tmp_path: Path, clock: VirtualClock) -> Iterator[Card]:
    """The card, with the real helper listening beside the station."""
    made = Card(tmp_path, StationBed(tmp_path, ON, clock=clock))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(made.bed.settings.paths.run / SOCKET_NAME))
        server.listen()

        def work() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        serve(connection, made, monotonic=monotonic, note=lambda _: None)

        helper = threading.Thread(target=work)
        helper.start()
        yield made
        server.shutdown(socket.SHUT_RDWR)
        helper.join()


async def passes(bed: StationBed, clock: VirtualClock, span: timedelta) -> None:
    """Time passes, and every round has had its turn after it."""
    beats = len(bed.facts(Beat))
    clock.advance(span)
    await bed.until(lambda: len(bed.facts(Beat)) > beats)
    for _ in range(5):
        clock.advance(60)
        await asyncio.sleep(0.05)


async def test_the_old_go_and_the_new_stay(card: Card, clock: VirtualClock) -> None:
    bed = card.bed
    card.record("DCIM/old.mp4", OLD)
    async with bed.at_work() as station:
        card.plug()
        await bed.until_settled(card.recorder)
        await passes(bed, clock, timedelta(days=2))
        await bed.until(lambda: clock.advance(60) or bed.facts(LookedAgain))
        await passes(bed, clock, timedelta(days=20))
        assert not bed.facts(EraseIntended)  # it has been docked all the time, and it is too early
        card.record("DCIM/new.mp4", NEW)
        card.plug()
        await bed.until(lambda: len(bed.records()) == 2 and bed.record("DCIM/new.mp4").finished)
        await passes(bed, clock, timedelta(days=9))
        await bed.until(lambda: bed.facts(Erased) or clock.advance(60))
        assert not (card.root / "DCIM/old.mp4").exists()
        assert (card.root / "DCIM/new.mp4").read_bytes() == NEW
        assert len(bed.facts(EraseIntended)) == 1
        assert card.shown == ["wait"]
        bed.must_agree()
        card.plug()
        await bed.until(lambda: len(bed.sessions()) == 3 and bed.sessions()[0].was_drained)
        await passes(bed, clock, timedelta(days=1))
        counted = station.bench.meters.exposition(1, clock.now(), "").decode()
        assert f'bwcdock_step_size_bytes_sum{{step="erase"}} {float(len(OLD))}\n' in counted
    assert len(bed.records()) == 2
    assert bed.record("DCIM/old.mp4").erased_at is not None
    assert bed.central(bed.record("DCIM/old.mp4").held[0].key).read_bytes() == OLD
    bed.must_agree()


async def test_after_a_start_it_waits_until_central_storage_was_asked_and_no_longer(
    card: Card, clock: VirtualClock
) -> None:
    """Nothing may go before central storage is known to have seen the heads; a card is not put off for that."""
    bed = card.bed
    card.record("DCIM/old.mp4", OLD)
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card.recorder)
        await passes(bed, clock, timedelta(days=2))
        await bed.until(lambda: clock.advance(60) or bed.facts(LookedAgain))
        card.recorder.unplug()
    clock.advance(timedelta(days=40))
    central = bed.settings.sink[0].path
    away = central.rename(central.with_name("away"))
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.sessions()[0].was_drained)
        await passes(bed, clock, timedelta(minutes=5))
        assert not bed.facts(EraseIntended)
        away.rename(central)
        for _ in range(20):  # minutes; a card that had its turn and kept all is left alone for an hour
            clock.advance(60)
            await asyncio.sleep(0.1)
        assert bed.facts(Erased)
    bed.must_agree()


async def test_a_recorder_that_is_taken_away_keeps_what_it_has(card: Card, clock: VirtualClock) -> None:
    bed = card.bed
    card.record("DCIM/old.mp4", OLD)
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card.recorder)
        await passes(bed, clock, timedelta(days=2))
        await bed.until(lambda: clock.advance(60) or bed.facts(LookedAgain))
        card.recorder.unplug()
        await passes(bed, clock, timedelta(days=40))
    assert not bed.facts(EraseIntended)
    assert (card.root / "DCIM/old.mp4").read_bytes() == OLD
