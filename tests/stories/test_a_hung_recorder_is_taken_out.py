"""A recorder hangs and is taken out: its slot is free within seconds, and what it held open is closed when it wakes."""

import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from bwcdock import docking
from bwcdock.testing.recorder import Call, FakeRecorder
from bwcdock.testing.station import StationBed

CALLS: tuple[Call, ...] = ("claims", "open", "identity", "condition", "items", "present", "read_into")


class Hanging(FakeRecorder):
    """Says when a call begins to hang."""

    def __init__(self, serial: str, call: Call) -> None:
        super().__init__(serial)
        self.call = call
        self.hangs = threading.Event()
        self.hang(call)

    def meet(self, call: Call) -> None:
        """As ever."""
        if call == self.call:
            self.hangs.set()
        super().meet(call)


@pytest.fixture
def bad(request: pytest.FixtureRequest) -> Iterator[Hanging]:
    """Its hanging ends with the test. Nothing is collected meanwhile: closing must not wait for it."""
    made = Hanging("BAD", request.param)
    gc.disable()
    yield made
    gc.enable()
    made.let_go()


@pytest.mark.parametrize("bad", CALLS, indirect=True)
async def test_the_slot_is_free_and_the_driver_is_closed_when_the_call_returns(
    tmp_path: Path, bad: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docking, "LEAVE_S", 0.5)
    bed = StationBed(tmp_path)  # with the limits of a real station, a minute and more for a call
    good = bed.recorder("GOOD")
    bed.driver.add(bad)
    for card in (bad, good):
        card.record("a.mp4", Random(card.serial).randbytes(100_000))
    async with bed.at_work():
        bad.plug("usb-1")
        await bed.until(bad.hangs.is_set)
        (session,) = bed.sessions()
        began = time.monotonic()
        bad.unplug()
        await bed.until(lambda: bed.ask(lambda ledger: ledger.session(session.id)).departed_at)
        assert time.monotonic() - began < 4  # half a second, on a machine that is busy
        good.plug("usb-1")
        await bed.until_settled(good)
        assert bed.driver.opened == (1 if bad.call in {"claims", "open"} else 2)  # the bad one too where it was opened
        # It wakes up: its own thread closes what it held, at once.
        bad.let_go()
        await bed.until(lambda: bed.driver.opened == 1)
        bad.plug("usb-2")
        await bed.until_settled(bad)
    assert all(record.finished for record in bed.records())
    bed.must_agree()
