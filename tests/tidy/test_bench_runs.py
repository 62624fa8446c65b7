"""The bench can be run: every line is JSON with its name, value and unit. Its figures are not judged here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", ["plan", "pieces"])
def test_its_lines_can_be_read(what, tmp_path):
    command = [sys.executable, "-m", "bench", "--quick", "--only", what, "--work", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=280)
    machine, *figures = [json.loads(line) for line in ran.stdout.splitlines()]
    assert machine["machine"]["cores"] >= 1
    assert figures
    for figure in figures:
        assert {"name", "value", "unit", "goal", "met"} <= figure.keys()
        assert isinstance(figure["value"], int | float)
