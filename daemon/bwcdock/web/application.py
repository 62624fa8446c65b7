"""The application: every room's routes, each with its place, behind what holds for all of them."""

import secrets
import socket
from collections.abc import Callable, Iterable
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from bwcdock import __version__
from bwcdock.errors import BwcdockError, LedgerBroken, Misbehaved, Misused, NotAllowed, Unreachable
from bwcdock.web.house import House
from bwcdock.web.pages import PLACE, Denied, Pages, leave_for
from bwcdock.web.policy import NOBODY, Caller, Place, needs_second
from bwcdock.web.problems import is_call, problem
from bwcdock.web.render import page
from bwcdock.web.routes import ROOMS
from bwcdock.web.safety import Safety
from bwcdock.web.signing import second
from bwcdock.web.tls.names import LOCAL_NAMES

log = structlog.get_logger()

STATUS: dict[type[BwcdockError], int] = {
    Misused: 422,
    NotAllowed: 403,
    Unreachable: 503,
    Misbehaved: 503,
    LedgerBroken: 503,
}
"""What an error is to a browser; every other is 500."""


def build(house: House, rooms: Iterable[Callable[[House], Pages]] = ROOMS) -> ASGIApp:
    """The application for this house. Refuses to be built with a route that nobody gave a place."""
    app = FastAPI(title="bwcdock", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.house = house
    for room in rooms:
        for route in room(house).routes:
            # A page is no part of the API and gives a response of its own making, unless it says otherwise.
            told = {"include_in_schema": False, "response_model": None, **route.more}
            leave = [Depends(leave_for(route.place, route.scope))]
            app.add_api_route(route.path, route.handler, methods=[route.method], dependencies=leave, **told)
    app.mount("/static", StaticFiles(directory=str(files("bwcdock.web").joinpath("static"))), name="static")
    for made in app.routes:
        place_of(made)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(BwcdockError, _failed)
    app.add_exception_handler(RequestValidationError, _unlike)
    app.add_exception_handler(Exception, _bug)
    names = frozenset({*LOCAL_NAMES, socket.gethostname().lower(), *map(str.lower, house.settings.web.names)})
    return Safety(app, names=names, web=house.settings.web, monotonic=house.clock.monotonic)


def place_of(route: BaseRoute) -> Place:
    """The place of a route. ``ValueError`` where it has none: it would be open to everybody."""
    if isinstance(route, Mount) and route.name == "static":
        return Place.STATIC
    if isinstance(route, APIRoute):
        for dependency in route.dependencies:
            place = getattr(dependency.dependency, PLACE, None)
            if place is not None:
                return Place(place)
    raise ValueError(f"{getattr(route, 'path', route)} belongs to no place.")


async def _refused(request: Request, error: Any) -> Response:
    if is_call(request):
        return problem(error.status_code, "" if isinstance(error, Denied) else str(error.detail), headers=error.headers)
    if isinstance(error, Denied):
        if error.status_code == 421 and request.method == "GET":
            return RedirectResponse(_with_tls(request), 307)
        caller = getattr(request.state, "caller", NOBODY)
        if error.status_code == 401 and request.url.scheme == "https" and request.method == "GET":
            return RedirectResponse(f"/login?next={quote(_wanted(request))}", 303)
        if caller.kind == "person" and request.method == "GET" and _is_half(caller, request):
            return RedirectResponse(second(_wanted(request)), 303)
    told = page(request, "refused.html", status=error.status_code, code=error.status_code, why=_detail(error))
    told.headers.update(error.headers or {})
    return told


def _wanted(request: Request) -> str:
    """Where he wanted to go, with what he asked for there."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _detail(error: HTTPException) -> str:
    """What somebody said of it; the name of the status alone says nothing."""
    return "" if error.detail == HTTPStatus(error.status_code).phrase else str(error.detail)


def _is_half(caller: Caller, request: Request) -> bool:
    return caller.half or (not caller.second and needs_second(caller.role, request.app.state.house.law.pack))


def _with_tls(request: Request) -> str:
    port = request.app.state.house.settings.web.tls_listen.rpartition(":")[2]
    return str(request.url.replace(scheme="https", port=int(port)))


async def _bug(request: Request, error: Exception) -> Response:
    """A fault of the program: told in the journal under a number, and to whoever asked by that number alone."""
    number = secrets.token_hex(4)
    log.error("web.bug", number=number, method=request.method, path=request.url.path, exc_info=error)
    if is_call(request):
        return problem(500, f"A fault of the program: {number}.", "Its log tells more under this number.")
    return page(request, "refused.html", status=500, code=500, why=f"№ {number}")


async def _unlike(request: Request, error: Any) -> Response:
    """What was sent is not what the call takes. What it was is not sent back."""
    assert isinstance(error, RequestValidationError)
    told = "; ".join(f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()[:5])
    if is_call(request):
        return problem(422, told, "See /api/v1/openapi.json; nothing was changed.")
    return page(request, "refused.html", status=422, code=422, why="")


async def _failed(request: Request, error: Any) -> Response:
    assert isinstance(error, BwcdockError)
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    if is_call(request):
        return problem(status, error.what, error.hint, refused=error.why.code)
    return page(request, "refused.html", status=status, code=status, why=error)
