"""How each clause of the station's pack is met here: by what, under which setting, and what shows it (依据)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bwcdock import packs
from bwcdock.core.coverage import Covered, coverage
from bwcdock.core.rulepack import RulePack
from bwcdock.ledger import Reader
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


def views(pack: RulePack, settings: Settings, ledger: Reader) -> list[CoverageView]:
    """Every clause of the pack, in the order of its articles."""
    return [_view(each, settings, ledger) for each in coverage(pack, packs.means())]


def counted(found: list[CoverageView]) -> Mapping[str, int]:
    """How many clauses are met by the program, with its support, and by people alone."""
    by = Counter(view.by for view in found)
    return {word: by[word] for word in BY_ZH}


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
