"""Follows the station's ledger and tells the catalogue: what is away meanwhile is caught up with."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from bwcdock.catalogue import versions, writing
from bwcdock.catalogue.agreeing import Sighting
from bwcdock.catalogue.store import Catalogue
from bwcdock.catalogue.telling import Teller, Told
from bwcdock.catalogue.writing import HoldLine, Moved, Station
from bwcdock.errors import BwcdockError, LedgerBroken
from bwcdock.lanes import Lane
from bwcdock.ledger import Reader, open_read_only
from bwcdock.ports import Clock

log = structlog.get_logger()

T = TypeVar("T")

PATIENCE_S = 60.0
"""How long a reading of the ledger may take: some hundred recordings, and those a statement concerns."""

ASK_AGAIN_S = 60.0
"""Without anything new the catalogue is asked this often where it stands: somebody may have made it anew."""


class Follower:
    """Tells one catalogue of one station. Reads the ledger on a lane of its own; holds nothing up and writes no fact.

    The position stands in the catalogue itself, in the transaction of what was told up to it. If it dies anywhere, the
    last telling is told again, which changes nothing.
    """

    def __init__(
        self, ledger: Path, catalogue: Catalogue, clock: Clock, *, who: Station, teller: Teller, batch: int
    ) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._who = who
        self._teller = teller
        self._batch = batch
        self._book = _Book(ledger)
        self._lane = Lane("follows", last=self._book.close)
        self._is_current = False
        self._told_up_to = -1
        self._asked_at = clock.monotonic() - ASK_AGAIN_S

    def close(self) -> None:
        """Follow no more."""
        self._lane.close()

    async def once(self) -> bool:
        """Tell what is new, at most a batch of entries; whether there was any.

        Raises ``Unreachable`` where the catalogue cannot be used, ``LedgerBroken`` where the ledger cannot, and
        ``Misused`` where catalogue and station do not belong together.
        """
        idle = self._clock.monotonic() - self._asked_at < ASK_AGAIN_S
        size = await self._lane.call(self._book.ask, lambda ledger: ledger.size, timeout_s=PATIENCE_S)
        if idle and size == self._told_up_to:
            return False
        was = await self._catalogue.run(self._position)
        self._asked_at = self._clock.monotonic()
        if was > size:
            what = f"The catalogue knows {was} entries of {self._who.origin}, and its ledger has {size}."
            raise LedgerBroken("follow the ledger", what, "An older copy of the ledger was put in its place: audit it.")
        told = await self._lane.call(self._book.ask, self._read(was), timeout_s=PATIENCE_S)
        if told.at is not None:
            with suppress(Moved):
                await self._write(told)
                self._told_up_to = told.seq
            return True
        self._told_up_to = told.seq
        return False

    def _position(self, db: Connection) -> int:
        if not self._is_current:
            versions.must_be_current(db)
            self._is_current = True
        return writing.position(db, self._who)

    def _read(self, start: int) -> Callable[[Reader], Told]:
        return lambda ledger: self._teller.told(ledger, start, self._batch)

    async def _write(self, told: Told) -> None:
        """In pieces where a statement concerns very many; the position comes with the last of them."""
        left = iter(told.sightings)
        while len(piece := list(islice(left, self._batch))) == self._batch:
            await self._catalogue.run(partial(_put, piece=piece, holds=()))
        await self._catalogue.run(partial(self._put_last, piece=piece, told=told))

    def _put_last(self, db: Connection, piece: Sequence[Sighting], told: Told) -> None:
        assert told.at is not None
        _put(db, piece, told.holds)
        writing.settle(db, self._who, told.start, told.seq, told.at)

    async def follow(
        self, stop: asyncio.Event, *, every_s: float, backoff_max_s: float, say: Callable[[str], None]
    ) -> None:
        """Until told to stop. ``say`` hears what is going on; nothing ends it but a fault of the program."""
        wait_s, away = every_s, ""
        while not stop.is_set():
            try:
                is_new = await self.once()
            except BwcdockError as error:
                self._is_current = False
                wait_s = min(2 * wait_s, backoff_max_s) if away else every_s
                if away != error.what:
                    log.warning("catalogue.waits", what=error.what, hint=error.hint)
                away = error.what
                say(f"waits: {error.what}")
            else:
                if away:
                    log.info("catalogue.goes_on", told=self._told_up_to)
                wait_s, away = 0.0 if is_new else every_s, ""
                say(f"told {self._told_up_to} entries")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait_s)


class _Book:
    """The ledger as the lane's thread has it open; opened when first asked and again after it failed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: Reader | None = None

    def ask(self, question: Callable[[Reader], T]) -> T:
        if self._reader is None:
            self._reader = open_read_only(self._path)
        try:
            return question(self._reader)
        except LedgerBroken:
            self.close()
            raise

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _put(db: Connection, piece: Sequence[Sighting], holds: Sequence[HoldLine]) -> None:
    writing.take(db, piece, holds)
    writing.recount(db, writing.days_of(piece))
