"""Brings a recording here to be looked at that only a central storage elsewhere has: compared whole, and never named.

The copy loses its name before it is given away: when the last descriptor is closed, or the station dies, it is gone.
"""

import asyncio
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from io import FileIO

from bwcdock import durable
from bwcdock.core.record import Held, Record
from bwcdock.core.refusal import because
from bwcdock.errors import BwcdockError, Misused, Unreachable, Untrue
from bwcdock.lanes import Crew, moved
from bwcdock.papers.export.copying import carried
from bwcdock.ports import Gives, Opens
from bwcdock.reading import opened
from bwcdock.steps.bench import Bench

OP = "view"

VIEWING = "viewing"
"""In the spool: what is being brought. Its reserve is kept, and what a power cut left is removed at the start."""

FETCHERS = 2
"""Recordings that are brought at the same time: the line belongs to what is pushed."""

WAIT_S = 10.0
"""How long somebody waits for one before he is told how far it is: the line itself waits for thirty."""


@dataclass(slots=True)
class _Coming:
    """One recording on its way, or here: ``file`` answers where it came from, and its bytes."""

    size: int
    used_at: float
    done: int = 0
    file: "asyncio.Future[tuple[FileIO, str]]" = field(init=False)


def elsewhere(bench: Bench, record: Record) -> list[Held]:
    """The copies that lie in no file system of this machine, and can be had whole."""
    held = [held for held in record.held if held.sink in record.copies and held.sink in bench.sinks]
    sinks = bench.sinks
    return [one for one in held if isinstance(sinks[one.sink], Gives) and not isinstance(sinks[one.sink], Opens)]


class Fetching:
    """What was brought here, and is kept as long as a viewing lasts. Use from one event loop."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        settings = bench.settings
        limit_s, spare = settings.push.call_timeout_s, settings.limits.hung_calls
        self._crew = Crew("what is brought to be viewed", FETCHERS, limit_s=limit_s, spare=spare)
        self._coming: dict[str, _Coming] = {}
        folder = settings.paths.spool / VIEWING
        for path in folder.iterdir() if folder.is_dir() else ():
            durable.discard(path)

    async def open(self, record: Record) -> tuple[FileIO, str]:
        """The sealed bytes, open for reading, and the place they came from.

        Raises ``Unreachable`` while they are still coming: whoever asks again finds them further, or here.
        """
        self._forget()
        coming = self._coming.get(record.id) or self._begin(record)
        await asyncio.wait({coming.file}, timeout=WAIT_S)
        if not coming.file.done():
            what = f"Recording {record.id[:12]} is on its way here: {coming.done} of {coming.size} bytes."
            percent = 100 * coming.done // max(coming.size, 1)
            why = because("view.coming", what, record=record.id, percent=percent)
            raise Unreachable(OP, why, "Ask again in a moment; nothing was entered.")
        try:
            file, place = coming.file.result()
        except BaseException:
            self._coming.pop(record.id, None)
            raise
        coming.used_at = self._bench.clock.monotonic()
        # A descriptor of its own, with its own place in the file: several may look at the same time.
        return FileIO(f"/proc/self/fd/{file.fileno()}", "rb"), place

    def close(self) -> None:
        """Bring nothing more, and let go of what is here."""
        for record in list(self._coming):
            self._drop(record)
        self._crew.close()

    def _begin(self, record: Record) -> _Coming:
        settings = self._bench.settings.web
        if record.item.size > settings.viewing_fetch:
            what = f"Recording {record.id[:12]} is too large to be brought here for a look."
            why = because("view.large", what, record=record.id)
            raise Misused(OP, why, "Export it under a request for a copy.")
        if len(self._coming) >= settings.viewings_at_once:
            here = [name for name, one in self._coming.items() if one.file.done()]
            if not here:
                why = because("view.busy", "Too many recordings are on their way here.", count=len(self._coming))
                raise Misused(OP, why, "Wait until one of them is here.")
            self._drop(min(here, key=lambda name: self._coming[name].used_at))
        coming = self._coming[record.id] = _Coming(size=record.item.size, used_at=self._bench.clock.monotonic())

        def pace(size: int) -> None:
            coming.done = min(coming.size, coming.done + size)
            moved()

        coming.file = asyncio.ensure_future(self._crew.call(fetch, self._bench, record, pace))
        return coming

    def _forget(self) -> None:
        """What nobody has asked for as long as a viewing lasts goes: its room belongs to recorders."""
        oldest = self._bench.clock.monotonic() - self._bench.settings.web.viewing_s
        for name, one in list(self._coming.items()):
            if one.file.done() and one.used_at < oldest:
                self._drop(name)

    def _drop(self, name: str) -> None:
        one = self._coming.pop(name)
        if not one.file.done():
            one.file.cancel()
        elif not one.file.cancelled() and one.file.exception() is None:
            one.file.result()[0].close()


def fetch(bench: Bench, record: Record, pace: Callable[[int], None]) -> tuple[FileIO, str]:
    """Bring it from the first place that gives the sealed bytes. Blocks: for a lane that looks for signs of life."""
    assert record.digests is not None
    room = bench.spool.room()
    if room.free - room.reserve < record.item.size:
        why = because("view.room", f"There is no room here for recording {record.id[:12]}.", record=record.id)
        raise Unreachable(OP, why, "Let central storage catch up, or export it to a disk.")
    folder = bench.settings.paths.spool / VIEWING
    durable.make_dirs(folder)
    problems: list[BwcdockError] = []
    for held in elsewhere(bench, record):
        sink = bench.sinks[held.sink]
        assert isinstance(sink, Gives)
        target = folder / f"{record.id}.{secrets.token_hex(4)}"
        try:
            carried(partial(sink.give, held.key), target, record.digests, record.item.size, pace, held.sink)
        except (Unreachable, Untrue) as error:
            problems.append(error)
            continue
        except OSError as error:
            why = because("view.unreadable", f"The spool cannot be written: {os.strerror(error.errno or 0)}.")
            raise Unreachable(OP, why, "Check the spool's disk.") from error
        file = opened(target)
        durable.discard(target)
        return file, held.sink
    raise problems[-1]
