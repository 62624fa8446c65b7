"""The first time: a code for once becomes a password; and the very first person, whom nobody could give a code."""

from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from bwcdock.core.desk.people import SYSTEM_ADMINISTRATOR, Person
from bwcdock.core.facts import Actor
from bwcdock.desk.who import custodians
from bwcdock.errors import BwcdockError, Misused, NotAllowed
from bwcdock.web.accounts.codes import FIRST
from bwcdock.web.callers import address_of, where
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, Sent, TheHouse
from bwcdock.web.policy import Place
from bwcdock.web.render import page
from bwcdock.web.signing import entered, not_too_fast, person_of, roles_in_use, secret, signed_in, text, told
from bwcdock.web.words import N_

WRONG = N_("Number or code is wrong, or the code was used or has run out.")
TWO = N_("The two passwords differ.")
NAMELESS = N_("A name is missing.")

OP = "join"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What was typed."""

    person: str
    name: str
    code: str
    password: str

    @classmethod
    def of(cls, form: FormData) -> "_Asked":
        """``Misused`` where the two passwords are not one."""
        if secret(form, "password") != secret(form, "again"):
            raise Misused(OP, TWO, "")
        return cls(
            person=text(form, "person"),
            name=text(form, "name"),
            code=text(form, "code"),
            password=secret(form, "password"),
        )


def routes(_: House) -> Pages:
    """The routes `/join` and `/first`."""
    pages = Pages()

    @pages.get("/join", Place.SIGN_IN)
    async def join(request: Request) -> Response:
        return page(request, "sign_in/join.html", person=request.query_params.get("person", ""), error="")

    @pages.post("/join", Place.SIGN_IN)
    async def do_join(request: Request, house: TheHouse, form: Sent) -> Response:
        try:
            asked = _Asked.of(form)
            person = await _joined(request, house, asked)
        except BwcdockError as error:
            status = 429 if isinstance(error, NotAllowed) else 422
            told(request, "sign_in.join_failed", person=text(form, "person"))
            return page(request, "sign_in/join.html", status=status, person=text(form, "person"), error=error)
        return signed_in(request, house, person, roles_in_use(person, house.law.pack)[0], after="/desk")

    @pages.get("/first", Place.SIGN_IN)
    async def first(request: Request, house: TheHouse) -> Response:
        if house.accounts.anybody():
            return RedirectResponse("/login", 303)
        return await _first(request, house, {})

    @pages.post("/first", Place.SIGN_IN)
    async def do_first(request: Request, house: TheHouse, form: Sent) -> Response:
        if house.accounts.anybody():
            return RedirectResponse("/login", 303)
        try:
            person = await _begun(request, house, _Asked.of(form))
        except BwcdockError as error:
            told(request, "sign_in.first_failed", person=text(form, "person"))
            given = {"person": text(form, "person"), "name": text(form, "name")}
            return await _first(request, house, given, error=error)
        return signed_in(request, house, person, roles_in_use(person, house.law.pack)[0], after="/desk")

    return pages


async def _joined(request: Request, house: House, asked: _Asked) -> Person:
    """His code becomes his password: looked at, hashed, entered in the ledger, and then used up."""
    accounts, now = house.accounts, house.clock.now()
    await not_too_fast(request, house)
    accounts.tries.spend("code", asked.person, address_of(request), now)
    fits = accounts.codes.fits(asked.person, asked.code, now)
    person = await person_of(house, asked.person) if fits else None
    if person is None or not roles_in_use(person, house.law.pack):
        raise Misused(OP, WRONG, "")
    await _chosen(request, house, person, asked, first=False)
    return person


async def _begun(request: Request, house: House, asked: _Asked) -> Person:
    """The first who can sign in. Where the register is empty he enters himself, and can let others in as well."""
    accounts, pack, now = house.accounts, house.law.pack, house.clock.now()
    await not_too_fast(request, house)
    accounts.tries.spend("code", FIRST, address_of(request), now)
    if not accounts.codes.fits(FIRST, asked.code, now):
        raise Misused(OP, WRONG, "")
    if await _is_empty(house):
        if not asked.name:
            raise Misused(OP, NAMELESS, "")
        await _hashed(request, house, asked, asked.name)  # refused before anything is entered
        first = custodians(pack)[0]
        roles = [first, SYSTEM_ADMINISTRATOR]
        await entered(
            house,
            Actor(name=asked.person, role=first),
            "enter-person",
            person=asked.person,
            name=asked.name,
            roles=roles,
        )
    person = await person_of(house, asked.person)
    if person is None or not roles_in_use(person, pack):
        raise Misused(OP, WRONG, "")
    await _chosen(request, house, person, asked, first=True)
    return person


async def _chosen(request: Request, house: House, person: Person, asked: _Asked, *, first: bool) -> None:
    """His password is what he chose. Dying after the entry leaves a line without effect, and the code as it was."""
    hashed = await _hashed(request, house, asked, person.name)
    role = roles_in_use(person, house.law.pack)[0]
    await entered(house, Actor(name=person.id, role=role), "set-sign-in", person=person.id, what="password")
    if not house.accounts.redeem(person.id, asked.code, hashed, house.clock.now(), first=first):
        raise Misused(OP, WRONG, "")
    house.accounts.tries.worked("code", FIRST if first else person.id, address_of(request))
    told(request, "sign_in.password_set", person=person.id)


async def _hashed(request: Request, house: House, asked: _Asked, name: str) -> str:
    return await house.accounts.hashed(asked.password, asked.person, name, where=where(request, house))


async def _is_empty(house: House) -> bool:
    return await house.asker.ask(lambda ledger: ledger.how_many(Person)) == 0


async def _first(
    request: Request, house: House, given: dict[str, str], *, error: BwcdockError | None = None
) -> Response:
    status = 200 if error is None else 429 if isinstance(error, NotAllowed) else 422
    return page(
        request,
        "sign_in/first.html",
        status=status,
        person=given.get("person", ""),
        name=given.get("name", ""),
        is_empty=await _is_empty(house),
        role=custodians(house.law.pack)[0],
        error=error or "",
    )
