"""The campaign of many screens still runs, small: `make bench-wall` is the long one, whose figures mean something."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(180)
@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="it needs a folder in memory, /dev/shm")
def test_screens_follow_while_a_recorder_is_pulled_and_every_figure_is_told():
    small = ["--minutes", "0.05", "--screens", "3", "--recorders", "1", "--warm", "3", "--turn", "2", "--still", "1"]
    command = [sys.executable, "-m", "bench.wall", *small]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    _, *figures = [json.loads(line) for line in ran.stdout.splitlines()]
    told = {figure["name"]: figure for figure in figures}
    assert set(told) == {"wall_screens_memory_growth", "wall_screens_pull_falls", "wall_screens_update_p99"}
    assert all(figure["goal"] for figure in figures)
    assert not told["wall_screens_update_p99"]["note"].startswith("0 updates")
    assert not told["wall_screens_pull_falls"]["note"].startswith("0 MiB/s")
