"""What a card may claim, at its edges: whatever is let through fits into a leaf."""

from dataclasses import replace

import pytest
from bwcdock.core.clocks import correct
from bwcdock.core.facts import Claim, Condition, Entry, Item, Listed
from bwcdock.ledger import codec
from bwcdock.steps.bounds import LARGEST, PATH_LENGTH, SIDECARS, TEXT_LENGTH, credible, plausible
from bwcdock.testing.clock import EPOCH

ITEM = Item(path="a.mp4", size=1, modified=None, claim=Claim(start=None, end=None, source="name", zone="+00:00"))
WIDE = "\U00020bb7"  # four bytes


def leaf(item: Item) -> bytes:
    fact = Listed(record="r", item=item, corrected=correct(item, None, None))
    return codec.encode(Entry(seq=0, at=EPOCH, fact=fact), boot="b", mono=0, origin="o")


@pytest.mark.parametrize("most", [SIDECARS + 1, 400, 100_000])
def test_a_file_with_very_many_files_beside_it_is_brought(most: int) -> None:
    item = replace(ITEM, sidecars=tuple(f"{n:06d}.{WIDE * 90}" for n in range(most)))
    (kept,), (told,) = plausible([item])
    assert len(leaf(kept)) < codec.MAX_LEAF
    assert kept.sidecars == item.sidecars[: len(kept.sidecars)]
    assert 0 < len(kept.sidecars) <= SIDECARS
    assert (told.code, str(most) in told.what) == ("listing.sidecars", True)


def test_ordinary_items_come_through_as_they_are() -> None:
    items = [replace(ITEM, path=f"{n}.mp4", size=size, sidecars=("x.gps",)) for n, size in enumerate((9, 3, 0, 7))]
    assert plausible(items) == (items, [])


@pytest.mark.parametrize(
    "item",
    [
        replace(ITEM, size=-1),
        replace(ITEM, size=LARGEST + 1),
        replace(ITEM, path=WIDE * (PATH_LENGTH + 1)),
        replace(ITEM, path=WIDE * PATH_LENGTH, activity=WIDE * (TEXT_LENGTH - PATH_LENGTH)),
    ],
    ids=["negative", "too large", "path", "all its words"],
)
def test_what_no_leaf_can_hold_is_told(item: Item) -> None:
    kept, (told,) = plausible([ITEM, item])
    assert (kept, told.code) == ([ITEM], "listing.implausible")


def test_the_longest_words_that_are_let_through_fit() -> None:
    item = replace(ITEM, path=WIDE * PATH_LENGTH, activity=WIDE * (TEXT_LENGTH - PATH_LENGTH - len("+00:00")))
    (kept,), told = plausible([item])
    assert not told
    assert len(leaf(kept)) < codec.MAX_LEAF


def test_figures() -> None:
    honest = Condition(battery=80, storage_free=0, storage_total=LARGEST)
    assert credible(honest) is honest
    told = credible(replace(honest, battery=-1, storage_total=LARGEST + 1))
    assert (told.battery, told.storage_free, told.storage_total) == (None, 0, None)
    assert [note.code for note in told.notes] == ["condition.implausible"]
