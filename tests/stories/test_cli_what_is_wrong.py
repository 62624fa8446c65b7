"""What the commands say where settings cannot work, a ledger was lost, nothing can be written, or names are hostile."""

import json
import os
import re
import resource
import shutil
import subprocess
from pathlib import Path

import pytest
from cli_world import folder, is_one_sentence, run, station, well, without_power_over_files

HOSTILE = "\x1b[2J\x9b31m\u202e"
"""Clears the screen, colours it, and turns the rest of the line around."""


@pytest.fixture(scope="module")
def founded(tmp_path_factory) -> Path:
    return station(tmp_path_factory.mktemp("founded") / "dock")


@pytest.fixture
def dock(founded: Path, tmp_path: Path) -> Path:
    """A station of this test alone; its paths are relative, so a copy is a station."""
    return shutil.copytree(founded, tmp_path / "dock")


# --- settings that cannot work ----------------------------------------------------------------------------------------


def problems(dock: Path, *changes: tuple[str, str]) -> list[str]:
    path = dock / "bwcdock.toml"
    text = good = path.read_text()
    for old, new in changes:
        assert re.search(old, text, re.MULTILINE)
        text = re.sub(old, new, text, count=1, flags=re.MULTILINE)
    path.write_text(text)
    told = run("config", "check", path)
    path.write_text(good)
    assert told.err == ""
    assert told.status == (2 if "well" not in told.out else 0)
    return told.out.replace(f"{dock}/", "").splitlines()


def line(dock: Path, setting: str) -> int:
    lines = (dock / "bwcdock.toml").read_text().splitlines()
    return 1 + next(at for at, text in enumerate(lines) if re.match(rf"(# )?{setting} = ", text))


def test_config_check_reads_what_the_settings_lead_to(dock):
    (only,) = problems(dock, ("^rules = .*$", 'rules = "nope"'))
    assert only.startswith(f"bwcdock.toml:{line(dock, 'rules')}: [station] rules: There is no rule pack 'nope'. Choose")

    local = ("^# local_rules", "local_rules")
    at = f"bwcdock.toml:{line(dock, 'local_rules')}: [law] local_rules: local.toml"
    assert problems(dock, local)[0].startswith(f"{at} cannot be read: No such file or directory.")
    (dock / "local.toml").write_text("\nkeep_moths = 3\n")
    assert problems(dock, local)[0].startswith(f"{at}:2: keep_moths: ")

    (dock / "holidays.toml").write_text("what is this\n")
    (dock / "slots.toml").write_text("\n[[slot]]\nnumber = 0\n")
    (dock / "quirks/mine.toml").write_text('about = "x"\nlabl = 3\n[match]\nlabel = "x"\n')
    quirk, holidays, slots = problems(dock)
    assert quirk.startswith(f"bwcdock.toml:{line(dock, 'quirks')}: [paths] quirks: quirks/mine.toml: labl: is unknown.")
    at = f"bwcdock.toml:{line(dock, 'holidays')}: [paths] holidays:"
    assert holidays.startswith(f"{at} holidays.toml:1 is not TOML: ")
    assert slots.startswith(f"bwcdock.toml:{line(dock, 'slots')}: [paths] slots: slots.toml:3: slot[1].number: ")


def test_config_check_says_of_quirks_what_their_linter_says(dock):
    mine = 'about = "x"\n[match]\npaths = ["rec/*"]\n[naming]\npatterns = ["^rec/(?P<device>D[0-9]+)_"]\n[[example]]\n'
    told = 'path = "rec/D1_2.mp4"\nreads = { device = "D%s" }\n'
    (dock / "quirks/mine.toml").write_text(mine + told % 1)
    assert problems(dock) == ["bwcdock.toml: well."]
    (dock / "quirks/mine.toml").write_text(mine + told % 2)
    (dock / "quirks/theirs.toml").write_text(mine + told % 1)
    (dock / "quirks/worse.toml").write_text('about = "x"\n[match]\nlabel = "(a+)+"\nlabl = 1\n')
    lint = run("quirk", "lint", dock / "quirks")
    assert (lint.status, len(lint.out.splitlines())) == (1, 4)
    at = f"bwcdock.toml:{line(dock, 'quirks')}: [paths] quirks: quirks/"
    hint = "Correct the key or remove the file; `bwcdock quirk lint quirks` tells the same."
    assert problems(dock) == [f"{at}{sentence}. {hint}" for sentence in lint.out.splitlines()]


def test_config_check_wants_a_place_of_central_storage(tmp_path):
    empty = tmp_path / "empty.toml"
    empty.touch()
    told = run("config", "check", empty)
    assert told.status == 2
    assert told.out.startswith(f"{empty}: There is no [[sink]], so nothing would reach central storage.")


def test_config_check_of_a_device_is_no_settings_file():
    told = run("config", "check", "/dev/null")
    assert (told.status, told.out.partition(".")[0]) == (2, "/dev/null: It is not a file")


# --- hostile names ----------------------------------------------------------------------------------------------------


def test_nothing_that_is_said_gives_orders_to_a_terminal(dock, tmp_path):
    strange = tmp_path / HOSTILE
    folder(strange, {"a.txt": b"x"})
    hostile = json.dumps(HOSTILE)
    (tmp_path / "keys.toml").write_text(f"[station]\n{hostile} = 1\n[law]\noffload_met_by = {hostile}\n")
    (dock / "central" / HOSTILE).write_text("x")
    commands = [
        ("config", "check", tmp_path / "keys.toml"),
        ("-C", strange, "status"),
        ("-C", dock, "records", "--state", HOSTILE),
        ("-C", dock, "receipt", HOSTILE),
        ("-C", dock, "verify", dock / "central"),
        ("-C", dock, "verify", strange),
        ("-C", dock, "ingest", tmp_path / f"{HOSTILE}.img"),
        ("init", strange),
        ("status", HOSTILE),
    ]
    for command in commands:
        told = run(*command)
        assert told.status, command
        said = told.out + told.err
        assert r"\x1b[2J\x9b31m\u202e" in said, command
        assert said.replace("\n", "").isprintable(), command
    docked = run("-C", dock, "ingest", strange)
    assert (docked.status, docked.err) == (0, "")
    assert docked.out.replace("\n", "").isprintable()


# --- a ledger that was lost -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["emptied", "removed", "all of it"])
def test_a_lost_ledger_is_called_lost(dock, how):
    """Whoever made a new one in its place would make the station sign a second history."""
    if how == "emptied":
        os.truncate(dock / "ledger/ledger.db", 0)
    elif how == "removed":
        (dock / "ledger/ledger.db").unlink()
    else:
        shutil.rmtree(dock / "ledger")
        (dock / "founded").touch()  # the mark of an installed station
    for command in ("status", "run"):
        told = run("-C", dock, command)
        assert told.status == 1, command
        assert is_one_sentence(told.err), command
        assert "was lost" in told.err
        assert "never make a new one" in told.err
        assert "bring ledger.db and heads.db back" in told.err
        assert "init" not in told.err
    audited = run("-C", dock, "audit")
    assert audited.status == 1
    assert "was lost" in audited.out


def test_where_there_never_was_a_ledger_nothing_was_lost(dock):
    shutil.rmtree(dock / "ledger")
    told = run("-C", dock, "status")
    assert (told.status, "There is no ledger" in told.err) == (2, True)


# --- where nothing can be written -------------------------------------------------------------------------------------


def look(dock: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """As a user who may not write: to SQLite the same as a file system that is read-only."""
    (dock / "ledger").chmod(0o500)
    try:
        return run("-C", dock, *command, preexec_fn=without_power_over_files)
    finally:
        (dock / "ledger").chmod(0o700)


def test_an_evidence_copy_can_be_looked_at_where_nothing_can_be_written(dock, tmp_path):
    card = folder(tmp_path / "card", {"20260302_080000.mp4": b"footage"})
    well("-C", dock, "ingest", card)
    for command in ("status", "records", "audit"):
        told = look(dock, command)
        assert (told.status, told.err) == (0, ""), command
    assert "20260302_080000.mp4" in look(dock, "records").out
    assert sorted(os.listdir(dock / "ledger")) == ["heads.db", "ledger.db", "receipts"]


def test_what_cannot_be_read_there_is_said(dock):
    """The newest entries are in a file that SQLite cannot read without writing beside it: never passed over."""
    (dock / "ledger/ledger.db-wal").write_bytes(b"newer entries")
    told = look(dock, "status")
    assert told.status == 1
    assert "The newest entries are in" in told.err
    assert "Copy the whole ledger directory" in told.err


# --- small sentences --------------------------------------------------------------------------------------------------


def small_files() -> None:
    """In a child: a disk on which no file may grow beyond 10 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))


def test_init_where_there_is_no_room_names_no_audit(tmp_path):
    told = run("init", tmp_path / "new", preexec_fn=small_files)
    assert told.status == 2
    assert is_one_sentence(told.err)
    assert "has room" in told.err
    assert "audit" not in told.err


def test_a_spool_that_cannot_be_used_is_named(dock):
    shutil.rmtree(dock / "spool")
    (dock / "spool").touch()
    told = run("-C", dock, "run")
    assert told.status == 1
    assert f"{dock}/spool" in told.err
    assert "spool in the spool" not in told.err


def test_errors_are_sentences_without_numbers(dock):
    (dock / "keys/signing.key").write_text("no key")
    (dock / "keys/signing.key").chmod(0o600)
    assert "is not a private key in PEM" in run("-C", dock, "run").err
    (dock / "keys/signing.key").unlink()
    missing = run("-C", dock, "run").err
    assert "signing.key cannot be read: No such file or directory." in missing
    assert "Errno" not in missing
    (dock / "key").write_text("what is this")
    told = run("verify", dock / "central", "--key", dock / "key")
    assert "This is no public key of a ledger: it has not three parts." in told.err
    none = run("-C", dock, "receipt", "")
    assert (none.status, none.err.partition(" / ")[2].partition("Name")[0]) == (2, "receipt: No session is named. ")
