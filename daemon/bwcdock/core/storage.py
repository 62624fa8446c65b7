"""What is said of a whole central storage to people and machines."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrubView:
    """What was last read again in a central storage: how many recordings, their bytes, and how many were bad."""

    at: datetime
    files: int
    bytes: int
    bad: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreView:
    """A central storage: what is sealed and not confirmed there, since when, and whether it takes anything now.

    ``ails`` is the findings' word for why it cannot be used ("down", "hung", "full", "credentials", "clock"), empty
    where none is told; ``opens`` when its hours begin, ``None`` within them.
    """

    name: str
    waiting: int
    bytes: int
    oldest: datetime | None = None
    ails: str = ""
    opens: datetime | None = None
    scrubbed: ScrubView | None = None
