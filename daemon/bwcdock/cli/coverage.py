"""The command rules coverage: every article of the station's pack, how it is met, and what shows that here (依据)."""

import argparse
from zoneinfo import ZoneInfo

from bwcdock import app
from bwcdock.cli.common import WELL, fold, print_json, say, settings_of, width
from bwcdock.desk.covering import BY_ZH, CoverageView, counted, views
from bwcdock.ledger import open_read_only


def show(asked: argparse.Namespace) -> int:
    """`bwcdock rules coverage`."""
    settings = settings_of(asked)
    pack = app.rule_pack(settings)[0]
    with open_read_only(settings.paths.ledger) as ledger:
        found = views(pack, settings, ledger)
    if asked.json:
        print_json(found, list[CoverageView])
        return WELL
    zone = ZoneInfo(settings.station.zone)
    say(f"{pack.title} ({pack.name})")
    for view in found:
        say("", *fold(f"{view.article} [{BY_ZH[view.by]}] {view.quote}", width(), "    "))
        say(*fold(f"  {view.zh}", width(), "    "), *fold(f"  {view.en}", width(), "    "))
        if view.setting:
            say(f"  设置 / setting: {view.setting} = {view.value}")
        if view.by != "people":
            at = f"{view.evidence_at.astimezone(zone):%Y-%m-%d %H:%M}" if view.evidence_at else ""
            told = f"{view.evidence}, entry {view.evidence_seq}, {at}" if at else "尚无记录 / nothing yet"
            say(f"  最近依据 / latest evidence: {told}")
    say("", ", ".join(f"{BY_ZH[by]} {count}" for by, count in counted(found).items()) + f" / {len(found)}")
    return WELL
