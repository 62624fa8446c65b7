"""The watch of the USB bus over the real libudev, on a bus of files: plugs, pulls, cards, bursts and lost events."""

import asyncio
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

from bwcdock.detect.bus import Policy
from bwcdock.detect.folders import DropFolder, FolderWatch
from bwcdock.detect.joined import Joined
from bwcdock.detect.udev import AT_ONCE, UdevWatch
from usb_world import ID_HOST, Bus, inside

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
SLOTS = {f"{ID_HOST}1.{n}": n for n in range(1, 5)}


def watching(*, resync_s=60.0, switch_s=15.0, **more):
    policy = Policy(slots=SLOTS, live_s=600, switch_s=switch_s)
    return UdevWatch(policy, resync_s=resync_s, monotonic=time.monotonic, **more)


class Started:
    """A watch from its start to its end."""

    def __init__(self, watch):
        self.watch = watch

    async def __aenter__(self):
        self.watch.start()
        return self.watch

    async def __aexit__(self, *_):
        self.watch.close()


def sources(watch):
    return [(s.slot, s.source) for s in watch.current(NOW)]


def codes(watch):
    return [f.code for f in watch.findings]


async def until(condition, limit_s=30.0):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        await asyncio.sleep(0.002)


@inside
async def test_what_is_plugged_in_before_the_start_is_there_at_once():
    bus = Bus()
    bus.plug("1.1")
    bus.disk("1.1", "sdb", ID_VENDOR="DV16")
    async with Started(watching()) as watch:
        assert sources(watch) == [(1, "/dev/sdb")]
        (sighting,) = watch.current(NOW)
        assert sighting.live
        assert dict(sighting.properties)["ID_VENDOR"] == "DV16"
        assert watch.hint.is_set()
        assert codes(watch) == []


@inside
async def test_plug_card_out_card_in_and_pull_each_within_a_moment():
    bus = Bus()
    async with Started(watching()) as watch:
        assert sources(watch) == []
        device = bus.plug("1.2")
        started = time.monotonic()
        disk = bus.disk("1.2", "sdc")
        await asyncio.wait_for(watch.hint.wait(), 10)
        await until(lambda: sources(watch) == [(2, "/dev/sdc")])
        assert time.monotonic() - started < 0.2  # udev's event to sighting; the limit of the whole is a second
        first = watch.current(NOW)
        bus.medium(disk, 0)
        await until(lambda: sources(watch) == [])
        bus.medium(disk, 4096)
        await until(lambda: sources(watch) == [(2, "/dev/sdc")])
        assert watch.current(NOW) != first  # another card, another docking
        bus.pull(device, bare=True)
        await until(lambda: sources(watch) == [])
        await until(lambda: watch.nodes == ())


@inside
async def test_a_recorder_being_pulled_out_is_not_taken_for_a_control_interface():
    bus = Bus()
    async with Started(watching()) as watch:
        device = bus.plug("1.2")
        disk = bus.disk("1.2", "sdc")
        await until(lambda: sources(watch) == [(2, "/dev/sdc")])
        bus.pull(disk)
        await until(lambda: len(watch.nodes) == 1)
        bus.unbind(device)
        bus.plug("1.3")  # events come in order: what was told before this was heard
        await until(lambda: len(watch.nodes) == 2)
        assert sources(watch) == []


@inside
async def test_the_whole_disk_is_sighted_and_its_partitions_are_not():
    bus = Bus()
    bus.plug("1.1")
    bus.partition(bus.disk("1.1", "sdb"), 1)
    async with Started(watching()) as watch:
        assert sources(watch) == [(1, "/dev/sdb")]
        bus.plug("1.2")
        bus.partition(bus.disk("1.2", "sdc"), 1)
        bus.plug("1.3")  # events come in order: what was told before this was heard
        await until(lambda: len(watch.nodes) == 5)
        assert sources(watch) == [(1, "/dev/sdb"), (2, "/dev/sdc")]


@inside
async def test_a_card_swapped_while_nobody_looked_is_another_sighting():
    bus = Bus()
    bus.plug("1.1")
    disk = bus.disk("1.1", "sdb")
    async with Started(watching()) as watch:
        first = watch.current(NOW)
        bus.medium(disk, 0)
        bus.medium(disk, 2048)
        await until(lambda: watch.current(NOW) != first)
        assert sources(watch) == [(1, "/dev/sdb")]


@inside
async def test_a_writable_disk_and_a_stranger_are_told():
    bus = Bus()
    bus.plug("1.1", ":080650:030101:")
    bus.disk("1.1", "sdb", ro=0)
    bus.plug("3", ":060101:")
    async with Started(watching()) as watch:
        assert codes(watch) == ["usb.composite", "disk.writable", "usb.no_slot"]


@inside
async def test_a_control_interface_that_becomes_a_disk_leaves_no_gap():
    bus = Bus()
    async with Started(watching()) as watch:
        gaps = []
        control = bus.plug("1.1", ":ff0000:")
        await until(lambda: sources(watch) == [(1, "/dev/bus/usb/001/002")])
        bus.pull(control)
        for _ in range(20):
            await asyncio.sleep(0.005)
            gaps.append(sources(watch))
        bus.plug("1.1")
        for _ in range(20):
            await asyncio.sleep(0.005)
            gaps.append(sources(watch))
        bus.disk("1.1", "sdb")
        await until(lambda: sources(watch) == [(1, "/dev/sdb")])
        assert all(gaps)


@inside
async def test_a_control_interface_that_does_not_come_back_is_gone_after_its_time_and_that_is_hinted():
    bus = Bus()
    async with Started(watching(switch_s=0.3)) as watch:
        control = bus.plug("1.1", ":ff0000:")
        await until(lambda: sources(watch))
        bus.pull(control)
        await until(lambda: watch.nodes == ())
        watch.hint.clear()
        assert sources(watch)
        await asyncio.wait_for(watch.hint.wait(), 10)
        assert sources(watch) == []


@inside
async def test_lost_events_are_noticed_and_nothing_is_missed():
    bus = Bus()
    bus.plug("1.1")
    gone = bus.disk("1.1", "sdb")
    async with Started(watching(buffer_bytes=4096)) as watch:
        assert sources(watch) == [(1, "/dev/sdb")]
        bus.burst(gone, 2000)  # nobody reads meanwhile: the kernel throws most of them away
        bus.plug("1.2")
        bus.disk("1.2", "sdc")
        bus.pull(gone)
        await until(lambda: sources(watch) == [(2, "/dev/sdc")])
        assert codes(watch) == ["udev.overflow"]
        # And events go on being heard, by themselves.
        bus.plug("1.3")
        bus.disk("1.3", "sdd")
        await until(lambda: sources(watch) == [(2, "/dev/sdc"), (3, "/dev/sdd")], 1)
        # Again, and again.
        for _ in range(3):
            bus.burst(f"{next(iter(bus.told))}", 2000)
            await asyncio.sleep(0.05)
        assert sources(watch) == [(2, "/dev/sdc"), (3, "/dev/sdd")]


@inside
async def test_a_burst_holds_up_nothing_else_on_the_loop():
    bus = Bus()
    bus.plug("1.1")
    disk = bus.disk("1.1", "sdb")
    async with Started(watching(buffer_bytes=16 << 20)) as watch:
        turns = 0
        bus.burst(disk, 300)
        bus.plug("1.2")
        bus.disk("1.2", "sdc")
        end = time.monotonic() + 5
        while len(sources(watch)) < 2:
            assert time.monotonic() < end
            await asyncio.sleep(0)
            turns += 1
        assert turns > 300 // AT_ONCE  # others had their turn in between


@inside
async def test_what_was_never_told_is_found_when_everything_is_looked_up():
    bus = Bus(quiet=True)
    async with Started(watching(resync_s=0.2)) as watch:
        device = bus.plug("1.1")
        bus.disk("1.1", "sdb")
        await until(lambda: sources(watch) == [(1, "/dev/sdb")])
        bus.pull(device)
        await until(lambda: sources(watch) == [])
        assert codes(watch) == []


class Broken:
    """A monitor that will never be well again: readable, failing, with no error to be cleared."""

    def __init__(self):
        self.mine, other = socket.socketpair()
        other.send(b"x")
        self.other = other
        self.polled = 0

    def fileno(self):
        return self.mine.fileno()

    def poll(self, timeout):
        self.polled += 1
        raise OSError("Error while polling fd")


@inside
async def test_a_broken_monitor_is_replaced_and_does_not_spin():
    bus = Bus()
    async with Started(watching()) as watch:
        watch._deafen()
        watch._monitor = broken = Broken()
        asyncio.get_running_loop().add_reader(broken.fileno(), watch._take, broken)
        await asyncio.sleep(0.2)
        assert broken.polled == 1
        bus.plug("1.1")
        bus.disk("1.1", "sdb")
        await until(lambda: sources(watch) == [(1, "/dev/sdb")])
        device = bus.plug("1.2")
        bus.disk("1.2", "sdc")
        await until(lambda: len(sources(watch)) == 2, 0.5)
        bus.pull(device)
        await until(lambda: len(sources(watch)) == 1, 0.5)


@inside
async def test_closing_leaves_nothing_open():
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        async with Started(watching()):
            pass
    assert len(os.listdir("/proc/self/fd")) == before


@inside
async def test_folders_and_bus_are_one_watch():
    bus = Bus()
    os.makedirs("/run/lab/drop/cam")
    drop = DropFolder(path=Path("/run/lab/drop"), slot=9, stable_s=0)
    folders = FolderWatch([drop], rescan_s=30, children=10, entries=10)
    bus.plug("3", ":060101:")
    watch = Joined([folders, watching()])
    watch.start()
    try:
        assert sources(watch) == [(9, "/run/lab/drop/cam")]
        assert codes(watch) == ["usb.no_slot"]
        watch.hint.clear()
        bus.plug("1.1")
        bus.disk("1.1", "sdb")
        await asyncio.wait_for(watch.hint.wait(), 10)
        await until(lambda: sources(watch) == [(9, "/run/lab/drop/cam"), (1, "/dev/sdb")])
        watch.hint.clear()
        os.mkdir("/run/lab/drop/other")
        await asyncio.wait_for(watch.hint.wait(), 10)
        assert len(sources(watch)) == 3
    finally:
        watch.close()


@inside
async def test_what_cannot_be_started_leaves_nothing_running():
    class Refuses:
        def __init__(self):
            self.hint = asyncio.Event()

        def start(self):
            raise OSError("no")

    first = watching()
    try:
        Joined([first, Refuses()]).start()
    except OSError:
        assert first._monitor is None
    else:
        raise AssertionError("it started")
