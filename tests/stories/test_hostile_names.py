"""Names from a stranger: each file comes in under a name of our own, is shown harmless, and lands nowhere else."""

import hashlib
import os
import unicodedata
from pathlib import Path

import pytest
from bwcdock.cli import main
from bwcdock.clock import WallClock
from bwcdock.core.facts import Inventoried
from bwcdock.core.names import unescape
from bwcdock.testing.cards import hostile_exfat
from bwcdock.testing.station import StationBed
from bwcdock_drivers.folder import FolderDriver
from bwcdock_drivers.mass_storage import MassStorageDriver

# What a folder of this machine can hold; a card can hold more, see HOSTILE_NAMES.
NAMES: tuple[bytes, ...] = (
    b"..\\..\\windows\\owned.mp4",
    b"two\nlines.mp4",
    b"cr\rlf\r\n.mp4",
    b"\x1b[2J\x1b[31mred.mp4",
    b"bell\x07tab\t\x7f.mp4",
    "right\u202e4pm.exe".encode(),
    "zero\u200bwidth\ufeff.mp4".encode(),
    b"not utf-8 \xff\xfe.mp4",
    b"n" * 251 + b".mp4",
    "警".encode() * 83 + b".mp4",
    b"Twin.mp4",
    b"twin.MP4",
    "caf\u00e9.mp4".encode(),
    "cafe\u0301.mp4".encode(),
    b"-rf *.mp4",
    b"$(reboot)`id`;'\".mp4",
    b"<script>alert(1)<script>.mp4",
    b"trailing. .",
    b" ",
    b"...",
    b"\\x41.mp4",
    b"A.mp4",
)


def tree(root: Path) -> dict[str, str]:
    """Everything below, by raw path, with a digest of each file: what must not change outside the station."""
    found = {}
    for where, folders, files in os.walk(os.fsencode(root)):
        for name in (*folders, *files):
            path = os.path.join(where, name)
            data = Path(os.fsdecode(path)).read_bytes() if os.path.isfile(path) else b""
            found[os.fsdecode(path)] = hashlib.sha256(data).hexdigest()
    return found


def must_be_ours(bed: StationBed) -> None:
    """Every file the station made has a plain name, and every key stays below central storage."""
    for path in tree(bed.settings.paths.ledger.parent):
        name = Path(path).name
        assert name.isprintable(), ascii(name)
        assert unicodedata.normalize("NFC", name) == name
        assert len(os.fsencode(name)) <= 255
    for record in bed.records():
        assert bed.central(record.held[0].key).is_relative_to(bed.settings.sink[0].path)
        assert ".." not in Path(record.held[0].key).parts


def must_be_shown_harmless(bed: StationBed, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing that is printed can steer a terminal, break a line or turn the writing round."""
    station = str(bed.settings.paths.ledger.parent)
    session = next(s.id for s in bed.sessions() if s.receipt)
    for command in (["status"], ["records"], ["receipt", session]):
        assert main(["-C", station, *command]) == 0
        told = capsys.readouterr()
        bad = {c for c in told.out + told.err if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}}
        assert bad <= {"\n"}, (command, bad)


async def test_the_worst_card_there_can_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "cards" / "evil.img"
    image.parent.mkdir()
    card = hostile_exfat(image, WallClock().now())
    before = tree(image.parent)
    bed = StationBed(tmp_path, drivers=[MassStorageDriver()])
    async with bed.at_work():
        bed.watch.show("usb-1", image)
        await bed.until(lambda: bed.sessions() and bed.sessions()[0].receipt, limit_s=40)
    records = bed.records(card.serial) or bed.records()
    # Each file is there once, whole, whatever it is called; twins of one name have become two.
    wanted = sorted(file.sha256 for file in card.items)
    assert sorted(r.digests.sha256 for r in records) == wanted
    assert len({r.item.path for r in records}) == len({r.id for r in records}) == len(wanted)
    for record in records:
        assert hashlib.sha256(bed.central(record.held[0].key).read_bytes()).hexdigest() == record.digests.sha256
    assert {"name.hostile", "name.duplicate"} <= {f.code for f in bed.sessions()[0].findings}
    assert tree(image.parent) == before
    assert sorted(os.listdir(tmp_path)) == ["cards", "station"]
    must_be_ours(bed)
    must_be_shown_harmless(bed, capsys)
    bed.must_agree()


def hostile_folder(folder: Path) -> dict[bytes, bytes]:
    folder.mkdir(parents=True)
    contents = {name: f"hostile {at}".encode() for at, name in enumerate(NAMES)}
    for name, data in contents.items():
        Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).write_bytes(data)
    (folder / "link.mp4").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe.mp4")
    (folder / "loop").symlink_to(folder)
    return contents


async def test_the_same_in_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "cards" / "drop"
    contents = hostile_folder(folder)
    before = sorted(os.listdir(os.fsencode(folder)))
    bed = StationBed(tmp_path, drivers=[FolderDriver()])
    async with bed.at_work():
        bed.watch.show("path:/drop", folder)
        await bed.until(lambda: bed.sessions() and bed.sessions()[0].receipt, limit_s=40)
    brought = {unescape(r.item.path): bed.central(r.held[0].key).read_bytes() for r in bed.records()}
    assert brought == contents
    (told,) = bed.facts(Inventoried)
    assert told.new == len(NAMES)
    assert sorted(os.listdir(os.fsencode(folder))) == before
    assert {"file.special", "name.hostile"} <= {f.code for f in bed.sessions()[0].findings}
    must_be_ours(bed)
    must_be_shown_harmless(bed, capsys)
    bed.must_agree()
