"""Acts of the desk by form: a field for each option, and in the ledger what was said, or a refusal and nothing."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bwcdock.core.desk.devices import Device
from bwcdock.desk.acts import ACTS
from bwcdock.ledger import open_read_only
from bwcdock.web.forms import fields_of
from desk_world import CHINA, DEVICE, KEEPER, OFFICER, World
from starlette.datastructures import FormData
from web_world import Desk, attended, house_of, visiting, world_in


@pytest.fixture
def world(tmp_path: Path) -> World:
    return world_in(tmp_path)


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    async with visiting(house_of(world)) as made:
        yield made


def holder(world: World) -> str:
    with open_read_only(world.bed.settings.paths.ledger) as ledger:
        device = ledger.matter(Device, DEVICE)
    assert device is not None
    return device.holder


@pytest.mark.parametrize("word", ACTS)
def test_each_option_of_each_act_is_a_field(word: str) -> None:
    act = ACTS[word]
    fields = fields_of(act, FormData(), {}, CHINA)
    assert [field.name for field in fields] == list(act.model_fields)
    assert {field.name for field in fields if field.required} == {
        name for name, info in act.model_fields.items() if info.is_required()
    }


async def test_a_custodian_issues_a_recorder(world: World, desk: Desk) -> None:
    async with attended(world):
        visitor = desk.signed_in(KEEPER, "administrator")
        form = await visitor.get("/desk/act/issue?next=/desk")
        assert form.status_code == 200
        assert f'<option value="{OFFICER}">' in form.text
        answer = await visitor.post(
            "/desk/act/issue", device=DEVICE, to=OFFICER, checked=["clock", "battery", "storage", "works"], next="/desk"
        )
        assert (answer.status_code, answer.text) == (303, "")
        assert answer.headers["location"].startswith("/desk?done=")
    assert holder(world) == OFFICER


async def test_a_refusal_is_shown_beside_what_was_said(world: World, desk: Desk) -> None:
    async with attended(world):
        visitor = desk.signed_in(KEEPER, "administrator")
        answer = await visitor.post("/desk/act/issue", device=DEVICE, to=OFFICER, next="/desk")
        assert answer.status_code == 422
        assert re.search("要求领用前检查，尚未检查：[时钟电量存储空间设备性能、]+。", answer.text)
        assert "asks for" not in answer.text
        english = await visitor.post("/desk/act/issue?lang=en", device=DEVICE, to=OFFICER, next="/desk")
        assert "asks for a check before use, and nobody has checked: " in english.text
        assert f'<option value="{OFFICER}" selected>' in answer.text
    assert holder(world) == ""


async def test_what_was_checked_is_chosen_in_the_language_of_the_page(world: World, desk: Desk) -> None:
    visitor = desk.signed_in(KEEPER, "administrator")
    chosen = [(await visitor.get(f"/desk/act/issue?lang={each}")).text for each in ("zh", "en")]
    found = [re.findall(r'name="checked" value="(\w+)">([^<]+)<', page) for page in chosen]
    assert [label for _, label in found[0]] == ["时钟", "电量", "存储空间", "设备性能"]
    assert [label for _, label in found[1]] == ["clock", "battery", "storage", "works"]
    assert [value for value, _ in found[0]] == [value for value, _ in found[1]]


async def test_what_is_left_out_or_is_none_is_told_by_the_names_of_the_fields(world: World, desk: Desk) -> None:
    visitor = desk.signed_in(KEEPER, "administrator")
    answer = await visitor.post("/desk/act/issue", device=DEVICE, expected_back="gestern", next="/desk")
    assert answer.status_code == 422
    assert "“领用人”未填写；“预计归还时间”不是有效的时间。" in answer.text
    english = await visitor.post("/desk/act/issue?lang=en", device=DEVICE, next="/desk")
    assert "to: Field required." in english.text


async def test_a_role_is_called_as_the_regulation_calls_it(world: World, desk: Desk) -> None:
    async with attended(world):
        visitor = desk.signed_in(OFFICER, "officer")
        answer = await visitor.post("/desk/act/issue", device=DEVICE, to=OFFICER, next="/desk")
        assert answer.status_code == 422
        assert "执法人员不能办理“领用”。" in answer.text


async def test_without_the_daemon_nothing_is_lost_but_the_time(world: World, desk: Desk) -> None:
    visitor = desk.signed_in(KEEPER, "administrator")
    answer = await visitor.post("/desk/act/issue", device=DEVICE, to=OFFICER, checked=["works"], next="/desk")
    assert answer.status_code == 422
    assert "采集程序没有运行或没有应答。" in answer.text
    assert 'value="works" checked' in answer.text


async def test_a_form_of_another_session_changes_nothing(world: World, desk: Desk) -> None:
    async with attended(world):
        visitor = desk.signed_in(KEEPER, "administrator")
        other = desk.signed_in(OFFICER, "officer")
        answer = await visitor.post("/desk/act/issue", device=DEVICE, to=OFFICER, csrf=other.csrf)
        assert answer.status_code == 403
    assert holder(world) == ""


@pytest.mark.parametrize("where", ["https://evil.example", "//evil.example", "/desk\\evil", "/wall", ""])
async def test_one_comes_back_to_a_page_of_the_desk_only(world: World, desk: Desk, where: str) -> None:
    async with attended(world):
        visitor = desk.signed_in(OFFICER, "officer")
        answer = await visitor.post("/desk/act/open-case", case="A1", next=where)
        assert answer.headers["location"].startswith("/desk?done=")
