"""The ledger for reading: its newest entries, each with its proof, the signed heads, and who outside has seen them."""

from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from bwcdock.desk import lists, proving
from bwcdock.desk.entries_zh import ENTRY_ZH
from bwcdock.ledger import Reader
from bwcdock.web import health, naming
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse
from bwcdock.web.policy import Place
from bwcdock.web.render import language_of, page

LARGEST = 1 << 62
"""What is more is no number of an entry, and none that SQLite could hold."""


def routes(_: House) -> Pages:
    """Entries, heads and the check of the newest leaves."""
    pages = Pages()

    @pages.get("/desk/ledger", Place.LEDGER)
    async def entries(
        request: Request,
        house: TheHouse,
        record: str = "",
        recorder: str = "",
        ev: str = "",
        person: str = "",
        after: str = "",
    ) -> Response:
        asked = {"record": record.strip(), "recorder": recorder.strip(), "ev": ev, "person": person.strip()}
        wanted = {name: value for name, value in asked.items() if value}
        below = _number(after) if after else None
        now, tongue = house.clock.now(), naming.tongue(language_of(request), house.law.pack)

        def found(ledger: Reader) -> dict[str, Any]:
            full = ledger.beginning(record) if len(record) >= 8 else []
            chosen = {**wanted, "record": full[0].id} if len(full) == 1 else wanted
            some = ledger.entries_back(below=below, limit=lists.PAGE + 1, **chosen)
            return {
                "entries": lists.page(proving.shown(some, tongue), lists.PAGE, lambda each: str(each.entry.seq)),
                "heads": proving.heads(ledger),
                "size": ledger.size,
                "origin": ledger.origin,
                "key": ledger.founded.public_key,
                "people": lists.names(house.register.as_of(ledger)),
                "sinks": health.sinks(house.settings, ledger, now),
            }

        more: dict[str, Any] = {
            "asked": asked,
            "kept": tuple(wanted.items()),
            "at_later_page": bool(after),
            "kinds": ENTRY_ZH,
        }
        return page(request, "desk/ledger.html", **await house.asker.ask(found), **more)

    @pages.get("/desk/ledger/check", Place.LEDGER)
    async def check(request: Request, house: TheHouse) -> Response:
        leaves, wrong = await house.asker.ask(proving.checked)
        return page(request, "desk/ledger_check.html", leaves=leaves, wrong=wrong)

    @pages.get("/desk/ledger/{seq}", Place.LEDGER)
    async def entry(request: Request, house: TheHouse, seq: str) -> Response:
        number, tongue = _number(seq), naming.tongue(language_of(request), house.law.pack)

        def found(ledger: Reader) -> dict[str, Any]:
            if number >= ledger.size:
                raise HTTPException(404)
            return {"one": proving.proven(ledger, number, tongue), "people": lists.names(house.register.as_of(ledger))}

        return page(request, "desk/entry.html", **await house.asker.ask(found))

    return pages


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text[:20]) > LARGEST:
        raise HTTPException(404)
    return int(text[:20])
