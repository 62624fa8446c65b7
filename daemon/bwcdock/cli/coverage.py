"""The command rules coverage: every article of the station's pack, how it is met, and what shows that here (依据)."""

import argparse
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bwcdock import app, packs
from bwcdock.cli.common import WELL, fold, print_json, say, settings_of, width
from bwcdock.core.coverage import Covered, coverage
from bwcdock.ledger import Reader, open_read_only
from bwcdock.settings import Settings

BY_ZH = {"program": "程序完成", "support": "程序辅助、人完成", "people": "由人完成"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageView:
    """One clause for people: ``evidence`` is the newest entry that shows it, ``setting`` key and value."""

    id: str
    article: str
    quote: str
    by: str
    zh: str
    en: str
    setting: str = ""
    value: str = ""
    evidence: str = ""
    evidence_seq: int | None = None
    evidence_at: datetime | None = None


def show(asked: argparse.Namespace) -> int:
    """`bwcdock rules coverage`."""
    settings = settings_of(asked)
    pack = app.rule_pack(settings)[0]
    with open_read_only(settings.paths.ledger) as ledger:
        views = [_view(each, settings, ledger) for each in coverage(pack, packs.means())]
    if asked.json:
        print_json(views, list[CoverageView])
        return WELL
    zone = ZoneInfo(settings.station.zone)
    say(f"{pack.title} ({pack.name})")
    for view in views:
        say("", *fold(f"{view.article} [{BY_ZH[view.by]}] {view.quote}", width(), "    "))
        say(*fold(f"  {view.zh}", width(), "    "), *fold(f"  {view.en}", width(), "    "))
        if view.setting:
            say(f"  设置 / setting: {view.setting} = {view.value}")
        if view.by != "people":
            at = f"{view.evidence_at.astimezone(zone):%Y-%m-%d %H:%M}" if view.evidence_at else ""
            told = f"{view.evidence}, entry {view.evidence_seq}, {at}" if at else "尚无记录 / nothing yet"
            say(f"  最近依据 / latest evidence: {told}")
    counted = Counter(view.by for view in views)
    say("", ", ".join(f"{BY_ZH[by]} {counted[by]}" for by in BY_ZH) + f" / {len(views)}")
    return WELL


def _view(each: Covered, settings: Settings, ledger: Reader) -> CoverageView:
    shown = [entry for ev in each.means.evidence if (entry := ledger.last(ev))]
    newest = max(shown, key=lambda entry: entry.seq, default=None)
    return CoverageView(
        id=each.id,
        article=each.article,
        quote=each.quote,
        by=each.means.by,
        zh=each.means.zh,
        en=each.means.en,
        setting=each.means.setting,
        value=setting_of(settings, each.means.setting),
        evidence=newest.fact.ev if newest else "",
        evidence_seq=newest.seq if newest else None,
        evidence_at=newest.at if newest else None,
    )


def setting_of(settings: Settings, key: str) -> str:
    """The value of a key such as ``spool.scrub_days``; of each table where there are several."""
    if not key:
        return ""
    table, _, name = key.partition(".")
    chosen = getattr(settings, table)
    tables = chosen if isinstance(chosen, tuple) else (chosen,)
    return ", ".join(str(getattr(each, name)) for each in tables)
