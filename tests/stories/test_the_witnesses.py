"""Central storage is witness to the ledger: it is given every head before what rests on it, and it is asked."""

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import Beat
from bwcdock.errors import LedgerBroken
from bwcdock.manifest import MANIFEST, Manifest, open_signed
from bwcdock.station import Station
from bwcdock.steps import housekeeping
from bwcdock.steps.witness import folder_of, seen
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed

MINUTE = timedelta(minutes=1)


def heads(sink: MemorySink, ending: str = ".note") -> list[str]:
    return sorted(key for key in sink.objects if key.startswith(folder_of("test-dock")) and key.endswith(ending))


async def test_a_station_without_work_is_witnessed_too(tmp_path: Path) -> None:
    sink, clock = MemorySink(), VirtualClock()
    bed = StationBed(
        tmp_path, {"ledger": {"checkpoint_every_s": 600, "beat_s": 60}}, clock=clock, sinks={"central": sink}
    )
    async with bed.at_work():
        for count in (2, 3, 4):
            beats = len(bed.facts(Beat))
            await bed.until(lambda n=beats: clock.advance(MINUTE) or len(bed.facts(Beat)) > n + 3)
            await bed.until(lambda n=count: clock.advance(MINUTE) or len(heads(sink)) >= n)
    # Each but the first comes with the proof that it continues the one before.
    assert len(heads(sink, ".consistency")) == len(heads(sink)) - 1
    bed.must_agree()


async def test_nobody_has_seen_the_head_for_too_long(tmp_path: Path) -> None:
    sink, clock = MemorySink(), VirtualClock()
    settings = {"ledger": {"checkpoint_every_s": 600, "witness_alarm_s": 7200}}
    bed = StationBed(tmp_path, settings, clock=clock, sinks={"central": sink})
    async with bed.at_work():
        await bed.until(lambda: clock.advance(MINUTE) or heads(sink))
        sink.down = True
        began = clock.now()
        await bed.until(lambda: clock.advance(10 * MINUTE) or bed.findings("ledger.unwitnessed"))
        assert clock.now() - began > 2 * 60 * MINUTE
        sink.down = False
        await bed.until(lambda: clock.advance(MINUTE) or not bed.findings("ledger.unwitnessed"))
    bed.must_agree()


async def test_who_looks_beside_the_station_sees_the_newest_head_of_any_storage(tmp_path: Path) -> None:
    sinks = {"central": MemorySink("central"), "mirror": MemorySink("mirror"), "empty": MemorySink("empty")}
    bed = StationBed(tmp_path, clock=VirtualClock(), sinks=sinks)
    with bed.bench() as bench:
        for name, beats in (("mirror", 1), ("central", 3)):
            bench.book.record([Beat(clock="vouched")] * beats)
            housekeeping.sign_head(bench)
            bench.witnesses[name].bring()
        sizes = [bench.witnesses[name].size for name in sinks]
        assert sizes[0] > sizes[1] > sizes[2] == 0
        verifier = bench.signer.verifier
        assert seen(sinks.values(), "test-dock", verifier) == sizes[0]
        sinks["central"].down = True
        assert seen(sinks.values(), "test-dock", verifier) == sizes[1]
        assert seen([sinks["central"], sinks["empty"]], "test-dock", verifier) == 0


async def put_back(bed: StationBed, directory: Path) -> None:
    """A docking that central storage has seen, and then the ledger as it was before it."""
    ledger = bed.settings.paths.ledger
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(50_000))
    async with bed.at_work():
        await bed.until(lambda: bed.facts(Beat))
    shutil.copytree(ledger, directory / "older")
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
        card.unplug()
    shutil.rmtree(ledger)
    shutil.copytree(directory / "older", ledger)


@pytest.mark.parametrize("docked", [False, True], ids=["by the rounds", "before anything goes there"])
async def test_an_older_ledger_was_put_back(tmp_path: Path, docked: bool) -> None:
    sink = MemorySink()
    bed = StationBed(tmp_path, {"ledger": {"checkpoint_every_s": 3600 if docked else 0.3}}, sinks={"central": sink})
    await put_back(bed, tmp_path)
    before = dict(sink.objects)
    with bed.bench() as bench:
        if docked:
            card = bed.recorder("F1-0002")
            card.record("b.mp4", Random(2).randbytes(50_000))
            card.plug()
        with pytest.raises(LedgerBroken):
            await asyncio.wait_for(Station(bench, bed.drivers, bed.watch).run(), 60)
    assert sink.objects == before


async def test_the_head_is_there_before_the_manifest_that_rests_on_it(tmp_path: Path) -> None:
    sink = MemorySink()
    bed = StationBed(tmp_path, {"ledger": {"checkpoint_every_s": 3600}}, sinks={"central": sink})
    card = bed.recorder("F1-0001")
    for name in ("a", "b", "c"):
        card.record(f"{name}.mp4", Random(name).randbytes(50_000))
    async with bed.at_work() as station:
        card.plug()
        await bed.until_settled(card)
        verifier = station.bench.signer.verifier
    notes = [key for op, key in sink.calls if op == "note"]
    for record in bed.records():
        key = record.held[0].key + MANIFEST
        size = int(open_signed(sink.objects[key], Manifest, verifier).position.checkpoint.splitlines()[1])
        assert notes.index(f"{folder_of('test-dock')}/{size:020d}.note") < notes.index(key)
    bed.must_agree()
