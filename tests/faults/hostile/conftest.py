"""The table at the end: what came of every class of hostile cards, and what the worst of each cost."""

from collections.abc import Iterator

import pytest

HEADS = ("class", "cases", "refused", "found", "right", "worst MiB", "worst s")


@pytest.hookimpl
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Also with workers: what a test told of itself comes with its report."""
    rows = sorted(set(_rows(terminalreporter)))
    if rows:
        terminalreporter.section("hostile cards")
        for row in (HEADS, *rows):
            terminalreporter.write_line(f"{row[0]:34}" + "".join(f"{each:>11}" for each in row[1:]))


def _rows(reporter: pytest.TerminalReporter) -> Iterator[tuple[str, ...]]:
    for reports in reporter.stats.values():
        for report in reports:
            for name, row in getattr(report, "user_properties", ()):
                if name == "hostile":
                    yield tuple(row)
