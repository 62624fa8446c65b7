"""What a station counts while it works, as whoever looks beside it reads it in the run directory."""

import os
from pathlib import Path
from random import Random

from bwcdock import meters
from bwcdock.testing.recorder import FakeRecorder
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed
from prometheus_client.parser import text_string_to_metric_families

SIZE = 300_000


def figures(bed: StationBed) -> dict[str, float]:
    """Every sample of what was published last: ``name{label=value,…}``."""
    published = meters.read(bed.settings.paths.run)
    if published is None or published.pid != os.getpid():
        return {}
    found = {}
    for family in text_string_to_metric_families(published.text.decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def card(bed: StationBed) -> FakeRecorder:
    made = bed.recorder("F1-0001")
    made.record("a.mp4", Random(1).randbytes(SIZE))
    return made


async def test_every_step_of_a_recording_is_counted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(meters, "PUBLISH_EVERY_S", 0.05)
    bed = StationBed(tmp_path)
    made = card(bed)
    async with bed.at_work():
        made.plug("usb-1", slot=3)
        await bed.until_settled(made)
        witnessed = "bwcdock_ledger_witnessed_entries{sink=central}"
        last = "bwcdock_step_size_bytes_sum{step=confirm}"
        told = await bed.until(lambda: now if {witnessed, last} <= (now := figures(bed)).keys() else None)
    for step in ("pull", "seal", "push", "confirm"):
        assert told[f"bwcdock_step_duration_seconds_count{{step={step}}}"] == 1, step
        assert told[f"bwcdock_step_size_bytes_sum{{step={step}}}"] == SIZE, step
    assert told["bwcdock_pulled_bytes_total{recorder=F1-0001,slot=3}"] == SIZE
    assert told["bwcdock_pushed_bytes_total{sink=central}"] == SIZE
    assert told["bwcdock_dockings_total{slot=3}"] == 1
    assert told["bwcdock_clock_vouched"] == 1
    room = meters.read(bed.settings.paths.run).spool
    assert room.total > room.free > room.reserve > 0
    assert told["bwcdock_loop_turns_total"] > 1
    assert 0 < told[witnessed] <= len(bed.entries())
    failed = ("bwcdock_sink_errors_total", "bwcdock_step_failures_total")
    assert not [name for name, value in told.items() if name.startswith(failed) and value]
    assert not [name for name in told if "a.mp4" in name or tmp_path.name in name]


async def test_the_lag_of_the_loop_is_counted_from_the_start(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(meters, "PUBLISH_EVERY_S", 0.05)
    bed = StationBed(tmp_path)
    async with bed.at_work():
        await bed.until(lambda: figures(bed).get("bwcdock_loop_lag_seconds_count", 0) > 1)
        assert figures(bed)["bwcdock_daemon_start_timestamp_seconds"] <= bed.clock.now().timestamp()


async def test_a_sink_that_fails_and_a_push_that_is_tried_again_are_counted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(meters, "PUBLISH_EVERY_S", 0.05)
    sink = MemorySink()
    sink.down = True
    bed = StationBed(tmp_path, sinks={"central": sink})
    made = card(bed)
    async with bed.at_work():
        made.plug()
        await bed.until(lambda: figures(bed).get("bwcdock_transfers_retried_total{step=push}", 0) > 0)
        sink.down = False
        await bed.until_settled(made)
        told = await bed.until(
            lambda: now if "bwcdock_pushed_bytes_total{sink=central}" in (now := figures(bed)) else 0
        )
    assert told["bwcdock_sink_errors_total{kind=unreachable,sink=central}"] >= 2
    assert told["bwcdock_step_failures_total{kind=unreachable,step=push}"] >= 2


async def test_a_recorder_that_comes_and_goes_at_once_is_a_flap(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(meters, "PUBLISH_EVERY_S", 0.05)
    monkeypatch.setattr(meters, "FLAP_S", 60.0)  # at once, also where the machine is busy
    bed = StationBed(tmp_path)
    made = card(bed)
    async with bed.at_work():
        for times in range(1, 4):
            made.hang("items")
            made.plug("usb-1", slot=7)
            await bed.until(lambda n=times: figures(bed).get("bwcdock_dockings_total{slot=7}") == n)
            made.let_go()
            made.unplug()
            await bed.until(lambda n=times: figures(bed).get("bwcdock_slot_flaps_total{slot=7}") == n)
        made.plug("usb-1", slot=7)
        await bed.until_settled(made)
        made.unplug()
        await bed.until(lambda: not bed.ask(lambda ledger: ledger.docked()))
        gone_at = bed.clock.now()
        await bed.until(lambda: (told := meters.read(bed.settings.paths.run)) and told.at > gone_at)
        assert figures(bed)["bwcdock_slot_flaps_total{slot=7}"] == 3
