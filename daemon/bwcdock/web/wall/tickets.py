"""Who stands at the wall: an officer says who he is, and has a ticket for a few minutes, for one recorder.

The wall has no session and no cookie: it hangs in a room, and who touches it next is somebody else. A ticket lies in
the memory of this process and in the form on the screen, and nowhere else. It is 128 bits of chance, so no page of
another site can know it; that the form came from a page of ours is seen before (safety.py). A CSRF token does no more.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from bwcdock.core.desk.people import Person
from bwcdock.web.house import House

OFFICER = "officer"
"""The role in which anybody speaks at the wall; every rule pack has it."""

TICKET_FOR = timedelta(minutes=3)
"""How long a ticket holds: to tag a few recordings, and not until the next one comes to the dock."""

TICKETS = 200
"""Tickets at a time; of more, the oldest are void. A dock has a few dozen slots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The person speaks about what this recorder recorded, until then. ``proven`` where he showed his PIN."""

    value: str
    person: str
    name: str
    recorder: str
    until: datetime
    proven: bool


class Tickets:
    """The tickets that hold now."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._web = house.settings.web
        self._held: dict[str, Ticket] = {}

    async def issue(self, person: str, pin: str, recorder: str, *, address: str) -> Ticket | None:
        """A ticket for whoever is this person; ``None`` where he is not. ``NotAllowed`` after too many tries."""
        now = self._house.clock.now()
        proven = self._web.identify == "pin"
        known = await self._house.asker.ask(lambda ledger: ledger.matter(Person, person))
        accounts = self._house.accounts
        if proven:  # asked also of nobody: how long an answer takes must not tell who works here
            is_right = await accounts.verify_pin(person, pin, now, address=address)
        else:
            accounts.tries.spend("pin", person, address, now)
            is_right = True
        if known is None or not known.may_act_as(OFFICER) or not is_right:
            return None
        if not proven:
            accounts.tries.worked("pin", person, address)
        made = Ticket(
            value=secrets.token_urlsafe(16),
            person=known.id,
            name=known.name,
            recorder=recorder,
            until=now + TICKET_FOR,
            proven=proven,
        )
        self._held = {value: told for value, told in self._held.items() if told.until > now}
        while len(self._held) >= TICKETS:
            self._held.pop(next(iter(self._held)))
        self._held[made.value] = made
        return made

    def find(self, value: str) -> Ticket | None:
        """The ticket, if it still holds."""
        told = self._held.get(value)
        return told if told is not None and told.until > self._house.clock.now() else None
