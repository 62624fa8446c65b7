"""The wall and the recorder's page say what a clock was set by, in both languages."""

import re
from pathlib import Path

from bwcdock.core.facts import ClockTaken, Drift
from desk_world import DEVICE, KEEPER, World, china
from wall_world import at_work, until_page
from web_world import house_of, visiting

ZH = "已校时（经设备协议）：校时前快 1 分 30 秒，校时后快 0.01 秒"
EN = "set by protocol: 1 min 30 s fast before, 0.01 s fast after"


async def test_it_is_shown_with_the_docking(tmp_path: Path) -> None:
    world = World(tmp_path, "S4-fuzhou", overrides={"dock": {"set_clock": True}})
    world.at("2026-03-02 09:00")
    world.records("a.mp4", china("2026-03-02 08:00"))
    now = world.clock.now()
    world.card.clock = "honest"
    world.card.drift = Drift(method="protocol", offset_ms=90_000, uncertainty_ms=20, read_at=now)
    async with at_work(world.bed), visiting(house_of(world)) as desk:
        world.card.plug()
        await world.bed.until(lambda: world.clock.advance(1) or world.bed.facts(ClockTaken))
        keeper = desk.signed_in(KEEPER, "administrator")
        page = (await keeper.get(f"/desk/recorders/{DEVICE}")).text
        assert page.count(ZH) == 2  # of now, and in the list of its dockings
        assert EN in (await keeper.get(f"/desk/recorders/{DEVICE}?lang=en")).text

        async def wall() -> str:
            return (await desk.screen().get("/wall")).text

        cards = (await until_page(wall, DEVICE)).split("<button")
        key = next(re.findall(r'data-key="(\w+)"', card)[0] for card in cards if DEVICE in card)

        async def slot() -> str:
            return (await desk.screen().get(f"/wall/slot/{key}")).text

        assert "<dt>校时</dt>" in await until_page(slot, ZH)
