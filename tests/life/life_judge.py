"""What must hold after every step of a life, whatever was done and whatever went wrong."""

import hashlib
from datetime import timedelta
from pathlib import Path

from bwcdock.audit import audit
from bwcdock.core.facts import SPOOL, Confirmed, Entry, Fact, LookedAgain, Released, Sealed
from bwcdock.core.record import Record, State
from hypothesis.stateful import invariant
from life_station import LivedIn

KEEP = timedelta(days=7)


class Judged(LivedIn):
    """A station of which everything is asked again after every step."""

    @invariant()
    def the_audit_agrees(self) -> None:
        down, self.sink.down = self.sink.down, False
        waiting, self.sink._once = self.sink._once, {}
        told = audit(self.still, {"central": self.sink}, self.key).disagreements
        self.sink.down, self.sink._once = down, waiting
        records = self.records()
        for one in told:
            if one.code in {"spool.differs", "spool.missing"}:
                assert SPOOL in self.hurt.get(one.place, ()), one
            elif one.code in {"central.differs", "central.missing"}:
                assert one.place.partition(":")[2] in self.bad_keys, one
            elif one.code == "spool.stray":
                # What was published without its fact, and was found bad before the fact came: to be pulled again, or
                # set apart (given up) where the next tries failed too. Or a bad copy that was struck off while the disk
                # refused to set it aside. The next start puts the file aside.
                record = records[one.place]
                struck_off = record.state is State.SEALED and SPOOL not in record.copies
                assert struck_off or record.state in {State.LISTED, State.QUARANTINED, State.LOST}, one
                assert SPOOL in self.hurt.get(one.place, ()), one
            else:
                raise AssertionError(one)
        # And what was made bad on purpose is found: nobody has to take the station's word.
        found = {one.place for one in told}
        for record in records.values():
            if SPOOL in record.copies and not record.releasing and not self.is_good(self.bed.whole(record), record):
                assert record.id in found
            for held in record.held:
                if self.inner.objects.get(held.key) is None or not is_of(self.inner.objects[held.key], record):
                    assert f"central:{held.key}" in found

    def is_good(self, path: Path, record: Record) -> bool:
        return path.exists() and is_of(path.read_bytes(), record)

    @invariant()
    def every_promise_was_true_when_it_was_made(self) -> None:
        entries = self.bench.book.ask(lambda ledger: list(ledger.entries(self.checked)))
        records = self.records()
        for entry in entries:
            fact = entry.fact
            record = records.get(fact.record)
            match fact:
                case Sealed():
                    truth = self.truth[record.recorder, record.item.path]
                    assert fact.digests.sha256 in truth, "sealed what the recorder never held"
                    assert len({e.digests for e in self.history(Sealed, record.id)}) == 1, "sealed as another recording"
                    unhurt = SPOOL not in self.hurt.get(record.id, ())
                    assert not unhurt or record.releasing or record.state is State.RELEASED or self.is_good(
                        self.bed.whole(record), record
                    )  # fmt: skip
                case Confirmed():
                    data = self.inner.objects.get(fact.key)
                    assert fact.key in self.bad_keys or is_of(data, record), "confirmed and not there"
                case LookedAgain():
                    assert [h for h in record.held if h.sink == fact.sink] or "central" in self.hurt[record.id]
                case Released():
                    confirmed = [e for e in self.bed.entries() if isinstance(e.fact, Confirmed) and e.seq < entry.seq]
                    last = [e.at for e in confirmed if e.fact.record == record.id][-1]
                    looked = [
                        e for e in self.history_entries(LookedAgain, record.id) if e.at >= last and e.seq < entry.seq
                    ]
                    assert looked, "released without a second look"
                    assert entry.at - last >= KEEP, "released too soon"
        self.checked += len(entries)

    @invariant()
    def what_is_known_is_owed_and_what_is_docked_is_known(self) -> None:
        """Before the first byte: so a crash, a lost card or a year on a shelf does not make a deadline go away."""
        assert all(record.obligation is not None for record in self.records().values()), "listed and not owed"
        docked = {docked.session for docked in self.docked.values()}
        assert {s.id for s in self.bench.book.ask(lambda ledger: ledger.open_sessions())} == docked

    def history(self, kind: type[Fact], record: str) -> list:
        return [entry.fact for entry in self.history_entries(kind, record)]

    def history_entries(self, kind: type[Fact], record: str) -> list[Entry]:
        return self.bench.book.ask(lambda ledger: ledger.history(record=record, ev=kind.ev))

    @invariant()
    def what_was_sealed_is_somewhere(self) -> None:
        for record in self.records().values():
            if record.sealed_at is None:
                continue
            keys = {fact.key for fact in self.history(Confirmed, record.id)}
            places = {SPOOL} | ({"central"} if keys else set())
            # What a disk would not give back once is set aside, and kept: there for whoever looks by hand.
            aside = (self.bed.settings.paths.spool / "quarantine").glob(f"{record.id}*")
            there = self.is_good(self.bed.whole(record), record) or any(
                (
                    *(self.is_good(path, record) for path in aside),
                    *(is_of(self.inner.objects.get(key), record) for key in keys),
                )
            )
            if not there:
                # Where it died between the intent to let go and the word that it is done, the file may be gone already.
                let_go = record.releasing == SPOOL or self.history(Released, record.id)
                gone = {SPOOL} if let_go else set()
                assert places <= self.hurt.get(record.id, set()) | gone, f"{record.id} is nowhere"


def is_of(data: bytes | None, record: Record) -> bool:
    return data is not None and record.digests is not None and hashlib.sha256(data).hexdigest() == record.digests.sha256
