"""The colours of the wall: whatever is written is read, by the contrast that WCAG 2.2 asks for (1.4.3: 4.5 to 1)."""

import re
from pathlib import Path

import pytest
from bwcdock.core.wall import Shows
from bwcdock.web.wall import drawing

CSS = (Path(drawing.__file__).parents[1] / "static" / "wall.css").read_text()
COLOURS = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", CSS))
PAIRS = sorted((name, name.removesuffix("-ink") + "-ground") for name in COLOURS if name.endswith("-ink"))
BESIDE = [
    # What is written on a ground that is not its own.
    ("card-ink", "empty-ground"), ("card-ink", "pulling-ground"), ("card-ink", "reading-ground"),
    ("card-ink", "attention-ground"), ("card-ink", "unfinished-ground"), ("empty-ink", "empty-ground"),
    ("ready-ink", "card-ground"), ("card-soft-ink", "card-ground"), ("card-soft-ink", "second-ground"),
    ("page-soft-ink", "page-ground"), ("alarm-ink", "card-ground"), ("alarm-ink", "second-ground"),
    ("risk-ink", "card-ground"), ("risk-ink", "second-ground"),
    # On a promise the band is turned round.
    ("safe-ground", "safe-ink"), ("settled-ground", "settled-ink"), ("ready-ground", "ready-ink"),
]  # fmt: skip


def contrast(one: str, other: str) -> float:
    """By the definition of WCAG 2.2: relative luminances with 0.05 of stray light."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_is_right():
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48


@pytest.mark.parametrize(("ink", "ground"), [*PAIRS, *BESIDE])
def test_it_can_be_read(ink: str, ground: str):
    assert contrast(COLOURS[ink], COLOURS[ground]) >= 4.5, (COLOURS[ink], COLOURS[ground])


def test_every_ink_has_its_ground_and_every_state_both():
    assert len(PAIRS) >= 25
    assert {ground for _, ground in PAIRS} <= COLOURS.keys()
    for state in Shows:
        assert {f"{state.value}-ink", f"{state.value}-ground"} <= COLOURS.keys()


@pytest.mark.parametrize("state", [state for state in Shows if state not in {Shows.EMPTY, Shows.UNKNOWN}])
def test_a_border_of_a_state_stands_out_from_the_page(state: Shows):
    """3 to 1, as for everything that is not text (1.4.11)."""
    assert contrast(COLOURS[f"{state.value}-ink"], COLOURS["page-ground"]) >= 3
    assert contrast(COLOURS["focus"], COLOURS["page-ground"]) >= 3


def test_no_state_is_told_by_colour_alone():
    """Each of those that ask for something, or promise something, has a border of its own."""
    borders = {
        state: re.search(
            rf'\.slot(?:\[[^\]]*\], \.slot)?\[data-shows="{state}"\][^{{]*{{[^}}]*border[^;:]*: ?([^;}}]+)', CSS
        )
        for state in ("empty", "reading", "pulling", "safe", "attention", "alarm", "gone")
    }
    assert all(borders.values()), borders
