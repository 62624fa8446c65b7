"""Who owes what, docked or not: recordings not offloaded, and recorders that are out, in one list by deadline."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bwcdock.core.desk.explaining import Explanation
from bwcdock.core.desk.owing import MayOwe
from bwcdock.core.facts import Obligation
from bwcdock.core.record import Record, State
from bwcdock.core.rules import Standing, Verdict
from bwcdock.core.view import judge
from bwcdock.desk import asking
from bwcdock.desk.asking import Law
from bwcdock.desk.register import Register
from bwcdock.ledger import Reader, Sought
from bwcdock.ledger.codec import to_ms

OPEN = (Standing.OVERDUE, Standing.AT_RISK, Standing.NOT_DUE, Standing.EXCUSED)
"""How something that is owed can stand."""

Why = Literal["on-recorder", "docked", "pulled", "central", "apart", "lost", "out", "away"]

WHY_ZH: dict[Why, str] = {
    "on-recorder": "仍在记录仪内，未插入采集站",
    "docked": "采集中",
    "pulled": "校验中",
    "central": "待传至集中存储",
    "apart": "已隔离：无法证明完整",
    "lost": "已从记录仪上消失",
    "out": "已领用，未归还",
    "away": "外出中",
}
"""Why something is owed still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whose debts are asked for; what is empty is not asked for. ``docked`` is ``yes`` or ``no``."""

    unit: str = ""
    team: str = ""
    officer: str = ""
    standing: Standing | None = None
    docked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One debt: a recording that is not offloaded, or a recorder that is out and may have made one.

    ``why`` says in a word what keeps it; ``sinks`` are those that still owe a copy; ``explained`` that somebody gave an
    explanation that nobody has judged yet.
    """

    recorder: str
    officers: tuple[str, ...]
    obligation: Obligation
    verdict: Verdict
    is_docked: bool
    why: Why
    record: Record | None = None
    may: MayOwe | None = None
    explained: str = ""

    @property
    def place(self) -> tuple[int, str]:
        """Where it comes in the list."""
        return to_ms(self.obligation.due), self.record.id if self.record else self.recorder.encode().hex()[:64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A page of the list, where the next begins, and how many there are in all."""

    lines: tuple[Line, ...]
    next: str
    recordings: int
    recorders: int


def owed(
    ledger: Reader, law: Law, register: Register, now: datetime, asked: Asked, *, after: str = "", limit: int = 50
) -> Owed:
    """What is owed by deadline, earliest first, from the end of the page before."""
    docked = {session.recorder for session in ledger.open_sessions() if session.recorder}
    sought = _sought(ledger, register, asked, docked)
    page = ledger.search(sought, now, law.at_risk_ratio, after=after, limit=limit)
    given = {rid: told.id for told in ledger.matters(Explanation, "given") for rid in told.records}
    lines = [_recording(record, register, law, now, docked, given) for record in page.records]
    out = [line for line in _out(ledger, law, register, now, docked) if _fits(line, register, asked)]
    begin = _place(after)
    lines = sorted([*lines, *(line for line in out if line.place > begin)], key=lambda line: line.place)
    more = bool(page.next) or len(lines) > limit
    lines = lines[:limit]
    return Owed(
        lines=tuple(lines),
        next=f"{lines[-1].place[0]}-{lines[-1].place[1]}" if more else "",
        recordings=ledger.how_many_sought(sought, now, law.at_risk_ratio),
        recorders=len(out),
    )


def _sought(ledger: Reader, register: Register, asked: Asked, docked: set[str]) -> Sought:
    chosen: set[str] | None = None
    if asked.unit or asked.team:
        chosen = {
            device.id
            for device in register.devices.values()
            if asked.unit in {"", device.unit} and asked.team in {"", device.team}
        }
    if asked.docked:
        everyone = {*ledger.recorders(), *register.devices}
        there = docked if asked.docked == "yes" else everyone - docked
        chosen = there if chosen is None else chosen & there
    return Sought(
        owing=True,
        standing=asked.standing,
        recorders=None if chosen is None else tuple(sorted(chosen)),
        own=register.own(asked.officer) if asked.officer else None,
    )


def _recording(
    record: Record, register: Register, law: Law, now: datetime, docked: set[str], given: dict[str, str]
) -> Line:
    stands = judge(record, now, law.at_risk_ratio)
    assert record.obligation is not None
    assert stands is not None
    return Line(
        recorder=record.recorder,
        officers=register.shown(record),
        obligation=record.obligation,
        verdict=stands,
        is_docked=record.recorder in docked,
        why=_why(record, docked),
        record=record,
        explained=given.get(record.id, ""),
    )


def _why(record: Record, docked: set[str]) -> Why:
    match record.state:
        case State.LISTED:
            return "docked" if record.recorder in docked else "on-recorder"
        case State.PULLED:
            return "pulled"
        case State.QUARANTINED:
            return "apart"
        case State.LOST:
            return "lost"
    return "central"


def _out(ledger: Reader, law: Law, register: Register, now: datetime, docked: set[str]) -> Iterator[Line]:
    for may in asking.may_owe(ledger, law, now, register):
        yield Line(
            recorder=may.device,
            officers=(may.holder,),
            obligation=may.obligation,
            verdict=may.verdict,
            is_docked=may.device in docked,
            why="away" if may.away else "out",
            may=may,
        )


def _fits(line: Line, register: Register, asked: Asked) -> bool:
    device = register.devices.get(line.recorder)
    return (
        (not asked.unit or (device is not None and device.unit == asked.unit))
        and (not asked.team or (device is not None and device.team == asked.team))
        and (not asked.officer or asked.officer in line.officers)
        and asked.standing in {None, line.verdict.kind}
        and asked.docked in {"", "yes" if line.is_docked else "no"}
    )


def _place(after: str) -> tuple[int, str]:
    """The end of the page before; the search has refused what is none."""
    due, _, name = after.rpartition("-")
    return (int(due), name) if after else (-(1 << 62), "")
