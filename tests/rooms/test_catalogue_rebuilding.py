"""A catalogue made again from central storage alone, and where the two differ."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from bwcdock.catalogue import Catalogue, Copy, Place, Sought, rebuilding, writing
from bwcdock.catalogue.agreeing import Mark, Source
from bwcdock.catalogue.apart import Apart
from bwcdock.catalogue.papers import Papers
from bwcdock.catalogue.schema import copy, day_count, hold, recording, station
from bwcdock.core.rules import Standing
from bwcdock.core.statements import Label
from bwcdock.errors import Misbehaved, Misused, Unreachable
from bwcdock.ledger import Signer
from bwcdock.manifest import MANIFEST, Annotation, CaseNote, DayCount, Holding, Judged, Officer
from bwcdock.testing.sinks import MemorySink
from catalogue_storage import Storage, papers_here_alone, papers_in, papers_unmounted
from catalogue_world import T0, ZONE, Dock, everything, found, made, one, rid, told
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import URL, delete, select, update

NOW = T0 + timedelta(days=3)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(url=URL.create("sqlite", database=str(tmp_path / "catalogue.db")))


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "central")


async def rebuilt(catalogue: Catalogue, *storages: Storage) -> rebuilding.Rebuilt:
    papers = [each.papers() for each in storages]
    return await rebuilding.rebuild(catalogue, papers, storages[0].keys, tell=lambda _: None)


async def compared(catalogue: Catalogue, *storages: Storage) -> rebuilding.Compared:
    papers = [each.papers() for each in storages]
    return await rebuilding.compare(catalogue, papers, storages[0].keys, tell=lambda _: None)


def said(number: int, **more: object) -> Annotation:
    return Annotation(record=rid(number), manifest=f"unit/2026-03-02/R1/{number:05d}.mp4", recorder="R1", **more)


# --- made again -------------------------------------------------------------------------------------------------------


async def test_what_manifests_and_statements_say_is_there(place: Place, storage: Storage, monkeypatch) -> None:
    monkeypatch.setattr("bwcdock.catalogue.papers.AT_ONCE", 3)
    for number in range(8):
        storage.put(number, station=f"bureau/dock-{number % 2 + 1}")
    placed = Holding(id="h1", state="placed", reason="复议", by="002", since=T0)
    judged = Judged(kind="excused", article="第十七条", due=T0, met_at=NOW, excuse="停电")
    storage.state(5, [said(0, place="东街口"), said(2, place="五一路")])
    storage.state(
        7,
        [said(0, place="鼓楼区五一路", officers=(Officer(id="002", name="李警官"),), parties=("张三",), holds=(placed,),
              case=CaseNote(number="A-1", parties=("王五",)), judged=judged)],
        [DayCount(day="2026-03-02", received=9, stored=4, readable=3)],
    )  # fmt: skip
    async with made(place) as catalogue:
        result = await rebuilt(catalogue, storage)
        assert (result.manifests, result.statements, result.refused) == (8, 2, [])
        assert await found(catalogue, Sought()) == [rid(n) for n in reversed(range(8))]
        assert await found(catalogue, Sought(place="五一路")) == [rid(2), rid(0)]
        assert await found(catalogue, Sought(place="东街口")) == []
        assert await found(catalogue, Sought(party="王五", officer="李警官", held=True)) == [rid(0)]
        assert await found(catalogue, Sought(standing=Standing.MET), NOW) == [rid(n) for n in reversed(range(1, 8))]
        assert await found(catalogue, Sought(standing=Standing.EXCUSED), NOW) == [rid(0)]
        shown = await one(catalogue, rid(3))
        assert (shown.agreed.stations, shown.agreed.user) == (("bureau/dock-2",), "000002")
        assert shown.copies == (
            ("bureau/dock-2", Copy(sink="nas", key="unit/2026-03-02/R1/00003.mp4",
                                   confirmed_ms=int((T0 + timedelta(minutes=3, hours=2)).timestamp() * 1000))),
        )  # fmt: skip
        days = await catalogue.run(lambda db: sorted(map(tuple, db.execute(select(day_count)))))
        assert days == [
            ("bureau/dock-1", "nas", "2026-03-02", 9, 4, 3),
            ("bureau/dock-2", "nas", "2026-03-02", 4, 4, 0),
        ]
        assert await catalogue.run(lambda db: [row.is_open for row in db.execute(select(hold))]) == [True]
        before = await catalogue.run(everything)
        await rebuilt(catalogue, storage)
        assert await catalogue.run(everything) == before
        assert (await compared(catalogue, storage)).agrees


async def test_papers_in_two_places_make_one_recording(place: Place, storage: Storage, tmp_path: Path) -> None:
    cloud = Storage(tmp_path / "cloud", "cloud")
    cloud.signers = storage.signers
    for each in (storage, cloud):
        each.put(1)
    async with made(place) as catalogue:
        for order in ((storage, cloud), (cloud, storage)):
            await rebuilt(catalogue, *order)
            assert [c.sink for _, c in (await one(catalogue, rid(1))).copies] == ["cloud", "nas"]
            assert (await compared(catalogue, storage, cloud)).agrees


async def test_what_no_given_key_signed_is_told_and_not_taken(place: Place, storage: Storage) -> None:
    good = storage.put(1)
    forger = Signer("bureau/dock-1", Ed25519PrivateKey.generate())
    storage.put(2, by=forger)
    storage.put(3, station="bureau/dock-2", by=storage.signer("bureau/dock-1"))
    moved = storage.put(4, key="unit/elsewhere.mp4")
    gone = storage.put(5)
    (storage.root / gone.removesuffix(MANIFEST)).unlink()
    data = storage.sink.recall(good)
    assert data
    storage.sink.note("unit/copied.mp4", b"footage")
    storage.sink.note("unit/copied.mp4.manifest.json", data)
    storage.sink.note("unit/odd.mp4", b"footage")
    storage.sink.note("unit/odd.mp4.manifest.json", data.replace(b"DCIM", b"XCIM"))
    storage.sink.note("unit/none.mp4", b"footage")
    storage.sink.note("unit/none.mp4.manifest.json", b"{}")
    storage.state(1, [said(1, place="五一路")], by=forger)
    async with made(place) as catalogue:
        result = await rebuilt(catalogue, storage)
        assert await found(catalogue, Sought()) == [rid(4), rid(1)]
        assert moved.startswith("unit/elsewhere")
        told_ = "\n".join(result.refused)
        assert result.manifests == 2
        assert len(result.refused) == 7
        for name, why in (
            ("00002.mp4", "not by"), ("00003.mp4", "speaks of the ledger 'bureau/dock-2'"),
            ("00005.mp4", "without its object"), ("copied.mp4", "it was moved"), ("odd.mp4", "signature is wrong"),
            ("none.mp4", "no signed document"), ("statements/", "not by"),
        ):  # fmt: skip
            assert any(name in line and why in line for line in result.refused), (name, told_)
        assert not (await compared(catalogue, storage)).agrees


async def test_a_storage_that_cannot_be_listed_is_refused(storage: Storage) -> None:
    class Mute(MemorySink):
        keys = None  # type: ignore[assignment]

    with pytest.raises(Misused, match="cannot be listed"):
        Papers("memory", Mute("memory"), storage.keys, ZONE)


async def test_stations_that_follow_go_on_with_what_only_they_know(
    place: Place, storage: Storage, tmp_path: Path
) -> None:
    dock = Dock(tmp_path / "dock")
    dock.docked()
    for number in range(4):
        dock.bring(number, steps=3 + number, label=Label(place="五一路"))
    storage.signers["bureau/dock-1"] = dock.signer
    for number in (2, 3):
        storage.put(number)
    async with made(place) as catalogue:
        await told(dock, catalogue)
        before = await catalogue.run(everything)
        await rebuilt(catalogue, storage)
        assert await found(catalogue, Sought()) == [rid(3), rid(2)]
        await told(dock, catalogue)
        assert await catalogue.run(everything) == before
    dock.close()


@pytest.mark.timeout(240)
async def test_other_processes_read_the_same(place: Place, storage: Storage, monkeypatch) -> None:
    for number in range(7):
        storage.put(number, station=f"bureau/dock-{number % 2 + 1}")
    storage.put(8, by=Signer("bureau/dock-1", Ed25519PrivateKey.generate()))
    keys = [key.vkey for key in storage.keys]
    apart = Apart(partial(papers_in, storage.root, "nas", keys), readers=2)
    heard = list(apart.manifests())
    here = [batch for share in range(3) for batch in storage.papers().manifests(share, 3)]
    for batches in (heard, here):
        assert sorted(key for batch in batches for key, _ in batch.keys) == [
            f"unit/2026-03-02/R1/{n:05d}.mp4" for n in range(7)
        ]
        assert [line.key for batch in batches for line in batch.refused] == [
            "unit/2026-03-02/R1/00008.mp4.manifest.json"
        ]
    async with made(place) as catalogue:
        result = await rebuilding.rebuild(catalogue, [apart], storage.keys, tell=lambda _: None)
        assert (result.manifests, len(result.refused)) == (7, 1)
        assert len(await found(catalogue, Sought())) == 7


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("recipe", "why"), [(papers_here_alone, Misbehaved), (papers_unmounted, Unreachable)])
def test_a_process_that_fails_is_told_and_none_is_left(storage: Storage, recipe, why) -> None:
    storage.put(1)
    apart = Apart(partial(recipe, storage.root, "nas", [key.vkey for key in storage.keys]), readers=2)
    with pytest.raises(why):
        list(apart.manifests())


@pytest.mark.timeout(240)
def test_whoever_stops_listening_leaves_no_process(storage: Storage) -> None:
    storage.put(1)
    reading = Apart(partial(papers_in, storage.root, "nas", [key.vkey for key in storage.keys]), readers=1).manifests()
    assert len(next(reading).keys) == 1
    reading.close()


# --- compared ---------------------------------------------------------------------------------------------------------


async def test_every_difference_is_told(place: Place, storage: Storage, monkeypatch) -> None:
    monkeypatch.setattr("bwcdock.catalogue.papers.AT_ONCE", 3)
    for number in range(6):
        storage.put(number)
    storage.state(9, [said(5, place="五一路")])
    async with made(place) as catalogue:
        await rebuilt(catalogue, storage)
        assert (await compared(catalogue, storage)).manifests == 6

        def spoil(db: object) -> None:
            db.execute(delete(copy).where(copy.c.record == rid(0)))
            db.execute(update(copy).where(copy.c.record == rid(1)).values(key="elsewhere"))
            db.execute(update(copy).where(copy.c.record == rid(2)).values(bad=True))
            stood = writing.stood(db, [rid(3), rid(5)])
            one_, other = (stood[rid(n), "bureau/dock-1"] for n in (3, 5))
            newer = Mark(source=Source.CENTRAL, seq=99)
            assert one_.known is not None
            writing.take(db, [replace(one_, known=replace(one_.known, sha256="00" * 32), known_of=newer)])
            assert other.said is not None
            known = other.said.model_copy(update={"place": "东街口"})
            db.execute(delete(writing.sighting).where(writing.sighting.c.record == rid(5)))
            writing.take(db, [replace(other, said=known)])

        await catalogue.run(spoil)
        (storage.root / "unit/2026-03-02/R1/00004.mp4.manifest.json").unlink()
        result = await compared(catalogue, storage)
        assert [line.split()[0] for line in result.missing] == ["nas/unit/2026-03-02/R1/00000.mp4:"]
        assert sorted(line.split(":")[0] for line in result.extra) == [
            "nas/elsewhere", "nas/unit/2026-03-02/R1/00004.mp4",
        ]  # fmt: skip
        assert len(result.different) == 4
        for n, why in ((1, "lies at elsewhere"), (2, "copy is bad"), (3, "sha256 is '0000"), (5, "what is said of")):
            assert any((f"{n:05d}" in line or rid(n) in line) and why in line for line in result.different)


async def test_what_was_not_told_of_yet_is_no_difference(place: Place, storage: Storage, tmp_path: Path) -> None:
    dock = Dock(tmp_path / "dock")
    storage.signers["bureau/dock-1"] = dock.signer
    storage.put(1)
    async with made(place) as catalogue:
        await told(dock, catalogue)
        result = await compared(catalogue, storage)
        assert (result.agrees, result.coming) == (True, 1)
        await catalogue.run(lambda db: db.execute(update(station).values(at_ms=1 << 50)))
        assert len((await compared(catalogue, storage)).missing) == 1
    dock.close()


async def test_stations_whose_key_was_not_given_are_not_looked_at(place: Place, storage: Storage) -> None:
    storage.put(1)
    storage.put(2, station="bureau/dock-2")
    async with made(place) as catalogue:
        await rebuilt(catalogue, storage)
        del storage.signers["bureau/dock-2"]
        (storage.root / "unit/2026-03-02/R1/00002.mp4.manifest.json").unlink()
        assert (await compared(catalogue, storage)).agrees
        assert await catalogue.run(lambda db: len(db.execute(select(recording)).all())) == 2
