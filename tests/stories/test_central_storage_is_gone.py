"""Central storage cannot be reached: recordings are sealed all the same, and carried there when it is back."""

import asyncio
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import Confirmed, Drained, Found, Sealed, Settled
from bwcdock.sinks.filesystem import MARKER
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed


def unmount(root: Path) -> None:
    root.rename(root.with_name("away"))


def unmount_leaving_a_folder(root: Path) -> None:
    root.rename(root.with_name("away"))
    root.mkdir()


def another_volume(root: Path) -> None:
    root.rename(root.with_name("away"))
    root.mkdir()
    (root / MARKER).write_text("0" * 32)


def mount(root: Path) -> None:
    if root.exists():
        (root / MARKER).unlink(missing_ok=True)
        root.rmdir()  # fails if anything was written into what is not central storage
    root.with_name("away").rename(root)


@pytest.mark.parametrize(
    ("go", "why"),
    [
        (unmount, "No such file or directory"),
        (unmount_leaving_a_folder, "has no marker"),
        (another_volume, "is not the central storage it was"),
    ],
)
async def test_everything_else_goes_on_and_it_finishes_by_itself(tmp_path: Path, go, why: str) -> None:
    bed = StationBed(tmp_path)
    root = bed.settings.sink[0].path
    cards = [bed.recorder(f"F1-000{at}") for at in range(2)]
    for at, card in enumerate(cards):
        card.record("a.mp4", Random(at).randbytes(200_000))
        card.record("b.mp4", Random(-at).randbytes(100_000))
    go(root)
    async with bed.at_work():
        cards[0].plug("usb-1")
        (told,) = await bed.until(lambda: bed.findings("sink.down.central"))
        assert why in told.what
        assert told.remedy
        cards[1].plug("usb-2")
        await bed.until(lambda: len(bed.facts(Drained)) == 2)
        assert len(bed.facts(Sealed)) == 4
        assert not bed.facts(Confirmed)
        assert not [s for s in bed.sessions() if s.receipt]
        assert [f.code for f in bed.findings() if f.code.startswith("sink")] == ["sink.down.central"]
        cards[0].unplug()  # nobody has to wait at the dock for central storage
        mount(root)
        await bed.until_settled(*cards)
        await bed.until(lambda: not bed.findings("sink.down.central"))
    # Told once, however often it was tried; and settled once.
    assert len([f for f in bed.facts(Found) if f.finding.code == "sink.down.central"]) == 1
    assert [f.code for f in bed.facts(Settled)] == ["sink.down.central"]
    for card in cards:
        for record in bed.records(card.serial):
            assert bed.central(record.held[0].key).read_bytes() == card.files[record.item.path].data
    bed.must_agree()


async def test_it_is_left_alone_for_longer_and_longer(tmp_path: Path) -> None:
    sink, clock = MemorySink(), VirtualClock()
    bed = StationBed(
        tmp_path, {"push": {"backoff_first_s": 10, "backoff_max_s": 100, "parallel": 1}}, clock=clock,
        sinks={"central": sink},
    )  # fmt: skip
    sink.down = True
    card = bed.recorder("F1-0001")
    card.record("a.mp4", b"x" * 5000)
    tries = []
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.findings("sink.down.central"))
        for _ in range(40):
            clock.advance(timedelta(seconds=10))
            before = len(sink.calls)
            await asyncio.sleep(0.06)  # three rounds of the loop
            puts = [op for op, _ in sink.calls[before:] if op == "put"]
            tries.append(len(puts))
        sink.down = False
        await bed.until(lambda: clock.advance(10) or bed.record("a.mp4").finished)
        await bed.until_settled(card)
    assert max(tries) == 1
    first, last = sum(tries[:10]), sum(tries[-10:])
    assert 1 <= last < first <= 4  # from every 10, 20, 40 s to every 100 s
    bed.must_agree()


async def test_a_second_time_is_told_again_and_begins_with_a_short_wait(tmp_path: Path) -> None:
    sink, clock = MemorySink(), VirtualClock()
    bed = StationBed(
        tmp_path,
        {"push": {"backoff_first_s": 10, "backoff_max_s": 1000}, "ledger": {"checkpoint_every_s": 3600}},
        clock=clock,
        sinks={"central": sink},
    )
    card = bed.recorder("F1-0001")

    def puts() -> int:
        return sum(1 for op, _ in sink.calls if op == "put")

    async with bed.at_work():
        sink.down = True
        card.record("a.mp4", b"a" * 5000)
        card.plug("usb-1")
        await bed.until(lambda: bed.findings("sink.down.central"))
        await bed.until(lambda: clock.advance(5) or puts() > 5)  # for so long that the wait has grown to minutes
        sink.down = False
        await bed.until(lambda: clock.advance(5) or not bed.findings("sink.down.central"))
        await bed.until_settled(card)
        sink.down = True
        card.record("b.mp4", b"b" * 5000)
        card.plug("usb-2")
        await bed.until(lambda: bed.findings("sink.down.central"))
        sink.down = False
        clock.advance(10)
        await bed.until(lambda: not bed.findings("sink.down.central"))
        await bed.until_settled(card)
    told = [f for f in bed.facts(Found) if f.finding.code == "sink.down.central"]
    settled = [f for f in bed.facts(Settled) if f.code == "sink.down.central"]
    assert (len(told), len(settled)) == (2, 2)
    bed.must_agree()
