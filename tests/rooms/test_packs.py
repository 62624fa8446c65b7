"""The shipped packs say what the regulations say, word for word; a wrong file is refused by name, line and key."""

import dataclasses
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from bwcdock import packs
from bwcdock.core.calendar import Why
from bwcdock.core.local import Local
from bwcdock.core.rulepack import Keep, Period, Ruled, RulePack
from bwcdock.errors import Misused
from bwcdock.holidays_cn import build

ROOT = Path(__file__).parents[2]
RULES = ROOT / "config/rules"
TEXTS = ROOT / "tests/data/regulations"
NAMES = packs.available([RULES])


def ruled(value: object) -> Iterator[Ruled]:
    """Every rule inside a pack, however deep."""
    if isinstance(value, Ruled):
        yield value
    if isinstance(value, tuple):
        for each in value:
            yield from ruled(each)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from ruled(getattr(value, field.name))


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def articles(text: str) -> dict[str, str]:
    """The regulation cut at the lines that begin an article."""
    parts = re.split(r"(?m)^(第[一二三四五六七八九十]+条)", text)
    return {name: squeezed(body) for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def test_both_packs_are_shipped():
    assert {"S1-dalian-jinpu", "S4-fuzhou"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_quote_stands_in_its_article(name: str):
    pack = packs.load(name, [RULES])
    law = articles((TEXTS / f"{name}.txt").read_text(encoding="utf-8"))
    rules = list(ruled(pack))
    assert len(rules) > 20
    for rule in rules:
        article = re.match(r"第[一二三四五六七八九十]+条", rule.article)
        assert article, rule.article
        assert squeezed(rule.quote) in law[article[0]], f"{rule.article}: {rule.quote}"


@pytest.mark.parametrize("name", NAMES)
def test_the_words_officers_choose_from_are_the_regulations_own(name: str):
    """Fields, spot-check points, stores and roles are copied, never paraphrased."""
    pack = packs.load(name, [RULES])
    law = squeezed((TEXTS / f"{name}.txt").read_text(encoding="utf-8"))
    words = [field for sheet in pack.sheets for field in sheet.fields]
    words += pack.spot_check.points if pack.spot_check else ()
    words += pack.deadline.stores
    words += [role.label for role in pack.roles]
    words += [word for duty in pack.duties for word in duty.words]
    for word in words:
        assert word in law, word


def test_s1_is_what_the_regulation_says():
    pack = packs.load("S1-dalian-jinpu", [RULES])
    assert pack.deadline.span == Period(unit="hours", count=24)
    assert (pack.deadline.away, pack.deadline.extension, pack.deadline.met_by) == (None, None, "sealed")
    assert pack.floor.months == 12
    assert [rule.keep for rule in pack.retention if rule.tags] == [Keep.LONG_TERM] * 4
    assert pack.archive[0].span == Period(unit="working_days", count=30)


def test_s4_is_what_the_regulation_says():
    pack = packs.load("S4-fuzhou", [RULES])
    assert pack.deadline.span == Period(unit="hours", count=24)
    extension = pack.deadline.extension
    assert extension is not None
    assert (extension.by, extension.span) == (("unit-head",), Period(unit="working_days", count=2))
    assert set(extension.barred_by) == {"dispute", "sudden-event"}
    assert (pack.floor.months, pack.floor.only) == (24, "guidance-only")
    assert [rule.keep for rule in pack.retention].count(Keep.PERMANENT) == 6
    assert pack.archive[0].span == Period(unit="days", count=30)
    assert set(pack.checks[0].what) == {"works", "battery", "storage", "clock"}


# --- wrong files -----------------------------------------------------------------------------------------------------


def altered(folder: Path, old: str, new: str) -> str:
    """A copy of S4 with one thing changed; the line the change stands on."""
    text = (RULES / "S4-fuzhou.toml").read_text(encoding="utf-8")
    assert text.count(old) >= 1
    (folder / "S4-fuzhou.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    return str(text[: text.index(old)].count("\n") + 1)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('unit = "hours", count = 24', 'unit = "hours", count = 24, hour = 1', "deadline.span"),
        ('unit = "hours", count = 24', 'unit = "weeks", count = 24', "deadline.span.unit"),
        ('unit = "hours", count = 24', 'unit = "hours", count = 0', "deadline.span"),
        ("barred_by = [", "bared_by = [", "deadline.extension.bared_by"),
        ('met_by = "sealed"', 'met_by = "copied"', "deadline.met_by"),
        ("months = 24", 'months = "two years"', "retention[1].months"),
        ("officers = 2", "officer = 2", "equipment[1].officer"),
    ],
)
def test_a_wrong_pack_is_refused_with_line_and_key(tmp_path: Path, old: str, new: str, key: str):
    line = altered(tmp_path, old, new)
    with pytest.raises(Misused) as caught:
        packs.load("S4-fuzhou", [tmp_path])
    assert f"S4-fuzhou.toml:{line}: {key}" in caught.value.what
    assert caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('barred_by = ["dispute"', 'barred_by = ["dispte"', "'dispte' is used but not declared"),
        ('by = ["unit-head"]', 'by = ["head"]', "'head' is used but not declared"),
        ('{ id = "mass-event"', '{ id = "dispute"', "declared twice"),
        ("only =", 'tags = ["dispute"]\nonly =', "exactly one retention class without tags"),
        ('quote = "音像记录应在', 'quote = ""\n# ', "needs its article and its quote"),
        ('quote = "执法检查时', 'quote = ""\n# ', "needs its article and its quote"),
        ('name = "S4-fuzhou"', 'name = "S4"', "calls itself 'S4'"),
        ('name = "S4-fuzhou"', 'name = "S4-fuzhou"\ndigest = "0"', "sets digest"),
        ("[deadline]", "[deadline", "is not TOML"),
    ],
)
def test_a_pack_that_contradicts_itself_is_refused(tmp_path: Path, old: str, new: str, said: str):
    altered(tmp_path, old, new)
    with pytest.raises(Misused, match=re.escape(said)):
        packs.load("S4-fuzhou", [tmp_path])


def test_an_unknown_name_lists_the_known_ones_and_is_never_a_path(tmp_path: Path):
    for name in ("S9", "../rules/S4-fuzhou", str(RULES / "S4-fuzhou"), ""):
        with pytest.raises(Misused) as caught:
            packs.load(name, [tmp_path / "absent", RULES])
        assert "S4-fuzhou" in caught.value.hint


def test_the_first_directory_wins_and_the_digest_is_the_files(tmp_path: Path):
    altered(tmp_path, "months = 24", "months = 36")
    own, shipped = packs.load("S4-fuzhou", [tmp_path, RULES]), packs.load("S4-fuzhou", [RULES, tmp_path])
    assert (own.floor.months, shipped.floor.months) == (36, 24)
    assert own.digest != shipped.digest
    assert isinstance(own, RulePack)


def test_a_bureaus_own_settings_are_read(tmp_path: Path):
    path = tmp_path / "local.toml"
    path.write_text('span = { unit = "hours", count = 12 }\nkeep_months = 36\n', encoding="utf-8")
    assert packs.load_local(path) == Local(span=Period(unit="hours", count=12), keep_months=36)
    path.write_text("keep_month = 36\n", encoding="utf-8")
    with pytest.raises(Misused, match=r"local\.toml:1: keep_month"):
        packs.load_local(path)
    with pytest.raises(Misused, match="cannot be read"):
        packs.load_local(tmp_path / "absent.toml")


# --- holidays --------------------------------------------------------------------------------------------------------


def test_the_package_knows_the_published_years():
    calendar = build("Asia/Shanghai")
    assert {2025, 2026} <= {year.year for year in calendar.years}
    assert calendar.day(date(2026, 2, 14)).why is Why.MAKE_UP
    assert calendar.day(date(2026, 2, 23)).why is Why.HOLIDAY
    assert calendar.source(2026).startswith("chinesecalendar ")
    assert calendar.source(1999) == ""


def test_the_shipped_file_is_empty_and_its_example_is_valid(tmp_path: Path):
    shipped = ROOT / "config/holidays.toml"
    assert build("Asia/Shanghai", shipped) == build("Asia/Shanghai")
    lines = shipped.read_text(encoding="utf-8").split("and are no notice:")[1].splitlines()
    example = tmp_path / "holidays.toml"
    example.write_text("\n".join(line.lstrip("# ") for line in lines), encoding="utf-8")
    calendar = build("Asia/Shanghai", example)
    assert calendar.day(date(2026, 12, 27)).why is Why.MAKE_UP
    assert calendar.source(2027).startswith("国办发明电")


def test_a_year_in_the_file_replaces_the_packages_year_whole(tmp_path: Path):
    path = tmp_path / "holidays.toml"
    path.write_text('[2026]\nholidays = [2026-01-01]\nworkdays = []\nsource = "更正"\n', encoding="utf-8")
    calendar = build("Asia/Shanghai", path)
    assert calendar.day(date(2026, 10, 1)).why is Why.WORKING
    assert calendar.day(date(2025, 10, 1)).why is Why.HOLIDAY
    assert calendar.source(2026) == "更正"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("holidays = []", "2027.holidays"),
        ("holidays = [2027-01-01]\nextra = 1", "2027.extra"),
        ("holidays = [2027-13-01]", "is not TOML"),
        ('holidays = ["New Year"]', "holidays.toml:4: 2027.holidays[1]"),
        ("holidays = [2027-01-02]\n", "2027-01-02 is both"),
        ("holidays = [2028-01-01]", "2028-01-01 does not belong to the notice of 2027"),
        ("holidays = [2026-12-25]", "2026-12-25 does not belong to the notice of 2027"),
    ],
)
def test_a_wrong_holidays_file_is_refused(tmp_path: Path, body: str, said: str):
    path = tmp_path / "holidays.toml"
    path.write_text(f'[2027]\nworkdays = [2027-01-02]\nsource = "x"\n{body}\n', encoding="utf-8")
    with pytest.raises(Misused) as caught:
        build("Asia/Shanghai", path)
    assert said in caught.value.what


def test_a_workday_is_a_weekend_day(tmp_path: Path):
    path = tmp_path / "holidays.toml"
    path.write_text('[2027]\nholidays = [2027-01-01]\nworkdays = [2027-01-04]\nsource = "x"\n', encoding="utf-8")
    with pytest.raises(Misused, match="2027-01-04 is no Saturday or Sunday"):
        build("Asia/Shanghai", path)


def test_an_unknown_zone_is_refused():
    for zone in ("Asia/Peking", "", "../etc"):
        with pytest.raises(Misused, match="time zone"):
            build(zone)
