"""What signing in comes to, wherever it is done: a new cookie, the next page, and a line in the journal."""

import asyncio
import re
from typing import Final
from urllib.parse import quote

import structlog
from fastapi import Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from bwcdock.core.desk.people import Person
from bwcdock.core.facts import Actor
from bwcdock.core.rulepack import RulePack
from bwcdock.desk import line
from bwcdock.desk.doing import Done
from bwcdock.web.callers import COOKIE, address_of, where
from bwcdock.web.house import House
from bwcdock.web.policy import ANYONE, group_of, needs_second

log = structlog.get_logger()

SHOWN: Final = 100
"""Characters of what somebody typed as his number that go into the journal."""

AGENT: Final = 160
"""Characters of what a browser says it is: enough for its owner to know it by."""

_LOCAL = re.compile(r"/(?:[A-Za-z0-9_.~%-]+/?)*(?:\?[A-Za-z0-9_.~%=&+-]*)?")
"""Never two slashes at its beginning: that is another host."""


def text(form: FormData, name: str) -> str:
    """What was typed there, without blanks around it."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def secret(form: FormData, name: str) -> str:
    """What was typed there, as it is: a blank may belong to it."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def local(given: str) -> str:
    """A page of ours to go to, whatever was asked for."""
    return given if _LOCAL.fullmatch(given) else "/desk"


def cookie_of(request: Request) -> str:
    """The cookie that was sent; empty where none was."""
    return request.cookies.get(COOKIE, "")


async def not_too_fast(request: Request, house: House) -> None:
    """Whoever is far away waits before each attempt while there are many failures everywhere."""
    if where(request, house) == "far":
        await asyncio.sleep(house.accounts.tries.delay_s(house.clock.now()))


async def person_of(house: House, person: str) -> Person | None:
    """Whoever works here under this id."""
    found = await house.asker.ask(lambda ledger: ledger.matter(Person, person))
    return found if found is not None and found.state == "active" else None


def roles_in_use(person: Person, pack: RulePack) -> list[str]:
    """His roles that mean something under this pack."""
    return [role for role in person.roles if group_of(role, pack) != ANYONE]


async def entered(house: House, actor: Actor, word: str, **said: object) -> Done:
    """Have it entered in the ledger, before anything changes here. Raises what the station says against it."""
    act = line.act_of(word, said)
    return await house.hands.do(line.ask, house.settings.paths.run, act, actor)


def signed_in(request: Request, house: House, person: Person, role: str, *, after: str) -> Response:
    """Begin a session, whatever was there before, and go on: to the second factor where one must be shown."""
    accounts = house.accounts
    half = needs_second(role, house.law.pack) or accounts.generators.has(person.id)
    accounts.end(cookie_of(request))
    cookie = accounts.begin(
        person.id,
        role,
        house.clock.now(),
        second=False,
        half=half,
        address=address_of(request),
        agent=request.headers.get("user-agent", "")[:AGENT],
    )
    told(request, "sign_in.password", person=person.id, role=role, half=half)
    return with_cookie(RedirectResponse(second(after) if half else local(after), 303), cookie)


def second(after: str) -> str:
    """Where the second factor is shown, on the way to another page."""
    return f"/login/second?next={quote(local(after))}"


def with_cookie(response: Response, cookie: str) -> Response:
    """The answer with the cookie: sent over TLS alone, to this host alone, from its own pages alone, read by no script.

    It ends with the browser; how long it is good is kept here.
    """
    response.set_cookie(COOKIE, cookie, secure=True, httponly=True, samesite="strict", path="/")
    return response


def without_cookie(response: Response) -> Response:
    """The answer that takes the cookie back."""
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict", path="/")
    return response


def told(request: Request, event: str, *, person: str, **more: object) -> None:
    """A line in the journal: who, from where; never a secret."""
    log.info(event, person=person[:SHOWN], address=address_of(request), **more)
