"""Signed documents, and central storage proven from nothing: every damage must be told, and nothing else."""

import base64
import gc
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from bwcdock.core.facts import (
    Beat,
    Claim,
    Corrected,
    Digests,
    Drift,
    Fact,
    Finding,
    Identity,
    Item,
    Listed,
    MediaFacts,
    Obligation,
    Pulled,
    Sealed,
    Severity,
)
from bwcdock.errors import Misused, Unreachable, Untrue
from bwcdock.ledger import Ledger, Signer
from bwcdock.manifest import (
    MAX_DOCUMENT,
    Manifest,
    Position,
    Receipt,
    ReceiptLine,
    hash_of_hashes,
    key_of,
    open_signed,
    receipt,
    sign,
)
from bwcdock.sinks.filesystem import MARKER, FilesystemSink
from bwcdock.testing.s3_server import S3Server
from bwcdock.testing.s3_vault import Habits
from bwcdock.testing.sinks import MemorySink, digests_of
from bwcdock.verify_central import Stored, prove, verify
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from s3_beds import Account, S3Bed
from sftp_world import SftpBed, serving

NOW = datetime(2026, 11, 21, 8, 30, 0, 123000, tzinfo=UTC)
ORIGIN = "bureau/dock-1"
SIGNER = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
IDENTITY = Identity(serial="ZFY1", basis="label", vendor="甲")
CLAIM = Claim(start=NOW, end=None, source="name", zone="Asia/Shanghai", text="20261121163000")
CORRECTED = Corrected(start=NOW, end=None, method="plug-file", offset_ms=-1500, uncertainty_ms=2000)
OBLIGATION = Obligation(
    pack="S4", article="第十七条", quote="24小时内导出", due=NOW + timedelta(days=1), basis="recorded", basis_at=NOW,
    met_by="confirmed", sinks=("nas",), keep_article="第十九条", keep_until=None, permanent=True,
    rests_on=(("tag", "纠纷"),),
)  # fmt: skip


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def manifest(record: str, data: bytes, position: Position, key: str = "") -> Manifest:
    digests = digests_of(data)
    return Manifest(
        key=key, record=record, recorder=IDENTITY, driver="mass-storage", path="DCIM/F0001.mp4", size=len(data),
        sha256=digests.sha256, blake3=digests.blake3, claim=CLAIM, corrected=CORRECTED,
        drift=Drift(method="plug-file", offset_ms=-1500, uncertainty_ms=2000, read_at=NOW),
        station_clock="synchronised", media=MediaFacts(container="mp4", duration_ms=60_000), officer="王", unit="一队",
        markers=("important",), obligation=OBLIGATION, verdict="met", sessions=("s1",), position=position,
        station_version="1.0", at=NOW,
    )  # fmt: skip


NOWHERE = Position(origin=ORIGIN, seq=0, leaf="", path=(), checkpoint="")
LINES = (
    ReceiptLine(
        record="bb", path="b", size=5, sha256="b" * 64, state="sealed", due=NOW, article="第十七条", verdict="met"
    ),
    ReceiptLine(record="aa", path="a", size=7, state="quarantined"),
)


def receipt_of(*lines: ReceiptLine) -> Receipt:
    finding = Finding(severity=Severity.WARN, code="clock.drift", what="The clock is slow.", remedy="Set it.")
    return receipt(
        lines, station="dock-1", origin=ORIGIN, sessions=["s1"], recorder=IDENTITY, officer="王", findings=[finding],
        at=NOW, station_version="1.0",
    )  # fmt: skip


# --- documents --------------------------------------------------------------------------------------------------------


def test_signed_and_opened() -> None:
    for paper in (manifest("aa", b"x", NOWHERE), receipt_of(*LINES)):
        data = sign(paper, SIGNER)
        assert open_signed(data, type(paper), SIGNER.verifier) == paper
        assert sign(paper, SIGNER) == data
        assert rfc8785.dumps(json.loads(data)) == data
        assert b"\n" not in data
        assert (
            json.loads(data)["signature"]["key"]
            == key_of(SIGNER.verifier)
            == "+".join(SIGNER.verifier.vkey.split("+")[:2])
        )


def test_papers_that_were_read_leave_nothing_in_memory() -> None:
    """A station reads thousands, and what one of them leaves behind keeps the memory it lies in."""

    def read(numbers: range) -> int:
        for number in numbers:
            lines = (LINES[0].model_copy(update={"record": f"{number:032x}", "path": f"DCIM/{number}.mp4"}),)
            open_signed(sign(receipt_of(*lines), SIGNER), Receipt, SIGNER.verifier)
        gc.collect()
        return sys.getallocatedblocks()

    before = read(range(100))
    assert read(range(100, 2000)) - before < 500


def test_only_this_key_and_this_kind() -> None:
    data = sign(receipt_of(*LINES), SIGNER)
    with pytest.raises(Untrue, match="signed by"):
        open_signed(data, Receipt, OTHER.verifier)
    with pytest.raises(Untrue):
        open_signed(data, Manifest, SIGNER.verifier)
    renamed = Signer("bureau/dock-2", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    with pytest.raises(Untrue, match="signed by"):
        open_signed(data, Receipt, renamed.verifier)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_changed_bit_and_no_cut_is_believed(data: st.DataObject) -> None:
    paper = sign(manifest("aa", b"x", NOWHERE), SIGNER)
    at = data.draw(st.integers(0, len(paper) * 8 - 1))
    flipped = bytearray(paper)
    flipped[at // 8] ^= 1 << at % 8
    for bad in (bytes(flipped), paper[: at // 8], paper + b" ", b" " + paper):
        with pytest.raises(Untrue):
            open_signed(bad, Manifest, SIGNER.verifier)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"payload":{},"signature":{}}',
        b"\xff",
        b'{"payload":1,"signature":2}',
        b"[" * 9999,
    ],
)
def test_nonsense_is_told(bad: bytes) -> None:
    with pytest.raises(Untrue) as told:
        open_signed(bad, Manifest, SIGNER.verifier)
    assert told.value.hint


def test_one_spelling_only() -> None:
    """The same JSON spelt otherwise, or with a name twice, is not the document that was signed."""
    data = sign(receipt_of(*LINES), SIGNER)
    loose = json.dumps(json.loads(data)).encode()
    twice = data.replace(b'{"payload"', b'{"payload":{},"payload"', 1)
    for bad in (loose, twice):
        with pytest.raises(Untrue, match=r"canonical|the signature is wrong"):
            open_signed(bad, Receipt, SIGNER.verifier)


def test_a_signature_over_more_is_no_document() -> None:
    document = json.loads(sign(receipt_of(*LINES), SIGNER))
    document["extra"] = 1
    with pytest.raises(Untrue):
        open_signed(rfc8785.dumps(document), Receipt, SIGNER.verifier)


def test_a_receipt_adds_up() -> None:
    made = receipt_of(*LINES)
    assert [line.record for line in made.lines] == ["aa", "bb"]
    assert (made.count, made.size, made.digest) == (2, 12, hash_of_hashes(made.lines))
    assert hash_of_hashes(LINES) != made.digest  # the order is part of it
    for wrong in ({"count": 3}, {"size": 13}, {"digest": "0" * 64}, {"lines": made.lines[:1]}):
        with pytest.raises(ValidationError):
            Receipt.model_validate(made.model_dump() | wrong)


def test_times_have_a_zone() -> None:
    with pytest.raises(ValidationError):
        Receipt.model_validate(receipt_of(*LINES).model_dump() | {"at": NOW.replace(tzinfo=None)})


# --- central storage --------------------------------------------------------------------------------------------------


@dataclass
class Central:
    root: Path
    ledger: Ledger
    sink: FilesystemSink
    sizes: list[int]

    def facts(self, *facts: Fact) -> int:
        return self.ledger.append(facts, NOW)[-1].seq

    def head(self) -> str:
        head = self.ledger.checkpoint()
        if self.sizes:
            proof = self.ledger.consistency(self.sizes[-1], head.size)
            told = {"from": self.sizes[-1], "to": head.size, "hashes": [b64(h) for h in proof]}
            self.sink.note(f"checkpoints/dock-1/{head.size:020}.consistency", rfc8785.dumps(told))
        self.sink.note(f"checkpoints/dock-1/{head.size:020}.note", head.note.encode())
        self.sizes.append(head.size)
        return head.note

    def store(self, record: str, data: bytes) -> ReceiptLine:
        """A recording, from the card to central storage."""
        digests = digests_of(data)
        item = Item(path=f"DCIM/{record}.mp4", size=len(data), modified=NOW, claim=CLAIM)
        subject = {"record": record, "session": "s1", "recorder": "ZFY1"}
        self.facts(Listed(**subject, item=item, corrected=CORRECTED))
        self.facts(Pulled(**subject, size=len(data), digests=digests, edges="00"))
        seq = self.facts(self.sealed(record, len(data), digests))
        note = self.head()
        path = self.ledger.inclusion(seq, self.ledger.size)
        position = Position(
            origin=ORIGIN, seq=seq, leaf=b64(self.ledger.leaf(seq)), path=tuple(map(b64, path)), checkpoint=note
        )
        key = f"一队/2026-11-21/ZFY1/{record}.mp4"
        source = self.root.with_name("source")
        source.write_bytes(data)
        self.sink.put(key, source, digests, None)
        self.sink.note(f"{key}.manifest.json", sign(manifest(record, data, position, key), SIGNER))
        return ReceiptLine(record=record, path=item.path, size=len(data), sha256=digests.sha256, state="sealed")

    def sealed(self, record: str, size: int, digests: Digests) -> Sealed:
        return Sealed(
            record=record, session="s1", recorder="ZFY1", size=size, digests=digests, readback="direct",
            media=MediaFacts(), corrected=CORRECTED,
        )  # fmt: skip

    def lines(self, keys: str = SIGNER.verifier.vkey) -> list[str]:
        """What disagrees: in the folder, and the same by asking a sink for what it holds."""
        told = list(verify(self.root, keys).disagreements)
        assert list(prove(Stored(self.sink), keys).disagreements) == told
        return told

    def path(self, name: str) -> Path:
        (path,) = self.root.rglob(name)
        return path


@pytest.fixture
def central(tmp_path: Path) -> Iterator[Central]:
    root, home = tmp_path / "central", tmp_path / "ledger"
    root.mkdir()
    home.mkdir(mode=0o700)
    sink = FilesystemSink("nas", root)
    sink.initialise()
    with Ledger.create(home, "S4", SIGNER, NOW) as ledger:
        made = Central(root, ledger, sink, [])
        made.head()
        lines = [made.store(f"{n:032x}", bytes([n]) * (n * 1000)) for n in range(1, 4)]
        made.facts(Beat(clock="synchronised"))
        made.head()
        lines.append(ReceiptLine(record="f" * 32, path="DCIM/bad.mp4", size=9, state="quarantined"))
        sink.note("receipts/s1.json", sign(receipt_of(*lines), SIGNER))
        yield made


def rewrite(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def resigned(path: Path, **changes: object) -> None:
    """Change a manifest and sign it again with the right key: a station that lies."""
    paper = open_signed(path.read_bytes(), Manifest, SIGNER.verifier)
    rewrite(path, sign(paper.model_copy(update=changes), SIGNER))


FIRST, SECOND = f"{1:032x}.mp4", f"{2:032x}.mp4"
PAPER = FIRST + ".manifest.json"


def test_all_is_well(central: Central) -> None:
    report = verify(central.root, SIGNER.verifier.vkey)
    assert report.disagreements == ()
    assert report.ok
    assert (report.objects, report.size, report.receipts, report.checkpoints) == (3, 6000, 1, 5)


def test_unfinished_work_is_no_disagreement(central: Central) -> None:
    (central.root / ".incoming" / "x.part").write_bytes(b"half")
    (central.root / "一队" / ".bwcdock-publish.lock").touch()
    assert central.lines() == []


@pytest.mark.parametrize("at", [0, 500, 999])
def test_a_turned_bit_in_an_object(central: Central, at: int) -> None:
    path = central.path(FIRST)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    rewrite(path, bytes(data))
    lines = central.lines()
    assert len(lines) == 2  # one for each digest
    assert all(FIRST in line and "its manifest says" in line for line in lines)


def test_a_cut_object(central: Central) -> None:
    path = central.path(FIRST)
    rewrite(path, path.read_bytes()[:-1])
    assert "has 999 bytes; its manifest says 1000" in central.lines()[0]


def test_two_objects_swapped(central: Central) -> None:
    first, second = central.path(FIRST), central.path(SECOND)
    first.rename(first.with_suffix(".x"))
    second.rename(first)
    first.with_suffix(".x").rename(second)
    assert {line.split(":")[0].rpartition("/")[2] for line in central.lines()} == {FIRST, SECOND}


def test_an_object_without_manifest_and_the_other_way_round(central: Central) -> None:
    central.path(PAPER).unlink()
    lines = central.lines()
    assert any(line.endswith("an object without a manifest.") for line in lines)
    assert any("was handed over and is not in central storage" in line for line in lines)
    central.path(SECOND).unlink()
    assert any(line.endswith("a manifest without its object.") for line in central.lines())
    assert sum("was handed over" in line for line in central.lines()) == 2


def test_a_recording_that_is_gone_with_its_manifest(central: Central) -> None:
    """Both taken away: only the receipt knows."""
    central.path(PAPER).unlink()
    central.path(FIRST).unlink()
    (line,) = central.lines()
    assert "receipts/s1.json" in line
    assert f"{1:032x}" in line


def test_a_manifest_moved_to_another_object(central: Central) -> None:
    shutil.copy(central.path(SECOND + ".manifest.json"), central.path(PAPER))
    assert len(central.lines()) >= 3


def test_every_turned_bit_in_a_manifest(central: Central) -> None:
    path = central.path(PAPER)
    good = path.read_bytes()
    path.chmod(0o600)
    for at in range(0, len(good), 97):
        path.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
        assert any(PAPER in line for line in central.lines()), at


def test_another_key(central: Central) -> None:
    lines = central.lines(OTHER.verifier.vkey)
    assert sum("no checkpoint of this station" in line for line in lines) == 5
    assert sum(".manifest.json" in line for line in lines) == 3
    assert central.lines(f"{OTHER.verifier.vkey}\n{SIGNER.verifier.vkey}\n") == []
    assert len(central.lines("")) >= 9
    with pytest.raises(Misused):
        central.lines("no key")


def test_a_station_that_seals_one_thing_and_says_another(central: Central) -> None:
    path = central.path(PAPER)
    other = b"\1" * 999 + b"\2"
    rewrite(central.path(FIRST), other)
    digests = digests_of(other)
    resigned(path, sha256=digests.sha256, blake3=digests.blake3)
    assert any("seals something else" in line for line in central.lines())


def test_a_leaf_that_is_not_in_the_tree(central: Central) -> None:
    path = central.path(PAPER)
    paper = open_signed(path.read_bytes(), Manifest, SIGNER.verifier)
    at = paper.position
    for changes in (
        {"seq": at.seq + 1},
        {"path": at.path[:-1]},
        {"path": (*at.path[:-1], b64(bytes(32)))},
        {"leaf": b64(base64.b64decode(at.leaf).replace(b'"mono":', b'"mono":1'))},
    ):
        resigned(path, position=at.model_copy(update=changes))
        assert any("is not in the tree" in line for line in central.lines()), changes
    for changes, told in (
        ({"leaf": "?"}, "cannot be read"),
        ({"leaf": b64(b"{}")}, "cannot be read"),
        ({"leaf": b64(b"[" * 200_000)}, "cannot be read"),
        ({"path": ("x",)}, "cannot be read"),
        ({"checkpoint": "forged"}, "not signed by this station"),
        ({"origin": "bureau/dock-9"}, "not signed by this station"),
    ):
        resigned(path, position=at.model_copy(update=changes))
        assert any(told in line for line in central.lines()), changes


def test_checkpoints(central: Central) -> None:
    folder = central.root / "checkpoints" / "dock-1"
    notes = sorted(folder.glob("*.note"))
    proof = notes[2].with_suffix(".consistency")
    good = proof.read_bytes()
    told = json.loads(good)
    for bad, says in (
        (rfc8785.dumps(told | {"from": 1}), "is missing"),
        (rfc8785.dumps(told | {"hashes": told["hashes"][:-1]}), "history was changed"),
        (rfc8785.dumps(told | {"hashes": [b64(bytes(32))] * len(told["hashes"])}), "history was changed"),
        (b"{}", "no consistency proof"),
        (b"[]", "no consistency proof"),
        (b"\xff", "no consistency proof"),
        (b"[" * 200_000, "no consistency proof"),
        (rfc8785.dumps(told | {"from": "1\nall hold"}), "is missing"),
    ):
        rewrite(proof, bad)
        (line,) = central.lines()
        assert says in line
        assert line.isprintable()
    proof.unlink()
    assert [line.rpartition(":")[2] for line in central.lines()] == [" is missing."]
    rewrite(proof, good)
    assert central.lines() == []
    rewrite(notes[1], notes[2].read_bytes())
    assert any("under another name" in line for line in central.lines())


def test_a_checkpoint_taken_away(central: Central) -> None:
    note = sorted((central.root / "checkpoints" / "dock-1").glob("*.note"))[2]
    note.unlink()
    lines = central.lines()
    assert any("a consistency proof without its checkpoint" in line for line in lines)
    assert any("which is not in checkpoints/" in line for line in lines)


def test_a_forked_ledger(central: Central, tmp_path: Path) -> None:
    """The same key signs a second history: another tree of the same size, and one that does not continue."""
    home = tmp_path / "second"
    home.mkdir(mode=0o700)
    with Ledger.create(home, "S4", SIGNER, NOW) as second:
        second.append([Beat(clock="other")] * (central.sizes[-1] - 1), NOW)
        fork = second.checkpoint()
    other = central.root / "checkpoints" / "elsewhere"
    other.mkdir()
    (other / f"{fork.size:020}.note").write_text(fork.note)
    assert any("forked" in line for line in central.lines())
    shutil.rmtree(other)
    rewrite(central.root / "checkpoints" / "dock-1" / f"{fork.size:020}.note", fork.note.encode())
    assert any("history was changed" in line for line in central.lines())


def test_a_receipt_with_other_bytes(central: Central) -> None:
    line = ReceiptLine(record=f"{1:032x}", path="x", size=1000, sha256="0" * 64, state="released")
    central.sink.note("receipts/s2.json", sign(receipt_of(line), SIGNER))
    (told,) = central.lines()
    assert "other bytes" in told
    rewrite(central.path("s1.json"), b"{}")
    assert any("s1.json" in line and "receipt does not hold" in line for line in central.lines())


def test_strange_things_are_told_on_one_line(central: Central, tmp_path: Path) -> None:
    (central.root / "一队" / "evil\n\x1b[2Jname").write_bytes(b"x")
    (central.root / "一队" / "link").symlink_to(tmp_path)
    (central.root / "away").symlink_to("/etc")
    os.mkfifo(central.root / "一队" / "fifo.manifest.json")
    # A sink is asked for its keys alone: what has none is nothing of ours.
    assert prove(Stored(central.sink), SIGNER.verifier.vkey).ok
    lines = verify(central.root, SIGNER.verifier.vkey).disagreements
    assert all(line.isprintable() for line in lines)
    assert sum("a symbolic link" in line for line in lines) == 2
    assert any("fifo" in line for line in lines)
    assert len(lines) == 4


def test_a_recording_moved_to_another_officer_with_its_manifest(central: Central) -> None:
    other = central.root / "一队" / "2026-11-21" / "ZFY2"
    other.mkdir()
    for name in (FIRST, PAPER):
        central.path(name).rename(other / name)
    (line,) = central.lines()
    assert line == f"一队/2026-11-21/ZFY2/{PAPER}: belongs to 一队/2026-11-21/ZFY1/{FIRST}: it was moved."


@pytest.mark.parametrize("name", [PAPER, "s1.json"])
def test_a_document_that_nests_without_end_is_told(central: Central, name: str) -> None:
    rewrite(central.path(name), b"[" * 200_000)
    assert any(name in line and "does not hold" in line for line in central.lines())


def test_a_folder_that_is_no_central_storage(central: Central, tmp_path: Path) -> None:
    """An empty folder is what a share that is not mounted leaves behind; nothing in it is nothing proven."""
    (tmp_path / "mnt").mkdir()
    with pytest.raises(Misused, match=r"mnt is no central storage: there is no \.bwcdock-central"):
        verify(tmp_path / "mnt", SIGNER.verifier.vkey)


def test_central_storage_without_a_checkpoint_of_the_key(central: Central) -> None:
    for path in central.root.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    assert central.lines() == [
        "checkpoints: no checkpoint of the keys given: nothing of their stations is proven here."
    ]


@contextmanager
def bucket(folder: Path) -> Iterator[S3Bed]:
    with S3Server(Habits()) as server:
        owner = Account(server.OWNER, server.OWNERS_SECRET)
        yield S3Bed(server.endpoint, server.BUCKET, owner, owner, folder / "uploads")


@contextmanager
def ssh_folder(folder: Path) -> Iterator[SftpBed]:
    with serving(folder / "sftp") as server:
        bed = SftpBed(server.place)
        yield bed
        bed.close()


@pytest.mark.parametrize("rotten", [False, True])
@pytest.mark.parametrize("place", [bucket, ssh_folder])
def test_what_lies_elsewhere(central: Central, tmp_path: Path, place: Callable[..., Any], rotten: bool) -> None:
    name = str(central.path(FIRST).relative_to(central.root))
    with place(tmp_path) as bed:
        for key in central.sink.keys("", ""):
            data = (central.root / key).read_bytes()
            bed.plant(key, data[:-1] + b"\2" if rotten and key == name else data)
        if rotten:
            bed.plant(f"{name}.more", b"bare")
        told = prove(Stored(bed.sink()), SIGNER.verifier.vkey)
    wrong = [f"{name}: SHA-256", f"{name}: BLAKE3", f"{name}.more: an object without a manifest."]
    assert [line.split(" is ")[0] for line in told.disagreements] == (wrong if rotten else [])
    assert (told.size, told.receipts, told.checkpoints) == (6000, 1, 5)


def test_a_sink_that_holds_no_document_there(central: Central) -> None:
    rewrite(central.path(PAPER), b" " * (2 * MAX_DOCUMENT))
    told = prove(Stored(central.sink), SIGNER.verifier.vkey).disagreements
    assert any(PAPER in line and "cannot be read" in line for line in told)


def test_a_sink_that_cannot_be_listed() -> None:
    with pytest.raises(Misused, match="cannot be listed"):
        Stored(MemorySink())  # type: ignore[arg-type]


def test_a_sink_that_is_away_proves_nothing(central: Central) -> None:
    central.root.rename(central.root.with_name("away"))
    with pytest.raises(Unreachable):
        prove(Stored(central.sink), SIGNER.verifier.vkey)


def test_a_sink_that_was_never_taken_into_use(central: Central) -> None:
    (central.root / MARKER).unlink()
    with pytest.raises(Misused, match="nas is no central storage"):
        prove(Stored(central.sink), SIGNER.verifier.vkey)


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "none", SIGNER.verifier.vkey)
