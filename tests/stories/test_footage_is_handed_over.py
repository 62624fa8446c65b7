"""Footage is handed over with an approved request: whole, proven, verifiable by anybody, or not at all."""

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import bagit
import pytest
from bwcdock import app, config, stores
from bwcdock.clock import WallClock
from bwcdock.core.facts import Quarantined
from bwcdock.errors import BwcdockError, Misused, Unreachable, Untrue
from bwcdock.ledger import open_read_only
from bwcdock.papers.export import copying, image, package, room, verifier
from bwcdock.papers.export.permit import Permit
from bwcdock.papers.source import Source
from bwcdock.sinks.filesystem import FilesystemSink
from bwcdock.testing.station import found
from cli_world import QUICK, folder, run, well
from pycdlib import PyCdlib

NOW = datetime(2026, 3, 3, 1, tzinfo=UTC)
CONTENT = {
    "DCIM/20260302_080000.mp4": b"one" * 5000,
    "DCIM/20260302_090000_占道经营.mp4": b"two" * 7000,
    f"DCIM/{'长' * 70}.mp4": b"three" * 100,
}
PEOPLE = (("001", "administrator"), ("002", "bureau-deputy"), ("003", "officer"))
PERMIT = Permit(
    request="q-2026-17",
    who="李管理",
    role="管理员",
    applicant="某\n当事人",
    reason="案卷 <12>",
    approved_by=("王局", "赵科"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("handed") / "station"
    found(directory, QUICK, now=WallClock().now(), rules="S1-dalian-jinpu", unit="住建局")
    well("-C", directory, "ingest", folder(directory.parent / "BWC-0001", CONTENT))
    return directory


@pytest.fixture
def station(home, tmp_path) -> Path:
    """A copy of it, to be damaged."""
    copy = tmp_path / "station"
    shutil.copytree(home, copy)
    return copy


@contextmanager
def asking(station: Path) -> Iterator[tuple[Source, dict, Path]]:
    settings = config.load(station / "bwcdock.toml")
    with open_read_only(settings.paths.ledger) as ledger:
        yield (
            app.paper_source(settings, ledger, NOW),
            stores.sinks(settings, WallClock()),
            settings.paths.spool / "whole",
        )


def export(station: Path, to: Path, *named: str, **more: object) -> package.Made:
    with asking(station) as (source, sinks, spool):
        ids = named or tuple(record.id for record in source.ledger.records())
        return package.export(source, sinks, spool, package.Order(records=ids, to=to, **more), PERMIT)


def verify(directory: Path, *more: object) -> subprocess.CompletedProcess[str]:
    """As whoever got it: the program of the package itself, with Python alone."""
    command = [sys.executable, "-I", "-S", "-B", directory / "verify.py", *map(str, more)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def whole(home, tmp_path_factory) -> Path:
    """A package of everything, to be copied and looked at."""
    to = tmp_path_factory.mktemp("package") / "案卷12"
    export(home, to, copies=2)
    return to


@pytest.fixture(scope="module")
def some(home, tmp_path_factory) -> Path:
    """A package of two of three recordings: no receipt in it says the digests once more."""
    to = tmp_path_factory.mktemp("package") / "案卷12"
    with asking(home) as (source, _, _):
        ids = [record.id for record in source.ledger.records()]
    export(home, to, *ids[:2])
    return to


@pytest.fixture(params=["whole", "some"])
def given(request, tmp_path) -> Path:
    """A copy of either, to be damaged."""
    copy = tmp_path / "案卷12"
    shutil.copytree(request.getfixturevalue(request.param), copy)
    return copy


# --- what it is -------------------------------------------------------------------------------------------------------


def test_it_holds_the_originals_and_anybody_can_prove_them(home, whole):
    held = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (whole / "data/originals").iterdir()}
    assert held == {hashlib.sha256(data).hexdigest() for data in CONTENT.values()}
    told = verify(whole)
    assert told.returncode == 0, told
    assert "VERIFIED: 3 original(s), 1 receipt(s)." in told.stdout
    assert "核对" in told.stdout
    told = verify(whole, "--key", home / "keys/station.pub")
    assert told.returncode == 0
    assert "核对" not in told.stdout
    assert verify(whole, "--key", (home / "keys/station.pub").read_text().strip()).returncode == 0


def test_it_is_a_bag_for_others_too(whole):
    bag = bagit.Bag(str(whole))
    assert bag.validate()
    assert bag.info["Bwcdock-Request"] == "q-2026-17"
    assert bag.info["Bwcdock-Applicant"] == "某 当事人"
    assert bag.info["Bwcdock-Copies"] == "2"
    assert bag.info["Bwcdock-Approved-By"] == "王局、赵科"


def test_names_are_short_enough_for_a_disc_and_say_which_file_it_was(whole):
    names = sorted(path.name for path in (whole / "data/originals").iterdir())
    assert any(name.endswith("20260302_090000_占道经营.mp4") for name in names)
    assert all(len(path.name.encode()) <= 64 for path in whole.rglob("*"))


def test_the_papers_say_to_whom_and_how_many(whole):
    sheet = (whole / "data/papers/证据说明.html").read_text()
    assert re.search(r"拷贝份数</bdi></th><td><bdi>2 份", sheet)
    assert "案卷 &lt;12&gt;" in sheet
    assert "李管理（管理员）" in sheet
    assert len(list((whole / "data/papers").glob("移交回执-*.html"))) == 1
    assert "复制件数：2" in (whole / "说明.txt").read_text("utf-8-sig")


def test_the_same_order_is_the_same_bytes(home, whole, tmp_path):
    again = export(home, tmp_path / "again", copies=2)
    assert again.digest == hashlib.sha256((whole / "tagmanifest-sha256.txt").read_bytes()).hexdigest()


def test_a_part_of_a_docking_names_nobody_elses_recordings(home, tmp_path):
    with asking(home) as (source, _, _):
        mine, *others = source.ledger.records()
    made = export(home, tmp_path / "part", mine.id[:10])
    assert verify(made.to).returncode == 0
    assert not (made.to / "data/receipts").exists()
    text = "".join(path.read_text() for path in (made.to / "data/papers").glob("*.html"))
    assert mine.digests.sha256 in text
    assert "此处摘录其中 1 个" in text
    everything = b"".join(path.read_bytes() for path in made.to.rglob("*") if path.is_file())
    for other in others:
        assert other.digests.sha256.encode() not in everything
        assert other.item.path.encode() not in everything


# --- what is found out ------------------------------------------------------------------------------------------------


def relist(top: Path) -> None:
    """A forger who knows BagIt: every list made anew."""
    for name, files in (
        ("manifest-sha256.txt", [p for p in sorted(top.rglob("*")) if p.is_file() and p.is_relative_to(top / "data")]),
        (
            "tagmanifest-sha256.txt",
            [p for p in sorted(top.iterdir()) if p.is_file() and not p.name.startswith("tagman")],
        ),
    ):
        lines = (f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(top).as_posix()}\n" for p in files)
        (top / name).write_text("".join(lines))


def change(top: Path) -> None:
    path = next((top / "data/originals").iterdir())
    path.write_bytes(path.read_bytes()[:-1] + b"!")


def change_manifest(top: Path) -> None:
    path = top / "data/manifests/0001.manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"driver":"', b'"driver":"x'))


def change_receipt(top: Path) -> None:
    path = next(iter((top / "data/receipts").glob("*")), None)
    if path is None:  # of a part there is none; then any other signed paper
        change_manifest(top)
    else:
        path.write_bytes(path.read_bytes().replace(b'"station":"', b'"station":"x'))


def swap_proofs(top: Path) -> None:
    one, two = (top / f"data/proofs/000{n}.proof.json" for n in (1, 2))
    first, second = (json.loads(path.read_text()) for path in (one, two))
    one.write_text(json.dumps({**first, "entries": second["entries"]}))
    two.write_text(json.dumps({**second, "entries": first["entries"]}))


def swap_manifests(top: Path) -> None:
    one, two = (top / f"data/manifests/000{n}.manifest.json" for n in (1, 2))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def swap_originals(top: Path) -> None:
    one, two, *_ = sorted((top / "data/originals").iterdir())
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def remove(top: Path) -> None:
    next((top / "data/originals").iterdir()).unlink()


def add(top: Path) -> None:
    (top / "data/originals/0009_extra.mp4").write_bytes(b"extra")


def add_beside(top: Path) -> None:
    (top / "extra.txt").write_bytes(b"extra")


def forget_proof(top: Path) -> None:
    (top / "data/proofs/0001.proof.json").unlink()


def change_head(top: Path) -> None:
    path = top / "data/proofs/head.note"
    origin, size, rest = path.read_text().split("\n", 2)
    path.write_text(f"{origin}\n{int(size) + 1}\n{rest}")


def change_leaf(top: Path) -> None:
    path = top / "data/proofs/0001.proof.json"
    proof = json.loads(path.read_text())
    proof["entries"][-1]["path"] = proof["entries"][-1]["path"][::-1]
    path.write_text(json.dumps(proof))


def mix_entries(top: Path) -> None:
    one, two = (json.loads((top / f"data/proofs/000{n}.proof.json").read_text()) for n in (1, 2))
    one["entries"].append(two["entries"][1])
    (top / "data/proofs/0001.proof.json").write_text(json.dumps(one))


def link(top: Path) -> None:
    path = next((top / "data/originals").iterdir())
    path.rename(top.parent / "elsewhere")
    path.symlink_to(top.parent / "elsewhere")


@pytest.mark.parametrize("clever", [lambda _: None, relist], ids=["plain", "relisted"])
@pytest.mark.parametrize(
    "damage",
    [
        change, change_manifest, change_receipt, swap_proofs, swap_manifests, swap_originals, remove, add, forget_proof,
        change_head, change_leaf, mix_entries, link,
    ],
)  # fmt: skip
def test_every_damage_is_found_also_by_who_makes_the_lists_anew(given, damage: Callable[[Path], None], clever):
    damage(given)
    clever(given)
    told = verify(given)
    assert told.returncode == 1, told
    assert "NOT VERIFIED" in told.stdout
    assert "不符" in told.stdout
    assert "Traceback" not in told.stderr


def test_a_file_beside_the_rest_is_found(given):
    add_beside(given)
    told = verify(given)
    assert told.returncode == 1
    assert "extra.txt" in told.stdout


def test_another_key_is_found(given, tmp_path):
    found(tmp_path / "other", now=WallClock().now())
    other = tmp_path / "other/keys/station.pub"
    told = verify(given, "--key", other)
    assert told.returncode == 1
    assert "is not the key given" in told.stdout
    (given / verifier.KEY).write_bytes(other.read_bytes())
    relist(given)
    assert verify(given).returncode == 1
    assert verify(given, "--key", "nonsense").returncode == 1


# --- where it comes from ----------------------------------------------------------------------------------------------


def test_a_bad_central_copy_is_passed_over_and_told(station, tmp_path):
    central = next((station / "central").rglob("*080000*.mp4"))
    central.chmod(0o600)
    central.write_bytes(b"X" + central.read_bytes()[1:])
    made = export(station, tmp_path / "out")
    assert verify(made.to).returncode == 0
    assert len(made.notes) == 2  # and that there are no PDFs
    assert "改由 spool 提供" in made.notes[0][0]
    assert "central gave other bytes than were sealed" in made.notes[0][1]


def test_without_central_storage_the_spool_gives_it_and_the_manifests_are_missed(station, tmp_path):
    shutil.rmtree(station / "central")
    made = export(station, tmp_path / "out")
    told = verify(made.to)
    assert told.returncode == 0, told
    assert not (made.to / "data/manifests").exists()
    assert "签名清单此时无法从集中存储取得" in (made.to / "说明.txt").read_text("utf-8-sig")


def test_where_no_place_gives_the_sealed_bytes_nothing_is_made(station, tmp_path):
    for path in (*(station / "central").rglob("*.mp4"), *(station / "spool/whole").iterdir()):
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Untrue, match="as it was sealed"):
        export(station, tmp_path / "out", iso=tmp_path / "out.iso")
    assert sorted(os.listdir(tmp_path)) == ["station"]


def test_where_no_place_can_be_read_nothing_is_made(station, tmp_path):
    shutil.rmtree(station / "central")
    shutil.rmtree(station / "spool/whole")
    with pytest.raises(Unreachable, match="as it was sealed"):
        export(station, tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["station"]


# --- what is refused --------------------------------------------------------------------------------------------------


def test_without_an_approved_request_the_command_hands_nothing_over(home, tmp_path):
    with asking(home) as (source, _, _):
        record = source.ledger.records()[0].id
    who = ("--request", "access-1", "--as", "001", "--role", "administrator")
    told = run("-C", home, "export", record, "--to", tmp_path / "out", *who)
    assert told.status == 1
    assert "No approved request" in told.err
    assert os.listdir(tmp_path) == []
    assert run("-C", home, "export", "ffff", "--to", tmp_path / "out", *who).status == 2
    assert run("-C", home, "export", record, "--to", tmp_path / "out").status == 2
    assert "number of copies" in run("-C", home, "export", record, "--to", "x", "--copies", "0", *who).err


def test_what_was_approved_is_handed_over_by_the_administrator_alone_and_registered_first(station, tmp_path):
    """S1 第二十四条: 应当经分管局领导同意并办理相关登记手续."""
    with asking(station) as (source, _, _):
        first, second, _ = [record.id for record in source.ledger.records()]
    admin, leader, officer = (("--as", a, "--role", b) for a, b in PEOPLE)

    def desk(*words: object) -> str:
        return json.loads(well("-C", station, "desk", *words, "--json"))["matter"]

    for person, role in PEOPLE:
        desk("enter-person", *admin, "--person", person, "--name", f"某{person}", "--roles", role)
    asked = ("--applicant", "当事人", "--reason", "查阅本案", "--records", first)
    request = desk("request-access", *officer, "--access", "copy", *asked)
    viewing = desk("request-access", *officer, "--access", "view_outside", *asked)
    out = tmp_path / "out"

    def export(record: str, under: str, who: tuple[str, ...]) -> object:
        return run("-C", station, "export", record, "--to", out, "--request", under, *who, "--copies", "2")

    assert "not granted; the next to decide is bureau-deputy" in export(first, request, admin).err
    for each in (request, viewing):
        desk("approve", *leader, "--request", each)
    for record, under, who, why in (
        (second, request, admin, f"does not name recording {second}"),
        (first, viewing, admin, "granted for viewing"),
        (first, request, officer, "may not do this (use-access)"),
        (first, request, ("--as", "099", "--role", "administrator"), "no person '099'"),
    ):
        told = export(record, under, who)
        assert told.status in {1, 2}
        assert why in told.err
        assert not out.exists()
    told = export(first, request, admin)
    assert told.status == 0, told.err
    assert verify(out).returncode == 0
    bag = (out / "bag-info.txt").read_text()
    assert f"Bwcdock-Request: {request}" in bag
    assert "Bwcdock-Approved-By: 某002 (002)" in bag
    (access,) = json.loads(well("-C", station, "desk", "list", "access", request, "--json"))
    assert [(line["how"], line["who"], line["by"], line["copies"]) for line in access["used"]] == [
        ("exported", "当事人", "001", 2)
    ]
    well("-C", station, "audit")


def test_a_permit_names_everybody():
    for missing in ("request", "who", "applicant", "reason"):
        with pytest.raises(ValueError, match="permit names"):
            replace(PERMIT, **{missing: ""})
    with pytest.raises(ValueError, match="permit names"):
        replace(PERMIT, approved_by=())


def test_what_is_not_sealed_is_not_handed_over(station, tmp_path):
    settings = config.load(station / "bwcdock.toml")
    with app.opened(settings) as bench:
        record = bench.book.ask(lambda ledger: ledger.records())[0]
        listed = bench.book.ask(lambda ledger: ledger.history(record=record.id, ev="record.listed"))[0].fact
        new = replace(listed, record="ab" * 16)
        bench.book.record([new])
        with pytest.raises(Misused, match="is listed: there is no sealed original"):
            export(station, tmp_path / "out", new.record)
        bad = Quarantined(
            record=new.record, recorder=new.recorder, reason="unreadable", what="Bad places.", hint="Keep it."
        )
        bench.book.record([bad])
    with pytest.raises(Misused, match=r"is quarantined \(Bad places\)"):
        export(station, tmp_path / "out", record.id, new.record)
    assert sorted(os.listdir(tmp_path)) == ["station"]


@pytest.mark.parametrize("taken", ["out", "out.iso"])
def test_nothing_is_overwritten(home, tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    with pytest.raises(Misused, match="is there already"):
        export(home, tmp_path / "out", iso=tmp_path / "out.iso")
    assert os.listdir(tmp_path) == [taken]
    assert (tmp_path / taken).read_text() == "mine"


def test_a_place_that_is_not_there_is_one_sentence(home, tmp_path):
    with pytest.raises(BwcdockError, match="cannot be written"):
        export(home, tmp_path / "nowhere/out")


def test_what_does_not_fit_is_refused_before_the_first_byte(home, tmp_path, monkeypatch):
    tiny = os.statvfs_result((4096, 4096, 100, 10, 10, 0, 0, 0, 0, 255))
    monkeypatch.setattr(room.os, "statvfs", lambda _: tiny)
    with pytest.raises(BwcdockError, match="There is no room"):
        export(home, tmp_path / "out")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("where", "code", "hint"),
    [
        (copying, errno.ENOSPC, "Make room"),
        (copying, errno.EFBIG, "exFAT"),
        (package, errno.EIO, "take another"),
        (image, errno.ENOSPC, "Make room"),
    ],
)
def test_a_disk_that_fails_in_the_middle_leaves_nothing(home, tmp_path, monkeypatch, where, code, hint):
    real = where.created

    @contextmanager
    def failing(path, **more):
        with real(path, **more) as stream:
            stream.write(b"some")
            raise OSError(code, os.strerror(code))
            yield stream

    monkeypatch.setattr(where, "created", failing)
    with pytest.raises(BwcdockError, match=hint):
        export(home, tmp_path / "out", iso=tmp_path / "out.iso")
    assert os.listdir(tmp_path) == []


def test_a_stick_that_gives_back_other_bytes_is_found_out(home, tmp_path, monkeypatch):
    real = copying.created

    @contextmanager
    def lying(path, **more):
        with real(path, **more) as stream:
            yield stream
            stream.seek(0)
            stream.write(b"X")

    monkeypatch.setattr(copying, "created", lying)
    with pytest.raises(Untrue, match="gave back other bytes than were written"):
        export(home, tmp_path / "out")
    assert os.listdir(tmp_path) == []


# --- a disc -----------------------------------------------------------------------------------------------------------


def test_an_image_holds_the_package_with_its_names(home, tmp_path):
    made = export(home, tmp_path / "案卷", iso=tmp_path / "案卷.iso", copies=3)
    assert made.disc == "CD"
    wanted = {p.relative_to(made.to).as_posix(): p.read_bytes() for p in made.to.rglob("*") if p.is_file()}
    disc = PyCdlib()
    disc.open(str(made.iso))
    try:
        for view in ("joliet_path", "rr_path"):
            held = {}
            for where, _, names in disc.walk(**{view: "/"}):
                for name in names:
                    out = BytesIO()
                    path = f"{where.rstrip('/')}/{name}"
                    disc.get_file_from_iso_fp(out, **{view: path})
                    held[path.removeprefix("/")] = out.getvalue()
            assert held == wanted, view
    finally:
        disc.close()
    assert sorted(os.listdir(tmp_path)) == ["案卷", "案卷.iso"]


def test_an_image_that_differs_gets_no_name(home, tmp_path, monkeypatch):
    real = image._mastered

    def wrong(top: Path, digests, label):
        path = next((top / "data/originals").iterdir())
        data = path.read_bytes()
        path.write_bytes(b"X" + data[1:])
        return real(top, digests, label)

    monkeypatch.setattr(image, "_mastered", wrong)
    with pytest.raises(Untrue, match="gave back other bytes"):
        export(home, tmp_path / "out", iso=tmp_path / "out.iso")
    assert os.listdir(tmp_path) == []


def test_an_image_with_other_names_gets_no_name(home, tmp_path, monkeypatch):
    real = image._mastered

    def wrong(top: Path, digests, label):
        return real(top, {name: digest for name, digest in digests.items() if name != "说明.txt"}, label)

    monkeypatch.setattr(image, "_mastered", wrong)
    with pytest.raises(Untrue, match="other names"):
        export(home, tmp_path / "out", iso=tmp_path / "out.iso")
    assert os.listdir(tmp_path) == []


def test_where_the_folder_gets_no_name_the_image_gets_none_either(home, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(package, "appear", full)
    with pytest.raises(BwcdockError, match="Make room"):
        export(home, tmp_path / "out", iso=tmp_path / "out.iso")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("size", "disc"), [(1, "CD"), (4_000_000_000, "DVD"), (20_000_000_000, "BD"), (10**12, "BD 多层")]
)
def test_which_disc_it_needs(size, disc):
    assert image.disc_for(size) == disc


def test_a_folder_gives_back_what_it_holds(home):
    with asking(home) as (source, sinks, _):
        record = source.ledger.records()[0]
        sink = sinks["central"]
        assert isinstance(sink, FilesystemSink)
        given = b"".join(bytes(chunk) for chunk in sink.give(record.held[0].key))
        assert hashlib.sha256(given).hexdigest() == record.digests.sha256
        with pytest.raises(Unreachable):
            next(sink.give("gone/away.mp4"))

        def mine():
            for _ in sink.give(record.held[0].key):
                raise OSError(errno.ENOSPC, "the taker's own disk")

        with pytest.raises(OSError, match="taker's own"):
            mine()
