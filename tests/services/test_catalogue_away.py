"""While PostgreSQL is away the station works on, and the catalogue catches up; two docks that write at once agree."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
from bwcdock.catalogue import Catalogue, Place, Sought, rebuilding, versions, writing
from bwcdock.catalogue.store import parsed
from bwcdock.errors import Unreachable
from catalogue_world import Dock, everything, following, found, made, rid, told
from cli_world import BWCDOCK, ENV, daemon, files, folder, station, until, well
from postgres import Postgres
from sqlalchemy import text


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A server of this test's own, to be killed."""
    made = Postgres()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def url(server: Postgres) -> str:
    with psycopg.connect(server.url("postgres"), autocommit=True) as db:
        db.execute("CREATE DATABASE catalogue")
    return server.url("catalogue")


@pytest.fixture
def place(url: str) -> Place:
    return Place(url=parsed(url), connect_timeout_s=3, statement_timeout_s=5)


async def test_killed_and_back(server: Postgres, place: Place, tmp_path: Path) -> None:
    dock = Dock(tmp_path / "dock")
    dock.docked()
    async with made(place) as catalogue, following(dock, catalogue, batch=7) as follower:
        for round_ in range(3):
            for number in range(round_ * 5, round_ * 5 + 5):
                dock.bring(number)
            await follower.once()
            server.kill()
            with pytest.raises(Unreachable) as away:
                await follower.once()
            assert away.value.sink == "catalogue"
            dock.bring(100 + round_)  # the station asks nobody
            server.start()
            while await follower.once():
                pass
            assert len(await found(catalogue, Sought())) == (round_ + 1) * 6
        before = await catalogue.run(everything)
        await told(dock, catalogue)
        assert await catalogue.run(everything) == before
    dock.close()


async def test_an_account_that_may_not_write_is_told_as_that(place: Place, tmp_path: Path) -> None:
    dock = Dock(tmp_path / "dock")
    dock.docked()
    async with made(place) as catalogue:
        await catalogue.run(lambda db: db.execute(text("CREATE ROLE reader LOGIN PASSWORD 'r'")))
        await catalogue.run(lambda db: db.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")))
    reads = place.url.set(username="reader", password="r")
    async with Catalogue(Place(url=reads)) as catalogue:
        assert await found(catalogue, Sought()) == []
        with pytest.raises(Unreachable) as refused:
            await told(dock, catalogue)
        assert refused.value.ailment == "credentials"
    async with Catalogue(Place(url=reads.set(username="nobody"))) as catalogue:
        with pytest.raises(Unreachable) as refused:
            await found(catalogue, Sought())
        assert "nobody" in refused.value.what
    dock.close()


async def test_a_statement_that_hangs_is_given_up(url: str) -> None:
    place = Place(url=parsed(url), connect_timeout_s=3, statement_timeout_s=0.5)
    async with Catalogue(place) as catalogue:
        began = time.monotonic()
        with pytest.raises(Unreachable):
            await catalogue.run(lambda db: db.execute(text("SELECT pg_sleep(60)")))
        assert time.monotonic() - began < 30
        assert await catalogue.run(lambda db: db.execute(text("SELECT 1")).scalar_one()) == 1


async def test_docks_that_write_at_once_of_the_same_recordings_agree(place: Place, tmp_path: Path) -> None:
    docks = [Dock(tmp_path / name, name) for name in ("dock-1", "dock-2", "dock-3", "dock-4")]
    for number, dock in enumerate(docks):
        dock.docked()
        for record in range(30):
            dock.bring(record, steps=1 + (record + number) % 6)
    async with made(place) as first:
        others = [Catalogue(place) for _ in docks]
        await asyncio.gather(*(told(dock, of, batch=9) for dock, of in zip(docks, others, strict=True)))
        for each in others:
            await each.close()
        together = await first.run(everything)
        assert len(together["recording"]) == 30
        for number in range(30):
            assert len(await first.run(partial(writing.stood, records=[rid(number)]))) == 4
        await first.run(lambda db: db.execute(text("TRUNCATE station, recording, sighting, copy, hold, day_count")))
        for dock in docks:
            await told(dock, first)
        one_by_one = await first.run(everything)
        assert together["recording"] == one_by_one["recording"]
        assert together["day_count"] == one_by_one["day_count"]
    for dock in docks:
        dock.close()


async def test_the_accounts_of_the_manual_can_do_what_each_needs_and_no_more(place: Place, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "catalogue.md").read_text(encoding="utf-8")
    said = [
        line.strip() for line in page.splitlines() if line.startswith(("    CREATE ROLE", "    GRANT", "    ALTER"))
    ]
    assert len(said) == 7
    async with Catalogue(place) as catalogue:
        for line in said:
            await catalogue.run(lambda db, line=line: db.exec_driver_sql(line.partition("--")[0]))
    dock = Dock(tmp_path / "dock")
    dock.docked()
    dock.bring(1)
    owner, docks, reader = (
        Catalogue(Place(url=place.url.set(username=f"bwcdock_{who}"))) for who in ("owner", "dock", "reader")
    )
    with pytest.raises(Unreachable, match="permission denied"):
        await docks.run(versions.upgrade)
    await owner.run(versions.upgrade)
    await told(dock, docks)
    assert await found(reader, Sought()) == [rid(1)]
    for who, what in ((reader, "DELETE FROM hold"), (docks, "DROP TABLE hold"), (docks, "TRUNCATE hold")):
        with pytest.raises(Unreachable) as refused:
            await who.run(lambda db, what=what: db.exec_driver_sql(what))
        assert refused.value.ailment == "credentials"
    await rebuilding.rebuild(owner, [], [], tell=lambda _: None)
    assert await found(reader, Sought()) == []
    await told(dock, docks)
    assert await found(reader, Sought()) == [rid(1)]
    for each in (owner, docks, reader):
        await each.close()
    dock.close()


@pytest.mark.timeout(300)
def test_a_station_at_work_is_not_touched_by_it(server: Postgres, url: str, tmp_path: Path) -> None:
    """The real programs: central storage gets its recordings while the database is dead; then the catalogue does."""
    secret = tmp_path / "url"
    secret.write_text(url)
    secret.chmod(0o600)
    dock = station(tmp_path / "dock", {"catalogue": {"every_s": 0.2, "backoff_max_s": 0.5, "connect_timeout_s": 2}})
    settings = dock / "bwcdock.toml"
    settings.write_text(
        settings.read_text().replace('# url = { credential = "catalogue-url" }', f'url = {{ file = "{secret}" }}')
    )
    well("-C", dock, "catalogue", "init")
    log = tmp_path / "catalogue.log"
    with daemon(dock), log.open("ab") as stream:
        follower = subprocess.Popen(
            [BWCDOCK.with_name("bwcdock-catalogue"), "-C", dock], env=ENV, stdout=stream, stderr=stream
        )
        try:
            until(lambda: "recordings 0.0" in well("-C", dock, "catalogue", "metrics"))
            server.kill()
            folder(dock / "drop" / "card", files(3))
            central = dock / "central"
            until(lambda: len(list(central.rglob("*.manifest.json"))) == 3, limit_s=60)
            until(lambda: "catalogue.waits" in log.read_text())
            assert follower.poll() is None
            assert "catalogue" not in (tmp_path / "dock.log").read_text()
            server.start()
            until(lambda: "recordings 3.0" in well("-C", dock, "catalogue", "metrics"), limit_s=60)
            until(lambda: "0 missing in the catalogue" in well("-C", dock, "catalogue", "compare"))
            follower.terminate()
            assert follower.wait(20) == 0, log.read_text()
        finally:
            follower.kill()
            follower.wait()
    assert "Traceback" not in log.read_text()
