"""Requests with their chain, for whoever is next to decide; and the register (登记簿), by date and person."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from desk_world import HEAD, KEEPER, OFFICER, OTHER, SECOND_HEAD, World, china
from web_world import Desk, Visitor, attended, house_of, visiting, world_in


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = world_in(tmp_path)
    world.issued()
    world.at("2026-03-02 12:00")
    world.records("a.mp4", china("2026-03-02 10:00"))
    await world.docks()
    return world


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    async with visiting(house_of(world)) as made:
        yield made


def requested(
    world: World, who: tuple[str, str], act: str = "copy", applicant: str = "赵警官", why: str = "研判"
) -> str:
    said = {"access": act, "applicant": applicant, "records": [world.record("a.mp4").id], "reason": why}
    return world.does(who, "request-access", **said).matter


async def seen(visitor: Visitor, path: str) -> str:
    answer = await visitor.get(path)
    assert answer.status_code == 200, path
    assert "<i>" not in answer.text
    return answer.text


@pytest.mark.parametrize("path", ["/desk/access", "/desk/register"])
async def test_an_empty_station_says_so(world: World, desk: Desk, path: str) -> None:
    assert 'class="nothing"' in await seen(desk.signed_in(KEEPER, "administrator"), path)


async def test_whoever_is_next_and_nobody_else_is_asked_to_decide(world: World, desk: Desk) -> None:
    name = requested(world, world.head)
    for person, role, is_asked in (
        (SECOND_HEAD, "unit-head", True),
        (HEAD, "unit-head", False),  # it is his own request
        (KEEPER, "administrator", False),
    ):
        visitor = desk.signed_in(person, role)
        for path in ("/desk/access", f"/desk/access/{name}"):
            assert ("/desk/act/approve" in await seen(visitor, path)) == is_asked, (person, path)
    page = await seen(desk.signed_in(SECOND_HEAD, "unit-head"), f"/desk/access/{name}")
    assert 'class="next-step"' in page
    assert "第二十条" in page
    assert "应经执法单位负责人批准" in page


async def test_it_is_decided_on_the_page_it_is_shown_on(world: World, desk: Desk) -> None:
    name = requested(world, world.officer)
    head = desk.signed_in(HEAD, "unit-head")
    async with attended(world):
        answer = await head.post("/desk/act/approve", request=name, note="同意", next=f"/desk/access/{name}")
    assert answer.headers["location"].startswith(f"/desk/access/{name}?done=")
    page = await seen(head, answer.headers["location"])
    assert 'role="status"' in page
    assert 'class="done-step"' in page
    assert "同意" in page


async def test_a_granted_request_leads_to_footage_for_whoever_may(world: World, desk: Desk) -> None:
    name, viewing = requested(world, world.officer), requested(world, world.officer, act="view_inside")
    keeper, head, officer = (
        desk.signed_in(KEEPER, "administrator"),
        desk.signed_in(HEAD, "unit-head"),
        desk.signed_in(OFFICER, "officer"),
    )
    view = f"/desk/access/{name}/view/{world.record('a.mp4').id}"
    assert view not in await seen(keeper, f"/desk/access/{name}")
    world.does(world.head, "approve", request=name)
    world.does(world.head, "approve", request=viewing)
    for visitor, exports in ((keeper, True), (head, False), (officer, False)):
        page = await seen(visitor, f"/desk/access/{name}")
        assert view in page
        assert (f"/desk/access/{name}/export" in page) == exports
        assert "/export" not in await seen(visitor, f"/desk/access/{viewing}")
    assert "use-access" in await seen(keeper, f"/desk/access/{name}")
    assert "use-access" not in await seen(head, f"/desk/access/{name}")


async def test_a_refusal_is_shown_with_its_reason(world: World, desk: Desk) -> None:
    name = requested(world, world.officer)
    world.does(world.head, "refuse", request=name, reason="<i>无必要</i>")
    page = await seen(desk.signed_in(KEEPER, "administrator"), f"/desk/access/{name}")
    assert 'class="refused-step"' in page
    assert "&lt;i&gt;无必要" in page


async def test_an_officer_sees_only_his_own_requests(world: World, desk: Desk) -> None:
    his, others = requested(world, world.officer), requested(world, (OTHER, "officer"), applicant=OTHER)
    visitor = desk.signed_in(OFFICER, "officer")
    text = await seen(visitor, "/desk/access")
    assert his in text
    assert others not in text
    assert (await visitor.get(f"/desk/access/{others}")).status_code == 403
    assert (await visitor.get("/desk/register")).status_code == 403
    assert (await visitor.get("/desk/access/access-9")).status_code == 404


async def test_the_register_is_found_by_day_and_person(world: World, desk: Desk) -> None:
    name = requested(world, world.officer, applicant="<i>当事人</i>", why="<i>复议</i>\n第二行")
    world.does(world.head, "approve", request=name)
    for day, who in (("2026-03-03", "张三"), ("2026-03-04", OTHER), ("2026-03-05", "<i>李四</i>")):
        world.at(f"{day} 23:30")
        world.does(world.custodian, "use-access", request=name, how="copied", who=who, copies=2)
    visitor = desk.signed_in(KEEPER, "administrator")

    async def lines(asked: str) -> int:
        return (await seen(visitor, f"/desk/register{asked}")).count(f'href="/desk/access/{name}"')

    text = await seen(visitor, "/desk/register")
    assert "&lt;i&gt;复议&lt;/i&gt; 第二行" in text
    assert text.index("李四") < text.index("赵警官") < text.index("张三")
    assert await lines("") == 3
    assert await lines("?since=2026-03-04") == 2
    assert await lines("?until=2026-03-04") == 2
    assert await lines("?since=2026-03-04&until=2026-03-04") == 1
    assert await lines("?person=赵警官") == 1  # by the name of whoever has this id
    assert await lines(f"?person={HEAD}") == 3  # who agreed
    assert await lines("?person=nobody") == 0
    assert await lines("?since=yesterday") == 3


async def test_a_long_register_goes_on_where_the_page_before_ended(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bwcdock.desk.lists.PRINTED", 2)
    monkeypatch.setattr("bwcdock.desk.lists.READ", 2)
    name = requested(world, world.officer, act="view_inside")
    world.does(world.head, "approve", request=name)
    for n in range(5):
        world.does(world.custodian, "use-access", request=name, how="viewed", who=f"人{n}")
    visitor = desk.signed_in(KEEPER, "administrator")
    path, found = "/desk/register", []
    while path:
        text = await seen(visitor, path)
        found.append([f"人{n}" for n in range(5) if f"人{n}" in text])
        found_after = re.search(r'\?after=([^"&]*)"', text)  # not that of the other language, which keeps it too
        after = found_after[1] if found_after else ""
        path = f"/desk/register?after={after}" if after else ""
    assert found == [["人3", "人4"], ["人1", "人2"], ["人0"]]
