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

F = TypeVar("F", bound=Callable[..., Any])
PLACE = "bwcdock_place"
"""What marks the dependency of a route that asks for leave."""

OPEN_WITHOUT_TLS = frozenset({Place.STATIC, Place.HEALTH, Place.FIGURES, Place.WALL})
"""Nobody signs in there, so nobody's secret passes."""


class Denied(HTTPException):
    """Not there for this caller: 401 where he might sign in, 403 where that would not help."""


def house_of(request: Request) -> House:
    """The house the application was built for."""
    house: House = request.app.state.house
    return house


def leave_for(place: Place) -> Callable[..., Any]:
    """A dependency that lets the caller in or raises :class:`Denied`; a handler finds him in ``Depends(who)``."""

    async def ask(request: Request) -> None:
        house = house_of(request)
        if request.url.scheme != "https" and place not in OPEN_WITHOUT_TLS:
            raise Denied(421)
        caller = await caller_of(request, house)
        if not may(caller, place, house.law.pack):
            raise Denied(403 if caller.kind in {"person", "token"} else 401)
        request.state.caller = caller

    setattr(ask, PLACE, place)
    return ask


def who(request: Request) -> Caller:
    """The caller, after leave was given."""
    caller: Caller = request.state.caller
    return caller


async def said(request: Request) -> FormData:
    """The form that was sent, if it was sent from a page of ours made for this very session."""
    form = await request.form(max_files=0, max_fields=200)
    token = form.get("csrf")
    caller = who(request)
    if not caller.csrf or not isinstance(token, str) or not hmac.compare_digest(token, caller.csrf):
        raise HTTPException(403, "This form is of another session: open the page again.")
    return form


TheHouse = Annotated[House, Depends(house_of)]
Who = Annotated[Caller, Depends(who)]
Said = Annotated[FormData, Depends(said)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route, before the application has it. ``more`` goes to FastAPI: what a call of the API says of itself."""

    path: str
    method: Literal["GET", "POST"]
    place: Place
    handler: Callable[..., Any]
    more: Mapping[str, Any]


class Pages:
    """The routes of one room of the pages; every one of them names its place."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def get(self, path: str, place: Place, **more: Any) -> Callable[[F], F]:
        """What is looked at."""
        return self._at("GET", path, place, more)

    def post(self, path: str, place: Place, **more: Any) -> Callable[[F], F]:
        """What changes something."""
        return self._at("POST", path, place, more)

    def _at(self, method: Literal["GET", "POST"], path: str, place: Place, more: Mapping[str, Any]) -> Callable[[F], F]:
        def add(handler: F) -> F:
            self.routes.append(Route(path=path, method=method, place=place, handler=handler, more=more))
            return handler

        return add
