"""A receipt (移交回执) as lines of text, Chinese first."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.cells import cell_len

from bwcdock.cli.common import broken, cut, fold, size, table
from bwcdock.core.names import show
from bwcdock.core.rules import Standing
from bwcdock.core.view import STANDING_ZH, citation
from bwcdock.manifest import Receipt

EVIDENCE = 4
"""Pairs of evidence shown under a finding; the rest is in the receipt's file."""

WITH_DIGESTS = 96
"""Columns from which each file's digest is shown beside its name; below, the digest over all of them has to do."""

DIGEST = 12
"""Hex digits of a digest that are shown: enough to find it, the whole one is in the receipt's file."""

# A receipt is written only when every sealed recording on it is confirmed in central storage.
STATE_ZH = {
    "listed": "未采集",
    "pulled": "未封存",
    "sealed": "已入库",
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
    "copy": "副本损坏",
    "deleted.before_docking": "采集前文件已删除",
    "content.unread": "无法再次比对",
    "directory": "目录异常",
    "directory.unreadable": "目录无法读取,可能有遗漏",
    "exfat": "文件未写满",
    "file": "文件异常",
    "files": "文件异常",
    "findings.more": "另有其他问题",
    "folder": "内有其他存储,未采集",
    "identity": "设备身份存疑",
    "listing": "目录异常",
    "listing.empty": "没有任何文件",
    "media.truncated": "录像未正常结束",
    "name": "文件名异常",
    "path": "文件名异常",
    "path.too_long": "路径过长,未采集",
    "recording.gone": "录像已不在记录仪",
    "sequence.hole": "文件编号缺失",
    "storage.low": "存储空间不足",
    "time": "时间异常",
    "time.gap": "录像间断",
    "time.overlap": "录像时间重叠",
    "volume": "存储卷异常",
    "volume.damaged": "文件系统损坏,未采集",
    "volume.encrypted": "分区已加密,未采集",
    "volume.read_errors": "读取出错,可能有遗漏",
    "volume.unknown": "分区无法识别,未采集",
}
"""What officers call the findings that stand on a receipt, by code or by its first word."""

KEY_ZH = {
    "activity": "执法活动", "after": "后一文件", "after_start": "后一开始", "against": "对照时间",
    "article": "依据", "before": "前一文件", "before_end": "前一结束", "bound": "界限", "claim": "文件所称时间",
    "container": "容器时间", "difference_ms": "相差毫秒", "dirty": "未正常关闭", "first": "第一个文件",
    "first_end": "第一个结束", "free": "剩余字节", "limit": "下限字节", "limit_percent": "下限百分比",
    "method": "测定方法", "missing": "缺失数", "modified": "修改时间", "more": "另有", "offset_s": "偏差秒",
    "path": "文件", "pause_ms": "间断毫秒", "percent": "百分比", "quote": "原文", "read_at": "读取时间",
    "record": "记录号", "second": "第二个文件", "second_start": "第二个开始", "series": "编号系列", "size": "字节数",
    "time": "时间", "total": "总数", "uncertainty_ms": "误差毫秒", "uncertainty_s": "误差秒",
    "zone_minutes": "时区分钟",
}  # fmt: skip
"""What officers call the keys of evidence; a key that is none of these is a file's name."""


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
        said = f"  注意 {title(finding.code)} / {finding.code}: {finding.what} {finding.remedy}"
        yield from fold(said, room, "       ")
        for key, value in finding.evidence[:EVIDENCE]:
            word = f"{KEY_ZH[key]} {key}" if key in KEY_ZH else key
            yield f"       {word}: {cut(value, (room or 100) - 9 - cell_len(word))}"


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
    for cited in told.citations:
        law = f"{citation(cited.article, cited.regulation)}:“{cited.quote}”"
        first, *rest = broken(law, room, " " * 12)
        yield from (f"依据{first[4:]}", *rest)
