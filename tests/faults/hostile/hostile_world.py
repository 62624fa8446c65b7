"""Docks hostile cards at a whole station, one after the other, and weighs what each one cost."""

import asyncio
import hashlib
import io
import json
import logging
import os
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog
from bwcdock import logs
from bwcdock.core.facts import Drained, Faulted, MediaFacts, Refused, Sealed, Unclaimed
from bwcdock.core.record import Record, State
from bwcdock.core.session import Session
from bwcdock.media import whole
from bwcdock.testing.station import StationBed
from bwcdock_drivers import reading
from bwcdock_drivers.mass_storage import MassStorageDriver
from hostile_case import Case, Files
from reader_house import Readers, readers

PEAK_MIB = 256
LIMIT_S = 10.0
"""What no card may cost: memory of its reader, growth of the daemon, processor time of both together."""

PATIENCE_S = 60.0
"""Of the wall's clock, on a machine that is busy with other things."""

PORT = "usb-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one docking. ``failed`` says in words where that is not what its case declares."""

    case: Case
    refused: str = ""
    codes: frozenset[str] = frozenset()
    sealed: dict[str, str] = field(default_factory=dict)
    aside: frozenset[str] = frozenset()
    media: dict[str, MediaFacts] = field(default_factory=dict)
    flaw: str = ""
    reader_mib: float = 0.0
    daemon_mib: float = 0.0
    cpu_s: float = 0.0
    died: int = 0


def _own_mib(field_: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return int(next(line for line in lines if line.startswith(field_)).split()[1]) / 1024


def _forget_peak() -> None:
    """The peak of this process's memory counts from here."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Everything the station logs, as its log file has it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("json", "debug", stream)
    try:
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()


def around(directory: Path) -> dict[str, tuple[int, int, int]]:
    """Everything below that is not the station's: size, blocks and time of change of each."""
    return {
        str(path): (told.st_size, told.st_blocks, told.st_mtime_ns)
        for path in sorted(directory.rglob("*"))
        if "station" not in path.relative_to(directory).parts[:1]
        for told in [path.lstat()]
    }


class Dock:
    """A station whose readers are weighed. ``cards`` is where the cards are made."""

    def __init__(self, directory: Path, weighed: Readers) -> None:
        self.cards = directory / "cards"
        self.cards.mkdir()
        self.bed = StationBed(directory, {"limits": {"tick_s": 0.2}}, drivers=[MassStorageDriver()])
        self._readers = weighed
        self._count = 0

    async def docked(self, case: Case, usual: frozenset[str] = frozenset()) -> tuple[Outcome, Files]:
        """Make the card, dock it, take it out; findings in ``usual`` every card has."""
        self._count += 1
        image = self.cards / f"{self._count}.img"
        wanted = case.make(image) or {}
        self._readers.weighed(0)
        _forget_peak()
        at_rest, own_s = _own_mib("VmRSS"), time.process_time()
        self.bed.watch.show(PORT, image)
        self.bed.watch.hint.set()
        session, looked_s = await self._until_done(image)
        spent = time.process_time() - own_s - looked_s
        grown = max(0.0, _own_mib("VmHWM") - at_rest)
        told = self._told(session)
        self.bed.watch.take(PORT)
        self.bed.watch.hint.set()
        await self.bed.until(lambda: self._session(image).departed_at)
        # No driver claims what begins like no disk: then there was no reader.
        weighed = self._readers.weighed(0 if self.bed.facts(Unclaimed, session=session.id) else 1)
        media, films = self._films(session)
        outcome = Outcome(
            case=case,
            **told,
            media=media,
            flaw=self._flaw(case, films),
            codes=self._codes(image) - usual,
            reader_mib=max((each.peak_mib for each in weighed), default=0.0),
            daemon_mib=grown,
            cpu_s=spent + sum(each.cpu_s for each in weighed),
            died=sum(each.signal != 0 for each in weighed),
        )
        image.unlink()
        return outcome, wanted

    async def _until_done(self, image: Path) -> tuple[Session, float]:
        """The docking, and what looking for its end cost of the processor, which is not the card's."""
        end, looked_s = time.monotonic() + PATIENCE_S, 0.0
        while True:
            began_s = time.thread_time()
            session = self._done(image)
            looked_s += time.thread_time() - began_s
            if session is not None:
                return session, looked_s
            assert time.monotonic() < end, f"not within {PATIENCE_S:g} s; the ledger ends with\n{self.bed.tail()}"
            await asyncio.sleep(0.1)

    def _session(self, image: Path) -> Session:
        return next(s for s in self.bed.sessions() if s.sighting.source == str(image))

    def _codes(self, image: Path) -> frozenset[str]:
        return frozenset(f.code for f in self._session(image).findings)

    def _done(self, image: Path) -> Session | None:
        session = next((s for s in self.bed.sessions() if s.sighting.source == str(image)), None)
        if session is None:
            return None
        ends = (self.bed.facts(kind, session=session.id) for kind in (Faulted, Refused, Unclaimed))
        if any(ends):
            return session
        drained = self.bed.facts(Drained, session=session.id)
        return session if drained and (session.receipt or drained[0].quarantined) else None

    def _records(self, session: Session) -> list[Record]:
        return [record for record in self.bed.records() if record.session == session.id]

    def _told(self, session: Session) -> dict[str, object]:
        faults = [fact.what for fact in self.bed.facts(Faulted, session=session.id)]
        faults += ["no driver knows it" for _ in self.bed.facts(Unclaimed, session=session.id)]
        faults += [f.what for fact in self.bed.facts(Refused, session=session.id) for f in fact.findings]
        records = self._records(session)
        sealed = {r.item.path: r.digests.sha256 for r in records if r.state is State.SEALED and r.digests}
        for record in records:  # what is called whole is so in central storage too
            for held in record.held:
                data = self.bed.central(held.key).read_bytes()
                assert record.digests
                assert hashlib.sha256(data).hexdigest() == record.digests.sha256, record.item.path
        aside = frozenset(r.item.path for r in records if r.state is State.QUARANTINED)
        return {"refused": " ".join(faults), "sealed": sealed, "aside": aside}

    def _films(self, session: Session) -> tuple[dict[str, MediaFacts], dict[str, Path]]:
        media, films = {}, {}
        for record in self._records(session):
            for fact in self.bed.facts(Sealed, record=record.id):
                media[record.item.path] = fact.media
            for held in record.held:
                films[record.item.path] = self.bed.central(held.key)
        return media, films

    def _flaw(self, case: Case, films: dict[str, Path]) -> str:
        """What an intake would say of the film, at the same bytes."""
        if case.film not in films:
            return ""
        film = films[case.film]
        with film.open("rb") as source:
            told = whole.judge(lambda at, length: os.pread(source.fileno(), length, at), film.stat().st_size, case.film)
        return told.flaw if told else ""


def wrong_of(outcome: Outcome, wanted: Files) -> list[str]:
    """Where an outcome is not what its case declares, a sentence each."""
    case = outcome.case
    found: list[str] = []

    def must(name: str, have: object, should: object) -> None:
        if have != should:
            found.append(f"{case.name}: {name} is {have!r}, not {should!r}")

    if case.refused:
        if case.refused not in outcome.refused:
            found.append(f"{case.name}: refused with {outcome.refused!r}, not {case.refused!r}")
        must("what was sealed", outcome.sealed, {})
    else:
        must("the refusal", outcome.refused, "")
        must("the findings", sorted(outcome.codes), sorted(case.codes))
        must("what was sealed", _short(outcome.sealed), _short({p: _sha(d) for p, d in wanted.items()}))
        must("what was set apart", outcome.aside, case.aside)
    if case.film:
        facts = outcome.media.get(case.film, MediaFacts())
        if case.problem not in " ".join(facts.problems) or (facts.problems and not case.problem):
            found.append(f"{case.name}: the media judge says {facts}, not {case.problem!r}")
        if case.check and not case.check(facts):
            found.append(f"{case.name}: the media judge says {facts}")
        must("the flaw", outcome.flaw, case.flaw)
    if outcome.reader_mib > PEAK_MIB or outcome.daemon_mib > PEAK_MIB or outcome.cpu_s > LIMIT_S:
        found.append(f"{case.name}: {outcome.reader_mib:.0f} + {outcome.daemon_mib:.0f} MiB, {outcome.cpu_s:.1f} s")
    return found


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _short(digests: dict[str, str]) -> list[tuple[str, str]]:
    return sorted((path, digest[:12]) for path, digest in digests.items())


RAW = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Characters that steer a terminal, break a line, turn the writing round or hide: nowhere in what is told."""


def raw_in(text: str) -> set[str]:
    """The characters of a text that must not be there; line ends are."""
    return {char for char in text if unicodedata.category(char) in RAW} - {"\n"}


def must_be_told_harmless(bed: StationBed, log: str) -> None:
    """The log is a JSON line an event, and neither it nor the ledger has a character that steers."""
    assert not raw_in(log), raw_in(log)
    for line in log.splitlines():
        assert isinstance(json.loads(line), dict)
    for entry in bed.entries():
        assert not raw_in(json.dumps(_plain(entry.fact), ensure_ascii=False, default=str)), entry


def _plain(value: object) -> object:
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return value


@pytest.fixture
def dock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dock]:
    """A station in a directory of its own, its readers behind a socket elsewhere."""
    run = tmp_path / "run"
    run.mkdir()
    with readers(run) as weighed:
        monkeypatch.setenv(reading.SOCKET_VARIABLE, str(weighed.address))
        yield Dock(tmp_path / "dock" if (tmp_path / "dock").mkdir() is None else tmp_path, weighed)
