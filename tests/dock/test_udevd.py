"""The watch and the rules with a real udevd and real kernel events: loop disks stand for USB disks. Root only."""

# ruff: noqa: ASYNC221, ASYNC240  (the loop is held up on purpose, or nothing else is on it)

import asyncio
import fcntl
import os
import random
import stat
import statistics
import subprocess
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bwcdock import slots
from bwcdock.detect.bus import Policy
from bwcdock.detect.udev import UdevWatch
from bwcdock.slots import Slot
from usb_world import ID_HOST, with_udevd

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CHOSEN = [Slot(number=n, port=f"{ID_HOST}1.{n}") for n in range(1, 5)]
RULES = Path(__file__).resolve().parents[2] / "udev"
LOOP_CTL_ADD, LOOP_CTL_REMOVE = 0x4C80, 0x4C81

# Every namespace hears of every loop disk: only those with a card of ours in them are on the "bus".
ON_USB = "".join(
    f'SUBSYSTEM=="block", ATTR{{loop/backing_file}}=="/run/lab/slot{n}-*", '
    f'ENV{{ID_PATH}}="{ID_HOST}1.{n}:1.0-scsi-0:0:0:0", ENV{{ID_BUS}}="usb"\n'
    for n in range(1, 6)
)


def with_rules():
    folder = Path("/run/udev/rules.d")
    (folder / "68-on-usb.rules").write_text(ON_USB)
    (folder / slots.RULES_PATH.name).write_text(slots.rules_for(CHOSEN))
    for file in RULES.glob("*.rules"):
        (folder / file.name).write_text(file.read_text())
    subprocess.run(["udevadm", "control", "--reload"], check=True)


@contextmanager
def loop_disk():
    """A loop disk of our own, by its number: made (`add`) and in the end taken away (`remove`)."""
    with open("/dev/loop-control", "rb") as control:
        while True:
            number = random.randrange(1000, 100_000)
            try:
                fcntl.ioctl(control, LOOP_CTL_ADD, number)
                break
            except FileExistsError:
                continue
        os.mknod(f"/dev/loop{number}", 0o600 | stat.S_IFBLK, os.makedev(7, number))
        try:
            yield number
        finally:
            subprocess.run(["losetup", "-d", f"/dev/loop{number}"], check=False, stderr=subprocess.DEVNULL)
            for _ in range(100):
                try:
                    fcntl.ioctl(control, LOOP_CTL_REMOVE, number)
                    break
                except OSError:  # udev is still looking at it
                    time.sleep(0.02)


def card(slot):
    path = Path(f"/run/lab/slot{slot}-{random.randrange(10**9)}.img")
    with path.open("wb") as file:
        file.truncate(4 << 20)
    return path


def put_in(number, image):
    subprocess.run(["losetup", f"/dev/loop{number}", image], check=True)


def take_out(number):
    subprocess.run(["losetup", "-d", f"/dev/loop{number}"], check=True)
    for _ in range(500):  # whoever still has it open, as udev may have, keeps the card in it until he is done
        if not Path(f"/sys/block/loop{number}/loop").exists():
            return
        time.sleep(0.02)
    raise AssertionError(f"loop{number} still holds its card after 10 s")


def watching(**more):
    policy = Policy(slots=slots.numbers(CHOSEN), live_s=600, switch_s=15)
    watch = UdevWatch(policy, resync_s=60, monotonic=time.monotonic, **more)
    watch.start()
    return watch


def docked(watch):
    return sorted(s.slot for s in watch.current(NOW))


async def until(condition, limit_s=30.0):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, Path("/run/lab/udevd.log").read_text()[-3000:]
        await asyncio.sleep(0.002)


@with_udevd
async def test_a_plugged_disk_is_sighted_write_protected_and_in_the_docks_group_within_a_second():
    with_rules()
    watch = watching()
    taken = []
    with loop_disk() as number:
        for turn in range(8):
            image = card(1 + turn % 4)
            started = time.monotonic()
            put_in(number, image)
            await until(lambda slot=1 + turn % 4: docked(watch) == [slot])
            taken.append(time.monotonic() - started)
            (sighting,) = watch.current(NOW)
            assert sighting.source == f"/dev/loop{number}"
            assert dict(sighting.properties)["DISKSEQ"].isdecimal()
            assert watch.findings == ()
            assert Path(f"/sys/block/loop{number}/ro").read_text() == "1\n"
            node = os.stat(sighting.source)
            assert (node.st_mode & 0o777, node.st_gid) == (0o440, 999)
            take_out(number)  # a `change` with size 0: the card left the reader
            await until(lambda: docked(watch) == [])
    await until(lambda: not any(n.source == f"/dev/loop{number}" for n in watch.nodes))  # and the `remove`
    watch.close()
    print(f"plug to sighting, with losetup: median {statistics.median(taken):.3f} s, worst {max(taken):.3f} s")
    assert statistics.median(taken) < 1


@with_udevd
async def test_a_burst_of_2000_real_events_and_a_plug_in_it():
    with_rules()
    watch = watching(buffer_bytes=4096)
    with loop_disk() as noisy, loop_disk() as number:
        put_in(noisy, card(1))
        await until(lambda: docked(watch) == [1])
        uevent = os.open(f"/sys/block/loop{noisy}/uevent", os.O_WRONLY)
        for turn in range(2000):
            os.write(uevent, b"change")
            if turn == 1000:
                put_in(number, card(2))
        os.close(uevent)
        subprocess.run(["udevadm", "settle", "--timeout=30"], check=True)  # the loop stands still all the while
        await until(lambda: docked(watch) == [1, 2])
        assert [f.code for f in watch.findings] == ["udev.overflow"]
        take_out(number)
        await until(lambda: docked(watch) == [1], 2)
    watch.close()


@with_udevd
async def test_a_disk_that_no_rule_protects_is_told():
    with_rules()
    Path("/run/udev/rules.d/70-bwcdock.rules").unlink()
    subprocess.run(["udevadm", "control", "--reload"], check=True)
    watch = watching()
    with loop_disk() as number:
        put_in(number, card(3))
        await until(lambda: docked(watch) == [3])
        assert [f.code for f in watch.findings] == ["disk.writable"]
        take_out(number)
        put_in(number, card(5))  # port 1.5 is no slot
        await until(lambda: [f.code for f in watch.findings] == ["usb.no_slot"])
        assert docked(watch) == []
    watch.close()
