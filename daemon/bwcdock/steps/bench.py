"""What every step works with: the book, the spool, the sinks, the law and the clock, put together once."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from bwcdock.core.calendar import Calendar
from bwcdock.core.retention import Keep
from bwcdock.core.rules import RulePack
from bwcdock.ledger import Signer
from bwcdock.meters import Meters
from bwcdock.ports import Clock, Locks, Sink
from bwcdock.settings import S3Sink, Settings
from bwcdock.spool import Spool
from bwcdock.steps.book import Book
from bwcdock.steps.witness import Witness

Changed = Callable[[], AbstractContextManager[None]]
"""Entered for as long as something is written to a recorder, so that whoever stands before it is told to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The rooms a step may touch. ``book`` is the only way from a step into the ledger.

    ``station_clock`` gives the kernel's word on the station's own clock; ``receipts`` is where receipts are kept;
    ``meters`` counts what only this process sees.
    """

    settings: Settings
    clock: Clock
    book: Book
    spool: Spool
    sinks: Mapping[str, Sink]
    layouts: Mapping[str, str]
    pack: RulePack
    calendar: Calendar
    signer: Signer
    witnesses: Mapping[str, Witness]
    station_clock: Callable[[], str]
    receipts: Path
    meters: Meters = field(default_factory=Meters)

    @property
    def owed_sinks(self) -> tuple[str, ...]:
        """The sinks every new obligation names."""
        return tuple(self.sinks)

    @property
    def locking(self) -> frozenset[str]:
        """The sinks that can lock what they hold, and are to."""
        return locking_of(self.settings, self.sinks)

    @property
    def keep(self) -> Keep:
        """How long the spool keeps what central storage has, and how much of the ledger it is known to have seen.

        Which records are held is the ledger's to say; whoever judges one asks it.
        """
        spool = self.settings.spool
        return Keep(
            second_look_after_s=int(spool.second_look_after_s),
            spool_keep_s=int(spool.keep_after_confirm_s),
            witnessed=max((witness.size for witness in self.witnesses.values()), default=0),
            locking=self.locking,
        )


def locking_of(settings: Settings, sinks: Mapping[str, Sink]) -> frozenset[str]:
    """Those of ``sinks`` that can lock what they hold, and are to."""
    off = {each.name for each in settings.sink if isinstance(each, S3Sink) and not each.lock}
    return frozenset(name for name, sink in sinks.items() if isinstance(sink, Locks)) - off
