"""The pack speaks from the moment that the record keeps, and is not heard twice where nothing else became known."""

from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from bwcdock.core.facts import Found, Obliged
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.station import StationBed


class Ticking(VirtualClock):
    """Never the same moment twice, as on a real machine."""

    def now(self) -> datetime:
        self.set(super().now() + timedelta(milliseconds=1))
        return super().now()


async def test_a_deadline_that_counts_from_docking_does_not_move(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, clock=Ticking())
    card = bed.recorder("F1-0001")
    for name in ("a", "b", "c"):
        card.record(f"{name}.mp4", Random(name).randbytes(5000))
        card.files[f"{name}.mp4"].start = None
        card.files[f"{name}.mp4"].modified = None  # type: ignore[assignment]  # a card that lost its dates
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
    for record in bed.records():
        (obliged,) = bed.facts(Obliged, record=record.id)
        assert (obliged.obligation.basis, obliged.obligation.basis_at) == ("listed_at", record.listed_at)
        assert record.due == record.listed_at + timedelta(hours=24)
    # What is not known of any file of a card is told once a card.
    (session,) = bed.sessions()
    assert [f.code for f in session.findings if f.code.startswith("deadline")] == ["deadline.end-unknown"]
    assert not [f for f in bed.facts(Found) if f.finding.code.startswith("deadline")]
    bed.must_agree()
