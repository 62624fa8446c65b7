"""What papers call things beyond what :mod:`bwcdock.core.words_zh` says: states, findings, moments, sizes."""

from datetime import datetime
from zoneinfo import ZoneInfo

from bwcdock.core import words_zh
from bwcdock.core.facts import Finding
from bwcdock.core.words_zh.states import RECORD_STATE_ZH
from bwcdock.papers.model import Cell

STATE_ZH = {state.value: word for state, word in RECORD_STATE_ZH.items()} | {"sealed": "已入库", "released": "已入库"}
"""Where a recording of a receipt stands: it is written only when every sealed one is confirmed in central storage."""


def moment(at: datetime | None, zone: str) -> str:
    """A moment in the station's zone, to the second; empty where there is none."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}" if at else ""


def between(start: datetime | None, end: datetime | None, zone: str) -> str:
    """From when to when, as far as either is known."""
    if start and end and start != end:
        return f"{moment(start, zone)} 至 {moment(end, zone)}"
    return moment(start or end, zone)


def seconds(ms: int) -> str:
    """Milliseconds as seconds, without zeros nobody measured."""
    return f"{ms / 1000:.3f}".rstrip("0").rstrip(".") + " 秒"


def count_of_bytes(size: int) -> str:
    """Bytes, all of them: what is compared with a digest is not rounded."""
    return f"{size:,} 字节"


def in_words(finding: Finding) -> Cell:
    """What a finding says and what to do, for an officer; small below it the words in which it was found and signed."""
    said = words_zh.said(finding)
    return Cell(text=f"{said.what}{said.do}", note=f"{finding.what} {finding.remedy}".strip())
