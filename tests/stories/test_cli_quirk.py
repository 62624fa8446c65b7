"""`bwcdock quirk`: whoever describes a make of recorder sees what is wrong and what would be read."""

import json

import pytest
from cli_world import folder, is_one_sentence, run, well

GOOD = """about = "Ours: D<number>_<badge>_<yyyymmddhhmmss>[_IMP]; a sample of 2026."
[match]
paths = ['re:^rec/D[0-9]{4}_']
[naming]
patterns = ['^rec/(?P<device>D[0-9]{4})_(?P<officer>[^_]+)_(?P<start>[0-9]{14})(?P<flag>_IMP)?\\.mp4$']
[skip]
globs = ["*.tmp"]
[markers.important]
flags = ["_IMP"]
[[example]]
path = "rec/D0042_王建国_20261121083000_IMP.mp4"
reads = { device = "D0042", officer = "王建国", start = "20261121083000", flag = "_IMP" }
"""


@pytest.fixture
def quirk(tmp_path):
    path = tmp_path / "quirks/ours.toml"
    path.parent.mkdir()
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_a_good_file_is_well_and_a_folder_is_linted_whole(quirk):
    assert well("quirk", "lint", quirk) == "1 quirk is well.\n"
    (quirk.parent / "theirs.toml").write_text(GOOD.replace("(?P<device>", "(?P<model>"), encoding="utf-8")
    told = run("quirk", "lint", quirk.parent)
    assert (told.status, told.err) == (1, "")
    assert told.out.splitlines() == [
        "theirs.toml: example.0.reads.device: the patterns read '', not 'D0042'",
        "theirs.toml: match: fits the same recorders as ours.toml and no more closely; add a condition to one of them",
    ]


def test_a_sample_folder_is_shown_as_a_table(quirk, tmp_path):
    sample = tmp_path / "card"
    folder(sample, {"rec/D0042_王建国_20261121083000_IMP.mp4": b"1", "rec/other.mp4": b"2", "rec/a.tmp": b""})
    lines = well("quirk", "test", quirk, sample).splitlines()
    assert lines[:2] == ["[match] paths.0 holds for this sample.", "Recorder: D0042 (by name-group)."]
    assert lines[3].split() == ["file", "kind", "start", "end", "recorder", "officer", "number", "marks", "read", "by"]
    assert lines[4].split()[1:] == [
        "video", "2026-11-21", "08:30:00", "-", "D0042", "王建国", "-", "important", "pattern", "1",
    ]  # fmt: skip
    assert lines[5].endswith("no pattern")
    assert lines[6] == "No pattern of [naming] fits 1 of 2 files; their own times are taken."
    assert lines[7] == "Left on the recorder, as [skip] says: rec/a.tmp."


def test_one_name_is_enough_and_machines_get_json(quirk):
    told = json.loads(well("quirk", "test", quirk, "rec/D0042_1_20261121083000.mp4", "--json"))
    (reading,) = told["readings"]
    assert told["conditions"] == [["paths.0", "holds"]]
    assert (reading["pattern"], reading["start"], dict(reading["groups"])["officer"]) == (
        "1", "2026-11-21 08:30:00", "1",
    )  # fmt: skip


def test_a_name_that_is_not_read_fails_and_so_does_one_of_another_make(quirk):
    told = run("quirk", "test", quirk, "rec/D0042_other.mp4")
    assert (told.status, "[match] paths.0 holds" in told.out, "no pattern" in told.out) == (1, True, True)
    told = run("quirk", "test", quirk, "DCIM/20261121_083000.mp4")
    assert (told.status, "[match] paths.0 DOES NOT HOLD" in told.out) == (1, True)
    assert "pattern default 1" in told.out


def test_what_cannot_be_tried_is_one_sentence(quirk, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    bad = tmp_path / "bad.toml"
    bad.write_text("about = 1\n")
    for words, what in (
        (("lint", empty), "holds no quirk file"),
        (("test", bad, "a"), "bad.toml: about"),
        (("test", tmp_path / "none.toml", "a"), "cannot be read"),
        (("test", quirk, quirk), "is a file of this machine"),
    ):
        told = run("quirk", *words)
        assert (told.status, what in told.err, is_one_sentence(told.err)) == (2, True, True), (words, told)
