"""A power cut after every operation of what a station does: nothing that it said is ever untrue afterwards.

BWCDOCK_STATES says how many states are looked at, over all stories; BWCDOCK_SEED repeats the cuts of another run.
"""

import os
import secrets
from pathlib import Path

import pytest
import structlog
from power.campaign import campaign, table
from power.stories import STORIES, record

LONG = os.environ.get("BWCDOCK_CAMPAIGN") == "long"
STATES = int(os.environ.get("BWCDOCK_STATES", "20000" if LONG else "1500"))
SEED = int(os.environ.get("BWCDOCK_SEED", "0")) or secrets.randbelow(1_000_000)


@pytest.mark.timeout(max(300, STATES))
def test_nothing_that_was_said_is_lost_in_a_power_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print(f"BWCDOCK_SEED={SEED}")  # the table is not seen where the tests run side by side
    results = []
    for story in STORIES:
        with structlog.testing.capture_logs():
            tape = record(story, tmp_path / story.name.replace(" ", "-"))
        results.append(campaign(tape, STATES // len(STORIES), SEED))
    with capsys.disabled():
        print(f"\n{table(results, SEED)}")
    wrong = [f"{r.story}: {v}\n{v.trace}" for r in results for v in r.violations]
    assert not wrong, f"{len(wrong)} violations, seed {SEED}:\n" + "\n".join(wrong[:5])
