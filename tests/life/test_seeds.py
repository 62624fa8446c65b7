"""What was drawn by chance can be drawn again: its seed is shown, also where nothing failed."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_a_life_that_passed_shows_how_it_is_lived_again() -> None:
    asked = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{HERE / 'test_life.py'}::test_life"]
    lived = subprocess.run(
        asked,
        env=os.environ | {"BWCDOCK_LIVES": "1x2", "BWCDOCK_SEED": "77"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert lived.returncode == 0, lived.stdout
    assert "BWCDOCK_SEED=77 BWCDOCK_LIVES=1x2" in lived.stdout
