"""What Prometheus is told of a station: every figure the law, the ledger and the machine come to."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bwcdock import app, meters, metrics
from bwcdock.core.live import RoomView
from bwcdock.core.view import judge
from bwcdock.desk import asking
from bwcdock.ledger import open_read_only
from bwcdock.metrics.station import INFLOW_OVER
from bwcdock.testing.station import StationBed
from figures_world import LATE, OUT, SIZE, UNIT, YANKED, Station, values

NOW = datetime(2026, 3, 12, 4, 0, tzinfo=UTC)
S4 = "S4-fuzhou 第十七条"


@pytest.fixture
async def station(tmp_path: Path) -> Station:
    return await Station(tmp_path, NOW).lives()


def standing(told: dict[str, float], kind: str, unit: str = UNIT) -> float:
    return told.get(f"bwcdock_deadline_recordings{{article={S4},standing={kind},unit={unit}}}", -1)


async def test_deadlines_are_told_by_unit_and_article_as_the_core_judges(station: Station) -> None:
    told = station.figures()
    expected = Counter(judge(record, NOW, 0.25).kind.value for record in station.bed.records())
    assert expected == {"met": 1, "late": 1, "excused": 1, "overdue": 1}
    assert [standing(told, kind) for kind in ("late", "excused", "overdue", "at_risk")] == [1, 1, 1, -1]
    assert [standing(told, kind, "unit") for kind in ("late", "excused", "overdue", "at_risk")] == [0, 0, 0, 0]
    (owed,) = [record for record in station.bed.records(YANKED) if record.met_at is None]
    assert told["bwcdock_earliest_due_timestamp_seconds"] == owed.due.timestamp()
    assert told["bwcdock_recordings_owed"] == 1
    before = station.figures(owed.due - timedelta(minutes=5))
    assert (standing(before, "at_risk"), standing(before, "overdue")) == (1, -1)


async def test_a_recorder_that_does_not_come_back_is_told_with_its_unit_and_by_when(station: Station) -> None:
    law = app.law_of(station.settings)
    (owes,) = station.bed.ask(lambda ledger: asking.may_owe(ledger, law, NOW))
    due = owes.obligation.due
    name = f"bwcdock_recorder_out_due_timestamp_seconds{{article={S4},recorder={OUT},unit=unit}}"
    counted = f"bwcdock_recorders_not_returned{{article={S4},unit=unit}}"
    told = station.figures(due - timedelta(seconds=1))
    assert (told[name], told[counted]) == (due.timestamp(), 0)
    assert station.figures(due)[counted] == 1


async def test_states_queues_and_findings_are_told(station: Station) -> None:
    told = station.figures()
    assert told["bwcdock_recordings{state=sealed}"] == 3
    assert told["bwcdock_recordings{state=listed}"] == 1
    assert told["bwcdock_recordings_waiting{for=look}"] == 3
    assert told["bwcdock_sink_unconfirmed_recordings{sink=central}"] == 0
    assert told["bwcdock_sink_queue_age_seconds{sink=central}"] == 0
    assert (told["bwcdock_sink_down{ails=down,sink=central}"], told["bwcdock_copies_bad{place=spool}"]) == (0, 0)
    kinds = Counter(
        (told.finding.severity.value, ".".join(told.finding.code.split(".")[:2]))
        for told in station.bed.ask(lambda ledger: ledger.findings())
    )
    assert {
        (severity, family): value
        for name, value in told.items()
        for family, severity in re.findall(r"^bwcdock_findings\{family=(.+),severity=(.+)\}$", name)
    } == kinds


async def test_recorders_are_told_by_serial_and_slot(station: Station) -> None:
    told = station.figures()
    at = "{recorder=F1-GOOD,slot=3}"
    assert told[f"bwcdock_recorder_clock_drift_seconds{at}"] == 75.5
    assert told[f"bwcdock_recorder_clock_drift_uncertainty_seconds{at}"] == 0.5
    assert told[f"bwcdock_recorder_battery_ratio{at}"] == 0.12
    assert told[f"bwcdock_recorder_storage_free_bytes{at}"] > 0
    assert told[f"bwcdock_recorder_storage_size_bytes{at}"] > 0
    (session,) = station.bed.sessions("F1-GOOD")
    assert told[f"bwcdock_recorder_docked_timestamp_seconds{at}"] == session.arrived_at.timestamp()
    assert told[f"bwcdock_recorder_docked{at}"] == 0
    assert told[f"bwcdock_recorder_docked{{recorder={LATE},slot=1}}"] == 0


async def test_the_spool_lasts_as_long_as_what_came_in_lets_it(station: Station) -> None:
    told = station.figures()
    assert told["bwcdock_inflow_week_bytes"] == 4 * SIZE
    room = told["bwcdock_spool_free_bytes"] - told["bwcdock_spool_reserve_bytes"]
    assert told["bwcdock_spool_left_seconds"] == pytest.approx(room / (4 * SIZE / timedelta(days=5).total_seconds()))
    later = station.figures(NOW + INFLOW_OVER)
    assert later["bwcdock_inflow_week_bytes"] == 0
    assert "bwcdock_spool_left_seconds" not in later


async def test_the_spool_is_told_as_the_daemon_sees_it_while_it_is_at_work(station: Station) -> None:
    with station.at_work(spool=RoomView(free=900, total=1000, reserve=100)):
        told = station.figures()
        assert (told["bwcdock_spool_free_bytes"], told["bwcdock_spool_size_bytes"]) == (900, 1000)
        assert told["bwcdock_spool_left_seconds"] == pytest.approx(800 / (4 * SIZE / timedelta(days=5).total_seconds()))
        assert checks(station) == WELL
    with station.at_work(spool=RoomView(free=100, total=1000, reserve=100)):
        assert checks(station) == {**WELL, "spool": False}
    assert station.figures()["bwcdock_spool_size_bytes"] > 1000


async def test_the_ledger_is_told_with_how_far_it_is_proven(station: Station) -> None:
    told = station.figures()
    head = station.bed.ask(lambda ledger: ledger.last_head())
    assert told["bwcdock_ledger_entries"] == len(station.bed.entries())
    assert told["bwcdock_ledger_signed_entries"] == head.checkpoint.size
    assert told["bwcdock_ledger_signed_timestamp_seconds"] * 1000 == head.t
    assert told["bwcdock_ledger_size_bytes"] > 10_000
    beats = [entry.at for entry in station.bed.entries() if entry.fact.ev == "station.beat"]
    assert told["bwcdock_beat_timestamp_seconds"] == beats[-1].timestamp()
    assert told["bwcdock_station_info{rules=S4-fuzhou,station=test-dock,unit=unit}"] == 1


async def test_a_queue_grows_old_while_central_storage_is_away(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    root = bed.settings.sink[0].path
    root.rename(root.with_name("away"))
    card = bed.recorder("F1-0001")
    card.record("a.mp4", bytes(SIZE))
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.findings("sink.down.central") and [r for r in bed.records() if r.sealed_at])
    law, (record,) = app.law_of(bed.settings), bed.records()
    now = record.sealed_at + timedelta(hours=7)
    told = values(bed.ask(lambda ledger: metrics.exposition(bed.settings, ledger, law, now)))
    assert told["bwcdock_sink_unconfirmed_recordings{sink=central}"] == 1
    assert told["bwcdock_sink_unconfirmed_bytes{sink=central}"] == SIZE
    assert told["bwcdock_sink_queue_age_seconds{sink=central}"] == 7 * 3600
    assert told["bwcdock_sink_down{ails=down,sink=central}"] == 1
    assert told["bwcdock_findings{family=sink.down,severity=warn}"] == 1


# --- the process at work ----------------------------------------------------------------------------------------------


async def test_what_the_daemon_counts_is_told_while_it_is_at_work_and_fresh(station: Station) -> None:
    counted = meters.Meters()
    counted.turned()
    assert station.figures()["bwcdock_up"] == 0
    with station.at_work(counted):
        told = station.figures()
        assert (told["bwcdock_up"], told["bwcdock_loop_turns_total"]) == (1, 1)
        late = station.figures(NOW + timedelta(seconds=meters.FRESH_S + 1))
        assert late["bwcdock_up"] == 0
        assert "bwcdock_loop_turns_total" not in late
    assert station.figures()["bwcdock_up"] == 0  # it left its file behind


async def test_the_whole_is_one_valid_exposition_without_a_file_name(station: Station) -> None:
    counted = meters.Meters()
    counted.took("pull", 1, SIZE)
    counted.pulling(LATE, 1)(SIZE)
    with station.at_work(counted):
        text = station.exposition()
    types = re.findall(r"^# TYPE (\S+)", text.decode(), re.MULTILINE)
    assert len(types) == len(set(types)) > 50
    assert b".mp4" not in text
    assert all(name.startswith("bwcdock_") for name in types)
    assert values(text)


def but_the_disk(text: bytes) -> dict[str, float]:
    """Other programs use the disk too."""
    return {name: value for name, value in values(text).items() if not name.startswith("bwcdock_spool_")}


async def test_a_memory_changes_nothing_but_what_is_read(station: Station) -> None:
    law, memory = app.law_of(station.settings), metrics.Memory()
    read: list[str] = []
    with open_read_only(station.settings.paths.ledger) as ledger:
        first = metrics.exposition(station.settings, ledger, law, NOW, memory=memory)
        ledger._db.set_trace_callback(read.append)
        again = metrics.exposition(station.settings, ledger, law, NOW, memory=memory)
        assert but_the_disk(again) == but_the_disk(first) == but_the_disk(station.exposition())
        assert not [sql for sql in read if "FROM matter" in sql or "session.inventoried" in sql]
        read.clear()
        station.world.does(station.world.custodian, "return", device=OUT)
        assert b"bwcdock_recorder_out_due_timestamp_seconds{" in first
        back = metrics.exposition(station.settings, ledger, law, NOW, memory=memory)
        assert b"bwcdock_recorder_out_due_timestamp_seconds{" not in back
        assert [sql for sql in read if "FROM matter" in sql]


def test_a_station_that_has_nothing_yet_says_so(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    law = app.law_of(bed.settings)
    told = values(bed.ask(lambda ledger: metrics.exposition(bed.settings, ledger, law, bed.clock.now())))
    assert told["bwcdock_recordings_owed"] == 0
    assert "bwcdock_earliest_due_timestamp_seconds" not in told
    assert told["bwcdock_ledger_entries"] == 1


# --- health -----------------------------------------------------------------------------------------------------------


def checks(station: Station, now: datetime = NOW) -> dict[str, bool]:
    told = metrics.health(station.settings, now)
    assert told.well == all(check.well for check in told.checks)
    assert all(check.what for check in told.checks)
    assert all(bool(check.remedy) != check.well for check in told.checks)
    return {check.name: check.well for check in told.checks}


WELL = {"ledger": True, "daemon": True, "clock": True, "spool": True, "sinks": True}


async def test_a_station_at_work_is_well_and_each_thing_that_is_not_is_named(station: Station) -> None:
    with station.at_work():
        assert checks(station) == WELL
        assert checks(station, NOW + timedelta(minutes=1)) == {**WELL, "daemon": False, "clock": False}
        spool = station.settings.paths.spool
        spool.rename(spool.with_name("elsewhere"))
        assert checks(station) == {**WELL, "spool": False}
        spool.with_name("elsewhere").rename(spool)
        published = station.settings.paths.run / meters.NAME
        published.write_bytes(published.read_bytes().replace(b'"synchronised"', b'"unvouched: no time source"'))
        assert checks(station) == {**WELL, "clock": False}
    assert checks(station) == {**WELL, "daemon": False, "clock": False}
    (station.settings.paths.ledger / "ledger.db").rename(station.settings.paths.ledger / "gone.db")
    assert checks(station)["ledger"] is False


async def test_a_sink_that_is_away_and_a_full_spool_are_not_well(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, {"spool": {"reserve_ratio": 0.9999}})
    root = bed.settings.sink[0].path
    root.rename(root.with_name("away"))
    async with bed.at_work():
        pass
    told = {check.name: check for check in metrics.health(bed.settings, bed.clock.now()).checks}
    assert not told["spool"].well


def test_that_it_answers_is_all_that_being_alive_says() -> None:
    assert metrics.alive(NOW).well


# --- the commands -----------------------------------------------------------------------------------------------------


def bwcdock(station: Station, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [Path(sys.executable).with_name("bwcdock"), "-C", station.bed.directory / "station", *words]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=60)


async def test_the_command_prints_the_figures_or_writes_them_whole(station: Station, tmp_path: Path) -> None:
    printed = bwcdock(station, "metrics")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert values(printed.stdout.encode())["bwcdock_recordings{state=sealed}"] == 3
    target = tmp_path / "bwcdock.prom"
    target.write_text("old")
    assert bwcdock(station, "metrics", "--textfile", target).returncode == 0
    assert values(target.read_bytes()).keys() == values(printed.stdout.encode()).keys()
    assert target.stat().st_mode & 0o777 == 0o644
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []
    refused = bwcdock(station, "metrics", "--textfile", tmp_path / "none" / "x.prom")
    assert refused.returncode == 2
    assert "cannot be written" in refused.stderr


async def test_the_command_health_ends_with_what_it_found(station: Station) -> None:
    told = bwcdock(station, "health", "--json")
    assert told.returncode == 1
    health = json.loads(told.stdout)
    assert health["well"] is False
    assert {check["name"]: check["well"] for check in health["checks"]}["ledger"] is True
    lines = bwcdock(station, "health").stdout
    assert "✗ daemon: Nothing runs at this station." in lines
    assert "✓ ledger:" in lines
