"""What every page works with, put together once by :mod:`bwcdock.app`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from bwcdock.desk.asking import Law
from bwcdock.desk.register import Kept
from bwcdock.ledger import Reader
from bwcdock.papers.source import Source
from bwcdock.ports import Clock
from bwcdock.settings import Settings
from bwcdock.web.accounts import Accounts
from bwcdock.web.asker import Asker
from bwcdock.web.hands import Hands


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Settings, law and clock of the station; its ledger, for asking; and who may sign in.

    ``register`` is whose everything is, kept between two questions. ``ends`` are called at the end, by rooms that have
    something open; ``endless`` before it, by those whose answers would go on for ever.

    The pages have no key, no footage and no way to write: what people do goes over the desk's line to the daemon.
    """

    settings: Settings
    law: Law
    clock: Clock
    asker: Asker
    hands: Hands
    accounts: Accounts
    papers: Callable[[Reader, datetime], Source]
    register: Kept = field(default_factory=Kept)
    ends: list[Callable[[], object]] = field(default_factory=list)
    endless: list[Callable[[], object]] = field(default_factory=list)

    @property
    def zone(self) -> ZoneInfo:
        """The station's time zone, in which people read times."""
        return ZoneInfo(self.settings.station.zone)

    def part(self) -> None:
        """Answers that would never end are ended: what is waited for after this is what people are being sent."""
        for end in self.endless:
            end()

    def close(self) -> None:
        """Let go of ledger and accounts, and of what the rooms have open."""
        for end in list(self.ends):
            end()
        self.asker.close()
        self.hands.close()
        self.accounts.close()
