"""Two cards say the same serial: nobody is accused, no deadline moves by it, and every byte of both is brought."""

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import Departed, Faulted, Found, Identity, Listed, Lost, Quarantined, Settled
from bwcdock.core.record import State
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.recorder import WALL, FakeRecorder
from bwcdock.testing.station import StationBed
from odd_recorders import odd

SERIAL = "vol-0417ABCD"


def pair(bed: StationBed, basis: str) -> tuple[FakeRecorder, FakeRecorder]:
    driver = odd(bed)
    cards = bed.recorder("one", most=4096), bed.recorder("two", most=4096)
    for card in cards:
        driver.identities[card.serial] = Identity(serial=SERIAL, basis=basis)
        for name in ("a", "b"):
            card.record(f"{card.serial}/{name}.mp4", Random(f"{card.serial}{name}").randbytes(200_000))
    return cards


@pytest.mark.parametrize("basis", ["volume-serial", "none", "name-group", "folder-name"])
async def test_what_the_other_card_holds_is_not_lost(tmp_path: Path, basis: str) -> None:
    bed = StationBed(tmp_path)
    one, two = pair(bed, basis)
    one.hang("read_into")
    async with bed.at_work():
        one.plug("usb-1")
        await bed.until(lambda: len(bed.records()) == 2)
        two.plug("usb-2")
        await bed.until_settled(two)
        assert not bed.facts(Lost)
        assert not [fact for fact in bed.facts(Found) if fact.finding.code.startswith("recording")]
        # What was in the middle of being pulled goes on, and is pulled once.
        one.unplug()
        one.let_go()
        await bed.until(lambda: bed.facts(Departed))
        one.plug("usb-3")
        await bed.until_settled(one)
    assert len(bed.records()) == 4
    assert all(record.finished for record in bed.records())
    assert not bed.facts(Quarantined)
    assert not bed.facts(Faulted)
    assert not bed.aside()
    bed.must_agree()


@pytest.mark.parametrize("basis", ["none", "name-group", "folder-name"])
async def test_a_changed_card_has_lost_nothing(tmp_path: Path, basis: str) -> None:
    bed = StationBed(tmp_path)
    one, two = pair(bed, basis)
    one.yank("one/a.mp4", 100_000)
    async with bed.at_work():
        one.plug("usb-1")
        await bed.until(lambda: bed.facts(Departed))
        two.plug("usb-1")
        await bed.until_settled(two)
        two.unplug()
        assert not bed.facts(Lost)
        waiting = [r for r in bed.records() if r.state is State.LISTED]
        assert [r.item.path for r in waiting] == ["one/a.mp4", "one/b.mp4"]
        told = bed.findings("recording.elsewhere")
        assert [f.what.partition(" was")[0] for f in told] == ["one/a.mp4", "one/b.mp4"]
        # It still waits for its recorder, and is told of no more when that is there.
        one.plug("usb-1")
        await bed.until_settled(one)
    assert {f.code for f in bed.facts(Settled)} == {"recording.elsewhere"}
    assert all(record.finished for record in bed.records())
    bed.must_agree()


async def listed_last(tmp_path: Path, basis: str, *, together: timedelta | None) -> Listed:
    """Card two is listed; then, after card one was there beside it for a time, a new and old file on it."""
    clock = VirtualClock()
    bed = StationBed(tmp_path, clock=clock)
    one, two = pair(bed, basis)
    async with bed.at_work():
        two.plug("usb-2")
        await bed.until_settled(two)
        clock.advance(timedelta(hours=1))
        if together is not None:
            one.plug("usb-1")
            await bed.until_settled(one)
            clock.advance(together)
            one.unplug()
            await bed.until(lambda: bed.facts(Departed))
        left = len(bed.facts(Departed))
        two.unplug()
        await bed.until(lambda: len(bed.facts(Departed)) > left)
        clock.advance(timedelta(days=1))
        two.record("two/c.mp4", b"c" * 5000, start=WALL - timedelta(days=2))
        two.plug("usb-2")
        await bed.until_settled(two)
    bed.must_agree()
    return bed.facts(Listed)[-1]


async def test_one_card_cannot_hold_what_it_did_not_hold_before(tmp_path: Path) -> None:
    assert (await listed_last(tmp_path, "volume-serial", together=None)).not_before is not None


@pytest.mark.parametrize(("basis", "together"), [("none", None), ("volume-serial", timedelta(minutes=1))])
async def test_a_serial_that_is_not_one_card_moves_no_deadline(
    tmp_path: Path, basis: str, together: timedelta | None
) -> None:
    assert (await listed_last(tmp_path, basis, together=together)).not_before is None
