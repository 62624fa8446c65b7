"""Every article of every pack has its answer, and every answer names what exists."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from bwcdock import packs, resources
from bwcdock.core.coverage import Covered, clauses, coverage
from bwcdock.core.rulepack import Archive, Away, Duty, Period
from bwcdock.core.vocabulary import ALL_FACTS
from bwcdock.desk.covering import setting_of
from bwcdock.settings import FolderSink, Settings

DATA = Path(__file__).resolve().parents[1] / "data"
RULES = resources.config_dir() / "rules"
PACKS = [packs.load(name, [RULES]) for name in packs.available([RULES])]
MEANS = packs.means()


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_every_clause_is_answered_in_the_order_of_its_articles(pack):
    told = coverage(pack, MEANS)
    assert len(told) == len(list(clauses(pack)))
    heads = [each.article.split("条")[0] for each in told]
    assert heads == list(dict.fromkeys(heads)) or _ordered(heads)


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_every_article_that_a_dock_carries_out_or_supports_is_among_them(pack):
    asked = tomllib.loads((DATA / "articles.toml").read_text(encoding="utf-8"))[pack.name]
    told = {each.article for each in coverage(pack, MEANS)}
    assert [article for article in asked if not any(each.startswith(article) for each in told)] == []


def _ordered(heads: list[str]) -> bool:
    """Each article stands together."""
    seen: list[str] = []
    for head in heads:
        if head not in seen:
            seen.append(head)
        elif seen[-1] != head:
            return False
    return True


def test_the_order_is_that_of_chinese_numbers():
    (pack,) = [pack for pack in PACKS if pack.name.startswith("S4")]
    heads = list(dict.fromkeys(each.article.split("条")[0] for each in coverage(pack, MEANS)))
    assert heads[:3] == ["第二", "第三", "第四"]
    assert heads[-2:] == ["第二十二", "第二十三"]
    assert heads.index("第九") < heads.index("第十") < heads.index("第十一") < heads.index("第二十")


NUMBERS = (
    "第二条", "第九条", "第十条", "第十一条", "第二十条", "第二十一条", "第二十一条第（三）项第4目",
    "第二十一条第（三）项第12目", "第二十一条第（十）项", "第九十九条", "第一百条", "第一百零二条", "第一百一十条",
    "第一百二十三条", "第二百零一条",
)  # fmt: skip


def test_articles_sort_as_they_are_counted():
    duties = tuple(Duty(id=f"d{at}", article=article, quote="…") for at, article in enumerate(NUMBERS))
    pack = replace(PACKS[0], duties=duties[::-1])
    means = MEANS | {duty.id: MEANS["deadline"] for duty in duties}
    told = [each for each in coverage(pack, means) if each.id.startswith("d") and each.id[1:].isdecimal()]
    assert told == [Covered(id=duty.id, article=duty.article, quote="…", means=MEANS["deadline"]) for duty in duties]


def test_every_part_of_a_pack_has_its_name():
    whole = next(pack for pack in PACKS if pack.name.startswith("S4"))
    ruled = {"article": "第一条", "quote": "…"}
    archive = Archive(**ruled, basis=("case_closed",), span=Period(unit="days", count=1))
    away = Away(**ruled, grounds=(), span=Period(unit="days", count=1))
    pack = replace(
        whole, retention=whole.retention[:1], archive=(archive,), checks=whole.checks[:1],
        approvals=whole.approvals[:2], sheets=whole.sheets[:1], equipment=whole.equipment[:1], duties=whole.duties[:1],
        deadline=replace(whole.deadline, away=away),
    )  # fmt: skip
    names = [
        "deadline", "deadline.away", "deadline.extension", "retention", "archive", "checks", "approvals", "approvals",
        "sheets", "equipment", "interruption", "unrecorded", "spot_check", pack.duties[0].id,
    ]  # fmt: skip
    assert all((pack.checks, pack.sheets, pack.equipment))
    assert [name for name, _ in clauses(pack)] == names
    assert dict(clauses(pack))["deadline.away"] is away


def test_no_answer_is_left_over():
    assert set(MEANS) == {name for pack in PACKS for name, _ in clauses(pack)}


@pytest.mark.parametrize("name", sorted(MEANS))
def test_what_an_answer_names_exists(name):
    means = MEANS[name]
    assert means.zh
    assert means.en.endswith(".")
    assert set(means.evidence) <= {fact.ev for fact in ALL_FACTS}
    assert (means.by == "people") <= (not means.evidence)
    assert not means.setting or setting_of(Settings(sink=(FolderSink(name="a", path="/a"),)), means.setting)


def test_a_clause_nobody_thought_of_is_an_error():
    with pytest.raises(KeyError):
        coverage(PACKS[0], {key: value for key, value in MEANS.items() if key != "deadline"})
