"""The lists of the desk about cases and keeping: archive clocks, footage bound to no case, what may end."""

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from bwcdock.cli.desk import told
from bwcdock.core.names import show
from bwcdock.core.record import Record
from bwcdock.core.refusal import Refusal
from bwcdock.desk import asking, refusing
from bwcdock.ledger import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """A case whose archive clock runs: from when, by which article, until when."""

    case: str
    basis: str
    basis_at: datetime
    due: datetime
    article: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """A recording, when it was made, until when it is kept (``None``: without end) and what still keeps it.

    That is said in English and in Chinese; both are empty where nothing keeps it.
    """

    record: str
    recorder: str
    path: str
    start: datetime | None
    keep_until: datetime | None
    article: str
    kept_by: str = ""
    kept_by_zh: str = ""


def archive(asked: argparse.Namespace) -> int:
    """`bwcdock desk archive`."""
    return told(asked, _filings, Filing, _filing_row, ("案件", "起算", "起算时间", "归档期限", "依据"))


def unbound(asked: argparse.Namespace) -> int:
    """`bwcdock desk unbound`."""
    return told(asked, _loose, Footage, _footage_row, ("文件", "记录号", "录制时间", "保管至", "依据", "仍须保管"))


def may_end(asked: argparse.Namespace) -> int:
    """`bwcdock desk may-end`."""
    return told(asked, _ended, Footage, _footage_row, ("文件", "记录号", "录制时间", "保管至", "依据", "仍须保管"))


def _filings(ledger: Reader, law: asking.Law, _: datetime) -> list[Filing]:
    return [
        Filing(
            case=case.id,
            basis=due.basis,
            basis_at=due.basis_at,
            due=due.counted.due,
            article=due.archive.article,
        )
        for case, due in asking.archive(ledger, law)
    ]


def _loose(ledger: Reader, _: asking.Law, __: datetime) -> list[Footage]:
    return [_footage(record) for record in asking.unbound(ledger)]


def _ended(ledger: Reader, law: asking.Law, now: datetime) -> list[Footage]:
    zone = ZoneInfo(law.calendar.zone)
    return [_footage(record, why, zone) for record, why in asking.may_end(ledger, now)]


def _footage(record: Record, why: Refusal | None = None, zone: tzinfo = UTC) -> Footage:
    owed, said = record.obligation, refusing.refused(why, zone=zone) if why else None
    return Footage(
        record=record.id,
        recorder=record.recorder,
        path=record.item.path,
        start=record.corrected.start,
        keep_until=owed.keep_until if owed else None,
        article=owed.keep_article if owed else "",
        kept_by=why.what if why else "",
        kept_by_zh=said.what if said else "",
    )


def _filing_row(each: Filing, zone: ZoneInfo) -> tuple[str, ...]:
    return (each.case, each.basis, _at(each.basis_at, zone), _at(each.due, zone), each.article)


def _footage_row(each: Footage, zone: ZoneInfo) -> tuple[str, ...]:
    name = f"{each.recorder} {show(each.path)}"
    until = _at(each.keep_until, zone) or "长期"
    return (name, each.record[:12], _at(each.start, zone), until, each.article, each.kept_by_zh or each.kept_by or "—")


def _at(moment: datetime | None, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment else ""
