"""What was measured is written into the page where the page says so, and nothing else of the page changes."""

import json

import pytest

from bench.tables import PAGE, TABLE, written
from bench.told import read

CPU = {"processor": "Some CPU", "cores": 2, "sha_ni": True, "memory_gib": 4.0}
MACHINE = json.dumps({"machine": {**CPU, "kernel": "6.1", "python": "3.11", "openssl": "OpenSSL 3"}})


def line(name: str, value: float, **more: object) -> str:
    return json.dumps({"name": name, "value": value, "unit": "s", "goal": None, "met": None, **more})


def told(*lines: str) -> dict:
    return {"bench": read(["\n".join((MACHINE, *lines))])}


def test_a_row_a_figure() -> None:
    page = "before\n<!-- table: bench -->\n| old |\n<!-- end -->\nafter\n"
    found = written(page, told(line("pull", 0.4369, goal="<= 0.9", met=True, of=[0.4, 0.5], others=0.12)))
    head, *rows, tail = found.splitlines()
    assert (head, tail) == ("before", "after")
    assert "| pull | 0.4369 | s | <= 0.9 | yes | 0.4 0.5 |" in rows
    assert "Some CPU (2 cores, with SHA instructions)" in found
    assert "at most 12%" in found
    assert "old" not in found
    assert written(found, told(line("pull", 1234567, met=False))).count("| pull | 1,234,567 | s |  | **no** |  |") == 1


def test_a_row_a_number() -> None:
    page = "<!-- table: bench size_(\\d+)_mib -->\n<!-- end -->"
    figures = [line("size_16_mib_vs_cp", 0.5), line("size_1_mib_vs_cp", 2), line("size_1_mib_speed", 30), line("x", 1)]
    assert "|  | vs cp | speed |\n| --- | --- | --- |\n| 1 | 2 | 30 |\n| 16 | 0.5 |  |\n" in written(
        page, told(*figures)
    )


def test_what_nothing_was_told_of_stays() -> None:
    page = "<!-- table: wall -->\n| old |\n<!-- end -->"
    assert written(page, told(line("pull", 1))) == page


def test_another_line_is_refused() -> None:
    with pytest.raises(ValueError, match="not a line"):
        read(['{"name": "pull"}'])


def test_the_page_has_such_tables() -> None:
    found = [(match["name"], match["pattern"]) for match in TABLE.finditer(PAGE.read_text(encoding="utf-8"))]
    assert ("bench", None) in found
    assert ("sizes", r"size_(\d+)_mib") in found
