"""逾期说明、中断记录说明、未记录工作记录: what a person explained in writing, and who accepted it."""

from bwcdock.core.desk.explaining import Explanation, reasons
from bwcdock.core.names import show
from bwcdock.core.record import Record
from bwcdock.core.refusal import because
from bwcdock.core.rulepack import Ruled
from bwcdock.core.statements import Explained
from bwcdock.core.words_zh.desk import MATTER_STATE_ZH
from bwcdock.errors import Misused
from bwcdock.papers.model import Block, Field, Fields, Paper, Table, Text
from bwcdock.papers.names import person, role
from bwcdock.papers.source import Asked, Source
from bwcdock.papers.words import between, moment

TITLE_ZH: dict[Explained, str] = {
    "late": "逾期移交说明",
    "interruption": "中断记录说明",
    "not_recorded": "未记录工作记录",
    "device_fault": "设备故障说明",
}


def late(source: Source, asked: Asked) -> Paper:
    """Why footage was offloaded after it was due."""
    return _build(source, asked, "late", "device_fault")


def interruption(source: Source, asked: Asked) -> Paper:
    """Why a recording broke off (书面说明情况)."""
    return _build(source, asked, "interruption", "device_fault")


def unrecorded(source: Source, asked: Asked) -> Paper:
    """Why an activity was not recorded: reason and basis (原因和依据)."""
    return _build(source, asked, "not_recorded")


def _build(source: Source, asked: Asked, *kinds: Explained) -> Paper:
    found = source.ledger.matter(Explanation, asked.subjects[0]) if len(asked.subjects) == 1 else None
    if found is None or found.what not in kinds:
        what = f"This paper is of one explanation ({', '.join(kinds)})."
        why = because("paper.one-explanation", what)
        raise Misused("paper", why, "Name one; `bwcdock desk list explanation` shows them.")
    records = [record for rid in found.records if (record := source.ledger.record(rid))]
    blocks: list[Block] = [_who(source, found), Text(title="情况说明", text=found.text)]
    if records:
        blocks.append(_records(source, records))
    if found.facts:
        blocks.append(Text(title="采集站自身记录的相关情况", text="\n".join(found.facts)))
    blocks.append(_judged(source, found))
    return Paper(
        title=TITLE_ZH[found.what],
        number=f"{source.station}-{found.id}",
        unit=source.unit,
        station=source.station,
        made_at=source.local_now,
        blocks=tuple(blocks),
        signatures=("说明人", *source.roles([found.judged_as] if found.judged_as else ["签批人"])),
        proof=source.proof(found.entries, source.rules(*_ruled(source, found))),
    )


def _who(source: Source, told: Explanation) -> Fields:
    terms = {term.id: term.label for term in reasons(source.pack, told.what)}
    rows = [
        Field(label="说明人", value=person(source, told.person)),
        Field(label="填写人", value=person(source, told.written_by)),
        Field(label="填写时间", value=moment(told.since, source.zone)),
        Field(label="执法记录仪", value=told.device),
        Field(label="起止时间", value=between(told.since_when, told.until_when, source.zone)),
        Field(label="原因", value=terms.get(told.reason, told.reason)),
    ]
    if told.what == "not_recorded":
        rows.append(Field(label="依据", value=told.basis))
    if told.what == "interruption":
        rows.append(Field(label="语音说明", value=f"有，见记录 {told.spoken_in}" if told.spoken else "无"))
        rows.append(Field(label="当时报告", value=told.reported_to))
    return Fields(title="基本情况", rows=tuple(rows))


def _records(source: Source, records: list[Record]) -> Table:
    rows = tuple(
        (
            f"{record.recorder} {show(record.item.path)}",
            between(record.corrected.start, record.corrected.end, source.zone) or "—",
            moment(record.due, source.zone) or "—",
            moment(record.met_at, source.zone) or "尚未移交",
            record.digests.sha256 if record.digests else "—",
        )
        for record in records
    )
    return Table(
        title="涉及文件",
        heads=("文件", "录制时间(校正后)", "移交期限", "实际移交", "SHA-256"),
        widths=(22, 18, 15, 15, 30),
        rows=rows,
    )


def _judged(source: Source, told: Explanation) -> Fields:
    rows = (
        Field(label="结论", value=MATTER_STATE_ZH["explanation"][told.state] if told.judged_by else ""),
        Field(label="签批人", value=f"{person(source, told.judged_by)} {role(source, told.judged_as)}".strip()),
        Field(label="签批时间", value=moment(told.judged_at, source.zone)),
        Field(label="意见", value=told.note),
    )
    return Fields(title="签批", rows=rows)


def _ruled(source: Source, told: Explanation) -> list[Ruled]:
    pack = source.pack
    if told.what == "late":
        return [pack.deadline]
    chosen = pack.unrecorded if told.what == "not_recorded" else pack.interruption
    return [chosen] if chosen else []
