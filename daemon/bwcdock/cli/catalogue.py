"""The command catalogue: its tables, its follower, searching, counting; made again and compared."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from bwcdock import app, durable, logs, stores, systemd
from bwcdock.catalogue import Agreed, Catalogue, Copy, Found, Sought, counts, of, searching, versions
from bwcdock.catalogue.apart import Apart
from bwcdock.catalogue.following import Follower
from bwcdock.catalogue.papers import Papers
from bwcdock.catalogue.rebuilding import Compared, Rebuilt
from bwcdock.catalogue.rebuilding import compare as compared
from bwcdock.catalogue.rebuilding import rebuild as rebuilt
from bwcdock.catalogue.store import must_have_a_folder
from bwcdock.catalogue.telling import Teller
from bwcdock.catalogue.writing import Station
from bwcdock.cli import unseen
from bwcdock.cli.common import DISAGREES, OWED, WELL, fold, print_json, say, settings_of, table, width
from bwcdock.cli.prove import given_key, patience
from bwcdock.clock import WallClock
from bwcdock.core.desk.people import Person
from bwcdock.core.names import show
from bwcdock.core.rules import Standing
from bwcdock.core.view import STANDING_ZH
from bwcdock.errors import Misused, NotAllowed
from bwcdock.ledger import Verifier, open_read_only
from bwcdock.settings import Secret, Settings
from bwcdock.web.policy import Caller, Place, may, sees_only_his_own

T = TypeVar("T")

MOST = 500
"""Recordings on one page: more than anybody reads, and a tenth of a second's work."""

PLAIN = ("party", "case", "place", "event", "officer", "recorder", "unit", "station", "tag", "text", "kind", "state")
"""What is looked for as it is typed."""

SENSITIVE_ZH = {"secret": "涉密", "privacy": "涉隐私"}

ALIVE_S = 10.0
"""How often systemd hears of the follower where it does not watch; where it does, a third of its time."""


def _with(settings: Settings, work: Callable[[Catalogue], Awaitable[T]], url: Path | None = None) -> T:
    """What ``work`` answers, with the catalogue of the settings open; by another account where ``url`` is its file."""
    if url is not None:
        chosen = settings.catalogue.model_copy(update={"url": Secret(file=url.absolute())})
        settings = settings.model_copy(update={"catalogue": chosen})
    place = of(settings)
    must_have_a_folder(place)

    async def do() -> T:
        async with Catalogue(place) as catalogue:
            return await work(catalogue)

    return asyncio.run(do())


def init(asked: argparse.Namespace) -> int:
    """`bwcdock catalogue init`."""
    settings = settings_of(asked)
    before, now = _with(settings, lambda catalogue: catalogue.run(versions.upgrade), asked.url)
    done = f"brought from form {before} to {now}" if before else f"made, in form {now}"
    say(f"The catalogue is {done if before != now else f'in form {now} already'}.")
    return WELL


# --- following --------------------------------------------------------------------------------------------------------


def follow(asked: argparse.Namespace) -> int:
    """`bwcdock catalogue follow`, and `bwcdock-catalogue`."""
    settings = settings_of(asked)
    logs.configure(settings.log.format, settings.log.level, sys.stderr, line_length=settings.limits.line_length)
    with open_read_only(settings.paths.ledger) as ledger:
        origin, key = ledger.origin, ledger.verifier.vkey
    who = Station(origin=origin, name=settings.station.name, unit=settings.station.unit, public_key=key)
    _with(settings, lambda catalogue: _until_told(settings, catalogue, who))
    return WELL


async def _until_told(settings: Settings, catalogue: Catalogue, who: Station) -> None:
    stop, loop, tell = asyncio.Event(), asyncio.get_running_loop(), systemd.notifier(os.environ)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    teller = Teller(
        origin=who.origin,
        unit=who.unit,
        zone=ZoneInfo(settings.station.zone),
        at_risk_ratio=settings.law.at_risk_ratio,
    )
    chosen = settings.catalogue
    follower = Follower(settings.paths.ledger, catalogue, WallClock(), who=who, teller=teller, batch=chosen.batch)
    silence_s = systemd.watchdog_s(os.environ, os.getpid())
    living = asyncio.ensure_future(_live(tell, silence_s / 3 if silence_s else ALIVE_S))
    tell.ready("begins")
    try:
        await follower.follow(stop, every_s=chosen.every_s, backoff_max_s=chosen.backoff_max_s, say=tell.status)
    finally:
        living.cancel()
        follower.close()
        tell.stopping()
        tell.close()


async def _live(tell: systemd.Notifier, every_s: float) -> None:
    """A loop that turns is alive: what hangs is given up by its own limits."""
    while True:
        tell.alive("follows the ledger")
        await asyncio.sleep(every_s)


# --- searching --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundView:
    """A recording as `--json` shows it."""

    recording: Agreed
    standing: str
    copies: tuple[tuple[str, Copy], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """A page of a search; ``next`` is where the next one begins. ``count`` ends at ten thousand and one."""

    count: int
    found: tuple[FoundView, ...]
    next: str


def search(asked: argparse.Namespace) -> int:
    """`bwcdock catalogue search`."""
    settings = settings_of(asked)
    only_own = _may_search(settings, asked.as_person, asked.role)
    if not 0 < asked.limit <= MOST:
        raise Misused("search", f"A page of {asked.limit} recordings is none.", f"Say 1 to {MOST}.")
    zone = ZoneInfo(settings.station.zone)
    sought = _sought(asked, zone, own=asked.as_person if only_own else "")
    now, ratio = WallClock().now(), settings.law.at_risk_ratio

    async def ask(catalogue: Catalogue) -> tuple[int, searching.Page]:
        await catalogue.run(versions.must_be_current)
        count = await catalogue.run(lambda db: searching.how_many(db, sought, now, ratio))
        page = await catalogue.run(
            lambda db: searching.search(db, sought, now, ratio, after=asked.after, limit=asked.limit)
        )
        return count, page

    count, page = _with(settings, ask)
    if asked.json:
        views = tuple(
            FoundView(recording=each.agreed, standing=_standing(each, now, ratio), copies=each.copies)
            for each in page.found
        )
        print_json(PageView(count=count, found=views, next=page.next), PageView)
        return WELL
    heading = ("录制时间", "单位", "设备", "民警/人员", "当事人", "地点", "事件", "案件", "状态", "编号")
    rows = [heading, *(_row(each, zone, now, ratio) for each in page.found)]
    say(*table(rows, flexible=5, room=width()))
    shown = f"{count}" if count <= searching.MOST_COUNTED else f"{searching.MOST_COUNTED}+"
    say(f"{shown} 个文件 / recordings" + (f"; --after {page.next}" if page.next else ""))
    return WELL


def _may_search(settings: Settings, person: str, role: str) -> bool:
    """Refuse whoever may not look at recordings on the pages either; whether he sees only his own."""
    pack = app.rule_pack(settings)[0]
    with open_read_only(settings.paths.ledger) as ledger:
        him = ledger.matter(Person, person)
    # Whoever types this is at the machine itself, which stands for the second factor of the pages.
    caller = Caller(kind="person", person=person, role=role, second=True)
    if him is None or not him.may_act_as(role) or not may(caller, Place.RECORDS, pack):
        what = f"{person} may not look for recordings as {role}."
        raise NotAllowed("search", what, "`bwcdock desk list person` shows who works here, and in which roles.")
    return sees_only_his_own(caller, pack)


def _sought(asked: argparse.Namespace, zone: ZoneInfo, *, own: str) -> Sought:
    try:
        standing = Standing(asked.sought_standing) if asked.sought_standing else None
    except ValueError as error:
        what = f"{asked.sought_standing!a} is no word for how a recording stands."
        raise Misused("search", what, f"Say one of {', '.join(Standing)}.") from error
    return Sought(
        **{name: getattr(asked, f"sought_{name}") for name in PLAIN},
        own=own,
        standing=standing,
        held=asked.held,
        disputed=asked.disputed,
        since=_moment(asked.sought_since, zone, days=0),
        until=_moment(asked.sought_until, zone, days=1),
    )


def _moment(text: str, zone: ZoneInfo, *, days: int) -> datetime | None:
    """A moment as people write it, in the station's zone; a day alone ends ``days`` later."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Misused("search", f"{text!a} is no moment.", "Write 2026-03-02 or 2026-03-02T08:00.") from error
    if len(text) == len("2026-03-02"):
        moment += timedelta(days=days)
    return moment.replace(tzinfo=moment.tzinfo or zone)


def _standing(found: Found, now: datetime, ratio: float) -> str:
    verdict = found.agreed.stands(now, ratio)
    return verdict.kind.value if verdict else ""


def _row(found: Found, zone: ZoneInfo, now: datetime, ratio: float) -> Sequence[str]:
    agreed = found.agreed
    verdict = agreed.stands(now, ratio)
    marks = [STANDING_ZH[verdict.kind] if verdict else "", "留存" if agreed.holds else ""]
    marks += [SENSITIVE_ZH.get(mark, mark) for mark in agreed.sensitive]
    marks += ["内容不一致"] if agreed.disputed else []
    officers = "、".join(officer.name or officer.id for officer in agreed.officers)
    said = (officers, "、".join(agreed.parties), agreed.place, agreed.event, agreed.case)
    return (
        f"{agreed.recorded_at.astimezone(zone):%Y-%m-%d %H:%M}",
        agreed.unit,
        agreed.recorder,
        *map(show, said),
        " ".join(filter(None, marks)),
        agreed.record[:12],
    )


# --- counting ---------------------------------------------------------------------------------------------------------


def count(asked: argparse.Namespace) -> int:
    """`bwcdock catalogue count`."""
    settings = settings_of(asked)
    today = WallClock().now().astimezone(ZoneInfo(settings.station.zone)).date()
    since = (today - timedelta(days=max(asked.days, 0))).isoformat()
    days = _with(settings, lambda catalogue: catalogue.run(lambda db: counts.days(db, since, asked.of)))
    settled = (today - timedelta(days=counts.SETTLED_DAYS)).isoformat()
    if asked.json:
        print_json(days, tuple[counts.Day, ...])
    else:
        heading = ("日期", "工作站", "存储", "接收", "已存", "可读", "")
        rows = [
            [d.day, d.station, d.sink, str(d.received), str(d.stored), str(d.readable), d.mark(settled)] for d in days
        ]
        say(*table([heading, *rows], flexible=1, room=width(), right=(3, 4, 5)))
    return OWED if any(day.day < settled and not day.agrees for day in days) else WELL


def metrics(asked: argparse.Namespace) -> int:
    """`bwcdock catalogue metrics`."""
    settings = settings_of(asked)
    today = WallClock().now().astimezone(ZoneInfo(settings.station.zone)).date()
    settled = (today - timedelta(days=counts.SETTLED_DAYS)).isoformat()
    told = _with(settings, lambda catalogue: catalogue.run(lambda db: counts.exposition(db, settled)))
    if asked.textfile:
        durable.write_small(Path(asked.textfile), told, mode=0o644, overwrite=True)
        return WELL
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(told)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        unseen()
    return WELL


# --- from central storage ---------------------------------------------------------------------------------------------


def rebuild(asked: argparse.Namespace) -> int:
    """`bwcdock catalogue rebuild`."""
    settings = settings_of(asked)
    keys, papers = _keys(settings, asked.key), _papers(settings, asked)
    with patience() as tell:
        made = _with(settings, lambda catalogue: rebuilt(catalogue, papers, keys, tell=tell), asked.url)
    if asked.json:
        print_json(made, Rebuilt)
    else:
        say(
            *made.refused,
            f"{made.manifests} manifests, {made.statements} statements; {len(made.refused)} not believed.",
        )
    return DISAGREES if made.refused else WELL


def compare(asked: argparse.Namespace) -> int:
    """`bwcdock catalogue compare`."""
    settings = settings_of(asked)
    keys, papers = _keys(settings, asked.key), _papers(settings, asked)
    with patience() as tell:
        told = _with(settings, lambda catalogue: compared(catalogue, papers, keys, tell=tell))
    if asked.json:
        print_json(told, Compared)
    else:
        for line in (*told.refused, *told.missing, *told.extra, *told.different):
            say(*fold(line, width(), "    "))
        say(
            f"{told.manifests} manifests: {len(told.missing)} missing in the catalogue, {len(told.extra)} not in "
            f"central storage, {len(told.different)} different, {len(told.refused)} not believed; {told.coming} not "
            "told of yet."
        )
    return WELL if told.agrees else DISAGREES


def _papers(settings: Settings, asked: argparse.Namespace) -> list[Papers]:
    names = [sink.name for sink in settings.sink]
    if unknown := sorted(set(asked.sink or ()) - set(names)):
        raise Misused("read central storage", f"The settings name no sink {unknown[0]}.", f"Say {', '.join(names)}.")
    keys = [key.vkey for key in _keys(settings, asked.key)]
    return [Apart(partial(_papers_of, settings, name, keys)) for name in names if not asked.sink or name in asked.sink]


def _papers_of(settings: Settings, name: str, keys: Sequence[str]) -> Papers:
    """The papers in one place of the settings, for whichever process reads them."""
    sink = stores.sinks(settings, WallClock())[name]
    return Papers(name, sink, [Verifier.parse(key) for key in keys], ZoneInfo(settings.station.zone))


def _keys(settings: Settings, told: Sequence[str] | None) -> list[Verifier]:
    """The keys that are believed: those given, else the station's own."""
    if not told:
        return [Verifier.parse(app.public_key(settings))]
    texts: list[str] = []
    for each in told:
        folder = Path(each)
        if folder.is_dir():
            found = sorted(folder.glob("*.pub"))
            if not found:
                raise Misused("read keys", f"No key (*.pub) lies in {folder}.", "Put each station's station.pub there.")
            texts += (given_key(str(path)) for path in found)
        else:
            texts.append(given_key(each))
    return [Verifier.parse(text) for text in texts]
