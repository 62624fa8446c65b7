"""Cases with their archive clocks, footage that belongs to none, and holds with what each keeps."""

from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from bwcdock.core.desk import cases
from bwcdock.core.desk.cases import Case
from bwcdock.core.desk.holds import Hold
from bwcdock.core.record import Record
from bwcdock.core.statements import HoldLifted
from bwcdock.desk import lists
from bwcdock.desk.register import Register
from bwcdock.ledger import Reader
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse, Who
from bwcdock.web.policy import Place, may, sees_only_his_own
from bwcdock.web.render import page


def routes(_: House) -> Pages:
    """Cases and holds."""
    pages = Pages()
    _cases(pages)
    _holds(pages)
    return pages


def _cases(pages: Pages) -> None:
    @pages.get("/desk/cases", Place.CASES)
    async def all_cases(request: Request, house: TheHouse, caller: Who, state: str = "", after: str = "") -> Response:
        mine = caller.person if sees_only_his_own(caller, house.law.pack) else ""

        def asked(ledger: Reader) -> dict[str, Any]:
            return {
                "running": lists.running(ledger, house.law, person=mine),
                "cases": lists.case_page(ledger, house.law, state=state, after=after, person=mine),
                "counts": None if mine else ledger.states(Case),
                "loose": None if mine else ledger.how_many_loose(),
                "people": lists.names(house.register.as_of(ledger)),
            }

        return page(request, "desk/cases.html", **await house.asker.ask(asked), **_where(state, after))

    @pages.get("/desk/unbound", Place.CASES)
    async def unbound(request: Request, house: TheHouse, caller: Who, after: str = "") -> Response:
        is_own = sees_only_his_own(caller, house.law.pack)

        def asked(ledger: Reader) -> dict[str, Any]:
            own = house.register.as_of(ledger).own(caller.person) if is_own else None
            return {
                "found": lists.loose_page(ledger, after=after, own=own),
                "count": None if is_own else ledger.how_many_loose(),
            }

        return page(request, "desk/unbound.html", **await house.asker.ask(asked), **_where("", after))

    @pages.get("/desk/cases/{number:path}", Place.CASES)
    async def one_case(request: Request, house: TheHouse, caller: Who, number: str) -> Response:
        case, bound, people, whose = await house.asker.ask(
            lambda ledger: _case(ledger, house.register.as_of(ledger), number)
        )
        # A case is open to whoever handles it and whose footage is in it; he sees of it what is his own.
        if not may(caller, Place.CASES, house.law.pack, of={case.handler, case.by}.union(*whose.values())):
            raise HTTPException(403)
        if sees_only_his_own(caller, house.law.pack) and not lists.is_of(case, caller.person):
            bound = [record for record in bound if caller.person in whose[record.id]]
        return page(
            request,
            "desk/case.html",
            case=case,
            due=cases.due(case, house.law.pack, house.law.calendar),
            rules=house.law.pack.archive,
            footages=bound,
            unfinished=sum(not record.finished for record in bound),
            people=people,
        )


def _holds(pages: Pages) -> None:
    @pages.get("/desk/holds", Place.HOLDS)
    async def holds(request: Request, house: TheHouse, state: str = "", after: str = "") -> Response:
        def asked(ledger: Reader) -> dict[str, Any]:
            found = ledger.newest(Hold, state=state, after=after, limit=lists.PAGE + 1)
            return {
                "holds": lists.page(found, lists.PAGE, lambda hold: hold.id),
                "counts": ledger.states(Hold),
                "people": lists.names(house.register.as_of(ledger)),
            }

        return page(request, "desk/holds.html", **await house.asker.ask(asked), **_where(state, after))

    @pages.get("/desk/holds/{name}", Place.HOLDS)
    async def one_hold(request: Request, house: TheHouse, name: str) -> Response:
        return page(
            request,
            "desk/hold.html",
            **await house.asker.ask(lambda ledger: _hold(ledger, house.register.as_of(ledger), name)),
        )


def _where(state: str, after: str) -> dict[str, Any]:
    """What the pages of a list know of the list: which state is chosen, and whether it is a later page."""
    return {"chosen": state, "after": after, "at_later_page": bool(after), "kept": (("state", state),) if state else ()}


def _case(
    ledger: Reader, register: Register, number: str
) -> tuple[Case, list[Record], dict[str, str], dict[str, frozenset[str]]]:
    case = ledger.matter(Case, number)
    if case is None:
        raise HTTPException(404)
    bound = ledger.of_case(case.id, limit=lists.FITTING)
    return case, bound, lists.names(register), {record.id: register.officers(record) for record in bound}


def _hold(ledger: Reader, register: Register, name: str) -> dict[str, Any]:
    hold = ledger.matter(Hold, name)
    if hold is None:
        raise HTTPException(404)
    last = next(ledger.entries(hold.entries[-1], hold.entries[-1] + 1)).fact
    return {
        "hold": hold,
        "found": lists.kept_by(ledger, register, hold),
        "people": lists.names(register),
        "lifted_why": last.reason if isinstance(last, HoldLifted) else "",
    }
