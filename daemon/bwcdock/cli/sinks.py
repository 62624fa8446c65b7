"""The commands about central storage: sinks init, sinks check."""

import argparse

from bwcdock import stores
from bwcdock.cli.common import DISAGREES, WELL, fold, print_json, say, settings_of, width
from bwcdock.clock import WallClock
from bwcdock.trying import Tried, tried

STEPS_ZH = {
    "reach": "连接和标识", "write": "写入", "again": "重复写入", "read": "回读核对", "overwrite": "拒绝覆盖",
    "document": "小文件", "lock": "防删锁定", "list": "列举", "give": "取回", "rights": "拒绝删除", "clock": "时钟",
    "ability": "能力",
}  # fmt: skip
"""What the steps are called, each beside its English word."""


def take(asked: argparse.Namespace) -> int:
    """`bwcdock sinks init`."""
    say(*stores.take(settings_of(asked)), "A daemon that is running takes it up when it is started again.")
    return WELL


def check(asked: argparse.Namespace) -> int:
    """`bwcdock sinks check`."""
    settings, clock = settings_of(asked), WallClock()
    store = stores.named(settings, asked.name, clock)
    told: list[Tried] = []
    for each in tried(store, settings.station.name, settings.paths.run, clock.now()):
        told.append(each)
        if not asked.json:  # a line as soon as it is known: a store may take its time
            say(*_lines(each))
    if asked.json:
        print_json(told, list[Tried])
    return WELL if all(each.good is not False for each in told) else DISAGREES


def _lines(each: Tried) -> list[str]:
    mark = {True: "✓ 通过 passed", False: "✗ 未通过 failed", None: "– 不适用 not offered"}[each.good]
    lines = fold(f"{mark} · {STEPS_ZH[each.step]} {each.step}: {each.what}", width(), "    ")
    return [*lines, *(fold(f"    → {each.remedy}", width(), "      ") if each.remedy else ())]
