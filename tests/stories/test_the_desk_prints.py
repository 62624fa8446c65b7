"""Every paper of the desk, from facts alone: what it says, on whose word, under which article, under which head."""

from pathlib import Path

import pytest
from bwcdock import app
from bwcdock.errors import Misused
from bwcdock.papers import fonts, html, pdf, registry
from bwcdock.papers.model import Fields, Paper, Table
from bwcdock.papers.source import Asked
from desk_world import DEVICE, HEAD, OFFICER, OTHER, World, china


def built(world: World, kind: str, *subjects: str) -> Paper:
    """The paper, which also renders to a page without leaving anything out."""

    def ask(ledger):
        source = app.paper_source(world.bed.settings, ledger, world.clock.now())
        return registry.build(kind, source, Asked(subjects=subjects))

    paper = world.bed.ask(ask)
    page = html.render(paper).decode()
    for word in words(paper):
        assert word.splitlines()[0].replace("<", "&lt;") in page
    assert paper.proof.entries
    assert paper.proof.head_size
    assert paper.proof.head_size > 0
    return paper


def words(paper: Paper) -> list[str]:
    told = [paper.title, paper.number, *(rule.quote for rule in paper.proof.rules)]
    for block in paper.blocks:
        if isinstance(block, Fields):
            told += [row.value for row in block.rows if row.value]
        if isinstance(block, Table):
            told += [cell for row in block.rows for cell in row if cell]
    return told


def fields(paper: Paper) -> dict[str, str]:
    return {row.label: row.value for block in paper.blocks if isinstance(block, Fields) for row in block.rows}


def rows(paper: Paper, title: str) -> list[tuple[str, ...]]:
    (table,) = [block for block in paper.blocks if isinstance(block, Table) and block.title == title]
    return list(table.rows)


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """A late recording and a fresh one of an issued recorder."""
    world = World(tmp_path, "S4-fuzhou")
    world.issued()
    world.records("a.mp4", china("2026-03-02 10:00"))
    world.at("2026-03-04 12:00")
    world.records("b.mp4", china("2026-03-04 11:00"))
    await world.docks()
    return world


async def test_the_register_of_viewing_and_copying(world):
    """S4 第二十一条: 详细登记调阅人、复制人、审批人、时间、事由等事项."""
    said = {"access": "copy", "applicant": "赵警官", "records": [world.record("a.mp4").id], "reason": "案情研判"}
    request = world.does((OTHER, "officer"), "request-access", **said).matter
    world.does(world.head, "approve", request=request)
    world.does(world.custodian, "use-access", request=request, how="copied", who="赵警官", copies=2)
    paper = built(world, "access-register")
    ((at, of, who, how, copies, why, by),) = rows(paper, "调阅复制登记")
    assert (at, of, who, how, copies, why) == ("2026-03-04 12:00:00", request, "赵警官", "复制", "2", "案情研判")
    assert by == "王管理 (001)"
    ((_, _, _, _, approved, state),) = rows(paper, "申请与审批")
    assert approved == f"领导008 ({HEAD}) 本单位负责人 2026-03-04 12:00:00"
    assert state == "已批准"
    assert [rule.article for rule in paper.proof.rules] == ["第二十一条"]
    assert built(world, "access-register", request).blocks == paper.blocks
    with pytest.raises(Misused, match="no such request"):
        built(world, "access-register", "access-9")


async def test_why_it_was_late(world):
    record = world.record("a.mp4")
    done = world.does(world.officer, "explain", what="late", person=OFFICER, text="山路<塌方>", records=[record.id])
    before = fields(built(world, "late", done.matter))
    assert (before["说明人"], before["结论"], before["签批人"]) == ("李警官 (002)", "", "")
    world.does(world.head, "judge-explanation", explanation=done.matter, verdict="accept", note="属实")
    paper = built(world, "late", done.matter)
    assert fields(paper)["结论"] == "同意"
    assert fields(paper)["签批人"] == "领导008 (008) 本单位负责人"
    ((name, made, due, met, digest),) = rows(paper, "涉及文件")
    assert name == f"{DEVICE} a.mp4"
    assert made.startswith("2026-03-02 10:00:00 至 2026-03-02 10:01:00")
    assert (due[:13], met[:16]) == ("2026-03-03 10", "2026-03-04 12:00")
    assert digest == record.digests.sha256
    assert [rule.article for rule in paper.proof.rules] == ["第十七条"]
    with pytest.raises(Misused, match="one explanation"):
        built(world, "interruption", done.matter)


async def test_why_it_broke_off_and_why_nothing_was_recorded(world):
    record = world.record("b.mp4")
    said = {"person": OFFICER, "records": [record.id], "reported_to": "陈队长"}
    broke = world.does(world.officer, "explain", what="interruption", **said, reason="battery-low", spoken_in=record.id)
    paper = built(world, "interruption", broke.matter)
    told = fields(paper)
    assert (told["原因"], told["当时报告"], told["语音说明"]) == ("电量不足", "陈队长", f"有，见记录 {record.id}")
    assert [rule.article for rule in paper.proof.rules] == ["第十五条"]
    span = {"since": china("2026-03-03 08:00"), "until": china("2026-03-03 09:00")}
    none = world.does(
        world.officer,
        "explain",
        what="not_recorded",
        person=OFFICER,
        reason="secret",
        basis="第八条",
        text="涉密",
        **span,
    )
    told = fields(built(world, "unrecorded", none.matter))
    assert (told["原因"], told["依据"]) == ("涉及国家秘密、商业秘密或者个人隐私", "第八条")
    assert told["起止时间"] == "2026-03-03 08:00:00 至 2026-03-03 09:00:00"


async def test_the_register_of_issue_and_return(world):
    world.does(world.custodian, "return", device=DEVICE, note="完好")
    paper = built(world, "issues")
    ((what, to, at, checked, _, back, note, by),) = rows(paper, "领用与归还")
    assert (what, to, at, note, by) == (DEVICE, "李警官 (002)", "2026-03-02 09:00:00", "完好", "王管理 (001)")
    assert checked == "时钟、电量、存储空间、设备性能"
    assert back == "2026-03-04 12:00:00"
    assert "第十一条" in [rule.article for rule in paper.proof.rules]
    with pytest.raises(Misused, match="no such recorder"):
        built(world, "issues", "F9")


async def test_the_list_of_a_handover(world):
    world.does(world.officer, "open-case", case="罚7号", handler=OFFICER)
    done = world.does(world.custodian, "hand-over", giver=OFFICER, taker=OTHER)
    paper = built(world, "handover", done.matter)
    assert fields(paper)["接收人"] == "赵警官 (003)"
    assert rows(paper, "交接事项") == [("1", "执法记录仪", DEVICE), ("2", "未归档案件", "罚7号")]
    assert paper.signatures == ("移交人", "接收人", "监交人")


async def test_the_table_of_equipment(world):
    paper = built(world, "equipment")
    assert rows(paper, "按分队")[0] == ("一中队", "5", "1", "0", "3", "2", "第五条第（二）项")
    assert rows(paper, "按状态") == [("一中队", "在用", "1")]


async def test_the_record_of_a_spot_check(world):
    office = ("011", "supervision-office")
    world.does(world.custodian, "enter-person", person="011", name="监督处", roles=["supervision-office"])
    span = {"since": china("2026-03-01 00:00"), "until": china("2026-03-05 00:00")}
    check = world.does(office, "draw-check", unit="unit", **span, percent=100, seed="公布的种子").matter
    first, second = [record.id for record in world.bed.records()]
    world.does(office, "judge-check", check=check, record=first, wrong=[1])
    world.does(office, "skip-check", check=check, record=second, reason="涉密")
    paper = built(world, "spot-check", check)
    told = fields(paper)
    assert (told["种子"], told["得分"], told["抽取比例"]) == ("公布的种子", "75%", "100%，2 个中抽取 2 个")
    results = {name: result for name, result, _, _ in rows(paper, "抽查结果")}
    assert results[f"{DEVICE} a.mp4"].startswith("不符合：是否按照规定对执法活动进行视音频记录\n符合：")
    assert results[f"{DEVICE} b.mp4"] == "未查看"


@pytest.mark.skipif(not any(path.is_file() for path in fonts.PLACES), reason=f"needs {fonts.PACKAGE}")
async def test_the_pages_can_be_printed(world):
    """Where a Chinese font is installed, as PDF too."""
    font = fonts.find(world.bed.settings.papers.font)
    for kind in ("equipment", "issues"):
        assert pdf.render(built(world, kind), font).startswith(b"%PDF-")


def test_every_paper_is_in_the_help(capsys):
    from bwcdock.cli.usage import parser

    with pytest.raises(SystemExit):
        parser().parse_args(["paper", "--help"])
    told = capsys.readouterr().out.replace("\n", "").replace(" ", "")
    assert all(f"`{kind.id}`" in told for kind in registry.KINDS)
