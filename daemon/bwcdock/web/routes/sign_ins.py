"""Who may sign in, for the system administrator: codes, blocks, and tokens of programs; nothing else is his."""

from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bwcdock.core.desk.people import Person
from bwcdock.core.facts import Actor
from bwcdock.errors import BwcdockError, Misused
from bwcdock.ledger import Reader
from bwcdock.web.accounts import Account
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, Said, TheHouse, Who
from bwcdock.web.policy import Caller, Place
from bwcdock.web.render import page
from bwcdock.web.scopes import scopes_of
from bwcdock.web.signing import entered, roles_in_use, text, told
from bwcdock.web.words import N_

OP = "sign-ins"
HIMSELF = N_("Nobody does this for himself: another system administrator does, or `bwcdock web code` at the station.")
NOBODY = N_("Nobody works here under this number.")
NO_SCOPE = N_("A token must be for something, and for nothing that its role may not do.")

MOST_DAYS = 366
"""A token that nobody remembers ends after a year."""

MOST_NAME = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One person of the register, and how he may sign in."""

    person: Person
    account: Account
    has_code: bool


def routes(_: House) -> Pages:
    """The routes below `/sign-ins`."""
    pages = Pages()

    @pages.get("/sign-ins", Place.SIGN_INS)
    async def sign_ins(request: Request, house: TheHouse) -> Response:
        return await _listed(request, house)

    @pages.post("/sign-ins/code", Place.SIGN_INS)
    async def code(request: Request, house: TheHouse, caller: Who, form: Said) -> Response:
        try:
            person = await _other(house, caller, text(form, "person"))
            await entered(house, _actor(caller), "set-sign-in", person=person.id, what="code")
        except BwcdockError as error:
            return await _listed(request, house, error=error)
        made = house.accounts.codes.make(person.id, house.clock.now())
        told(request, "code.made", person=caller.person, whose=person.id)
        return page(request, "sign_in/code.html", person=person, made=made)

    @pages.post("/sign-ins/block", Place.SIGN_INS)
    async def block(request: Request, house: TheHouse, caller: Who, form: Said) -> Response:
        try:
            person = await _other(house, caller, text(form, "person"))
            await entered(house, _actor(caller), "set-sign-in", person=person.id, what="blocked")
        except BwcdockError as error:
            return await _listed(request, house, error=error)
        house.accounts.block(person.id)
        told(request, "sign_in.blocked", person=caller.person, whose=person.id)
        return RedirectResponse("/sign-ins", 303)

    @pages.get("/sign-ins/token", Place.SIGN_INS)
    async def token(request: Request, house: TheHouse) -> Response:
        query = request.query_params
        return await _token(request, house, query.get("person", ""), query.get("role", ""))

    @pages.post("/sign-ins/token", Place.SIGN_INS)
    async def make_token(request: Request, house: TheHouse, caller: Who, form: Said) -> Response:
        person_id, role = text(form, "person"), text(form, "role")
        try:
            name, days, scopes = await _asked_of(house, person_id, role, form)
            await entered(house, _actor(caller), "set-sign-in", person=person_id, what="token")
        except BwcdockError as error:
            return await _token(request, house, person_id, role, error=error)
        made, short = house.accounts.tokens.make(name, person_id, role, scopes, house.clock.now(), days=days)
        told(request, "token.made", person=caller.person, whose=person_id, role=role, id=short, scopes=sorted(scopes))
        return page(request, "sign_in/token_made.html", made=made, name=name)

    @pages.post("/sign-ins/revoke", Place.SIGN_INS)
    async def revoke(request: Request, house: TheHouse, caller: Who, form: Said) -> Response:
        short = text(form, "id")
        if not house.accounts.tokens.revoke(short):
            raise HTTPException(404)
        told(request, "token.revoked", person=caller.person, id=short)
        return RedirectResponse("/sign-ins", 303)

    return pages


def _actor(caller: Caller) -> Actor:
    return Actor(name=caller.person, role=caller.role)


async def _person(house: House, person_id: str) -> Person:
    found = await house.asker.ask(lambda ledger: ledger.matter(Person, person_id))
    if found is None or found.state != "active":
        raise Misused(OP, NOBODY, "")
    return found


async def _other(house: House, caller: Caller, person_id: str) -> Person:
    """A person who works here, and is somebody else: so a code or a block in one's own name came from the machine."""
    if person_id == caller.person:
        raise Misused(OP, HIMSELF, "")
    return await _person(house, person_id)


async def _asked_of(house: House, person_id: str, role: str, form: FormData) -> tuple[str, int, set[str]]:
    """What a token is to be called, for how many days, and for what: nothing that its role may not do itself."""
    person = await _person(house, person_id)
    scopes = {value for value in form.getlist("scopes") if isinstance(value, str)}
    if not person.may_act_as(role) or not scopes or not scopes <= set(scopes_of(role, house.law.pack)):
        raise Misused(OP, NO_SCOPE, "")
    days = text(form, "days")
    count = int(days) if days.isascii() and days.isdecimal() and len(days) < 5 else 0
    return text(form, "name")[:MOST_NAME], min(max(count, 1), MOST_DAYS), scopes


async def _listed(request: Request, house: House, *, error: BwcdockError | str = "") -> Response:
    known = {account.person: account for account in house.accounts.accounts()}
    codes = house.accounts.codes.until(house.clock.now())

    def rows(ledger: Reader) -> list[Row]:
        return [
            Row(person=p, account=known.get(p.id, Account(person=p.id)), has_code=p.id in codes)
            for p in ledger.matters(Person, "active")
        ]

    found = await house.asker.ask(rows)
    return page(
        request,
        "sign_in/sign_ins.html",
        status=422 if error else 200,
        rows=found,
        tokens=house.accounts.tokens.all(),
        error=error,
    )


async def _token(
    request: Request, house: House, person_id: str, role: str, *, error: BwcdockError | str = ""
) -> Response:
    try:
        person = await _person(house, person_id)
    except Misused as misused:
        return await _listed(request, house, error=misused)
    roles = roles_in_use(person, house.law.pack)
    chosen = role if role in roles else (roles[0] if roles else "")
    return page(
        request,
        "sign_in/token.html",
        status=422 if error else 200,
        person=person,
        roles=roles,
        role=chosen,
        scopes=scopes_of(chosen, house.law.pack),
        days=90,
        most_days=MOST_DAYS,
        error=error,
    )
