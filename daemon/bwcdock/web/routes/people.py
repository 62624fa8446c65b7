"""Who works here, who handed over to whom, and whether each team has the recorders the regulation asks for."""

from collections import Counter
from typing import Any

from fastapi import Request
from starlette.responses import Response

from bwcdock.core.desk.people import Handover, Person, Team
from bwcdock.desk import asking
from bwcdock.ledger import Reader
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse
from bwcdock.web.policy import Place
from bwcdock.web.render import page

HANDOVERS = 50
"""How many of the newest handovers the page shows."""


def routes(_: House) -> Pages:
    """The routes `/desk/people` and `/desk/equipment`."""
    pages = Pages()

    @pages.get("/desk/people", Place.PEOPLE)
    async def people(request: Request, house: TheHouse, team: str = "", q: str = "") -> Response:
        def ask(ledger: Reader) -> dict[str, Any]:
            register = house.register.as_of(ledger)
            everybody = sorted(register.people.values(), key=lambda each: (each.state != "active", each.id))
            word = q.casefold()
            return {
                "people": [
                    each
                    for each in everybody
                    if team in {"", each.team}
                    and word in f"{each.id} {each.name} {each.certificate} {' '.join(each.user_numbers)}".casefold()
                ],
                "all": len(everybody),
                "teams": ledger.matters(Team),
                "strength": Counter(each.team for each in everybody if each.state == "active"),
                "held": Counter(device.holder for device in register.devices.values() if device.holder),
                "handovers": sorted(ledger.matters(Handover), key=lambda each: each.since, reverse=True)[:HANDOVERS],
                "register": register,
            }

        more = await house.asker.ask(ask)
        return page(request, "desk/people.html", team=team, q=q, fills={p.id: _fill(p) for p in more["people"]}, **more)

    @pages.get("/desk/equipment", Place.EQUIPMENT)
    async def equipment(request: Request, house: TheHouse) -> Response:
        def ask(ledger: Reader) -> dict[str, Any]:
            register = house.register.as_of(ledger)
            devices = sorted(register.devices.values(), key=lambda each: each.id)
            return {
                "ratios": asking.ratios(ledger, house.law),
                "away": [each for each in devices if each.state in {"repair", "lost", "stolen"}],
                "teamless": [each for each in devices if not each.team and each.state != "retired"],
                "register": register,
            }

        return page(request, "desk/equipment.html", rules=house.law.pack.equipment, **await house.asker.ask(ask))

    return pages


def _fill(person: Person) -> list[tuple[str, str]]:
    """What stands in the register, for the form that changes it: what is left out there would be gone."""
    said = [(name, getattr(person, name)) for name in ("name", "certificate", "unit", "team")]
    many = [(name, each) for name in ("roles", "user_numbers") for each in getattr(person, name)]
    return [("person", person.id), *said, *many]
