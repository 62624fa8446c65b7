"""Whatever is wrong with what was typed or configured: one sentence with the remedy, status 2, nothing is changed."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bwcdock.cli.usage import parser
from cli_world import Told, folder, is_one_sentence, run, run_all, start, station, well, without_power_over_files

COMMANDS = (
    "init",
    "config",
    "config check",
    "ingest",
    "run",
    "status",
    "records",
    "audit",
    "receipt",
    "verify",
    "demo",
    "erase",
    "rules",
    "rules list",
    "rules show",
    "rules check",
    "rules due",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A directory with a station, and with all sorts of things that are none."""
    path = tmp_path_factory.mktemp("usage")
    station(path / "dock")
    folder(path / "card", {"a.mp4": b"footage"})
    (path / "text.txt").write_text("no footage\n")
    (path / "empty").mkdir()
    (path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    (path / "text.toml").write_text("what is this\n")
    settings = (path / "dock/bwcdock.toml").read_text()
    (path / "misspelt").mkdir()
    (path / "misspelt/bwcdock.toml").write_text(settings.replace("rescan_s =", "rescn_s ="))
    (path / "twice.toml").write_text(settings.replace("rescan_s =", "rescn_s =").replace("tick_s = 0.1", "tick_s = -1"))
    (path / "lost").mkdir()
    (path / "lost/bwcdock.toml").write_text(settings)
    (path / "keyless").mkdir()
    shutil.copytree(path / "dock", path / "keyless", dirs_exist_ok=True)
    (path / "keyless/keys/signing.key").unlink()
    (path / "keyless/keys/signing.key").mkdir()
    shutil.copytree(path / "dock", path / "loose")
    (path / "loose/keys/signing.key").chmod(0o644)
    os.mkfifo(path / "fifo")
    return path


WRONG: list[tuple[str, str]] = [
    ("", "COMMAND"),
    ("nonsense", "nonsense"),
    ("status --nonsense", "--nonsense"),
    ("-C nowhere status", "nowhere/bwcdock.toml: There is no such file."),
    ("-C empty records", "empty/bwcdock.toml: There is no such file."),
    ("-C text.txt audit", "text.txt"),
    ("status", "/etc/bwcdock"),
    ("-C misspelt status", "misspelt/bwcdock.toml:"),
    ("-C misspelt run", 'Did you mean "rescan_s"?'),
    ("-C lost status", "There is no ledger"),
    ("-C keyless run", "signing.key"),
    ("-C loose run", "can be read by others"),
    ("init dock", "is a station already"),
    ("init card", "is not empty"),
    ("init text.txt", "text.txt"),
    ("init text.txt/below", "text.txt"),
    ("init new --rules S9-nowhere", "S9-nowhere"),
    ("init new --name Dock_7", "Dock_7"),
    ("init new --unit=", "unit"),
    ("-C dock ingest", "SOURCE"),
    ("-C dock ingest missing.img", "missing.img"),
    ("-C dock ingest card missing.img", "missing.img"),
    ("-C dock ingest fifo", "fifo"),
    ("-C dock ingest /dev/null", "/dev/null"),
    ("-C dock ingest card --patience 0", "patience"),
    ("-C dock ingest card --patience nan", "patience"),
    ("-C dock ingest card --patience soon", "soon"),
    ("-C dock records --state nonsense", "nonsense"),
    ("-C dock receipt nonsense", "no receipt of session nonsense"),
    ("-C dock verify missing", "missing"),
    ("-C dock verify text.txt", "text.txt"),
    ("verify dock/central", "--key"),
    ("verify dock/central --key nonsense", "nonsense"),
    ("verify dock/central --key empty", "empty"),
    ("verify dock/central --key binary.toml", "binary.toml"),
    ("verify dock/central --key text.txt", "public key"),
    ("demo dock", "is not empty"),
]


def test_wrong_usage_is_one_sentence_with_its_remedy(place):
    results = run_all([command.split() for command, _ in WRONG], cwd=place)
    for (command, named), told in zip(WRONG, results, strict=True):
        assert (command, told.status, told.out) == (command, 2, "")
        assert is_one_sentence(told.err), (command, told.err)
        assert named in told.err, (command, told.err)
    assert not (place / "new").exists()


def test_an_unreadable_thing_is_one_sentence_too(place):
    """As a user who may not: the settings, the key, a source, the whole station."""
    secret = shutil.copytree(place / "dock", place / "secret")
    (secret / "keys/signing.key").chmod(0)
    closed = shutil.copytree(place / "dock", place / "closed")
    closed.chmod(0)
    blind = shutil.copytree(place / "dock", place / "blind")
    (blind / "bwcdock.toml").chmod(0)
    image = place / "image.img"
    image.write_bytes(b"x" * 512)
    image.chmod(0)
    commands = ["-C secret run", "-C closed status", "-C blind status", "init closed/new", "verify closed --key a+b+c"]
    try:
        results = run_all([c.split() for c in commands], cwd=place, preexec_fn=without_power_over_files)
        refused = run("-C", "dock", "ingest", "image.img", cwd=place, preexec_fn=without_power_over_files)
    finally:
        closed.chmod(0o700)
    for command, told in zip(commands, results, strict=True):
        assert (command, told.status) == (command, 2)
        assert is_one_sentence(told.err), (command, told.err)
    assert refused.status in {2, 3}
    assert "image.img" in refused.out + refused.err
    assert "Traceback" not in refused.out + refused.err


def problems(told: Told) -> list[str]:
    assert told.status == 2
    assert told.err == ""
    return told.out.splitlines()


def test_config_check_names_file_line_problem_and_remedy(place):
    line = 1 + next(
        at for at, text in enumerate((place / "twice.toml").read_text().splitlines()) if text.startswith("rescn_s")
    )
    well_, misspelt, twice, missing, binary, text = run_all(
        [["config", "check", name] for name in ("dock", "misspelt", "twice.toml", "none", "binary.toml", "text.toml")],
        cwd=place,
    )
    assert (well_.status, well_.out) == (0, "dock: well.\n")
    (only,) = problems(misspelt)
    assert only == f'misspelt/bwcdock.toml:{line}: [watch] rescn_s is not a setting. Did you mean "rescan_s"?'
    first, second = problems(twice)
    assert first.startswith(f"twice.toml:{line}: [watch] rescn_s ")
    assert second.startswith("twice.toml:")
    assert "[limits] tick_s" in second
    assert problems(missing)[0].startswith("none: There is no such file.")
    assert problems(binary)[0].startswith("binary.toml:1: This is not UTF-8 text.")
    assert problems(text)[0].startswith("text.toml:1: This is not TOML")


def test_several_problems_stand_on_lines_of_their_own(place):
    (place / "several").mkdir(exist_ok=True)
    shutil.copy(place / "twice.toml", place / "several/bwcdock.toml")
    told = run("-C", "several", "status", cwd=place)
    assert told.status == 2
    head, *lines, end = told.err.splitlines()
    assert head == "bwcdock: read the settings: 2 things are wrong:"
    assert [line.strip().partition(": ")[0].rpartition(":")[0] for line in lines] == ["several/bwcdock.toml"] * 2
    assert end == "Mend them and start again."


def test_debug_shows_where(place):
    told = run("--debug", "-C", "nowhere", "status", cwd=place)
    assert told.status == 1
    assert "Traceback" in told.err
    assert "Misused" in told.err


def test_the_station_of_the_environment(place):
    told = run("status", env={"BWCDOCK_STATION": str(place / "dock")})
    assert told.status == 0
    assert told.out.startswith("test-dock · ")
    other = run("-C", place / "nowhere", "status", env={"BWCDOCK_STATION": str(place / "dock")})
    assert other.status == 2  # -C is stronger


def unexplained(command: argparse.ArgumentParser) -> Iterator[str]:
    """Arguments that say nothing of themselves, of this command and of those in it."""
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from unexplained(inner)
        elif not action.help:
            yield f"{command.prog} {action.dest}"


def test_help_of_every_command():
    """Each says what it is for and explains every argument it takes."""
    results = run_all([[*command.split(), "--help"] for command in COMMANDS])
    for command, told in zip(COMMANDS, results, strict=True):
        assert (command, told.status, told.err) == (command, 0, "")
        usage, _, rest = told.out.partition("\n\n")
        assert usage.startswith(f"usage: bwcdock {command} ")
        assert len(rest.split("\n\n")[0]) > 15, command
        assert all(len(line) <= 80 for line in told.out.splitlines())
    overview = well("--help")
    assert all(f"    {command.split()[0]} " in overview for command in COMMANDS)
    assert "Exit status" in overview
    assert not list(unexplained(parser()))
    assert well("--version").startswith("bwcdock ")


def test_a_locale_without_chinese(place):
    """What it cannot say is spelled out, in the table and in the errors; JSON is UTF-8 whatever the locale."""
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    table, json_, error, help_ = run_all(
        [["-C", "dock", "status"], ["-C", "dock", "status", "--json"], ["-C", "采集站", "status"], ["--help"]],
        cwd=place,
        env=env,
    )
    assert (table.status, table.err) == (0, "")
    assert "\\u672a\\u79fb\\u4ea4 owed 0" in table.out
    assert json.loads(json_.out)["unit"] == "unit"
    assert error.status == 2
    assert "Traceback" not in error.err
    assert (help_.status, help_.err) == (0, "")


def test_a_locale_with_other_bytes_for_chinese(place):
    process = start("-C", place / "dock", "status", env={"PYTHONUTF8": "0", "PYTHONIOENCODING": "gb18030"})
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, b"")
    assert "未移交 owed 0" in out.decode("gb18030")


def test_what_may_be_typed_is_known_before_the_program_is_imported():
    code = "import sys; from bwcdock.cli.usage import parser; parser(); print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "bwcdock.cli.usage" in told
    assert not {"pydantic", "structlog", "asyncio", "rich", "bwcdock.core.facts"} & set(told)
