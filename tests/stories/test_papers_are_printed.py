"""An officer prints his receipt, and the sheet that goes into a case file: from the ledger alone, at any time."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from bwcdock.clock import WallClock
from bwcdock.papers import fonts
from bwcdock.testing.footage import clip, truncate
from bwcdock.testing.station import found
from cli_world import QUICK, files, folder, is_one_sentence, run, well

CONTENT = files(7)


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drained docking at a station of the bureau whose regulation asks for the fullest sheet."""
    directory = tmp_path_factory.mktemp("printed") / "station"
    found(directory, QUICK, now=WallClock().now(), rules="S1-dalian-jinpu", unit="住建局<执法>一队")
    well("-C", directory, "ingest", folder(directory.parent / "BWC-0001", CONTENT))
    return directory


@cache
def records(station: Path) -> list[dict]:
    return json.loads(well("-C", station, "records", "--json"))


def session(station: Path) -> str:
    return next((station / "ledger/receipts").glob("*.json")).stem


def test_a_receipt(station, tmp_path):
    out = tmp_path / "回执.html"
    assert "移交回执" in well("-C", station, "paper", "receipt", session(station)[:8], "--out", out)
    page = out.read_text()
    signed = json.loads((station / "ledger/receipts" / f"{session(station)}.json").read_text())["payload"]
    assert signed["digest"] in page
    for record in records(station):
        assert record["sha256"] in page
        assert record["path"] in page
    assert "3 个文件" in page
    assert "第二十一条" in page
    assert "音像制作完成后,行政执法人员应当在24小时内将信息储存至专用存储设备。" in page
    assert "住建局&lt;执法&gt;一队" in page
    again = tmp_path / "again.html"
    well("-C", station, "paper", "receipt", session(station), "--out", again)
    assert again.read_bytes() == out.read_bytes()


def test_the_sheet_has_the_fields_of_the_regulation(station, tmp_path):
    record = records(station)[0]
    out = tmp_path / "sheet.html"
    well("-C", station, "paper", "evidence", record["id"][:10], "--field", "证明目的=<占道经营>", "--out", out)
    page = out.read_text()
    for label in (
        "证据名称来源",
        "制作方法",
        "制作时间",
        "制作人",
        "证明对象",
        "监控设备标号点位",
        "复制件数",
        "摄录者",
        "拷贝份数",
    ):
        assert f"<th><bdi>{label}</bdi></th>" in page
    assert "&lt;占道经营&gt;" in page
    assert re.search(r'证明对象</bdi></th><td class="open">', page)
    for known in (record["sha256"], record["blake3"], record["path"], "BWC-0001", "未测得设备时钟偏差", "时间源保证"):
        assert known in page
    assert "原视听资料持有人" in page
    assert "并由制作人和原视听资料持有人签名或盖章" in page
    assert re.search(r"台账 bwcdock/test-dock 第 [\d、–]+ 条", page)


def test_a_sheet_over_several_recordings_lists_them(station, tmp_path):
    ids = [record["id"] for record in records(station)]
    out = tmp_path / "sheet.html"
    well("-C", station, "paper", "evidence", *ids, ids[0][:12], "--out", out)
    page = out.read_text()
    assert "等 3 件" in page
    assert "清单" in page
    assert page.count("(3) 技术信息") == 1
    assert "(4)" not in page


def test_what_was_found_stands_in_chinese_and_small_below_it_in_the_words_it_was_found_in(tmp_path):
    directory = tmp_path / "station"
    found(directory, QUICK, now=WallClock().now(), rules="S1-dalian-jinpu")
    torn = truncate(clip(datetime(2026, 3, 2, 1, tzinfo=UTC), 2), 0.5)
    well("-C", directory, "ingest", folder(tmp_path / "BWC-0002", {"torn.mp4": torn}))
    asked = {"evidence": records(directory)[0]["id"], "receipt": session(directory)}
    for kind, subject in asked.items():
        out = tmp_path / f"{kind}.html"
        well("-C", directory, "paper", kind, subject, "--out", out)
        row = out.read_text().partition("录像未正常结束 media.truncated")[2].partition("</tr>")[0]
        assert "录像文件没有正常结束。请执法人员说明中断原因；文件已按原样保存。" in row
        assert "<small><bdi>torn.mp4 was not closed: its container ends early." in row


@pytest.mark.skipif(not any(p.is_file() for p in fonts.PLACES), reason=f"needs {fonts.PACKAGE}")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs poppler-utils")
def test_as_pdf(station, tmp_path):
    record = records(station)[0]
    out = tmp_path / "sheet.pdf"
    well("-C", station, "paper", "evidence", record["id"], "--out", out)
    text = subprocess.run(["pdftotext", out, "-"], capture_output=True, check=True).stdout.decode()
    assert record["sha256"] in re.sub(r"\s", "", text)
    assert "证据名称来源" in text
    assert oct(out.stat().st_mode)[-3:] == "640"


def test_without_a_font_html_still_works(station, tmp_path):
    settings = station / "bwcdock.toml"
    before = settings.read_text()
    settings.write_text(re.sub(r"(?m)^# font = .*$", 'font = "gone.ttf"', before))
    try:
        told = run("-C", station, "paper", "receipt", session(station), "--out", tmp_path / "a.pdf")
        assert told.status == 2
        assert is_one_sentence(told.err)
        assert fonts.PACKAGE in told.err
        assert not (tmp_path / "a.pdf").exists()
        well("-C", station, "paper", "receipt", session(station), "--out", tmp_path / "a.html")
    finally:
        settings.write_text(before)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("paper", "evidence", "--out", "{}/a.html"), "No recording is named"),
        (("paper", "evidence", "ffff", "--out", "{}/a.html"), "There is no recording ffff"),
        (("paper", "receipt", "ffff", "--out", "{}/a.html"), "There is no receipt of session ffff"),
        (("paper", "receipt", "--out", "{}/a.html"), "A receipt is of one docking"),
        (("paper", "poster", "x", "--out", "{}/a.html"), "There is no paper poster"),
        (("paper", "evidence", "ID", "--out", "{}/a.doc"), "says no form of paper"),
        (("paper", "evidence", "ID", "--field", "天气=晴", "--out", "{}/a.html"), "has no field 天气"),
        (("paper", "evidence", "ID", "--field", "天气", "--out", "{}/a.html"), "LABEL=TEXT"),
        (("paper", "evidence", "ID", "--out", "{}/nowhere/a.html"), "cannot be written"),
        (("paper", "evidence", "ID", "--out", "{}/taken.html"), "is there already"),
    ],
)
def test_what_cannot_be_printed_is_one_sentence(station, tmp_path, words, says):
    (tmp_path / "taken.html").write_text("mine")
    told = run("-C", station, *(word.format(tmp_path).replace("ID", records(station)[0]["id"]) for word in words))
    assert told.status == 2, told
    assert says in told.err
    assert is_one_sentence(told.err)
    assert (tmp_path / "taken.html").read_text() == "mine"
    assert not (tmp_path / "a.html").exists()


def test_a_receipt_that_is_not_the_one_of_the_ledger_is_not_printed(station, tmp_path):
    path = station / "ledger/receipts" / f"{session(station)}.json"
    data = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(data.replace(b"BWC-0001", b"BWC-0002"))
    try:
        told = run("-C", station, "paper", "receipt", session(station), "--out", tmp_path / "a.html")
    finally:
        path.write_bytes(data)
    assert told.status == 1
    assert "does not hold" in told.err
