"""Two things go wrong: the power is cut while the station gets over a cut, or after a sync that failed."""

import os
from pathlib import Path

import pytest
import structlog
from power.campaign import Result, campaign, cuts, table
from power.stories import LEDGER, PULL, PUSH, RELEASE, Story, record
from power.twice import after_a_failed_sync, is_station, over_a_cut, syncs, syncs_of_names

LONG = os.environ.get("BWCDOCK_CAMPAIGN") == "long"
STORIES = (PULL, PUSH, RELEASE, LEDGER)
STATES = 60
FINISH = 10
"""Of so many distinct states one is worked on to the end: here more goes wrong on the way there."""
SEED = 9


@pytest.mark.timeout(3600 if LONG else 300)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_cut_while_it_gets_over_a_cut(story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with structlog.testing.capture_logs():
        tape = record(story, tmp_path / "first")
        first = [cut for cut in cuts(tape, 20 if LONG else 2, SEED) if is_station(cut)]
        tapes = [over_a_cut(tape, cut, tmp_path / f"{cut.number}") for cut in first]
    told([campaign(again, STATES, SEED, finish=FINISH) for again in tapes], capsys)


@pytest.mark.timeout(3600 if LONG else 300)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_cut_after_a_sync_that_failed(story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with structlog.testing.capture_logs():
        first = record(story, tmp_path / "first")
        many = syncs(first)
        which = range(1, many + 1) if LONG else sorted({1, many // 3, *syncs_of_names(first)[:2]})
        tapes = [after_a_failed_sync(story, nth, tmp_path / f"{nth}") for nth in which]
    told([campaign(tape, STATES, SEED, finish=FINISH) for tape in tapes], capsys)


def told(results: list[Result], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{table(results, SEED)}")
    wrong = [f"{r.story}: {v}\n{v.trace}" for r in results for v in r.violations]
    assert not wrong, f"{len(wrong)} violations:\n" + "\n".join(wrong[:5])
