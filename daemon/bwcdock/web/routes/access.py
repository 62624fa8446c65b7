"""Requests to see or have footage, with the chain of those who must agree, and the register of what was done."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from bwcdock.core.desk.access import VIEWING, Access
from bwcdock.core.facts import Entry
from bwcdock.core.record import Record
from bwcdock.desk import lists
from bwcdock.desk.register import Register
from bwcdock.desk.who import custodians
from bwcdock.ledger import Reader
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse, Who
from bwcdock.web.policy import Place, may, sees_only_his_own
from bwcdock.web.render import page


def routes(_: House) -> Pages:
    """Requests and the register."""
    pages = Pages()
    _requests(pages)
    _register(pages)
    return pages


def _requests(pages: Pages) -> None:
    @pages.get("/desk/access", Place.ACCESS)
    async def requests(request: Request, house: TheHouse, caller: Who, state: str = "", after: str = "") -> Response:
        mine = caller.person if sees_only_his_own(caller, house.law.pack) else ""

        def asked(ledger: Reader) -> dict[str, Any]:
            return {
                "requests": lists.request_page(ledger, state=state, after=after, person=mine),
                "counts": None if mine else ledger.states(Access),
                "people": lists.names(house.register.as_of(ledger)),
            }

        return page(
            request,
            "desk/access.html",
            **await house.asker.ask(asked),
            chosen=state,
            at_later_page=bool(after),
            kept=(("state", state),) if state else (),
            mine=lambda access: lists.may_decide(access, caller.person, caller.role),
        )

    @pages.get("/desk/access/{name}", Place.ACCESS)
    async def one(request: Request, house: TheHouse, caller: Who, name: str) -> Response:
        access, records, people, entries = await house.asker.ask(
            lambda ledger: _request(ledger, house.register.as_of(ledger), name)
        )
        if not may(caller, Place.ACCESS, house.law.pack, of=lists.asking_for(access)):
            raise HTTPException(403)
        return page(
            request,
            "desk/request.html",
            access=access,
            records=records,
            people=people,
            entries=entries,
            mine=lists.may_decide(access, caller.person, caller.role),
            is_for_viewing=access.act in VIEWING,
            carries_out=caller.role in custodians(house.law.pack)[:1],
        )


def _register(pages: Pages) -> None:
    @pages.get("/desk/register", Place.REGISTER)
    async def register(
        request: Request, house: TheHouse, since: str = "", until: str = "", person: str = "", after: str = ""
    ) -> Response:
        first, last = _day(since, house.zone), _day(until, house.zone)
        end = last + timedelta(days=1) if last else None
        below = int(after) if after.isdecimal() else None

        def asked(ledger: Reader) -> dict[str, Any]:
            known = house.register.as_of(ledger)
            found = lists.register_page(ledger, known, since=first, until=end, person=person.strip(), below=below)
            return {"found": found, "people": lists.names(known)}

        kept = tuple((k, v) for k, v in (("since", since), ("until", until), ("person", person)) if v)
        sheets = [sheet for sheet in house.law.pack.sheets if sheet.id == "access_register"]
        duties = [duty for duty in house.law.pack.duties if duty.id == "access-register"]
        more: dict[str, Any] = {
            "since": since,
            "until": until,
            "person": person,
            "kept": kept,
            "at_later_page": bool(after),
        }
        answer = await house.asker.ask(asked)
        return page(request, "desk/register.html", **answer, **more, rules=[*sheets, *duties])


def _day(text: str, zone: ZoneInfo) -> datetime | None:
    """The beginning of a day as a date field writes it; what is no day asks for nothing."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone)
    except ValueError:
        return None


def _request(ledger: Reader, register: Register, name: str) -> tuple[Access, list[Record], dict[str, str], list[Entry]]:
    access = ledger.matter(Access, name)
    if access is None:
        raise HTTPException(404)
    records = [record for each in access.records if (record := ledger.record(each)) is not None]
    entries = [next(ledger.entries(seq, seq + 1)) for seq in access.entries]
    return access, records, lists.names(register), entries
