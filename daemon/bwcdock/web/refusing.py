"""How a page says that something is refused: in the language it is read in, whoever refused it."""

from typing import NamedTuple

from bwcdock.core.desk.people import roles_of
from bwcdock.core.refusal import Refusal
from bwcdock.desk import refusing
from bwcdock.errors import BwcdockError
from bwcdock.web.house import House
from bwcdock.web.words import Language, translations


class Told(NamedTuple):
    """What it is and what to do. ``english`` is what was said of it, where the words of the page say less."""

    what: str
    do: str = ""
    english: str = ""


def told(why: BwcdockError | Refusal | str, language: Language, house: House) -> Told:
    """The refusal in this language: a text of the pages by its catalogue, what the station refuses by its code."""
    what, hint = (why, "") if isinstance(why, str) else (why.what, getattr(why, "hint", ""))
    if language == "en":
        return Told(what, hint)
    say = translations(language).gettext
    if isinstance(why, str) or say(what) != what:
        return Told(say(what), say(hint) if hint and say(hint) != hint else "")
    roles = {term.id: term.label for term in roles_of(house.law.pack)}
    if isinstance(why, Refusal):
        words = refusing.refused(why, zone=house.zone, roles=roles)
        return Told(words.what, words.do) if words else Told(what)
    words, is_all = refusing.error(why, zone=house.zone, roles=roles)
    return Told(words.what, words.do, "" if is_all else f"{what} {hint}".strip())
