"""What the tests of the pages share: a station with people and footage, its pages, and callers of every sort."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from bwcdock import app
from bwcdock.cli.serve import stores
from bwcdock.core.facts import Actor
from bwcdock.desk import Done, do
from bwcdock.desk.acts import Act
from bwcdock.desk.answers import Answers
from bwcdock.desk.listening import Line
from bwcdock.lanes import Lane
from bwcdock.web.application import build
from bwcdock.web.callers import COOKIE
from bwcdock.web.house import House
from desk_world import World
from starlette.types import ASGIApp

TLS = "https://localhost:8343"
PLAIN = "http://localhost:8380"
FAR = "203.0.113.9"
"""An address of nobody's (RFC 5737): a caller that is no screen of the station."""


def house_of(world: World) -> House:
    """The pages' side of this world's station, with its clock."""
    return app.house(world.bed.settings, clock=world.clock)


class Visitor:
    """A browser of somebody: asks the application itself, as if over TLS or not."""

    def __init__(self, house: House, made: ASGIApp, *, address: str = FAR, base: str = TLS, cookie: str = "") -> None:
        transport = httpx.ASGITransport(app=made, client=(address, 40000))
        cookies = {COOKIE: cookie} if cookie else None
        self.house = house
        self.cookie = cookie
        self.client = httpx.AsyncClient(transport=transport, base_url=base, cookies=cookies)

    async def get(self, path: str, **more: object) -> httpx.Response:
        """Look at a page; redirections are not followed."""
        return await self.client.get(path, **more)  # type: ignore[arg-type]

    async def post(self, path: str, **said: object) -> httpx.Response:
        """Send a form as the page of this session would."""
        base = str(self.client.base_url).rstrip("/")
        form = {"csrf": self.csrf, **said}
        return await self.client.post(path, data=form, headers={"origin": base, "sec-fetch-site": "same-origin"})

    @property
    def csrf(self) -> str:
        """The token in the forms of this session."""
        found = self.house.accounts.session(self.cookie, self.house.clock.now())
        return found.csrf if found else ""


@asynccontextmanager
async def visiting(house: House) -> AsyncIterator["Desk"]:
    """The pages, and whoever comes to them."""
    desk = Desk(house)
    try:
        yield desk
    finally:
        await desk.close()


class Desk:
    """The application with its visitors."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.app = build(house)
        self._visitors: list[Visitor] = []

    def visitor(self, *, address: str = FAR, base: str = TLS, cookie: str = "") -> Visitor:
        """Somebody nobody knows."""
        made = Visitor(self.house, self.app, address=address, base=base, cookie=cookie)
        self._visitors.append(made)
        return made

    def screen(self) -> Visitor:
        """The station's own screen."""
        return self.visitor(address="127.0.0.1", base=PLAIN)

    def signed_in(self, person: str, role: str, *, second: bool = True) -> Visitor:
        """A person who is signed in already."""
        return self.visitor(cookie=self.house.accounts.begin(person, role, self.house.clock.now(), second=second))

    async def close(self) -> None:
        """Everybody leaves."""
        for visitor in self._visitors:
            await visitor.client.aclose()
        self.house.close()


def world_in(directory: Path, **more: object) -> World:
    """A station under the S4 pack with a custodian, two officers and two leaders; nothing is docked."""
    return World(directory, "S4-fuzhou", **more)  # type: ignore[arg-type]


@asynccontextmanager
async def attended(world: World) -> AsyncIterator[None]:
    """The daemon's end of the desk's line, beside the pages: what people do is done, and entered in the ledger."""
    lane = Lane("desk")
    with world.bed.bench() as bench:

        async def asking(question: Callable[..., Any], *args: Any) -> Any:
            return await lane.submit(question, *args)

        async def doing(act: Act, actor: Actor) -> Done:
            return await lane.submit(do, bench, act, actor)

        answers = Answers(bench, asking, doing, lambda: stores(bench))
        line = Line(world.bed.settings.paths.run, answers)
        await line.start()
        try:
            yield
        finally:
            await line.close()
            lane.close()
