"""The beginning of the desk: what waits for whoever looks, and how the station stands; and all that waits."""

from itertools import groupby
from typing import Any

from fastapi import Request
from starlette.responses import Response

from bwcdock.core.desk.access import Access
from bwcdock.core.desk.explaining import Explanation
from bwcdock.desk import asking, fleet, owes
from bwcdock.desk.asking import Wait, Waiting
from bwcdock.desk.today import today
from bwcdock.ledger import Reader
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse, Who
from bwcdock.web.policy import OFFICER, SYSTEM, Caller, Place, group_of, sees_only_his_own
from bwcdock.web.render import page

FEW = 20
"""Lines of a list on the first page; the whole list is a page of its own."""


def routes(_: House) -> Pages:
    """The routes `/desk` and `/desk/waiting`."""
    pages = Pages()

    @pages.get("/desk", Place.HOME)
    async def home(request: Request, house: TheHouse, caller: Who) -> Response:
        return page(request, "desk/home.html", **await house.asker.ask(lambda ledger: _home(ledger, house, caller)))

    @pages.get("/desk/waiting", Place.WAITING)
    async def waiting(request: Request, house: TheHouse, caller: Who) -> Response:
        def asked(ledger: Reader) -> dict[str, Any]:
            register = house.register.as_of(ledger)
            waits = asking.waiting(ledger, house.law, house.clock.now(), register)
            if sees_only_his_own(caller, house.law.pack):
                waits = tuple(each for each in waits if caller.person in each.of)
            return {"kinds": _by_kind(waits), "count": len(waits), "register": register}

        return page(request, "desk/waiting.html", **await house.asker.ask(asked))

    return pages


def is_for(each: Waiting, caller: Caller, house: House) -> bool:
    """Whether this waits for the caller: for his role, and where he sees only his own, for himself."""
    return caller.role in each.who and (not sees_only_his_own(caller, house.law.pack) or caller.person in each.of)


def _by_kind(waits: tuple[Waiting, ...]) -> list[tuple[Wait, list[Waiting]]]:
    """Kind by kind, the most urgent kind first."""
    order = list(dict.fromkeys(each.kind for each in waits))
    ranked = sorted(waits, key=lambda each: order.index(each.kind))
    return [(kind, list(some)) for kind, some in groupby(ranked, key=lambda each: each.kind)]


def _home(ledger: Reader, house: House, caller: Caller) -> dict[str, Any]:
    now, law = house.clock.now(), house.law
    group = group_of(caller.role, law.pack)
    register = house.register.as_of(ledger)
    waits = () if group == SYSTEM else asking.waiting(ledger, law, now, register)
    found: dict[str, Any] = {
        "mine": [each for each in waits if is_for(each, caller, house)],
        "waits": len(waits),
        "register": register,
        "today": None,
        "own": None,
    }
    if group != OFFICER:
        return {**found, "today": today(house.settings, ledger, law, now)}
    held = {device.id for device in register.devices.values() if device.holder == caller.person}
    own: dict[str, Any] = {
        "recorders": [each for each in fleet.fleet(ledger, law, register, now) if each.serial in held],
        "owed": owes.owed(ledger, law, register, now, owes.Asked(officer=caller.person), limit=FEW),
        "explanations": [
            each
            for state in ("given", "refused")
            for each in ledger.matters(Explanation, state)
            if caller.person in {each.person, each.written_by}
        ],
        "requests": [
            each
            for state in ("requested", "granted")
            for each in ledger.matters(Access, state)
            if caller.person in {each.applicant, each.requested_by}
        ],
    }
    return {**found, "own": own}
