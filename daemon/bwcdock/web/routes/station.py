"""How the station is: spool, central storage, clock, what is amiss and what to do about it."""

from fastapi import Request
from starlette.responses import Response

from bwcdock.web import health
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse
from bwcdock.web.policy import Place
from bwcdock.web.render import page


def routes(_: House) -> Pages:
    """The route `/desk/station`."""
    pages = Pages()

    @pages.get("/desk/station", Place.STATION)
    async def station(request: Request, house: TheHouse) -> Response:
        now = house.clock.now()
        found = await house.asker.ask(lambda ledger: health.station(house.settings, ledger, now))
        return page(request, "desk/station.html", it=found, settings=house.settings)

    return pages
