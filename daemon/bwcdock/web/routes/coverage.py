"""The clauses of the regulation, how each is met here, and what shows it: `bwcdock rules coverage` for reading."""

from fastapi import Request
from starlette.responses import Response

from bwcdock.desk import covering
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse
from bwcdock.web.policy import Place
from bwcdock.web.render import page


def routes(_: House) -> Pages:
    """The route `/desk/coverage`."""
    pages = Pages()

    @pages.get("/desk/coverage", Place.COVERAGE)
    async def coverage(request: Request, house: TheHouse, by: str = "") -> Response:
        pack = house.law.pack
        found = await house.asker.ask(lambda ledger: covering.views(pack, house.settings, ledger))
        return page(
            request,
            "desk/coverage.html",
            pack=pack,
            counts=covering.counted(found),
            views=[view for view in found if by in {"", view.by}],
            by=by,
        )

    return pages
