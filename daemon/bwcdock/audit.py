"""The one oracle: recompute the ledger from nothing, and compare it with the cache, the spool and central storage."""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from bwcdock.core.facts import (
    SPOOL,
    Digests,
    Entry,
    EraseIntended,
    Found,
    Quarantined,
    Receipted,
    Reformatted,
    Settled,
)
from bwcdock.core.names import show
from bwcdock.core.record import Illegal, Record, State, apply
from bwcdock.core.retention import Erasing, may_erase
from bwcdock.errors import BwcdockError, Conflict, Unreachable, Untrue
from bwcdock.ledger import Disagreement, Reader, Verifier, check, open_read_only
from bwcdock.manifest import MANIFEST, RECEIPTS, Manifest, Statement, heard, missing, open_signed
from bwcdock.overview import running
from bwcdock.ports import Sink
from bwcdock.reading import Whole, read_back
from bwcdock.settings import Settings
from bwcdock.spool import run_name
from bwcdock.steps import statements
from bwcdock.steps.witness import LOOK_BACK, folder_of, newest_head

AGAIN_S = (0.3, 1.5)
"""Pauses before doubtful things are looked at again beside a working daemon, which moves a file a moment before or
after it says so: longer than its slowest commit. What still disagrees then does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """What an audit looked at, and everything that does not agree."""

    leaves: int
    records: int
    spool_files: int
    spool_bytes: int
    central_objects: int
    receipts: int
    disagreements: tuple[Disagreement, ...]

    @property
    def agrees(self) -> bool:
        """Whether all of it agrees."""
        return not self.disagreements


def audit(
    settings: Settings,
    sinks: Mapping[str, Sink],
    public_key: str,
    *,
    tell: Callable[[str], object] = lambda _: None,
) -> AuditView:
    """Everything, from nothing. Reads every sealed file and every central copy in full; writes nothing.

    May run beside the daemon: what disagrees is asked for again before it is told. ``tell`` is called with what is
    being looked at, for people who wait. A sink that cannot be reached is one disagreement, whatever it holds.
    """
    return _Audit(settings, sinks, public_key, tell).run()


Told = Iterator[Disagreement]
Look = Callable[[], Told]


def _say(code: str, place: str, what: str) -> Disagreement:
    return Disagreement(code=code, place=place, what=what)


class _Audit:
    def __init__(
        self, settings: Settings, sinks: Mapping[str, Sink], public_key: str, tell: Callable[[str], object]
    ) -> None:
        self._settings = settings
        self._sinks = sinks
        self._key = public_key
        self._tell = tell
        self._whole = settings.paths.spool / "whole"
        self._found: list[Disagreement] = []
        self._away: set[str] = set()  # sinks that cannot be reached
        self._spool: dict[str, int] = {}  # bytes of each spool file that was read
        self._objects: set[tuple[str, str]] = set()  # sink and key of each central copy that was read
        self._receipts: set[str] = set()
        self._heads: list[int] = []  # leaves under each signed head

    def run(self) -> AuditView:
        leaves, records = 0, 0
        directory = self._settings.paths.ledger
        notes = self._witnessed()
        self._tell("the ledger")
        self._found += [_say(told.code, told.place, told.what) for told in check(directory, self._key, notes)]
        try:
            with open_read_only(directory) as ledger:
                leaves = ledger.size
                ids = sorted(ledger.ids(*State))
                records = len(ids)
                looks: Iterator[Look] = chain(
                    (partial(self._record, ledger, rid) for rid in ids),
                    (partial(self._receipt, ledger, sid) for sid in ledger.sessions_with(Receipted.ev)),
                    (partial(self._stray, ledger, path) for path in self._files()),
                    (partial(_alone, entry) for entry in ledger.history(ev=Reformatted.ev)),
                    (partial(self._statements, ledger, sink) for sink in self._sinks.values()),
                )
                self._found += self._looked(looks)
        except BwcdockError as error:
            if error.what not in {told.what for told in self._found}:
                self._found.append(_say("ledger.unreadable", str(directory), error.what))
        return AuditView(
            leaves=leaves,
            records=records,
            spool_files=len(self._spool),
            spool_bytes=sum(self._spool.values()),
            central_objects=len(self._objects),
            receipts=len(self._receipts),
            disagreements=tuple(self._found),
        )

    def _looked(self, looks: Iterable[Look]) -> list[Disagreement]:
        """Each look once, and those that found something again: every look asks the ledger anew."""
        doubtful = [(look, told) for look in looks if (told := list(look()))]
        for pause_s in AGAIN_S if running(self._settings) else (0,):
            if doubtful:
                time.sleep(pause_s)
            doubtful = [(look, told) for look, _ in doubtful if (told := list(look()))]
        return [disagreement for _, told in doubtful for disagreement in told]

    def _witnessed(self) -> list[str]:
        """The newest head each sink was given: what shows that both files of the ledger were put back together."""
        notes = []
        verifier = Verifier.parse(self._key)
        for name, sink in self._sinks.items():
            try:
                head, strange = newest_head(sink, folder_of(self._settings.station.name), verifier)
            except BwcdockError as error:
                self._unreachable(name, error)
                continue
            what = "It lies among the heads of this ledger and is none."
            self._found += [_say("witness.signature", f"{name}:{key}", what) for key in strange]
            if head is not None:
                notes.append(head.note)
        return notes

    def _seen(self, ledger: Reader) -> list[int]:
        """How many leaves each signed head stands over that central storage may have been given, smallest first."""
        known = self._heads[-1] if self._heads else 0
        self._heads += [head.checkpoint.size for head in ledger.heads(after=known)]
        return self._heads

    def _unreachable(self, sink: str, error: BwcdockError) -> None:
        """Told once, and not for each of its copies, which are left out."""
        self._away.add(sink)
        self._found.append(_say("sink.unreachable", sink, f"{error.what} What it holds was not looked at, or not all."))

    # --- a record -----------------------------------------------------------------------------------------------------

    def _record(self, ledger: Reader, record_id: str) -> Told:
        record = ledger.record(record_id)
        if record is None:
            return  # told by the comparison of the cache with the fold
        self._tell(show(record.item.path))
        # While a release is intended the copy may be gone already; while it is there it must be right.
        gone = record.releasing and not (self._settings.paths.spool / "whole" / record.id).exists()
        if SPOOL in record.copies and record.digests and not gone:
            yield from self._spool_copy(record, record.digests)
        for held in record.held:
            sink = self._sinks.get(held.sink)
            if sink is None:
                yield _say("sink.unknown", held.sink, f"It holds record {record.id} and is not in the settings.")
            elif record.digests and held.sink not in self._away:
                yield from self._central_copy(sink, record, record.digests, held.key, held.manifest)
        if record.erased_at or record.erasing:
            yield from _unfounded(ledger.history(record=record.id), self._seen(ledger))
        if record.state is State.QUARANTINED:
            yield from self._runs(ledger, record)
        if not record.copies and record.state in {State.SEALED, State.RELEASED}:
            yield _say("record.nowhere", record.id, "It is sealed, and no place holds its bytes.")

    def _runs(self, ledger: Reader, record: Record) -> Told:
        """What was salvaged of a recording that cannot be had whole: each run still aside, with the digest it had."""
        aside = self._settings.paths.spool / "quarantine"
        told = (entry.fact for entry in ledger.history(record=record.id, ev=Quarantined.ev))
        for run in dict.fromkeys(run for fact in told if isinstance(fact, Quarantined) for run in fact.runs):
            name = run_name(record.id, run.offset, run.length)
            # Other bytes of the same place are kept beside the first, under a number.
            kept = [path for path in (aside / name, *sorted(aside.glob(f"{name}.*"))) if path.is_file()]
            if not kept:
                yield _say("quarantine.missing", name, f"What was salvaged of {show(record.item.path)} is gone.")
            elif not any(_has(path, run.blake3) for path in kept):
                yield _say("quarantine.differs", name, f"It is not what was salvaged of {show(record.item.path)}.")

    def _spool_copy(self, record: Record, digests: Digests) -> Told:
        name = show(record.item.path)
        try:
            there = read_back(self._whole / record.id, sha256=True)
        except FileNotFoundError:
            yield _say("spool.missing", record.id, f"The sealed file of {name} is gone without a permit.")
            return
        except OSError as error:
            yield _say("spool.unreadable", record.id, f"The sealed file of {name} cannot be read: {error.strerror}.")
            return
        self._spool[record.id] = there.size
        if (there.size, there.sha256, there.blake3) != (record.item.size, digests.sha256, digests.blake3):
            yield _say("spool.differs", record.id, f"The sealed file of {name} holds other bytes.")

    def _central_copy(self, sink: Sink, record: Record, digests: Digests, key: str, manifest: str) -> Told:
        where = f"{sink.name}:{key}"
        try:
            held = sink.stat(key)
            if held is None:
                yield _say("central.missing", where, f"The confirmed copy of record {record.id} is gone.")
            else:
                self._objects.add((sink.name, key))
                if held.size != record.item.size or held.digests != digests:
                    what = f"It holds other bytes than record {record.id} was sealed with."
                    yield _say("central.differs", where, what)
            yield from self._manifest(sink, record, digests, key, manifest)
        except Unreachable as error:
            self._unreachable(sink.name, error)
        except BwcdockError as error:
            yield _say("central.unreadable", where, error.what)

    def _manifest(self, sink: Sink, record: Record, digests: Digests, key: str, confirmed: str) -> Told:
        where = f"{sink.name}:{key}{MANIFEST}"
        data = sink.recall(key + MANIFEST)
        if data is None:
            yield _say("manifest.missing", where, f"Record {record.id} has no manifest beside it.")
            return
        try:
            told = open_signed(data, Manifest, Verifier.parse(self._key))
        except Untrue as error:
            yield _say("manifest.untrue", where, error.what)
            return
        if (told.record, told.sha256, told.blake3) != (record.id, digests.sha256, digests.blake3):
            yield _say("manifest.differs", where, f"It does not describe record {record.id} as the ledger does.")
        elif hashlib.sha256(data).hexdigest() != confirmed:
            yield _say("manifest.differs", where, f"It is not the one that record {record.id} was confirmed with.")

    def _statements(self, ledger: Reader, sink: Sink) -> Told:
        """The newest statements a sink was told: ours, of leaves that are there, and none missing between them."""
        if sink.name in self._away:
            return
        told = []
        try:
            names = sink.newest(statements.folder_of(self._settings.station.name), ".json", LOOK_BACK)
            for key in names:
                where = f"{sink.name}:{key}"
                try:
                    statement = open_signed(sink.recall(key) or b"", Statement, Verifier.parse(self._key))
                except (Untrue, Conflict) as error:
                    yield _say("statement.untrue", where, error.what)
                    continue
                told.append(heard(statement))
                if statement.key != key:
                    yield _say("statement.differs", where, "It was stated in another place.")
                elif statement.seq >= ledger.size or ledger.entry(statement.seq).at != statement.at:
                    yield _say("statement.differs", where, "It states what this ledger does not hold.")
        except Unreachable as error:
            self._unreachable(sink.name, error)
            return
        for key, what in missing(told, behind=None if len(names) >= LOOK_BACK else -1):
            yield _say("statement.missing", f"{sink.name}:{key}", f"{what[0].upper()}{what[1:]}.")

    # --- receipts and strays ------------------------------------------------------------------------------------------

    def _receipt(self, ledger: Reader, session_id: str) -> Told:
        """The receipt here, and in every sink that held something of the session when it was written."""
        entry = ledger.history(session=session_id, ev=Receipted.ev)[-1]
        assert isinstance(entry.fact, Receipted)
        self._receipts.add(session_id)
        name = f"{RECEIPTS}/{session_id}.json"
        yield from _same(_bytes(self._settings.paths.ledger / name), entry.fact.digest, name)
        session = ledger.session(session_id)
        records = filter(None, map(ledger.record, session.records)) if session else ()
        had = {held.sink for record in records for held in record.held if held.confirmed_at <= entry.at}
        for sink in (self._sinks[n] for n in sorted(had - self._away) if n in self._sinks):
            where = f"{sink.name}:{name}"
            try:
                yield from _same(sink.recall(name), entry.fact.digest, where)
            except BwcdockError as error:
                yield _say("receipt.unreadable", where, error.what)

    def _files(self) -> list[Path]:
        return sorted(self._whole.iterdir()) if self._whole.is_dir() else []

    def _stray(self, ledger: Reader, path: Path) -> Told:
        """A file is published before it is sealed, and dropped before it is released: only then is it looked for."""
        record = ledger.record(path.name)
        expected = record is not None and (SPOOL in record.copies or record.state is State.PULLED)
        if not expected and os.path.lexists(path):
            yield _say("spool.stray", path.name, "A file in the spool that no sealed record accounts for.")


def _unfounded(history: Iterable[Entry], heads: Sequence[int]) -> Told:
    """Whether each erasing from the recorder had its ground: folded up to its intent, the record gets a permit then.

    How many days had to pass is a setting that may have changed since, so any number of days is content here; what
    central storage can have seen by then is the newest of ``heads`` before the intent. That no outcome stands without
    an intent is the record's table, which the ledger's own proof goes by.
    """
    record: Record | None = None
    for entry in history:
        if isinstance(entry.fact, EraseIntended):
            terms = Erasing(after_s=0, witnessed=max((size for size in heads if size <= entry.seq), default=0))
            if not (record and may_erase(record, entry.at, terms)):
                what = f"Leaf {entry.seq} lets it go from its recorder too early."
                yield _say("erase.unfounded", entry.fact.record, what)
        if not isinstance(entry.fact, Found | Settled):
            try:
                record = apply(record, entry)
            except Illegal:  # told by the ledger's own proof
                return


def _alone(entry: Entry) -> Told:
    """A card is formatted by order of two persons at least."""
    assert isinstance(entry.fact, Reformatted)
    if len({" ".join(name.split()).casefold() for name in entry.fact.by} - {""}) < 2:
        yield _say("erase.alone", entry.fact.recorder, f"Leaf {entry.seq} formats a card without a second person.")


def _same(data: bytes | None, digest: str, where: str) -> Told:
    if data is None:
        yield _say("receipt.missing", where, "The receipt is gone.")
    elif hashlib.sha256(data).hexdigest() != digest:
        yield _say("receipt.differs", where, "It is not the receipt that was written.")


def _has(path: Path, digest: str) -> bool:
    try:
        return read_back(path).blake3 == digest
    except OSError:
        return False


def _bytes(path: Path) -> bytes | None:
    try:
        with Whole(path) as whole:
            return whole.read(0, whole.size)
    except OSError:
        return None
