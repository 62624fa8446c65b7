"""Who owes what, docked or not, by deadline."""

from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from starlette.responses import Response

from bwcdock.core.desk.people import Team
from bwcdock.core.rules import Standing
from bwcdock.desk import owes
from bwcdock.ledger import Reader
from bwcdock.web import naming
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse, Who
from bwcdock.web.policy import Place, sees_only_his_own
from bwcdock.web.render import language_of, page


def routes(_: House) -> Pages:
    """The route `/desk/owes`."""
    pages = Pages()

    @pages.get("/desk/owes", Place.OWES)
    async def list_owed(
        request: Request,
        house: TheHouse,
        caller: Who,
        unit: str = "",
        team: str = "",
        officer: str = "",
        standing: str = "",
        docked: str = "",
        after: str = "",
    ) -> Response:
        only_own = sees_only_his_own(caller, house.law.pack)
        asked = owes.Asked(
            unit=unit,
            team=team,
            officer=caller.person if only_own else officer,
            standing=Standing(standing) if standing in set(owes.OPEN) else None,
            docked=docked if docked in {"yes", "no"} else "",
        )

        def ask(ledger: Reader) -> dict[str, Any]:
            register = house.register.as_of(ledger)
            return {
                "owed": owes.owed(ledger, house.law, register, house.clock.now(), asked, after=after),
                "register": register,
                "teams": {each.id: each.name for each in ledger.matters(Team)},
            }

        given = {"unit": unit, "team": team, "officer": officer, "standing": standing, "docked": docked}
        kept = urlencode({name: value for name, value in given.items() if value})
        more = await house.asker.ask(ask)
        register, language = more["register"], language_of(request)
        units = sorted({device.unit for device in register.devices.values() if device.unit})
        return page(
            request,
            "desk/owes.html",
            given=given,
            kept=kept,
            after=after,
            units=[(each, each) for each in units],
            people=[(each.id, f"{each.name} ({each.id})") for each in register.people.values()],
            only_own=only_own,
            standings=[(each.value, naming.standing_name(each.value, language)) for each in owes.OPEN],
            **more,
        )

    return pages
