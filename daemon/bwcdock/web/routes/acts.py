"""The acts of the desk as forms: shown, sent to the daemon, and what came of it told on the page it began from."""

from typing import Any

from fastapi import Request
from starlette.datastructures import FormData, QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bwcdock.core.facts import Actor
from bwcdock.desk import line
from bwcdock.desk.acts import ACTS, Act
from bwcdock.errors import Misused, NotAllowed
from bwcdock.web import forms, naming
from bwcdock.web.deeds import offered
from bwcdock.web.house import House
from bwcdock.web.offers import offers
from bwcdock.web.pages import Pages, Said, TheHouse, Who
from bwcdock.web.policy import Place
from bwcdock.web.render import language_of, page

DONE = "done"
"""In the address of the page one comes back to: which entry of the ledger it was."""


def routes(_: House) -> Pages:
    """One form for each act."""
    pages = Pages()

    @pages.get("/desk/act/{word}", Place.ACT)
    async def form(request: Request, word: str, house: TheHouse, caller: Who) -> Response:
        act = act_named(word)
        if word not in offered(caller, house.law.pack):
            raise HTTPException(403, naming.act_name(word, language_of(request)))
        return await _form(request, house, act, request.query_params)

    @pages.post("/desk/act/{word}", Place.ACT)
    async def do(request: Request, word: str, house: TheHouse, caller: Who, form: Said) -> Response:
        act = act_named(word)
        try:
            said = line.act_of(word, forms.said_in(act, form, house.zone))
            actor = Actor(name=caller.person, role=caller.role)
            done = await house.hands.do(line.ask, house.settings.paths.run, said, actor)
        except (Misused, NotAllowed) as error:
            return await _form(request, house, act, form, error=error)
        entry = done.entries[0] if done.entries else ""
        return RedirectResponse(f"{back_to(form.get('next'))}?{DONE}={entry}", 303)

    return pages


def act_named(word: str) -> type[Act]:
    """The act, or 404."""
    if word not in ACTS:
        raise HTTPException(404)
    return ACTS[word]


def back_to(given: object) -> str:
    """A page of ours to go back to, whatever was sent."""
    text = str(given or "")
    return text if text.startswith("/desk") and "?" not in text and "\\" not in text else "/desk"


async def _form(
    request: Request,
    house: House,
    act: type[Act],
    given: FormData | QueryParams,
    error: Misused | NotAllowed | None = None,
) -> Response:
    choices = await house.asker.ask(lambda ledger: offers(act, ledger, house.law.pack))
    language = language_of(request)
    more: dict[str, Any] = {
        "act": act,
        "fields": forms.fields_of(act, given, choices, house.zone),
        "error": error,
        "next": back_to(given.get("next") or request.query_params.get("next")),
        "act_name": naming.act_name(act.word, language),
        "act_help": naming.act_help(act.word, language),
        "field_name": lambda name: naming.field_name(act.word, name, language),
        "field_help": lambda name: naming.field_help(act.word, name, language),
        "value_name": lambda name, value: naming.value_name(act.word, name, value, language),
    }
    return page(request, "desk/act.html", status=422 if error else 200, **more)
