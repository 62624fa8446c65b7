"""Print the two machines from their tables into docs/diagrams.md: run it after changing one."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from bwcdock.core import record, session
from bwcdock.core.facts import CopyBad, Fact

Table = Mapping[StrEnum | None, Mapping[type[Fact], StrEnum]]
Edge = tuple[StrEnum | None, str, StrEnum]

PLACE = Path(__file__).resolve().parents[2] / "docs" / "diagrams.md"

# The one transition that looks at a value and is therefore not in the table: see bwcdock.core.record._copy_bad.
LAST_COPY_BAD: list[Edge] = [
    (state, f"{CopyBad.__name__} (the last copy)", record.State.QUARANTINED)
    for state in (record.State.SEALED, record.State.RELEASED)
]


def edges(table: Table) -> list[Edge]:
    """Every entry of the table as from, fact, to, in the table's order."""
    return [(state, fact.__name__, to) for state, row in table.items() for fact, to in row.items()]


def drawn(found: list[Edge]) -> str:
    """A mermaid state diagram; facts that lead the same way share an arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for state, fact, to in found:
        arrows.setdefault((state.value if state else "[*]", to.value), []).append(fact)
    lines = [f"    {state} --> {to}: {', '.join(facts)}" for (state, to), facts in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def diagrams(records: Table, sessions: Table) -> str:
    """The whole page."""
    return f"""# The two machines

Printed from the tables in `bwcdock.core.record` and `bwcdock.core.session` by `tests/tidy/diagrams.py`; a test holds
this page in step with them. A fact that no arrow leaving a state names is illegal in that state.

## A record

From the first listing of a file to the day its copy may leave the station. A sealed record leaves that state only by a
permitted release, or when the last place that held its proven bytes is found bad.

{drawn(edges(records) + LAST_COPY_BAD)}

## A docking

From plugging a recorder in to taking it away, which can happen in every state.

{drawn(edges(sessions))}
"""


if __name__ == "__main__":
    PLACE.write_text(diagrams(record.TABLE, session.TABLE))
