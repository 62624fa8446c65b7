"""The papers there are, by the word for each on the command line."""

from collections.abc import Callable
from dataclasses import dataclass

from bwcdock.errors import Misused
from bwcdock.papers import access_register, equipment, evidence, explanation, handover, issues, receipt, spot_check
from bwcdock.papers.model import Paper
from bwcdock.papers.source import Asked, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A paper: its word, its name for officers, what its subjects are, and its builder."""

    id: str
    title: str
    subjects: str
    build: Callable[[Source, Asked], Paper]


KINDS: tuple[Kind, ...] = (
    Kind(id="receipt", title="移交回执", subjects="SESSION", build=receipt.build),
    Kind(id="evidence", title="证据说明", subjects="RECORD…", build=evidence.build),
    Kind(id="access-register", title="查阅复制登记簿", subjects="[REQUEST…]", build=access_register.build),
    Kind(id="interruption", title="中断记录说明", subjects="EXPLANATION", build=explanation.interruption),
    Kind(id="unrecorded", title="未记录工作记录", subjects="EXPLANATION", build=explanation.unrecorded),
    Kind(id="late", title="逾期移交说明", subjects="EXPLANATION", build=explanation.late),
    Kind(id="issues", title="领用归还登记", subjects="[RECORDER…]", build=issues.build),
    Kind(id="handover", title="交接清单", subjects="HANDOVER", build=handover.build),
    Kind(id="equipment", title="配备情况表", subjects="", build=equipment.build),
    Kind(id="spot-check", title="抽查记录", subjects="CHECK", build=spot_check.build),
)


def build(kind: str, source: Source, asked: Asked) -> Paper:
    """The paper of this kind; ``Misused`` says which there are."""
    for each in KINDS:
        if each.id == kind:
            return each.build(source, asked)
    known = ", ".join(f"{each.id} ({each.title})" for each in KINDS)
    raise Misused("paper", f"There is no paper {kind}.", f"There are: {known}.")
