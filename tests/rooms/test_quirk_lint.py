"""The linter of quirk files against files that must fail, each of which says in its first line what it is told."""

from pathlib import Path

import pytest
from bwcdock_drivers.linting import lint
from bwcdock_drivers.quirks import Quirks

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "quirks"
REFUSED = sorted((SAMPLES / "refused").glob("*.toml"))


def test_there_are_samples_of_every_kind():
    assert len(REFUSED) > 15
    assert {path.name for path in SAMPLES.iterdir()} == {"refused", "tied", "apart"}


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_each_sample_is_refused_for_what_it_says(path):
    expected = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
    (told,) = lint([path])
    assert told.startswith(f"{path.name}: {expected}")


@pytest.mark.parametrize("folder", sorted((SAMPLES / "tied").iterdir()), ids=lambda path: path.name)
def test_two_that_fit_the_same_recorder_as_closely_are_refused(folder):
    files = sorted(folder.glob("*.toml"))
    (told,) = lint(files)
    assert told.startswith("two.toml: match: fits the same recorders as one.toml and no more closely")
    assert lint(files[:1]) == lint(files[1:]) == []


@pytest.mark.parametrize("folder", sorted((SAMPLES / "apart").iterdir()), ids=lambda path: path.name)
def test_two_of_which_one_is_closer_or_that_no_recorder_is_known_to_fit_are_let_be(folder):
    assert lint(sorted(folder.glob("*.toml"))) == []
    assert {"one", "two"} < {quirk.name for quirk in Quirks([folder]).all}


def test_a_name_that_cannot_be_written_down_is_refused(tmp_path):
    path = tmp_path / "a\x1b.toml"
    path.write_text('about = "a"\n[match]\nlabel = "^X"\n')
    assert "cannot be written down" in lint([path])[0]
