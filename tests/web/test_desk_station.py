"""The health of the station: what is amiss, how much room there is, who answers, and which settings guard less."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bwcdock.core.facts import CentralScrubbed, CopyBad, Finding, Found, Scrubbed, Severity
from bwcdock.settings import Settings
from bwcdock.web import health
from desk_world import KEEPER, OFFICER, World, china
from web_world import Desk, house_of, visiting, world_in


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = world_in(tmp_path)
    world.at("2026-03-02 12:00")
    world.records("a.mp4", china("2026-03-02 10:00"))
    return world


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    async with visiting(house_of(world)) as made:
        yield made


async def seen(desk: Desk, language: str = "zh") -> str:
    answer = await desk.signed_in(KEEPER, "administrator").get(f"/desk/station?lang={language}")
    assert answer.status_code == 200
    assert "<s>" not in answer.text
    return answer.text


async def test_an_empty_station_shows_what_can_be_shown(desk: Desk) -> None:
    page = await seen(desk)
    assert "未运行" in page
    assert "近一周没有采集" in page
    assert "没有问题。" in page
    assert "从未发现" in page
    assert (await desk.signed_in(OFFICER, "officer").get("/desk/station")).status_code == 403


async def test_what_came_in_and_was_confirmed_is_told(world: World, desk: Desk) -> None:
    await world.docks()
    page = await seen(desk)
    assert "按近一周采集 4.9 KiB" in page
    assert "&gt; 999" in page
    last = world.bed.ask(lambda ledger: ledger.last("record.confirmed"))
    assert last is not None
    assert f'href="/desk/ledger/{last.seq}"' in page


async def test_while_the_station_works_its_own_word_counts(world: World, desk: Desk) -> None:
    async with world.bed.at_work():
        await world.bed.until(lambda: is_at_work(world))
        page = await seen(desk)
    assert "未运行" not in page
    assert "运行中" in page


def is_at_work(world: World) -> bool:
    found = world.bed.ask(lambda ledger: health.station(world.bed.settings, ledger, world.clock.now()))
    return found.running is not None and found.live is not None


async def test_findings_are_counted_by_kind_the_loudest_first(world: World, desk: Desk) -> None:
    def about(record: str, code: str, severity: Severity) -> Found:
        what = f"<s>{code}</s> of {record}."
        return Found(record=record, finding=Finding(severity=severity, code=code, what=what, remedy=f"Mend {code}."))

    with world.bed.bench() as bench:
        bench.book.record([about(f"r{n}", "a.note", Severity.NOTE) for n in range(3)])
        bench.book.record([about(f"r{n}", "b.warned", Severity.WARN) for n in range(2)])
        bench.book.record([about("r1", "c.refused", Severity.REFUSE)])
    page = await seen(desk, "en")
    assert [page.index(code) for code in ("c.refused", "b.warned", "a.note")] == sorted(
        page.index(code) for code in ("c.refused", "b.warned", "a.note")
    )
    assert "&lt;s&gt;a.note&lt;/s&gt; of r2." in page  # the newest of three
    assert "of r0." not in page
    assert "Mend b.warned." in page
    assert re.search(r'of r2\..*?<td class="number">3</td>', page, re.DOTALL)


async def test_what_is_known_by_its_code_is_told_in_chinese(world: World, desk: Desk) -> None:
    low = Finding(severity=Severity.WARN, code="ledger.unwitnessed", what="Nobody saw it.", remedy="Bring it back.")
    with world.bed.bench() as bench:
        bench.book.record([Found(finding=low)])
    assert "Nobody saw it." not in await seen(desk)
    assert "Nobody saw it." in await seen(desk, "en")


async def test_what_was_read_again_is_told_with_what_was_bad(world: World, desk: Desk) -> None:
    await world.docks()
    record = world.record("a.mp4")
    with world.bed.bench() as bench:
        bench.book.record([Scrubbed(files=7, bad=2), CopyBad(record=record.id, place="central", what="It rotted.")])
        bench.book.record([CentralScrubbed(sink="central", files=31, size=5_000_000, bad=4)])
        bench.book.record([CentralScrubbed(sink="central", files=32, size=5_000_000, bad=5)])
    page = await seen(desk)
    assert "2 件损坏" in page
    assert "7 个文件" in page
    assert re.search(r"集中存储复读 central.*?5 件损坏.*?32 个文件", page, re.DOTALL)
    assert "31 个文件" not in page
    assert "从未发现" not in page
    assert re.search(r"最近发现的损坏副本.*?central", page, re.DOTALL)


LESS: dict[str, tuple[object, object]] = {
    "dock.any_port": (True, False), "checks.drift_warn_s": (120.0, 30.0), "checks.battery_low_percent": (5, 50),
    "checks.storage_free_low_ratio": (0.01, 0.5), "pull.distrust_limit": (9, 1), "spool.reserve_ratio": (0.01, 0.2),
    "spool.keep_after_confirm_s": (60.0, 9e6), "spool.second_look_after_s": (9e6, 60.0), "spool.scrub_days": (90, 1),
    "erase.enabled": (True, False), "erase.after_days": (1, 90), "erase.reformat": (True, False),
    "erase.persons": (1, 3), "law.at_risk_ratio": (0.1, 0.5), "law.spot_check_percent": (1, 10),
    "web.mask_names": (False, True), "web.idle_s": (3600.0, 60.0), "web.absolute_s": (90000.0, 60.0),
    "web.tries": (50, 3), "web.tries_within_s": (60.0, 3600.0), "web.viewing_s": (7200.0, 60.0),
    "ledger.checkpoint_every_s": (600.0, 5.0), "ledger.beat_s": (3600.0, 60.0),
    "ledger.witness_alarm_s": (86400.0, 600.0), "web.identify": ("badge", "pin"),
}  # fmt: skip
"""By setting one value that guards less than the shipped one, and one that does not."""


@pytest.mark.parametrize("key", LESS)
def test_a_setting_that_guards_less_is_told(key: str) -> None:
    shipped, (table, _, name) = Settings(), key.partition(".")
    for value, told in zip(LESS[key], ([key], []), strict=True):
        changed = getattr(shipped, table).model_copy(update={name: value})
        assert [each.key for each in health.loosened(shipped.model_copy(update={table: changed}))] == told, value


def test_every_setting_that_may_guard_less_is_tried() -> None:
    assert LESS.keys() == {key for key, _ in health.LOOSER} | {"web.identify"}


async def test_a_setting_that_guards_less_is_shown_beside_the_shipped_one(tmp_path: Path) -> None:
    world = world_in(tmp_path, overrides={"ledger": {"witness_alarm_s": 86400}})
    async with visiting(house_of(world)) as desk:
        page = await seen(desk)
    assert re.search(r"ledger\.witness_alarm_s</th><td[^>]*>86400</td><td[^>]*>3600</td>", page)
