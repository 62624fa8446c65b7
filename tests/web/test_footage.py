"""Footage on the pages: only under a granted request, in parts, by whoever began it, with the register's line first."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from bwcdock.core.desk.access import Access, Used
from bwcdock.core.facts import Actor
from bwcdock.desk import line
from bwcdock.ledger import open_read_only
from bwcdock.web.ranges import part
from desk_world import HEAD, KEEPER, OFFICER, OTHER, World, china
from web_world import Desk, Visitor, attended, house_of, visiting, world_in

PATH = "DCIM/20260302_090000.MP4"
CONTENT = Random(PATH).randbytes(5000)


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = world_in(tmp_path)
    world.at("2026-03-02 12:00")
    world.records(PATH, china("2026-03-02 09:00"))
    world.records("DCIM/20260302_093000.MP4", china("2026-03-02 09:30"))
    await world.docks()
    return world


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    async with visiting(house_of(world)) as made, attended(world):
        yield made


@pytest.fixture
async def granted(world: World, desk: Desk) -> str:
    """A granted request to see the first recording."""
    return await requested(world, desk, "view_inside")


async def requested(world: World, desk: Desk, access: str, *, approved: bool = True) -> str:
    async def does(who: tuple[str, str], word: str, **said: Any) -> str:
        run, actor = world.bed.settings.paths.run, Actor(name=who[0], role=who[1])
        return (await desk.house.hands.do(line.ask, run, line.act_of(word, said), actor)).matter

    said = {"access": access, "applicant": "督察", "reason": "案情研判", "records": [world.record(PATH).id]}
    matter = await does(world.officer, "request-access", **said)
    if approved:
        await does(world.head, "approve", request=matter)
    return matter


def used(world: World, request: str) -> tuple[Used, ...]:
    with open_read_only(world.bed.settings.paths.ledger) as ledger:
        access = ledger.matter(Access, request)
    assert access is not None
    return access.used


def address(world: World, request: str, path: str = PATH) -> str:
    return f"/desk/access/{request}/view/{world.record(path).id}"


async def begun(visitor: Visitor, where: str) -> str:
    answer = await visitor.post(where, who="督察王")
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (None, (0, 100)),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 10)),
        ("bytes=90-500", (90, 10)),
        ("bytes=-7", (93, 7)),
        ("bytes=-700", (0, 100)),
        ("bytes=99-99", (99, 1)),
        ("bytes=100-", None),
        ("bytes=-0", None),
        ("bytes=20-10", (0, 100)),
        ("bytes=0-1,5-6", (0, 100)),
        ("bytes=-", (0, 100)),
        ("lines=1-2", (0, 100)),
        ("bytes=" + "9" * 30 + "-", (0, 100)),
    ],
)
def test_a_part_is_what_the_standard_says(asked: str | None, found: tuple[int, int] | None) -> None:
    assert part(asked, 100) == found


async def test_a_viewing_is_entered_before_the_first_byte_and_once(world: World, desk: Desk, granted: str) -> None:
    visitor = desk.signed_in(KEEPER, "administrator")
    form = await visitor.get(address(world, granted))
    assert form.status_code == 200
    assert "督察" in form.text
    assert used(world, granted) == ()
    where = await begun(visitor, address(world, granted))
    (entry,) = used(world, granted)
    assert (entry.how, entry.who, entry.by) == ("viewed", "督察王", KEEPER)
    assert (await visitor.get(where)).status_code == 200
    whole = await visitor.get(f"{where}/bytes")
    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert whole.headers["cache-control"] == "no-store"
    assert whole.headers["content-type"] == "video/mp4"
    some = await visitor.get(f"{where}/bytes", headers={"range": "bytes=4990-"})
    assert (some.status_code, some.content) == (206, CONTENT[4990:])
    assert some.headers["content-range"] == "bytes 4990-4999/5000"
    none = await visitor.get(f"{where}/bytes", headers={"range": "bytes=5000-"})
    assert (none.status_code, none.headers["content-range"], none.content) == (416, "bytes */5000", b"")
    assert len(used(world, granted)) == 1


async def test_an_officer_sees_nothing_of_a_request_that_is_not_his(world: World, desk: Desk, granted: str) -> None:
    """Neither who asked nor why: and no line is written for him."""
    stranger = desk.signed_in(OTHER, "officer")
    for answer in (await stranger.get(address(world, granted)), await stranger.post(address(world, granted), who="W")):
        assert answer.status_code == 403
        assert "案情研判" not in answer.text
    assert used(world, granted) == ()


async def test_a_viewing_is_one_persons_and_ends(world: World, desk: Desk, granted: str) -> None:
    visitor = desk.signed_in(KEEPER, "administrator")
    where = await begun(visitor, address(world, granted))
    for other in (desk.signed_in(HEAD, "unit-head"), desk.signed_in(OFFICER, "officer")):
        assert (await other.get(where)).status_code == 404
        assert (await other.get(f"{where}/bytes")).status_code == 404
    assert (await desk.visitor().get(f"{where}/bytes")).status_code in {303, 401}
    stranger = {"sec-fetch-site": "cross-site"}
    assert (await visitor.get(f"{where}/bytes", headers=stranger)).status_code == 404
    assert (await visitor.post(f"{where}/end")).status_code == 303
    assert (await visitor.get(f"{where}/bytes")).status_code == 404
    assert len(used(world, granted)) == 1


async def test_a_viewing_is_over_after_its_time(world: World, desk: Desk, granted: str) -> None:
    where = await begun(desk.signed_in(KEEPER, "administrator"), address(world, granted))
    world.clock.set(world.clock.now() + timedelta(seconds=desk.house.settings.web.viewing_s + 1))
    again = desk.signed_in(KEEPER, "administrator")
    assert (await again.get(f"{where}/bytes")).status_code == 404


async def test_nothing_is_shown_without_a_granted_request_for_it(world: World, desk: Desk, granted: str) -> None:
    visitor = desk.signed_in(KEEPER, "administrator")
    waiting = await requested(world, desk, "view_inside", approved=False)
    answer = await visitor.post(address(world, waiting))
    assert answer.status_code == 422
    assert "尚未批准" in answer.text
    assert "granted" not in answer.text
    assert used(world, waiting) == ()
    assert (await visitor.get(address(world, granted, "DCIM/20260302_093000.MP4"))).status_code == 404
    assert (await visitor.get(address(world, "access-99"))).status_code == 404


async def test_only_the_administrator_begins_a_viewing(world: World, desk: Desk, granted: str) -> None:
    answer = await desk.signed_in(HEAD, "unit-head").post(address(world, granted))
    assert answer.status_code == 422
    assert "不能办理“调阅登记”" in answer.text
    assert used(world, granted) == ()


async def test_no_more_are_played_at_once_than_may_be(world: World, desk: Desk, granted: str) -> None:
    most = desk.house.settings.web.viewings_at_once
    visitor = desk.signed_in(KEEPER, "administrator")
    first, *_ = [await begun(visitor, address(world, granted)) for _ in range(most + 1)]
    assert (await visitor.get(f"{first}/bytes")).status_code == 404  # one's own oldest gave way
    other = desk.signed_in(HEAD, "unit-head")
    refused = await other.post(address(world, granted))
    assert refused.status_code == 422
    assert "同时播放的录像已达" in refused.text


async def at_the_end(visitor: Visitor, where: str) -> str:
    """The page once it no longer fetches itself anew."""
    for _ in range(300):
        text = (await visitor.get(where)).text
        if "http-equiv" not in text:
            return text
        await asyncio.sleep(0.2)  # who asks without a pause is refused
    raise AssertionError(text)


async def test_a_package_is_made_and_fetched(world: World, desk: Desk) -> None:
    request = await requested(world, desk, "copy")
    visitor = desk.signed_in(KEEPER, "administrator")
    assert (await visitor.get(f"/desk/access/{request}/export")).status_code == 200
    answer = await visitor.post(f"/desk/access/{request}/export", copies="2")
    assert answer.status_code == 303, answer.text
    where = answer.headers["location"]
    text = await at_the_end(visitor, where)
    assert "资料包已制成" in text
    (entry,) = used(world, request)
    assert (entry.how, entry.copies, entry.by) == ("exported", 2, KEEPER)
    fetched = text.partition('href="/desk/exports/')[2].partition('"')[0]
    disc = await visitor.get(f"/desk/exports/{fetched}")
    assert disc.status_code == 200
    assert disc.content[32769:32774] == b"CD001"
    assert disc.headers["content-disposition"].startswith("attachment")
    assert (await desk.signed_in(HEAD, "unit-head").get(f"/desk/exports/{fetched}")).status_code == 403
    assert (await desk.signed_in(HEAD, "unit-head").get(where)).status_code == 403


async def test_a_package_without_a_granted_request_is_refused(world: World, desk: Desk, granted: str) -> None:
    visitor = desk.signed_in(KEEPER, "administrator")
    answer = await visitor.post(f"/desk/access/{granted}/export")
    text = await at_the_end(visitor, answer.headers["location"])
    assert "只批准查阅，不得复制" in text
    assert used(world, granted) == ()
