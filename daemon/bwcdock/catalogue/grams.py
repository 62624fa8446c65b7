"""What words are found by: pairs of characters, because a Chinese name has two, and no index of longer pieces finds it.

Every field has a letter, which stands before each of its pairs; a *token* is a whole word, found only as it is. A text
contains a word exactly where it contains all pairs of the word one after the other: the index finds where all of them
are, and a look at the text itself tells whether they follow one another.
"""

from collections.abc import Iterable
from itertools import pairwise

from bwcdock.catalogue.agreeing import Agreed
from bwcdock.errors import Misused
from bwcdock.ledger.searching import folded

PARTY, OFFICER, PLACE, EVENT, WORD = "p", "o", "l", "e", "w"
SINGLE = frozenset({PARTY, OFFICER})
"""Fields in which a single Chinese character is looked for: a family name."""

OFFICER_ID, TAG, CASE, UNIT, STATION = "xo", "xt", "xc", "xu", "xs"

LONGEST = 1000
"""Characters of one text that are looked at: a remark may be longer, and what is in it by then is said."""

_CHINESE = "⺀"
"""The first of the CJK radicals; what comes before it in Unicode is written in letters."""


def fields(agreed: Agreed) -> dict[str, tuple[str, ...]]:
    """The texts of each field as they are looked in, without regard to case."""
    officers = [word for officer in agreed.officers for word in (officer.id, officer.name)]
    said = (agreed.case, agreed.category, agreed.activity, agreed.note, agreed.recorder)
    texts = {
        PARTY: agreed.parties,
        OFFICER: (*officers, agreed.user),
        PLACE: (agreed.place,),
        EVENT: (agreed.event,),
        WORD: said,
    }
    return {letter: tuple(dict.fromkeys(_shortened(all_))) for letter, all_ in texts.items()}


def of(agreed: Agreed, texts: dict[str, tuple[str, ...]]) -> list[str]:
    """Everything the recording is found by, each once, in order."""
    found = {pair for letter, all_ in texts.items() for text in all_ for pair in _pairs(letter, text)}
    found |= {token(OFFICER_ID, officer.id) for officer in agreed.officers}
    found |= {token(OFFICER_ID, agreed.user)} if agreed.user else set()
    found |= {token(TAG, tag) for tag in agreed.tags} | {token(TAG, mark) for mark in agreed.sensitive}
    found |= {token(CASE, case) for case in agreed.case.split(" / ") if case}
    found |= {token(STATION, station) for station in agreed.stations}
    found.add(token(UNIT, agreed.unit))
    return sorted(found)


def sought(letter: str, word: str) -> list[str]:
    """What a text of this field must be found by to contain the word; ``Misused`` where the word is too short."""
    word = folded(plain(word))[:LONGEST]
    if len(word) < 2 and not (letter in SINGLE and word >= _CHINESE):
        raise Misused("search", f"{word!r} is too short to look for.", "Write at least two characters of it.")
    return sorted(_pairs(letter, word))


def token(kind: str, word: str) -> str:
    """A whole word as it is found."""
    return kind + folded(plain(word))


def plain(text: str) -> str:
    """The text with a blank for everything that cannot be printed: PostgreSQL takes no NUL, and nobody looks for one.

    What is shown is what was said; this is what it is found by.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def _pairs(letter: str, text: str) -> Iterable[str]:
    pairs = {letter + one + other for one, other in pairwise(text)}
    if letter in SINGLE:
        pairs |= {letter + one for one in text if one >= _CHINESE}
    return pairs


def _shortened(texts: Iterable[str]) -> Iterable[str]:
    return (folded(plain(text))[:LONGEST] for text in texts if text)
