"""Whether a station is well, in a few lines for whoever has no Prometheus: a load balancer, a script, a person."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from bwcdock import meters, overview
from bwcdock.errors import BwcdockError
from bwcdock.ledger import open_read_only
from bwcdock.metrics import station
from bwcdock.metrics.exposition import at_work
from bwcdock.settings import Settings

SPOOL = ("spool.full", "spool.no_room", "spool.broken")
"""Findings that say that nothing can be brought in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: a word for it, whether it is well, what was found, what to do where it is not."""

    name: str
    well: bool
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What was looked at, and when; ``well`` only where all of it is."""

    at: datetime
    well: bool
    checks: tuple[Check, ...]


def alive(now: datetime) -> Health:
    """That whoever is asked answers; of the station it says nothing (`/healthz`)."""
    return _of(now, [Check(name="answers", well=True, what="The process answers.")])


def health(settings: Settings, now: datetime) -> Health:
    """Whether the station does its work: ledger, daemon, clock, spool, central storage (`/readyz`). Never raises."""
    codes: frozenset[str] = frozenset()
    ailing: dict[tuple[str, str], int] = {}
    checks = []
    try:
        with open_read_only(settings.paths.ledger) as ledger:
            codes = frozenset(code for code, _, _ in ledger.told())
            ailing = overview.ailing(ledger)
            checks.append(Check(name="ledger", well=True, what=f"It opens, with {ledger.size} entries."))
    except BwcdockError as error:
        checks.append(Check(name="ledger", well=False, what=error.what, remedy=error.hint))
    published = at_work(settings, now)
    return _of(
        now,
        [*checks, _daemon(settings, published), _clock(published), _spool(settings, published, codes), *_sinks(ailing)],
    )


def _of(now: datetime, checks: list[Check]) -> Health:
    return Health(at=now, well=all(check.well for check in checks), checks=tuple(checks))


def _daemon(settings: Settings, published: meters.Published | None) -> Check:
    if published is not None:
        return Check(name="daemon", well=True, what=f"It is at work, as process {published.pid}.")
    pid = overview.running(settings)
    if pid is None:
        return Check(name="daemon", well=False, what="Nothing runs at this station.", remedy="Start `bwcdock run`.")
    what = f"Process {pid} has the station open, and has told nothing for {meters.FRESH_S:g} s."
    return Check(name="daemon", well=False, what=what, remedy="Its service manager restarts it; else restart it.")


def _clock(published: meters.Published | None) -> Check:
    """The clock as the daemon sees it: its sandbox lets it ask the kernel, that of the pages may not."""
    if published is None:
        return Check(name="clock", well=False, what="Nobody at work tells of it.", remedy="Start `bwcdock run`.")
    remedy = "Let the station reach a time server (chrony or systemd-timesyncd)."
    well = not published.clock.startswith("unvouched")
    return Check(name="clock", well=well, what=published.clock, remedy="" if well else remedy)


def _spool(settings: Settings, published: meters.Published | None, codes: frozenset[str]) -> Check:
    remedy = "Let central storage catch up, or give the spool a larger disk."
    told = [code for code in SPOOL if code in codes]
    if told:
        return Check(name="spool", well=False, what=f"The station told {', '.join(told)}.", remedy=remedy)
    room = station.room(settings, published)
    if room is None:
        what = "Nobody at work tells of it, and it cannot be looked at from here."
        return Check(name="spool", well=False, what=what, remedy="Start `bwcdock run`; mount the spool's volume.")
    left = room.free - room.reserve
    what = f"It has room for {max(0, left) / 1e9:.1f} GB."
    return Check(name="spool", well=left > 0, what=what, remedy="" if left > 0 else remedy)


def _sinks(ailing: Iterable[tuple[str, str]]) -> Iterator[Check]:
    if not ailing:
        yield Check(name="sinks", well=True, what="None is known to be away.")
    for name, ails in sorted(ailing):
        what, remedy = _AILS[ails]
        yield Check(name="sinks", well=False, what=f"Central storage {name} {what}.", remedy=remedy)


_AILS = {
    "down": ("cannot be reached", "Look after its network and mount."),
    "hung": ("hangs", "Look after its network, its mount and its disks."),
    "full": ("is full", "Make room there or raise its quota."),
    "credentials": ("does not let the station in", "Look at the account and its rights there."),
    "clock": ("and the station differ in their clocks", "Let both ask the same time server."),
}
