"""Shows what moves to whoever looks beside the station: one small file, made anew while anything changes.

It is no evidence, and failing costs nothing. What it costs a pull is bounded: a docking's view is made anew only when
something became known about it, and the bytes that move meanwhile are added to it.
"""

import asyncio
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from bwcdock import __version__, durable
from bwcdock.core.live import DueView, LiveView, MovingView, Pace, QueueView, RoomView, pressing, together
from bwcdock.core.record import Record, State
from bwcdock.core.session import Session
from bwcdock.core.view import SessionView, session_view, while_changed
from bwcdock.errors import BwcdockError
from bwcdock.lanes import own_lane
from bwcdock.ledger import Waits
from bwcdock.overview import LIVE, LIVE_NAME
from bwcdock.steps.bench import Bench
from bwcdock.steps.pull import Progress

MOVING_S = 0.4
"""How often the file is made anew while bytes move: twice that and the reading of it are under a second."""

STILL_S = 1.5
"""How often while nothing moves: its age tells of a station that no longer works."""

LEAST_S = 0.2
"""However much happens: a burst of facts is shown as one."""

ANEW_S = 10.0
"""How often a docking about which nothing new is known is judged again: deadlines come near by themselves."""

SHARE = 50
"""A docking's view is made anew no sooner than so many times what it took to make: of 10,000 files, after seconds."""

GONE_S = 75.0
"""How long what was taken away is still told of: the wall shows it for a minute."""

CLOCK_EVERY_S = 10.0
"""How often the kernel is asked about the clock."""


class Docked(Protocol):
    """A docking, as far as it is shown."""

    session: str

    @property
    def moving(self) -> Mapping[str, Progress]:
        """How far each pull in flight is, by record."""
        ...

    @property
    def changing(self) -> bool:
        """Whether something is being written to it."""
        ...


class Stands(Protocol):
    """How a central storage stands."""

    @property
    def up(self) -> bool | None:
        """Whether it answers; ``None`` before it was asked."""
        ...

    @property
    def ails(self) -> str | None:
        """Why it cannot be used, in a word; ``None`` where it can."""
        ...

    def opens(self, now: datetime) -> datetime:
        """``now`` within its hours, else when they begin."""
        ...


@dataclass(slots=True)
class _Told:
    """What is shown of one docking, when that was made, and what it took (seconds); ``news`` came since.

    ``done`` are bytes that no fact tells of, by record, and ``resumed`` those of them that were there before.
    """

    view: SessionView
    made_at: float = 0.0
    cost_s: float = 0.0
    news: bool = False
    due: tuple[DueView, ...] = ()
    done: dict[str, int] = field(default_factory=dict)
    resumed: dict[str, int] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)


@dataclass(slots=True)
class _Queue:
    """What waits for one central storage: size and the moment of sealing, by record, the oldest first."""

    waiting: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    size: int = 0
    up: bool | None = None
    since: datetime | None = None


class Showing:
    """The snapshot of a station at work. All methods belong to the event loop; writing has a lane of its own.

    ``docked`` says what is docked, ``session`` and ``records`` what is known of it, ``sinks`` how central storage
    stands by name, ``short`` what the next recording lacks in the spool.
    """

    def __init__(
        self,
        bench: Bench,
        *,
        docked: Callable[[], Iterable[Docked]],
        session: Callable[[str], Session | None],
        records: Callable[[], Mapping[str, Record]],
        sinks: Callable[[], Mapping[str, Stands]],
        short: Callable[[], int],
    ) -> None:
        self._bench = bench
        self._docked, self._session, self._records, self._asked, self._short = docked, session, records, sinks, short
        self._told: dict[str, _Told] = {}
        self._late: dict[str, dict[str, DueView]] = {}
        self._gone: dict[str, tuple[SessionView, float]] = {}
        self._queues = {name: _Queue() for name in bench.sinks}
        self._clock, self._clock_at = "", -CLOCK_EVERY_S
        self._started = bench.clock.now()
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lane = own_lane("show")

    # --- what becomes known -------------------------------------------------------------------------------------------

    def began(self, waiting: Iterable[Waits]) -> None:
        """So much waits for central storage from before, the longest sealed first."""
        for one in waiting:
            self._queue(one.record, one.size, one.sealed_at, one.sinks)

    def took(self, record: Record) -> None:
        """Something became known of a recording."""
        if record.sealed_at is not None:
            owed = record.owed_sinks if record.state in {State.SEALED, State.RELEASED} else ()
            self._queue(record.id, record.item.size, record.sealed_at, owed)
        for name in record.sessions:
            self._settle(name, record)  # also before the docking was ever shown: a quick one is through by then
            told = self._told.get(name)
            if told is not None:
                told.done.pop(record.id, None)
                told.news = True
                self._news.set()

    def changed(self, session: Session) -> None:
        """Something became known of a docking."""
        if session.departed_at is not None and session.id not in self._gone:
            mine = {rid: record for rid in session.records if (record := self._records().get(rid)) is not None}
            self._gone[session.id] = (session_view(session, mine, {}), self._bench.clock.monotonic())
        if session.id in self._told:
            self._told[session.id].news = True
        self._news.set()

    def hurry(self) -> None:
        """Show anew what no fact tells of. From any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended, and nobody is shown anything any more
                self._loop.call_soon_threadsafe(self._news.set)

    def _queue(self, record: str, size: int, sealed_at: datetime, owed: Collection[str]) -> None:
        for name, queue in self._queues.items():
            before = queue.waiting.get(record)
            if name in owed and before is None:
                queue.waiting[record] = (size, sealed_at)
                queue.size += size
            elif name not in owed and before is not None:
                queue.size -= queue.waiting.pop(record)[0]

    def _settle(self, session: str, record: Record) -> None:
        """Keep in mind what was late where the station itself forgets it: nothing of it is open any more."""
        one = pressing(record, self._bench.clock.now(), 0) if record.met_at is not None else None
        late = self._late.setdefault(session, {})
        if one is not None:
            late[record.id] = one
        else:
            late.pop(record.id, None)

    # --- what is shown ------------------------------------------------------------------------------------------------

    def view(self) -> LiveView:
        """What moves now."""
        now, at = self._bench.clock.now(), self._bench.clock.monotonic()
        sessions, moving = [], []
        here = set()
        for docking in self._docked():
            session = self._session(docking.session)
            if session is None or session.departed_at is not None:
                continue
            here.add(session.id)
            told = self._made(session, now, at)
            _note(told, docking.moving)
            view = replace(told.view, moved=min(told.view.bytes, told.view.moved + sum(told.done.values())))
            view = while_changed(view) if docking.changing else view
            told.pace.take(at, max(0, view.moved - sum(told.resumed.values())))
            left = view.bytes - view.moved
            sessions.append(view)
            moving.append(
                MovingView(
                    session=session.id,
                    bytes_s=told.pace.speed() if left else None,
                    seconds_left=told.pace.seconds_left(left),
                    due=told.due,
                )
            )
        self._forget(here, at)
        return LiveView(
            pid=os.getpid(),
            at=now,
            sessions=tuple(sessions),
            moving=tuple(moving),
            gone=tuple(view for view, _ in self._gone.values()),
            sinks=tuple(self._sinks(now)),
            spool=self._room(),
            clock=self._clock_word(at),
            version=__version__,
            started=self._started,
        )

    def _made(self, session: Session, now: datetime, at: float) -> _Told:
        told = self._told.get(session.id)
        if told is not None:
            age_s = at - told.made_at
            if age_s < ANEW_S and not (told.news and age_s >= told.cost_s * SHARE):
                return told
        begun = self._bench.clock.monotonic()
        mine = {rid: record for rid in session.records if (record := self._records().get(rid)) is not None}
        ratio = self._bench.settings.law.at_risk_ratio
        late = self._late.setdefault(session.id, {})
        open_ = (one for record in mine.values() if record.id not in late and (one := pressing(record, now, ratio)))
        view, due = session_view(session, mine, {}), together((*open_, *late.values()))
        told = self._told.setdefault(session.id, _Told(view=view))
        told.view, told.due, told.news, told.made_at = view, due, False, at
        told.cost_s = self._bench.clock.monotonic() - begun
        return told

    def _forget(self, here: set[str], at: float) -> None:
        for name in (self._told.keys() | self._late.keys()) - here:
            self._told.pop(name, None)
            self._late.pop(name, None)
        self._gone = {name: told for name, told in self._gone.items() if at - told[1] < GONE_S}

    def _sinks(self, now: datetime) -> Iterable[QueueView]:
        asked = self._asked()
        for name, queue in self._queues.items():
            stands = asked.get(name)
            up = stands.up if stands else None
            opens = stands.opens(now) if stands else now
            if up != queue.up:
                queue.up, queue.since = up, now
            oldest = next(iter(queue.waiting.values()), None)
            yield QueueView(
                name=name,
                up=up,
                since=queue.since,
                waiting=len(queue.waiting),
                bytes=queue.size,
                oldest=oldest[1] if oldest else None,
                ails=(stands and stands.ails) or "",
                opens=opens if opens > now else None,
            )

    def _room(self) -> RoomView | None:
        try:
            room = self._bench.spool.room()
        except BwcdockError:  # the loop itself tells of it
            return None
        return RoomView(free=room.free, total=room.total, reserve=room.reserve, short=self._short())

    def _clock_word(self, at: float) -> str:
        if at - self._clock_at >= CLOCK_EVERY_S:
            self._clock, self._clock_at = self._bench.station_clock(), at
        return self._clock

    # --- showing ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Publish until cancelled, by the clock of the people who look and not by the station's."""
        self._loop = asyncio.get_running_loop()
        path = self._bench.settings.paths.run / LIVE_NAME
        while True:
            self._news.clear()
            view = self.view()
            with suppress(OSError):
                await durable.publish_volatile(path, LIVE.dump_json(view), executor=self._lane)
            moves = any(told.bytes_s for told in view.moving)
            await asyncio.sleep(LEAST_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), (MOVING_S if moves else STILL_S) - LEAST_S)

    def close(self) -> None:
        """Show no more."""
        self._lane.close()


def _note(told: _Told, moving: Mapping[str, Progress]) -> None:
    """What is done of a file stays in mind after its pull has ended, until a fact tells of it."""
    for record, progress in moving.items():
        told.done[record] = progress.done
        told.resumed[record] = progress.resumed
