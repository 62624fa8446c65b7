"""`bwcdock erase` says what may go and why the rest stays, and takes an order to format from two persons only."""

import json
from pathlib import Path

import pytest
from bwcdock.erasing import ORDER_NAME, Order
from cli_world import files, folder, is_one_sentence, run, run_all, station, well

ALLOWED = {"erase": {"enabled": True, "reformat": True}}


@pytest.fixture(scope="module")
def docks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stations: one as it is founded, with recordings in central storage; one where formatting is allowed."""
    path = tmp_path_factory.mktemp("erase")
    station(path / "dock")
    station(path / "allowed", ALLOWED)
    well("-C", path / "dock", "ingest", folder(path / "card", files(1)))
    return path


def test_it_names_each_file_with_the_reason_it_stays(docks: Path) -> None:
    told = well("-C", docks / "dock", "erase", "--dry-run")
    assert told.count("Its central copy was not read a second time yet.") == 3
    assert "off ([erase] enabled = false); may go: 0 (0 B); stay: 3 one-look; erased before: 0" in told


def test_machines_are_told_the_same(docks: Path) -> None:
    told = json.loads(well("-C", docks / "dock", "erase", "--dry-run", "--json"))
    assert set(told) == {"enabled", "after_days", "erased", "files"}
    assert (told["enabled"], told["after_days"], told["erased"]) == (False, 30, 0)
    assert {(file["may_go"], file["reason"]) for file in told["files"]} == {(False, "one-look")}
    assert set(told["files"][0]) == {"record", "recorder", "path", "size", "may_go", "reason", "what"}
    (recorder,) = {file["recorder"] for file in told["files"]}
    named = well("-C", docks / "dock", "erase", "--dry-run", "--json", "--recorder", recorder)
    assert json.loads(named) == told
    other = well("-C", docks / "dock", "erase", "--dry-run", "--json", "--recorder", "nobody")
    assert json.loads(other)["files"] == []


def test_two_persons_leave_an_order(docks: Path) -> None:
    told = well("-C", docks / "allowed", "erase", "--format", "--slot", "3", "--by", "张三", "--by", "李四")
    assert "张三 and 李四" in told
    assert "not running" in told
    given = Order.model_validate_json((docks / "allowed/run" / ORDER_NAME).read_bytes())
    assert (given.slot, given.recorder, given.by) == (3, "", ("张三", "李四"))


WRONG = [
    ("dock", "erase", "required"),
    ("dock", "erase --dry-run --format", "not allowed with"),
    ("dock", "erase --dry-run --slot 1 --recorder A", "not allowed with"),
    ("dock", "erase --dry-run --slot 9", "No known recorder is in slot 9"),
    ("dock", "erase --format --slot 3 --by A --by B", "not allowed here"),
    ("allowed", "erase --format --by A --by B", "which card"),
    ("allowed", "erase --format --slot 3 --by A", "2 persons"),
    ("allowed", "erase --format --slot 3", "2 persons"),
    ("allowed", "erase --format --slot 3 --by A --by a", "different"),
    ("allowed", "erase --format --slot 0 --by A --by B", "slot"),
]


def test_what_is_wrong_is_said_in_one_sentence_and_leaves_nothing(docks: Path) -> None:
    (docks / "allowed/run" / ORDER_NAME).unlink(missing_ok=True)
    results = run_all([["-C", docks / dock, *typed.split()] for dock, typed, _ in WRONG])
    for (_, typed, word), result in zip(WRONG, results, strict=True):
        assert result.status == 2, (typed, result)
        assert is_one_sentence(result.err), (typed, result.err)
        assert word in result.err, (typed, result.err)
    assert not (docks / "allowed/run" / ORDER_NAME).exists()


def test_it_helps() -> None:
    told = run("erase", "--help")
    assert told.status == 0
    assert "--by" in told.out
