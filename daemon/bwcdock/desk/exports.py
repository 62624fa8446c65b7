"""Packages that were asked for over the line: made one at a time, kept until they were fetched, then gone.

A package is named by the entry of the ledger that is its line in the register, so that nothing else needs to remember
who made it. Dying in the middle leaves a line and no package; what was half made goes at the next start.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from io import FileIO
from pathlib import Path
from typing import Any

import structlog

from bwcdock import durable, durable_tree
from bwcdock.core.facts import Actor
from bwcdock.core.refusal import because
from bwcdock.desk.acts import Act
from bwcdock.desk.doing import Done
from bwcdock.desk.handing import Handed, Stores, hand_over
from bwcdock.desk.verbs import Export, Exported, Progress
from bwcdock.errors import BwcdockError, Misused
from bwcdock.lanes import own_lane
from bwcdock.papers.export import package
from bwcdock.reading import opened
from bwcdock.steps.bench import Bench

log = structlog.get_logger()

OP = "export"
SWEEP_EVERY_S = 3600.0

Doing = Callable[[Act, Actor], Coroutine[Any, Any, Done]]
"""Does an act and lets the station know of what changed."""


@dataclass(slots=True)
class Making:
    """A package in the making. Its thread writes ``done``, ``of`` and ``entry``; everybody else only looks."""

    done: int = 0
    of: int = 0
    entry: int | None = None

    def pace(self, size: int) -> None:
        """So many bytes more."""
        self.done += size

    def expect(self, size: int) -> None:
        """So many it will be."""
        self.of = size

    @property
    def progress(self) -> Progress:
        """How far it is: never further than its end, also where a bad copy was passed over."""
        return Progress(done=min(self.done, self.of), of=self.of, export=self.entry)


class Exports:
    """The packages of one station, in the directory of the settings. Use from its event loop."""

    def __init__(self, bench: Bench, stores: Callable[[], Stores], doing: Doing) -> None:
        self._bench = bench
        self._stores = stores
        self._doing = doing
        self._place = bench.settings.papers.exports
        self._lane = own_lane("export")
        self._making: Making | None = None

    def begin(self, asked: Export) -> tuple[Making, "asyncio.Future[Handed]"]:
        """Begin to make it, or refuse where another one is being made: two would only be slower than one.

        It is made to its end whoever goes on listening: the line in the register counts its copies.
        """
        if self._making is not None:
            why = because("export.busy", "Another package is being made.")
            raise Misused(OP, why, "Wait until it is finished; nothing was changed.")
        making = self._making = Making()
        ended = self._lane.submit(self._make, asked, making, asyncio.get_running_loop())
        ended.add_done_callback(self._ended)
        return making, ended

    def _ended(self, ended: "asyncio.Future[Handed]") -> None:
        self._making = None
        if not ended.cancelled() and (error := ended.exception()) is not None:
            log.warning("desk.export", what=str(error))

    async def sweep(self) -> None:
        """What is older than the settings let it be goes, and at first what died half way."""
        while True:
            try:
                await self._lane.submit(self._sweep)
            except (OSError, BwcdockError) as error:
                log.warning("desk.exports", what=str(error))
            await asyncio.sleep(SWEEP_EVERY_S)

    def close(self) -> None:
        """Make no more."""
        self._lane.close()

    # --- on the lane --------------------------------------------------------------------------------------------------

    def _make(self, asked: Export, making: Making, loop: asyncio.AbstractEventLoop) -> Handed:
        actor = Actor(name=asked.name, role=asked.role)

        def enter(act: Act) -> Done:
            return asyncio.run_coroutine_threadsafe(self._doing(act, actor), loop).result()

        def named(order: package.Order, entry: int) -> package.Order:
            making.entry = entry
            return replace(order, iso=self._path(entry))

        def expect(work: int) -> None:
            self._spare(work // 2)
            making.expect(work)

        self._ready()
        records = tuple(dict.fromkeys(asked.records))
        order = package.Order(
            records=records, iso=self._place / "new.iso", copies=asked.copies, fields=dict(asked.fields)
        )
        return hand_over(
            self._stores(), order, asked.request, actor, enter, named=named, expect=expect, pace=making.pace
        )

    def _ready(self) -> None:
        try:
            durable.make_dirs(self._place)
        except OSError as error:
            what = f"{self._place} cannot be made: {error.strerror}."
            why = because("export.no-place", what)
            raise BwcdockError(OP, why, "Correct [papers] exports in the settings.") from error

    def _spare(self, needed: int) -> None:
        """A package must not take what is kept back for recorders, where both lie on one disk."""
        spool = self._bench.settings.paths.spool
        if os.stat(spool).st_dev != os.stat(self._place).st_dev:
            return
        room = self._bench.spool.room()
        if room.free - needed < room.reserve:
            what = f"There is no room for a package of {needed} bytes beside what is kept back for recorders."
            hint = "Put [papers] exports on another disk, or export less at a time."
            raise BwcdockError(OP, because("export.no-room", what, size=needed), hint)

    def _sweep(self) -> None:
        if self._place.is_dir():
            keep = timedelta(seconds=self._bench.settings.papers.exports_keep_s)
            durable_tree.sweep(self._place, self._bench.clock.now() - keep)

    # --- what was made ------------------------------------------------------------------------------------------------

    def _path(self, entry: int) -> Path:
        return self._place / f"{entry}.iso"

    def image(self, entry: int) -> FileIO:
        """The image of a package that was made, open for reading. Blocks: for a lane."""
        try:
            return opened(self._path(entry))
        except FileNotFoundError as error:
            keep_days = self._bench.settings.papers.exports_keep_s / 86400
            what = f"Package {entry} is not here: it was not finished, or is older than {keep_days:g} days."
            why = because("export.gone", what, entry=entry, days=round(keep_days))
            raise Misused(OP, why, "Make it again under its request.") from error
        except OSError as error:
            why = because("export.unreadable", f"Package {entry} cannot be read: {error.strerror}.", entry=entry)
            raise BwcdockError(OP, why, "Check the disk.") from error


def told(handed: Handed) -> Exported:
    """What the asker is told of a package."""
    made = handed.made
    return Exported(
        export=handed.entry, files=made.files, size=made.size, digest=made.digest, disc=made.disc, notes=made.notes
    )
