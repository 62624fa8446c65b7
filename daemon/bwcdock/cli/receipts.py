"""A receipt (移交回执) as lines of text, Chinese first."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.cells import cell_len

from bwcdock.cli.common import cut, fold, size, table
from bwcdock.core.names import show
from bwcdock.core.rules import Standing
from bwcdock.core.view import STANDING_ZH
from bwcdock.manifest import Receipt

EVIDENCE = 4
"""Pairs of evidence shown under a finding; the rest is in the receipt's file."""

WITH_DIGESTS = 96
"""Columns from which each file's digest is shown beside its name; below, the digest over all of them has to do."""

DIGEST = 12
"""Hex digits of a digest that are shown: enough to find it, the whole one is in the receipt's file."""

STATE_ZH = {
    "listed": "未采集",
    "pulled": "未封存",
    "sealed": "已封存",
    "released": "已入库",
    "quarantined": "已隔离",
    "lost": "已丢失",
}

TITLE_ZH = {
    "battery.low": "电量不足",
    "card.dirty": "存储卡未正常关闭",
    "clock": "时钟异常",
    "clock.drift": "时钟偏差",
    "content.changed": "文件内容已变",
    "copy.bad": "副本损坏",
    "deleted.before_docking": "采集前文件已删除",
    "directory": "目录异常",
    "exfat": "文件未写满",
    "file": "文件异常",
    "files": "文件异常",
    "findings.more": "另有其他问题",
    "identity": "设备身份存疑",
    "listing": "目录异常",
    "media.truncated": "录像未正常结束",
    "name": "文件名异常",
    "path": "文件名异常",
    "recording.gone": "录像已不在记录仪",
    "sequence.hole": "文件编号缺失",
    "storage.low": "存储空间不足",
    "time": "时间异常",
    "time.gap": "录像间断",
    "time.overlap": "录像时间重叠",
    "volume": "存储卷异常",
}
"""What officers call the findings that stand on a receipt, by code or by its first word."""


def title(code: str) -> str:
    """A finding's short name for an officer."""
    return TITLE_ZH.get(code) or TITLE_ZH.get(code.partition(".")[0], "其他")


def receipt_lines(told: Receipt, zone: str, room: int | None) -> list[str]:
    """The receipt for an officer: what was handed over, how it stands by its article, one number for it all.

    ``room`` is how many columns there are; ``None`` where that does not matter.
    """
    return list(_lines(told, ZoneInfo(zone), room))


def _lines(told: Receipt, zone: ZoneInfo, room: int | None) -> Iterator[str]:
    yield ""
    yield f"移交回执    {told.station}  {told.at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
    yield f"执法记录仪  {show(told.recorder.serial, 40)}  {told.recorder.vendor} {told.recorder.model}".rstrip()
    if told.officer:
        yield f"执法人员    {show(told.officer, 40)}"
    yield f"采集批次    {', '.join(told.sessions)}"
    yield f"合计        {told.count} 个文件, {size(told.size)}"
    yield f"总摘要      {told.digest}"
    if told.lines:
        yield from _files(told, zone, room)
    else:
        yield "  本次没有新文件"
    for finding in told.findings:
        yield from fold(f"  注意 {title(finding.code)} {finding.code}: {finding.what}", room, "       ")
        for key, value in finding.evidence[:EVIDENCE]:
            yield f"       {key}: {cut(value, (room or 100) - 9 - cell_len(key))}"


def _files(told: Receipt, zone: ZoneInfo, room: int | None) -> Iterator[str]:
    def when(moment: datetime | None) -> str:
        return f"{moment.astimezone(zone):%m-%d %H:%M}" if moment else "-"

    with_digests = room is None or room >= WITH_DIGESTS
    rows = [("文件", "大小", "SHA-256", "状态", "期限", "判定")]
    rows += [
        (
            line.path,
            size(line.size),
            line.sha256[:DIGEST] or "-",
            STATE_ZH.get(line.state, line.state),
            when(line.due),
            STANDING_ZH[Standing(line.verdict)] if line.verdict else "-",
        )
        for line in sorted(told.lines, key=lambda line: line.path)
    ]
    shown = rows if with_digests else [(*row[:2], *row[3:]) for row in rows]
    for text in table(shown, flexible=0, room=room and room - 2, right=(1,)):
        yield f"  {text}"
    articles = dict.fromkeys(line.article for line in told.lines if line.article)
    if articles:
        yield f"依据        {', '.join(articles)}"
