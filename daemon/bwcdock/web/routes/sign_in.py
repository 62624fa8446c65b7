"""Signing in and out: a password, then a second factor where the role asks for one, each with a new cookie."""

import segno
from fastapi import Request
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from bwcdock.core.desk.people import Person
from bwcdock.core.facts import Actor
from bwcdock.errors import BwcdockError, NotAllowed
from bwcdock.web.accounts import generators
from bwcdock.web.callers import address_of, where
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, Said, Sent, TheHouse, Who
from bwcdock.web.policy import Caller, Place
from bwcdock.web.render import page
from bwcdock.web.signing import (
    cookie_of,
    entered,
    local,
    not_too_fast,
    person_of,
    roles_in_use,
    secret,
    signed_in,
    text,
    told,
    with_cookie,
    without_cookie,
)
from bwcdock.web.words import N_

WRONG = N_("Number or password is wrong, or nobody may sign in so.")
"""The same for whoever nobody knows, who has left or was blocked, and who mistyped."""

WRONG_CODE = N_("This is not the code of now, or it was used already. Wait for the next one.")


def routes(_: House) -> Pages:
    """The routes below `/login`, and `/logout`."""
    pages = Pages()

    @pages.get("/login", Place.SIGN_IN)
    async def door(request: Request, house: TheHouse) -> Response:
        if not house.accounts.anybody():
            return RedirectResponse("/first", 303)
        return page(request, "sign_in/login.html", after=local(request.query_params.get("next", "")), error=None)

    @pages.post("/login", Place.SIGN_IN)
    async def login(request: Request, house: TheHouse, form: Sent) -> Response:
        person, after = text(form, "person"), text(form, "next")
        try:
            found = await _known(request, house, person, secret(form, "password"))
        except NotAllowed as error:
            told(request, "sign_in.shut", person=person)
            return page(request, "sign_in/login.html", status=429, after=local(after), error=error)
        roles = roles_in_use(found, house.law.pack) if found else []
        if found is None or not roles:
            told(request, "sign_in.failed", person=person)
            return page(request, "sign_in/login.html", status=422, after=local(after), error=WRONG)
        return signed_in(request, house, found, roles[0], after=after)

    @pages.get("/login/second", Place.SIGN_IN)
    async def second(request: Request, house: TheHouse, caller: Who) -> Response:
        if caller.kind != "person":
            return RedirectResponse("/login", 303)
        return _second(request, house, caller, local(request.query_params.get("next", "")))

    @pages.post("/login/second", Place.SIGN_IN)
    async def show_second(request: Request, house: TheHouse, caller: Who, form: Said) -> Response:
        after, code = local(text(form, "next")), text(form, "code")
        try:
            if not await _shown(request, house, caller, code):
                told(request, "sign_in.second_failed", person=caller.person)
                return _second(request, house, caller, after, error=WRONG_CODE)
        except NotAllowed:
            house.accounts.end(cookie_of(request))
            told(request, "sign_in.second_shut", person=caller.person)
            return without_cookie(RedirectResponse("/login", 303))
        except BwcdockError as error:
            return _second(request, house, caller, after, error=error)
        cookie = house.accounts.sessions.renew(cookie_of(request), house.clock.now(), second=True)
        told(request, "sign_in.second", person=caller.person, role=caller.role)
        return with_cookie(RedirectResponse(after, 303), cookie)

    @pages.post("/logout", Place.SIGN_IN)
    async def logout(request: Request, house: TheHouse, caller: Who, form: Said) -> Response:  # noqa: ARG001 (its token)
        house.accounts.end(cookie_of(request))
        told(request, "sign_out", person=caller.person)
        return without_cookie(RedirectResponse("/login", 303))

    return pages


async def _known(request: Request, house: House, person: str, password: str) -> Person | None:
    """The person whose password this is, and who works here."""
    await not_too_fast(request, house)
    fits = await house.accounts.verify_password(
        person, password, house.clock.now(), address=address_of(request), where=where(request, house)
    )
    return await person_of(house, person) if fits else None


async def _shown(request: Request, house: House, caller: Caller, code: str) -> bool:
    """Whether his generator's code is right; where he has none yet, it is taken into use by its first code."""
    accounts, now = house.accounts, house.clock.now()
    if accounts.generators.has(caller.person):
        await not_too_fast(request, house)
        return accounts.take_second(caller.person, code, now, address=address_of(request))
    found = accounts.session(cookie_of(request), now)
    step = generators.step_of(found.pending if found else "", code, now)
    if found is None or not step:
        return False
    await entered(house, Actor(name=caller.person, role=caller.role), "set-sign-in", person=caller.person, what="totp")
    accounts.generators.set(caller.person, found.pending, step)
    told(request, "sign_in.generator_set", person=caller.person)
    return True


def _second(request: Request, house: House, caller: Caller, after: str, *, error: BwcdockError | str = "") -> Response:
    status = 422 if error else 200
    if house.accounts.generators.has(caller.person):
        return page(request, "sign_in/second.html", status=status, after=after, error=error)
    found = house.accounts.session(cookie_of(request), house.clock.now())
    pending = found.pending if found else ""
    if not pending:
        pending = generators.new_secret()
        house.accounts.sessions.set_pending(cookie_of(request), pending)
    square = segno.make(generators.address_of(pending, caller.person, house.settings.station.name), error="m")
    return page(
        request,
        "sign_in/generator.html",
        status=status,
        after=after,
        error=error,
        secret=" ".join(pending[at : at + 4] for at in range(0, len(pending), 4)),
        square=Markup(square.svg_inline(scale=5, light="#fff")),  # noqa: S704 (made here, from characters of base32)
    )
