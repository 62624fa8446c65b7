"""The only place that builds things: a station directory from nothing, and a station at work from its directory."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path

from bwcdock import config, durable, holidays_cn, packs, resources, stores
from bwcdock.clock import WallClock
from bwcdock.core.facts import Finding, Found
from bwcdock.core.local import tighten
from bwcdock.core.record import State
from bwcdock.core.rulepack import RulePack
from bwcdock.desk.asking import Law
from bwcdock.errors import Misused
from bwcdock.ledger import Ledger, Reader, Signer
from bwcdock.ledger.schema import FOUNDED
from bwcdock.lock import StationLock
from bwcdock.manifest import RECEIPTS
from bwcdock.papers.source import Source
from bwcdock.ports import Clock, Driver, ReadsQuirks
from bwcdock.settings import Settings
from bwcdock.settings.sinks import folders
from bwcdock.spool import Spool
from bwcdock.steps.bench import Bench
from bwcdock.steps.book import Book
from bwcdock.steps.witness import Witness
from bwcdock.web.accounts import Accounts
from bwcdock.web.asker import Asker
from bwcdock.web.hands import Hands
from bwcdock.web.house import House

KEY = "signing.key"
PUBLIC = "station.pub"
SPOOL_MARK = ".bwcdock-spool"
"""What tells the station's spool from the empty mount point of a volume that is not there."""


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
    for part in ("rules", "quirks"):
        durable.make_dirs(directory / part)
    # The settings come last: a directory without them is no station, so a founding that died is begun anew elsewhere.
    durable.write_small(directory / ".bwcdock.toml.new", text.encode(), mode=0o640)
    _establish(config.load(directory / ".bwcdock.toml.new"), now)
    durable.write_small(settings_path, text.encode(), mode=0o640)
    durable.discard(directory / ".bwcdock.toml.new")
    return settings_path


def founded(settings: Settings) -> Path:
    """The mark of an installed station that it has been founded; never removed, so that no second ledger is made."""
    return settings.paths.ledger.parent / FOUNDED


def establish(settings: Settings, *, now: datetime) -> bool:
    """Make what settings that were installed name: keys, ledger, spool, central storage. Whether there was none yet.

    Once in a station's life, of which the mark tells; without it a founding that died is finished, with the same key.
    """
    mark = founded(settings)
    if mark.exists():
        return False
    packs.load(settings.station.rules, [*settings.paths.rules, resources.config_dir() / "rules"])
    _establish(settings, now)
    durable.write_small(mark, f"{now.isoformat()}\n".encode(), mode=0o444)
    return True


def _establish(settings: Settings, now: datetime) -> None:
    paths = settings.paths
    durable.make_dirs(paths.ledger)
    durable.make_dirs(paths.ledger / RECEIPTS, mode=0o750)  # whoever may enter the ledger reads them
    places = (paths.spool, paths.keys, paths.run)
    for place in (*places, *(drop.path for drop in settings.drop), *(each.path for each in folders(settings.sink))):
        durable.make_dirs(place)
    _write_once(paths.spool / SPOOL_MARK, f"{origin(settings)}\n", mode=0o444)
    key, public = paths.keys / KEY, paths.keys / PUBLIC
    signer = (Signer.load if key.exists() else Signer.generate)(key, origin(settings))
    _write_once(public, f"{signer.verifier.vkey}\n", mode=0o644)
    stores.establish(settings)
    try:
        Ledger.create(paths.ledger, pack=settings.station.rules, signer=signer, now=now).close()
    except Misused:  # there is one: of a founding that died before its mark, or not ours, which opening it tells
        Ledger.open(paths.ledger, signer).close()


def _write_once(path: Path, text: str, *, mode: int) -> None:
    with suppress(FileExistsError):  # of a founding that died; it held the same key and the same central storage
        durable.write_small(path, text.encode(), mode=mode)


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


def quirk_reader() -> ReadsQuirks:
    """The driver that judges and tries quirk files, without a station: the broken quirk of one is in nobody's way."""
    for point in sorted(entry_points(group="bwcdock.drivers"), key=lambda point: point.name):
        driver = point.load()(quirk_dirs=())
        if isinstance(driver, ReadsQuirks):
            return driver
    raise Misused("read a quirk", "No driver is installed that reads quirk files.", "Install bwcdock's own drivers.")


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
        sinks = stores.sinks(settings, clock)
        bench = Bench(
            settings=settings,
            clock=clock,
            book=book,
            spool=_spool(settings, book),
            sinks=sinks,
            layouts={sink.name: sink.layout for sink in settings.sink},
            pack=pack,
            calendar=holidays_cn.build(settings.station.zone, holidays if holidays.exists() else None),
            signer=signer,
            witnesses={n: Witness(book, store, signer, settings.station.name) for n, store in sinks.items()},
            station_clock=lambda: _vouched(clock),
            receipts=settings.paths.ledger / RECEIPTS,
        )
        bench.book.record([Found(finding=finding) for finding in findings])
        yield bench


def _spool(settings: Settings, book: Book) -> Spool:
    """The spool; refused where it should hold sealed files and is not the folder that was marked."""
    root = settings.paths.spool
    mark = root / SPOOL_MARK
    if not mark.exists():
        if book.ask(lambda ledger: ledger.ids(State.SEALED)):
            # Else every sealed file would be called lost, and struck off.
            what = f"{root} is not the spool that holds this station's files: it has no {SPOOL_MARK}."
            raise Misused("open the spool", what, "Mount the spool's volume there; where it was moved, move all of it.")
        durable.make_dirs(root)
        _write_once(mark, f"{origin(settings)}\n", mode=0o444)
    return Spool(root, reserve=settings.spool.reserve_ratio)


def paper_source(settings: Settings, ledger: Reader, now: datetime) -> Source:
    """What the builders of papers may ask at this station."""
    return Source(
        ledger=ledger,
        pack=rule_pack(settings)[0],
        station=settings.station.name,
        unit=settings.station.unit,
        zone=settings.station.zone,
        now=now,
        receipts=settings.paths.ledger / RECEIPTS,
    )


def house(settings: Settings, *, clock: Clock | None = None) -> House:
    """What the pages work with: the ledger for looking, and their own accounts."""
    return House(
        settings=settings,
        law=law_of(settings),
        clock=clock or WallClock(),
        asker=Asker(settings.paths.ledger),
        hands=Hands(),
        accounts=Accounts(settings.paths.web, settings.web),
        papers=lambda ledger, now: paper_source(settings, ledger, now),
    )


def law_of(settings: Settings) -> Law:
    """The pack and calendar of this station, for whoever only asks."""
    holidays = settings.paths.holidays
    calendar = holidays_cn.build(settings.station.zone, holidays if holidays.exists() else None)
    return Law(pack=rule_pack(settings)[0], calendar=calendar, at_risk_ratio=settings.law.at_risk_ratio)


def _vouched(clock: Clock) -> str:
    """The kernel's word on the station's clock, beginning with ``unvouched`` where it gives none for it."""
    return clock.health().text if isinstance(clock, WallClock) else "a clock that is not the wall's"
