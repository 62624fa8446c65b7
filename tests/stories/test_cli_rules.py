"""What a lawyer asks a rule pack at the command line, with no station anywhere."""

import json
import shutil
from datetime import datetime
from pathlib import Path

import pytest
from bwcdock.core.due import DueView
from cli_world import Told, is_one_sentence, run, run_all, well
from pydantic import TypeAdapter

RULES = Path(__file__).parents[2] / "config/rules"
SHAPE = """
    article basis basis_at clause counting counting[].assumed counting[].counted counting[].day counting[].why due
    earliest findings findings[].about findings[].code findings[].remedy findings[].severity findings[].what met_by pack
    findings[].remedy_zh findings[].title_zh findings[].what_zh
    quote regulation span unpublished
"""
"""What a reader may count on, as for the other commands: a key that is taken away breaks somebody's program."""


def due(*asked: object) -> dict:
    return json.loads(well("rules", "due", *asked, "--json"))


def keys(value: object, at: str = "") -> set[str]:
    if isinstance(value, dict):
        inner = {name: f"{at}.{name}" if at else name for name in value}
        return set(inner.values()).union(*(keys(value[name], where) for name, where in inner.items()))
    if isinstance(value, list):
        return set().union(*(keys(each, f"{at}[]") for each in value))
    return set()


def days(view: dict) -> list[tuple[str, bool, str]]:
    return [(day["day"], day["counted"], day["why"]) for day in view["counting"]]


# --- due --------------------------------------------------------------------------------------------------------------


def test_five_regulations_five_moments():
    """The same Friday evening under each of them."""
    expected = {
        "S0-siping-tiedong": ("2026-06-13T00:00:00+08:00", "第十三条"),
        "S1-dalian-jinpu": ("2026-06-13T18:30:00+08:00", "第二十一条"),
        "S2-guhan": ("2026-06-17T00:00:00+08:00", "第十五条"),
        "S3-twelfth-division": ("2026-06-13T00:00:00+08:00", "第十三条"),
        "S4-fuzhou": ("2026-06-13T18:30:00+08:00", "第十七条"),
    }
    asked = [["rules", "due", pack, "--end", "2026-06-12T18:30", "--json"] for pack in expected]
    for pack, told in zip(expected, run_all(asked), strict=True):
        view = json.loads(told.out)
        assert (view["due"], view["article"]) == expected[pack]
        assert view["quote"] in (RULES / f"{pack}.toml").read_text(encoding="utf-8")
        assert (view["basis"], view["findings"]) == ("recording_end", [])


def test_the_shape_is_the_typed_one_and_frozen():
    view = due("S4-fuzhou", "--end", "2026-12-31T18:00", "--extension", "unit-head", "--reason", "跨年执勤")
    TypeAdapter(DueView).validate_json(json.dumps(view))
    assert sorted(keys(view)) == sorted(SHAPE.split())
    for key in ("due", "earliest", "basis_at"):
        assert datetime.fromisoformat(view[key]).utcoffset() is not None


def test_every_day_is_counted_before_ones_eyes():
    asked = ["S2-guhan", "--end", "2026-02-13T17:00"]
    assert days(due(*asked)) == [
        ("2026-02-13", False, "start"),
        ("2026-02-14", True, "make_up"),
        *[(f"2026-02-{day}", False, "holiday") for day in range(15, 24)],
        ("2026-02-24", True, "working"),
    ]
    told = well("rules", "due", *asked)
    assert "2026-02-25T00:00:00+08:00 (24:00 of 2026-02-24)" in told
    assert "《古韩镇人民政府行政执法全过程记录制度》第十五条" in told
    assert "2个工作日内" in told
    assert "2026-02-14  Sat  1  调休上班 worked weekend day" in told
    assert "2026-02-15  Sun  -  节假日 holiday" in told


def test_hours_are_not_counted_in_days():
    assert due("S1-dalian-jinpu", "--end", "2026-06-12T18:30")["counting"] == []
    assert "hours run from the exact moment" in well("rules", "due", "S1-dalian-jinpu", "--end", "2026-06-12T18:30")


@pytest.mark.parametrize("ground", ["away", "异地", "异地执法办案", "remote", "continuous", "连续工作"])
def test_away_counts_from_the_return(ground):
    asked = ["S0-siping-tiedong", "--end", "2026-06-10T15:00", "--returned", "2026-06-12T09:00", "--ground", ground]
    view = due(*asked)
    assert (view["due"], view["basis"], view["clause"]) == ("2026-06-13T09:00:00+08:00", "returned", "away")
    assert "二十四小时内" in view["quote"]


def test_the_day_of_the_activity():
    view = due("S3-twelfth-division", "--end", "2026-06-10T23:30", "--activity-end", "2026-06-11T01:30")
    assert (view["due"], view["basis"]) == ("2026-06-12T00:00:00+08:00", "activity_end")


@pytest.mark.parametrize("role", ["unit-head", "unit_head", "本单位负责人"])
def test_an_extension_and_what_voids_it(role):
    asked = ["S4-fuzhou", "--end", "2026-06-12T18:30", "--extension", role, "--reason", "连续执法"]
    assert due(*asked)["due"] == "2026-06-17T00:00:00+08:00"
    barred = due(*asked, "--tag", "evidence", "--tag", "dispute")
    assert (barred["due"], barred["clause"]) == ("2026-06-13T18:30:00+08:00", "deadline")
    assert [finding["code"] for finding in barred["findings"]] == ["deadline.extension-refused"]
    late = due(*asked, "--granted", "2026-06-13T18:30")
    assert late["due"] == "2026-06-13T18:30:00+08:00"


def test_an_extension_without_a_reason_or_by_another_or_where_there_is_none_is_told():
    asked = [
        ["S4-fuzhou", "--end", "2026-06-12T18:30", "--extension", "unit-head"],
        ["S4-fuzhou", "--end", "2026-06-12T18:30", "--extension", "officer", "--reason", "连续执法"],
        ["S1-dalian-jinpu", "--end", "2026-06-12T18:30", "--extension", "unit-head", "--reason", "连续执法"],
        ["S2-guhan", "--end", "2026-06-12T18:30", "--extension", "unit-head", "--reason", "连续执法"],
    ]
    for told in run_all([["rules", "due", *each, "--json"] for each in asked]):
        view = json.loads(told.out)
        assert [finding["code"] for finding in view["findings"]] == ["deadline.extension-refused"]
        assert view["clause"] == "deadline"


def test_an_unpublished_year_is_said_loudly():
    asked = ["S2-guhan", "--end", "2051-03-03T10:00"]
    view = due(*asked)
    assert view["unpublished"] == [2051]
    assert [finding["code"] for finding in view["findings"]] == ["calendar.unpublished"]
    assert all(day["assumed"] for day in view["counting"][1:])
    told = well("rules", "due", *asked)
    assert "!!! 2051 年节假日安排未知 HOLIDAYS NOT PUBLISHED" in told
    assert told.count("(assumed: not published)") == len(view["counting"]) - 1


def test_a_holiday_notice_that_was_typed_in(tmp_path):
    path = tmp_path / "holidays.toml"
    path.write_text('[2051]\nholidays = [2051-01-01, 2051-03-06]\nworkdays = []\nsource = "通知"\n', encoding="utf-8")
    view = due("S2-guhan", "--end", "2051-03-03T10:00", "--holidays", path)
    assert (view["due"], view["unpublished"]) == ("2051-03-09T00:00:00+08:00", [])


def test_times_with_and_without_an_offset_are_the_same_moment():
    same = [due("S1-dalian-jinpu", "--end", end)["due"] for end in ("2026-06-12T18:30", "2026-06-12T10:30Z")]
    assert same == ["2026-06-13T18:30:00+08:00"] * 2


def test_docking_cuts_short_what_was_said():
    asked = ["S0-siping-tiedong", "--end", "2026-06-10T15:00", "--returned", "2026-06-14T09:00", "--ground", "remote"]
    assert due(*asked)["due"] == "2026-06-15T09:00:00+08:00"
    assert due(*asked, "--docked", "2026-06-12T09:20")["due"] == "2026-06-13T09:20:00+08:00"


END = "--end 2026-06-12T18:30"
WRONG = [
    ("S9", "There is no rule pack 'S9'"),
    ("nowhere/S4-fuzhou.toml", "cannot be read"),
    ("S4-fuzhou --tag quarrel", "There is no tag 'quarrel'. There are: guidance-only"),
    ("S0-siping-tiedong --returned 2026-06-13T09:00 --ground holiday", "no ground 'holiday'. There are: away"),
    ("S4-fuzhou --extension mayor --reason x", "There is no role 'mayor'"),
    ("S2-guhan --returned 2026-06-12T18:29 --ground away", "--returned lies before --end"),
    ("S2-guhan --returned 2026-06-13T18:29", "Add --ground"),
    ("S2-guhan --docked 2026-06-11T18:29", "--docked lies before --end"),
    ("S2-guhan --end yesterday", "--end 'yesterday' is no time"),
    ("S2-guhan --end 2026-06-12", "a time of day is needed"),
    ("S2-guhan --end 2026-02-30T10:00", "is no time"),
    ("S2-guhan --end 9999-12-31T23:00", "outside the years"),
    ("S2-guhan --end 0001-01-01T00:00+23:00", "outside the years"),
    ("S4-fuzhou --reason x", "Add --extension"),
    ("S4-fuzhou --holidays nowhere.toml", "nowhere.toml cannot be read"),
    ("", "PACK"),
]


def test_wrong_questions_are_one_sentence(tmp_path):
    asked = [f"rules due {END} {typed}".split() for typed, _ in WRONG]
    asked.append(["rules", "due", "S1-dalian-jinpu"])
    for (typed, said), told in zip([*WRONG, ("", "--end")], run_all(asked, cwd=tmp_path), strict=True):
        assert (typed, told.status, told.out) == (typed, 2, "")
        assert is_one_sentence(told.err), (typed, told.err)
        assert said in told.err, (typed, told.err)


# --- list, show, check ------------------------------------------------------------------------------------------------


def test_the_list_has_all_five():
    head, *rows = well("rules", "list").splitlines()
    assert head.split()[0] == "pack"
    assert [row.split()[0][:2] for row in rows] == ["S0", "S1", "S2", "S3", "S4"]
    assert "四平市铁东区城市管理行政执法局" in rows[0]
    assert "2 working days  60 months      第十五条" in rows[2]


@pytest.mark.parametrize("pack", sorted(path.stem for path in RULES.glob("*.toml")))
def test_a_pack_is_shown_with_every_quote(pack):
    shown = "".join(line.strip() for line in well("rules", "show", pack).splitlines())
    lines = (RULES / f"{pack}.toml").read_text(encoding="utf-8").splitlines()
    quotes = [line.partition(" = ")[2].strip('"') for line in lines if line.startswith("quote = ")]
    assert len(quotes) > 20
    assert [quote for quote in quotes if quote not in shown] == []


def test_a_pack_by_its_path(tmp_path):
    own = shutil.copy(RULES / "S4-fuzhou.toml", tmp_path / "S4-fuzhou.toml")
    text = own.read_text(encoding="utf-8")
    own.write_text(text.replace('unit = "hours", count = 24', 'unit = "hours", count = 12'), encoding="utf-8")
    assert "12 hours from recording_end" in well("rules", "show", own)
    assert due(own, "--end", "2026-06-12T18:30")["due"] == "2026-06-13T06:30:00+08:00"


def checked(path: Path, *more: object) -> Told:
    return run("rules", "check", path, *more)


def test_a_good_file_is_well(tmp_path):
    local = tmp_path / "local.toml"
    local.write_text('span = { unit = "same_day" }\nkeep_months = 72\n', encoding="utf-8")
    own = tmp_path / "bureau.toml"
    own.write_text("keep_months = 72\n", encoding="utf-8")
    asked = [[*sorted(RULES.glob("*.toml"))[:1]], [local], [own], [local, "--pack", "S2-guhan"]]
    for told in run_all([["rules", "check", *each] for each in asked]):
        assert (told.status, told.err) == (0, "")
        assert told.out.endswith(": well.\n")


def test_each_problem_of_a_pack_has_its_file_line_and_remedy(tmp_path):
    path = tmp_path / "S4-fuzhou.toml"
    text = (RULES / "S4-fuzhou.toml").read_text(encoding="utf-8")

    def line(of: str) -> int:
        return path.read_text(encoding="utf-8").splitlines().index(of) + 1

    path.write_text(
        text.replace("months = 24", "month = 24").replace("officers = 2", "officers = true"), encoding="utf-8"
    )
    told = checked(path)
    assert (told.status, told.err) == (2, "")
    assert f"{path}:{line('month = 24')}: retention[1].month" in told.out
    assert "Mend the file; docs/rules.md explains every key." in told.out
    barred = 'barred_by = ["dispte"]'
    path.write_text(text.replace('barred_by = ["dispute", "sudden-event"]', barred), encoding="utf-8")
    told = checked(path)
    assert told.status == 2
    assert told.out.startswith(f"{path}:{line(barred)}: The tag 'dispte' is used but not declared.")
    path.write_text(text.replace("[deadline]", "[deadline"), encoding="utf-8")
    assert f"{path}:{line('[deadline')} is not TOML" in checked(path).out
    shutil.copy(RULES / "S4-fuzhou.toml", tmp_path / "S9.toml")
    assert "Make name and file name agree." in checked(tmp_path / "S9.toml").out
    assert "cannot be read" in checked(tmp_path / "nowhere.toml").out


def test_what_a_bureau_loosens_is_named_with_its_article_and_line(tmp_path):
    path = tmp_path / "local.toml"
    path.write_text(
        '# ours\nkeep_months = 12\nextension_span = { unit = "working_days", count = 3 }\n'
        'span = { unit = "hours", count = 12 }\n',
        encoding="utf-8",
    )
    told = checked(path, "--pack", "S4-fuzhou")
    assert (told.status, told.err) == (2, "")
    assert sorted(line.partition(": ")[0] for line in told.out.splitlines()) == [f"{path}:2", f"{path}:3"]
    assert "第十九条第（一）项" in told.out
    assert "第十七条" in told.out
    assert checked(path).status == 0  # as a file it is well; only beside a pack it can be looser
    path.write_text("keep_years = 2\n", encoding="utf-8")
    assert checked(path).out.startswith(f"{path}:1: keep_years")
