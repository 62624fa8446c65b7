"""More recorders are docked than the station may work on at once: the others wait for a place, and get it."""

from pathlib import Path
from random import Random

from bwcdock.core.facts import Arrived, Drained
from bwcdock.testing.station import StationBed


async def test_the_next_one_arrives_when_a_place_is_free(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, {"limits": {"recorders_at_once": 2}})
    cards = [bed.recorder(f"F1-000{at}") for at in range(3)]
    async with bed.at_work():
        for at, card in enumerate(cards):
            card.record("a.mp4", Random(at).randbytes(50_000))
            card.plug(f"usb-{at}")
        await bed.until(lambda: len(bed.facts(Drained)) == 2)
        await bed.until_settled(*cards[:2])  # many turns of the loop later it still waits
        assert len(bed.facts(Arrived)) == 2
        assert not cards[2].reads
        cards[0].unplug()
        await bed.until_settled(cards[2])
    assert sorted(fact.sighting.port for fact in bed.facts(Arrived)) == ["usb-0", "usb-1", "usb-2"]
    assert all(record.finished for record in bed.records())
    bed.must_agree()
