"""What every matter at the desk has, and the form of the tables by which each goes on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from bwcdock.core.facts import Entry
from bwcdock.core.refusal import Refusal
from bwcdock.core.statements import Statement

Table = Mapping[str | None, Mapping[type[Statement], str]]
"""State (``None``: not known yet) and fact to the next state; what is not in it is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """The root: ``since`` is when it was first heard of, ``entries`` are the places of all its facts in the ledger.

    ``by`` is the person behind the newest of them, ``at`` its moment.
    """

    id: str
    state: str
    since: datetime
    at: datetime
    by: str
    entries: tuple[int, ...] = ()


M = TypeVar("M", bound=Matter)


class Kind(NamedTuple):
    """One sort of matter.

    ``after`` makes the matter from the one before (or ``None``), the next state and the entry; ``why_not`` says what
    speaks against the fact although the table allows its sort, and is ``None`` where nothing does. It is asked before a
    fact is written and again when it is folded: one judge for both.
    """

    shape: type[Matter]
    table: Table
    after: Callable[[Any, str, Entry], Matter]
    why_not: Callable[[Any, Entry], Refusal | None]


def nothing_against(matter: object, entry: Entry) -> Refusal | None:  # noqa: ARG001  (what it does not look at)
    """Nothing speaks against what the table allows."""
    return None


def taken(shape: type[M], before: M | None, state: str, entry: Entry, **otherwise: object) -> M:
    """The matter as the fact tells it: its fields of the same name, the others as before.

    ``otherwise`` are fields that are not simply those of the fact.
    """
    fact = entry.fact
    assert isinstance(fact, Statement)
    said = {
        "id": fact.matter,
        "state": state,
        "since": before.since if before else entry.at,
        "at": entry.at,
        "by": entry.actor.name,
        "entries": (*(before.entries if before else ()), entry.seq),
        **otherwise,
    }
    for field in fields(shape):
        if field.name not in said:
            if hasattr(fact, field.name):
                said[field.name] = getattr(fact, field.name)
            elif before is not None:
                said[field.name] = getattr(before, field.name)
    return shape(**said)  # type: ignore[arg-type]  # a field that is missing has its default, or is a bug that raises


def plain(shape: type[M]) -> Callable[[M | None, str, Entry], M]:
    """The ``after`` of a matter whose facts carry all its fields under the same names."""

    def after(before: M | None, state: str, entry: Entry) -> M:
        return taken(shape, before, state, entry)

    return after
