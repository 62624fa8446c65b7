"""What lies among the heads in central storage and is none alarms, and stops neither the station nor its witnessing."""

import threading
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from bwcdock.app import public_key
from bwcdock.core.facts import Beat, Confirmed
from bwcdock.errors import LedgerBroken, Unreachable
from bwcdock.steps import witness
from bwcdock.steps.witness import folder_of
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed
from bwcdock.verify_central import verify

TOLD = "sink.heads.central"
FOLDER = folder_of("test-dock")
SELDOM = {"ledger": {"checkpoint_every_s": 3600}}


def heads(bed: StationBed) -> list[Path]:
    return sorted(bed.central(FOLDER).glob("*.note"))


async def docked(bed: StationBed, serial: str) -> None:
    card = bed.recorder(serial)
    card.record("a.mp4", Random(serial).randbytes(50_000))
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
        card.unplug()


def emptied(bed: StationBed) -> Path:
    """The newest head as a NAS leaves it that lost power."""
    newest = heads(bed)[-1]
    newest.chmod(0o600)
    newest.write_bytes(b"")
    return newest


def planted(bed: StationBed) -> Path:
    foreign = bed.central(f"{FOLDER}/{'9' * 20}.note")
    foreign.write_bytes(b"\xff not a head")
    return foreign


def renamed(bed: StationBed) -> Path:
    """A good head of ours, under a name that says it is the newest: it would hide a ledger that was put back."""
    copied = bed.central(f"{FOLDER}/{'9' * 20}.note")
    copied.write_bytes(heads(bed)[0].read_bytes())
    return copied


def a_folder(bed: StationBed) -> Path:
    folder = bed.central(f"{FOLDER}/{'9' * 20}.note")
    folder.mkdir()
    return folder


@pytest.mark.parametrize("damage", [emptied, planted, renamed, a_folder])
async def test_it_is_told_and_the_next_recorder_is_served(tmp_path: Path, damage: Callable[[StationBed], Path]) -> None:
    bed = StationBed(tmp_path, SELDOM)
    await docked(bed, "F1-0001")
    assert not bed.findings(TOLD)
    wrong = damage(bed)
    left = None if wrong.is_dir() else wrong.read_bytes()
    await docked(bed, "F1-0002")
    assert len(bed.facts(Confirmed)) == 2
    (told,) = bed.findings(TOLD)
    assert wrong.name in told.what
    assert left is None or wrong.read_bytes() == left
    # What was brought since leads from the last good head there to the new ones.
    report = verify(bed.settings.sink[0].path, public_key(bed.settings))
    about_wrong = [line for line in report.disagreements if wrong.name in line]
    others = [line for line in report.disagreements if wrong.name not in line]
    assert about_wrong or wrong.is_dir()
    assert all("leads to the checkpoint of" in line for line in others)  # of the first recorder, that head is lost
    assert not others or damage is emptied
    assert {d.code for d in bed.audit().disagreements} <= {"witness.signature"}


async def test_it_is_settled_when_the_newest_is_a_head_again(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, SELDOM)
    await docked(bed, "F1-0001")
    wrong = planted(bed)
    await docked(bed, "F1-0002")
    assert bed.findings(TOLD)
    wrong.unlink()
    await docked(bed, "F1-0003")
    assert not bed.findings(TOLD)
    bed.must_agree()


async def test_the_audit_looks_behind_it_for_a_ledger_that_was_put_back(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, SELDOM)
    with bed.bench() as bench:
        bench.witnesses["central"].bring()
        newer = bench.signer.sign(10_000, b"\1" * 32)
    bed.central(f"{FOLDER}/{newer.size:020d}.note").write_bytes(newer.note.encode())
    planted(bed)
    assert {"witness.signature", "head.ahead"} <= {d.code for d in bed.audit().disagreements}
    with bed.bench() as bench, pytest.raises(LedgerBroken):
        bench.witnesses["central"].bring()


async def test_a_new_storage_begins_with_the_newest_head(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    sink = MemorySink("vault")
    with bed.bench() as bench:
        for _ in range(5):
            bench.book.record([Beat(clock="x")])
            bench.book.ask(lambda ledger: ledger.checkpoint())
        new = witness.Witness(bench.book, sink, bench.signer, "test-dock")
        assert new.size == 0
        new.bring()
        last = bench.book.ask(lambda ledger: ledger.last_head())
    assert last is not None
    assert list(sink.objects) == [f"{FOLDER}/{last.checkpoint.size:020d}.note"]
    assert new.size == last.checkpoint.size


async def test_a_hung_bringing_holds_nobody_up_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "TURN_S", 0.1)
    bed = StationBed(tmp_path)
    hangs, begun = threading.Event(), threading.Event()

    class Hanging(MemorySink):
        def newest(self, prefix: str, suffix: str, most: int) -> list[str]:
            begun.set()
            hangs.wait(60)
            return super().newest(prefix, suffix, most)

    with bed.bench() as bench:
        one = witness.Witness(bench.book, Hanging("vault"), bench.signer, "test-dock")
        first = threading.Thread(target=one.bring)
        first.start()
        try:
            assert begun.wait(60)
            with pytest.raises(Unreachable):
                one.bring()
        finally:
            hangs.set()
            first.join()
        assert one.bring() is not None
