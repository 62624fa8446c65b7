"""The coverage page (依据): every clause with its words, how it is met, and what shows it, for whoever may look."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bwcdock.app import rule_pack
from bwcdock.core.coverage import clauses
from desk_world import KEEPER, OFFICER, World
from markupsafe import escape
from web_world import Desk, house_of, visiting, world_in


@pytest.fixture
def world(tmp_path: Path) -> World:
    return world_in(tmp_path)


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    async with visiting(house_of(world)) as made:
        yield made


async def test_every_clause_stands_there_with_its_words(world: World, desk: Desk) -> None:
    pack = rule_pack(world.bed.settings)[0]
    page = (await desk.signed_in(KEEPER, "administrator").get("/desk/coverage")).text
    assert f"《{pack.title}》" in page
    told = [clause for _, clause in clauses(pack)]
    assert page.count('<section class="clause">') == len(told)
    for clause in told:
        assert str(escape(clause.quote)) in page
    assert "law.at_risk_ratio = 0.25" in page
    assert "登记人员" in page  # the newest entry that shows the duty to name who keeps the devices


async def test_what_people_must_do_can_be_read_alone(desk: Desk) -> None:
    visitor = desk.signed_in(KEEPER, "administrator")
    counts = {}
    for by in ("", "program", "support", "people"):
        page = (await visitor.get(f"/desk/coverage?by={by}")).text
        counts[by] = page.count('<section class="clause">')
    assert counts[""] == counts["program"] + counts["support"] + counts["people"]
    assert 0 < counts["people"] < counts[""]


async def test_whoever_may_not_read_the_ledger_is_not_led_there(desk: Desk) -> None:
    page = await desk.signed_in(OFFICER, "officer").get("/desk/coverage")
    assert page.status_code == 200
    assert "/desk/ledger" not in page.text
    assert "№" in page.text


async def test_in_english_the_means_are_told_in_english(desk: Desk) -> None:
    page = (await desk.signed_in(KEEPER, "administrator").get("/desk/coverage?lang=en")).text
    assert "How the regulation is met" in page
    assert "Each recording gets its due moment" in page
