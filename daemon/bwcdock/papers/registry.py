"""The papers there are, by the word for each on the command line."""

from collections.abc import Callable
from dataclasses import dataclass

from bwcdock.errors import Misused
from bwcdock.papers import evidence, receipt
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
)


def build(kind: str, source: Source, asked: Asked) -> Paper:
    """The paper of this kind; ``Misused`` says which there are."""
    for each in KINDS:
        if each.id == kind:
            return each.build(source, asked)
    known = ", ".join(f"{each.id} ({each.title})" for each in KINDS)
    raise Misused("paper", f"There is no paper {kind}.", f"There are: {known}.")
