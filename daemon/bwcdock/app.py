"""The only place that builds things: a station directory from nothing, and a station at work from its directory."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path

from bwcdock import config, durable, holidays_cn, packs, resources
from bwcdock.clock import WallClock
from bwcdock.core.facts import Finding, Found
from bwcdock.core.local import tighten
from bwcdock.core.rulepack import RulePack
from bwcdock.errors import Misused
from bwcdock.ledger import Ledger, Signer
from bwcdock.lock import StationLock
from bwcdock.ports import Clock, Driver, Sink
from bwcdock.settings import Settings
from bwcdock.settings import Sink as SinkSettings
from bwcdock.sinks.around import Throttle
from bwcdock.sinks.filesystem import FilesystemSink
from bwcdock.spool import Spool
from bwcdock.steps.bench import Bench
from bwcdock.steps.book import Book
from bwcdock.steps.witness import Witness

KEY = "signing.key"
PUBLIC = "station.pub"
RECEIPTS = "receipts"
CENTRAL_ID = "{name}.central"


def found(directory: Path, *, rules: str, name: str, unit: str, now: datetime) -> Path:
    """Make a station directory from nothing; returns the path of its settings. Never touches an existing one."""
    settings_path = directory / config.SETTINGS_NAME
    if settings_path.exists():
        raise Misused("init", f"{directory} is a station already.", "Name another directory; nothing was changed.")
    if directory.exists() and any(directory.iterdir()):
        raise Misused("init", f"{directory} is not empty.", "Name an empty or a new directory; nothing was changed.")
    packs.load(rules, [resources.config_dir() / "rules"])
    text = config.render_template(name, unit, rules)
    durable.make_dirs(directory)
    for part in ("ledger", f"ledger/{RECEIPTS}", "spool", "keys", "run", "rules", "quirks", "drop", "central"):
        durable.make_dirs(directory / part)
    # The settings come last: a directory without them is no station, so a founding that died is begun anew elsewhere.
    durable.write_small(directory / ".bwcdock.toml.new", text.encode(), mode=0o640)
    settings = config.load(directory / ".bwcdock.toml.new")
    signer = Signer.generate(settings.paths.keys / KEY, origin(settings))
    durable.write_small(settings.paths.keys / PUBLIC, f"{signer.verifier.vkey}\n".encode(), mode=0o644)
    for sink in settings.sink:
        identity = FilesystemSink(sink.name, sink.path).initialise()
        durable.write_small(settings.paths.keys / CENTRAL_ID.format(name=sink.name), f"{identity}\n".encode())
    Ledger.create(settings.paths.ledger, pack=rules, signer=signer, now=now).close()
    durable.write_small(settings_path, text.encode(), mode=0o640)
    durable.discard(directory / ".bwcdock.toml.new")
    return settings_path


def origin(settings: Settings) -> str:
    """The name of the station's log, as the C2SP checkpoint format wants one."""
    return f"bwcdock/{settings.station.name}"


def public_key(settings: Settings) -> str:
    """The station's public key, as C2SP text."""
    path = settings.paths.keys / PUBLIC
    try:
        return path.read_text().strip()
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}."
        raise Misused(
            "read the public key", what, "Put the station's public key there, or name one with --key."
        ) from error


def drivers(settings: Settings) -> list[Driver]:
    """Every installed driver, told where this station's own quirks are."""
    found_points = sorted(entry_points(group="bwcdock.drivers"), key=lambda point: point.name)
    own = [path for path in settings.paths.quirks if path.is_dir()]
    return [point.load()(quirk_dirs=own) for point in found_points]


def rule_pack(settings: Settings) -> tuple[RulePack, tuple[Finding, ...]]:
    """The pack of this station with what its bureau made stricter, and a finding for each attempt to loosen it."""
    shipped = resources.config_dir() / "rules"
    pack = packs.load(settings.station.rules, [*settings.paths.rules, shipped])
    findings: tuple[Finding, ...] = ()
    if settings.law.local_rules is not None:
        pack, findings = tighten(pack, packs.load_local(settings.law.local_rules))
    if settings.law.offload_met_by == "confirmed" and pack.deadline.met_by != "confirmed":
        stricter = replace(pack.deadline, met_by="confirmed")
        pack = replace(pack, deadline=stricter, tightened=(*pack.tightened, "met_by: sealed -> confirmed"))
    return pack, findings


@contextmanager
def opened(settings: Settings, *, clock: Clock | None = None) -> Iterator[Bench]:
    """Everything a station works with, opened for writing; only one process at a time may have it."""
    clock = clock or WallClock()
    with ExitStack() as stack:
        stack.enter_context(StationLock(settings.paths.run))
        signer = Signer.load(settings.paths.keys / KEY, origin(settings))
        book = Book(Ledger.open(settings.paths.ledger, signer), clock)
        stack.callback(book.close)
        pack, findings = rule_pack(settings)
        holidays = settings.paths.holidays
        stores = sinks(settings, clock)
        bench = Bench(
            settings=settings,
            clock=clock,
            book=book,
            spool=Spool(settings.paths.spool, reserve=settings.spool.reserve_ratio),
            sinks=stores,
            layouts={sink.name: sink.layout for sink in settings.sink},
            pack=pack,
            calendar=holidays_cn.build(settings.station.zone, holidays if holidays.exists() else None),
            signer=signer,
            witnesses={n: Witness(book, store, signer, settings.station.name) for n, store in stores.items()},
            station_clock=lambda: _vouched(clock),
            receipts=settings.paths.ledger / RECEIPTS,
        )
        bench.book.record([Found(finding=finding) for finding in findings])
        yield bench


def sinks(settings: Settings, clock: Clock) -> dict[str, Sink]:
    """The configured sinks, without a station around them: for looking."""
    return {sink.name: _sink(sink, settings, clock) for sink in settings.sink}


def _sink(sink: SinkSettings, settings: Settings, clock: Clock) -> Sink:
    path = settings.paths.keys / CENTRAL_ID.format(name=sink.name)
    identity = path.read_text().strip() if path.exists() else ""
    if sink.bandwidth is None:
        return FilesystemSink(sink.name, sink.path, identity=identity)
    pace = Throttle(sink.bandwidth, monotonic=clock.monotonic, wait=time.sleep)
    return FilesystemSink(sink.name, sink.path, identity=identity, pace=pace)


def _vouched(clock: Clock) -> str:
    """The kernel's word on the station's clock, beginning with ``unvouched`` where it gives none for it."""
    return clock.health().text if isinstance(clock, WallClock) else "a clock that is not the wall's"
