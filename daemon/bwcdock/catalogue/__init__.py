"""The shared catalogue: an index over all docks of a bureau, made of what stations say; never the truth."""

from bwcdock.catalogue.agreeing import Agreed, Copy, Known, Sighting, Source, agree, join
from bwcdock.catalogue.searching import Found, Page, Sought
from bwcdock.catalogue.store import Catalogue, Place, of

__all__ = [
    "Agreed",
    "Catalogue",
    "Copy",
    "Found",
    "Known",
    "Page",
    "Place",
    "Sighting",
    "Sought",
    "Source",
    "agree",
    "join",
    "of",
]
