"""The menu of the desk: every page with its place, so that nobody is shown a door that is shut to him."""

from collections.abc import Callable
from typing import Final

from bwcdock.web.policy import Place
from bwcdock.web.words import N_

MENU: Final = (
    (
        N_("Today"),
        (
            ("/desk", N_("To do"), Place.HOME),
            ("/desk/owes", N_("Who owes what"), Place.OWES),
            ("/desk/waiting", N_("Waiting"), Place.WAITING),
            ("/desk/issue", N_("Issue and return"), Place.RECORDERS),
        ),
    ),
    (
        N_("Footage"),
        (("/desk/records", N_("Find recordings"), Place.RECORDS),),
    ),
    (
        N_("Unit"),
        (
            ("/desk/recorders", N_("Recorders"), Place.RECORDERS),
            ("/desk/people", N_("People"), Place.PEOPLE),
            ("/sign-ins", N_("Who may sign in"), Place.SIGN_INS),
            ("/desk/equipment", N_("Equipment"), Place.EQUIPMENT),
        ),
    ),
    (
        N_("Keeping"),
        (
            ("/desk/cases", N_("Cases"), Place.CASES),
            ("/desk/unbound", N_("Footage bound to no case"), Place.CASES),
            ("/desk/holds", N_("Holds"), Place.HOLDS),
            ("/desk/expiry", N_("End of keeping"), Place.EXPIRY),
        ),
    ),
    (
        N_("Viewing and copying"),
        (
            ("/desk/access", N_("Access requests"), Place.ACCESS),
            ("/desk/register", N_("Access register"), Place.REGISTER),
        ),
    ),
    (
        N_("Supervision"),
        (
            ("/desk/checks", N_("Spot checks"), Place.CHECKS),
            ("/desk/handovers", N_("Handovers"), Place.PEOPLE),
            ("/desk/papers", N_("Papers"), Place.PAPERS),
            ("/desk/coverage", N_("How the regulation is met"), Place.COVERAGE),
        ),
    ),
    (
        N_("Station"),
        (
            ("/desk/station", N_("Health of the station"), Place.STATION),
            ("/desk/ledger", N_("Ledger"), Place.LEDGER),
        ),
    ),
)
"""Headings, and under each the address, the name (a msgid) and the place of its pages."""


def menu(can: Callable[[Place], bool], say: Callable[[str], str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The menu for whoever may go to these places, in his language."""
    made = [(say(title), [(href, say(name)) for href, name, place in links if can(place)]) for title, links in MENU]
    return [(title, links) for title, links in made if links]
