"""What must be kept cannot be deleted in a storage that locks: the lock grows with what is known, and is read back."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bwcdock.core import locking
from bwcdock.core.facts import Actor, Locked, LookedAgain, Released
from bwcdock.core.record import Record, State
from bwcdock.core.view import record_view
from bwcdock.desk import do
from bwcdock.desk.line import act_of
from bwcdock.metrics import recordings
from bwcdock.ports import Lock
from bwcdock.settings import S3Sink
from bwcdock.station import Station
from bwcdock.testing.sinks import LockingSink, SinkFault
from desk_world import CHINA, OFFICER, World, china

MORNING = china("2026-03-02 10:00")


def world(directory: Path, sink: LockingSink) -> World:
    """A station with two recordings of the second of March, an hour apart, and a storage that locks."""
    made = World(directory, "S4-fuzhou", sinks={"central": sink})
    made.issued()
    made.clock.set(MORNING + timedelta(hours=3))
    made.records("a.mp4", MORNING)
    made.records("b.mp4", MORNING + timedelta(hours=1))
    return made


def lock_of(sink: LockingSink, record: Record) -> Lock:
    (copy,) = record.held
    return sink.locks.get((copy.key, copy.version), Lock())


async def until_locked(
    made: World, sink: LockingSink, wanted: Lock, *, path: str = "a.mp4", limit: timedelta = timedelta(minutes=1)
) -> None:
    """At work the lock is there within ``limit`` of the station's time, in the storage and in the ledger."""
    end = made.clock.now() + limit

    def is_locked() -> bool:
        record = made.record(path)
        return bool(record.held) and record.held[0].locked == lock_of(sink, record) == wanted

    def step() -> bool:
        if not is_locked() and made.clock.now() < end:
            made.clock.advance(1)
        return is_locked()

    await made.bed.until(step)


def kept_until(made: World) -> Lock:
    owed = made.record("a.mp4").obligation
    assert owed is not None
    return Lock(until=owed.keep_until)


async def test_a_copy_is_locked_until_its_keeping_ends(tmp_path: Path) -> None:
    sink = LockingSink()
    made = world(tmp_path, sink)
    await made.docks()
    async with made.bed.at_work():
        for path in ("a.mp4", "b.mp4"):
            await until_locked(made, sink, kept_until(made), path=path)
        locks = len([call for call in sink.calls if call[0] == "lock"])
        for _ in range(20):
            made.clock.advance(60)
            await asyncio.sleep(0.02)
        assert len([call for call in sink.calls if call[0] == "lock"]) == locks  # once is enough
    (fact,) = made.bed.facts(Locked, record=made.record("a.mp4").id)
    assert fact.sink == "central"
    made.bed.must_agree()


async def test_a_tag_that_makes_it_permanent_reaches_the_lock(tmp_path: Path) -> None:
    sink = LockingSink()
    made = world(tmp_path, sink)
    await made.docks()
    async with made.bed.at_work():
        await until_locked(made, sink, kept_until(made))
    before = kept_until(made)
    made.does(made.custodian, "tag", records=[made.record("a.mp4").id], tags=["dispute"])
    async with made.bed.at_work():
        await until_locked(made, sink, Lock(until=before.until, hold=True))
    made.bed.must_agree()


async def released(made: World, sink: LockingSink) -> None:
    """Nine days of work: the recording is in central storage alone."""
    await made.docks()
    async with made.bed.at_work():
        await made.bed.until(lambda: made.clock.advance(600) or len(made.bed.facts(LookedAgain)) == 2)
        await made.bed.until(lambda: made.clock.advance(3600) or len(made.bed.facts(Released)) == 2)
    assert made.record("a.mp4").state is State.RELEASED
    assert lock_of(sink, made.record("a.mp4")) == kept_until(made)


@pytest.mark.parametrize(
    "named",
    [
        {"records": True},
        {"person": OFFICER},
        {"device": "F1-0001"},
        {"place": "五一"},
        {"since": MORNING.astimezone(CHINA), "until": (MORNING + timedelta(minutes=9)).astimezone(CHINA)},
    ],
    ids=lambda named: next(iter(named)),
)
async def test_a_hold_reaches_the_lock_of_what_was_released_long_ago(tmp_path: Path, named: dict[str, object]) -> None:
    sink = LockingSink()
    made = world(tmp_path, sink)
    await released(made, sink)
    record = made.record("a.mp4")
    made.does(made.custodian, "tag", records=[record.id], place="五一广场")
    before = lock_of(sink, record)
    async with made.bed.at_work() as station:
        # What the standing holds keep is compared once; what is placed from then on must be heard of.
        await holds(made, station, records=[made.record("b.mp4").id])
        await until_locked(made, sink, replace(before, hold=True), path="b.mp4")
        assert lock_of(sink, record) == before
        await holds(made, station, **named | ({"records": [record.id]} if "records" in named else {}))
        await until_locked(made, sink, replace(before, hold=True))
    made.bed.must_agree()


async def holds(made: World, station: Station, **named: object) -> None:
    """The custodian places a hold, at a station at work."""
    act = act_of("hold", {**named, "reason": "投诉"})
    await station.ask(do, station.bench, act, Actor(name=made.custodian[0], role=made.custodian[1]))


async def test_a_hold_of_another_matter_changes_nothing(tmp_path: Path) -> None:
    sink = LockingSink()
    made = world(tmp_path, sink)
    await released(made, sink)
    before = lock_of(sink, made.record("a.mp4"))
    made.does(made.custodian, "hold", device="F1-0009", reason="投诉")
    async with made.bed.at_work():
        made.clock.advance(60)
        await asyncio.sleep(0.2)
    assert lock_of(sink, made.record("a.mp4")) == before
    assert len(made.bed.facts(Locked)) == 2


async def test_a_hold_that_was_placed_while_the_station_was_off_and_one_that_is_lifted(tmp_path: Path) -> None:
    """It follows from the ledger, not from having been told; and what was lifted at the desk stays in the storage."""
    sink = LockingSink()
    made = world(tmp_path, sink)
    await released(made, sink)
    before = lock_of(sink, made.record("a.mp4"))
    done = made.does(made.custodian, "hold", device="F1-0001", reason="投诉")
    async with made.bed.at_work():
        await until_locked(made, sink, Lock(until=before.until, hold=True))
    made.does(made.custodian, "lift-hold", hold=done.matter, reason="撤诉")
    async with made.bed.at_work():
        made.clock.advance(60)
        await asyncio.sleep(0.2)
    assert lock_of(sink, made.record("a.mp4")) == Lock(until=before.until, hold=True)


async def test_a_store_that_keeps_no_locks_is_told_and_nothing_is_released(tmp_path: Path) -> None:
    sink = LockingSink()
    sink.keeps_locks = False
    made = world(tmp_path, sink)
    began = made.clock.now()
    await made.docks()
    async with made.bed.at_work():
        await made.bed.until(lambda: made.clock.advance(5) or made.bed.findings("sink.unlocked.central"))
        await made.bed.until(lambda: made.clock.advance(600) or made.bed.facts(LookedAgain))
        for _ in range(30):
            made.clock.advance(timedelta(hours=8))
            await asyncio.sleep(0.03)
        assert not made.bed.facts(Released)
        assert (
            len(made.bed.facts(Locked, record=made.record("a.mp4").id)) == 1
        )  # what it told is written once, however often it is asked
        tries = len([call for call in sink.calls if call[0] == "lock"])
        assert tries / 2 <= (made.clock.now() - began) / timedelta(hours=1) + 2
        sink.keeps_locks = True
        await made.bed.until(lambda: made.clock.advance(600) or not made.bed.findings("sink.unlocked.central"))
        await made.bed.until(lambda: made.clock.advance(3600) or made.bed.facts(Released))
    assert lock_of(sink, made.record("a.mp4")) == kept_until(made)
    made.bed.must_agree()


async def test_a_store_whose_clock_ends_early_is_held(tmp_path: Path) -> None:
    sink = LockingSink(latest=locking.LATEST)
    made = world(tmp_path, sink)
    await made.docks()
    record = made.record("a.mp4")
    (copy,) = record.held
    assert sink.lock(copy.key, copy.version, Lock(until=locking.LATEST + timedelta(days=9999))) == Lock(
        until=locking.LATEST, hold=True
    )


async def test_the_lock_was_set_and_nobody_heard_of_it(tmp_path: Path) -> None:
    sink = LockingSink(faults=[SinkFault(op="lock", nth=1, how="after"), SinkFault(op="lock", nth=2, how="before")])
    made = world(tmp_path, sink)
    await made.docks()
    async with made.bed.at_work():
        await until_locked(made, sink, kept_until(made), limit=timedelta(minutes=20))
    assert not made.bed.findings("sink.unlocked.central")
    made.bed.must_agree()


async def test_people_and_machines_see_what_is_locked(tmp_path: Path) -> None:
    sink = LockingSink()
    sink.keeps_locks = False
    made = world(tmp_path, sink)
    await made.docks()

    def figures(**changes: object) -> list[tuple[str, float]]:
        keys = {"access_key": {"credential": "a"}, "secret_key": {"credential": "b"}}
        place = {"name": "central", "kind": "s3", "endpoint": "https://s3.example.org", "bucket": "evidence"}
        settings = made.bed.settings.model_copy(update={"sink": (S3Sink.model_validate(place | keys | changes),)})
        (told,) = made.bed.ask(lambda ledger: list(recordings.locks(settings, ledger)))
        return [(sample.labels["sink"], sample.value) for sample in told.samples]

    def shown() -> tuple[object, bool]:
        (view,) = record_view(made.record("a.mp4"), [], made.clock.now(), 0.25).sinks
        return view.locked_until, view.locked_hold

    assert (figures(), figures(name="other"), figures(lock=False)) == ([("central", 2)], [("other", 0)], [])
    assert shown() == (None, False)
    both = sorted(record.id for record in made.bed.records())

    def short(*sinks: str, after: str = "", limit: int = 9) -> list[str]:
        return made.bed.ask(lambda ledger: ledger.unlocked_in(sinks, after=after, limit=limit))

    assert (short("central"), short("other"), short("other", "central")) == (both, [], both)
    assert (short("central", limit=1), short("central", after=both[0]), short("central", after=both[1])) == (
        both[:1],
        both[1:],
        [],
    )
    sink.keeps_locks = True
    made.does(made.custodian, "hold", device="F1-0001", reason="投诉")
    async with made.bed.at_work():
        await until_locked(made, sink, replace(kept_until(made), hold=True))
        await made.bed.until(lambda: figures() == [("central", 0)])
    assert shown() == (kept_until(made).until, True)
