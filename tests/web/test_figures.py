"""What machines ask of the pages: figures for screens and Prometheus alone, and health in two words for anybody."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from desk_world import KEEPER, World
from prometheus_client.parser import text_string_to_metric_families
from web_world import PLAIN, Desk, house_of, visiting, world_in


@pytest.fixture
def world(tmp_path: Path) -> World:
    return world_in(tmp_path)


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    async with visiting(house_of(world)) as made:
        yield made


async def test_prometheus_reads_the_figures(desk: Desk) -> None:
    answer = await desk.screen().get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert families["bwcdock_up"].samples[0].value == 0
    assert "bwcdock_ledger_entries" in families


async def test_a_stranger_reads_no_figures(desk: Desk) -> None:
    assert (await desk.visitor(base=PLAIN).get("/metrics")).status_code in {401, 403}
    assert (await desk.signed_in(KEEPER, "administrator").get("/metrics")).status_code == 403


async def test_the_process_answers_whatever_the_station_does(desk: Desk) -> None:
    answer = await desk.visitor(base=PLAIN).get("/healthz")
    assert (answer.status_code, answer.json()["well"]) == (200, True)


async def test_a_stranger_learns_that_something_is_wrong_and_a_screen_what(desk: Desk) -> None:
    near, far = await desk.screen().get("/readyz"), await desk.visitor(base=PLAIN).get("/readyz")
    assert (near.status_code, far.status_code) == (503, 503)
    wrong = {check["name"]: check for check in near.json()["checks"] if not check["well"]}
    assert "daemon" in wrong
    assert wrong["daemon"]["remedy"]
    assert far.json()["checks"] == []
