"""Two central storages: each gets everything by itself, and nobody is told that all is there before both have it."""

from datetime import timedelta
from pathlib import Path
from random import Random

from bwcdock import config
from bwcdock.core.facts import SPOOL, Beat, Cleared, Confirmed, CopyBad, Drained, Receipted, Scrubbed, Sealed
from bwcdock.core.record import State
from bwcdock.manifest import Receipt, open_signed
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import Overrides, StationBed

DATA = Random(1).randbytes(200_000)


def with_two(
    directory: Path, clock: VirtualClock, overrides: Overrides | None = None
) -> tuple[StationBed, MemorySink, MemorySink]:
    first, second = MemorySink("central"), MemorySink("vault")
    bed = StationBed(directory, overrides, clock=clock, sinks={"central": first, "vault": second})
    path = directory / "station" / "bwcdock.toml"
    one = bed.settings.sink[0]
    told = f'\n[[sink]]\nname = "vault"\nkind = "filesystem"\npath = "vault"\nlayout = "{one.layout}"\n'
    path.write_text(path.read_text(encoding="utf-8") + told, encoding="utf-8")
    bed.settings = config.load(path)
    return bed, first, second


async def test_one_is_gone_and_the_other_is_not_held_up(tmp_path: Path) -> None:
    clock = VirtualClock()
    bed, first, second = with_two(tmp_path, clock)
    card = bed.recorder("F1-0001")
    for name in ("a", "b", "c", "d"):
        card.record(f"{name}.mp4", Random(name).randbytes(50_000))
    first.down = True
    async with bed.at_work() as station:
        card.plug("usb-1")
        await bed.until(lambda: len(bed.facts(Confirmed)) == 4)
        tried = sum(1 for op, _ in first.calls if op == "put")
        await bed.until(lambda: clock.advance(5) or sum(1 for op, _ in first.calls if op == "put") >= tried + 4)
        # The clock stands still from here on: whatever rests because of the other would rest for ever.
        card.record("e.mp4", Random("e").randbytes(50_000))
        card.plug("usb-2")
        await bed.until(lambda: len(bed.facts(Confirmed)) == 5)
        assert {fact.sink for fact in bed.facts(Confirmed)} == {"vault"}
        await bed.until(lambda: len(bed.facts(Drained)) == 2)
        assert [f.code for f in bed.findings() if f.code.startswith("sink")] == ["sink.down.central"]
        assert all(record.owed_sinks == ("central",) for record in bed.records())
        assert not bed.facts(Receipted)
        assert not list((bed.settings.paths.ledger / "receipts").iterdir())  # nothing is signed that is not so yet
        first.down = False
        await bed.until(lambda: clock.advance(1) or all(record.finished for record in bed.records()))
        await bed.until_settled(card)
        await bed.until(lambda: not bed.findings("sink.down.central"))
        verifier = station.bench.signer.verifier
    session = bed.sessions()[0]
    for sink in (first, second):
        for record in bed.records():
            (held,) = [held for held in record.held if held.sink == sink.name]
            assert sink.objects[held.key] == card.files[record.item.path].data
        told = open_signed(sink.objects[f"receipts/{session.id}.json"], Receipt, verifier)
        assert [line.state for line in told.lines] == ["sealed"] * 5
    bed.must_agree()


async def test_the_spool_copy_is_lost_while_one_still_owes(tmp_path: Path) -> None:
    """One of the two holds it, so it is not set apart; and the next docking brings it again for the other."""
    clock = VirtualClock()
    bed, first, second = with_two(tmp_path, clock)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", DATA)
    second.down = True
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Confirmed))
        await bed.until(lambda: bed.findings("sink.down.vault"))
        record = bed.record("a.mp4")
        path = bed.whole(record)
        path.chmod(0o600)
        path.write_bytes(DATA[:1000] + bytes([DATA[1000] ^ 1]) + DATA[1001:])
        path.chmod(0o400)
        second.down = False
        (bad,) = await bed.until(lambda: clock.advance(1) or bed.facts(CopyBad))
        assert bad.place == SPOOL
        record = bed.record("a.mp4")
        assert (record.state, record.copies, record.owed_sinks) == (
            State.SEALED, frozenset({"central"}), ("vault",),
        )  # fmt: skip
        card.plug("usb-2")
        await bed.until_settled(card)
    assert bed.facts(Cleared, record=record.id)
    assert len({fact.digests for fact in bed.facts(Sealed)}) == 1
    record = bed.record("a.mp4")
    assert record.finished
    assert {held.sink: (first, second)[held.sink == "vault"].objects[held.key] for held in record.held} == {
        "central": DATA,
        "vault": DATA,
    }
    clock.advance(timedelta(days=1))
    bed.must_agree()


async def test_the_reading_of_the_spool_finds_it_while_one_still_owes(tmp_path: Path) -> None:
    """What the round struck off is not pushed afterwards, and not struck off a second time."""
    clock = VirtualClock()
    month = 30 * 86_400  # so that no push falls into the moment in which it is struck off
    bed, _, second = with_two(tmp_path, clock, {"push": {"backoff_first_s": month, "backoff_max_s": month}})
    card = bed.recorder("F1-0001")
    card.record("a.mp4", DATA)
    second.down = True
    async with bed.at_work():
        card.plug("usb-1")
        await bed.until(lambda: bed.facts(Confirmed))
        path = bed.whole(bed.record("a.mp4"))
        path.chmod(0o600)
        path.write_bytes(bytes([DATA[0] ^ 1]) + DATA[1:])
        path.chmod(0o400)
        await bed.until(lambda: clock.advance(timedelta(hours=6)) or bed.facts(CopyBad))
        await bed.until(lambda: bed.facts(Scrubbed))
        clock.advance(timedelta(days=31))
        second.down = False
        beats = len(bed.facts(Beat))
        await bed.until(lambda: clock.advance(60) or len(bed.facts(Beat)) > beats + 3)
        assert [fact.place for fact in bed.facts(CopyBad)] == [SPOOL]
        assert bed.record("a.mp4").owed_sinks == ("vault",)
        card.plug("usb-2")
        await bed.until(lambda: clock.advance(60) or bed.record("a.mp4").finished)
    assert len(bed.facts(CopyBad)) == 1
    assert not [finding.code for finding in bed.findings() if finding.code != "media.odd"]
    bed.must_agree()
