"""A card claims sizes that no card has: what cannot be is left out and told, and everything else is brought."""

from pathlib import Path
from random import Random

from bwcdock.core.facts import Checked, Faulted
from bwcdock.testing.station import StationBed

MOST = 2**53 - 1


async def test_the_good_files_are_brought(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001")
    for name in ("a", "b", "c", "d"):
        card.record(f"{name}.mp4", Random(name).randbytes(5000))
    card.lie("b.mp4", MOST)  # each of them a file that the ledger could hold
    card.lie("c.mp4", MOST - 1)
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
    assert not bed.facts(Faulted)
    assert sorted(r.item.path for r in bed.records()) == ["a.mp4", "d.mp4"]
    assert all(r.finished for r in bed.records())
    (session,) = bed.sessions()
    assert session.size == 10_000
    told = [f for f in session.findings if f.code == "listing.implausible"]
    assert [f.what.partition(" ")[0] for f in told] == ["c.mp4", "b.mp4"]
    bed.must_agree()


async def test_figures_that_cannot_be_are_no_figures(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", b"a" * 5000)
    card.room = 2**60
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
    (checked,) = bed.facts(Checked)
    assert checked.condition.storage_free is None
    assert checked.condition.storage_total == 64 << 30
    (told,) = [f for f in checked.findings if f.code == "condition.implausible"]
    assert told.evidence == (("storage_free", str(2**60)),)
    assert bed.record("a.mp4").finished
    bed.must_agree()
