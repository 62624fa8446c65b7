"""The slot wall: the page, and the stream of what changes on it."""

from fastapi import Request
from starlette.responses import Response

from bwcdock.web.callers import caller_of
from bwcdock.web.house import House
from bwcdock.web.pages import Pages
from bwcdock.web.policy import Place, may
from bwcdock.web.render import language_of, page
from bwcdock.web.routes import wall_desk
from bwcdock.web.wall.drawing import edition
from bwcdock.web.wall.events import Events
from bwcdock.web.wall.hub import Hub


def routes(house: House) -> Pages:
    """The routes below `/wall`."""
    pages = Pages()
    hub = Hub(house)
    house.ends.append(hub.close)
    house.endless.append(hub.close)
    web = house.settings.web

    @pages.get("/wall", Place.WALL)
    async def show(request: Request) -> Response:
        await hub.ready()
        cards, strip = hub.html(language_of(request))
        return page(
            request,
            "wall/wall.html",
            cards=cards,
            strip=strip,
            answers=hub.answers,
            columns=web.columns,
            edition=edition(),
            time=hub.pencil.time(house.clock.now()),
        )

    @pages.get("/wall/events", Place.WALL)
    async def events(request: Request) -> Response:
        if hub.screens >= web.screens_at_once:
            return Response("As many screens follow as may; see [web] screens_at_once.", 503)
        await hub.ready()

        async def still() -> bool:
            # A screen that hangs there is not somebody at work: it keeps no session from falling idle.
            return may(await caller_of(request, house, used=False), Place.WALL, house.law.pack)

        return Events(hub, language_of(request), still)

    wall_desk.add(pages, house, hub)
    return pages
