"""Cases, footage bound to none, holds: each with what people need to act on it, and to officers only their own."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from desk_world import HEAD, KEEPER, OFFICER, OTHER, World, china
from web_world import Desk, Visitor, house_of, visiting, world_in

NUMBER = "榕城罚〔2026〕7号"
HOSTILE = "<script>alert(1)</script>/恶\u202e意?" + "长" * 60
LONG = "啰" * 500


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """Four recordings of an issued recorder, in central storage."""
    world = world_in(tmp_path)
    world.issued()
    world.at("2026-03-02 12:00")
    for n in range(4):
        world.records(f"<s>{n}</s>.mp4", china(f"2026-03-02 10:0{n}"))
    await world.docks()
    return world


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    async with visiting(house_of(world)) as made:
        yield made


def record(world: World, n: int) -> str:
    return world.record(f"<s>{n}</s>.mp4").id


def custodian(desk: Desk) -> Visitor:
    return desk.signed_in(KEEPER, "administrator")


async def seen(visitor: Visitor, path: str) -> str:
    answer = await visitor.get(path)
    assert answer.status_code == 200, path
    assert "<script>alert" not in answer.text
    assert "<s>" not in answer.text
    return answer.text


@pytest.mark.parametrize("path", ["/desk/cases", "/desk/unbound", "/desk/holds"])
async def test_an_empty_station_says_so(tmp_path: Path, path: str) -> None:
    async with visiting(house_of(world_in(tmp_path))) as desk:
        assert 'class="nothing"' in await seen(custodian(desk), path)


async def test_a_case_shows_its_clock_its_footage_and_what_to_do_next(world: World, desk: Desk) -> None:
    world.does(world.officer, "open-case", case=NUMBER, category="行政处罚", parties=["某公司"], handler=OFFICER)
    world.does(world.officer, "tag", records=[record(world, 0)], case=NUMBER, tags=["case"])
    world.at("2026-03-03 10:00")
    world.does(world.officer, "step-case", case=NUMBER, step="case_closed", moment=china("2026-03-03 09:00"))
    text = await seen(custodian(desk), "/desk/cases")
    assert "第十九条第（二）项" in text
    assert "04-03 00:00" in text
    assert f'href="/desk/cases/{quote(NUMBER)}"' in text
    page = await seen(custodian(desk), f"/desk/cases/{quote(NUMBER)}")
    assert "在案件终结之日起30日内" in page
    assert "&lt;s&gt;0&lt;/s&gt;.mp4" in page
    assert "&lt;s&gt;1&lt;/s&gt;.mp4" not in page
    assert f"/desk/act/archive-case?next=/desk/cases/{quote(quote(NUMBER))}" in page
    world.does(world.officer, "archive-case", case=NUMBER, file="卷7")
    assert "archive-case" not in await seen(custodian(desk), f"/desk/cases/{quote(NUMBER)}")
    assert "archive-case" not in await seen(custodian(desk), "/desk/cases")


async def test_whatever_a_case_is_called_its_page_is_found_and_says_nothing_of_its_own(
    world: World, desk: Desk
) -> None:
    world.does(world.officer, "open-case", case=HOSTILE, category="<i>x</i>", parties=["<u>甲</u>"], handler=OFFICER)
    text = await seen(custodian(desk), "/desk/cases")
    assert f'href="/desk/cases/{quote(HOSTILE)}"' in text
    page = await seen(custodian(desk), f"/desk/cases/{quote(HOSTILE)}")
    assert "&lt;u&gt;甲" in page
    assert "\u202e" not in page
    assert (await custodian(desk).get("/desk/cases/nothing")).status_code == 404


async def test_footage_bound_to_no_case_is_chosen_and_bound_page_by_page(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bwcdock.desk.lists.CHOSEN", 2)
    first = await seen(custodian(desk), "/desk/unbound")
    assert first.count('type="checkbox"') == 2
    assert 'action="/desk/act/tag"' in first
    after = first.partition("?after=")[2].partition('"')[0]
    second = await seen(custodian(desk), f"/desk/unbound?after={after}")
    assert second.count('type="checkbox"') == 2
    ids = {record(world, n) for n in range(4)}
    assert {one for one in ids if f'value="{one}"' in first + second} == ids
    form = await custodian(desk).get(f"/desk/act/tag?records={record(world, 0)}&records={record(world, 1)}")
    assert f"{record(world, 0)}\n{record(world, 1)}" in form.text


async def test_an_officer_sees_of_cases_and_footage_what_is_his(world: World, desk: Desk) -> None:
    world.does(world.officer, "open-case", case="A1", handler=OFFICER)
    world.does((OTHER, "officer"), "open-case", case="B1", handler=OTHER)
    world.does(world.custodian, "tag", records=[record(world, 0)], case="B1")
    his, others = desk.signed_in(OFFICER, "officer"), desk.signed_in(OTHER, "officer")
    assert 'href="/desk/cases/B1"' not in await seen(his, "/desk/cases")
    assert 'href="/desk/cases/A1"' in await seen(his, "/desk/cases")
    assert (await others.get("/desk/cases/A1")).status_code == 403
    assert record(world, 0) in await seen(his, "/desk/cases/B1")  # his footage is in it
    assert record(world, 0) in await seen(others, "/desk/cases/B1")  # he handles it
    assert record(world, 1) in await seen(his, "/desk/unbound")
    assert record(world, 1) not in await seen(others, "/desk/unbound")
    assert (await his.get("/desk/holds")).status_code == 403


async def test_of_a_case_of_somebody_else_an_officer_sees_his_own_footage_alone(world: World, desk: Desk) -> None:
    world.does(world.custodian, "return", device="F1-0001")
    world.at("2026-03-02 13:00")
    world.issued(OTHER)
    world.records("<s>9</s>.mp4", china("2026-03-02 13:30"))
    world.at("2026-03-02 14:00")
    await world.docks()
    world.does(world.custodian, "open-case", case="C1")
    world.does(world.custodian, "tag", records=[record(world, 0), record(world, 9)], case="C1")
    page = await seen(desk.signed_in(OFFICER, "officer"), "/desk/cases/C1")
    assert [record(world, n) in page for n in (0, 9)] == [True, False]
    page = await seen(desk.signed_in(OTHER, "officer"), "/desk/cases/C1")
    assert [record(world, n) in page for n in (0, 9)] == [False, True]
    loose = await seen(desk.signed_in(OTHER, "officer"), "/desk/unbound")
    assert record(world, 1) not in loose


async def test_a_hold_shows_what_it_names_and_what_fits_it(world: World, desk: Desk) -> None:
    world.does(world.officer, "tag", records=[record(world, 1)], place="五一中路 12 号")
    world.does(world.custodian, "hold", reason=f"<s>信访</s>{LONG}", place="五一中路")
    world.does(world.custodian, "hold", reason="复议", person=OFFICER, until=china("2026-03-02 10:01"))
    world.does(world.custodian, "hold", reason="调取", records=[record(world, 3)])
    world.does(world.custodian, "hold", reason="设备", device="F1-0001", since=china("2026-03-02 10:03"))
    kept = {
        name: [n for n in range(4) if record(world, n) in await seen(custodian(desk), f"/desk/holds/{name}")]
        for name in ("hold-1", "hold-2", "hold-3", "hold-4")
    }
    assert kept == {"hold-1": [1], "hold-2": [0, 1], "hold-3": [3], "hold-4": [2, 3]}
    world.does(world.custodian, "lift-hold", hold="hold-3", reason="已调取完毕")
    page = await seen(custodian(desk), "/desk/holds/hold-3")
    assert "已调取完毕" in page
    assert record(world, 3) in page
    assert "lift-hold" not in page
    text = await seen(custodian(desk), "/desk/holds?state=placed")
    assert "hold-3" not in text
    assert text.count("/desk/act/lift-hold") == 3
    assert "lift-hold" not in await seen(desk.signed_in(HEAD, "unit-head"), "/desk/holds")
    assert (await custodian(desk).get("/desk/holds/hold-9")).status_code == 404
