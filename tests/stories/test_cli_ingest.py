"""`bwcdock ingest`: what a person at the dock does with cards, and everything that gets in the way of it."""

import json
import re
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

from bwcdock.ledger import open_read_only
from cli_world import (
    BWCDOCK,
    ENV,
    SLOW,
    big_folder,
    digests,
    each_once,
    files,
    folder,
    is_one_sentence,
    part,
    partitioned,
    run,
    run_all,
    start,
    station,
    super_floppy,
    told,
    until,
    well,
    without_power_over_files,
)


def receipts(out: str) -> int:
    return out.count("移交回执    ")


def records(directory: Path) -> list[dict[str, object]]:
    return json.loads(well("-C", directory, "records", "--json"))


def test_from_init_to_proven_elsewhere(tmp_path):
    """A directory, a super-floppy and a partitioned image at once, one of them named twice; then all of them again."""
    dock = tmp_path / "dock"
    said = well("init", "dock", "--rules", "S4-fuzhou", "--unit", "福州市城市管理委员会", cwd=tmp_path)
    assert "Public key: " in said
    assert "bwcdock -C dock ingest" in said
    assert well("config", "check", dock / "bwcdock.toml") == f"{dock}/bwcdock.toml: well.\n"
    assert {path.name for path in dock.iterdir()} >= {"bwcdock.toml", "ledger", "spool", "central", "keys"}
    contents = [files(1), files(2), files(3)]
    sources = [
        folder(tmp_path / "card one", contents[0]),
        super_floppy(tmp_path / "floppy.img", contents[1]),
        partitioned(tmp_path / "partitioned.img", contents[2]),
    ]
    (tmp_path / "link").symlink_to("card one")

    first = run("-C", "dock", "ingest", *sources, "card one", "link", cwd=tmp_path)
    assert (first.status, first.err) == (0, "")
    assert receipts(first.out) == 3
    assert "未结清" not in first.out
    assert first.out.count("按时移交") + first.out.count("逾期移交") == 9
    assert digests(dock) == each_once(*contents)
    for name in ("card one", "vol-51DE0001", "vol-51DE0002"):
        assert re.search(rf"(?m)^{name}: \w+ [a-z_]+: .* sealed, 0 owed$", first.out), name

    before = {record["id"]: record for record in records(dock)}
    assert len(before) == 9
    again = run("-C", dock, "ingest", *sources)
    assert (again.status, again.err) == (0, "")
    assert receipts(again.out) == 3
    after = {record["id"]: record for record in records(dock)}
    assert after.keys() == before.keys()
    assert all(after[rid]["sealed_at"] == before[rid]["sealed_at"] for rid in before)
    assert digests(dock) == each_once(*contents)

    assert well("-C", dock, "audit").endswith("9 central copies, 6 receipts: all agree.\n")
    away = tmp_path / "away"
    shutil.copytree(dock / "central", away)
    key = (dock / "keys/station.pub").read_text().strip()
    shutil.rmtree(dock)
    (tmp_path / "station.pub").write_text(f"{key}\n")
    by_text, by_file = run_all([["verify", away, "--key", key], ["verify", away, "--key", "station.pub"]], cwd=tmp_path)
    assert by_text == by_file
    assert by_text.status == 0
    assert by_text.out.startswith("verify: 9 objects (")


def test_an_empty_card_and_what_is_no_card(tmp_path):
    """Nothing to bring has its receipt and is told (test_cli_owed.py); what nobody knows is owed, with what to do."""
    dock = station(tmp_path / "dock")
    (tmp_path / "empty").mkdir()
    empty = run("-C", dock, "ingest", tmp_path / "empty")
    assert (empty.status, empty.err) == (3, "")
    assert "本次没有新文件" in empty.out
    (tmp_path / "text.txt").write_text("no footage\n" * 100)
    (tmp_path / "zero.img").write_bytes(b"")
    locked = tmp_path / "locked.img"
    shutil.copy(super_floppy(tmp_path / "card.img", files(1)), locked)
    locked.chmod(0)
    odd = run(
        *("-C", dock, "ingest", tmp_path / "text.txt", tmp_path / "zero.img", locked, tmp_path / "card.img"),
        preexec_fn=without_power_over_files,
    )
    assert (odd.status, odd.err) == (3, "")
    assert receipts(odd.out) == 1  # the one that is a card is carried through beside them
    assert digests(dock) == each_once(files(1))
    for name in ("text.txt", "zero.img", "locked.img"):
        owed = odd.out.partition(f"未结清 / still owed: {tmp_path}/{name}\n")[2].splitlines()[0]
        assert owed.endswith("."), owed
        assert len(owed) > 40
    assert well("-C", dock, "audit").endswith("all agree.\n")


def test_central_storage_is_missing_and_then_back(tmp_path):
    dock = station(tmp_path / "dock")
    card = folder(tmp_path / "card", files(1))
    (dock / "central").rename(tmp_path / "away")
    owing = run("-C", dock, "ingest", card, "--patience", "1", limit_s=12)
    assert (owing.status, owing.err) == (3, "")
    assert receipts(owing.out) == 0
    assert "未结清 / still owed: card\n" in owing.out
    line = "  3 个文件已封存、尚未入库 central / 3 sealed here, not yet in central. "
    line += "`bwcdock run`, or ingest again, goes on pushing: "
    assert f"{line}{', '.join(files(1))}\n" in owing.out
    assert "Central storage central cannot be reached" in owing.out
    assert "Everything else goes on and it is tried again by itself." in owing.out
    (status,) = [json.loads(well("-C", dock, "status", "--json"))]
    assert status["records"] == {"sealed": 3}
    audit = run("-C", dock, "audit")
    assert audit.status == 1
    assert audit.out.startswith("sink.unreachable at central: ")
    assert len(audit.out.splitlines()) == 2
    (tmp_path / "away").rename(dock / "central")
    done = run("-C", dock, "ingest", card)
    assert (done.status, done.err) == (0, "")
    assert digests(dock) == each_once(files(1))
    assert well("-C", dock, "audit").endswith("2 receipts: all agree.\n")  # that of the first docking is written too


def test_stopped_by_hand_in_the_middle_and_resumed(tmp_path):
    dock = station(tmp_path / "dock", SLOW)
    card = big_folder(tmp_path / "card")
    process = start("-C", dock, "ingest", card)
    until(lambda: part(dock) > 1 << 20)
    process.send_signal(signal.SIGINT)
    stopped = told(process, limit_s=20)
    assert (stopped.status, stopped.err) == (3, "")
    line = "  1 个文件未封存 / 1 not sealed yet. Dock the recorder again, it resumes: 20260302_080000.mp4\n"
    assert line in stopped.out
    assert stopped.out.endswith("Stopped by hand. What was begun is resumed the next time.\n")
    had = part(dock)
    assert 0 < had < 32 << 20
    again = run("-C", dock, "ingest", card, limit_s=60)
    assert (again.status, again.err) == (0, "")
    with open_read_only(dock / "ledger") as ledger:
        (record,) = ledger.records()
    assert 0 < record.resumed_at <= had
    assert digests(dock) == each_once({"a": (card / "20260302_080000.mp4").read_bytes()})


def test_stopped_before_anything_has_begun(tmp_path):
    """Also while the program is still being loaded, or has just begun: a sentence, never a traceback."""
    docks = [station(tmp_path / name) for name in ("loading", "begun")]
    card = folder(tmp_path / "card", files(1))
    # A shell that runs the tests in its background ignores the key, and so would all its children.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    loading, begun = (start("-C", dock, "ingest", card, preexec_fn=heard) for dock in docks)
    until(lambda: "_pydantic_core" in Path(f"/proc/{loading.pid}/maps").read_text(), every_s=0)
    loading.send_signal(signal.SIGINT)
    until((docks[1] / "run/bwcdock.lock").exists, every_s=0)
    for _ in range(3):
        begun.send_signal(signal.SIGINT)
    first, second = told(loading), told(begun)
    assert (first.status, first.out, first.err) == (130, "", "bwcdock: stopped by hand.\n")
    assert (second.status, second.err) in {(130, "bwcdock: stopped by hand.\n"), (3, ""), (0, "")}


def test_whoever_reads_leaves(tmp_path):
    """`bwcdock ingest … | head -1`: the work is done to its end, unseen."""
    dock = station(tmp_path / "dock")
    card = folder(tmp_path / "card", files(1))
    script = f"'{BWCDOCK}' -C '{dock}' ingest '{card}' | head -1; echo ${{PIPESTATUS[0]}}"
    piped = subprocess.run(["bash", "-c", script], env=ENV, capture_output=True, text=True, check=True)
    assert piped.stderr == ""
    line, status = piped.stdout.splitlines()
    assert status == "0"
    assert line
    assert digests(dock) == each_once(files(1))
    for command in ("records --json", "status", "audit", "--help", f"verify {dock}/central"):
        script = f"'{BWCDOCK}' -C '{dock}' {command} | true; echo ${{PIPESTATUS[0]}}"
        piped = subprocess.run(["bash", "-c", script], env=ENV, capture_output=True, text=True, check=True)
        assert (command, piped.stderr, piped.stdout) == (command, "", "0\n")


def test_a_station_that_is_not_itself_any_more(tmp_path):
    """Another's ledger, an older ledger, no ledger: nothing is written under a false history."""
    card, other_card = folder(tmp_path / "card", files(1)), folder(tmp_path / "other card", files(2))
    dock, stranger = station(tmp_path / "dock"), station(tmp_path / "stranger")
    well("-C", dock, "ingest", card)
    shutil.copytree(dock / "ledger", tmp_path / "older")
    well("-C", dock, "ingest", other_card)

    replaced = shutil.copytree(dock, tmp_path / "replaced")
    shutil.rmtree(replaced / "ledger")
    shutil.copytree(stranger / "ledger", replaced / "ledger")
    behind = shutil.copytree(dock, tmp_path / "behind")
    shutil.copy(tmp_path / "older/ledger.db", behind / "ledger")
    gone = shutil.copytree(dock, tmp_path / "gone")
    (gone / "ledger/heads.db").unlink()
    rubbish = shutil.copytree(dock, tmp_path / "rubbish")
    (rubbish / "ledger/ledger.db").write_bytes(b"rubbish" * 999)
    places = (replaced, behind, gone, rubbish)
    for place, refused in zip(places, run_all([["-C", p, "ingest", card] for p in places]), strict=True):
        assert (place.name, refused.status, refused.out) == (place.name, 1, "")
        assert is_one_sentence(refused.err), refused.err
    for place, named in zip(places, run_all([["-C", p, "audit"] for p in places]), strict=True):
        assert (place.name, named.status, named.err) == (place.name, 1, "")
        assert len(named.out.splitlines()) > 1

    # Both files put back together: only central storage knows of it, and says so before anything is put there.
    shutil.rmtree(dock / "ledger")
    shutil.copytree(tmp_path / "older", dock / "ledger")
    before = digests(dock)
    rolled_back = run("-C", dock, "ingest", folder(tmp_path / "third card", files(3)))
    assert rolled_back.status == 1
    assert is_one_sentence(rolled_back.err), rolled_back.err
    assert rolled_back.err.startswith("bwcdock: compare heads: "), rolled_back.err
    assert digests(dock) == before


def test_a_slow_line_is_not_given_up(tmp_path):
    """Nothing ends for longer than the patience, and yet bytes move: a push of gigabytes takes its time."""
    # One chunk of 8 MiB takes eight seconds; three without anything are what a busy disk may take for one sync.
    dock = station(tmp_path / "dock", {"sink": {"bandwidth": "1 MiB"}, "limits": {"stop_s": 1}})
    card = big_folder(tmp_path / "card", 8 << 20)
    done = run("-C", dock, "ingest", card, "--patience", "3", limit_s=60)
    assert (done.status, done.err) == (0, "")
