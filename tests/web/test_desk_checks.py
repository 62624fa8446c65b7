"""Spot checks judged point by point, the end of keeping agreed to by two persons, and handovers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bwcdock.core.desk.checking import SpotCheck
from desk_world import HEAD, KEEPER, OFFICER, OTHER, SECOND_HEAD, World, china
from web_world import Desk, Visitor, attended, house_of, visiting, world_in

SUPERVISOR = ("020", "supervision-office")


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = world_in(tmp_path)
    world.issued()
    world.at("2026-03-02 12:00")
    for n in range(4):
        world.records(f"<s>{n}</s>.mp4", china(f"2026-03-02 10:0{n}"))
    await world.docks()
    world.does(world.custodian, "enter-person", person=SUPERVISOR[0], name="<s>督察</s>", roles=[SUPERVISOR[1]])
    return world


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    async with visiting(house_of(world)) as made:
        yield made


def drawn(world: World) -> SpotCheck:
    span = {"since": china("2026-03-02 00:00"), "until": china("2026-03-03 00:00")}
    name = world.does(SUPERVISOR, "draw-check", unit="unit", percent=100, seed="<s>2026-7</s>", **span).matter
    found = world.bed.ask(lambda ledger: ledger.matter(SpotCheck, name))
    assert found is not None
    return found


async def seen(visitor: Visitor, path: str) -> str:
    answer = await visitor.get(path)
    assert answer.status_code == 200, path
    assert "<s>" not in answer.text
    return answer.text


@pytest.mark.parametrize("path", ["/desk/checks", "/desk/expiry", "/desk/handovers"])
async def test_an_empty_station_says_so(world: World, desk: Desk, path: str) -> None:
    assert 'class="nothing"' in await seen(desk.signed_in(KEEPER, "administrator"), path)
    assert (await desk.signed_in(OFFICER, "officer").get(path)).status_code == 403


@pytest.mark.parametrize("path", ["/desk/checks/x", "/desk/expiry/x", "/desk/handovers/x"])
async def test_what_is_not_there_is_not_found(desk: Desk, path: str) -> None:
    assert (await desk.signed_in(KEEPER, "administrator").get(path)).status_code == 404


async def test_each_point_of_the_regulation_is_a_tick_in_the_form(world: World, desk: Desk) -> None:
    check = drawn(world)
    visitor, there = desk.signed_in(*SUPERVISOR), f"/desk/checks/{check.id}"
    page = await seen(visitor, there)
    assert page.count("/desk/act/judge-check") == 4
    assert "第二十二条" in page
    first, second, third, _ = check.sample
    form = await seen(visitor, f"/desk/act/judge-check?check={check.id}&record={first}&next={there}")
    assert form.count('type="checkbox" name="wrong"') == 4
    assert "执法用语、行为是否规范" in form
    async with attended(world):
        said = {"check": check.id, "next": there}
        answer = await visitor.post(
            "/desk/act/judge-check", record=first, wrong=["1", "3"], remark="<s>开机晚</s>", **said
        )
        assert answer.status_code == 303, answer.text
        assert (await visitor.post("/desk/act/judge-check", record=second, **said)).status_code == 303
        assert (await visitor.post("/desk/act/skip-check", record=third, reason="涉密", **said)).status_code == 303
    page = await seen(visitor, there)
    assert page.count("/desk/act/judge-check") == 1
    assert "75%" in page  # 6 of 8 points
    assert page.count("不符合</span>") == 2
    assert "涉密" in page
    results = await seen(visitor, "/desk/checks")
    assert "1 / 2 是否按照规定" in results
    assert "2 / 2 是否对执法全过程" in results
    assert "/desk/act/judge-check" not in await seen(desk.signed_in(KEEPER, "administrator"), there)


async def test_only_what_nothing_keeps_can_be_proposed_and_two_must_agree(world: World, desk: Desk) -> None:
    ids = [world.record(f"<s>{n}</s>.mp4").id for n in range(4)]
    world.does(world.officer, "tag", records=ids[:3], tags=["guidance-only"])
    world.at("2028-04-01 09:00")
    world.does(world.custodian, "hold", reason="复议", records=[ids[2]])
    keeper = desk.signed_in(KEEPER, "administrator")
    page = await seen(keeper, "/desk/expiry")
    assert [f'value="{one}"' in page for one in ids] == [True, True, False, False]
    assert "hold-1" in page
    free = await seen(keeper, "/desk/expiry?only=free")
    assert [one in free for one in ids] == [True, True, False, False]
    form = await seen(keeper, f"/desk/act/propose-expiry?next=/desk/expiry&records={ids[0]}&records={ids[1]}")
    assert f"{ids[0]}\n{ids[1]}" in form
    world.does(world.custodian, "propose-expiry", records=ids[:2])
    page = await seen(keeper, "/desk/expiry")
    assert [f'value="{one}"' in page for one in ids] == [False] * 4
    assert 'href="/desk/expiry/expiry-1"' in page
    there = "/desk/expiry/expiry-1"
    for person in (HEAD, SECOND_HEAD):
        head = desk.signed_in(person, "unit-head")
        assert "/desk/act/approve-expiry" in await seen(head, there)
        world.does((person, "unit-head"), "approve-expiry", expiry="expiry-1", note="<s>同意</s>")
        page = await seen(head, there)
        assert "/desk/act/approve-expiry" not in page
        assert "&lt;s&gt;同意" in page
    assert page.count('class="done-step"') == 2
    assert "/desk/act/approve-expiry" not in await seen(keeper, there)


async def test_many_that_are_kept_do_not_hide_the_few_that_are_not(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bwcdock.desk.lists.CHOSEN", 1)
    ids = [world.record(f"<s>{n}</s>.mp4").id for n in range(4)]
    world.at("2028-04-01 09:00")
    last = world.bed.ask(lambda ledger: ledger.ended(world.clock.now()))[-1].id
    world.does(world.officer, "tag", records=[last], tags=["guidance-only"])
    keeper = desk.signed_in(KEEPER, "administrator")
    assert last not in await seen(keeper, "/desk/expiry")
    assert last in await seen(keeper, "/desk/expiry?only=free")
    monkeypatch.setattr("bwcdock.desk.lists.LOOKS", 2)
    page = await seen(keeper, "/desk/expiry?only=free")
    assert not any(f'value="{one}"' in page for one in ids)
    after = page.partition("?after=")[2].partition("&")[0]
    assert last in await seen(keeper, f"/desk/expiry?after={after}&only=free")


async def test_a_handover_shows_what_was_left_open(world: World, desk: Desk) -> None:
    world.does(world.officer, "open-case", case="<s>A1</s>", handler=OFFICER)
    world.does(world.custodian, "hand-over", giver=OFFICER, taker=OTHER)
    keeper = desk.signed_in(KEEPER, "administrator")
    assert 'href="/desk/handovers/handover-1"' in await seen(keeper, "/desk/handovers")
    page = await seen(keeper, "/desk/handovers/handover-1")
    assert "case &lt;s&gt;A1" in page
    assert "recorder F1-0001" in page
    assert 'href="/desk/papers/handover?subject=handover-1"' in page
