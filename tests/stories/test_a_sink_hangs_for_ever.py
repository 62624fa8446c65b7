"""Calls to central storage never come back: they are left behind, told of, and everything else goes on."""

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import Confirmed, Digests, Drained, Found, Receipted
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.recorder import FakeRecorder
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed
from bwcdock.testing.troubled import SinkCall, TroubledSink

SOON = {"push": {"call_timeout_s": 0.3}, "limits": {"hung_calls": 3}}
HUNG, DOWN = "sink.hung.central", "sink.down.central"


class Stalling(MemorySink):
    """Central storage behind a mount that stalls: a call waits as long as that lasts, and then goes on and succeeds."""

    def __init__(self) -> None:
        super().__init__()
        self.stalls = ""
        """Writing under keys in which this stands wait; nothing stalls while it is empty."""
        self.most = 1000
        """How many calls stall; later ones do not, as with a mount made anew beside calls stuck in the old one."""
        self.goes_on = threading.Event()
        self.waiting: list[str] = []
        self.puts: list[str] = []

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:
        """Wait where it stalls, then store."""
        self._stall(key)
        self.puts.append(key)
        super().put(key, source, digests, keep_until)

    def note(self, key: str, data: bytes) -> None:
        """The same for a small document."""
        self._stall(key)
        super().note(key, data)

    def _stall(self, key: str) -> None:
        if self.stalls and self.stalls in key and len(self.waiting) < self.most:
            self.waiting.append(key)
            self.goes_on.wait()


@pytest.fixture
def stalling() -> Iterator[Stalling]:
    made = Stalling()
    yield made
    made.goes_on.set()


@pytest.fixture
def troubled() -> Iterator[TroubledSink]:
    made = TroubledSink(MemorySink())
    yield made
    made.let_go()


def card(bed: StationBed, serial: str, count: int = 3) -> FakeRecorder:
    made = bed.recorder(serial)
    for name in "abcdefghijklmnop"[:count]:
        made.record(f"{name}.mp4", Random(f"{serial}{name}").randbytes(20_000))
    return made


def holds_everything(bed: StationBed, sink: MemorySink) -> None:
    for record in bed.records():
        assert sink.objects[record.held[0].key] == bed.driver.recorders[record.recorder].files[record.item.path].data
    bed.must_agree()


async def test_what_hangs_is_told_and_finishes_when_central_storage_is_back(tmp_path: Path, stalling: Stalling) -> None:
    bed = StationBed(tmp_path, SOON, sinks={"central": stalling})
    stalling.stalls = "unit/"
    first, second = card(bed, "F1-0001", 8), card(bed, "F1-0002", 2)
    async with bed.at_work():
        first.plug("usb-1")
        (hung,) = await bed.until(lambda: bed.findings(HUNG))
        assert hung.what == "A call to central storage central has moved nothing for 0.3 s and was left behind."
        assert "its network, its mount and its disks" in hung.remedy
        await bed.until(lambda: bed.findings(DOWN))
        # Everything else goes on: a recorder that comes now is emptied as ever.
        second.plug("usb-2")
        await bed.until(lambda: len(bed.facts(Drained)) == 2)
        # Two at work and three left behind, and then no more.
        await bed.until(lambda: len(stalling.waiting) == 5)
        await bed.until(lambda: bed.findings(HUNG))
        stalling.stalls = ""
        assert len(set(stalling.waiting)) == 5  # never the same recording twice
        assert not bed.facts(Confirmed)
        stalling.goes_on.set()
        await bed.until_settled(first, second)
        await bed.until(lambda: not bed.findings(HUNG) and not bed.findings(DOWN))
    assert len(stalling.puts) == len(set(stalling.puts)) == len(bed.facts(Confirmed)) == 10
    holds_everything(bed, stalling)


async def test_one_transfer_that_hangs_holds_up_no_other(tmp_path: Path, stalling: Stalling) -> None:
    bed = StationBed(tmp_path, SOON, sinks={"central": stalling})
    stalling.stalls = "F1-0001"
    hanging, other = card(bed, "F1-0001", 2), card(bed, "F1-0002", 6)
    async with bed.at_work():
        hanging.plug("usb-1")
        await bed.until(lambda: len(stalling.waiting) == 2)
        other.plug("usb-2")
        await bed.until_settled(other)
        assert not [fact for fact in bed.facts(Confirmed) if fact.recorder == "F1-0001"]
        assert bed.findings(HUNG)
        await bed.until(lambda: not bed.findings(DOWN))  # it can be reached, as the others show
        stalling.goes_on.set()
        await bed.until_settled(hanging)
        await bed.until(lambda: not bed.findings(HUNG))
    assert len(stalling.puts) == len(set(stalling.puts)) == len(bed.facts(Confirmed)) == 8
    holds_everything(bed, stalling)


@pytest.mark.parametrize(
    ("call", "prefix"),
    [("put", ""), ("stat", ""), ("recall", ""), ("note", "unit/"), ("note", "checkpoints/")],
)
async def test_it_comes_back_and_the_rest_is_done_without_a_new_start(
    tmp_path: Path, troubled: TroubledSink, call: SinkCall, prefix: str
) -> None:
    """Here what hung fails in the end, as a soft mount lets it."""
    bed = StationBed(tmp_path, {**SOON, "ledger": {"checkpoint_every_s": 0.2}}, sinks={"central": troubled})
    troubled.hang(call, prefix)
    first = card(bed, "F1-0001")
    async with bed.at_work():
        first.plug()
        await bed.until(lambda: bed.findings(HUNG))
        troubled.let_go()
        await bed.until_settled(first)
        await bed.until(lambda: not bed.findings(HUNG) and not bed.findings(DOWN))
    assert len(bed.facts(Confirmed)) == 3
    assert len(bed.facts(Receipted)) == 1
    holds_everything(bed, troubled.inner)  # type: ignore[arg-type]


async def test_a_receipt_that_hangs_holds_up_no_other(tmp_path: Path, stalling: Stalling) -> None:
    clock = VirtualClock()
    bed = StationBed(tmp_path, SOON, clock=clock, sinks={"central": stalling})
    stalling.stalls, stalling.most = "receipts/", 1
    first, second = card(bed, "F1-0001", 1), card(bed, "F1-0002", 1)
    async with bed.at_work():
        first.plug("usb-1")
        await bed.until(lambda: stalling.waiting)
        second.plug("usb-2")
        await bed.until(lambda: clock.advance(60) or len(bed.facts(Receipted)) == 2)
        assert not stalling.goes_on.is_set()
    bed.must_agree()


async def test_a_slow_transfer_that_moves_is_not_cut_off(tmp_path: Path) -> None:
    """Each chunk is a sign of life, and so is waiting for the line; together they take several times the limit."""
    patient = {"push": {"call_timeout_s": 2}}  # of a busy machine
    bed = StationBed(tmp_path, {**patient, "sink": {"bandwidth": "40 kB"}})
    slow = bed.recorder("F1-0001")
    slow.record("a.mp4", Random(1).randbytes(200_000))
    async with bed.at_work():
        slow.plug()
        await bed.until_settled(slow)
    assert not [fact for fact in bed.facts(Found) if fact.finding.code.startswith("sink.")]
    bed.must_agree()
