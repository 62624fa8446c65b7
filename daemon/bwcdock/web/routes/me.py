"""One's own page: role, password, PIN, code generator, and where one is signed in."""

from collections.abc import Awaitable, Callable

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bwcdock.core.desk.people import Person
from bwcdock.core.facts import Actor
from bwcdock.errors import BwcdockError, Misused, NotAllowed
from bwcdock.web.accounts.hashing import must_be_good_pin
from bwcdock.web.callers import address_of, where
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, Said, TheHouse, Who
from bwcdock.web.policy import Caller, Place, needs_second
from bwcdock.web.render import page
from bwcdock.web.signing import (
    cookie_of,
    entered,
    person_of,
    roles_in_use,
    second,
    secret,
    text,
    told,
    with_cookie,
    without_cookie,
)
from bwcdock.web.words import N_

WRONG = N_("Your present password is not this one.")
TWO = N_("The two differ.")

OP = "me"


def routes(_: House) -> Pages:
    """The routes below `/me`."""
    pages = Pages()

    @pages.get("/me", Place.ME)
    async def me(request: Request, house: TheHouse, caller: Who) -> Response:
        return await _me(request, house, caller)

    _secrets(pages)
    _sessions(pages)
    return pages


def _secrets(pages: Pages) -> None:
    """What he alone knows or has; each changed only by whoever knows the present password."""

    @pages.post("/me/password", Place.ME)
    async def password(request: Request, house: TheHouse, caller: Who, form: Said) -> Response:
        async def change() -> Response:
            new = secret(form, "new")
            if new != secret(form, "again"):
                raise Misused(OP, TWO, "")
            await _must_be_he(request, house, caller, secret(form, "password"))
            hashed = await house.accounts.hashed(new, caller.person, caller.name, where=where(request, house))
            await entered(house, _actor(caller), "set-sign-in", person=caller.person, what="password")
            now = house.clock.now()
            house.accounts.set_password(caller.person, hashed, now)
            house.accounts.sessions.end_all(caller.person, but=cookie_of(request))
            told(request, "sign_in.password_set", person=caller.person)
            cookie = house.accounts.sessions.renew(cookie_of(request), now)
            return with_cookie(RedirectResponse("/me?done=password", 303), cookie)

        return await _tried(request, house, caller, "password", change)

    @pages.post("/me/pin", Place.ME)
    async def pin(request: Request, house: TheHouse, caller: Who, form: Said) -> Response:
        async def change() -> Response:
            new = secret(form, "new")
            if new != secret(form, "again"):
                raise Misused(OP, TWO, "")
            must_be_good_pin(new, caller.person)
            await _must_be_he(request, house, caller, secret(form, "password"))
            await entered(house, _actor(caller), "set-sign-in", person=caller.person, what="pin")
            await house.accounts.set_pin(caller.person, new)
            told(request, "sign_in.pin_set", person=caller.person)
            return RedirectResponse("/me?done=pin", 303)

        return await _tried(request, house, caller, "pin", change)

    @pages.post("/me/generator", Place.ME)
    async def generator(request: Request, house: TheHouse, caller: Who, form: Said) -> Response:
        async def change() -> Response:
            await _must_be_he(request, house, caller, secret(form, "password"))
            # What follows is as after the first sign-in: nothing can be done before the new one has shown its code.
            house.accounts.generators.set(caller.person, "", 0)
            house.accounts.sessions.end_all(caller.person, but=cookie_of(request))
            told(request, "sign_in.generator_dropped", person=caller.person)
            cookie = house.accounts.sessions.renew(cookie_of(request), house.clock.now(), second=False, half=True)
            return with_cookie(RedirectResponse(second("/me"), 303), cookie)

        return await _tried(request, house, caller, "generator", change)


def _sessions(pages: Pages) -> None:
    """In which role he acts, and where he is signed in."""

    @pages.post("/me/role", Place.ME)
    async def role(request: Request, house: TheHouse, caller: Who, form: Said) -> Response:
        wanted, person = text(form, "role"), await person_of(house, caller.person)
        if person is None or wanted not in roles_in_use(person, house.law.pack):
            raise HTTPException(403)
        half = needs_second(wanted, house.law.pack) and not caller.second
        cookie = house.accounts.sessions.renew(cookie_of(request), house.clock.now(), role=wanted, half=half)
        told(request, "sign_in.role", person=caller.person, role=wanted)
        return with_cookie(RedirectResponse(second("/desk") if half else "/desk", 303), cookie)

    @pages.post("/me/end", Place.ME)
    async def end(request: Request, house: TheHouse, caller: Who, form: Said) -> Response:
        short = text(form, "id")
        if short:
            house.accounts.sessions.end_one(caller.person, short)
        else:
            house.accounts.sessions.end_all(caller.person, but=cookie_of(request))
        told(request, "sign_in.ended", person=caller.person)
        if house.accounts.session(cookie_of(request), house.clock.now()) is None:
            return without_cookie(RedirectResponse("/login", 303))
        return RedirectResponse("/me?done=end", 303)


def _actor(caller: Caller) -> Actor:
    return Actor(name=caller.person, role=caller.role)


async def _must_be_he(request: Request, house: House, caller: Caller, password: str) -> None:
    """Whoever finds a screen that was left open cannot make it his own."""
    now, address = house.clock.now(), address_of(request)
    if not await house.accounts.verify_password(
        caller.person, password, now, address=address, where=where(request, house)
    ):
        told(request, "sign_in.failed", person=caller.person)
        raise Misused(OP, WRONG, "")


async def _tried(
    request: Request, house: House, caller: Caller, part: str, change: Callable[[], Awaitable[Response]]
) -> Response:
    """What it leads to, or one's own page with what is wrong beside the form it was typed in."""
    try:
        return await change()
    except (Misused, NotAllowed) as error:
        return await _me(request, house, caller, part=part, error=error)


async def _me(
    request: Request, house: House, caller: Caller, *, part: str = "", error: BwcdockError | None = None
) -> Response:
    person = await person_of(house, caller.person)
    roles = roles_in_use(person, house.law.pack) if isinstance(person, Person) else []
    status = 200 if error is None else 429 if isinstance(error, NotAllowed) else 422
    return page(
        request,
        "sign_in/me.html",
        status=status,
        roles=roles,
        account=house.accounts.account(caller.person),
        sessions=house.accounts.sessions.of(caller.person, cookie_of(request)),
        needs_second=lambda role: needs_second(role, house.law.pack),
        done=request.query_params.get("done", ""),
        part=part,
        error=error or "",
    )
