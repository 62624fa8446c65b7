"""Who follows the wall is judged again and again, and not only when he begins: the stream of who may not ends."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bwcdock.web.wall import events
from desk_world import OFFICER
from wall_world import following, until
from web_world import FAR, Desk, house_of, visiting, world_in


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with visiting(house_of(world_in(tmp_path))) as made:
        yield made


async def test_whoever_may_look_no_longer_is_told_so_and_left(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "JUDGE_S", 0.1)
    house = desk.house
    one, other = (house.accounts.begin(OFFICER, "officer", house.clock.now(), second=False) for _ in range(2))
    async with (
        following(desk.app) as near,
        following(desk.app, address=FAR, cookie=one) as out,
        following(desk.app, address=FAR, cookie=other) as stays,
    ):
        await until(lambda: out.named("beat") and stays.named("beat") and near.named("beat"))
        house.accounts.end(one)
        await until(lambda: out.over)
        assert out.events[-1] == ("shut", {})
        seen = [len(screen.named("beat")) for screen in (near, stays)]
        await until(lambda: all(len(s.named("beat")) > n + 1 for s, n in zip((near, stays), seen, strict=True)))
        assert not near.over
        assert not stays.over


async def test_a_screen_that_hangs_there_keeps_nobody_signed_in(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "JUDGE_S", 0.05)
    house, clock = desk.house, desk.house.clock
    cookie = house.accounts.begin(OFFICER, "officer", clock.now(), second=False)
    async with following(desk.app, address=FAR, cookie=cookie) as screen:
        await until(lambda: screen.named("beat"))
        idle_ms = round(house.settings.web.idle_s * 1000)
        moved = "UPDATE session SET seen_ms = seen_ms - ?"
        house.accounts.store.rows(moved, idle_ms // 2)
        await asyncio.sleep(0.5)
        assert not screen.over
        house.accounts.store.rows(moved, idle_ms // 2 + 1000)
        await until(lambda: screen.over)
