"""A receipt (移交回执) as lines of text, Chinese first."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.cells import cell_len

from bwcdock.cli.common import broken, cut, fold, size, table
from bwcdock.core.names import show
from bwcdock.core.rules import Standing
from bwcdock.core.view import STANDING_ZH, citation
from bwcdock.core.words_zh import title
from bwcdock.core.words_zh.values import KEY_ZH
from bwcdock.manifest import Receipt
from bwcdock.papers.words import STATE_ZH

EVIDENCE = 4
"""Pairs of evidence shown under a finding; the rest is in the receipt's file."""

WITH_DIGESTS = 96
"""Columns from which each file's digest is shown beside its name; below, the digest over all of them has to do."""

DIGEST = 12
"""Hex digits of a digest that are shown: enough to find it, the whole one is in the receipt's file."""


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
