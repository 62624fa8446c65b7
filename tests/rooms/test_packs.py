"""The shipped packs say what the regulations say, word for word; a wrong file is refused by name, line and key."""

import dataclasses
import re
import tomllib
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


def whole(text: str) -> str:
    """The words without the line breaks between them."""
    return text.replace("\n", "")


NUMBERS = "一二三四五六七八九十"
ARTICLE = re.compile(rf"(第[{NUMBERS}]+条)(?:第([{NUMBERS}])款)?(?:第([（(][{NUMBERS}][)）])项)?(?:第(\d)目)?")
ITEM = re.compile(rf"(?:- )?([（(][{NUMBERS}][)）])")
"""第（一）项 begins so; what it introduces (目) begins with a digit."""


def articles(text: str) -> dict[str, list[str]]:
    """The regulation cut at the lines that begin an article; a line that ends within a sentence goes on in the next."""
    text = re.sub(r"(?<![。；;：:])\n(?!第|[（(][一二]|\d\.)", "", text)
    parts = re.split(rf"(?m)^(第[{NUMBERS}]+条)", text)
    return {name: body.strip().splitlines() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def place(law: dict[str, list[str]], article: str) -> str:
    """The text of an article, or of its paragraph (款), item (项) and sub-item (目) where these are named."""
    named = ARTICLE.fullmatch(article)
    assert named, article
    lines = law[named[1]]
    if named[2]:
        begins = [at for at, line in enumerate(lines) if not ITEM.match(line) and not line[0].isdigit()]
        at = NUMBERS.index(named[2])
        lines = lines[begins[at] : [*begins, len(lines)][at + 1]]
    if named[3]:
        begins = [at for at, line in enumerate(lines) if ITEM.match(line) or not line[0].isdigit()]
        at = next(at for at in begins if lines[at].removeprefix("- ").startswith(named[3]))
        lines = lines[at : next((later for later in begins if later > at), len(lines))]
    if named[4]:
        lines = [line for line in lines if line.startswith(f"{named[4]}.")]
    return "".join(lines)


def law_of(name: str) -> dict[str, list[str]]:
    return articles((TEXTS / f"{name}.txt").read_text(encoding="utf-8"))


def test_all_five_packs_are_shipped():
    assert NAMES == ("S0-siping-tiedong", "S1-dalian-jinpu", "S2-guhan", "S3-twelfth-division", "S4-fuzhou")


def test_the_texts_are_whole():
    assert [len(law_of(name)) for name in NAMES] == [20, 28, 29, 22, 24]


@pytest.mark.parametrize("name", NAMES)
def test_every_quote_stands_in_its_article(name: str):
    """Character by character, and in the paragraph, item and sub-item it is cited from."""
    law = law_of(name)
    rules = list(ruled(packs.load(name, [RULES])))
    assert len(rules) > 20
    for rule in rules:
        assert rule.quote in place(law, rule.article), f"{rule.article}: {rule.quote}"


@pytest.mark.parametrize("name", NAMES)
def test_every_article_the_dock_carries_out_is_in_its_pack(name: str):
    table = tomllib.loads((ROOT / "tests/data/articles.toml").read_text(encoding="utf-8"))
    assert tuple(table) == NAMES
    named = {rule.article for rule in ruled(packs.load(name, [RULES]))}
    missing = [article for article in table[name] if not any(each.startswith(article) for each in named)]
    assert missing == []
    assert all(place(law_of(name), article) for article in table[name])


def test_one_idea_has_one_id_in_all_packs():
    """A tag, a ground or a reason means the same everywhere: its labels share a word."""
    words = {
        "dispute": "冲突", "sudden-event": "突发", "mass-event": "群体性", "evidence": "证据", "complaint": "投诉",
        "review": "复议", "suit": "诉讼", "objection": "异议", "obstruction": "阻", "major-case": "复杂",
        "secret": "秘密", "privacy": "隐私", "unrelated": "无关", "case": "案",
        "away": "异地", "continuous": "连续工作", "remote": "交通不便",
    }  # fmt: skip
    used: dict[str, int] = {}
    for pack in (packs.load(name, [RULES]) for name in NAMES):
        grounds = pack.deadline.away.grounds if pack.deadline.away else ()
        for term in (*pack.tags, *grounds):
            used[term.id] = used.get(term.id, 0) + 1
            assert words.get(term.id, "") in term.label, (pack.name, term)
    assert {each for each, count in used.items() if count > 1} <= set(words)


@pytest.mark.parametrize("name", NAMES)
def test_the_words_officers_choose_from_are_the_regulations_own(name: str):
    """Fields, spot-check points, stores and roles are copied, never paraphrased."""
    pack = packs.load(name, [RULES])
    law = whole((TEXTS / f"{name}.txt").read_text(encoding="utf-8"))
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


@pytest.mark.parametrize(
    ("name", "months", "others"),
    [("S0-siping-tiedong", 6, [Keep.LONG_TERM] * 5), ("S3-twelfth-division", 12, [Keep.CASE_FILE])],
)
def test_s0_and_s3_are_what_the_regulations_say(name: str, months: int, others: list[Keep]):
    pack = packs.load(name, [RULES])
    assert (pack.deadline.basis, pack.deadline.span) == ("activity_end", Period(unit="same_day"))
    assert (pack.deadline.met_by, pack.deadline.extension, pack.archive) == ("sealed", None, ())
    assert pack.deadline.away is not None
    assert pack.deadline.away.span == Period(unit="hours", count=24)
    assert {ground.id for ground in pack.deadline.away.grounds} == {"continuous", "away", "remote"}
    assert pack.floor.months == months
    assert [rule.keep for rule in pack.retention if rule.tags] == others
    assert {"battery", "storage", "clock"} <= set(pack.checks[0].what)
    (evidence,) = (sheet for sheet in pack.sheets if sheet.id == "evidence")
    assert evidence.fields == ("制作人", "提取人", "提取时间")


def test_s0_asks_the_main_leader_where_it_is_sensitive():
    chains = {(rule.act, rule.when): rule.chain for rule in packs.load("S0-siping-tiedong", [RULES]).approvals}
    assert chains["view_outside", ""] == ("legal-section", "bureau-deputy")
    assert chains["view_outside", "sensitive"] == ("legal-section", "bureau-deputy", "bureau-head")


def test_s2_is_what_the_regulation_says():
    pack = packs.load("S2-guhan", [RULES])
    two = Period(unit="working_days", count=2)
    assert (pack.deadline.basis, pack.deadline.span, pack.deadline.met_by) == ("recording_end", two, "confirmed")
    assert pack.deadline.away is not None
    assert pack.deadline.away.span == two
    assert (pack.floor.months, {rule.keep for rule in pack.retention}) == (
        60,
        {Keep.MONTHS, Keep.CASE_FILE, Keep.LONG_TERM},
    )
    (archive,) = pack.archive
    assert (set(archive.basis), archive.span) == (
        {"inspection_ended", "case_closed"},
        Period(unit="working_days", count=30),
    )
    assert set(pack.checks[0].what) == {"works", "battery", "storage"}
    assert pack.interruption is not None
    assert pack.interruption.report_to == ""


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
