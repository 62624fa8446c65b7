"""What a station at work does with what it is asked over the line, verb by verb."""

import os
from collections.abc import Awaitable, Callable
from io import FileIO
from typing import Any

from bwcdock import __version__
from bwcdock.core.facts import Actor
from bwcdock.core.record import Record
from bwcdock.desk import viewing
from bwcdock.desk.acts import Act, UseAccess
from bwcdock.desk.doing import Done
from bwcdock.desk.exports import Doing, Exports
from bwcdock.desk.fetching import Fetching, elsewhere
from bwcdock.desk.handing import Stores
from bwcdock.desk.room import Room
from bwcdock.desk.verbs import Alive, Fetch, Fetched, Opened, View
from bwcdock.desk.who import must_have_exported
from bwcdock.errors import Unreachable, Untrue
from bwcdock.lanes import Crew
from bwcdock.steps.bench import Bench

OPENING_S = 15.0
"""How long it may take to open a file: longer, and the share it lies on hangs."""

OPENERS = 2
"""Threads that open files: one that waits for a share that hangs holds nobody up who looks at the spool."""

Asking = Callable[..., Awaitable[Any]]
"""Puts a question to the ledger, on the lane that talks to it."""


class Answers:
    """The verbs of one station. Use from its event loop."""

    def __init__(self, bench: Bench, asking: Asking, doing: Doing, stores: Callable[[], Stores]) -> None:
        self._bench = bench
        self._asking = asking
        self._doing = doing
        spare = bench.settings.limits.hung_calls
        self._openers = Crew("what is viewed", OPENERS, limit_s=OPENING_S, spare=spare)
        self._fetching = Fetching(bench)
        self.exports = Exports(bench, stores, doing)

    def hello(self) -> Alive:
        """That it is at work."""
        return Alive(station=self._bench.settings.station.name, version=__version__, pid=os.getpid())

    async def act(self, act: Act, actor: Actor) -> Done:
        """Do an act."""
        return await self._doing(act, actor)

    async def view(self, asked: View) -> Opened:
        """Judge the request, open what it lets be seen, enter the register's line, and only then give it away.

        It is opened first, so that no line tells of a viewing that a share which is away made impossible; no byte is
        read, but where it lies in no file system of this machine and is brought here whole before. Dying after the line
        leaves a line and no viewing, never the other way.
        """
        record = await self._asking(self._bench.book.ask, lambda ledger: viewing.allowed(ledger, asked))
        file, place = await self._opened(record)
        try:
            line = UseAccess(request=asked.request, how="viewed", who=asked.who, copies=0, note=f"view {record.id}")
            done = await self._doing(line, Actor(name=asked.name, role=asked.role))
        except BaseException:
            file.close()
            raise
        return Opened(answer=viewing.told(record, done.entries[0], place), file=file)

    async def _opened(self, record: Record) -> tuple[FileIO, str]:
        try:
            return await self._openers.call(viewing.open_sealed, self._bench, record)
        except (Unreachable, Untrue):
            if not elsewhere(self._bench, record):
                raise
        return await self._fetching.open(record)

    async def fetch(self, asked: Fetch) -> Opened:
        """Give away what was exported: to whoever made it, or an auditor."""
        actor, book = Actor(name=asked.name, role=asked.role), self._bench.book
        await self._asking(
            book.ask,
            lambda ledger: must_have_exported(
                asked.export, Room(bench=self._bench, ledger=ledger, at=book.now(), actor=actor)
            ),
        )
        file = await self._openers.call(self.exports.image, asked.export)
        return Opened(answer=Fetched(export=asked.export, size=os.fstat(file.fileno()).st_size), file=file)

    def close(self) -> None:
        """Begin nothing more."""
        self._openers.close()
        self._fetching.close()
        self.exports.close()
