"""Where a catalogue is: a PostgreSQL that docks share, or a file of one dock's own; asked and written on one way.

Everything that is done to a catalogue is a plain function of a SQLAlchemy connection. On PostgreSQL it runs in the
loop, over psycopg's asynchronous connections; on SQLite on a lane. Each runs in one transaction of its own.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bwcdock.errors import Ailment, Misused, Unreachable
from bwcdock.lanes import Lane
from bwcdock.settings import Settings

T = TypeVar("T")

NAME = "catalogue"
"""What it is called where an error names who is away."""

DRIVER = "postgresql+psycopg"

_AILMENTS: dict[str, Ailment] = {"28": "credentials", "42501": "credentials", "53": "full"}
"""SQLSTATE, or its class: invalid authorisation, no privilege, no resources (disk full, too many connections)."""

_HINTS: dict[Ailment, str] = {
    "away": "Look at the database and the network to it; the station works on, and the catalogue catches up by itself.",
    "credentials": "Give the account of [catalogue] url what docs/catalogue.md lists, or mend its password.",
    "full": "Make room in the database, or let it take more connections; the catalogue catches up by itself.",
    "clock": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which database it is, and how long anything there may take. ``url`` holds a password, and is never shown."""

    url: URL
    connect_timeout_s: float = 10.0
    statement_timeout_s: float = 30.0

    @property
    def patience_s(self) -> float:
        """How long a whole transaction may take: many statements, of which none may hang."""
        return self.connect_timeout_s + 10 * self.statement_timeout_s

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)


def of(settings: Settings) -> Place:
    """The catalogue of the settings; ``Misused`` where they name none, or none that can be used."""
    chosen = settings.catalogue
    if chosen.url is not None:
        url = parsed(chosen.url.read())
    elif chosen.file is not None:
        url = URL.create("sqlite", database=str(chosen.file))
    else:
        what = "The settings name no catalogue."
        raise Misused("open the catalogue", what, "Write [catalogue] url or file; docs/catalogue.md tells which.")
    return Place(url=url, connect_timeout_s=chosen.connect_timeout_s, statement_timeout_s=chosen.statement_timeout_s)


def parsed(told: str) -> URL:
    """The address of a PostgreSQL; ``Misused`` where it is none. It is secret, and not repeated."""
    hint = "Write postgresql+psycopg://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full."
    try:
        url = make_url(told)
    except (ArgumentError, ValueError) as error:
        raise Misused("open the catalogue", "[catalogue] url is no address of a database.", hint) from error
    if url.drivername not in {DRIVER, "postgresql"}:
        raise Misused("open the catalogue", f"[catalogue] url does not begin with {DRIVER}://.", hint)
    return url.set(drivername=DRIVER)


class _Way(Protocol):
    """How functions of a connection are run."""

    def run(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        """In one transaction."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


class Catalogue:
    """An open catalogue. ``run`` raises ``Unreachable`` where the database is away, refuses, or takes too long."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._way: _Way = _Shared(place) if place.url.drivername == DRIVER else _Embedded(place)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` answers, in one transaction: all of it, or nothing."""
        with _told():
            async with asyncio.timeout(self.place.patience_s):
                return await self._way.run(work)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._way.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _Shared:
    """PostgreSQL. A connection that hangs is given up by the timeouts of the statement and of the line beneath it."""

    def __init__(self, place: Place) -> None:
        self._place = place
        # A dead line is noticed by TCP before the transaction's own patience ends; two connections: one may be ending.
        line = {"tcp_user_timeout": int(place.statement_timeout_s * 1000), "keepalives_idle": 30}
        given = {"connect_timeout": max(2, int(place.connect_timeout_s)), "application_name": "bwcdock", **line}
        self._engine: AsyncEngine = create_async_engine(
            place.url,
            connect_args=given,
            pool_size=2,
            max_overflow=0,
            pool_timeout=place.connect_timeout_s,
            pool_pre_ping=True,
            pool_recycle=600,
        )

    async def run(self, work: Callable[[Connection], T]) -> T:
        limit_ms = int(self._place.statement_timeout_s * 1000)

        def limited(db: Connection) -> T:
            # Of this transaction alone: a pooler in between may give the connection to somebody else afterwards.
            db.execute(text("SELECT set_config('statement_timeout', :ms, true)"), {"ms": str(limit_ms)})
            return work(db)

        async with self._engine.begin() as db:
            return await db.run_sync(limited)

    async def close(self) -> None:
        await self._engine.dispose()


class _Embedded:
    """SQLite, on a lane of its own: one call at a time."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._engine = embedded(place)
        self._lane = Lane(NAME, last=self._engine.dispose)

    async def run(self, work: Callable[[Connection], T]) -> T:
        def transact() -> T:
            with self._engine.begin() as db:
                return work(db)

        return await self._lane.call(transact, timeout_s=self._place.patience_s)

    async def close(self) -> None:
        await self._lane.call(self._engine.dispose, timeout_s=self._place.patience_s)
        self._lane.close()


def embedded(place: Place) -> Engine:
    """SQLite's engine: the write-ahead log, so that whoever searches reads on while the follower writes.

    Nothing here must last: what a power cut takes is said again by the station.
    """
    engine = create_engine(place.url, connect_args={"timeout": place.statement_timeout_s, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _opened(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun below: sqlite3 would begin them too late
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def _begun(db: Connection) -> None:
        # At once for writing: what is read first is then what is written upon.
        db.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def must_have_a_folder(place: Place) -> None:
    """``Misused`` where the folder of a SQLite catalogue is not there: it is never made by guessing."""
    if place.url.drivername == "sqlite" and not Path(place.url.database or "").parent.is_dir():
        what = f"The folder of {place.url.database} is not there."
        raise Misused("open the catalogue", what, "Make it, for the user the catalogue runs as.")


@contextmanager
def _told() -> Iterator[None]:
    """Everything a database says, in the words of the program; never its address, which holds a password."""
    op = "use the catalogue"
    try:
        yield
    except (PoolTimeout, TimeoutError) as error:
        raise Unreachable(op, "The catalogue does not answer in time.", _HINTS["away"], NAME) from error
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None)
        state = getattr(cause, "sqlstate", None) or ""
        ailment = _AILMENTS.get(state) or _AILMENTS.get(state[:2], "away")
        said = str(cause or error).strip().splitlines()
        what = f"The catalogue cannot be used: {said[0] if said else type(error).__name__}"
        raise Unreachable(op, f"{what.rstrip('.')}.", _HINTS[ailment], NAME, ailment=ailment) from error
