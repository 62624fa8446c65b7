"""One state judged: the ordinary start, every promise, the audit from nothing; and that all of it can be finished."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from blake3 import blake3
from bwcdock import app, config, holidays_cn, stores
from bwcdock.audit import audit
from bwcdock.core.record import Record, State
from bwcdock.ledger import Ledger
from bwcdock.reading import BLOCK
from bwcdock.settings import Settings
from bwcdock.steps.bench import Bench
from bwcdock.testing.clock import EPOCH, VirtualClock

from power import disk
from power.said import Promises
from power.work import Work, cards, settings_of

LATER = timedelta(days=20)
"""How long after a start the power comes back: later than any story lasts."""

EXPECTED = frozenset({"spool.volatile", "media.odd"})
"""Findings that are true here: the states lie in memory, and what is recorded is noise."""


class Broken(AssertionError):
    """A promise that did not survive."""


def must(holds: object, what: str) -> None:
    if not holds:
        raise Broken(what)


class Judge:
    """Lays states into the folder ``root``, again and again, and asks the ordinary program about them."""

    def __init__(
        self, root: Path, leaves: list[bytes], *, boot: str = "after", lives: int = 1, is_calm: bool = True
    ) -> None:
        self.root = root
        self._boot = boot
        self._now = EPOCH + LATER * lives
        self._is_calm = is_calm
        self._leaves = leaves
        self._settings: Settings | None = None
        self._truth = {hashlib.sha256(f.data).hexdigest() for card in cards().values() for f in card.files.values()}

    def judge(self, state: disk.State, promised: Promises, *, to_the_end: bool = False) -> None:
        """Raises :class:`Broken`, or whatever the program raises, where something is not as it was said."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        disk.lay(state, self.root)
        self.judge_laid(promised, to_the_end=to_the_end)

    def judge_laid(self, promised: Promises, *, to_the_end: bool = False) -> None:
        """The state that lies there already."""
        made = self.root / "station" / config.SETTINGS_NAME
        if not made.exists():  # no station yet, and nobody was told of one
            must(f"/station/{config.SETTINGS_NAME}" not in promised.files, "the station was founded, and is not there")
            return
        with quick_start():
            work = Work(self.settings, VirtualClock(self._now), self._boot)
            with work.started() as bench:
                self._kept(promised, bench)
            self._agrees()
            self._progress_is_kept(promised, work)
            if to_the_end:
                with work.started():
                    work.finish()
                    self._is_finished(work)
                    if self._is_calm:
                        self._is_bothered_by_nothing(work.bench)
                self._agrees()

    @property
    def settings(self) -> Settings:
        if self._settings is None:
            self._settings = settings_of(self.root)
        return self._settings

    # --- what was promised --------------------------------------------------------------------------------------------

    def _kept(self, promised: Promises, bench: Bench) -> None:
        bench.book.ask(lambda ledger: self._ledger_is_kept(promised, ledger))
        for path, digest in promised.files.items():
            must(_sha256(Path(f"{self.root}{path}")) == digest, f"{path} is not what was said to be there")
        for record, digest in promised.wholes.items():
            path = bench.spool.whole(record)
            must(path and blake3(path.read_bytes()).hexdigest() == digest, f"the whole file of {record} is not there")
        if self._is_calm:
            self._is_bothered_by_nothing(bench)
        places = {_sha256(path) for path in _footage(self.settings)}
        for record in bench.book.ask(lambda ledger: ledger.records()):
            self._is_honest(record, places, bench)

    def _is_bothered_by_nothing(self, bench: Bench) -> None:
        """A power cut is an ordinary thing: nobody is told of anything, and nothing is set aside for him to look at."""
        found = [open_.finding for open_ in bench.book.ask(lambda ledger: ledger.findings())]
        told = [finding.what for finding in found if finding.code not in EXPECTED]
        must(not told, f"somebody is bothered: {told}")
        must(not any((self.settings.paths.spool / "quarantine").iterdir()), "bytes were set aside")

    def _ledger_is_kept(self, promised: Promises, ledger: Ledger) -> None:
        must(ledger.size >= promised.leaves, f"{promised.leaves} leaves were told, {ledger.size} are there")
        for seq in range(promised.leaves):
            must(ledger.leaf(seq) == self._leaves[seq], f"leaf {seq} is another")
        head = ledger.last_head()
        must((head.checkpoint.size if head else 0) >= promised.head, f"the head over {promised.head} is gone")

    def _is_honest(self, record: Record, places: set[str], bench: Bench) -> None:
        """Whatever the ledger calls sealed is what a recorder held, and is somewhere."""
        whole = bench.spool.whole(record.id)
        if record.state in {State.SEALED, State.RELEASED}:
            must(record.digests and record.digests.sha256 in self._truth, f"{record.id}: sealed what no recorder held")
            must(record.digests.sha256 in places, f"{record.id}: sealed and nowhere")
            must(record.copies, f"{record.id}: no copy is known any more")
        must(record.state is not State.QUARANTINED, f"{record.id}: set apart by a power cut")
        must(not whole or record.digests, f"{record.id}: a file was adopted that was never digested")
        must(not whole or record.state is not State.LISTED, f"{record.id}: whole and only listed")

    def _agrees(self) -> None:
        told = audit(self.settings, stores.sinks(self.settings, VirtualClock()), app.public_key(self.settings))
        must(told.agrees, "; ".join(f"{d.code} {d.place}: {d.what}" for d in told.disagreements))

    def _progress_is_kept(self, promised: Promises, work: Work) -> None:
        if not promised.held:
            return
        with work.started() as bench:
            records = work.records()
            for record, length in promised.held.items():
                if records[record].state is State.LISTED:
                    with bench.spool.open_part(record) as part:
                        must(part.length >= length // BLOCK * BLOCK, f"{record}: {length} bytes were held")

    def _is_finished(self, work: Work) -> None:
        done = {record.digests.sha256 for record in work.records().values() if record.finished and record.digests}
        must(done == self._truth, f"{len(self._truth - done)} recordings cannot be finished")


@contextmanager
def quick_start() -> Iterator[None]:
    """What the start reads from the program's own data is read once; it is the same for every state."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "rule_pack", _pack)
        patch.setattr(holidays_cn, "build", _calendar)
        yield


_calendar = cache(holidays_cn.build)
_load_pack = app.rule_pack
_packs: dict[str, tuple] = {}


def _pack(settings: Settings) -> tuple:
    name = settings.station.rules
    if name not in _packs:
        _packs[name] = _load_pack(settings)
    return _packs[name]


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def _footage(settings: Settings) -> Iterator[Path]:
    for top in (settings.paths.spool / "whole", settings.sink[0].path):
        for where, _, names in os.walk(top):
            yield from (Path(where, name) for name in names if not name.endswith((".json", ".note", ".consistency")))
