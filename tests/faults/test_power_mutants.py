"""The protocol damaged in one place at a time: the power cuts see every damage, but for those that no cut can tell.

In BWCDOCK_CAMPAIGN=long each sync of the program is left out in turn as well, and what is said to be equivalent is
tried too.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
from power.campaign import TO_THE_END, first_violation
from power.mutants import EQUIVALENT, MUTANTS, Mutant
from power.sites import places, syncing
from power.stories import STORIES, record

LONG = os.environ.get("BWCDOCK_CAMPAIGN") == "long"
STATES = 1500
"""More than any damage that is found has needed, by far: it is over with the first state that shows it."""
SEED = 5
"""Always the same cuts: a mutant that is found here is found everywhere."""

TRIED = [mutant for mutant in MUTANTS if LONG or not mutant.equivalent]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", TRIED, ids=lambda mutant: mutant.name)
def test_a_damaged_protocol_is_found_out(mutant: Mutant, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with quiet():
        with pytest.MonkeyPatch.context() as patch:
            mutant.damage(patch)
            tape = record(mutant.story, tmp_path)
        with pytest.MonkeyPatch.context() as patch:
            mutant.after(patch)
            looked, found = first_violation(tape, STATES, SEED, finish=1 if mutant.finish else TO_THE_END)
    told = f"found after {looked} states: {found.what}" if found else f"not told by {looked} states"
    with capsys.disabled():
        print(f"\n{mutant.name}: {told[:150]}" + (f" (equivalent: {mutant.equivalent})" if mutant.equivalent else ""))
    assert bool(found) is not bool(mutant.equivalent), told


def of_interest(site: str) -> bool:
    """In a short run only two places are left out in turn: one of a whole file, one of a receipt."""
    return LONG or site in {"names: publish < Spool.seal < seal", "names: write_small < write"}


@pytest.mark.timeout(4 * 3600 if LONG else 600)
def test_every_sync_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = []
    with quiet():
        where = places(STORIES, tmp_path / "places")
        for site in filter(of_interest, sorted(where)):
            found = None
            for story in where[site]:
                with syncing(set(), without=site):
                    tape = record(story, tmp_path / "one")
                shutil.rmtree(tmp_path / "one")
                looked, found = first_violation(tape, STATES, SEED)
                if found:
                    break
            told = f"found after {looked} states: {found.what}" if found else EQUIVALENT.get(site, "NOT FOUND")
            with capsys.disabled():
                print(f"\n{site}: {told[:150]}", end="")
            if bool(found) is (site in EQUIVALENT):
                wrong.append(f"{site}: {told}")
    assert not wrong, "\n".join(wrong)
    assert not LONG or set(EQUIVALENT) <= set(where), "no longer a place that syncs"


@contextmanager
def quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield
