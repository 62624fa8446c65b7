"""A card has places that cannot be read: what can be is kept aside as it is, and never called a whole recording."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from blake3 import blake3
from bwcdock.core.facts import Cleared, Drained, Faulted, Pulled, Quarantined, Sealed, Span
from bwcdock.core.record import State
from bwcdock.testing.recorder import FakeRecorder
from bwcdock.testing.station import StationBed

KIB = 1 << 10
DATA = Random(1).randbytes(600 * KIB + 5)


def worn(bed: StationBed) -> FakeRecorder:
    card = bed.recorder("F1-0001", most=64 * KIB)
    card.record("a.mp4", DATA)
    card.record("b.mp4", Random(2).randbytes(300 * KIB))
    card.record("c.mp4", Random(3).randbytes(10))
    return card


async def test_set_apart_with_its_places_and_the_rest_is_sealed(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = worn(bed)
    bad = [Span(offset=200 * KIB, length=8 * KIB), Span(offset=500 * KIB + 100, length=7)]
    for span in bad:
        card.spoil("a.mp4", span)
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Drained))
        record = bed.record("a.mp4")
        assert record.state is State.QUARANTINED
        (told,) = bed.facts(Quarantined)
        assert told.reason == "unreadable"
        assert told.what == f"a.mp4 cannot be read at byte {200 * KIB}."
        # Every bad byte is in a span, every other byte is in a run, and nothing is in both.
        pieces = sorted([*told.unreadable, *told.runs], key=lambda s: s.offset)
        assert [p.offset for p in pieces] == [0, *(p.offset + p.length for p in pieces[:-1])]
        assert pieces[-1].offset + pieces[-1].length == len(DATA)
        for span in bad:
            assert any(
                u.offset <= span.offset and span.offset + span.length <= u.offset + u.length for u in told.unreadable
            )
        assert sum(u.length for u in told.unreadable) <= 8 * KIB + 4096
        assert all(name.startswith(f"{record.id}@") for name in bed.aside())  # by their places in the file
        kept = list(bed.aside().values())
        assert kept == [DATA[run.offset : run.offset + run.length] for run in told.runs]
        assert not bed.whole(record).exists()
        assert not bed.facts(Pulled, record=record.id)
        assert {f.record for f in bed.facts(Sealed)} == {bed.record("b.mp4").id, bed.record("c.mp4").id}
        assert (bed.facts(Drained)[0].sealed, bed.facts(Drained)[0].quarantined) == (2, 1)
        bed.must_agree()
        # Docked again as bad as before: tried again, set apart again.
        card.plug("usb-2")
        await bed.until(lambda: len(bed.facts(Quarantined)) == 2)
        assert bed.facts(Cleared, record=record.id)
        bed.must_agree()
        # And when the card reads well, it is sealed.
        card.heal()
        card.plug("usb-3")
        await bed.until_settled(card)
    record = bed.record("a.mp4")
    assert record.state is State.SEALED
    assert bed.central(record.held[0].key).read_bytes() == DATA
    # What was set apart stays, and the same bytes of the same place are kept once, however often it was docked.
    assert list(bed.aside().values()) == kept
    bed.must_agree()


async def test_bad_places_at_both_ends_leave_nothing_empty(tmp_path: Path) -> None:
    """An empty run is nothing: no part for the next start to stumble over, no file of no bytes in quarantine."""
    bed = StationBed(tmp_path)
    card = worn(bed)
    for offset in (0, 100 * KIB, len(DATA) - 4096):
        card.spoil("a.mp4", Span(offset=offset, length=4096))
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.facts(Quarantined))
        await bed.until(lambda: bed.facts(Drained))
    (told,) = bed.facts(Quarantined)
    assert [*bed.aside().values()] == [DATA[run.offset : run.offset + run.length] for run in told.runs]
    assert all(run.length for run in told.runs)
    assert list((bed.settings.paths.spool / "part").iterdir()) == []
    async with bed.at_work():
        pass
    assert bed.findings("spool.stray") == []
    bed.must_agree()


@pytest.mark.parametrize(
    ("damage", "code"),
    [(lambda path: path.unlink(), "quarantine.missing"), (lambda path: path.write_bytes(b"x"), "quarantine.differs")],
    ids=["gone", "changed"],
)
async def test_what_was_salvaged_is_proven_like_the_rest(
    tmp_path: Path, damage: Callable[[Path], object], code: str
) -> None:
    """What could be read of a recording that cannot be had whole may be all there ever is of it."""
    bed = StationBed(tmp_path)
    card = worn(bed)
    card.spoil("a.mp4", Span(offset=200 * KIB, length=4096))
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.facts(Quarantined))
    (told,) = bed.facts(Quarantined)
    assert [run.blake3 for run in told.runs] == [blake3(data).hexdigest() for data in bed.aside().values()]
    bed.must_agree()
    run = sorted((bed.settings.paths.spool / "quarantine").iterdir())[-1]
    run.chmod(0o600)
    damage(run)
    assert [(d.code, d.place) for d in bed.audit().disagreements] == [(code, run.name)]


async def test_other_bytes_of_the_same_place_are_kept_beside_the_first(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    with bed.bench() as bench:
        spool, rid = bench.spool, "ab" * 16
        for data in (b"one" * 4000, b"one" * 4000, b"two" * 4000):
            with spool.open_run(rid) as run:
                run.write_at(memoryview(data), 0)
                run.sync()
            assert spool.keep_run(rid, Span(offset=4096, length=12_000))
    place = f"{rid}@{4096:016d}-{16096:016d}"
    assert bed.aside() == {place: b"one" * 4000, f"{place}.1": b"two" * 4000}


async def test_a_salvage_that_dies_is_never_built_on(tmp_path: Path) -> None:
    """A later run begins somewhere in the file; taken for its beginning it would become another recording."""
    bed = StationBed(tmp_path)
    with bed.bench() as bench:
        rid = "ab" * 16
        with bench.spool.open_run(rid) as run:
            run.write_at(memoryview(b"x" * 8192), 0)
        assert bench.spool.part_length(rid) == 0
    async with bed.at_work():
        pass
    assert list((bed.settings.paths.spool / "part").iterdir()) == []
    assert bed.findings("spool.stray") == []


async def test_a_place_that_reads_at_the_third_try(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    card = worn(bed)
    card.spoil("a.mp4", Span(offset=200 * KIB, length=8 * KIB), tries=3)
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
    assert not bed.facts(Quarantined)
    assert not bed.aside()
    assert bed.whole(bed.record("a.mp4")).read_bytes() == DATA
    bed.must_agree()


async def test_a_place_that_reads_too_late(tmp_path: Path) -> None:
    """Three tries again are the setting; a fourth is not made, and what reads later is read at the next docking."""
    bed = StationBed(tmp_path)
    card = worn(bed)
    card.spoil("a.mp4", Span(offset=0, length=1), tries=4)
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.facts(Drained))
        assert [f.reason for f in bed.facts(Quarantined)] == ["unreadable"]
        card.plug("usb-2")
        await bed.until_settled(card)
    assert bed.whole(bed.record("a.mp4")).read_bytes() == DATA
    bed.must_agree()


async def test_a_place_that_wears_out_after_it_was_sealed_holds_up_nothing(tmp_path: Path) -> None:
    """What is sealed is compared by its ends when it is met again; where these cannot be read, that is told."""
    bed = StationBed(tmp_path)
    card = worn(bed)
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until_settled(card)
        card.spoil("a.mp4", Span(offset=0, length=1))
        card.record("d.mp4", Random(4).randbytes(50_000))
        card.plug("usb-2")
        await bed.until_settled(card)
    assert bed.record("d.mp4").finished
    assert [f.code for f in bed.sessions()[0].findings if f.code.startswith("content")] == ["content.unread"]
    assert not bed.facts(Faulted)
    assert len(bed.records()) == 4
    bed.must_agree()
