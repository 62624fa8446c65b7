"""移交回执: what an officer handed over, from the signed receipt of the docking."""

import hashlib
import os
from pathlib import Path
from zoneinfo import ZoneInfo

from bwcdock.core.facts import Receipted, Sealed
from bwcdock.core.refusal import because
from bwcdock.core.rules import Standing
from bwcdock.core.view import STANDING_ZH
from bwcdock.core.words_zh import title
from bwcdock.core.words_zh.values import KEY_ZH
from bwcdock.errors import Misused, Untrue
from bwcdock.manifest import Receipt, ReceiptLine, open_signed
from bwcdock.papers.model import Block, Field, Fields, Paper, Rule, Table
from bwcdock.papers.source import Asked, Source, filled, given, handed_over
from bwcdock.papers.words import STATE_ZH, count_of_bytes, in_words, moment

FIELDS = ("执法人员",)
"""What a person may fill in where the recorder's own names did not tell."""


def build(source: Source, asked: Asked) -> Paper:
    """The receipt of one docking: the very words that were signed, or those of them that concern ``asked.only``."""
    if len(asked.subjects) != 1:
        why = because("paper.one-docking", "A receipt is of one docking.")
        raise Misused("paper receipt", why, "Name one session; `bwcdock status` shows them.")
    path = find(source.receipts, asked.subjects[0])
    data = path.read_bytes()
    told = open_signed(data, Receipt, source.ledger.verifier)
    session = path.stem
    values = given(FIELDS, asked)
    lines = [line for line in sorted(told.lines, key=lambda line: line.path) if _concerns(line, asked)]
    return Paper(
        title="移交回执",
        number=f"{told.station}-{session[:12]}",
        unit=source.unit,
        station=told.station,
        made_at=told.at.astimezone(ZoneInfo(source.zone)),
        blocks=(
            _handed(source, told, session, values, len(lines)),
            _files(source, lines),
            *_findings(told, asked),
            *handed_over(asked),
        ),
        signatures=("移交人", "接收人"),
        proof=source.proof(_entries(source, data, session, lines), _rules(source, told, lines)),
    )


def find(directory: Path, named: str) -> Path:
    """The one receipt whose session begins so."""
    if not named:
        why = because("paper.one-docking", "No session is named.")
        raise Misused("receipt", why, "Name one, or how it begins: `bwcdock status` shows them.")
    names = sorted(name for name in os.listdir(directory) if name.startswith(named) and name.endswith(".json"))
    if len(names) == 1:
        return directory / names[0]
    if names:
        why = because("receipt.several", f"{len(names)} sessions begin with {named}.", count=len(names), given=named)
        raise Misused("receipt", why, "Say more of it.")
    hint = "It is written when everything of the session is in central storage; look at `bwcdock status`."
    raise Misused("receipt", because("receipt.none", f"There is no receipt of session {named}.", given=named), hint)


def _concerns(line: ReceiptLine, asked: Asked) -> bool:
    return not asked.only or line.record in asked.only


def _handed(source: Source, told: Receipt, session: str, values: dict[str, str], shown: int) -> Fields:
    recorder = told.recorder
    whole = f"{told.count} 个文件，{count_of_bytes(told.size)}"
    if shown < told.count:
        whole += f"；此处摘录其中 {shown} 个，其余与本次移交的用途无关，未列出"
    known = Field(label="执法人员", value=told.officer, note="记录仪所载" if told.officer else "")
    rows = (
        Field(label="执法记录仪", value=f"{recorder.serial} {recorder.vendor} {recorder.model}".rstrip()),
        filled("执法人员", values, known),
        Field(label="采集批次", value="、".join(told.sessions)),
        Field(label="回执时间", value=moment(told.at, source.zone)),
        Field(label="合计", value=whole),
        Field(label="总摘要", value=told.digest, note="对全部文件的记录号、大小、SHA-256 逐行计算的 SHA-256"),
    )
    return Fields(
        title="移交情况", rows=tuple(row for row in rows if row.label != "采集批次" or told.sessions != (session,))
    )


def _files(source: Source, lines: list[ReceiptLine]) -> Table:
    rows = tuple(
        (
            line.path,
            f"{line.size:,}",
            line.sha256 or "—",
            STATE_ZH.get(line.state, line.state),
            moment(line.due, source.zone) or "—",
            STANDING_ZH[Standing(line.verdict)] if line.verdict else "—",
        )
        for line in lines
    )
    return Table(
        title="移交文件",
        heads=("文件", "字节数", "SHA-256", "状态", "移交期限", "判定"),
        widths=(22, 13, 30, 10, 14, 11),
        rows=rows,
        note="" if rows else "本次没有新文件。",
    )


def _findings(told: Receipt, asked: Asked) -> tuple[Block, ...]:
    if not told.findings or asked.only:  # what was found at the docking may be about recordings that are not shown
        return ()
    rows = tuple(
        (
            f"{title(finding.code)} {finding.code}",
            in_words(finding),
            "\n".join(f"{KEY_ZH.get(key, key)}:{value}" for key, value in finding.evidence),
        )
        for finding in told.findings
    )
    return (Table(title="注意事项", heads=("事项", "说明", "依据的数据"), widths=(20, 40, 40), rows=rows),)


def _rules(source: Source, told: Receipt, lines: list[ReceiptLine]) -> list[Rule]:
    named = {line.article for line in lines}
    return [
        Rule(
            regulation=cited.regulation or source.pack.title, article=cited.article.partition(" ")[2], quote=cited.quote
        )
        for cited in told.citations
        if cited.article in named
    ]


def _entries(source: Source, data: bytes, session: str, lines: list[ReceiptLine]) -> list[int]:
    """The entry that tells of exactly this receipt, and the seals of what is on it."""
    digest = hashlib.sha256(data).hexdigest()
    receipted = source.ledger.history(session=session, ev=Receipted.ev)
    entries = [entry.seq for entry in receipted if isinstance(entry.fact, Receipted) and entry.fact.digest == digest]
    if receipted and not entries:
        what = f"The receipt of session {session} is not the one the ledger tells of."
        why = because("receipt.untrue", what, session=session)
        raise Untrue("paper receipt", why, "Compare it with the one in central storage.")
    for line in lines:
        entries += [entry.seq for entry in source.ledger.history(record=line.record, ev=Sealed.ev)]
    return entries
