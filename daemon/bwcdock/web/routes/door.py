"""The way in: `/` leads to the desk, or where nobody signs in to the wall; and the icon that browsers ask for."""

from importlib.resources import files

from fastapi import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from bwcdock.web.house import House
from bwcdock.web.pages import Pages
from bwcdock.web.policy import Place


def routes(_: House) -> Pages:
    """The routes `/` and `/favicon.ico`."""
    pages = Pages()

    @pages.get("/", Place.HEALTH)
    async def door(request: Request) -> Response:
        return RedirectResponse("/desk" if request.url.scheme == "https" else "/wall", 307)

    @pages.get("/favicon.ico", Place.STATIC)
    async def icon() -> Response:
        # Asked for by its old name where a page names none: a file that is given out, an answer of the API.
        return FileResponse(str(files("bwcdock.web").joinpath("static", "icon.svg")), media_type="image/svg+xml")

    return pages
