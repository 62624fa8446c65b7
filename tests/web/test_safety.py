"""Before any page: whose name was asked for, from where, how much; and what every answer carries."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bwcdock.web.application import build, place_of
from bwcdock.web.house import House
from bwcdock.web.limits import MOST, Buckets
from bwcdock.web.pages import Pages
from bwcdock.web.policy import Place
from bwcdock.web.safety import CSP
from fastapi import FastAPI
from structlog.testing import capture_logs
from web_world import Desk, Visitor, house_of, visiting, world_in


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with visiting(house_of(world_in(tmp_path))) as made:
        yield made


@pytest.mark.parametrize("path", ["/", "/nowhere", "/static/base.css"])
async def test_every_answer_says_how_it_may_be_used(desk: Desk, path: str) -> None:
    answer = await desk.visitor().get(path)
    assert answer.headers["content-security-policy"] == CSP
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("base", "is_told"),
    [
        ("https://bwcdock:8343", True),
        ("https://localhost:8343", False),  # no network is in between, and the wall is there without TLS
        ("https://127.0.0.1:8343", False),
        ("http://bwcdock:8380", False),
    ],
)
async def test_a_browser_is_told_to_come_back_with_tls_where_it_would_heed_it(
    desk: Desk, base: str, is_told: bool
) -> None:
    answer = await desk.visitor(base=base).get("/static/base.css")
    assert answer.status_code == 200
    assert answer.headers.get("strict-transport-security", "") == ("max-age=31536000" if is_told else "")


async def test_pages_are_never_kept(desk: Desk) -> None:
    answer = await desk.visitor().get("/nowhere")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_strangers_name_for_this_machine_is_refused(desk: Desk) -> None:
    visitor = desk.visitor()
    assert (await visitor.get("/static/base.css", headers={"host": "evil.example"})).status_code == 421
    for own in ("localhost:8343", "127.0.0.1:8343", "[::1]:8343"):
        assert (await visitor.get("/static/base.css", headers={"host": own})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "https://localhost:8343", "sec-fetch-site": "cross-site"},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_nothing_is_changed_from_another_site(desk: Desk, headers: dict[str, str]) -> None:
    answer = await desk.visitor().client.post("/nowhere", headers=headers)
    assert (answer.status_code, answer.text) == (403, "Sent from a page of another site.")


async def test_what_is_sent_is_bounded_whether_it_says_so_or_not(desk: Desk) -> None:
    most = desk.house.settings.web.body
    visitor = desk.visitor()
    ours = {"origin": "https://localhost:8343"}
    assert (await visitor.client.post("/", content=b"x" * (most + 1), headers=ours)).status_code == 413


def test_a_route_of_no_place_is_refused() -> None:
    app = FastAPI()

    @app.get("/loose")
    async def loose() -> None: ...

    with pytest.raises(ValueError, match="/loose belongs to no place"):
        place_of(app.routes[-1])


async def test_each_route_has_a_place(desk: Desk) -> None:
    routes = desk.app._app.routes  # type: ignore[attr-defined]
    assert routes
    assert all(isinstance(place_of(route), Place) for route in routes)


async def test_without_tls_only_the_wall_and_figures_are_open(desk: Desk) -> None:
    answer = await desk.screen().get("/")
    assert answer.status_code == 307
    assert answer.headers["location"] == "/wall"


async def test_a_fault_of_the_program_is_told_by_a_number_alone(tmp_path: Path) -> None:
    def room(_: House) -> Pages:
        pages = Pages()

        @pages.get("/broken", Place.HEALTH)
        async def broken() -> None:
            raise RuntimeError("the secret of the house")

        return pages

    house = house_of(world_in(tmp_path))
    visitor = Visitor(house, build(house, [room]))
    with capture_logs() as lines:
        answer = await visitor.get("/broken")
    await visitor.client.aclose()
    house.close()
    (told,) = [line for line in lines if line["event"] == "web.bug"]
    assert (answer.status_code, told["path"]) == (500, "/broken")
    assert told["number"] in answer.text
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["content-security-policy"] == CSP


def test_a_bucket_empties_and_fills_again() -> None:
    buckets = Buckets(rate=2, burst=4)
    assert [buckets.take("192.0.2.1", 0) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert buckets.take("192.0.2.2", 0) == 0
    assert buckets.take("192.0.2.1", 0.5) == 0
    assert buckets.take("192.0.2.1", 0.5) > 0
    assert [buckets.take("192.0.2.1", 100) for _ in range(5)] == [0, 0, 0, 0, 0.5], "never more than it holds"


def test_addresses_are_not_remembered_without_end() -> None:
    buckets = Buckets(rate=1, burst=1)
    for n in range(3 * MOST):
        buckets.take(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 0)
    assert len(buckets) == MOST
    assert buckets.take("10.0.0.0", 0) == 0, "who was forgotten begins anew"
