"""The receipt (移交回执): when it is written, what it says, and that it comes in the end whatever was in the way."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import Drained, Item, Lost, Quarantined, Receipted, Sighting, Span
from bwcdock.core.record import State
from bwcdock.core.session import Session
from bwcdock.manifest import Receipt, open_signed
from bwcdock.ports import Recorder
from bwcdock.station import Station
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.recorder import FakeDriver, OpenedRecorder
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed
from bwcdock.testing.troubled import TroubledSink

KIB = 1 << 10
SELDOM = {"ledger": {"checkpoint_every_s": 3600}}


def receipt_of(bed: StationBed, station: Station, session: Session) -> Receipt:
    data = (bed.settings.paths.ledger / "receipts" / f"{session.id}.json").read_bytes()
    return open_signed(data, Receipt, station.bench.signer.verifier)


async def test_central_storage_does_not_take_it_at_first(tmp_path: Path) -> None:
    """Everything is confirmed, and then the line hangs: the rounds bring the same receipt there a minute later."""
    sink, clock = TroubledSink(MemorySink()), VirtualClock()
    bed = StationBed(tmp_path, SELDOM, clock=clock, sinks={"central": sink})
    card = bed.recorder("F1-0001")
    card.record("a.mp4", b"x" * 5000)
    sink.hang("note", "receipts/")
    async with bed.at_work() as station:
        card.plug()
        await bed.until(lambda: sink.hanging)
        card.unplug()
        await bed.until(lambda: bed.sessions()[0].departed_at)
        (path,) = (bed.settings.paths.ledger / "receipts").iterdir()
        written = path.read_bytes()
        assert not bed.facts(Receipted)
        sink.let_go()
        await bed.until(lambda: station.idle)  # what hung has ended: while it has not, the minute would pass it by
        clock.advance(timedelta(minutes=1, seconds=1))
        await bed.until(lambda: clock.advance(1) or bed.facts(Receipted))
    assert path.read_bytes() == sink.inner.objects[f"receipts/{path.name}"] == written
    assert len(bed.facts(Receipted)) == 1
    bed.must_agree()


async def test_with_one_set_apart_it_comes_and_says_so(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, clock=VirtualClock())
    card = bed.recorder("F1-0001")
    card.battery = 3
    card.record("a.mp4", Random(1).randbytes(300 * KIB))
    # A container that ends inside its first box but one: not closed when the recorder lost power.
    card.record("b.mp4", b"\0\0\0\x14ftypisom\0\0\2\0isom\0\x10\0\0mdat" + Random(2).randbytes(100 * KIB))
    card.spoil("a.mp4", Span(offset=100 * KIB, length=4 * KIB))
    async with bed.at_work() as station:
        card.plug()
        await bed.until_settled(card)
        told = receipt_of(bed, station, bed.sessions()[0])
    lines = {line.path: line for line in told.lines}
    assert (lines["a.mp4"].state, lines["a.mp4"].sha256) == ("quarantined", "")
    assert (lines["b.mp4"].state, lines["b.mp4"].sha256) == ("sealed", card.sha256("b.mp4"))
    # What the law says stands on every line: what is set apart is owed all the same.
    assert all(line.article.startswith("S4-fuzhou ") and line.due for line in told.lines)
    assert (lines["a.mp4"].verdict, lines["b.mp4"].verdict) == ("not_due", "met")
    # What a person should know of the docking, and of its recordings.
    assert {"battery.low", "media.truncated"} <= {finding.code for finding in told.findings}
    assert (bed.facts(Drained)[0].sealed, bed.facts(Drained)[0].quarantined) == (1, 1)
    bed.must_agree()


async def test_one_that_was_set_apart_is_lost_before_the_receipt_is_written(tmp_path: Path) -> None:
    """Central storage comes back after the card lost a file: the first docking gets its receipt, which says so."""
    sink, clock = MemorySink(), VirtualClock()
    bed = StationBed(tmp_path, SELDOM, clock=clock, sinks={"central": sink})
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(100 * KIB))
    card.record("b.mp4", Random(2).randbytes(100 * KIB))
    card.spoil("b.mp4", Span(offset=0, length=100 * KIB))
    sink.down = True
    async with bed.at_work() as station:
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Drained))
        assert bed.facts(Quarantined)
        first = bed.sessions()[0].id
        card.heal()
        card.yank("b.mp4", 0)
        card.plug("usb-2")
        await bed.until(lambda: bed.record("b.mp4").state is State.LISTED)
        # While that docking is open there are two of one serial, and a second card may be where the file is.
        await bed.until(lambda: bed.sessions()[0].departed_at)
        card.delete("b.mp4")
        card.plug("usb-3")
        await bed.until(lambda: bed.facts(Lost))
        sink.down = False
        await bed.until(lambda: clock.advance(1) or bed.facts(Receipted, session=first))
        (session,) = [session for session in bed.sessions() if session.id == first]
        told = receipt_of(bed, station, session)
    assert {line.path: line.state for line in told.lines} == {"a.mp4": "sealed", "b.mp4": "lost"}
    assert "recording.gone" in {finding.code for finding in told.findings}
    bed.must_agree()


class Named(OpenedRecorder):
    """A recorder that writes an officer into the names of its files: what stands before the first underscore."""

    def items(self) -> list[Item]:
        return [replace(item, officer=item.path.partition("_")[0]) for item in super().items()]


class NamedDriver(FakeDriver):
    def open(self, sighting: Sighting) -> AbstractContextManager[Recorder]:
        return self._named(sighting)

    @contextmanager
    def _named(self, sighting: Sighting) -> Iterator[Recorder]:
        with super().open(sighting):
            yield Named(self.recorders[sighting.source.removeprefix("fake:")])


@pytest.mark.parametrize(
    ("paths", "officer"), [(("0007_a.mp4", "0007_b.mp4"), "0007"), (("0007_a.mp4", "0008_b.mp4"), "")]
)
async def test_it_names_an_officer_only_where_all_names_agree(
    tmp_path: Path, paths: tuple[str, ...], officer: str
) -> None:
    bed = StationBed(tmp_path)
    bed.driver = NamedDriver()
    bed.drivers = (bed.driver,)
    bed.watch._driver = bed.driver
    card = bed.recorder("F1-0001")
    for path in paths:
        card.record(path, b"x" * 5000)
    async with bed.at_work() as station:
        card.plug()
        await bed.until_settled(card)
        assert receipt_of(bed, station, bed.sessions()[0]).officer == officer
    bed.must_agree()
