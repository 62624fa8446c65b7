"""The beginning of the desk: what waits for whoever looks, and how the station stands."""

from fastapi import Request
from starlette.responses import Response

from bwcdock.desk import asking
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse, Who
from bwcdock.web.policy import Place
from bwcdock.web.render import page


def routes(_: House) -> Pages:
    """The route `/desk`."""
    pages = Pages()

    @pages.get("/desk", Place.HOME)
    async def home(request: Request, house: TheHouse, caller: Who) -> Response:
        now = house.clock.now()
        waits = await house.asker.ask(lambda ledger: asking.waiting(ledger, house.law, now))
        mine = [each for each in waits if caller.role in each.who]
        return page(request, "desk/home.html", mine=mine)

    return pages
