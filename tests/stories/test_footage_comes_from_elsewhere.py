"""A citizen's film is handed over: it is taken when it is whole and somebody answers for it, and that stays with it."""

import json
from datetime import UTC, datetime
from pathlib import Path

from bwcdock.core.facts import Arrived, Checked, Identified
from bwcdock.core.intake import NOTE_NAME, heard
from bwcdock.ledger import open_read_only
from bwcdock.testing import footage
from cli_world import daemon, digests, folder, run, station, until, well

NOTE = 'source = "citizen"\nholder = "王小明"\nchain = "Filmed on the spot, handed over on a stick."\n'


def test_it_waits_for_its_note_and_its_end_and_says_who_handed_it_over(tmp_path):
    dock = station(tmp_path / "dock", {"drop": {"holds": "exports"}})
    film = footage.clip(datetime(2026, 11, 21, tzinfo=UTC), 2)
    folder(dock / "drop/wang", {"VID_20261121_083000.mp4": film, "DCAM_D2F018_1_20261121_083000.mp4": film[:-99]})

    def findings() -> set[str]:
        return {each["code"] for each in json.loads(well("-C", dock, "status", "--json"))["findings"]}

    with daemon(dock):
        until(lambda: "intake.note" in findings(), every_s=0.5)
        (dock / "drop/wang" / NOTE_NAME).write_text(NOTE, encoding="utf-8")
        until(lambda: "intake.unfinished" in findings(), every_s=0.5)
        (dock / "drop/wang/DCAM_D2F018_1_20261121_083000.mp4").write_bytes(film)
        until(lambda: list((dock / "central/receipts").glob("*.json")), every_s=0.1)
    with open_read_only(dock / "ledger") as ledger:
        facts = [entry.fact for entry in ledger.entries()]
    (arrived,) = [fact for fact in facts if isinstance(fact, Arrived)]
    (identified,) = [fact for fact in facts if isinstance(fact, Identified)]
    (checked,) = [fact for fact in facts if isinstance(fact, Checked)]
    assert heard(arrived.sighting.properties)["holder"] == "王小明"
    assert (identified.identity.serial, identified.identity.basis) == ("citizen-wang", "intake")
    (told,) = [finding for finding in checked.findings if finding.code == "intake.told"]
    assert dict(told.evidence)["chain"] == "Filmed on the spot, handed over on a stick."
    records = json.loads(well("-C", dock, "records", "--json"))
    assert sorted(Path(each["path"]).name for each in records) == [
        "DCAM_D2F018_1_20261121_083000.mp4", "VID_20261121_083000.mp4", NOTE_NAME,
    ]  # fmt: skip


def test_a_folder_that_is_named_is_taken_as_from_a_drop_folder(tmp_path):
    dock = station(tmp_path / "dock", {"drop": {"holds": "exports"}})
    film = footage.clip(datetime(2026, 11, 21, tzinfo=UTC), 2)
    wang = folder(tmp_path / "wang", {"VID_20261121_083000.mp4": film, NOTE_NAME: b'holder = "\xe7\x8e\x8b"\n'})
    card = folder(tmp_path / "card", {"DCIM/20260302_080000.mp4": film + b"\0" * 8})

    told = run("-C", dock, "ingest", wang, card)
    assert (told.status, told.err) == (3, "")
    (owed,) = told.out.split("未结清 / still owed: ")[1:]
    assert owed.startswith(f"{wang}\n")
    words = "".join(line.strip() for line in owed.splitlines()[1:])
    assert "缺少或有误的项：来源、流转经过；没有采集。请在其中写好 intake.toml" in words
    assert "intake.toml does not say its source and its chain." in " ".join(owed.split())
    assert sum(digests(dock).values()) == 1  # the card, which waited for nobody's note

    (wang / NOTE_NAME).write_text(NOTE, encoding="utf-8")
    (wang / "cut.mp4").write_bytes(film[:-99])
    told = run("-C", dock, "ingest", wang)
    assert (told.status, told.err) == (3, "")
    assert "cut.mp4: cut: " in told.out
    (wang / "cut.mp4").unlink()

    out = well("-C", dock, "ingest", wang)
    assert "移交回执" in out
    with open_read_only(dock / "ledger") as ledger:
        facts = [entry.fact for entry in ledger.entries()]
    arrived = [fact.sighting for fact in facts if isinstance(fact, Arrived)]
    assert [heard(sighting.properties).get("holder") for sighting in arrived] == [None, "王小明"]
    identified = [fact.identity for fact in facts if isinstance(fact, Identified)]
    assert [(each.serial, each.basis) for each in identified][1:] == [("citizen-wang", "intake")]
    assert sum(digests(dock).values()) == 2
