"""交接清单: what a person who transfers leaves to another, as it stood when the handover was entered."""

from bwcdock.core.desk.people import Handover
from bwcdock.core.refusal import because
from bwcdock.errors import Misused
from bwcdock.papers.model import Field, Fields, Paper, Table
from bwcdock.papers.names import person
from bwcdock.papers.source import Asked, Source
from bwcdock.papers.words import moment

SORT_ZH = {
    "recorder": "执法记录仪",
    "recording": "未移交资料",
    "trip": "未登记返回的外出",
    "explanation": "未签批的说明",
    "case": "未归档案件",
    "request": "未办结的申请",
}


def build(source: Source, asked: Asked) -> Paper:
    """One handover."""
    found = source.ledger.matter(Handover, asked.subjects[0]) if len(asked.subjects) == 1 else None
    if found is None:
        why = because("paper.one-handover", "This paper is of one handover.")
        raise Misused("paper handover", why, "`bwcdock desk list handover` shows them.")
    who = Fields(
        title="交接双方",
        rows=(
            Field(label="移交人", value=person(source, found.giver)),
            Field(label="接收人", value=person(source, found.taker)),
            Field(label="登记人", value=person(source, found.by)),
            Field(label="交接时间", value=moment(found.at, source.zone)),
        ),
    )
    rows = tuple((str(number), *_line(line)) for number, line in enumerate(found.left_open, 1))
    table = Table(
        title="交接事项",
        heads=("序号", "类别", "内容"),
        widths=(8, 22, 70),
        rows=rows,
        note="" if rows else "没有未了事项。",
    )
    return Paper(
        title="交接清单",
        number=f"{source.station}-{found.id}",
        unit=source.unit,
        station=source.station,
        made_at=source.local_now,
        blocks=(who, table),
        signatures=("移交人", "接收人", "监交人"),
        proof=source.proof(
            found.entries, source.rules(*(duty for duty in source.pack.duties if duty.id == "handover"))
        ),
    )


def _line(line: str) -> tuple[str, str]:
    sort, _, rest = line.partition(" ")
    return (SORT_ZH[sort], rest) if sort in SORT_ZH else ("其他", line)
