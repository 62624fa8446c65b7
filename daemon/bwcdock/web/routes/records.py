"""Recordings: looked for by what people know of them, and everything about one."""

from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from bwcdock.core.record import Record, State
from bwcdock.core.rules import Standing
from bwcdock.core.view import record_view
from bwcdock.desk.recordings import About, about
from bwcdock.desk.register import Register
from bwcdock.ledger import Reader, Sought
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse, Who
from bwcdock.web.policy import Caller, Place, may, sees_only_his_own
from bwcdock.web.render import page

ASKED: Final = (
    "q", "party", "case", "place", "event", "tag", "officer", "recorder", "state", "standing", "since", "until",
)  # fmt: skip
"""What may be asked for in the address."""

MOST: Final = 200
"""Characters of one word that is looked for."""


def routes(_: House) -> Pages:
    """The routes `/desk/records` and of one recording."""
    pages = Pages()

    @pages.get("/desk/records", Place.RECORDS)
    async def search(request: Request, house: TheHouse, caller: Who, after: str = "") -> Response:
        given = {name: request.query_params.get(name, "").strip()[:MOST] for name in ASKED}
        only_own = sees_only_his_own(caller, house.law.pack)

        def ask(ledger: Reader) -> dict[str, Any]:
            register, now, ratio = house.register.as_of(ledger), house.clock.now(), house.law.at_risk_ratio
            officer = caller.person if only_own else given["officer"]
            sought, wrong = sought_of(given, officer, register, house)
            found = ledger.search(sought, now, ratio, after=after)
            lines = [(record, record_view(record, (), now, ratio)) for record in found.records]
            return {
                "lines": [(record, view, register.shown(record)) for record, view in lines],
                "next_page": found.next,
                "count": ledger.how_many_sought(sought, now, ratio),
                "wrong": wrong,
                "register": register,
            }

        kept = urlencode({name: value for name, value in given.items() if value})
        more = await house.asker.ask(ask)
        return page(
            request,
            "desk/records.html",
            given=given,
            kept=kept,
            after=after,
            only_own=only_own,
            tags=[(term.id, term.label) for term in house.law.pack.tags],
            tag_names={term.id: term.label for term in house.law.pack.tags},
            people=[(each.id, f"{each.name} ({each.id})") for each in more["register"].people.values()],
            states=list(State),
            standings=list(Standing),
            **more,
        )

    @pages.get("/desk/records/{name}", Place.RECORDS)
    async def one(request: Request, house: TheHouse, caller: Who, name: str) -> Response:
        def ask(ledger: Reader) -> tuple[Register, About | None]:
            register = house.register.as_of(ledger)
            record = named(ledger, name)
            if record is None or not _may_see(record, register, caller, house):
                return register, None
            return register, about(ledger, house.law, register, house.clock.now(), record)

        register, told = await house.asker.ask(ask)
        if told is None:  # that it is there is nobody's business but whose it is
            raise HTTPException(404)
        tags = {term.id: term.label for term in house.law.pack.tags}
        return page(request, "desk/record.html", told=told, register=register, tags=tags)

    return pages


def named(ledger: Reader, name: str) -> Record | None:
    """The recording with this id, or the only one whose id begins so."""
    found = ledger.record(name)
    if found is None and len(name) >= 8:
        alike = ledger.beginning(name)
        found = alike[0] if len(alike) == 1 else None
    return found


def _may_see(record: Record, register: Register, caller: Caller, house: House) -> bool:
    return may(caller, Place.RECORDS, house.law.pack, of=register.officers(record))


def sought_of(given: dict[str, str], officer: str, register: Register, house: House) -> tuple[Sought, list[str]]:
    """What is looked for, and the names of the fields that say nothing that could be looked for."""
    moments: dict[str, datetime | None] = {}
    wrong = []
    for name in ("since", "until"):
        try:
            moments[name] = _moment(given[name], house) if given[name] else None
        except ValueError:
            moments[name] = None
            wrong.append(name)
    until = moments["until"]
    if until is not None and len(given["until"]) <= len("2026-01-01"):
        until += timedelta(days=1)  # the whole of the last day
    for name, known in (("state", set(State)), ("standing", set(Standing))):
        if given[name] and given[name] not in known:
            wrong.append(name)
    return Sought(
        party=given["party"],
        case=given["case"],
        place=given["place"],
        event=given["event"],
        tag=given["tag"],
        text=given["q"],
        state=given["state"] if "state" not in wrong else "",
        standing=Standing(given["standing"]) if given["standing"] and "standing" not in wrong else None,
        since=moments["since"],
        until=until,
        recorders=(given["recorder"],) if given["recorder"] else None,
        own=register.own(officer) if officer else None,
    ), wrong


def _moment(text: str, house: House) -> datetime:
    """A date, or a date and a time, of the station's zone."""
    at = datetime.fromisoformat(text).replace(tzinfo=house.zone)
    if not 1970 < at.year < 9999:
        raise ValueError(text)
    return at
