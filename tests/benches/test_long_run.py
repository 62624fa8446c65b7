"""A short month: what lives it ends with nothing owed, and says what it saw."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
def test_a_day_in_half_a_minute(tmp_path: Path) -> None:
    sized = ("--days", "1", "--minutes", "0.5", "--recorders", "3", "--work", str(tmp_path))
    ran = subprocess.run(
        [sys.executable, "-m", "bench.longrun", *sized], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    machine, *told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert machine["machine"]["recorders"] == 3
    samples = [line["sample"] for line in told if "sample" in line]
    figures = {line["name"]: line["value"] for line in told if "name" in line}
    assert len(samples) >= 5
    assert samples[-1]["day"] > 0.6
    assert figures.keys() == {"longrun_recordings", "longrun_unfinished", "longrun_audit", "longrun_lost"}
    assert figures["longrun_recordings"] >= 3 * 2 * 14
    assert figures["longrun_unfinished"] == figures["longrun_audit"] == figures["longrun_lost"] == 0
    assert list(tmp_path.iterdir()) == []
