"""Who is asking: read from the connection, the cookie or the token of a request, once a request."""

from ipaddress import ip_address, ip_network

from starlette.requests import HTTPConnection

from bwcdock.core.desk.people import Person
from bwcdock.web.house import House
from bwcdock.web.policy import NOBODY, Caller

COOKIE = "__Host-bwcdock"
"""Sent over TLS to this host alone (RFC 6265bis, 4.1.3.2)."""


async def caller_of(request: HTTPConnection, house: House) -> Caller:
    """Whoever signed in and still works here in that role; else a screen of the station, or nobody.

    Asked at every request: who left, or lost a role, is out at once.
    """
    if request.url.scheme == "https" and (cookie := request.cookies.get(COOKIE)):
        found = house.accounts.session(cookie, house.clock.now())
        if found is not None:
            person = await house.asker.ask(lambda ledger: ledger.matter(Person, found.person))
            if person is not None and person.may_act_as(found.role):
                return Caller(
                    kind="person",
                    person=person.id,
                    name=person.name,
                    role=found.role,
                    second=found.second,
                    csrf=found.csrf,
                )
            house.accounts.end(cookie)
    return Caller(kind="screen") if _is_screen(request, house) else NOBODY


def _is_screen(request: HTTPConnection, house: House) -> bool:
    if request.client is None:
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    return any(address in ip_network(network) for network in house.settings.web.screens)
