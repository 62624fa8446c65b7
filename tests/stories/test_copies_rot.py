"""Copies rot or get lost after they were sealed: the bad one is found, kept aside, and never taken for the good one."""

import asyncio
import errno
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import (
    SPOOL,
    Cleared,
    Confirmed,
    CopyBad,
    Distrusted,
    LookedAgain,
    Quarantined,
    Released,
    Scrubbed,
    Sealed,
)
from bwcdock.core.record import Record, State
from bwcdock.manifest import MANIFEST
from bwcdock.spool import Spool
from bwcdock.testing.calls import FaultySystem
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.recorder import FakeRecorder
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed

DATA = Random(1).randbytes(300_000)
DAY = timedelta(days=1)


def rot(path: Path, at: int = 1000) -> bytes:
    """Turn a bit of a file, as a disk does that forgets; what it holds then."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    mode = path.stat().st_mode
    path.chmod(0o600)
    path.write_bytes(data)
    path.chmod(mode & 0o777)
    return bytes(data)


async def sealed_and_not_pushed(bed: StationBed, sink: MemorySink, card: FakeRecorder) -> Record:
    card.record("a.mp4", DATA)
    sink.down = True
    card.plug("usb-1")
    await bed.until(lambda: bed.records() and bed.records()[0].state is State.SEALED)
    return bed.record("a.mp4")


async def test_the_spool_copy_rots_before_it_was_pushed(tmp_path: Path) -> None:
    sink = MemorySink()
    bed = StationBed(tmp_path, sinks={"central": sink})
    card = bed.recorder("F1-0001")
    async with bed.at_work():
        record = await sealed_and_not_pushed(bed, sink, card)
        rotten = rot(bed.whole(record))
        sink.down = False
        (bad,) = await bed.until(lambda: bed.facts(CopyBad))
        assert (bad.place, bad.record) == (SPOOL, record.id)
        record = bed.record("a.mp4")
        assert (record.state, record.quarantine, record.copies) == (State.QUARANTINED, "copy-bad", frozenset())
        assert bed.aside() == {record.id: rotten}
        assert len(bed.findings("copy.bad.spool")) == 1
        assert not [key for key in sink.objects if record.id[:12] in key]
        assert not bed.facts(Confirmed)
        # Docked again, it is pulled again; the bytes agree with what was sealed, and go where they belong.
        card.plug("usb-2")
        await bed.until_settled(card)
        assert not bed.findings("copy.bad.spool")
    assert bed.facts(Cleared, record=record.id)
    first, second = bed.facts(Sealed)
    assert first.digests == second.digests
    record = bed.record("a.mp4")
    assert sink.objects[record.held[0].key] == DATA
    assert bed.whole(record).read_bytes() == DATA
    assert bed.aside() == {record.id: rotten}
    bed.must_agree()


async def test_and_the_recorder_has_other_bytes_by_then(tmp_path: Path) -> None:
    """Sealed once, a recording cannot become another one: what does not agree is set apart, not sealed."""
    sink = MemorySink()
    bed = StationBed(tmp_path, sinks={"central": sink})
    card = bed.recorder("F1-0001")
    async with bed.at_work():
        record = await sealed_and_not_pushed(bed, sink, card)
        rot(bed.whole(record))
        sink.down = False
        await bed.until(lambda: bed.facts(CopyBad))
        card.rot("a.mp4", 200_000)
        card.plug("usb-2")
        await bed.until(lambda: bed.facts(Quarantined))
    assert len(bed.facts(Sealed)) == 1
    assert [f.what for f in bed.facts(Distrusted)] == ["The recorder now gives other bytes than were sealed."]
    assert bed.facts(Quarantined)[0].reason == "untrue"
    assert bed.record("a.mp4").digests == bed.facts(Sealed)[0].digests
    assert not [key for key in sink.objects if record.id[:12] in key]
    bed.must_agree()


async def settled(bed: StationBed) -> Record:
    card = bed.recorder("F1-0001")
    card.record("a.mp4", DATA)
    card.plug()
    await bed.until_settled(card)
    return bed.record("a.mp4")


async def test_the_central_copy_rots(tmp_path: Path) -> None:
    clock = VirtualClock()
    bed = StationBed(tmp_path, clock=clock)
    async with bed.at_work():
        record = await settled(bed)
        central = bed.central(record.held[0].key)
        rotten = rot(central)
        assert {d.code for d in bed.audit().disagreements} == {"central.differs"}
        clock.advance(DAY + timedelta(minutes=1))
        (bad,) = await bed.until(lambda: clock.advance(60) or bed.facts(CopyBad))
        assert (bad.place, bad.record) == ("central", record.id)
        assert [f.what for f in bed.findings("copy.bad.central")] == [
            "The copy of a.mp4 in central no longer has the sealed digest."
        ]
        # It is owed again, and what lies there is never overwritten.
        await bed.until(lambda: bed.findings("sink.conflict.central"))
        assert bed.record("a.mp4").owed_sinks == ("central",)
        for _ in range(20):
            clock.advance(DAY)
        passed = clock.now()
        await bed.until(lambda: clock.advance(60) or bed.entries()[-1].at > passed)
        assert central.read_bytes() == rotten
        assert bed.whole(record).read_bytes() == DATA
        assert not bed.facts(LookedAgain)
        assert not bed.facts(Released)
        # A person clears it up.
        central.chmod(0o600)
        central.unlink()
        await bed.until(lambda: clock.advance(600) or len(bed.facts(Confirmed)) == 2)
        assert central.read_bytes() == DATA
        await bed.until(lambda: not bed.findings("copy.bad.central") and not bed.findings("sink.conflict.central"))
        bed.must_agree()


async def test_the_central_copy_is_lost(tmp_path: Path) -> None:
    clock = VirtualClock()
    bed = StationBed(tmp_path, clock=clock)
    async with bed.at_work():
        record = await settled(bed)
        central = bed.central(record.held[0].key)
        manifest = bed.central(record.held[0].key + MANIFEST)
        central.unlink()
        assert {d.code for d in bed.audit().disagreements} == {"central.missing"}
        clock.advance(DAY + timedelta(minutes=1))
        await bed.until(lambda: clock.advance(60) or len(bed.facts(Confirmed)) == 2)
        assert [f.place for f in bed.facts(CopyBad)] == ["central"]
        assert central.read_bytes() == DATA
        assert manifest.exists()
        assert not bed.findings("copy.bad.central")
        bed.must_agree()
        # The second look begins anew for the new copy.
        assert not bed.facts(LookedAgain)
        clock.advance(DAY + timedelta(minutes=1))
        await bed.until(lambda: clock.advance(60) or bed.facts(LookedAgain))
    bed.must_agree()


async def test_the_spool_copy_rots_after_it_was_pushed(tmp_path: Path) -> None:
    """The reading of the whole spool finds it; central storage still has it, so nothing is lost."""
    clock = VirtualClock()
    bed = StationBed(tmp_path, clock=clock)
    async with bed.at_work():
        record = await settled(bed)
        rotten = rot(bed.whole(record))
        clock.advance(timedelta(minutes=2))  # the round that finds the file to be read
        await asyncio.sleep(0.2)
        clock.advance(timedelta(days=7))
        (bad,) = await bed.until(lambda: clock.advance(600) or bed.facts(CopyBad))
        assert bad.place == SPOOL
        assert bed.aside() == {record.id: rotten}
        record = bed.record("a.mp4")
        assert (record.state, record.copies) == (State.SEALED, frozenset({"central"}))
        (round_,) = await bed.until(lambda: bed.facts(Scrubbed))
        assert (round_.files, round_.bad) == (1, 1)
    bed.must_agree()


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
async def test_and_the_disk_refuses_to_set_it_aside(tmp_path: Path, code: int) -> None:
    """It counts as a copy no longer, and the next start puts it where nobody takes it for one."""
    clock, disk = VirtualClock(), FaultySystem()
    # Kept for long: its release must not overtake the round of a slow machine.
    kept = {"spool": {"keep_after_confirm_s": 10_000_000}}
    bed = StationBed(tmp_path, kept, clock=clock, spool=lambda root: Spool(root, system=disk))
    async with bed.at_work():
        record = await settled(bed)
        rotten = rot(bed.whole(record))
        disk.refused |= {"link": code, "rename_noreplace": code}
        clock.advance(timedelta(minutes=2))
        await asyncio.sleep(0.2)
        clock.advance(timedelta(days=7))
        await bed.until(lambda: clock.advance(600) or bed.facts(CopyBad))
        assert bed.record("a.mp4").copies == frozenset({"central"})
    assert bed.whole(record).exists()
    assert not bed.aside()
    disk.refused.clear()
    async with bed.at_work():
        await bed.until(lambda: bed.findings("spool.stray"))
        assert bed.aside() == {record.id: rotten}
        assert not bed.whole(record).exists()
        assert [found.what for found in bed.findings("spool.stray")] == [
            f"{record.id} in the spool belongs to no record that expects it."
        ]
    bed.must_agree()


async def test_every_sealed_file_is_read_once_in_a_week_however_many_come(tmp_path: Path) -> None:
    """What is sealed while the round is under way hurries it; nothing is read twice in it, and nothing left out."""
    clock = VirtualClock()
    bed = StationBed(tmp_path, {"spool": {"keep_after_confirm_s": 10_000_000}}, clock=clock)
    async with bed.at_work():
        await settled(bed)  # the round has begun, with one file to be read in a week
        card = bed.recorder("F1-0002")
        for number in range(7):
            card.record(f"{number}.mp4", Random(number).randbytes(5000))
        card.plug("usb-2")
        await bed.until_settled(card)
        for record in bed.records("F1-0002")[:3]:
            rot(bed.whole(record))
        begun = clock.now()
        await bed.until(lambda: clock.advance(timedelta(hours=1)) or len(bed.facts(Scrubbed)) == 2)
    assert sorted(fact.record for fact in bed.facts(CopyBad)) == sorted(r.id for r in bed.records("F1-0002")[:3])
    assert bed.facts(Scrubbed)[1].files == 8
    assert clock.now() - begun <= timedelta(days=7 * 6)  # and not a week for each of eight; a busy machine lags behind
