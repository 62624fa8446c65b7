"""Which quirk fits what is docked: by udev and what hangs above, by its words and files; the closest one wins."""

from pathlib import Path

import pytest
from bwcdock.core.facts import Severity, Sighting
from bwcdock_drivers.card import Card, Described, described
from bwcdock_drivers.matching import Looks
from bwcdock_drivers.naming import Found
from bwcdock_drivers.quirks import DEFAULT, Quirks

TOLD = (
    ("ID_MODEL", "DEVICE_V1.00"),
    ("ID_MODEL_ID", "0001"),
    ("ID_REVISION", "0100"),
    ("ID_VENDOR_ID", "1209"),
    ("SUBSYSTEM", "block"),
    ("@ID_VENDOR", "Cradlemaker"),
    ("@ID_VENDOR", "Linux_Foundation"),
)


def put(folder: Path, name: str, match: str) -> None:
    (folder / f"{name}.toml").write_text(f'about = "about {name}"\n{match}\n', encoding="utf-8")


def chosen(folder: Path, *paths: str, label: str = "", inquiry: str = "", told=TOLD, filesystem: str = "fat32") -> str:
    looks = Looks(label=label, filesystem=filesystem, inquiry=inquiry, paths=paths, told=told)
    return Quirks([folder]).choose(looks).name


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ('[match.udev]\nID_MODEL = "DEVICE_V1.00"', True),
        ('[match.udev]\nID_MODEL = "device_v*"', True),
        ('[match.udev]\nID_MODEL = "DEVICE"', False),
        ("[match.udev]\nID_MODEL = 're:V[0-9]'", True),
        ('[match.udev]\nID_MODEL = ["OTHER", "DEVICE_V1.00"]', True),
        ('[match.udev]\nID_MODEL = "DEVICE_V1.00"\nID_VENDOR_ID = "1b3f"', False),
        ('[match.udev]\nID_SERIAL_SHORT = "*"', False),
        ('[match.udev]\nSUBSYSTEM = "block"', True),
        ('[match.udev]\n"@ID_VENDOR" = "Cradlemaker"', True),
        ('[match.udev]\n"@ID_VENDOR" = "Linux_Foundation"', True),
        ('[match.udev]\nID_VENDOR = "Cradlemaker"', False),
        ('[match.udev]\n"@ID_MODEL" = "DEVICE_V1.00"', False),
    ],
)
def test_udev_is_asked_of_the_device_or_of_what_it_hangs_on(tmp_path, match, fits):
    put(tmp_path, "mine", match)
    assert chosen(tmp_path) == ("mine" if fits else DEFAULT)


def test_a_layout_is_known_by_its_folders_and_by_what_is_not_there(tmp_path):
    put(tmp_path, "mine", "[match]\nfolders = ['police/video', 'POLICE/log']\nwithout = ['*.exe']")
    assert chosen(tmp_path, "police/video/1/a.mp4", "police/log/a.txt") == "mine"
    assert chosen(tmp_path, "police/video/1/a.mp4") == DEFAULT
    assert chosen(tmp_path, "x/police/video/a.mp4", "police/log/a.txt") == DEFAULT
    assert chosen(tmp_path, "police/video/1/a.mp4", "police/log/a.txt", "tool/RUN.EXE") == DEFAULT


CLOSER = [
    ("udev", '[match.udev]\nID_MODEL = "DEVICE*"\nID_VENDOR_ID = "1209"\nID_MODEL_ID = "0001"'),
    ("revision", '[match.udev]\nID_MODEL = "DEVICE*"\nID_VENDOR_ID = "1209"\nID_MODEL_ID = "0001"\nID_REVISION = "*"'),
    ("layout", "[match]\npaths = ['rec/*']"),
    ("layout-and-label", "[match]\npaths = ['rec/*']\nlabel = '^X'"),
    ("inquiry", "[match]\ninquiry = '^maker'"),
]


def test_the_closest_wins_whatever_the_names(tmp_path):
    common = "[match]\nlabel = '^X'\nfilesystem = ['fat32']\nwithout = ['*.exe']\n[match.udev]\n\"@ID_VENDOR\" = '*'"
    put(tmp_path, "aaa", common)
    for name, match in CLOSER:
        assert chosen(tmp_path, "rec/a.mp4", label="X", inquiry="makerv1") != name
        put(tmp_path, name, match)
        assert chosen(tmp_path, "rec/a.mp4", label="X", inquiry="makerv1") == name


def look(folder: Path, *more: Path) -> Described:
    found = [Found(path="rec/a.mp4", size=1, modified=None, resolution_ms=10)]
    sighting = Sighting(port="usb-1", source="/dev/sdb", properties=TOLD)
    made = Card(sighting=sighting, filesystem="exfat", label="X1", fallback=("vol-1", "volume-serial"), found=found)
    return described(made, Quirks([folder, *more]))


def test_a_tie_is_told_and_one_of_another_place_is_none(tmp_path):
    mine, ours = tmp_path / "mine", tmp_path / "ours"
    mine.mkdir()
    ours.mkdir()
    put(mine, "b", "[match]\nlabel = '^X'")
    put(mine, "a", "[match]\nlabel = '1$'")
    seen = look(mine)
    (tie,) = [note for note in seen.notes if note.code == "quirk.tie"]
    assert (seen.quirk.name, tie.severity) == ("a", Severity.WARN)
    assert tie.evidence == (("a", "about a"), ("b", "about b"))
    put(ours, "z", "[match]\nlabel = 'X'")
    seen = look(mine, ours)
    assert seen.quirk.name == "z"
    assert not [note for note in seen.notes if note.code == "quirk.tie"]


def test_a_recorder_on_the_bus_is_described_by_what_it_hangs_on(tmp_path):
    put(tmp_path, "cradle", '[identity]\nvendor = "Maker"\n[match.udev]\n"@ID_VENDOR" = "Cradlemaker"')
    seen = look(tmp_path)
    assert (seen.quirk.name, seen.identity.vendor) == ("cradle", "Maker")
