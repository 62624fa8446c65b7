"""``python -m bench.tables FILE…``: writes what measurements told (lines of JSON) as tables into docs/performance.md.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``. NAME is that of the file without ``.jsonl``: a row
a figure; or ``NAME PATTERN``: a series, a row for each number that PATTERN finds. What no file was given for stays.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.told import Told, by_number, read

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
TABLE = re.compile(r"(?s)<!-- table: (?P<name>\w+)(?: (?P<pattern>\S+))? -->\n.*?<!-- end -->")
MET = {True: "yes", False: "**no**", None: ""}


def main() -> None:
    told = {path.stem: read([path.read_text(encoding="utf-8")]) for path in map(Path, sys.argv[1:])}
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), told), encoding="utf-8")
    print(PAGE)


def written(page: str, told: Mapping[str, Told]) -> str:
    """The page with every table made anew of which something is told."""

    def made(found: re.Match[str]) -> str:
        name, pattern = found["name"], found["pattern"]
        if name not in told:
            return found[0]
        marker = found[0].partition("\n")[0]
        table = series(told[name], pattern) if pattern else figures(told[name])
        return f"{marker}\n{machine(told[name])}\n\n{table}\n<!-- end -->"

    return TABLE.sub(made, page)


def machine(told: Told) -> str:
    """On what it was measured, in one line."""
    of = told.machine
    sha = "with" if of.get("sha_ni") else "without"
    others = [figure["others"] for figure in told.figures.values() if figure.get("others") is not None]
    beside = f", others used at most {max(others):.0%} of it" if others else ""
    return (
        f"{of['processor'].strip()} ({of['cores']} cores, {sha} SHA instructions), {of['memory_gib']} GiB, "
        f"Linux {'.'.join(of['kernel'].split('.')[:2])}, Python {of['python']}, {of['openssl']}{beside}:"
    )


def figures(told: Told) -> str:
    """A row a figure; ``single runs`` are those whose median it is."""
    rows = [
        (
            name,
            shown(figure["value"]),
            figure["unit"],
            figure["goal"] or "",
            MET[figure["met"]],
            " ".join(map(shown, figure.get("of", ()))),
        )
        for name, figure in told.figures.items()
    ]
    return table(("figure", "value", "unit", "goal", "met", "single runs"), rows)


def series(told: Told, pattern: str) -> str:
    """A row for each number in the names, a column for each thing measured there."""
    points = by_number(told.figures, pattern)
    numbers = sorted({number for found in points.values() for number, _ in found})
    of = {kind: dict(found) for kind, found in points.items()}
    heads = ("", *(kind.replace("_", " ") for kind in of))
    return table(
        heads,
        [
            (f"{number:,}", *(shown(found[number]) if number in found else "" for found in of.values()))
            for number in numbers
        ],
    )


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """In Markdown."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def shown(value: float) -> str:
    """As short as it was told."""
    return f"{value:,g}" if abs(value) < 1000 else f"{value:,.0f}"


if __name__ == "__main__":
    main()
