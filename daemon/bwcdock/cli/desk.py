"""The command desk: acts of people, and what the desk knows, waits for and misses."""

import argparse
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from bwcdock import app, overview
from bwcdock.cli.common import WELL, print_json, say, settings_of, table, width
from bwcdock.clock import WallClock
from bwcdock.core import desk
from bwcdock.core.desk.equipment import Ratio
from bwcdock.core.desk.owing import MayOwe
from bwcdock.core.facts import Actor
from bwcdock.core.names import show
from bwcdock.core.view import STANDING_ZH
from bwcdock.desk import asking, doing, line
from bwcdock.desk.acts import Act
from bwcdock.desk.doing import Done
from bwcdock.ledger import open_read_only
from bwcdock.settings import Settings


def act(asked: argparse.Namespace) -> int:
    """`bwcdock desk ACT`."""
    settings = settings_of(asked)
    said = {
        name: value for name, value in vars(asked).items() if name in asked.act_model.model_fields and value is not None
    }
    done = perform(settings, line.act_of(asked.act_model.word, said), Actor(name=asked.as_person, role=asked.role))
    if asked.json:
        print_json(done, Done)
    else:
        say(f"已登记 / entered: {done.kind} {done.matter}, entries {_runs(done.entries)}")
        if done.judged_again:
            say(f"{len(done.judged_again)} 个文件重新判定或标注 / recordings judged or labelled")
    return WELL


def perform(settings: Settings, chosen: Act, actor: Actor) -> Done:
    """Let the act be done: by the daemon where one is at work, else here."""
    if overview.running(settings) is not None:
        return line.ask(settings.paths.run, chosen, actor)
    with app.opened(settings) as bench:
        done = doing.do(bench, chosen, actor)
        bench.book.ask(lambda ledger: ledger.checkpoint())  # nobody else will sign over it until the next start
        return done


def _runs(entries: Sequence[int]) -> str:
    return f"{entries[0]}" if len(entries) == 1 else f"{entries[0]}-{entries[-1]}" if entries else "none"


# --- looking ----------------------------------------------------------------------------------------------------------


def show_matters(asked: argparse.Namespace) -> int:
    """`bwcdock desk list`."""
    settings = settings_of(asked)
    shape = desk.KINDS[asked.kind].shape
    with open_read_only(settings.paths.ledger) as ledger:
        found = [m for m in ledger.matters(shape) if asked.id in {"", m.id} and asked.state in {"", m.state}]
    if asked.json:
        print_json(found, list[shape])  # type: ignore[valid-type]
        return WELL
    zone = ZoneInfo(settings.station.zone)
    for matter in found:
        say(f"{matter.id}  [{matter.state}]  {matter.at.astimezone(zone):%Y-%m-%d %H:%M}  by {matter.by}")
        for name, value in TypeAdapter(shape).dump_python(matter).items():
            if value and name not in {"id", "state", "since", "at", "by"}:
                say(f"    {name}: {_plain(value, zone)}")
    say(f"{len(found)} {asked.kind}")
    return WELL


def _plain(value: Any, zone: ZoneInfo) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dict):
        return ", ".join(f"{k}={_plain(v, zone)}" for k, v in value.items() if v not in ("", None, (), []))
    if isinstance(value, (list, tuple)):
        return "; ".join(_plain(each, zone) for each in value)
    return show(str(value))


def waiting(asked: argparse.Namespace) -> int:
    """`bwcdock desk waiting`."""
    return told(asked, asking.waiting, asking.Waiting, _waiting_row, ("要办", "对象", "谁", "办法", "依据", "时间"))


def may_owe(asked: argparse.Namespace) -> int:
    """`bwcdock desk may-owe`."""
    head = ("记录仪", "持有人", "最早可能到期", "状态", "依据", "外出")
    return told(asked, asking.may_owe, MayOwe, _owe_row, head)


def ratios(asked: argparse.Namespace) -> int:
    """`bwcdock desk equipment`."""
    head = ("分队", "人数", "在用", "维修", "应配", "缺", "依据")
    return told(asked, lambda ledger, law, _: asking.ratios(ledger, law), Ratio, _ratio_row, head)


def told(asked: argparse.Namespace, ask: Any, shape: Any, row: Any, head: tuple[str, ...]) -> int:
    """Answer a question: ``ask`` of ledger, law and now gives ``shape``s, and ``row`` a line of each."""
    settings = settings_of(asked)
    law, now = app.law_of(settings), WallClock().now()
    with open_read_only(settings.paths.ledger) as ledger:
        found: Iterable[Any] = ask(ledger, law, now)
    if asked.json:
        print_json(list(found), list[shape])
        return WELL
    zone = ZoneInfo(settings.station.zone)
    rows = [row(each, zone) for each in found]
    say(*(table([head, *rows], flexible=1, room=width()) if rows else ["没有 / none"]))
    return WELL


def _waiting_row(each: asking.Waiting, zone: ZoneInfo) -> tuple[str, ...]:
    fill = " ".join(f"--{name.replace('_', '-')} {value[:16]}" for name, value in each.fill)
    at = f"{each.due.astimezone(zone):%Y-%m-%d %H:%M}" if each.due else ""
    return (each.what, show(each.subject), " ".join(each.who), f"{each.act} {fill}".strip(), each.article, at)


def _owe_row(each: MayOwe, zone: ZoneInfo) -> tuple[str, ...]:
    due = f"{each.obligation.due.astimezone(zone):%Y-%m-%d %H:%M}"
    return (each.device, each.holder, due, STANDING_ZH[each.verdict.kind], each.obligation.article, each.ground)


def _ratio_row(each: Ratio, _: ZoneInfo) -> tuple[str, ...]:
    counts = (each.officers, each.in_service, each.repair, each.needed, each.missing)
    return (each.name, *map(str, counts), each.article)
