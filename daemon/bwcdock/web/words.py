"""The languages of the pages: gettext catalogues, read from their sources when the pages start."""

import gettext
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final, Literal

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

Language = Literal["zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")


def N_(text: str) -> str:  # noqa: N802  (the name by which gettext's tools know it)
    """Mark a text that is said somewhere else, so that it is found with all others."""
    return text


@cache
def translations(language: Language) -> gettext.NullTranslations:
    """What the pages say in this language. English is what stands in the source."""
    if language == "en":
        return gettext.NullTranslations()
    whole = catalogue(language)
    compiled = BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def catalogue(language: Language) -> Catalog:
    """All catalogues of a language as one: a file for each part of the pages, so that none grows out of hand."""
    whole = Catalog(locale=language)
    for part in sorted(files("bwcdock.web").joinpath("locale", language).iterdir(), key=lambda path: path.name):
        if part.name.endswith(".po"):
            with part.open("rb") as source:
                for message in read_po(source, locale=language):
                    if message.id:
                        whole[message.id] = message
    return whole


def chosen(*asked: str | None, otherwise: Language) -> Language:
    """The first of what was asked for that is a language of the pages."""
    return next((language for each in asked for language in LANGUAGES if each == language), otherwise)
