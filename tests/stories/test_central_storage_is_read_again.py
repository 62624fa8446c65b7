"""A little of central storage is read again every day, and storage that forgets is found before anybody needs it."""

import asyncio
from datetime import timedelta
from pathlib import Path
from random import Random

from bwcdock import app, metrics, overview
from bwcdock.cli import main
from bwcdock.core.facts import CentralScrubbed, Confirmed, CopyBad, Drained, LookedAgain
from bwcdock.core.record import State
from bwcdock.metrics.exposition import families
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed
from bwcdock.testing.troubled import TroubledSink

SIZE = 4000
HOUR = timedelta(hours=1)


def reads(sink: MemorySink, since: int) -> list[str]:
    return [key for op, key in sink.calls[since:] if op == "stat"]


async def stored(bed: StationBed, clock: VirtualClock, names: str) -> None:
    """Recordings of which central storage gave back every byte twice."""
    card = bed.recorder("F1-0001")
    for name in names:
        card.record(f"{name}.mp4", Random(name).randbytes(SIZE))
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.facts(Drained))
        card.unplug()
        await bed.until(lambda: clock.advance(HOUR) or all(r.held and r.held[0].looked_at for r in bed.records()))


def with_share(directory: Path, percent: float, **settings: object) -> tuple[StationBed, MemorySink, VirtualClock]:
    sink, clock = MemorySink(), VirtualClock()
    told = {"sink": {"scrub_percent_a_day": percent, **settings}, "spool": {"keep_after_confirm_s": 10_000_000}}
    return StationBed(directory, told, clock=clock, sinks={"central": sink}), sink, clock


async def test_so_much_a_day_evenly_and_each_in_its_turn(tmp_path: Path) -> None:
    bed, sink, clock = with_share(tmp_path, 50.0)
    await stored(bed, clock, "abcdefgh")
    looked, began, since = len(bed.facts(LookedAgain)), clock.now(), len(sink.calls)
    before = len(bed.facts(CentralScrubbed))
    async with bed.at_work():
        # Half of eight a day is one in six hours: in two days every one is read once.
        await bed.until(lambda: clock.advance(HOUR / 12) or len(reads(sink, since)) == 8)
    assert len(set(reads(sink, since))) == 8
    assert timedelta(hours=46) <= clock.now() - began <= timedelta(hours=96)  # a busy machine lags behind the clock
    again = bed.facts(LookedAgain)[looked:]
    assert len(again) == 8
    sums = bed.facts(CentralScrubbed)[before:]
    assert {(told.sink, told.files, told.size, told.bad) for told in sums} == {("central", 1, SIZE, 0)}
    assert len(sums) >= 7
    bed.must_agree()


async def test_what_it_finds_bad_is_told_and_pushed_again_where_it_is_gone(tmp_path: Path) -> None:
    bed, sink, clock = with_share(tmp_path, 100.0)
    await stored(bed, clock, "abcd")
    gone, wrong = bed.record("a.mp4").held[0].key, bed.record("b.mp4").held[0].key
    del sink.objects[gone]
    sink.rot(wrong)
    confirmed, before = len(bed.facts(Confirmed)), len(bed.facts(CentralScrubbed))
    async with bed.at_work():
        await bed.until(lambda: clock.advance(HOUR) or len(bed.facts(CopyBad)) == 2)
        await bed.until(lambda: clock.advance(HOUR) or len(bed.facts(Confirmed)) > confirmed)
        sums = lambda: bed.facts(CentralScrubbed)[before:]  # noqa: E731
        await bed.until(lambda: clock.advance(HOUR) or sum(told.bad for told in sums()) == 2)
        await bed.until(lambda: clock.advance(HOUR) or bed.findings("sink.conflict.central"))
    assert gone in sink.objects
    assert bed.findings("copy.bad.central")
    assert all(bed.record(f"{name}.mp4").state is State.SEALED for name in "abcd")
    last = bed.facts(CentralScrubbed)[-1]
    (store,) = bed.ask(lambda ledger: overview.stores(bed.settings, ledger, clock.now()))
    assert store.scrubbed
    assert (store.scrubbed.files, store.scrubbed.bad) == (last.files, last.bad)


async def test_nothing_is_read_again_where_that_is_set_to_nothing(tmp_path: Path) -> None:
    bed, sink, clock = with_share(tmp_path, 0.0)
    await stored(bed, clock, "ab")
    since = len(sink.calls)
    async with bed.at_work():
        for _ in range(100):
            clock.advance(HOUR)
            await asyncio.sleep(0.001)
    assert not reads(sink, since)
    assert not bed.facts(CentralScrubbed)


async def test_in_its_hours_only_and_then_as_much(tmp_path: Path) -> None:
    bed, _, clock = with_share(tmp_path, 100.0, window=["mon-sun 21:00-24:00"])
    await stored(bed, clock, "abcdefgh")
    looked, began = len(bed.facts(LookedAgain)), clock.now()

    def goes_by() -> None:  # slowly within the hours: a busy machine must get its reading done in them
        clock.advance(HOUR / (60 if clock.now().hour in {13, 14, 15} else 12))

    async with bed.at_work():
        await bed.until(lambda: goes_by() or len(bed.facts(LookedAgain)) == looked + 8)
    moments = [e.at for e in bed.entries() if isinstance(e.fact, LookedAgain)][looked:]
    # From 21 to 24 o'clock at the station; what is begun is ended, and the clock here runs fast.
    assert {at.hour for at in moments} <= {13, 14, 15, 16}
    assert clock.now() - began <= timedelta(days=3)


async def test_it_lets_everything_else_go_first(tmp_path: Path) -> None:
    bed, sink, clock = with_share(tmp_path, 100.0)
    await stored(bed, clock, "abcd")
    troubled = TroubledSink(sink)
    bed.sinks = {"central": troubled}
    troubled.hang("put")
    card = bed.recorder("F1-0002")
    card.record("z.mp4", Random("z").randbytes(SIZE))
    since = len(sink.calls)
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: troubled.hanging)
        clock.advance(timedelta(hours=6))  # one of four is due
        for _ in range(30):
            clock.advance(timedelta(minutes=1))
            await asyncio.sleep(0.005)
        assert not reads(sink, since)
        troubled.let_go()
        await bed.until(lambda: clock.advance(HOUR) or reads(sink, since))


async def test_storage_that_is_away_is_told_and_nothing_counts_as_bad(tmp_path: Path) -> None:
    bed, sink, clock = with_share(tmp_path, 100.0)
    await stored(bed, clock, "abcd")
    sink.down = True
    before = len(bed.facts(CentralScrubbed))
    async with bed.at_work():
        await bed.until(lambda: clock.advance(HOUR) or bed.findings("sink.down.central"))
        sink.down = False
        await bed.until(lambda: clock.advance(HOUR) or len(bed.facts(CentralScrubbed)) > before)
        await bed.until(lambda: not bed.findings("sink.down.central"))
    assert not bed.facts(CopyBad)
    bed.must_agree()


def test_it_is_told_to_people_and_machines(tmp_path: Path, capsys) -> None:
    bed, _, clock = with_share(tmp_path, 1.0)
    with bed.bench() as bench:
        bench.book.record([CentralScrubbed(sink="central", files=9, size=90, bad=0)])
        bench.book.record([CentralScrubbed(sink="central", files=31, size=310, bad=4)])
    assert main(["-C", str(bed.settings.paths.run.parent), "status"]) == 0
    assert "31 read again" in " ".join(capsys.readouterr().out.split())

    def figures(ledger):
        found = families(bed.settings, ledger, app.law_of(bed.settings), clock.now(), metrics.Memory(), None)
        return {s.name: s.value for family in found for s in family.samples if s.name.startswith("bwcdock_central_")}

    assert bed.ask(figures) == {
        "bwcdock_central_scrub_timestamp_seconds": clock.now().timestamp(),
        "bwcdock_central_scrub_files": 31,
        "bwcdock_central_scrub_bad_files": 4,
    }
