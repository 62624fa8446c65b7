"""What the tests of signing in share: a browser that keeps its cookie, and people who have a way to sign in."""

import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import httpx
import pyotp
from bwcdock.core.desk.people import Person
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.station import StationBed
from bwcdock.web.accounts.generators import new_secret
from bwcdock.web.callers import COOKIE
from bwcdock.web.house import House
from desk_world import HEAD, KEEPER, OFFICER, World
from starlette.types import ASGIApp
from web_world import FAR, TLS

SYSTEM, AUDIT = "071", "072"
GOOD = "correct horse battery staple"
OTHER_GOOD = "another four words entirely"
FIELD = re.compile(r'name="csrf" value="([^"]*)"')


class Browser:
    """Keeps the cookie it was given last, follows nothing by itself, and sends forms as pages of ours do."""

    def __init__(self, app: ASGIApp, *, address: str = FAR, base: str = TLS) -> None:
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=(address, 40000)), base_url=base)
        self.base = base
        self.cookie = ""
        self.told = ""
        """The last answer's Set-Cookie."""

    async def get(self, path: str) -> httpx.Response:
        """Look at a page."""
        return self._took(await self.client.get(path, headers=self._headers()))

    async def post(self, path: str, **said: object) -> httpx.Response:
        """Send a form."""
        headers = {**self._headers(), "origin": self.base, "sec-fetch-site": "same-origin"}
        return self._took(await self.client.post(path, data=said, headers=headers))

    async def sends(self, page: str, path: str, **said: object) -> httpx.Response:
        """Open a page, and send a form of it with its token."""
        found = FIELD.search((await self.get(page)).text)
        assert found is not None, page
        return await self.post(path, csrf=found[1], **said)

    async def signs_in(self, person: str, password: str = GOOD) -> httpx.Response:
        """The password."""
        return await self.post("/login", person=person, password=password)

    async def close(self) -> None:
        """Shut it."""
        await self.client.aclose()

    def _headers(self) -> dict[str, str]:
        return {"cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}

    def _took(self, answer: httpx.Response) -> httpx.Response:
        self.client.cookies.clear()
        self.told = answer.headers.get("set-cookie", "")
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if name == COOKIE:
                self.cookie = value.strip('"')
        return answer


def empty_world(directory: Path) -> World:
    """A station that was just founded: nobody is in its register."""
    world = World.__new__(World)
    world.clock = VirtualClock()
    world.bed = StationBed(directory, {"web": {"language": "en"}}, clock=world.clock)
    return world


def enters(world: World) -> None:
    """A system administrator and an auditor stand in the register too."""
    for person, name, role in ((SYSTEM, "系统员", "system-administrator"), (AUDIT, "审计员", "auditor")):
        world.does(world.custodian, "enter-person", person=person, name=name, roles=[role])


async def has_password(house: House, person: str, password: str = GOOD) -> None:
    """He signed in before."""
    house.accounts.set_password(person, await house.accounts.hashed(password), house.clock.now())


def has_generator(house: House, person: str) -> pyotp.TOTP:
    """He has set up a code generator before; this is it."""
    secret = new_secret()
    house.accounts.generators.set(person, secret, 1)
    return pyotp.TOTP(secret)


def code_now(totp: pyotp.TOTP, world: World, *, steps: int = 0) -> str:
    """What it shows now."""
    return totp.at(world.clock.now() + timedelta(seconds=30 * steps))


def secret_on(text: str) -> str:
    """The secret that a page shows for typing."""
    found = re.search(r'<span class="mono">([A-Z2-7 ]{32,})</span>', unescape(text))
    assert found is not None
    return found[1].replace(" ", "")


def sign_ins_of(world: World, person: str) -> list[tuple[str, str]]:
    """What the ledger says of how he signs in: which, by whom."""
    found = world.bed.ask(lambda ledger: ledger.matter(Person, person))
    return [(each.what, each.by) for each in found.sign_ins] if found else []


__all__ = ["AUDIT", "GOOD", "HEAD", "KEEPER", "OFFICER", "OTHER_GOOD", "SYSTEM", "Browser"]
