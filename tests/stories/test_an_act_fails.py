"""An act ends badly: the log says which act, of which record, whose fault it is and what to do; so does the ledger."""

from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import structlog
from bwcdock.core.facts import Confirmed, Digests, Found
from bwcdock.core.record import State
from bwcdock.errors import NotAllowed
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed

HOUR = timedelta(hours=1)
SELDOM = {"ledger": {"checkpoint_every_s": 10**6}}


class Refusing(MemorySink):
    """Central storage that answers ``put`` with ``error`` for as long as there is one."""

    error: Exception | None = None

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:
        if self.error is not None:
            self.calls.append(("put", key))
            raise self.error
        super().put(key, source, digests, keep_until)

    @property
    def asked(self) -> int:
        return sum(1 for op, _ in self.calls if op == "put")


def told(lines: list[Any], event: str) -> list[Any]:
    return [line for line in lines if line["event"] == event]


async def test_what_central_storage_forbids_is_told_with_whose_fault_it_is_and_tried_again_hourly(
    tmp_path: Path,
) -> None:
    sink, clock = Refusing(), VirtualClock()
    bed = StationBed(tmp_path, SELDOM, clock=clock, sinks={"central": sink})
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(5000))
    sink.error = NotAllowed("put", "The account may not write there.", "Give it the right to write.")
    with structlog.testing.capture_logs() as lines:
        async with bed.at_work() as station:
            card.plug()
            await bed.until(lambda: told(lines, "act.failed") and station.idle)
            (finding,) = await bed.until(lambda: bed.findings("act.failed"))
            turns = station.turns
            clock.advance(HOUR / 2)
            await bed.until(lambda: station.turns > turns + 20)
            assert sink.asked == 1  # it rests: only a person can mend it
            sink.error = None
            clock.advance(HOUR)
            await bed.until_settled(card)
    record = bed.record("a.mp4")
    (line,) = told(lines, "act.failed")
    assert (line["log_level"], line["act"], line["record"], line["place"]) == ("warning", "push", record.id, "central")
    assert line["error"] == "NotAllowed"
    assert line["what"] == "put: The account may not write there. Give it the right to write."
    assert (finding.what, finding.remedy) == (
        "a.mp4: The account may not write there.", "Give it the right to write.",
    )  # fmt: skip
    assert [fact.record for fact in bed.facts(Found) if fact.finding.code == "act.failed"] == [record.id]


async def test_a_bug_in_a_pull_costs_that_file_and_is_logged_where_it_happened(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    bad, good = bed.recorder("F1-0001"), bed.recorder("F1-0002")
    for card in (bad, good):
        card.record(f"{card.serial}.mp4", Random(card.serial).randbytes(5000))
    bad.fail("read_into", ZeroDivisionError("a bug"))
    with structlog.testing.capture_logs() as lines:
        async with bed.at_work():
            bad.plug("usb-1")
            await bed.until_settled(bad)
            good.plug("usb-2")
            await bed.until_settled(good)
    record = bed.record("F1-0001.mp4")
    assert (record.state, record.quarantine) == (State.QUARANTINED, "bug")
    (line,) = told(lines, "act.bug")
    assert (line["log_level"], line["act"], line["record"]) == ("error", "pull", record.id)
    assert line["exc_info"]
    assert not told(lines, "act.failed")
    assert bed.record("F1-0002.mp4").finished
    bed.must_agree()


async def test_a_bug_after_the_sealing_is_told_about_that_recording_and_takes_nothing_from_it(tmp_path: Path) -> None:
    """Its bytes are proven and not set apart for a mistake of the program; an hour later it is tried again."""
    sink, clock = Refusing(), VirtualClock()
    bed = StationBed(tmp_path, SELDOM, clock=clock, sinks={"central": sink})
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(5000))
    sink.error = ZeroDivisionError("a bug")
    with structlog.testing.capture_logs() as lines:
        async with bed.at_work() as station:
            card.plug()
            await bed.until(lambda: told(lines, "act.bug") and station.idle)
            record = bed.record("a.mp4")
            assert record.state is State.SEALED
            (finding,) = await bed.until(lambda: bed.findings("program.bug"))
            turns = station.turns
            await bed.until(lambda: station.turns > turns + 20)
            assert sink.asked == 1
            sink.error = None
            clock.advance(HOUR + timedelta(minutes=1))
            await bed.until_settled(card)
    assert bed.facts(Confirmed, record=record.id)
    assert (finding.what, finding.remedy) == ("a.mp4: A fault of the program: ZeroDivisionError.", "Report it.")
    assert [fact.record for fact in bed.facts(Found) if fact.finding.code == "program.bug"] == [record.id]
    (line,) = told(lines, "act.bug")
    assert (line["act"], line["record"], line["place"]) == ("push", record.id, "central")
