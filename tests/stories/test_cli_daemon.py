"""`bwcdock run`: cards are put into the drop folder, people look on, the power goes, and it is told to stop."""

import json
import os
import shutil
import signal
import time
from datetime import datetime
from pathlib import Path

from bwcdock.core.facts import Started
from bwcdock.ledger import open_read_only
from cli_world import (
    SLOW,
    big_folder,
    daemon,
    digests,
    each_once,
    files,
    folder,
    part,
    partitioned,
    run,
    run_all,
    start,
    station,
    stop,
    told,
    until,
    well,
)


def status(dock: Path) -> dict:
    return json.loads(well("-C", dock, "status", "--json"))


def receipts(dock: Path) -> int:
    return len(list((dock / "central/receipts").glob("*.json"))) if (dock / "central/receipts").is_dir() else 0


def test_a_card_is_dropped_while_it_runs(tmp_path):
    """It is pulled, proven, carried to central storage and receipted; nobody else may work on the station meanwhile."""
    dock = station(tmp_path / "dock")
    image = partitioned(tmp_path / "card.img", files(2))
    with daemon(dock) as process:
        folder(dock / "drop/card", files(1))
        shutil.copy(image, dock / "drop/.card.img")
        (dock / "drop/.card.img").rename(dock / "drop/card.img")  # as copying tools do
        refused = run_all([["-C", dock, "run"], ["-C", dock, "ingest", image]])
        for second in refused:
            assert (second.status, second.out) == (2, "")
            assert f"Another bwcdock already runs on this station (pid {process.pid})." in second.err
        until(lambda: receipts(dock) == 2)
        assert digests(dock) == each_once(files(1), files(2))
        view = status(dock)
        assert (view["running"], view["owed"], view["records"]) == (process.pid, 0, {"sealed": 6})
        assert {session["lamp"] for session in view["sessions"]} <= {"nothing_owed", "safe_to_take"}
        assert process.poll() is None
        shutil.rmtree(dock / "drop/card")
        until(lambda: {s["lamp"] for s in status(dock)["sessions"] if s["recorder"] == "card"} == {"gone"})
    assert status(dock)["running"] is None
    assert well("-C", dock, "audit").endswith("2 receipts: all agree.\n")
    papers = run_all([["-C", dock, "receipt", s["session"][:12]] for s in view["sessions"]])
    assert all(paper.status == 0 and "移交回执    test-dock" in paper.out for paper in papers)


def test_looking_on_while_it_works_gives_no_false_alarm(tmp_path):
    """Status, records and audit beside a pull, a push and a stop; the status shows the bytes that move."""
    dock = station(tmp_path / "dock", SLOW)
    with daemon(dock) as process:
        for seed in range(4):
            folder(dock / f"drop/card{seed}", files(seed, 8))
        looked, big, moving = 0, 0, set()
        while receipts(dock) < 4 + big or looked < 3:
            if not moving and receipts(dock) >= 4 * (big > 0) + big:
                big += 1  # on a busy machine one is done before anybody has looked
                big_folder(dock / f"drop/big{big}", 24 << 20)
            commands = (["status", "--json"], ["records", "--json"], ["audit"])
            view, known, audit = run_all([["-C", dock, *command] for command in commands])
            assert (audit.status, audit.err) == (0, ""), audit.out
            assert (view.status, view.err, known.status, known.err) == (0, "", 0, "")
            seen = json.loads(view.out)
            assert seen["running"] == process.pid
            moving |= {
                s["moved"] for s in seen["sessions"] if s["recorder"][:3] == "big" and 0 < s["moved"] < s["bytes"]
            }
            json.loads(known.out)
            looked += 1
            assert looked < 60
    assert moving, "no status ever saw a byte move"
    assert well("-C", dock, "audit").endswith("all agree.\n")


def test_told_to_stop_in_the_middle_of_a_pull_and_started_again(tmp_path):
    dock = station(tmp_path / "dock", SLOW)
    content = (big_folder(dock / "drop/card") / "20260302_080000.mp4").read_bytes()
    with daemon(dock) as process:
        until(lambda: part(dock) > 1 << 20)
        stop(process)
    had = part(dock)
    assert 1 << 20 <= had < len(content)
    assert well("-C", dock, "audit").endswith("all agree.\n")
    assert status(dock)["owed"] == 1
    with daemon(dock) as process:
        until(lambda: part(dock) > had)
        process.kill()  # and now the power goes
        process.wait()
    assert well("-C", dock, "audit").endswith("all agree.\n")
    with daemon(dock):
        until(lambda: receipts(dock) == 1)
    assert digests(dock) == each_once({"a": content})


def test_what_an_ingest_left_owed_is_finished_by_the_daemon(tmp_path):
    dock = station(tmp_path / "dock")
    (dock / "central").rename(tmp_path / "away")
    owing = run("-C", dock, "ingest", folder(tmp_path / "card", files(1)), "--patience", "0.5")
    assert owing.status == 3
    with daemon(dock):
        until(lambda: "sink.down.central" in {f["code"] for f in status(dock)["findings"]})
        (tmp_path / "away").rename(dock / "central")
        until(lambda: receipts(dock) == 1)
        until(lambda: "sink.down.central" not in {f["code"] for f in status(dock)["findings"]})
    assert digests(dock) == each_once(files(1))
    assert well("-C", dock, "audit").endswith("all agree.\n")


def test_it_says_what_it_does_in_lines_a_machine_reads(tmp_path):
    dock = station(tmp_path / "dock")
    folder(dock / "drop/card", files(1))
    with daemon(dock):
        until(lambda: receipts(dock) == 1)
    events = [json.loads(line) for line in (tmp_path / "dock.log").read_text().splitlines()]
    assert {"recorder.arrived", "recorder.listed", "session.drained"} <= {event["event"] for event in events}
    assert all(datetime.fromisoformat(event["timestamp"]).tzinfo for event in events)
    assert not [event for event in events if event["level"] == "error"]


def test_a_sink_that_takes_for_ever_holds_up_neither_the_stop_nor_an_ingest(tmp_path):
    """On the slowest line that may be set, files of a MiB take minutes; who does not want to wait need not."""
    dock = station(tmp_path / "dock", {"sink": {"bandwidth": "32 KiB"}})
    folder(dock / "drop/card", {name: data + bytes(1 << 20) for name, data in files(1).items()})
    with daemon(dock) as process:
        until(lambda: status(dock)["records"].get("sealed") == 3)
        until(lambda: list((dock / "central/.incoming").iterdir()))
        stop(process)
    settings = dock / "bwcdock.toml"
    settings.write_text(settings.read_text().replace("stop_s = 5", "stop_s = 1"))  # it is ended by force anyhow
    ingest = start("-C", dock, "ingest", dock / "drop/card", "--patience", "0.5")
    until(lambda: status(dock)["running"] == ingest.pid)
    time.sleep(2)  # longer than its patience: it is held back, and goes on
    assert ingest.poll() is None
    ingest.send_signal(signal.SIGINT)
    owing = told(ingest, limit_s=20)
    assert (owing.status, owing.err) == (3, "")
    assert " / 3 sealed here, not yet in central." in owing.out
    assert well("-C", dock, "status")


def test_ctrl_c_ends_it_as_well_as_sigterm(tmp_path):
    dock = station(tmp_path / "dock")
    process = start("-C", dock, "run")
    until(lambda: f"{process.pid}\n" == _text(dock / "run/bwcdock.lock"))
    until(lambda: _started(dock))
    os.kill(process.pid, signal.SIGINT)
    ended = told(process, limit_s=20)
    assert ended.status == 0
    assert "Traceback" not in ended.err


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _started(dock: Path) -> bool:
    with open_read_only(dock / "ledger") as ledger:
        return ledger.last(Started.ev) is not None
