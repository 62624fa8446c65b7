"""Spot checks, the end of keeping, and handovers."""

from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from bwcdock.core.desk.checking import SpotCheck
from bwcdock.core.desk.expiring import PERSONS, Expiry
from bwcdock.core.desk.people import Handover
from bwcdock.core.record import Record
from bwcdock.core.rulepack import Ruled, RulePack
from bwcdock.desk import lists
from bwcdock.desk.keeping import points_of
from bwcdock.ledger import Reader
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse, Who
from bwcdock.web.policy import Place
from bwcdock.web.render import page


def routes(_: House) -> Pages:
    """What supervision and custodians do from time to time."""
    pages = Pages()
    _checks(pages)
    _expiry(pages)
    _handovers(pages)
    return pages


def _checks(pages: Pages) -> None:
    @pages.get("/desk/checks", Place.CHECKS)
    async def checks(request: Request, house: TheHouse, state: str = "", after: str = "") -> Response:
        def asked(ledger: Reader) -> dict[str, Any]:
            found = ledger.newest(SpotCheck, state=state, after=after, limit=lists.PAGE + 1)
            return {
                "checks": lists.page(found, lists.PAGE, lambda check: check.id),
                "counts": ledger.states(SpotCheck),
                "results": lists.results(ledger.matters(SpotCheck)),
            }

        more = _list(state, after) | _rule(house.law.pack)
        return page(request, "desk/checks.html", **await house.asker.ask(asked), **more)

    @pages.get("/desk/checks/{name}", Place.CHECKS)
    async def check(request: Request, house: TheHouse, name: str) -> Response:
        def asked(ledger: Reader) -> dict[str, Any]:
            found = ledger.matter(SpotCheck, name)
            if found is None:
                raise HTTPException(404)
            return {
                "check": found,
                "records": _by_id(ledger, found.sample),
                "people": lists.names(house.register.as_of(ledger)),
                "judged": {each.record: each for each in found.judged},
                "skipped": {each.record: each for each in found.skipped},
            }

        return page(request, "desk/check.html", **await house.asker.ask(asked), **_rule(house.law.pack))


def _expiry(pages: Pages) -> None:
    @pages.get("/desk/expiry", Place.EXPIRY)
    async def expiry(request: Request, house: TheHouse, after: str = "", only: str = "") -> Response:
        now, is_free = house.clock.now(), only == "free"

        def asked(ledger: Reader) -> dict[str, Any]:
            return {
                "ended": lists.end_page(ledger, house.register.as_of(ledger), now, after=after, free=is_free),
                "count": ledger.how_many_ended(now),
                "proposals": ledger.newest(Expiry, limit=lists.PAGE),
                "people": lists.names(house.register.as_of(ledger)),
            }

        more = _list("", after) | {"persons": PERSONS, "only": only, "kept": (("only", only),) if only else ()}
        return page(request, "desk/expiry.html", **await house.asker.ask(asked), **more)

    @pages.get("/desk/expiry/{name}", Place.EXPIRY)
    async def proposal(request: Request, house: TheHouse, caller: Who, name: str) -> Response:
        def asked(ledger: Reader) -> dict[str, Any]:
            found = ledger.matter(Expiry, name)
            if found is None:
                raise HTTPException(404)
            return {
                "expiry": found,
                "records": _by_id(ledger, found.records),
                "people": lists.names(house.register.as_of(ledger)),
            }

        answer = await house.asker.ask(asked)
        has_agreed = caller.person in {agreed.by for agreed in answer["expiry"].agreed}
        return page(request, "desk/proposal.html", **answer, persons=PERSONS, has_agreed=has_agreed)


def _handovers(pages: Pages) -> None:
    @pages.get("/desk/handovers", Place.PEOPLE)
    async def handovers(request: Request, house: TheHouse, after: str = "") -> Response:
        def asked(ledger: Reader) -> dict[str, Any]:
            found = ledger.newest(Handover, after=after, limit=lists.PAGE + 1)
            return {
                "handovers": lists.page(found, lists.PAGE, lambda each: each.id),
                "people": lists.names(house.register.as_of(ledger)),
            }

        more = _list("", after) | {"rules": _duties(house.law.pack, "handover")}
        return page(request, "desk/handovers.html", **await house.asker.ask(asked), **more)

    @pages.get("/desk/handovers/{name}", Place.PEOPLE)
    async def handover(request: Request, house: TheHouse, name: str) -> Response:
        def asked(ledger: Reader) -> dict[str, Any]:
            found = ledger.matter(Handover, name)
            if found is None:
                raise HTTPException(404)
            return {"handover": found, "people": lists.names(house.register.as_of(ledger))}

        return page(
            request, "desk/handover.html", **await house.asker.ask(asked), rules=_duties(house.law.pack, "handover")
        )


def _list(state: str, after: str) -> dict[str, Any]:
    return {"chosen": state, "at_later_page": bool(after), "kept": (("state", state),) if state else ()}


def _rule(pack: RulePack) -> dict[str, Any]:
    return {"rule": pack.spot_check, "points": points_of(pack)}


def _duties(pack: RulePack, name: str) -> list[Ruled]:
    return [duty for duty in pack.duties if duty.id == name]


def _by_id(ledger: Reader, ids: tuple[str, ...]) -> dict[str, Record]:
    return {name: record for name in ids if (record := ledger.record(name)) is not None}
