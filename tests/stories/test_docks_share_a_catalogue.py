"""Two docks tell one catalogue, in which people find what either has, also after it was made again."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bwcdock import config
from bwcdock.catalogue import Agreed, Catalogue, Sought, of, searching
from bwcdock.clock import WallClock
from cli_world import BWCDOCK, ENV, files, folder, run, station, until, well

ADMIN = ("--as", "001", "--role", "administrator")
OFFICER = ("--as", "002", "--role", "officer")


@contextmanager
def catalogue(dock: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`bwcdock-catalogue` of this dock, from its start to its clean end."""
    log = dock.with_name(f"{dock.name}.catalogue.log")
    with log.open("ab") as stream:
        program = BWCDOCK.with_name("bwcdock-catalogue")
        process = subprocess.Popen([program, "-C", dock], env=ENV, stdout=stream, stderr=stream)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


def asked(dock: Path, sought: Sought) -> list[Agreed]:
    """What is found, without the quarter of a second that a command takes to begin: for waiting."""
    place = of(config.load(dock))

    async def ask() -> list[Agreed]:
        async with Catalogue(place) as open_:
            page = await open_.run(lambda db: searching.search(db, sought, WallClock().now(), 0.25))
            return [each.agreed for each in page.found]

    return asyncio.run(ask())


def found(dock: Path, *said: str, who: tuple[str, ...] = ADMIN) -> list[str]:
    answer = json.loads(well("-C", dock, "catalogue", "search", *who, *said, "--json"))
    assert answer["count"] == len(answer["found"])
    return [each["recording"]["record"] for each in answer["found"]]


@pytest.fixture
def docks(tmp_path: Path) -> list[Path]:
    """Two docks, the first of them with people."""
    made = []
    for number in (1, 2):
        dock = tmp_path / f"dock-{number}"
        well("init", dock, "--name", dock.name)
        settings = (dock / "bwcdock.toml").read_text().replace("every_s = 5\n", "every_s = 0.2\n")
        shown = '# file = "/var/lib/bwcdock-catalogue/catalogue.db"'
        (dock / "bwcdock.toml").write_text(settings.replace(shown, f'file = "{tmp_path / "catalogue.db"}"'))
        made.append(dock)
    first = ("--person", "001", "--name", "王管理", "--roles", "administrator")
    well("-C", made[0], "desk", "enter-person", *ADMIN, *first)
    well("-C", made[0], "desk", "enter-person", *ADMIN, "--person", "002", "--name", "李警官", "--roles", "officer")
    return made


@pytest.mark.timeout(400)
def test_what_either_dock_has_is_found_and_made_again(docks: list[Path], tmp_path: Path) -> None:
    one, other = docks
    assert "The catalogue is made, in form 0001." in well("-C", one, "catalogue", "init")
    for dock, name in ((one, "甲"), (other, "乙")):
        well("-C", dock, "ingest", folder(tmp_path / f"card{name}", files(2)), limit_s=120)
    with catalogue(one), catalogue(other):
        until(lambda: len(asked(one, Sought())) == 6, limit_s=90)
        first, second, _ = [each.record for each in asked(one, Sought(station="bwcdock/dock-1"))]
        case = ("--case", "榕城执罚〔2026〕7号")
        said = ("--parties", "张三", "--place", "鼓楼区五一路12号", "--event", "占道经营", *case)
        well("-C", one, "desk", "open-case", *ADMIN, *case)
        well("-C", one, "desk", "tag", *ADMIN, "--records", first[:12], *said)
        well("-C", one, "desk", "hold", *ADMIN, "--reason", "复议", "--records", second[:12])
        until(lambda: asked(one, Sought(held=True)), limit_s=90)
    assert found(one, "--place", "五一路", "--event", "占道", "--text", "榕城执罚", "--party", "张", *case) == [first]
    table = well("-C", one, "catalogue", "search", *ADMIN, "--held")
    assert "留存" in table
    assert "1 个文件" in table
    days = json.loads(well("-C", one, "catalogue", "count", "--json"))
    assert {(day["station"], day["received"], day["stored"]) for day in days} == {
        ("bwcdock/dock-1", 3, 3), ("bwcdock/dock-2", 3, 3),
    }  # fmt: skip
    figures = well("-C", one, "catalogue", "metrics")
    assert "bwcdock_catalogue_recordings 6.0" in figures
    assert 'bwcdock_catalogue_unequal_days{sink="central",station="bwcdock/dock-2"} 0.0' in figures

    assert "0 missing in the catalogue, 0 not in" in well("-C", one, "catalogue", "compare")
    again = json.loads(well("-C", one, "catalogue", "rebuild", "--json"))
    assert (again["manifests"], again["refused"]) == (3, [])
    assert len(asked(one, Sought())) == 3
    with catalogue(one), catalogue(other):
        until(lambda: len(asked(one, Sought())) == 6 and asked(one, Sought(held=True)), limit_s=90)
    assert asked(one, Sought(party="张三"))[0].record == first


@pytest.mark.timeout(300)
def test_who_may_search(docks: list[Path]) -> None:
    one, _ = docks
    refused = run("-C", one, "catalogue", "search", *ADMIN)
    assert (refused.status, "no tables yet" in refused.err) == (2, True)
    well("-C", one, "catalogue", "init")
    assert found(one, who=OFFICER) == []
    for who in (("--as", "009", "--role", "administrator"), ("--as", "002", "--role", "administrator")):
        refused = run("-C", one, "catalogue", "search", *who)
        assert refused.status == 1
        assert "may not look for recordings" in refused.err
    for wrong in (("--standing", "well"), ("--since", "yesterday"), ("--limit", "0"), ("--place", "五")):
        assert run("-C", one, "catalogue", "search", *ADMIN, *wrong).status == 2


def test_without_a_catalogue_it_says_what_to_write(tmp_path: Path) -> None:
    dock = station(tmp_path / "dock")
    refused = run("-C", dock, "catalogue", "init")
    assert refused.status == 2
    assert "name no catalogue" in refused.err


def test_a_password_is_never_repeated(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    dock = station(tmp_path / "dock", {"catalogue": {"every_s": 0.1}})
    settings = dock / "bwcdock.toml"
    told = settings.read_text().replace('# url = { credential = "catalogue-url" }', f'url = {{ file = "{secret}" }}')
    settings.write_text(told)
    for url in ("postgresql+psycopg://dock:hunter2@127.0.0.1:1/none", "mysql://dock:hunter2@x/y", "hunter2"):
        with os.fdopen(os.open(secret, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(url)
        refused = run("-C", dock, "catalogue", "init")
        assert refused.status in {1, 2}
        assert "hunter2" not in refused.err + refused.out
