"""What stands around every page: the way to the other language, and the icon that browsers ask for by its old name."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest
from desk_world import KEEPER
from web_world import Desk, house_of, visiting, world_in


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with visiting(house_of(world_in(tmp_path))) as made:
        yield made


def other_language(page: str) -> str:
    (link,) = re.findall(r'href="([^"]+)" hreflang', page)
    return unescape(link)


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("/desk/owes?standing=overdue&docked=yes", "/desk/owes?standing=overdue&docked=yes&lang=en"),
        ("/desk/records?q=%E5%BC%A0%26%E6%9D%8E&tag=a&done=7", "/desk/records?q=%E5%BC%A0%26%E6%9D%8E&tag=a&lang=en"),
        ("/desk/act/issue?next=/desk&device=F1&device=F2", "/desk/act/issue?next=%2Fdesk&device=F1&device=F2&lang=en"),
        ("/desk/ledger?lang=en&person=001", "/desk/ledger?person=001&lang=zh"),
        ("/desk", "/desk?lang=en"),
    ],
)
async def test_the_other_language_shows_the_same_page(desk: Desk, asked: str, there: str) -> None:
    visitor = desk.signed_in(KEEPER, "administrator")
    link = other_language((await visitor.get(asked)).text)
    assert link == there
    page = await visitor.get(link)
    assert page.status_code == 200
    assert ('<html lang="en">' in page.text) is link.endswith("en")


async def test_who_signs_in_keeps_where_he_wanted_to_go(desk: Desk) -> None:
    page = (await desk.visitor().get("/join?person=%22%3E002")).text
    assert other_language(page) == "/join?person=%22%3E002&lang=en"


async def test_an_icon_is_given_to_whoever_asks_by_its_old_name(desk: Desk) -> None:
    for visitor in (desk.visitor(), desk.screen(), desk.visitor(base="http://localhost:8380")):
        icon = await visitor.get("/favicon.ico")
        assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")
        assert icon.text == (await visitor.get("/static/icon.svg")).text
