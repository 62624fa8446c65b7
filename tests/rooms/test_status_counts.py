"""Of a docking a status reads only what is not finished: it says the same, and large dockings do not make it slow."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from bwcdock import overview
from bwcdock.core.facts import CopyBad, Drained, Obliged, Span
from bwcdock.core.record import Record, State
from bwcdock.core.session import Session
from bwcdock.core.view import SessionView, StatusView, session_view
from bwcdock.ledger import Reader, codec
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.recorder import FakeRecorder
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed


def card(bed: StationBed, serial: str, count: int) -> FakeRecorder:
    made = bed.recorder(serial)
    for at in range(count):
        made.record(f"{at:03}.mp4", Random(f"{serial}{at}").randbytes(1000 + at))
    return made


def whole(ledger: Reader, session: Session) -> SessionView:
    """A docking for people, of which every record was read."""
    return session_view(session, {rid: ledger.record(rid) for rid in session.records}, {})


def status(bed: StationBed) -> StatusView:
    """The status, which must say of every docking what the docking says of itself."""

    def ask(ledger):
        told = overview.status(bed.settings, ledger, bed.clock.now())
        assert list(told.sessions) == [whole(ledger, session) for session in ledger.sessions()]
        unfinished = {record.id: record.state for record in ledger.records() if not record.finished}
        assert ledger.unfinished() == unfinished.keys()
        for session in ledger.sessions():
            owed = {unfinished.get(rid, State.QUARANTINED) for rid in session.records} - {State.QUARANTINED, State.LOST}
            assert ledger.is_owed(session.id) == bool(owed)
        return told

    return bed.ask(ask)


async def test_every_kind_of_docking_counts_as_it_is(tmp_path: Path) -> None:
    sink = MemorySink()
    bed = StationBed(tmp_path, sinks={"central": sink}, clock=VirtualClock())
    done, owing, apart, half = (card(bed, f"F1-000{n}", 3) for n in range(4))
    async with bed.at_work() as station:
        done.plug("usb-0")
        await bed.until_settled(done)
        sink.down = True
        owing.plug("usb-1")
        apart.spoil("001.mp4", Span(offset=0, length=100))
        apart.plug("usb-2")
        await bed.until(lambda: len(bed.facts(Drained)) == 3)
        half.yank("001.mp4", 500)
        half.plug("usb-3")
        await bed.until(lambda: [s for s in bed.sessions("F1-0003") if s.departed_at])
        await bed.until(lambda: bed.record("000.mp4", "F1-0003").sealed_at)
        told = {view.recorder: view for view in status(bed).sessions}
        assert {serial: (view.sealed, view.owed, view.quarantined) for serial, view in told.items()} == {
            "F1-0000": (3, 0, 0), "F1-0001": (3, 3, 0), "F1-0002": (2, 3, 1), "F1-0003": (1, 3, 0),
        }  # fmt: skip
        assert "keep this recorder" in told["F1-0002"].do
        # What was finished is not any more: a copy is bad; the law names another sink; it names none.
        first, second, third = bed.records("F1-0000")
        book = station.bench.book
        book.record([CopyBad(record=first.id, place="central", what="It is gone.")])
        obligation = second.obligation
        assert obligation is not None
        book.record([Obliged(record=second.id, obligation=replace(obligation, sinks=("central", "vault")))])
        assert {view.recorder: view for view in status(bed).sessions}["F1-0000"].owed == 2
        book.record([Obliged(record=third.id, obligation=replace(obligation, sinks=()))])
        assert bed.records("F1-0000")[2].state is State.SEALED
        assert {view.recorder: view for view in status(bed).sessions}["F1-0000"].owed == 3


async def test_what_is_finished_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed = StationBed(tmp_path, sinks={"central": MemorySink()})
    large = card(bed, "F1-0001", 40)
    async with bed.at_work():
        large.plug()
        await bed.until_settled(large)
    read: list[type] = []
    real = codec.load
    monkeypatch.setattr(codec, "load", lambda kind, text: (read.append(kind), real(kind, text))[1])
    told = bed.ask(lambda ledger: overview.status(bed.settings, ledger, bed.clock.now()))
    assert (told.sessions[0].files, told.sessions[0].owed) == (40, 0)
    assert read.count(Record) == 0
