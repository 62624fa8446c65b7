"""Who is asking: read from the connection, the cookie or the token of a request, once a request."""

from starlette.requests import HTTPConnection

from bwcdock.core.desk.people import Person
from bwcdock.web.accounts.hashing import Where
from bwcdock.web.house import House
from bwcdock.web.nearby import is_nearby
from bwcdock.web.policy import NOBODY, Caller
from bwcdock.web.problems import API

COOKIE = "__Host-bwcdock"
"""Sent over TLS to this host alone (RFC 6265bis, 4.1.3.2)."""


async def caller_of(request: HTTPConnection, house: House, *, used: bool = True) -> Caller:
    """Whoever signed in and still works here in that role; else a screen of the station, or nobody.

    Asked at every request: who left, or lost a role, is out at once, he and his programs. Whoever brings a token is
    whom the token is for, or nobody: his cookie is not looked at. On the API nothing but a token counts.

    Where nobody asks for anything (``used`` is false) his session is not kept from falling idle.
    """
    if request.url.scheme == "https":
        if "authorization" in request.headers:
            return await _by_token(request, house)
        if (cookie := request.cookies.get(COOKIE)) and not request.url.path.startswith(API):
            caller = await _by_cookie(cookie, house, used=used)
            if caller is not None:
                return caller
    return Caller(kind="screen") if is_near(request, house) and not request.url.path.startswith(API) else NOBODY


async def _by_cookie(cookie: str, house: House, *, used: bool) -> Caller | None:
    found = house.accounts.session(cookie, house.clock.now(), used=used)
    if found is None:
        return None
    person = await house.asker.ask(lambda ledger: ledger.matter(Person, found.person))
    if person is None or not person.may_act_as(found.role):
        house.accounts.end(cookie)
        return None
    return Caller(
        kind="person",
        person=person.id,
        name=person.name,
        role=found.role,
        second=found.second,
        half=found.half,
        csrf=found.csrf,
    )


async def _by_token(request: HTTPConnection, house: House) -> Caller:
    sort, _, value = request.headers["authorization"].partition(" ")
    found = house.accounts.tokens.find(value.strip(), house.clock.now()) if sort.lower() == "bearer" else None
    if found is None:
        return NOBODY
    person = await house.asker.ask(lambda ledger: ledger.matter(Person, found.person))
    if person is None or not person.may_act_as(found.role):
        return NOBODY
    return Caller(kind="token", person=person.id, name=person.name, role=found.role, scopes=found.scopes)


def address_of(request: HTTPConnection) -> str:
    """Where the request comes from: the other end of the connection, and never what a header says of it."""
    return request.client.host if request.client else ""


def is_near(request: HTTPConnection, house: House) -> bool:
    """Whether it comes from one of the networks whose screens belong to the station."""
    return is_nearby(address_of(request), house.settings.web)


def where(request: HTTPConnection, house: House) -> Where:
    """From near or from afar: who hashes for whom (accounts/hashing.py)."""
    return "near" if is_near(request, house) else "far"
