"""What is done by touch at the wall: a slot is opened, an officer says who he is, and then what there is to say."""

from ipaddress import ip_address
from typing import Any

from fastapi import Request
from starlette.responses import Response

from bwcdock.core.view import citation
from bwcdock.core.wall import Shows
from bwcdock.errors import BwcdockError, Misused
from bwcdock.web.house import House
from bwcdock.web.pages import Pages
from bwcdock.web.policy import Place
from bwcdock.web.render import language_of, page
from bwcdock.web.wall.business import Business, business, terms_for
from bwcdock.web.wall.drawing import VERDICTS, WORDS, Drawn, lacking, todo
from bwcdock.web.wall.hub import Hub
from bwcdock.web.wall.saying import Form, acts_of, say
from bwcdock.web.wall.tickets import Ticket, Tickets
from bwcdock.web.words import N_

FIELDS = 400
"""Fields of one form: a line for each recording, a tag for each of the pack."""


def add(pages: Pages, house: House, hub: Hub) -> None:
    """The routes below `/wall/slot`: pieces of a page, for the wall's own dialogue."""
    desk = _Desk(house, hub)

    @pages.get("/wall/slot/{key}", Place.WALL)
    async def open_slot(request: Request, key: str) -> Response:
        return await desk.shown(request, key)

    # No session is here that another site could borrow (wall/tickets.py): the ticket is what makes a form ours.
    @pages.post("/wall/slot/{key}/who", Place.WALL)
    async def identify(request: Request, key: str) -> Response:
        return await desk.identified(request, key, await _form(request))

    @pages.post("/wall/slot/{key}/say", Place.WALL)
    async def say(request: Request, key: str) -> Response:
        return await desk.said(request, key, await _form(request))


async def _form(request: Request) -> Form:
    sent = await request.form(max_files=0, max_fields=FIELDS)
    fields: dict[str, list[str]] = {}
    for name, value in sent.multi_items():
        if isinstance(value, str):
            fields.setdefault(name, []).append(value)
    return Form(fields=fields)


class _Desk:
    """The dialogues of one wall."""

    def __init__(self, house: House, hub: Hub) -> None:
        self._house = house
        self._hub = hub
        self._tickets = Tickets(house)

    async def shown(self, request: Request, key: str, **more: Any) -> Response:
        """The dialogue of a slot, without a ticket."""
        await self._hub.ready()
        drawn = self._hub.drawn(key)
        if drawn is None:
            return page(request, "wall/closed.html", status=404)
        return self._page(request, drawn, **more)

    async def identified(self, request: Request, key: str, form: Form) -> Response:
        """He says who he is: what concerns him, or that it is not he."""
        drawn = self._hub.drawn(key)
        recorder = drawn.card.recorder if drawn else ""
        if not recorder:
            return await self.shown(request, key, problem=N_("There is no recorder here any more."))
        if not self._is_private(request):
            return await self.shown(request, key, problem=N_("A PIN must not pass over the network unencrypted."))
        address = request.client.host if request.client else ""
        try:
            ticket = await self._tickets.issue(form.one("person"), form.one("pin"), recorder, address=address)
        except BwcdockError as error:
            return await self.shown(request, key, problem=error, person=form.one("person"))
        if ticket is None:
            return await self.shown(request, key, problem=N_("This number is not known here, or the PIN is wrong."))
        return await self._told(request, key, ticket)

    async def said(self, request: Request, key: str, form: Form) -> Response:
        """He says something about his recordings."""
        drawn = self._hub.drawn(key)
        ticket = self._tickets.find(form.one("ticket"))
        # Another recorder in the same slot is another matter; one that nobody answers for just now may be the same.
        if ticket is None or drawn is None or drawn.card.recorder not in {"", ticket.recorder}:
            return await self.shown(request, key, problem=N_("The time is over: say again who you are."))
        try:
            acts = acts_of(form, ticket, await self._business(ticket), self._house.law.pack, self._house.zone)
            await say(self._house, acts, ticket)
        except Misused as error:
            return await self._told(request, key, ticket, problem=error)
        return await self._told(request, key, ticket, done=form.one("do"))

    def _is_private(self, request: Request) -> bool:
        """Whether a PIN may pass: with TLS, or without leaving this machine."""
        if request.url.scheme == "https" or self._house.settings.web.identify == "badge":
            return True
        try:
            return ip_address(request.client.host if request.client else "").is_loopback
        except ValueError:
            return False

    async def _business(self, ticket: Ticket) -> Business:
        law, now = self._house.law, self._house.clock.now()
        return await self._house.asker.ask(lambda ledger: business(ledger, law, ticket.person, ticket.recorder, now))

    async def _told(self, request: Request, key: str, ticket: Ticket, **more: Any) -> Response:
        drawn = self._hub.drawn(key)
        if drawn is None:
            return page(request, "wall/closed.html", status=404)
        return self._page(request, drawn, ticket=ticket, of=await self._business(ticket), **more)

    def _page(self, request: Request, drawn: Drawn, **more: Any) -> Response:
        language, pack = language_of(request), self._house.law.pack
        card = drawn.card
        common = {
            "card": card,
            "word": WORDS[card.shows],
            "do": todo(card, language),
            "lacks": lacking(card, language),
            "holder": self._hub.pencil.name(card),
            "cite": citation,
            "verdicts": VERDICTS,
            "qr": self._hub.pencil.qr(drawn.handed) if drawn.handed else "",
            "handed": drawn.handed,
            "identify": self._house.settings.web.identify,
            "open": card.shows not in {Shows.EMPTY, Shows.GONE, Shows.UNFINISHED, Shows.UNKNOWN} and card.recorder,
            "tags": pack.tags,
            "reasons": terms_for(pack, "late"),
            "breaks": pack.interruption is not None,
            "zone": self._house.zone,
            "ticket": None,
            "of": None,
            "problem": "",
            "done": "",
            "person": "",
        }
        return page(request, "wall/slot.html", **{**common, **more})
