"""What the tests of the wall share: a station at work with its line, PINs, and a reader of its events."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bwcdock import desk
from bwcdock.cli.serve import stores
from bwcdock.core.facts import Actor
from bwcdock.desk.acts import Act
from bwcdock.desk.answers import Answers
from bwcdock.desk.listening import Line
from bwcdock.station import Station
from bwcdock.testing.station import StationBed
from bwcdock.web.callers import COOKIE
from bwcdock.web.house import House
from starlette.types import ASGIApp

PIN = "835261"


class Pins:
    """The PINs of a house, and how often one was compared: that is what takes its time."""

    def __init__(self, house: House) -> None:
        self.asked = 0
        self._fits = house.accounts.hashing.fits
        house.accounts.hashing.fits = self._counted  # type: ignore[method-assign]

    async def _counted(self, *given: Any) -> tuple[bool, str]:
        self.asked += 1
        return await self._fits(*given)


async def with_pins(house: House, **pins: str) -> Pins:
    """These persons have these PINs."""
    for person, pin in pins.items():
        await house.accounts.set_pin(person, pin)
    return Pins(house)


@asynccontextmanager
async def at_work(bed: StationBed) -> AsyncIterator[Station]:
    """The station with its line to the desk, as `bwcdock run` has it."""
    async with bed.at_work() as station:

        async def doing(act: Act, actor: Actor) -> desk.Done:
            done: desk.Done = await station.ask(desk.do, station.bench, act, actor)
            await station.know(done.judged_again)
            return done

        answers = Answers(station.bench, station.ask, doing, lambda: stores(station.bench))
        line = Line(bed.settings.paths.run, answers)
        await line.start()
        try:
            yield station
        finally:
            await line.close()


@dataclass
class Screen:
    """What one screen was sent: every event in order, and the cards as they are after it."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    takes: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 0
    over: bool = False
    """Whether the stream has ended by itself."""

    @property
    def cards(self) -> dict[str, str]:
        return {told["id"]: told["html"] for name, told in self.events if name == "card"}

    def named(self, name: str) -> list[dict[str, Any]]:
        return [told for each, told in self.events if each == name]


@asynccontextmanager
async def following(
    app: ASGIApp, *, query: str = "lang=zh", address: str = "127.0.0.1", cookie: str = ""
) -> AsyncIterator[Screen]:
    """A screen that follows, with a cookie by TLS; it takes what it is sent while ``takes`` is set."""
    screen = Screen()
    screen.takes.set()
    left = asyncio.Event()
    began = False

    async def receive() -> dict[str, Any]:
        nonlocal began
        if not began:
            began = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    rest = ""

    async def send(message: Any) -> None:
        nonlocal rest
        if message["type"] == "http.response.start":
            screen.status = message["status"]
            return
        await screen.takes.wait()
        *whole, rest = (rest + message.get("body", b"").decode()).split("\n\n")
        for text in whole:
            told = dict(line.split(": ", 1) for line in text.splitlines())
            if "event" in told:
                screen.events.append((told["event"], json.loads(told["data"])))
                screen.at.append(asyncio.get_running_loop().time())
        screen.over = not message.get("more_body", False)

    sent = [(b"cookie", f"{COOKIE}={cookie}".encode())] if cookie else []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "https" if cookie else "http",
        "path": "/wall/events", "raw_path": b"/wall/events", "root_path": "", "query_string": query.encode(),
        "headers": [(b"host", b"localhost:8380"), *sent], "client": (address, 40000), "server": ("localhost", 8380),
    }  # fmt: skip
    task = asyncio.ensure_future(app(scope, receive, send))
    try:
        yield screen
    finally:
        left.set()
        screen.takes.set()
        await asyncio.wait_for(task, 20)


async def until(condition: Callable[[], Any], *, limit_s: float = 40.0) -> Any:
    """What ``condition`` answers once it is something true."""
    end = asyncio.get_running_loop().time() + limit_s
    while not (answer := condition()):
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"not within {limit_s:g} s")
        await asyncio.sleep(0.02)
    return answer


async def until_page(ask: Callable[[], Awaitable[str]], *words: str, limit_s: float = 40.0) -> str:
    """The page, once it has all these words."""
    end = asyncio.get_running_loop().time() + limit_s
    while True:
        text = await ask()
        if all(word in text for word in words):
            return text
        assert asyncio.get_running_loop().time() < end, (words, text)
        await asyncio.sleep(0.1)
