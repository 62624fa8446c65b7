"""The oracle: every kind of damage is named, exactly and once; beside a working station nothing that moves is named."""

import asyncio
import json
import shutil
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from bwcdock import app, at_hand, audit, config, stores
from bwcdock.audit import AuditView
from bwcdock.clock import WallClock
from bwcdock.core.facts import SPOOL, CopyBad, Listed, Pulled, Released, ReleaseIntended
from bwcdock.core.record import Record
from bwcdock.ledger import Signer, open_read_only
from bwcdock.manifest import MANIFEST, Manifest, open_signed, sign
from bwcdock.settings import Settings
from bwcdock.sinks.filesystem import MARKER
from bwcdock.testing.station import StationBed

FILES = {"a.mp4": b"a" * 5000, "b.mp4": b"b" * 70_000, "c.jpg": b"c" * 300}
SERIAL = "F1-0002"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A finished station of its own, to be damaged. ``records`` are what its ledger says of the second docking."""

    settings: Settings
    records: tuple[Record, ...]
    session: str
    older: Path

    @property
    def victim(self) -> Record:
        return next(record for record in self.records if record.item.path == "b.mp4")

    @property
    def key(self) -> str:
        return self.victim.held[0].key

    @property
    def ledger(self) -> Path:
        return self.settings.paths.ledger

    @property
    def sealed(self) -> Path:
        return self.settings.paths.spool / "whole" / self.victim.id

    def central(self, key: str) -> Path:
        return self.settings.sink[0].path / key

    def sql(self, *statements: str, file: str = "ledger.db") -> None:
        db = sqlite3.connect(self.ledger / file, isolation_level=None)
        for statement in statements:
            db.execute(statement)
        db.close()

    def audit(self) -> AuditView:
        sinks = stores.sinks(self.settings, WallClock())
        return audit.audit(self.settings, sinks, app.public_key(self.settings))

    def told(self) -> list[tuple[str, str]]:
        return [(told.code, told.place) for told in self.audit().disagreements]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, Path]:
    """A station with two dockings in central storage, and its ledger as it was between them."""
    directory = tmp_path_factory.mktemp("audit")
    bed = StationBed(directory)

    async def work() -> None:
        for serial, count in (("F1-0001", 2), (SERIAL, 3)):
            if serial == SERIAL:
                shutil.copytree(bed.settings.paths.ledger, directory / "older")
            async with bed.at_work():
                card = bed.recorder(serial)
                for name, data in list(FILES.items())[:count]:
                    card.record(name, data + serial.encode())
                card.plug("usb-1")
                await bed.until_settled(card)
                card.unplug()

    asyncio.run(work())
    return directory / "station", directory / "older"


@pytest.fixture
def place(finished, tmp_path) -> Place:
    shutil.copytree(finished[0], tmp_path / "station")
    settings = config.load(tmp_path / "station")
    with open_read_only(settings.paths.ledger) as ledger:
        records = tuple(ledger.records(recorder=SERIAL))
        (session,) = ledger.sessions(recorder=SERIAL)
    return Place(settings=settings, records=records, session=session.id, older=finished[1])


def test_a_whole_station_agrees_and_is_counted(place):
    told = place.audit()
    assert told.agrees
    assert (told.records, told.spool_files, told.central_objects, told.receipts) == (5, 5, 5, 2)
    assert told.spool_bytes == sum(r.item.size for r in place.records) + 75_000 + 2 * len("F1-0001")
    with open_read_only(place.ledger) as ledger:
        assert told.leaves == ledger.size


def test_a_station_without_records_agrees(tmp_path):
    bed = StationBed(tmp_path)
    told = bed.audit()
    assert told.agrees
    assert (told.leaves, told.records, told.receipts) == (1, 0, 0)


# --- one damage, one line ---------------------------------------------------------------------------------------------


def flip(path: Path, at: int = 0) -> None:
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def remove(path: Path) -> None:
    path.unlink()


def becomes_a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere.part"))
    path.symlink_to(path.with_name("elsewhere.part"))


def manifest_of_another(place: Place) -> None:
    other = place.central(place.records[0].held[0].key + MANIFEST)
    mine = place.central(place.key + MANIFEST)
    mine.chmod(0o600)
    mine.write_bytes(other.read_bytes())


def edit_document(place: Place) -> None:
    change = """replace(doc, '"officer":""', '"officer":"x"')"""
    place.sql(f"UPDATE record SET doc = {change} WHERE id = '{place.victim.id}'")


def sign_another_manifest(place: Place) -> None:
    """With the station's own key, of the same bytes: only the fact of the confirmation tells."""
    path = place.central(place.key + MANIFEST)
    signer = Signer.load(place.settings.paths.keys / app.KEY, app.origin(place.settings))
    told = open_signed(path.read_bytes(), Manifest, signer.verifier)
    path.chmod(0o600)
    path.write_bytes(sign(told.model_copy(update={"officer": "033021"}), signer))


def newest_note(place: Place) -> Path:
    return max(place.central("checkpoints/test-dock").glob("*.note"))


Damage = Callable[[Place], object]
ONE_LINE: dict[str, tuple[Damage, str, Callable[[Place], str]]] = {
    "a byte of a sealed file": (lambda p: flip(p.sealed, 69_999), "spool.differs", lambda p: p.victim.id),
    "a byte more in a sealed file": (
        lambda p: (p.sealed.chmod(0o600), p.sealed.write_bytes(p.sealed.read_bytes() + b"+")),
        "spool.differs",
        lambda p: p.victim.id,
    ),
    "a sealed file gone": (lambda p: remove(p.sealed), "spool.missing", lambda p: p.victim.id),
    "a directory in its place": (
        lambda p: (remove(p.sealed), p.sealed.mkdir()),
        "spool.unreadable",
        lambda p: p.victim.id,
    ),
    "a foreign file": (
        lambda p: p.sealed.with_name("notes.txt").write_text("x"),
        "spool.stray",
        lambda p: "notes.txt",
    ),
    "a file of no record": (
        lambda p: p.sealed.with_name("0" * 32).write_text("x"),
        "spool.stray",
        lambda p: "0" * 32,
    ),
    "a byte of a central object": (lambda p: flip(p.central(p.key)), "central.differs", lambda p: f"central:{p.key}"),
    "a central object gone": (lambda p: remove(p.central(p.key)), "central.missing", lambda p: f"central:{p.key}"),
    "a manifest gone": (
        lambda p: remove(p.central(p.key + MANIFEST)),
        "manifest.missing",
        lambda p: f"central:{p.key}{MANIFEST}",
    ),
    "a byte of a manifest": (
        lambda p: flip(p.central(p.key + MANIFEST), 200),
        "manifest.untrue",
        lambda p: f"central:{p.key}{MANIFEST}",
    ),
    "another's manifest": (manifest_of_another, "manifest.differs", lambda p: f"central:{p.key}{MANIFEST}"),
    "another manifest of the same": (
        sign_another_manifest,
        "manifest.differs",
        lambda p: f"central:{p.key}{MANIFEST}",
    ),
    "a state in the cache": (
        lambda p: p.sql(f"UPDATE record SET state = 'released' WHERE id = '{p.victim.id}'"),
        "cache.differs",
        lambda p: f"record {p.victim.id}",
    ),
    "a deadline in the cache": (
        lambda p: p.sql(f"UPDATE record SET due_ms = due_ms + 1 WHERE id = '{p.victim.id}'"),
        "cache.differs",
        lambda p: f"record {p.victim.id}",
    ),
    "a document in the cache": (edit_document, "cache.differs", lambda p: f"record {p.victim.id}"),
    "a finding in the cache": (
        lambda p: p.sql("INSERT INTO finding VALUES ('station', '', 'x', 'warn', 1, 1, '{}')"),
        "cache.differs",
        lambda p: "finding station  x",
    ),
    "a trigger gone": (lambda p: p.sql("DROP TRIGGER leaf_stands"), "db.schema", lambda p: "ledger.db"),
    "a receipt here": (
        lambda p: flip(p.ledger / f"receipts/{p.session}.json", 300),
        "receipt.differs",
        lambda p: f"receipts/{p.session}.json",
    ),
    "a receipt here gone": (
        lambda p: remove(p.ledger / f"receipts/{p.session}.json"),
        "receipt.missing",
        lambda p: f"receipts/{p.session}.json",
    ),
    "a central receipt": (
        lambda p: flip(p.central(f"receipts/{p.session}.json"), 300),
        "receipt.differs",
        lambda p: f"central:receipts/{p.session}.json",
    ),
    "a central receipt gone": (
        lambda p: remove(p.central(f"receipts/{p.session}.json")),
        "receipt.missing",
        lambda p: f"central:receipts/{p.session}.json",
    ),
    "a central checkpoint": (
        lambda p: flip(newest_note(p), 30),
        "witness.signature",
        lambda p: f"central:checkpoints/test-dock/{newest_note(p).name}",
    ),
    "central storage gone": (
        lambda p: p.central("").rename(p.central("").with_name("away")),
        "sink.unreachable",
        lambda p: "central",
    ),
    "another volume in its place": (
        lambda p: (p.central(MARKER).chmod(0o600), p.central(MARKER).write_text("0" * 32)),
        "sink.unreachable",
        lambda p: "central",
    ),
}


@pytest.mark.parametrize("damage", ONE_LINE)
def test_it_is_named_exactly(place, damage):
    do, code, where = ONE_LINE[damage]
    do(place)
    assert place.told() == [(code, where(place))]
    for told in place.audit().disagreements:
        assert "\n" not in str(told)
        assert told.what.endswith(".")


# --- damage that shows in several places -----------------------------------------------------------------------------


def test_a_leaf_that_was_edited(place):
    db = sqlite3.connect(place.ledger / "ledger.db")
    (trigger,) = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'leaf_stands'").fetchone()
    ((seq, body),) = db.execute(
        "SELECT seq, body FROM leaf WHERE record = ? AND ev = 'record.sealed'", (place.victim.id,)
    )
    db.close()
    changed = body.replace(b'"size":70007', b'"size":70008')
    assert changed != body
    db = sqlite3.connect(place.ledger / "ledger.db", isolation_level=None)
    db.execute("DROP TRIGGER leaf_stands")
    db.execute("UPDATE leaf SET body = ? WHERE seq = ?", (changed, seq))
    db.execute(trigger)  # whoever did it covered it up
    db.close()
    told = place.told()
    assert ("tree.nodes", f"leaf {seq}") in told
    assert {code for code, _ in told} <= {"tree.nodes", "head.root", "cache.differs"}


def test_a_ledger_that_was_cut_off(place):
    path = place.ledger / "ledger.db"
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size // 2)
    told = place.told()
    assert told
    assert {code for code, _ in told} <= {"db.integrity", "db.unreadable", "ledger.unreadable"}


def test_a_ledger_that_is_rubbish(place):
    (place.ledger / "ledger.db").write_bytes(b"rubbish" * 1000)
    assert [code for code, _ in place.told()] == ["db.unreadable"]


def test_a_ledger_without_its_heads(place):
    (place.ledger / "heads.db").unlink()
    assert [code for code, _ in place.told()] == ["db.unreadable"]


def test_a_cached_document_that_is_none(place):
    place.sql(f"UPDATE record SET doc = 'none' WHERE id = '{place.victim.id}'")
    assert [code for code, _ in place.told()] == ["cache.differs", "ledger.unreadable"]


def test_the_ledger_alone_put_back(place):
    shutil.copy(place.older / "ledger.db", place.ledger / "ledger.db")
    told = place.told()
    assert ("head.ahead", "witness 1") in told
    assert any(code == "head.ahead" and where.startswith("the head over") for code, where in told)


def test_both_files_put_back_are_told_by_central_storage(place):
    for name in ("ledger.db", "heads.db"):
        shutil.copy(place.older / name, place.ledger / name)
    told = place.told()
    assert told[0] == ("head.ahead", "witness 1")
    assert sorted(told[1:]) == sorted(("spool.stray", record.id) for record in place.records)


def test_a_sink_that_is_no_longer_in_the_settings(place):
    path = place.ledger.parent / "bwcdock.toml"
    path.write_text(path.read_text().replace('name = "central"', 'name = "other"'))
    settings = config.load(path)
    told = audit.audit(settings, {}, app.public_key(settings)).disagreements
    assert {(one.code, one.place) for one in told} == {("sink.unknown", "central")}
    assert len(told) == 5


def test_a_record_that_nobody_holds(place):
    subject = {"record": place.victim.id, "recorder": SERIAL}
    with app.opened(place.settings) as bench:
        bench.book.record([CopyBad(**subject, place="central", what="It is gone.")])
        bench.book.record([ReleaseIntended(**subject, place=SPOOL, ground="none"), Released(**subject, place=SPOOL)])
    place.sealed.unlink()
    assert place.told() == [("record.nowhere", place.victim.id)]


# --- where a station died, or is at this moment, between an act and its fact ------------------------------------------


def test_published_and_not_yet_sealed(place):
    with open_read_only(place.ledger) as ledger:
        known = [entry.fact for entry in ledger.history(record=place.victim.id)]
    other = "f" * 32
    with app.opened(place.settings) as bench:
        bench.book.record([replace(fact, record=other) for fact in known if isinstance(fact, Listed | Pulled)])
    shutil.copy(place.sealed, place.sealed.with_name(other))
    assert place.told() == []


def test_dropped_and_not_yet_released(place):
    with app.opened(place.settings) as bench:
        bench.book.record([ReleaseIntended(record=place.victim.id, recorder=SERIAL, place=SPOOL, ground="due")])
    place.sealed.unlink()
    assert place.told() == []


# --- beside a working station ----------------------------------------------------------------------------------------


@pytest.fixture
def meanwhile(monkeypatch) -> Callable[[Callable[[], object]], None]:
    """Have the station do something while the audit pauses before it looks again."""

    def arrange(step: Callable[[], object]) -> None:
        todo = [step]
        monkeypatch.setattr(audit.time, "sleep", lambda _: todo.pop()() if todo else None)

    return arrange


def test_a_file_that_goes_before_its_fact_is_no_disagreement(place, meanwhile):
    bad = CopyBad(record=place.victim.id, recorder=SERIAL, place=SPOOL, what="It holds other bytes.")
    with app.opened(place.settings) as bench:
        bench.spool.quarantine_whole(place.victim.id)
        meanwhile(lambda: bench.book.record([bad]))
        assert place.told() == []


def test_a_file_that_stays_away_is_told_beside_a_station_too(place, meanwhile):
    with app.opened(place.settings):
        place.sealed.unlink()
        meanwhile(lambda: None)
        assert place.told() == [("spool.missing", place.victim.id)]


def test_a_file_that_comes_before_its_fact_is_no_disagreement(place, meanwhile):
    intent = ReleaseIntended(record=place.victim.id, recorder=SERIAL, place=SPOOL, ground="for the test")
    with app.opened(place.settings) as bench:
        bench.book.record([intent, Released(record=place.victim.id, recorder=SERIAL, place=SPOOL)])
        meanwhile(place.sealed.unlink)  # seen by the audit, and accounted for by no record, until it goes
        assert place.told() == []


async def test_no_false_alarm_while_a_station_works(tmp_path, monkeypatch):
    """Recordings come, are sealed, pushed, looked at again and released, while audits run without a pause."""
    monkeypatch.setattr(at_hand, "TURN_S", 0.1)
    monkeypatch.setattr(at_hand, "DUE_EVERY_S", 0.1)
    bed = StationBed(tmp_path, {"spool": {"keep_after_confirm_s": 0.2, "second_look_after_s": 0.1}})
    audits: list[AuditView] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            audits.append(bed.audit())

    auditing = threading.Thread(target=look, daemon=True)
    async with bed.at_work():
        auditing.start()
        for at in range(3):
            card = bed.recorder(f"F1-000{at}")
            for number in range(12):
                card.record(f"{number}.mp4", bytes([at, number]) * 3000)
            card.plug(f"usb-{at}")
            await bed.until_settled(card)
        await bed.until(lambda: len(bed.facts(Released)) == 36)
        over.set()
        await bed.until(lambda: not auditing.is_alive())
    assert len(audits) > 3
    assert [str(told) for view in audits for told in view.disagreements] == []
    assert bed.must_agree().spool_files == 0


def test_the_shape_for_machines(place):
    from pydantic import TypeAdapter

    place.sealed.unlink()
    told = json.loads(TypeAdapter(AuditView).dump_json(place.audit()))
    assert told["disagreements"] == [
        {
            "code": "spool.missing",
            "place": place.victim.id,
            "what": "The sealed file of b.mp4 is gone without a permit.",
        }
    ]
