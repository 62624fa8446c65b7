"""Every route against every sort of caller, by a table written by hand: a change of who may do what shows here."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from bwcdock.web.application import build, place_of
from bwcdock.web.callers import COOKIE
from bwcdock.web.house import House
from bwcdock.web.pages import Pages
from bwcdock.web.policy import Place
from bwcdock.web.routes import ROOMS
from desk_world import HEAD, KEEPER, OFFICER, World
from fastapi.routing import APIRoute
from sign_in_world import AUDIT, SYSTEM, enters
from starlette.responses import PlainTextResponse, Response
from web_world import FAR, PLAIN, TLS, house_of, world_in

REVIEWER = "073"
NEAR = "127.0.0.1"

# Who gets in where. o officer, c custodian, l leader, r reviewer, a auditor, y system administrator: each signed in
# with all he needs; s a screen of the station; n anybody, from anywhere.
TABLE: dict[Place, str] = {
    Place.STATIC: "nsoclray",
    Place.HEALTH: "nsoclray",
    Place.FIGURES: "say",
    Place.WALL: "soclray",
    Place.SIGN_IN: "nsoclray",
    Place.API: "nsoclray",
    Place.ME: "oclray",
    Place.HOME: "oclray",
    Place.COVERAGE: "oclray",
    Place.ACT: "oclray",
    Place.OWES: "oclra",
    Place.WAITING: "oclra",
    Place.RECORDS: "oclra",
    Place.CASES: "oclra",
    Place.ACCESS: "oclra",
    Place.PLAY: "oclra",
    Place.RECORDERS: "clra",
    Place.HOLDS: "clra",
    Place.REGISTER: "clra",
    Place.CHECKS: "clra",
    Place.EXPIRY: "clra",
    Place.EQUIPMENT: "clra",
    Place.PAPERS: "clra",
    Place.LEDGER: "clra",
    Place.PEOPLE: "clray",
    Place.STATION: "clray",
    Place.EXPORT: "ca",
    Place.SIGN_INS: "y",
}
WITHOUT_TLS = {Place.STATIC, Place.HEALTH, Place.FIGURES, Place.WALL}

ROLES = {
    "o": (OFFICER, "officer"),
    "c": (KEEPER, "administrator"),
    "l": (HEAD, "unit-head"),
    "r": (REVIEWER, "supervision-office"),
    "a": (AUDIT, "auditor"),
    "y": (SYSTEM, "system-administrator"),
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One route as it is asked for."""

    method: str
    path: str
    place: Place
    scope: str

    @property
    def is_call(self) -> bool:
        return self.path.startswith("/api/")


@pytest.fixture
def world(tmp_path: Path) -> World:
    many = {"requests_per_s": 100_000, "calls_per_s": 100_000, "sign_ins_per_minute": 100_000}
    made = world_in(tmp_path, overrides={"web": many})
    enters(made)
    made.does(made.custodian, "enter-person", person=REVIEWER, name="督察", roles=["supervision-office"])
    return made


@pytest.fixture
async def house(world: World) -> AsyncIterator[House]:
    made = house_of(world)
    yield made
    made.close()


async def let_in() -> Response:
    """In place of every handler: what is asked here is who comes as far as this."""
    return PlainTextResponse("let in")


def emptied(room: Callable[[House], Pages]) -> Callable[[House], Pages]:
    """The same routes, each with its place and scope, and nothing behind it."""

    def routes(house: House) -> Pages:
        pages = room(house)
        plain = {"include_in_schema": False, "response_model": None}
        pages.routes = [replace(route, handler=let_in, more=plain) for route in pages.routes]
        return pages

    return routes


def all_routes(house: House) -> list[Asked]:
    """Every route of the real application."""
    found = [Asked(method="GET", path="/static/base.css", place=Place.STATIC, scope="read:static")]
    scopes = {(r.method, r.path): r.scope for room in ROOMS for r in room(house).routes}
    made = build(house)._app.routes  # type: ignore[attr-defined]
    for route in made:
        if isinstance(route, APIRoute):
            (method,) = route.methods
            place = place_of(route)
            scope = scopes[method, route.path] or f"read:{place.value}"
            path = re.sub(r"\{[^}]*\}", "1", route.path)
            found.append(Asked(method=method, path=path, place=place, scope=scope))
    assert len(found) == len(made)
    return found


class Door:
    """The application with nothing behind its doors."""

    def __init__(self, house: House) -> None:
        self._app = build(house, [emptied(room) for room in ROOMS])

    async def ask(self, asked: Asked, *, base: str, address: str, cookie: str = "", token: str = "") -> bool:
        """Whether he comes in; where not, that he was sent where he belongs."""
        headers = {"origin": base, "sec-fetch-site": "same-origin"}
        headers |= {"cookie": f"{COOKIE}={cookie}"} if cookie else {}
        headers |= {"authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app=self._app, client=(address, 40000))
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            answer = await client.request(asked.method, asked.path, headers=headers)
        if answer.status_code == 200:
            return True
        if asked.is_call:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.status_code in {401, 403, 421}
        elif answer.status_code in {303, 307}:
            assert asked.method == "GET"
            assert answer.headers["location"].startswith(("/login", f"https://localhost:8343{asked.path}"))
        else:
            assert answer.status_code in {401, 403, 421}, (asked, answer.status_code)
        return False


def unlike(told: dict[Asked, bool], expected: Callable[[Asked], bool]) -> list[str]:
    return [f"{a.method} {a.path} ({a.place}): {got}" for a, got in told.items() if got is not expected(a)]


def test_the_table_has_every_place() -> None:
    assert set(TABLE) == set(Place)


async def test_there_are_routes_of_every_sort(house: House) -> None:
    routes = all_routes(house)
    assert len(routes) > 60
    assert len(set(routes)) == len(routes)
    assert {route.method for route in routes} == {"GET", "POST"}


@pytest.mark.parametrize(
    ("base", "address", "letter"), [(TLS, FAR, "n"), (TLS, NEAR, "s"), (PLAIN, NEAR, "s"), (PLAIN, FAR, "n")]
)
async def test_whoever_did_not_sign_in(house: House, base: str, address: str, letter: str) -> None:
    door = Door(house)
    told = {asked: await door.ask(asked, base=base, address=address) for asked in all_routes(house)}

    def expected(asked: Asked) -> bool:
        is_open = base == TLS or asked.place in WITHOUT_TLS
        here = "n" if asked.is_call else letter
        return is_open and here in TABLE[asked.place]

    assert unlike(told, expected) == []


@pytest.mark.parametrize("letter", ROLES)
async def test_whoever_signed_in(house: House, letter: str) -> None:
    person, role = ROLES[letter]
    now, door = house.clock.now(), Door(house)
    cookie = house.accounts.begin(person, role, now, second=letter != "o")
    told = {asked: await door.ask(asked, base=TLS, address=NEAR, cookie=cookie) for asked in all_routes(house)}
    assert unlike(told, lambda a: ("n" if a.is_call else letter) in TABLE[a.place]) == []


@pytest.mark.parametrize(
    ("letter", "half"), [(each, True) for each in ROLES] + [(each, False) for each in ROLES if each != "o"]
)
async def test_whoever_has_not_shown_his_second_factor(house: House, letter: str, half: bool) -> None:
    person, role = ROLES[letter]
    now, door = house.clock.now(), Door(house)
    cookie = house.accounts.begin(person, role, now, second=False, half=half)
    told = {asked: await door.ask(asked, base=TLS, address=NEAR, cookie=cookie) for asked in all_routes(house)}
    assert unlike(told, lambda a: "n" in TABLE[a.place]) == []


@pytest.mark.parametrize("letter", ROLES)
async def test_a_cookie_over_a_connection_without_tls_is_nobodys(house: House, letter: str) -> None:
    person, role = ROLES[letter]
    door = Door(house)
    cookie = house.accounts.begin(person, role, house.clock.now(), second=True)
    told = {asked: await door.ask(asked, base=PLAIN, address=FAR, cookie=cookie) for asked in all_routes(house)}
    assert unlike(told, lambda a: a.place in WITHOUT_TLS and "n" in TABLE[a.place]) == []


@pytest.mark.parametrize("letter", ROLES)
async def test_a_token_that_is_for_nothing_opens_nothing(house: House, letter: str) -> None:
    person, role = ROLES[letter]
    door = Door(house)
    token, _ = house.accounts.tokens.make("t", person, role, [], house.clock.now(), days=1)
    told = {asked: await door.ask(asked, base=TLS, address=NEAR, token=token) for asked in all_routes(house)}
    assert unlike(told, lambda a: "n" in TABLE[a.place]) == []


@pytest.mark.parametrize("letter", ROLES)
async def test_a_token_opens_what_it_is_for_and_its_role_may(house: House, letter: str) -> None:
    person, role = ROLES[letter]
    door, routes, now = Door(house), all_routes(house), house.clock.now()
    every = {asked.scope for asked in routes}
    only, others = {}, {}
    for asked in routes:
        for told, scopes in ((only, {asked.scope}), (others, every - {asked.scope})):
            token, short = house.accounts.tokens.make("t", person, role, scopes, now, days=1)
            told[asked] = await door.ask(asked, base=TLS, address=FAR, token=token)
            house.accounts.tokens.revoke(short)
    assert unlike(only, lambda a: "n" in TABLE[a.place] or letter in TABLE[a.place]) == []
    assert unlike(others, lambda a: "n" in TABLE[a.place]) == []


@pytest.mark.parametrize("token", ["x", "bwcdock_" + "x" * 43, "", " "])
async def test_whoever_brings_a_token_that_is_none_is_nobody_whatever_his_cookie(house: House, token: str) -> None:
    person, role = ROLES["c"]
    door = Door(house)
    cookie = house.accounts.begin(person, role, house.clock.now(), second=True)
    told = {
        asked: await door.ask(asked, base=TLS, address=NEAR, cookie=cookie, token=token or " ")
        for asked in all_routes(house)
    }
    assert unlike(told, lambda a: "n" in TABLE[a.place]) == []


async def test_whoever_left_or_lost_his_role_is_out_everywhere_at_once(world: World, house: House) -> None:
    door = Door(house)
    now = house.clock.now()
    cookie = house.accounts.begin(HEAD, "unit-head", now, second=True)
    token, _ = house.accounts.tokens.make("t", HEAD, "unit-head", ["read:records"], now, days=1)
    records = next(asked for asked in all_routes(house) if asked.path == "/api/v1/records")
    desk = next(asked for asked in all_routes(house) if asked.path == "/desk")
    assert await door.ask(desk, base=TLS, address=FAR, cookie=cookie)
    assert await door.ask(records, base=TLS, address=FAR, token=token)
    world.does(world.custodian, "enter-person", person=HEAD, name="领导", roles=["officer"])
    assert not await door.ask(desk, base=TLS, address=FAR, cookie=cookie)
    assert not await door.ask(records, base=TLS, address=FAR, token=token)
