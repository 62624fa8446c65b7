"""证据说明: the sheet that goes with footage into a case file, with the fields this bureau's regulation asks for."""

from collections.abc import Mapping

from bwcdock.core.facts import Confirmed, Identity, Kind, Listed, Obliged, Pulled, Sealed, Severity
from bwcdock.core.record import Record, State
from bwcdock.core.refusal import because
from bwcdock.core.rulepack import Sheet
from bwcdock.core.words_zh import title
from bwcdock.core.words_zh.states import SOURCE_ZH
from bwcdock.core.words_zh.values import METHOD_ZH
from bwcdock.errors import Misused
from bwcdock.papers.model import Block, Field, Fields, Paper, Rule, Table, Text
from bwcdock.papers.source import Asked, Source, filled, given, handed_over, seqs
from bwcdock.papers.words import between, count_of_bytes, in_words, moment, seconds

PLAIN = ("制作人", "提取人", "提取时间")
"""The fields where a regulation names none: those that two of the others agree on."""

RESTS_ON = (Listed.ev, Obliged.ev, Pulled.ev, Sealed.ev, Confirmed.ev)

TRANSCRIPT = "文字记录"
WRITTEN_LINES = 8
"""Lines left for a transcript that is written by hand."""


def build(source: Source, asked: Asked) -> Paper:
    """The sheet over one recording or several of one case."""
    if not asked.subjects:
        why = because("paper.no-recording", "No recording is named.")
        raise Misused("paper evidence", why, "Name one or more; `bwcdock records` shows them.")
    records = list({record.id: record for record in map(source.record, asked.subjects)}.values())
    for record in records:
        if record.state not in {State.SEALED, State.RELEASED} or record.digests is None:
            what = f"Recording {record.id[:12]} is {record.state}, and not sealed: nothing is proven of it."
            why = because("paper.unsealed", what, record=record.id, record_state=record.state)
            raise Misused("paper evidence", why, "`bwcdock records` shows what it waits for.")
    sheets = _sheets(source, records)
    labels = fields(source, records)
    values = given(labels, asked)
    entries: list[int] = []
    details: list[Block] = []
    for record in records:
        block, rests_on = _detail(source, record, "" if len(records) == 1 else f"({len(details) + 1}) ")
        details.append(block)
        entries += rests_on
    known = _known(source, records)
    asked_for = tuple(filled(label, values, known.get(label)) for label in labels if label != TRANSCRIPT)
    blocks: list[Block] = [Fields(title="证据基本情况", rows=asked_for)]
    if TRANSCRIPT in labels:
        blocks.append(Text(title="声音内容的文字记录", text=values.get(TRANSCRIPT, ""), lines=WRITTEN_LINES))
    if len(records) > 1:
        blocks.append(_list(source, records))
    return Paper(
        title="证据说明",
        number=f"{source.station}-{records[0].id[:12]}" + (f"等{len(records)}件" if len(records) > 1 else ""),
        unit=source.unit,
        station=source.station,
        made_at=source.local_now,
        blocks=(*blocks, *details, *_findings(source, records), *handed_over(asked)),
        signatures=_signers(source, sheets),
        proof=source.proof(entries, _rules(source, sheets, records)),
    )


def fields(source: Source, records: list[Record]) -> list[str]:
    """The labels of the sheet over these recordings, in the words of the regulation."""
    named = (label for sheet in _sheets(source, records) for label in sheet.fields)
    return list(dict.fromkeys(named)) or list(PLAIN)


def _sheets(source: Source, records: list[Record]) -> tuple[Sheet, ...]:
    """The sheets of this pack that speak of these recordings: what officers shot themselves, and sound where it is."""
    sound = any(record.item.kind is Kind.AUDIO for record in records)
    return source.sheets("evidence", "own_footage", "copies", *(("sound",) if sound else ()))


def _signers(source: Source, sheets: tuple[Sheet, ...]) -> tuple[str, ...]:
    roles = dict.fromkeys(role for sheet in sheets for role in sheet.signed_by)
    return source.roles(roles) or ("制作人", "提取人")


def _rules(source: Source, sheets: tuple[Sheet, ...], records: list[Record]) -> list[Rule]:
    kept = {
        Rule(regulation=source.pack.title, article=rule.article, quote=rule.quote)
        for record in records
        for rule in source.pack.retention
        if record.obligation and rule.article == record.obligation.keep_article
    }
    return [*source.rules(*sheets), *sorted(kept, key=lambda rule: rule.article)]


# --- what the ledger knows for the fields of the law ------------------------------------------------------------------


def _known(source: Source, records: list[Record]) -> Mapping[str, Field]:
    """For each label of a regulation what may be printed there without anybody having said it."""
    first = records[0]
    names = first.item.path.rpartition("/")[2]
    if len(records) > 1:
        names += f" 等 {len(records)} 件（见清单）"
    serials = "、".join(dict.fromkeys(record.recorder for record in records))
    officers = "、".join(dict.fromkeys(record.item.officer for record in records if record.item.officer))
    starts = [record.corrected.start for record in records if record.corrected.start]
    ends = [end for record in records if (end := record.corrected.end or record.corrected.start)]
    when = between(min(starts, default=None), max(ends, default=None), source.zone)
    says = f"记录仪所载：{officers}，由本人核对后填写" if officers else ""
    how = "执法记录仪现场摄录；采集站只读采集原始文件，封存后逐字节校验，未剪辑、增加、删改"
    known = (
        Field(label="证据名称来源", value=f"{names}；来源：执法记录仪 {serials}，由采集站 {source.station} 采集"),
        Field(label="制作方法", value=how),
        Field(label="制作时间", value=when, note="校正后的摄录时间，方法与误差见各文件的技术信息" if when else ""),
        Field(label="制作人", note=says),
        Field(label="监控设备标号点位", value=f"执法记录仪 {serials}", note="随身设备，点位见摄录地点"),
        Field(label="摄录者", note=says),
        Field(label="摄录时间地点", value=f"{when}；地点：" if when else "", note="地点由摄录者填写"),
    )
    return {each.label: each for each in known}


def _list(source: Source, records: list[Record]) -> Table:
    rows = tuple(
        (
            str(number),
            record.item.path,
            f"{record.item.size:,}",
            between(record.corrected.start, record.corrected.end, source.zone) or "—",
            record.digests.sha256 if record.digests else "—",
        )
        for number, record in enumerate(records, 1)
    )
    heads = ("序号", "文件", "字节数", "摄录时间（校正后）", "SHA-256")
    return Table(title="清单", heads=heads, widths=(8, 24, 14, 22, 32), rows=rows)


def _findings(source: Source, records: list[Record]) -> list[Table]:
    """What holds about these recordings and a court should know: silence about it would be worse."""
    rows = tuple(
        (record.item.path, f"{title(told.finding.code)} {told.finding.code}", in_words(told.finding))
        for record in records
        for told in source.ledger.findings(kind="record", subject=record.id)
        if told.finding.severity is not Severity.NOTE
    )
    return [Table(title="注意事项", heads=("文件", "事项", "说明"), widths=(30, 25, 45), rows=rows)] if rows else []


# --- one recording ----------------------------------------------------------------------------------------------------


def _detail(source: Source, record: Record, before: str) -> tuple[Fields, list[int]]:
    history = source.ledger.history(record=record.id)
    entries = seqs(history, *RESTS_ON)
    clock, clock_seq = source.station_clock(record.sealed_seq or 0)
    if clock_seq is not None:
        entries.append(clock_seq)
    session = source.ledger.session(record.session)
    rows = (
        Field(label="文件", value=record.item.path),
        Field(label="记录号", value=record.id),
        _recorder(record, session.identity if session else None),
        Field(label="大小", value=count_of_bytes(record.item.size)),
        Field(label="SHA-256", value=record.digests.sha256 if record.digests else ""),
        Field(label="BLAKE3", value=record.digests.blake3 if record.digests else ""),
        _device_time(source, record),
        _corrected(source, record),
        _station_clock(clock),
        _media(record),
        _sealed(source, record),
        *_copies(source, record),
        *_kept(source, record),
    )
    return Fields(title=f"{before}技术信息", rows=rows), entries


def _recorder(record: Record, identity: Identity | None) -> Field:
    if identity is None:
        return Field(label="执法记录仪", value=record.recorder)
    model = f"{identity.vendor} {identity.model} {identity.firmware}".strip()
    return Field(label="执法记录仪", value=f"{record.recorder} {model}".strip(), note=f"识别依据：{identity.basis}")


def _device_time(source: Source, record: Record) -> Field:
    claim = record.item.claim
    told = between(claim.start, claim.end, source.zone)
    where = SOURCE_ZH.get(claim.source, claim.source)
    if not told:
        return Field(
            label="设备所示时间", value="设备未载明", note=f"文件修改时间：{moment(record.item.modified, source.zone)}"
        )
    note = f"来源：{where}；设备时区：{claim.zone}" + (f"；原文：{claim.text}" if claim.text else "")
    return Field(label="设备所示时间", value=told, note=note)


def _corrected(source: Source, record: Record) -> Field:
    right, drift = record.corrected, record.drift
    value = between(right.start, right.end, source.zone) or "无法确定"
    if right.method == "uncorrected":
        note = f"{METHOD_ZH['uncorrected']}；时间来源本身的误差 ±{seconds(right.uncertainty_ms)}，设备时钟的误差未知"
    else:
        side = "快" if right.offset_ms > 0 else "慢"
        off = f"设备时钟{side} {seconds(abs(right.offset_ms))}" if right.offset_ms else "设备时钟无偏差"
        how = METHOD_ZH.get(right.method, right.method)
        note = f"{off}；测定方法：{how}；误差 ±{seconds(right.uncertainty_ms)}"
    if drift:
        bound = "至少" if drift.bound == "at_least" else ""
        note += f"；{moment(drift.read_at, source.zone)} 测得{bound}偏差 {seconds(drift.offset_ms)}"
    return Field(label="校正后时间", value=value, note=note)


def _station_clock(clock: str) -> Field:
    if not clock:
        return Field(label="采集站时钟", value="台账未载明")
    vouched = "无时间源保证" if clock.startswith("unvouched") else "有时间源保证"
    return Field(label="采集站时钟", value=f"封存时{vouched}", note=f"内核所示：{clock}")


def _media(record: Record) -> Field:
    media = record.media
    if media is None:
        return Field(label="格式与时长", value="未识别")
    long = f"，时长 {seconds(media.duration_ms)}" if media.duration_ms is not None else ""
    note = "录像未正常结束" if media.truncated else ""
    return Field(label="格式与时长", value=f"{media.container}{long}", note=note)


def _sealed(source: Source, record: Record) -> Field:
    read = "绕过缓存从磁盘读回" if record.readback == "direct" else "读回"
    return Field(label="封存", value=moment(record.sealed_at, source.zone), note=f"{read}，与采集时的摘要一致")


def _copies(source: Source, record: Record) -> list[Field]:
    told = [f"{held.sink}:{moment(held.confirmed_at, source.zone)} 全文读回确认" for held in record.held]
    return [Field(label="集中存储", value="\n".join(told))] if told else []


def _kept(source: Source, record: Record) -> list[Field]:
    owed = record.obligation
    if owed is None:
        return []
    until = f"至 {moment(owed.keep_until, source.zone)}" if owed.keep_until else "永久或长期保存"
    return [Field(label="保存期限", value=until, note=owed.keep_article)]
