"""What is refused is said in the language of the page: by its code, by the catalogue, or by what it is at least."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bwcdock.core.refusal import Refusal, because
from bwcdock.desk import line, refusing
from bwcdock.errors import BwcdockError, LedgerBroken, Misused, NotAllowed, Unreachable
from bwcdock.web.accounts.hashing import LENGTH
from bwcdock.web.house import House
from bwcdock.web.refusing import Told, told
from desk_world import CHINA
from web_world import house_of, world_in

AT = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = house_of(world_in(tmp_path))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("why", "what"),
    [
        (because("matter.none", "x", kind="device", id="F1"), "没有编号为“F1”的执法记录仪。"),
        (
            because("matter.state", "x", kind="trip", id="trip-1", state="back", ev="trip.ended"),
            "外出“trip-1”现为“已返回”，不能再办理“返回登记”。",
        ),
        (
            because("device.issued", "x", device="F1", person="002", since=AT),
            "记录仪F1已于2026-03-01 12:30由002领用。",
        ),
        (
            because("role.may-not", "x", role="officer", act="issue", roles=("leader", "other")),
            "执法人员不能办理“领用”。",
        ),
        (
            because("issue.unchecked", "x", article="第九条", checks=["clock", "works"]),
            "第九条要求领用前检查，尚未检查：时钟、设备性能。",
        ),
        (
            because("expiry.kept", "x", path="{article} a.mp4", why="kept.hold", hold="hold-1", reason="{why}"),
            "“{article} a.mp4”不得销毁：留存hold-1要求保留：{why}",
        ),
        (because("view.unsealed", "x", record="ab" * 32, record_state="listed"), "录像abababababab现为“未采集”"),
        (because("act.wrong", "x", act="issue", fields=["to:missing", ":extra_forbidden"]), "“领用人”未填写；“所填"),
    ],
)
def test_a_code_is_said_with_its_values_as_officers_read_them(why: Refusal, what: str) -> None:
    said = refusing.refused(why, zone=CHINA, roles={"officer": "执法人员", "leader": "负责人"})
    assert said is not None
    assert said.what.startswith(what)
    assert said.do


def test_roles_are_told_by_the_words_of_the_pack_and_nobody_as_nobody() -> None:
    why = because("role.may-not", "x", role="officer", act="issue", roles=("leader", "other"))
    nobody = because("role.may-not", "x", role="officer", act="issue", roles=())
    told_of = [refusing.refused(each, roles={"leader": "负责人"}) for each in (why, nobody)]
    assert [each.do.partition("；")[0] for each in told_of if each] == [
        "可以办理的职责：负责人、other",
        "可以办理的职责：无",
    ]


@pytest.mark.parametrize(
    "why",
    [
        Refusal(code="nobody.knows", what="x"),
        Refusal(code="matter.none", what="x"),
        because("device.issued", "x", device="F1", person="002", since="noon"),
        because("view.unsealed", "x", record="a", record_state="odd"),
        because("expiry.kept", "x", path="a", why="nobody.knows"),
    ],
)
def test_what_another_version_says_otherwise_is_not_said_by_halves(why: Refusal) -> None:
    assert refusing.refused(why) is None


def test_a_page_says_it_in_its_own_language(house: House) -> None:
    error = Misused("desk", because("check.percent", "The share of a spot check is 1 to 100 percent."), "Do it.")
    assert told(error, "en", house) == Told("The share of a spot check is 1 to 100 percent.", "Do it.")
    assert told(error, "zh", house) == Told("抽取比例应为百分之 1 至 100。", "请核对后重新填写；未作任何更改。")
    assert told(error.why, "zh", house).what == "抽取比例应为百分之 1 至 100。"


def test_what_the_pages_say_themselves_is_said_by_their_catalogue(house: House) -> None:
    assert told(LENGTH, "zh", house) == told(Misused("set a password", LENGTH, "No hint."), "zh", house)
    assert told(LENGTH, "zh", house).what != LENGTH
    assert told(LENGTH, "en", house).what == LENGTH


@pytest.mark.parametrize("kind", [Misused, NotAllowed, Unreachable, LedgerBroken, BwcdockError])
def test_what_has_no_words_is_told_by_its_kind_with_the_english_beside_it(
    house: House, kind: type[BwcdockError]
) -> None:
    said = told(kind("do", "A leaf has fallen.", "Pick it up."), "zh", house)
    assert said.what.endswith("。")
    assert said.english == "A leaf has fallen. Pick it up."


def test_a_refusal_goes_over_the_line_whole() -> None:
    why = because("device.issued", "F1 is issued.", device="F1", person="002", since=AT)
    sent = json.loads(json.dumps(line.problem(NotAllowed("desk", why, "Wait."))))
    assert sent["what"] == "F1 is issued."
    assert sent["code"] == "device.issued"
