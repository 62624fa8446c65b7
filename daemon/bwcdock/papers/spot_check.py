"""抽查记录: how a sample was drawn, what was seen in each recording, and what that comes to."""

from bwcdock.core.desk.checking import SpotCheck
from bwcdock.core.names import show
from bwcdock.core.refusal import because
from bwcdock.errors import Misused
from bwcdock.papers.model import Field, Fields, Paper, Table
from bwcdock.papers.names import person
from bwcdock.papers.source import Asked, Source
from bwcdock.papers.words import between, moment


def build(source: Source, asked: Asked) -> Paper:
    """One spot check."""
    found = source.ledger.matter(SpotCheck, asked.subjects[0]) if len(asked.subjects) == 1 else None
    if found is None:
        why = because("paper.one-check", "This paper is of one spot check.")
        raise Misused("paper spot-check", why, "`bwcdock desk list check` shows them.")
    rule = source.pack.spot_check
    return Paper(
        title="抽查记录",
        number=f"{source.station}-{found.id}",
        unit=source.unit,
        station=source.station,
        made_at=source.local_now,
        blocks=(_drawn(source, found), _seen(source, found)),
        signatures=("抽查人", "被抽查单位"),
        proof=source.proof(found.entries, source.rules(rule) if rule else ()),
    )


def _drawn(source: Source, check: SpotCheck) -> Fields:
    score = check.score_percent
    rows = (
        Field(label="被抽查单位", value=check.unit),
        Field(label="录制期间", value=between(check.since_recorded, check.until_recorded, source.zone)),
        Field(label="抽取比例", value=f"{check.percent}%，{check.population} 个中抽取 {len(check.sample)} 个"),
        Field(label="种子", value=check.seed, note="按 SHA-256(种子:记录号) 由小到大取样，任何人可复核"),
        Field(label="总体摘要", value=check.population_digest, note="全部记录号排序后逐行计算的 SHA-256"),
        Field(label="抽取时间", value=moment(check.since, source.zone)),
        Field(label="得分", value=f"{score}%" if score is not None else "尚未评定"),
    )
    return Fields(title="抽样", rows=rows)


def _seen(source: Source, check: SpotCheck) -> Table:
    rows = []
    for record_id in check.sample:
        record = source.ledger.record(record_id)
        name = f"{record.recorder} {show(record.item.path)}" if record else record_id
        judged = next((each for each in check.judged if each.record == record_id), None)
        skipped = next((each for each in check.skipped if each.record == record_id), None)
        if judged:
            points = "\n".join(f"{'符合' if right else '不符合'}：{point}" for point, right in judged.points)
            rows.append((name, points, judged.remark or "—", person(source, judged.by)))
        elif skipped:
            rows.append((name, "未查看", skipped.reason, person(source, skipped.by)))
        else:
            rows.append((name, "待查看", "", ""))
    return Table(
        title="抽查结果", heads=("文件", "各项结果", "说明", "抽查人"), widths=(26, 40, 20, 14), rows=tuple(rows)
    )
