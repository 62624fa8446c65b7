"""For how many days the spool has room stands on the wall's strip, at what came in during the last week."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bwcdock.core.live import RoomView
from bwcdock.core.wall import Strip
from bwcdock.web.wall.drawing import Pencil
from bwcdock.web.wall.eyes import INFLOW_AGAIN, Registers, registers
from bwcdock.web.wall.hub import Hub
from desk_world import World, china
from wall_world import until
from web_world import house_of, world_in

DAY = timedelta(days=1)


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = world_in(tmp_path)
    world.issued()
    world.at("2026-03-02 12:00")
    world.records("a.mp4", china("2026-03-02 10:00"))
    await world.docks()
    return world


def room(free: int) -> RoomView:
    return RoomView(free=free + 500, total=free + 1000, reserve=500)


async def test_the_days_are_those_at_which_recordings_came_in(world: World) -> None:
    now = world.clock.now()
    came = world.bed.ask(lambda ledger: ledger.inflow(now - 7 * DAY))
    assert came
    first = world.bed.ask(lambda ledger: registers(ledger, (), (), Registers(), room(came * 12), now))
    age_days = max(1.0, (now - world.bed.ask(lambda ledger: ledger.entry(0).at)) / DAY)
    assert first.days == int(12 * age_days)
    nobody = world.bed.ask(lambda ledger: registers(ledger, (), (), Registers(), None, now))
    assert nobody.days is None
    # What came in is read again after a while only; the room is that of now.
    later = replace(first, inflow=came * 2)
    soon = world.bed.ask(lambda ledger: registers(ledger, (), (), later, room(came * 12), now + INFLOW_AGAIN / 2))
    assert soon.inflow == came * 2
    again = world.bed.ask(lambda ledger: registers(ledger, (), (), later, room(0), now + INFLOW_AGAIN))
    assert (again.inflow, again.days) == (came, 0)


@pytest.mark.parametrize(
    ("days", "zh", "en", "sort"),
    [
        (12, "约够 12 天", "room for 12 days", "well"),
        (3, "约够 3 天", "room for 3 days", "near"),
        (0, "不足一天", "room for less than a day", "near"),
        (5000, "共 ", "of ", "well"),
        (None, "共 ", "of ", "well"),
    ],
)
def test_it_is_told_in_days_while_they_can_be_counted(
    world: World, days: int | None, zh: str, en: str, sort: str
) -> None:
    pencil = Pencil(world.bed.settings)
    strip = Strip(runs=True, answers=True, spool=room(10**9), days=days, clock="vouched")
    for language, words in (("zh", zh), ("en", en)):
        drawn = pencil.strip(strip, language).partition("#i-room")
        assert words in drawn[2].partition("</small>")[0], language
        assert f'class="cond {sort}"' in drawn[0][-200:]


async def test_the_strip_has_what_was_learned_last(world: World) -> None:
    house = house_of(world)
    hub = Hub(house)
    try:
        async with world.bed.at_work():
            with hub.screen():
                await hub.ready()
                await until(lambda: "#i-room" in hub.html("zh")[1])
                hub._asked = (hub._asked[0], float("inf"))  # nothing more is learned
                await until(lambda: hub._asking is None or hub._asking.done())
                hub._registers = Registers(left_s=12.7 * 86400)
                await until(lambda: "约够 12 天" in hub.html("zh")[1])
    finally:
        hub.close()
        house.close()
