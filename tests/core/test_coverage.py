"""Every article of every pack has its answer, and every answer names what exists."""

import tomllib
from pathlib import Path

import pytest
from bwcdock import packs, resources
from bwcdock.core.coverage import clauses, coverage
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
