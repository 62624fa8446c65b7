"""The places of central storage that the settings name: built, and taken into use."""

import time
from collections.abc import Callable
from pathlib import Path

from bwcdock import durable
from bwcdock.clock import WallClock
from bwcdock.errors import Misused
from bwcdock.lanes import moved
from bwcdock.ledger import open_read_only
from bwcdock.ports import Clock, Sink, Store
from bwcdock.settings import FolderSink, S3Sink, Settings, SftpSink
from bwcdock.sinks.around import Throttle
from bwcdock.sinks.filesystem import FilesystemSink

CENTRAL_ID = "{name}.central"

UPLOADS = "uploads"
"""In the spool: a note for each upload that is not finished, a folder for each sink."""

PIECE_S = 0.1
"""A wait for the line's turn is made of such pieces, each a sign of life: to be held back is not to hang."""


def sinks(settings: Settings, clock: Clock) -> dict[str, Sink]:
    """The configured sinks, without a station around them."""
    return {
        each.name: store(settings, each, identity=identity_of(settings, each.name), pace=_pace(each.bandwidth, clock))
        for each in settings.sink
    }


def named(settings: Settings, name: str, clock: Clock) -> Store:
    """The one sink of this name, without building the others; ``Misused`` where there is none."""
    for each in settings.sink:
        if each.name == name:
            identity = identity_of(settings, name)
            return store(settings, each, identity=identity, pace=_pace(each.bandwidth, clock))
    known = ", ".join(each.name for each in settings.sink) or "none"
    raise Misused("look for central storage", f"There is no [[sink]] {name!a}.", f"There is {known}.")


def store(
    settings: Settings,
    sink: FolderSink | S3Sink | SftpSink,
    *,
    identity: str | None = "",
    pace: Callable[[int], None] = lambda _: None,
) -> Store:
    """The one place that knows which kind of sink is which class; ``identity`` as in :class:`FilesystemSink`."""
    station = settings.station.name
    match sink:
        case FolderSink():
            return FilesystemSink(sink.name, sink.path, identity=identity, station=station, pace=pace)
        case SftpSink():
            from bwcdock.sinks.sftp import SftpStore  # loads an SSH client, which most stations do without

            return SftpStore(sink, identity=identity, station=station, pace=pace)
        case S3Sink():
            return _s3(settings, sink, identity, pace)


def _s3(settings: Settings, sink: S3Sink, identity: str | None, pace: Callable[[int], None]) -> Store:
    from bwcdock.sinks.s3.store import S3Store  # its client takes a third of a second and 25 MiB: where it is used

    return S3Store(
        sink,
        access_key=sink.access_key.read(),
        secret_key=sink.secret_key.read(),
        uploads=settings.paths.spool / UPLOADS / sink.name,
        now=WallClock().now,
        identity=identity,
        station=settings.station.name,
        pace=pace,
    )


def identity_of(settings: Settings, name: str) -> str | None:
    """The id of the central storage this station has taken into use under this name; ``None`` where it has none."""
    path = _identity_file(settings, name)
    return path.read_text().strip() or None if path.exists() else None


def establish(settings: Settings) -> None:
    """Mark what the settings of a new station name, and remember the marks; done already is done."""
    for sink in settings.sink:
        path = _identity_file(settings, sink.name)
        if not path.exists():
            durable.write_small(path, f"{store(settings, sink).initialise()}\n".encode(), mode=0o600)


def take(settings: Settings) -> list[str]:
    """Take every configured central storage into use that this station does not know yet; what was done, a line each.

    An empty one is marked; one that another station marked is shared. Raises ``Misused`` with nothing changed where
    a storage holds things but no marker, where two are one and the same, or where recordings are confirmed in another
    one under this name: what is in the ledger must be found there. Raises ``Unreachable`` where one cannot be used.
    If it dies between a marker and the identity, the next call finds the marker and goes on.
    """
    looked = [(sink, *_looked_at(settings, sink)) for sink in settings.sink]
    markers = [marker for _, _, marker in looked if marker]
    if len(set(markers)) < len(markers):
        what = "Two sinks of the settings lead to one and the same central storage."
        raise Misused("sinks init", what, "Correct their places in the settings; nothing was changed.")
    told = []
    for sink, found, marker in looked:
        known = identity_of(settings, sink.name)
        if known and known == marker:
            told.append(f"{sink.name}: in use already.")
            continue
        data = f"{found.initialise()}\n".encode()
        durable.write_small(_identity_file(settings, sink.name), data, mode=0o600, overwrite=True)
        told.append(f"{sink.name}: {'joined, as another station marked it' if marker else 'marked'}, {sink.place}.")
    return told


def _looked_at(settings: Settings, sink: FolderSink | S3Sink | SftpSink) -> tuple[Store, str]:
    found = store(settings, sink)
    marker, known = found.marker(), identity_of(settings, sink.name)
    problem = ""
    if not marker and (foreign := found.foreign()):
        problem = f"{sink.place} has no marker and holds other things ({foreign[0]!a} …)."
    elif known and known != marker and _is_in_use(settings, sink.name):
        problem = f"{sink.place} is not the central storage {sink.name} in which recordings are confirmed."
    if problem:
        hint = "Mount the right one. A new storage gets a [[sink]] with a name of its own; nothing was changed."
        raise Misused("sinks init", problem, hint)
    return found, marker


def _is_in_use(settings: Settings, name: str) -> bool:
    with open_read_only(settings.paths.ledger) as ledger:
        return ledger.holds_in(name)


def _identity_file(settings: Settings, name: str) -> Path:
    return settings.paths.keys / CENTRAL_ID.format(name=name)


def _pace(bandwidth: int | None, clock: Clock) -> Callable[[int], None]:
    """Called at every chunk: it is a sign of life, and it waits where bytes a second are limited."""
    throttle = Throttle(bandwidth, monotonic=clock.monotonic, wait=_wait) if bandwidth else None

    def pace(size: int) -> None:
        moved()
        if throttle:
            throttle(size)

    return pace


def _wait(seconds: float) -> None:
    while seconds > 0:
        time.sleep(min(seconds, PIECE_S))
        moved()
        seconds -= PIECE_S
