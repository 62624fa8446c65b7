"""A whole station in a directory of a test, with its recorders, its central storage and its clock in the test's hands.

A test founds one, docks what it likes, lets the station work, and looks at what came of it: at the facts in the ledger
and the bytes on the disk, never at what the station holds in memory. :meth:`StationBed.audit` is the last word.
"""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from bwcdock import app, config, stores
from bwcdock.audit import AuditView, audit
from bwcdock.clock import Kernel, WallClock
from bwcdock.core.facts import Entry, Fact, Finding, Sighting
from bwcdock.core.record import Record
from bwcdock.core.session import Session
from bwcdock.ledger import Reader, open_read_only
from bwcdock.ports import Clock, Driver, Sink
from bwcdock.settings import Settings
from bwcdock.settings.sinks import folders
from bwcdock.spool import Spool
from bwcdock.station import Station
from bwcdock.steps.bench import Bench
from bwcdock.steps.witness import Witness
from bwcdock.testing.recorder import FakeDriver, FakeRecorder

F = TypeVar("F", bound=Fact)
T = TypeVar("T")

Overrides = Mapping[str, Mapping[str, object]]
"""Settings by table and name, as they would stand in the file."""

QUICK: Overrides = {
    "pull": {"chunk": "128 KiB", "retry_wait_s": 0.01},
    "push": {"backoff_first_s": 0.1, "backoff_max_s": 0.3},
    "limits": {"tick_s": 0.02},
    "ledger": {"checkpoint_every_s": 0.5},
    "sink": {"scrub_percent_a_day": 0.0},
}
"""What a test need not wait for, and what chance would do in one of its days and not in another's."""

PATIENCE_S = 60.0
"""How long a test waits for something that takes a fraction of a second on a machine that is not busy."""

SYNCHRONISED = Kernel(synchronised=True, estimated_error_us=1000, max_error_us=1000)
"""What a kernel with a time source says."""


def found(
    directory: Path, overrides: Overrides | None = None, *, now: datetime, rules: str = "S4-fuzhou", unit: str = "unit"
) -> Settings:
    """Found a station as `bwcdock init` does, change these settings in its file, and read the file."""
    path = app.found(directory, rules=rules, name="test-dock", unit=unit, now=now)
    text = path.read_text(encoding="utf-8")
    for table, values in (overrides or {}).items():
        for name, value in values.items():
            text = _set(text, table, name, value)
    path.write_text(text, encoding="utf-8")
    return config.load(path)


def _set(text: str, table: str, name: str, value: object) -> str:
    """The settings with one value changed, also one that is shown and off; each stands once below its table's head."""
    head = re.search(rf"(?m)^\[+{table}\]+$", text)
    assert head is not None, table
    line = re.compile(rf"(?m)^(# )?{name} = .*$")
    assert line.search(text, head.end()), f"{table}.{name}"
    return text[: head.end()] + line.sub(lambda _: f"{name} = {json.dumps(value)}", text[head.end() :], count=1)


class FakeWatch:
    """Shows the station every fake recorder that is plugged in, and whatever else lies in ``others`` by port."""

    def __init__(self, driver: FakeDriver) -> None:
        self.hint = asyncio.Event()
        self.others: dict[str, Sighting] = {}
        self.awaited: set[str] = set()
        """Ports of ``others`` whose device is gone, and may come back as a disk."""
        self.hangs: threading.Event | None = None
        """While this is there and not set, a look does not return: a drop folder on a share that went away."""
        self._driver = driver

    def current(self, now: datetime) -> Sequence[Sighting]:  # noqa: ARG002  (a fake is there or is not)
        """Everything that is docked now."""
        if self.hangs:
            self.hangs.wait()
        fakes = [recorder.sighting() for recorder in list(self._driver.recorders.values())]
        return (*filter(None, fakes), *self.others.values())

    @property
    def findings(self) -> Sequence[Finding]:
        """Nothing is wrong with it."""
        return ()

    def show(self, port: str, source: Path) -> None:
        """Dock something that a real driver opens, or exchange what is docked there."""
        self.others[port] = Sighting(port=port, source=str(source))

    def take(self, port: str) -> None:
        """Take it away."""
        del self.others[port]


class StationBed:
    """A founded station in ``directory``/station.

    ``overrides`` are added to :data:`QUICK`. ``clock`` is the wall with a kernel that vouches for it, unless given.
    ``sinks`` stand for central storage, by the names in the settings (``central``); without them it is the real folder.
    ``drivers`` are tried beside the fake one. ``spool`` makes another spool than the real one.
    """

    def __init__(
        self,
        directory: Path,
        overrides: Overrides | None = None,
        *,
        clock: Clock | None = None,
        sinks: Mapping[str, Sink] | None = None,
        drivers: Sequence[Driver] = (),
        spool: Callable[[Path], Spool] | None = None,
        rules: str = "S4-fuzhou",
    ) -> None:
        self.directory = directory
        self.clock = clock or WallClock(kernel=lambda: SYNCHRONISED)
        merged = {
            table: {**QUICK.get(table, {}), **(overrides or {}).get(table, {})}
            for table in {*QUICK, *(overrides or {})}
        }
        self.settings = found(directory / "station", merged, now=self.clock.now(), rules=rules)
        self.sinks = sinks
        self.driver = FakeDriver()
        self.drivers: tuple[Driver, ...] = (self.driver, *drivers)
        self.watch = FakeWatch(self.driver)
        self._spool = spool

    # --- at work ------------------------------------------------------------------------------------------------------

    def recorder(self, serial: str, *, most: int = 1 << 20) -> FakeRecorder:
        """A fake recorder that this station's driver knows, not docked yet."""
        return self.driver.add(FakeRecorder(serial, most=most))

    @contextmanager
    def bench(self) -> Iterator[Bench]:
        """Everything a step works with, opened by the ordinary start."""
        with app.opened(self.settings, clock=self.clock) as bench:
            spool = self._spool(self.settings.paths.spool) if self._spool else bench.spool
            sinks = bench.sinks if self.sinks is None else self.sinks
            station = self.settings.station.name
            witnesses = {n: Witness(bench.book, sink, bench.signer, station) for n, sink in sinks.items()}
            yield replace(bench, spool=spool, sinks=sinks, witnesses=witnesses)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Station]:
        """The station's loop, from its ordinary start to its ordinary end."""
        self.watch.hint = asyncio.Event()
        with self.bench() as bench:
            station = Station(bench, self.drivers, self.watch)
            running = asyncio.ensure_future(station.run())
            try:
                yield station
            finally:
                station.stop()
                await running

    async def until(self, condition: Callable[[], T], *, limit_s: float = PATIENCE_S) -> T:
        """Wait until ``condition`` answers something true, and answer it; fails after ``limit_s``."""
        loop = asyncio.get_running_loop()
        end = loop.time() + limit_s
        while not (answer := condition()):
            if loop.time() > end:
                raise AssertionError(f"not within {limit_s:g} s; the ledger ends with\n{self.tail()}")
            await asyncio.sleep(0.01)
        return answer

    async def until_settled(self, *recorders: FakeRecorder) -> None:
        """Wait until the last docking of each of these has its receipt, so that nothing of it is owed."""
        for sighting in [recorder.docked_as for recorder in recorders]:
            await self.until(lambda s=sighting: [x for x in self.sessions() if x.sighting == s and x.receipt])  # type: ignore[misc]

    # --- what came of it ----------------------------------------------------------------------------------------------

    def ask(self, question: Callable[[Reader], T]) -> T:
        """Put a question to the ledger as a stranger beside the station would."""
        with open_read_only(self.settings.paths.ledger) as ledger:
            return question(ledger)

    def entries(self) -> list[Entry]:
        """The whole ledger."""
        return self.ask(lambda ledger: list(ledger.entries()))

    def facts(self, kind: type[F], *, record: str = "", session: str = "") -> list[F]:
        """Every fact of this kind (about this record, of this session), in order."""
        told = self.ask(lambda ledger: ledger.history(record=record, session=session, ev=kind.ev))
        return [entry.fact for entry in told if isinstance(entry.fact, kind)]

    def records(self, serial: str = "") -> list[Record]:
        """Every record (of this recorder), oldest first."""
        return self.ask(lambda ledger: ledger.records(recorder=serial))

    def record(self, path: str, serial: str = "") -> Record:
        """The one record of this path."""
        (found_,) = [record for record in self.records(serial) if record.item.path == path]
        return found_

    def sessions(self, serial: str = "") -> list[Session]:
        """Every docking (of this recorder), newest first."""
        return self.ask(lambda ledger: ledger.sessions(recorder=serial))

    def findings(self, code: str = "") -> list[Finding]:
        """The findings that hold now (of this code)."""
        told = self.ask(lambda ledger: ledger.findings())
        return [open_.finding for open_ in told if code in {"", open_.finding.code}]

    def tail(self, count: int = 25) -> str:
        """The end of the ledger, a line an entry: for the message of a test that failed."""
        return "\n".join(f"{entry.seq} {entry.fact.ev} {entry.fact}"[:300] for entry in self.entries()[-count:])

    def whole(self, record: Record) -> Path:
        """Where the sealed file of a record lies in the spool."""
        return self.settings.paths.spool / "whole" / record.id

    def aside(self) -> dict[str, bytes]:
        """What lies in quarantine, by name."""
        folder = self.settings.paths.spool / "quarantine"
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    def central(self, key: str) -> Path:
        """Where an object lies in the real central storage."""
        return folders(self.settings.sink)[0].path / key

    def audit(self) -> AuditView:
        """The oracle: everything from nothing."""
        sinks = stores.sinks(self.settings, self.clock) if self.sinks is None else self.sinks
        return audit(self.settings, sinks, app.public_key(self.settings))

    def must_agree(self) -> AuditView:
        """The audit, which must find nothing."""
        told = self.audit()
        assert told.agrees, "\n".join(map(str, told.disagreements))
        return told
