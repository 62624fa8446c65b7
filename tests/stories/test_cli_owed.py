"""What `bwcdock ingest` must not call settled, and what it must not take: each with a sentence that says what to do."""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bwcdock.testing.fat import FatImage
from cli_world import digests, each_once, files, folder, is_one_sentence, run, station, well, without_power_over_files


@pytest.fixture
def dock(tmp_path: Path) -> Path:
    return station(tmp_path / "dock")


def lamp(dock: Path) -> str:
    return json.loads(well("-C", dock, "status", "--json"))["sessions"][0]["lamp"]


def owed(out: str, name: str) -> str:
    return out.partition(f"未结清 / still owed: {name}\n")[2]


@pytest.mark.parametrize("place", ["keys", "ledger", "spool", "run", "central", "spool/whole", ".", "..", "link"])
def test_the_stations_own_places_are_no_recorder(dock, tmp_path, place):
    """Its key would go to central storage, and what is in central storage would go there again."""
    (tmp_path / "elsewhere").mkdir()
    (dock / "link").symlink_to(dock / "keys")
    (dock / "spool/whole").mkdir(exist_ok=True)
    before = sorted(path for path in dock.rglob("*") if path.is_file())
    card = folder(tmp_path / "elsewhere" / "card", files(1))
    refused = run("-C", dock, "ingest", card, dock / place)
    assert (refused.status, refused.out) == (2, "")
    assert is_one_sentence(refused.err), refused.err
    assert "the station's own" in refused.err
    assert sorted(path for path in dock.rglob("*") if path.is_file()) == before


def test_the_stations_places_through_links_in_its_settings(dock, tmp_path):
    """The place itself may be called by a link, and its share may not be mounted now."""
    (dock / "central").rename(tmp_path / "nas")
    (dock / "central").symlink_to(tmp_path / "nas")
    (tmp_path / "nas" / "unit").mkdir()
    assert run("-C", dock, "ingest", tmp_path / "nas" / "unit").status == 2
    (tmp_path / "nas").rename(tmp_path / "away")
    card = folder(tmp_path / "card", files(1))
    assert run("-C", dock, "ingest", card, "--patience", "1").status == 3


def test_a_copy_tells_nothing_of_the_clock(dock, tmp_path):
    """Every copy is new. The plug-in file of a copied card was not written just now, so it moves no deadline."""
    card = folder(tmp_path / "card", {"Media/DCAM_D2F018_033021_20260302_080000.mp4": b"x" * 9000})
    (card / "LOG").mkdir()
    (card / "LOG/plug_D2F018.txt").write_bytes(b"plugged in years ago")
    well("-C", dock, "ingest", card)
    told = json.loads(well("-C", dock, "records", "--json"))
    assert {record["clock"]["method"] for record in told} == {"uncorrected"}


def test_a_folder_that_cannot_be_read_is_not_settled(dock, tmp_path):
    card = folder(tmp_path / "card", {**files(1), "DCIM/locked/z.mp4": b"z" * 5000})
    (card / "DCIM/locked").chmod(0)
    told = run("-C", dock, "ingest", card, preexec_fn=without_power_over_files)
    assert (told.status, told.err) == (3, "")
    assert digests(dock) == each_once(files(1))  # what can be read is brought in all the same
    assert "Folders cannot be read; files may be missing. Mend the permissions" in owed(told.out, "card")
    assert "目录无法读取" in owed(told.out, "card")
    assert "注意 目录无法读取 / directory.unreadable:" in told.out  # and so the receipt says
    assert lamp(dock) == "attention" or lamp(dock) == "unfinished"
    (card / "DCIM/locked").chmod(0o755)
    well("-C", dock, "ingest", card)


def test_a_file_that_may_not_be_read_says_so(tmp_path):
    dock = station(tmp_path / "dock", {"pull": {"retry_wait_s": 0.01}})
    card = folder(tmp_path / "card", {**files(1), **{f"DCIM/closed{n}.mp4": b"z" * 5000 for n in range(12)}})
    for path in card.glob("DCIM/closed*"):
        path.chmod(0)
    told = run("-C", dock, "ingest", card, preexec_fn=without_power_over_files)
    assert told.status == 3
    (line,) = [line for line in owed(told.out, "card").splitlines() if "set apart" in line]
    assert line.startswith(
        "  12 个文件有坏块或无权读取,已隔离 / 12 set apart (unreadable). Let the station's user read"
    )
    assert "DCIM/closed0.mp4 may not be read" in line
    assert " … and 4 more" in line
    assert "no longer" not in told.out


def test_an_image_that_may_not_be_read_says_so(dock, tmp_path):
    image = tmp_path / "card.img"
    with FatImage(image, 8 << 20, bits=16) as card:
        card.add("a.mp4", b"x" * 5000, modified=datetime(2026, 3, 2, 9, tzinfo=UTC))
    image.chmod(0)
    told = run("-C", dock, "ingest", image, preexec_fn=without_power_over_files)
    assert told.status == 3
    assert "may not be opened" in told.out
    assert "无法识别" not in told.out


def test_an_empty_folder_may_be_a_mount_point_and_an_empty_card_is_a_card(dock, tmp_path):
    (tmp_path / "empty").mkdir()
    told = run("-C", dock, "ingest", tmp_path / "empty")
    assert (told.status, told.err) == (3, "")
    assert "a mount point on which nothing is mounted looks the same" in owed(told.out, "empty")
    assert lamp(dock) != "nothing_owed"
    with FatImage(tmp_path / "card.img", 8 << 20, bits=16):
        pass
    card = run("-C", dock, "ingest", tmp_path / "card.img")
    assert (card.status, card.err) == (0, "")
    assert "本次没有新文件" in card.out


def test_a_receipt_that_is_not_in_central_storage_is_owed(dock, tmp_path):
    """Written here is not there: it is settled when the paper lies beside the recordings too."""
    os.chmod(dock / "central", 0o755)
    (dock / "central/receipts").write_bytes(b"")  # where a folder must be: nothing goes in
    card = folder(tmp_path / "card", files(1))
    told = run("-C", dock, "ingest", card, "--patience", "1")
    assert digests(dock) == each_once(files(1))
    assert told.status == 3
    assert "回执尚未入库 / The receipt is not in central storage yet." in owed(told.out, "card")
    assert lamp(dock) != "nothing_owed"
    (dock / "central/receipts").unlink()
    well("-C", dock, "ingest", card)


def test_papers_name_the_regulation_its_article_and_its_words(tmp_path):
    dock = station(tmp_path / "dock", {"law": {"offload_met_by": "confirmed"}})
    card = folder(tmp_path / "card", files(1))
    told = well("-C", dock, "ingest", card)
    law = "《福州市城市管理委员会行政执法音像记录设备配备使用管理监督规定》第十七条"
    assert f"依据        {law}:“音像记录应在24小时内导出储存至执法信息系统或专用电脑”" in told
    assert "S4-fuzhou" not in told
    assert "已入库" in told
    assert "已封存" not in told
    away = shutil.move(dock / "central", tmp_path / "away")
    folder(card, {"DCIM/later.mp4": b"later" * 999})
    assert run("-C", dock, "ingest", card, "--patience", "1").status == 3
    status = well("-C", dock, "status")
    assert "未移交 owed: DCIM/later.mp4 · " in status
    assert law in status
    assert Path(away).is_dir()
    (first, *_) = json.loads(well("-C", dock, "records", "--json"))
    assert f"《{first['regulation']}》" in law


def test_two_folders_of_one_name_accuse_nobody(dock, tmp_path):
    """Nothing but its name tells a folder's recorder: what differs may be another recorder's."""
    one = folder(tmp_path / "one" / "card", {"a.mp4": b"1" * 5000})
    other = folder(tmp_path / "other" / "card", {"a.mp4": b"2" * 6000})
    well("-C", dock, "ingest", one)
    told = well("-C", dock, "ingest", other)
    assert "identity.weak" in told
    assert "changed on the recorder" not in told
    assert "Look first whether two folders have the same name" in told
