"""What measurements told: the lines of JSON in a file, read again to be drawn and tabled."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Figure = Mapping[str, Any]
"""One line, as :func:`bench.figures.tell` printed it."""


@dataclass(frozen=True, slots=True)
class Told:
    """``figures`` by name, of each the last; ``samples`` of a long run; ``machine`` the last one described."""

    figures: dict[str, Figure] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)


def read(texts: Iterable[str]) -> Told:
    """Everything that these files tell together; a line that is none of ours is an error."""
    told = Told()
    for text in texts:
        for line in filter(None, text.splitlines()):
            match json.loads(line):
                case {"name": str(name), "value": float() | int(), "unit": str()} as figure:
                    told.figures[name] = figure
                case {"sample": dict(sample)}:
                    told.samples.append(sample)
                case {"machine": dict(machine)}:
                    told.machine.update(machine)
                case _:
                    raise ValueError(f"not a line of a measurement: {line[:80]}")
    return told


def by_number(figures: Mapping[str, Figure], pattern: str) -> dict[str, list[tuple[int, float]]]:
    """What follows the number in a name: its points, by number. ``pattern`` has the number as its group."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for name, figure in figures.items():
        if match := re.fullmatch(rf"{pattern}_(\w+)", name):
            found[match[2]].append((int(match[1]), figure["value"]))
    return {kind: sorted(points) for kind, points in found.items()}
