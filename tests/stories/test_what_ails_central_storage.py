"""What ails central storage is told apart: away, full, not letting the station in, another clock; and one recording
that it will not take."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from bwcdock import app, overview
from bwcdock.core import words_zh
from bwcdock.core.facts import Confirmed, Found
from bwcdock.desk.today import today
from bwcdock.errors import Ailment
from bwcdock.metrics.health import health
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed

CODES: dict[Ailment, str] = {
    "away": "sink.down.central",
    "full": "sink.full.central",
    "credentials": "sink.credentials.central",
    "clock": "sink.clock.central",
}
SAID = {
    "away": "集中存储连不上",
    "full": "集中存储已满",
    "credentials": "集中存储拒绝访问",
    "clock": "集中存储时钟不一致",
}


def of_sinks(bed: StationBed) -> list[str]:
    return [finding.code for finding in bed.findings() if finding.code.startswith("sink.")]


def is_down(bed: StationBed) -> bool:
    law = app.law_of(bed.settings)
    (sink,) = bed.ask(lambda ledger: today(bed.settings, ledger, law, bed.clock.now())).sinks
    return sink.is_down


def amiss(bed: StationBed) -> Iterator[str]:
    """What the page for a load balancer says of central storage."""
    return (check.what for check in health(bed.settings, bed.clock.now()).checks if check.name == "sinks")


async def test_each_ailment_is_told_alone_and_settles_the_one_before(tmp_path: Path) -> None:
    sink, clock = MemorySink(), VirtualClock()
    bed = StationBed(tmp_path, clock=clock, sinks={"central": sink})
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(5000))
    sink.down = True
    async with bed.at_work() as station:
        card.plug()
        for ails in ("away", "full", "credentials", "clock", "away"):
            sink.ails = ails
            await bed.until(lambda code=CODES[ails]: clock.advance(1) or of_sinks(bed) == [code])
            (told,) = bed.findings(CODES[ails])
            assert f"({ails})" in told.what
            assert told.remedy.startswith("Mount it. ")  # the store's own word, and what goes on meanwhile
            assert "tried again by itself" in told.remedy
            assert words_zh.said(told).title == SAID[ails]
            assert is_down(bed)
            assert list(amiss(bed)) != ["None is known to be away."]
            (queue,) = station.live().sinks
            assert (queue.up, queue.ails) == (False, ails)
            (store,) = bed.ask(lambda ledger: overview.stores(bed.settings, ledger, clock.now()))
            assert store.ails == CODES[ails].split(".")[1]
        sink.down = False
        await bed.until(lambda: clock.advance(1) or not of_sinks(bed))
        assert not is_down(bed)
        assert list(amiss(bed)) == ["None is known to be away."]
        await bed.until_settled(card)
    assert len([f for f in bed.facts(Found) if f.finding.code.startswith("sink.")]) == 5
    bed.must_agree()


async def test_what_was_told_in_an_earlier_run_is_settled_by_another_ailment(tmp_path: Path) -> None:
    sink = MemorySink()
    bed = StationBed(tmp_path, sinks={"central": sink})
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(5000))
    sink.down, sink.ails = True, "full"
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: of_sinks(bed) == [CODES["full"]])
    sink.ails = "clock"
    async with bed.at_work():
        await bed.until(lambda: of_sinks(bed) == [CODES["clock"]])


async def test_the_failures_of_each_kind_are_counted(tmp_path: Path) -> None:
    sink = MemorySink()
    bed = StationBed(tmp_path, sinks={"central": sink})
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(5000))
    sink.down, sink.ails = True, "credentials"
    async with bed.at_work() as station:
        card.plug()
        await bed.until(lambda: of_sinks(bed))
        text = station.bench.meters.exposition(1, bed.clock.now(), "").decode()
    assert 'bwcdock_sink_errors_total{kind="credentials",sink="central"}' in text
    assert 'kind="unreachable"' not in text.partition("bwcdock_sink_errors_total")[2].partition("# TYPE")[0]


@pytest.mark.parametrize("how", ["", "another run"])
async def test_a_recording_that_is_declined_stays_here_and_the_others_go(tmp_path: Path, how: str) -> None:
    sink, clock = MemorySink(), VirtualClock()
    bed = StationBed(tmp_path, clock=clock, sinks={"central": sink})
    card = bed.recorder("F1-0001")
    sink.declines = "declined"
    for name in ("a", "declined", "z"):
        card.record(f"{name}.mp4", Random(name).randbytes(5000))
    async with bed.at_work():
        card.plug()
        (told,) = await bed.until(lambda: bed.findings("sink.declined.central"))
        assert (told.what, told.remedy) == ("declined.mp4: central takes no declined.", "Ask for it to be let in.")
        assert words_zh.said(told).title == "集中存储拒收录像"
        await bed.until(lambda: len(bed.facts(Confirmed)) == 2)
        assert of_sinks(bed) == ["sink.declined.central"]  # the storage itself is well
        assert bed.whole(bed.record("declined.mp4")).exists()
        tried = len([key for op, key in sink.calls if op == "put" and "declined" in key])
        assert tried == 1
        clock.advance(timedelta(minutes=50))
        assert len([f for f in bed.facts(Found) if f.finding.code == "sink.declined.central"]) == 1
        if not how:
            sink.declines = ""
            await bed.until(lambda: clock.advance(60) or not of_sinks(bed))
    if how:
        sink.declines = ""
        async with bed.at_work():
            await bed.until(lambda: clock.advance(1) or not of_sinks(bed))
    assert bed.record("declined.mp4").finished
    bed.must_agree()
