"""A pattern that could run away on a hostile name is refused when it is read; what is let through is soon done."""

import re
import time
from itertools import product
from pathlib import Path
from random import Random

import pytest
from bwcdock_drivers.patterns import Pattern
from bwcdock_drivers.quirks import PACKAGE, read
from bwcdock_drivers.runaway import TEXT_MAX, WAYS_MAX, ways

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "quirks"

REFUSED = (
    "(a|a)*b", "(a|b|ab)*c", r"(\w|\d\d?)*x", "((a)+)+b", "(a+)+", "(a*)*b", "(?:a|)*b", "(?:a?){30}b",
    "a?" * 30 + "a" * 30, "(.*/)*x", r"(?:\w+\s?)*$", "(?i:[A-Z]+b)+c", "(?:[0-9]+[٠-٩]*)+x", "(?:(?=a+)a+)+b",
    r"(?:(?:(?:\b)*)+[ab]){0,40}c", ".*_.*_.*_x", "(?:a+){2,}?b", "(?P<seq>[0-9]+)?(?:(?(seq)a|a)a?)*b",
)  # fmt: skip

LET = (
    "", "abc", "[^/]*$", "(a|ab)*c", r"(\w|\d)*x", "(?:[A-Z]+_)+x", "(?i:[A-Z]+_)+x", "(?:[0-9]{2}-?){3}", "(?>a+)+b",
    "(?:a++)*b", "([^/]+/)*x", r"^DCIM/.*_(?P<start>\d{14}).*\.mp4$", ".*.*x", r"(?:^|/)CAM_(?:VID|IMG|LRV)_[0-9]+\.",
    "(?:(?:(?:(?:(?:(?:(?:(?:a_)+b)+c)+d)+e)+f)+g)+h)+i",
)  # fmt: skip


@pytest.mark.parametrize("pattern", REFUSED)
def test_one_that_reads_a_name_in_too_many_ways_is_refused(pattern):
    re.compile(pattern)
    assert ways(pattern) > WAYS_MAX


@pytest.mark.parametrize("pattern", LET)
def test_one_whose_next_character_decides_is_let_be(pattern):
    assert ways(pattern) <= WAYS_MAX


def test_what_ships_stays_far_below_the_limit():
    for path in PACKAGE.glob("*.toml"):
        quirk, problems = read(path)
        assert problems == []
        texts = re.findall(r"'((?:re:)?[^'\n]{3,})'", path.read_text(encoding="utf-8"))
        assert max((ways(text.removeprefix("re:")) for text in texts), default=1) <= WAYS_MAX >> 10, quirk


def test_what_is_let_through_is_soon_done_on_names_made_to_hold_it_up():
    chance, slowest_s, let = Random(7), 0.0, 0

    def made(depth: int) -> str:
        if depth == 0 or chance.random() < 0.25:
            return chance.choice(["a", "b", "ab", "[ab]", ".", "a?", "b*", "[^a]", "(?=a)", "$", r"\b"])
        if chance.random() < 0.4:
            return made(depth - 1) + made(depth - 1)
        if chance.random() < 0.4:
            return f"(?:{made(depth - 1)}|{made(depth - 1)})"
        return f"(?:{made(depth - 1)}){chance.choice(['*', '+', '?', '{2,9}', '{30}', '*?', '{0,40}'])}"

    names = [("".join(word) * 60)[:60] + end for n in (1, 2) for word in product("ab", repeat=n) for end in ("", "!")]
    for pattern in (made(4) + end for _ in range(60) for end in ("c", "$", "ac")):
        if ways(pattern) <= WAYS_MAX:
            let += 1
            compiled, begun = re.compile(pattern), time.process_time()
            for name in names:
                compiled.search(name)
            slowest_s = max(slowest_s, time.process_time() - begun)
    assert let > 50
    assert slowest_s < 5


def test_a_longer_text_than_was_judged_for_fits_nothing():
    pattern = Pattern(re.compile("a+$"))
    assert pattern.search("a" * TEXT_MAX)
    assert pattern.search("a" * (TEXT_MAX + 1)) is None
