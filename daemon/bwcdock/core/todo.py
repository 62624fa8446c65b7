"""Chooses the one thing somebody should do about a docking, and says it in both languages."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bwcdock.core import words_zh
from bwcdock.core.facts import Finding, Severity
from bwcdock.core.session import Session
from bwcdock.core.words_zh.states import fault


class Do(StrEnum):
    """What sort of thing it is: mend what failed, keep the recorder, follow a finding, dock again, wait, or nothing."""

    MEND = "mend"
    KEEP = "keep"
    FOLLOW = "follow"
    DOCK_AGAIN = "dock_again"
    WAIT = "wait"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """The choice, with what its sentences name: ``count`` recordings to keep it for, or the ``finding`` to follow.

    ``fault`` is what failed, ``why`` why it left; ``hint`` is what whoever told of the fault said to do.
    """

    do: Do
    count: int = 0
    finding: Finding | None = None
    fault: str = ""
    hint: str = ""
    why: str = ""


def choose(session: Session, *, waiting: int, bad: int, unlisted: Sequence[Finding]) -> Todo:
    """The one thing to do now; ``waiting`` recordings are not brought in, ``bad`` ones cannot be proven whole.

    ``unlisted`` are the findings that say its listing is not complete: they go before every other warning.
    """
    if session.fault and (session.listed_at is None or waiting or session.docked):
        return Todo(do=Do.MEND, fault=session.fault, hint=session.fault_hint)
    if bad:
        return Todo(do=Do.KEEP, count=bad)
    refused = [f for f in session.findings if f.severity is Severity.REFUSE]
    if refused:
        return Todo(do=Do.FOLLOW, finding=refused[0])
    if not session.docked and (waiting or session.listed_at is None):
        return Todo(do=Do.DOCK_AGAIN, why=session.departed_why)
    warned = [*unlisted, *(f for f in session.findings if f.severity is not Severity.NOTE)]
    return Todo(do=Do.FOLLOW, finding=warned[0]) if warned else Todo(do=Do.NOTHING)


def english(todo: Todo) -> str:
    """The choice in a sentence; empty where there is nothing to do."""
    match todo:
        case Todo(do=Do.MEND):
            return todo.hint or "Take it out and dock it again; if it stays so, call the custodian."
        case Todo(do=Do.KEEP):
            return f"{todo.count} recording(s) could not be proven whole: keep this recorder and call the custodian."
        case Todo(do=Do.DOCK_AGAIN):
            return f"Not everything was brought in ({todo.why or 'it is gone'}): dock it again, it resumes."
        case Todo(do=Do.WAIT):
            return "Something is being written to it: leave it in until that is over. All its recordings are here."
        case Todo(finding=Finding() as finding):
            return finding.remedy
    return ""


def chinese(todo: Todo) -> str:
    """The same choice for officers; empty where there is nothing to do."""
    match todo:
        case Todo(do=Do.MEND):
            return fault(todo.fault).do
        case Todo(do=Do.KEEP):
            return f"有 {todo.count} 个文件不能证明完整：请保留这台记录仪，交管理员处理，不要清空。"
        case Todo(do=Do.DOCK_AGAIN):
            return "尚未采集完：请将记录仪插回，系统会接着采集。"
        case Todo(do=Do.WAIT):
            return "正在写入记录仪，请等它写完再取。录像均已采集。"
        case Todo(finding=Finding() as finding):
            return words_zh.said(finding).do
    return ""
