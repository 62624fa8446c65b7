"""What machines are told: shapes that do not change unnoticed, times as RFC 3339 in UTC, and what a pipe can use."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bwcdock.audit import AuditView
from bwcdock.core.view import RecordView, StatusView
from bwcdock.manifest import Receipt
from bwcdock.verify_central import Report
from cli_world import BWCDOCK, files, folder, run, run_all, station, well
from pydantic import TypeAdapter

# What a reader may count on. A key may be added (then here too); one that is taken away or renamed breaks somebody's
# program, and wants a major version.
GOLDEN = {
    "status": """
        findings findings[].about findings[].code findings[].remedy findings[].severity findings[].what late ledger
        findings[].remedy_zh findings[].title_zh findings[].what_zh
        ledger.signed_at ledger.signed_size ledger.size now owed owes quarantined recorders records records.sealed rules
        running sessions sessions[].arrived_at sessions[].battery sessions[].bytes sessions[].departed_at sessions[].do
        sessions[].drift_method sessions[].drift_s sessions[].drift_uncertainty_s sessions[].files sessions[].findings
        sessions[].findings[].about sessions[].findings[].code sessions[].findings[].remedy
        sessions[].findings[].severity sessions[].findings[].what sessions[].known sessions[].lacks
        sessions[].lamp sessions[].moved
        sessions[].owed sessions[].port sessions[].quarantined sessions[].ready sessions[].receipt sessions[].recorder
        sessions[].sealed sessions[].session sessions[].slot sessions[].state sessions[].storage_free
        sessions[].storage_total sessions[].untold spool
        sessions[].do_zh sessions[].fault sessions[].fault_zh sessions[].findings[].remedy_zh
        sessions[].findings[].title_zh sessions[].findings[].what_zh sessions[].lacks_zh sessions[].untold_zh
        sessions[].clock_set sessions[].clock_set_zh
        spool.free spool.reserve spool.total spool.used station stores stores[].ails stores[].bytes stores[].name
        stores[].oldest stores[].opens stores[].scrubbed stores[].waiting unit
    """,
    "records": """
        [].article [].blake3 [].clock [].clock.method [].clock.offset_s [].clock.uncertainty_s [].due [].duration_s
        [].findings [].findings[].about [].findings[].code [].findings[].remedy [].findings[].severity
        [].findings[].remedy_zh [].findings[].title_zh [].findings[].what_zh
        [].findings[].what [].id [].keep_until [].kind [].markers [].officer [].path [].permanent [].quote
        [].recorded_end [].recorded_start [].recorder [].regulation [].sealed_at [].seconds_left [].sessions [].sha256
        [].sinks
        [].sinks[].confirmed_at [].sinks[].key [].sinks[].locked_hold [].sinks[].locked_until
        [].sinks[].looked_again_at [].sinks[].name [].size [].state [].truncated
        [].verdict [].case [].category [].event [].excuse [].parties [].place [].sensitive [].tags
    """,
    "audit": """
        central_objects disagreements disagreements[].code disagreements[].place disagreements[].what leaves receipts
        records spool_bytes spool_files
    """,
    "verify": "checkpoints disagreements objects receipts size statements",
    "receipt": """
        at citations citations[].article citations[].quote citations[].regulation
        count digest findings findings[].code findings[].evidence findings[].remedy findings[].severity
        findings[].what lines lines[].article lines[].due lines[].path lines[].record lines[].sha256 lines[].size
        lines[].state lines[].verdict officer origin recorder recorder.basis recorder.firmware recorder.label
        recorder.model recorder.quirk recorder.serial recorder.unit recorder.user recorder.vendor schema_id sessions
        size station station_version version
    """,
}

SHAPES = {
    "status": StatusView,
    "records": list[RecordView],
    "audit": AuditView,
    "verify": Report,
    "receipt": Receipt,
}

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
"""RFC 3339 in UTC."""

MOMENTS = {
    "now", "signed_at", "arrived_at", "departed_at", "due", "recorded_start", "recorded_end", "keep_until",
    "sealed_at", "confirmed_at", "looked_again_at", "locked_until", "at",
}  # fmt: skip


@dataclass(frozen=True)
class Done:
    """A finished station, and what each command said of it for machines."""

    dock: Path
    said: dict[str, str]


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Done:
    path = tmp_path_factory.mktemp("json")
    dock = station(path / "dock")
    well("-C", dock, "ingest", folder(path / "卡 one", files(1)))
    (dock / "spool/whole/foreign").write_text("x")  # so that an audit has something to name
    (session,) = json.loads(well("-C", dock, "status", "--json"))["sessions"]
    commands = {
        "status": ["status"],
        "records": ["records"],
        "audit": ["audit"],
        "verify": ["verify", dock / "central"],
        "receipt": ["receipt", session["session"]],
    }
    results = run_all([["-C", dock, *command, "--json"] for command in commands.values()])
    assert [(told.status, told.err) for told in results] == [(0, ""), (0, ""), (1, ""), (0, ""), (0, "")]
    return Done(dock, {name: told.out for name, told in zip(commands, results, strict=True)})


def keys(value: object, at: str = "") -> Iterator[str]:
    """Every key of a document, with where it stands."""
    if isinstance(value, dict):
        for name, inner in value.items():
            where = f"{at}.{name}" if at else name
            yield where
            yield from keys(inner, where)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner, f"{at}[]")


def moments(value: object) -> Iterator[tuple[str, object]]:
    """Every value whose name says that it is a time."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in MOMENTS:
                yield name, inner
            yield from moments(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from moments(inner)


@pytest.mark.parametrize("command", GOLDEN)
def test_the_shape_is_the_typed_one_and_frozen(done, command):
    said = done.said[command]
    TypeAdapter(SHAPES[command]).validate_json(said, strict=command != "receipt")
    assert sorted(set(keys(json.loads(said)))) == sorted(GOLDEN[command].split())


@pytest.mark.parametrize("command", ["status", "records", "receipt"])
def test_times_are_rfc_3339_in_utc(done, command):
    told = list(moments(json.loads(done.said[command])))
    assert any(value for _, value in told)
    for name, value in told:
        assert value is None or MOMENT.fullmatch(value), (name, value)


def test_numbers_are_numbers_and_nothing_is_cut(done):
    (first, *_) = records = json.loads(done.said["records"])
    assert [record["path"] for record in records] == sorted(files(1))
    assert {record["recorder"] for record in records} == {"卡 one"}
    assert [record["size"] for record in records] == [len(data) for data in files(1).values()]
    assert all(len(r["id"]) == 32 and len(r["sha256"]) == len(r["blake3"]) == 64 for r in records)
    assert isinstance(first["clock"]["offset_s"], float)
    status = json.loads(done.said["status"])
    assert isinstance(status["spool"]["free"], int)
    assert status["recorders"] == ["卡 one"]


def test_a_pipe_can_use_it(done):
    script = (
        f"'{BWCDOCK}' -C '{done.dock}' records --json | '{sys.executable}' -c "
        "'import json, sys; print(sum(r[\"size\"] for r in json.load(sys.stdin)))'"
    )
    told = subprocess.run(["bash", "-c", f"set -o pipefail; {script}"], capture_output=True, text=True, check=True)
    assert int(told.stdout) == sum(len(data) for data in files(1).values())


def test_records_of_a_recorder_and_in_a_state(done):
    asked = (["--recorder", "卡 one"], ["--recorder", "nobody"], ["--state", "sealed"], ["--state", "lost"])
    results = run_all([["-C", done.dock, "records", "--json", *some] for some in asked])
    assert [len(json.loads(told.out)) for told in results] == [3, 0, 3, 0]


def test_a_new_station_has_the_same_shapes(tmp_path):
    dock = station(tmp_path / "dock")
    commands = ("status", "records", "audit")
    for command, told in zip(commands, run_all([["-C", dock, c, "--json"] for c in commands]), strict=True):
        assert (told.status, told.err) == (0, "")
        TypeAdapter(SHAPES[command]).validate_json(told.out)
    assert told.status == 0
    table, status = run_all([["-C", dock, "records"], ["-C", dock, "status"]])
    assert table.out.split() == ["id", "recorder", "path", "size", "state", "recorded", "due", "verdict", "article"]
    assert "recordings 0" in status.out
    assert status.err == table.err == ""


def test_verify_needs_nothing_but_the_directory_and_the_key(done, tmp_path):
    """Each damage to central storage is a line of its own, with nothing else of the station in reach."""
    central = shutil.copytree(done.dock / "central", tmp_path / "central")
    key = (done.dock / "keys/station.pub").read_text().strip()
    objects = sorted(path for path in central.rglob("*.mp4"))
    assert len(objects) == 3
    flipped = bytearray(objects[0].read_bytes())
    flipped[100] ^= 1
    objects[0].chmod(0o600)
    objects[0].write_bytes(flipped)
    objects[1].unlink()
    (third := objects[2].with_name(f"{objects[2].name}.manifest.json")).chmod(0o600)
    third.write_text(third.read_text().replace("S4", "S0"))
    note = max((central / "checkpoints").rglob("*.note"))
    note.chmod(0o600)
    note.write_text(note.read_text().replace("bwcdock", "bwcduck"))
    receipt = next((central / "receipts").glob("*.json"))
    receipt.chmod(0o600)
    receipt.write_text(receipt.read_text().replace('"count":3', '"count":2'))
    told = run("verify", central, "--key", key, cwd=tmp_path)
    assert (told.status, told.err) == (1, "")
    *named, summary = told.out.splitlines()
    assert summary.startswith("verify: ")
    assert f" {len(named)} disagreements." in summary
    for place in (objects[0], third, note, receipt):
        assert [line for line in named if line.startswith(f"{place.relative_to(central)}: ")], (place, named)
    assert [line for line in named if "a manifest without its object" in line]
    (tmp_path / "other").mkdir()
    stranger = station(tmp_path / "other/dock")
    wrong = run("verify", done.dock / "central", "--key", stranger / "keys/station.pub")
    assert wrong.status == 1
    both = run("verify", done.dock / "central", "--key", stranger / "keys/station.pub", "--key", key)
    assert both.status == 0


def test_verify_asks_a_sink_of_the_settings(done):
    through = run("-C", done.dock, "verify", "--sink", "central")
    assert (through.status, through.err) == (0, "")
    assert through.out == run("-C", done.dock, "verify", done.dock / "central").out
    for asked in ([], ["central", "--sink", "central"], ["--sink", "vault"]):
        refused = run("-C", done.dock, "verify", *asked)
        assert (refused.status, refused.out) == (2, "")
        assert "--sink" in refused.err or "There is central" in refused.err
