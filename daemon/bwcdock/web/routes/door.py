"""The way in: `/` leads to the desk, or where nobody signs in to the wall."""

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from bwcdock.web.house import House
from bwcdock.web.pages import Pages
from bwcdock.web.policy import Place


def routes(_: House) -> Pages:
    """The route `/`."""
    pages = Pages()

    @pages.get("/", Place.HEALTH)
    async def door(request: Request) -> Response:
        return RedirectResponse("/desk" if request.url.scheme == "https" else "/wall", 307)

    return pages
