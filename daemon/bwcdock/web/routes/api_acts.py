"""The API for doing: one call for each act of the desk, in the shape of its model, by a token that is for it."""

from functools import cache
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import Request

from bwcdock.core.facts import Actor
from bwcdock.desk import line
from bwcdock.desk.acts import ACTS, Act
from bwcdock.desk.doing import Done
from bwcdock.errors import Misused, Unreachable
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse, Who
from bwcdock.web.policy import Place, acting
from bwcdock.web.routes.api import BASE
from bwcdock.web.scopes import NEVER
from bwcdock.web.signing import told

AGAIN: Final = "Nothing was changed; try again when it is."


def routes(_: House) -> Pages:
    """The routes below `/api/v1/acts`."""
    pages = Pages()
    for word, act in ACTS.items():
        if word not in NEVER:
            _act(pages, word, act)
    return pages


def _act(pages: Pages, word: str, model: type[Act]) -> None:
    async def do(request: Request, house: TheHouse, caller: Who) -> Done:
        # Read here, and not by FastAPI, which would read it before anybody was asked who he is.
        said = _said(model, await request.body())
        actor = Actor(name=caller.person, role=caller.role)
        try:
            done = await house.hands.do(line.ask, house.settings.paths.run, said, actor)
        except Misused as error:
            if isinstance(error.__cause__, OSError | ValueError):  # it never reached anybody who could refuse
                raise Unreachable(error.op, error.why, AGAIN) from error
            raise
        told(request, "api.act", person=caller.person, act=word)
        return done

    do.__name__ = word.replace("-", "_")
    do.__doc__ = model.__doc__
    pages.post(
        f"{BASE}/acts/{word}",
        Place.ACT,
        scope=acting(word),
        include_in_schema=True,
        response_model=Done,
        tags=["acts"],
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _schema(model)}}}},
    )(do)


@cache
def _schema(model: type[Act]) -> dict[str, Any]:
    return model.model_json_schema()


def _said(model: type[Act], body: bytes) -> Act:
    """The act that was sent; what is wrong with it is told, and what it was is not sent back."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        hint = "See /api/v1/openapi.json; nothing was changed."
        raise Misused(f"desk {model.word}", line.wrong_in(error, model.word, otherwise="JSON"), hint) from None
