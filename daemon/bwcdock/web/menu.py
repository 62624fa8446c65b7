"""The menu of the desk: every page with its place, so that nobody is shown a door that is shut to him."""

from collections.abc import Callable
from typing import Final

from bwcdock.web.policy import Place
from bwcdock.web.words import N_

MENU: Final = (
    (
        N_("Today"),
        (("/desk", N_("To do"), Place.HOME),),
    ),
)
"""Headings, and under each the address, the name (a msgid) and the place of its pages."""


def menu(can: Callable[[Place], bool], say: Callable[[str], str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The menu for whoever may go to these places, in his language."""
    made = [(say(title), [(href, say(name)) for href, name, place in links if can(place)]) for title, links in MENU]
    return [(title, links) for title, links in made if links]
