"""`bwcdock desk`: beside a daemon at work, or without one; in the register's words, with clear refusals."""

import json
import socket
from pathlib import Path

import pytest
from bwcdock.desk.line import NAME
from cli_world import daemon, files, folder, run, station, until, well

ADMIN = ("--as", "001", "--role", "administrator")
OFFICER = ("--as", "002", "--role", "officer")
CHECKED = [word for check in ("works", "battery", "storage", "clock") for word in ("--checked", check)]


def people(dock: Path) -> None:
    first = ("--person", "001", "--name", "王管理", "--roles", "administrator")
    well("-C", dock, "desk", "enter-person", *ADMIN, *first)
    well("-C", dock, "desk", "enter-person", *ADMIN, "--person", "002", "--name", "李警官", "--roles", "officer")
    well("-C", dock, "desk", "register-device", *ADMIN, "--device", "card", "--model", "F1")


def records(dock: Path) -> list[dict]:
    return json.loads(well("-C", dock, "records", "--json"))


@pytest.mark.parametrize("at_work", [False, True], ids=["alone", "beside the daemon"])
def test_the_same_words_do_the_same_with_and_without_a_daemon(tmp_path, at_work):
    dock = station(tmp_path / "dock")
    well("-C", dock, "ingest", folder(tmp_path / "card", files(1)))

    def work() -> None:
        people(dock)
        issued = json.loads(
            well("-C", dock, "desk", "issue", *ADMIN, "--device", "card", "--to", "002", *CHECKED, "--json")
        )
        assert (issued["kind"], issued["matter"]) == ("device", "card")
        refused = run("-C", dock, "desk", "issue", *ADMIN, "--device", "card", "--to", "002", *CHECKED)
        assert (refused.status, refused.out) == (2, "")
        assert refused.err.startswith("bwcdock: 记录仪card已于")
        assert "UTC由" not in refused.err  # but by the station's own clock
        assert "由002领用。请先办理归还；未作任何更改。 / desk: card is issued to 002 since " in refused.err
        refused = run("-C", dock, "desk", "issue", *OFFICER, "--device", "card", "--to", "002", *CHECKED)
        assert refused.err.startswith("bwcdock: 执法人员不能办理“领用”。可以办理的职责："), refused.err
        record = records(dock)[0]
        tagged = well("-C", dock, "desk", "tag", *OFFICER, "--records", record["id"][:12], "--tags", "dispute")
        assert "entered: record" in tagged
        (now,) = [each for each in records(dock) if each["id"] == record["id"]]
        assert (now["permanent"], now["tags"]) == (True, ["dispute"])

    if at_work:
        with daemon(dock):
            until((dock / "run" / NAME).is_socket)
            assert (dock / "run" / NAME).stat().st_mode & 0o777 == 0o600
            work()
        assert not (dock / "run" / NAME).exists()
    else:
        work()
    ledger = json.loads(well("-C", dock, "status", "--json"))["ledger"]
    assert ledger["signed_size"] == ledger["size"]
    (card,) = json.loads(well("-C", dock, "desk", "list", "device", "card", "--json"))
    assert card["issues"][0]["to"] == "002"
    assert "王管理" in well("-C", dock, "desk", "list", "person", "001")
    (owes,) = json.loads(well("-C", dock, "desk", "may-owe", "--json"))
    assert (owes["device"], owes["holder"], owes["verdict"]["kind"]) == ("card", "002", "not_due")
    assert "card" in well("-C", dock, "desk", "may-owe")
    waits = json.loads(well("-C", dock, "desk", "waiting", "--json"))
    assert {(each["act"], each["kind"], each["what"]) for each in waits} == {  # the footage is months old
        ("explain", "late", "逾期未说明")
    }
    well("-C", dock, "audit")


def test_the_coverage_names_the_newest_evidence_of_this_station(tmp_path):
    dock = station(tmp_path / "dock")
    before = {each["id"]: each for each in json.loads(well("-C", dock, "rules", "coverage", "--json"))}
    assert before["deadline"]["evidence"] == ""
    well("-C", dock, "ingest", folder(tmp_path / "card", files(1)))
    people(dock)
    after = {each["id"]: each for each in json.loads(well("-C", dock, "rules", "coverage", "--json"))}
    assert (after["deadline"]["article"], after["deadline"]["evidence"]) == ("第十七条", "record.obliged")
    assert after["deadline"]["evidence_seq"] > 0
    assert (after["deadline"]["setting"], after["deadline"]["value"]) == ("law.at_risk_ratio", "0.25")
    assert after["administrator"]["evidence"] == "person.entered"
    assert after["announcement"]["by"] == "people"
    told = well("-C", dock, "rules", "coverage")
    assert "由人完成" in told
    assert "record.obliged, entry " in told


def test_the_lists_of_cases_and_of_what_may_end(tmp_path):
    dock = station(tmp_path / "dock")
    well("-C", dock, "ingest", folder(tmp_path / "card", files(1)))
    people(dock)

    def told(question: str) -> list[dict]:
        return json.loads(well("-C", dock, "desk", question, "--json"))

    assert (told("archive"), told("may-end"), len(told("unbound"))) == ([], [], 3)
    assert "没有" in well("-C", dock, "desk", "archive")
    record = told("unbound")[0]["record"]
    well("-C", dock, "desk", "open-case", *OFFICER, "--case", "罚7号")
    well("-C", dock, "desk", "tag", *OFFICER, "--records", record, "--case", "罚7号")
    closed = ("--step", "case_closed", "--moment", "2026-03-10T14:00:00+08:00")
    well("-C", dock, "desk", "step-case", *OFFICER, "--case", "罚7号", *closed)
    assert len(told("unbound")) == 2
    (filing,) = told("archive")
    assert (filing["case"], filing["due"], filing["article"]) == ("罚7号", "2026-04-09T16:00:00Z", "第十九条第（二）项")
    assert "2026-04-10 00:00" in well("-C", dock, "desk", "archive")
    assert record[:12] not in well("-C", dock, "desk", "unbound")


def test_a_station_that_lies_deep_is_reached_all_the_same(tmp_path):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    dock = station(deep / "dock")
    with daemon(dock):
        until((dock / "run" / NAME).is_socket)
        people(dock)


def test_nonsense_on_the_line_is_answered_and_harms_nothing(tmp_path):
    dock = station(tmp_path / "dock")
    with daemon(dock) as process:
        until((dock / "run" / NAME).is_socket)
        for line in (b"\n", b"{}\n", b"[1]\n", b'{"act": "fly", "said": {}, "name": "x", "role": "y"}\n', b"\xff\n"):
            assert _said(dock, line)["what"]
        told = _said(dock, b'{"act": "return", "said": {"device": 5, "x": 1}, "name": "x", "role": "y"}\n')
        assert "device: Input should be a valid string" in told["what"]
        assert (told["code"], told["evidence"][0]) == ("act.wrong", ["act", "return"])
        with socket.socket(socket.AF_UNIX) as silent:
            silent.connect(str(dock / "run" / NAME))
            people(dock)  # somebody who says nothing keeps nobody waiting
        assert process.poll() is None
    well("-C", dock, "audit")


def _said(dock: Path, line: bytes) -> dict:
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(20)
        end.connect(str(dock / "run" / NAME))
        end.sendall(line)
        return json.loads(end.makefile().readline())


def test_what_is_typed_wrong_is_said_in_one_sentence(tmp_path):
    dock = station(tmp_path / "dock")
    people(dock)
    wrong = [
        ("desk", "return", *ADMIN),
        ("desk", "fly", *ADMIN),
        ("desk", "list", "dragons"),
        ("desk", "set-device", *ADMIN, "--device", "card", "--state", "sold", "--reason", "x"),
        ("desk", "end-trip", *OFFICER, "--trip", "trip-1", "--back", "yesterday"),
        ("desk", "end-trip", *OFFICER, "--trip", "trip-1", "--back", "2026-03-02T10:00:00"),
        ("desk", "enter-team", *ADMIN, "--team", "T1", "--name", "一队", "--officers", "-5"),
    ]
    for command in wrong:
        told = run("-C", dock, *command)
        assert (told.status, told.out) == (2, ""), command
        assert told.err.count("\n") == 1, told.err
    assert "acts and questions" in well("desk", "--help")
    assert "--expected-back" in well("desk", "issue", "--help")
