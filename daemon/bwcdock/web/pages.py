"""How a route is made: with the place it belongs to, which is asked before anything of it runs."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Depends, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from bwcdock.web.callers import caller_of
from bwcdock.web.house import House
from bwcdock.web.policy import Caller, Place, may
from bwcdock.web.words import N_

F = TypeVar("F", bound=Callable[..., Any])
PLACE = "bwcdock_place"
"""What marks the dependency of a route that asks for leave."""

FIELDS = 200
"""Fields of one form: an act with all its recordings has them as lines of one field."""

OPEN_WITHOUT_TLS = frozenset({Place.STATIC, Place.HEALTH, Place.FIGURES, Place.WALL})
"""Nobody signs in there, so nobody's secret passes."""


class Denied(HTTPException):
    """Not there for this caller: 401 where he might sign in, 403 where that would not help."""


def house_of(request: Request) -> House:
    """The house the application was built for."""
    house: House = request.app.state.house
    return house


def leave_for(place: Place, scope: str | None = None) -> Callable[..., Any]:
    """A dependency that lets the caller in or raises :class:`Denied`; a handler finds him in ``Depends(who)``.

    ``scope`` is what a token must be for, where that is not reading there.
    """

    async def ask(request: Request) -> None:
        house = house_of(request)
        if request.url.scheme != "https" and place not in OPEN_WITHOUT_TLS:
            raise Denied(421)
        caller = request.state.caller = await caller_of(request, house)
        if not may(caller, place, house.law.pack, scope=scope):
            raise Denied(403 if caller.kind in {"person", "token"} else 401)

    setattr(ask, PLACE, place)
    return ask


def who(request: Request) -> Caller:
    """The caller, after leave was given."""
    caller: Caller = request.state.caller
    return caller


async def sent(request: Request) -> FormData:
    """The form that was sent, as it is; for a page that nobody has signed in to see.

    It has no token of a session, for there is none. That it was sent from a page of this very origin was seen before
    (safety.py), so nobody is signed in as somebody else by a page elsewhere.
    """
    return await request.form(max_files=0, max_fields=FIELDS)


async def said(request: Request) -> FormData:
    """The form that was sent, if it was sent from a page of ours made for this very session."""
    form = await sent(request)
    token = form.get("csrf")
    caller = who(request)
    if not caller.csrf or not isinstance(token, str) or not hmac.compare_digest(token.encode(), caller.csrf.encode()):
        raise HTTPException(403, N_("This form is of another session: open the page again."))
    return form


TheHouse = Annotated[House, Depends(house_of)]
Who = Annotated[Caller, Depends(who)]
Said = Annotated[FormData, Depends(said)]
Sent = Annotated[FormData, Depends(sent)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route, before the application has it. ``more`` goes to FastAPI: what a call of the API says of itself."""

    path: str
    method: Literal["GET", "POST"]
    place: Place
    handler: Callable[..., Any]
    scope: str | None
    more: Mapping[str, Any]


class Pages:
    """The routes of one room of the pages; every one of them names its place."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def get(self, path: str, place: Place, **more: Any) -> Callable[[F], F]:
        """What is looked at."""
        return self._at("GET", path, place, None, more)

    def post(self, path: str, place: Place, *, scope: str | None = None, **more: Any) -> Callable[[F], F]:
        """What changes something; ``scope`` is what a token must be for."""
        return self._at("POST", path, place, scope, more)

    def _at(
        self, method: Literal["GET", "POST"], path: str, place: Place, scope: str | None, more: Mapping[str, Any]
    ) -> Callable[[F], F]:
        def add(handler: F) -> F:
            self.routes.append(Route(path=path, method=method, place=place, scope=scope, handler=handler, more=more))
            return handler

        return add
