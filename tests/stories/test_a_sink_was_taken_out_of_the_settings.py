"""A central storage is taken out of the settings while recordings are owed to it: that is told until it is back."""

from collections.abc import Callable
from pathlib import Path
from random import Random

from bwcdock.core.facts import Beat, Confirmed, CopyBad, Severity
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed
from test_two_central_storages import with_two

BEAT_S = 600


async def owed_to_a_vault(tmp_path: Path, clock: VirtualClock) -> tuple[StationBed, MemorySink]:
    """Three recordings, one of them confirmed in both places before the second went away."""
    bed, _, second = with_two(tmp_path, clock)
    card = bed.recorder("F1-0001")
    card.record("well.mp4", Random("well").randbytes(5000))
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until_settled(card)
        second.down = True
        for name in ("a", "b"):
            card.record(f"{name}.mp4", Random(name).randbytes(5000))
        card.plug("usb-2")
        await bed.until(lambda: len(bed.facts(Confirmed)) == 4)
        card.unplug()
    assert not bed.findings("sink.gone.vault")  # it is down, and known
    return bed, second


def take_out(bed: StationBed, name: str) -> Callable[[], None]:
    """Take a sink out of the settings, before the next start; what is answered puts it back."""
    settings, sinks = bed.settings, bed.sinks
    assert sinks

    def put_back() -> None:
        bed.settings, bed.sinks = settings, sinks

    bed.settings = settings.model_copy(update={"sink": [sink for sink in settings.sink if sink.name != name]})
    bed.sinks = {other: sink for other, sink in sinks.items() if other != name}
    return put_back


async def test_what_waits_for_it_is_counted_and_comes_there_when_it_is_back(tmp_path: Path) -> None:
    clock = VirtualClock()
    bed, second = await owed_to_a_vault(tmp_path, clock)
    put_back = take_out(bed, "vault")
    async with bed.at_work():
        (told,) = await bed.until(lambda: bed.findings("sink.gone.vault"))
        assert told.severity is Severity.WARN
        assert told.what.startswith("2 recordings wait for central storage vault,")
        assert "[[sink]] named vault" in told.remedy
        beats = len(bed.facts(Beat))
        await bed.until(lambda: clock.advance(BEAT_S) or len(bed.facts(Beat)) > beats + 2)
        assert len(bed.findings("sink.gone.vault")) == 1
    second.down = False
    put_back()
    async with bed.at_work():
        await bed.until(lambda: clock.advance(1) or all(record.finished for record in bed.records()))
        await bed.until(lambda: not bed.findings("sink.gone.vault"))


async def test_it_is_told_no_longer_when_nothing_waits_there_any_more(tmp_path: Path) -> None:
    """The last copies of what was owed are struck off: the recordings are owed anew, to whoever is named then."""
    clock = VirtualClock()
    bed, _ = await owed_to_a_vault(tmp_path, clock)
    take_out(bed, "vault")
    async with bed.at_work() as station:
        await bed.until(lambda: bed.findings("sink.gone.vault"))
        owed = [record for record in bed.records() if not record.finished]
        facts = [
            CopyBad(record=record.id, recorder=record.recorder, place=place, what="It is gone.")
            for record in owed
            for place in sorted(record.copies)
        ]
        station.bench.book.record(facts[:2])
        await bed.until(lambda: clock.advance(BEAT_S) or bed.findings("sink.gone.vault")[0].what.startswith("1 "))
        station.bench.book.record(facts[2:])
        await bed.until(lambda: clock.advance(BEAT_S) or not bed.findings("sink.gone.vault"))
