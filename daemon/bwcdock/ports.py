"""The contracts: what a driver, a recorder, a sink and a clock promise."""

import asyncio
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from bwcdock.core.facts import Condition, Digests, Drift, Finding, Identity, Item, Sighting
from bwcdock.core.facts import Lock as Lock  # noqa: PLC0414 - part of the contract, and imported with it


class Clock(Protocol):
    """The station's time: the wall, or a virtual one."""

    def now(self) -> datetime:
        """The present moment, aware UTC, whole milliseconds; never earlier than the answer before."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow, for measuring how long something took."""
        ...

    async def sleep_until(self, moment: datetime) -> None:
        """Return at ``moment`` or as soon after it as possible."""
        ...


class Watch(Protocol):
    """Where sightings come from: the drop folders, the bus, or the command line."""

    hint: asyncio.Event

    def current(self, now: datetime) -> Sequence[Sighting]:
        """Everything that is docked now. May block for a short while; called on a lane."""
        ...

    @property
    def awaited(self) -> Collection[str]:
        """Ports that are sighted although nothing is there any more: what was may come back there as a disk."""
        ...

    @property
    def findings(self) -> Sequence[Finding]:
        """What is wrong with the places looked at."""
        ...


@runtime_checkable
class Recorder(Protocol):
    """An opened recorder. Plain blocking code: the station gives it a thread and a time limit.

    Nothing here changes the recorder. Every call may raise :class:`~bwcdock.errors.Unplugged` (it went away),
    :class:`~bwcdock.errors.Unreadable` (these bytes cannot be had), :class:`~bwcdock.errors.Misbehaved` (it answers
    nonsense) and nothing else.
    """

    def identity(self) -> Identity:
        """Who it says it is. The same answer for the same recorder at any port."""
        ...

    def condition(self, now: datetime) -> Condition:
        """Clock, battery, storage; ``now`` is the station's time of asking."""
        ...

    def items(self) -> list[Item]:
        """Every file that may be a recording or belong to one; deleted files are not items. The same list each time."""
        ...

    def read_into(self, item: Item, offset: int, buffer: memoryview) -> int:
        """Fill ``buffer`` from ``offset`` of the file; return how many bytes, 0 only at or past the end.

        Fewer than asked for is allowed anywhere (the caller asks again); more than the file has is not. The buffer
        starts at a page boundary and its length is a multiple of 4096, so direct reads are possible.
        """
        ...

    def present(self) -> bool:
        """Whether the recorder is still there. An empty listing means nothing unless this is true afterwards."""
        ...


class Driver(Protocol):
    """One way of speaking to recorders."""

    name: str

    def claims(self, sighting: Sighting) -> int:
        """How surely this driver fits, 0 (not mine) to 100; the highest claim opens it. Looks, never writes."""
        ...

    def open(self, sighting: Sighting) -> AbstractContextManager[Recorder]:
        """Open it read-only. Leaving the context closes everything, whatever happened."""
        ...


@runtime_checkable
class Tapes(Protocol):
    """Ability of a driver: what is said between it and a recorder can be kept as text, for whoever mends the driver."""

    def open_taped(self, sighting: Sighting, write: Callable[[str], object]) -> AbstractContextManager[Recorder]:
        """As :meth:`Driver.open`; ``write`` is given a line at a time, without footage and the recorder's number."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a quirk reads of one file: ``item`` as the station gets it, and what its name said.

    ``pattern`` is the naming pattern that read it (``1``, or ``default 1``), empty where none fits; ``groups`` is what
    it read, by name. ``start`` and ``end`` are the recorder's own time, as it would show it.
    """

    item: Item
    pattern: str
    groups: tuple[tuple[str, str], ...]
    start: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a quirk makes of a sample: whether its conditions hold, who the recorder is, and every file.

    ``conditions`` are the keys of [match] with ``holds``, ``fails`` or ``unknown``, which is what a sample cannot tell.
    ``left`` are the files that are no recordings by its word.
    """

    quirk: str
    conditions: tuple[tuple[str, str], ...]
    identity: Identity
    readings: tuple[Reading, ...]
    left: tuple[str, ...]


@runtime_checkable
class ReadsQuirks(Protocol):
    """Ability of a driver: what differs by make of recorder stands in quirk files, which can be judged and tried."""

    def lint(self, files: Sequence[Path]) -> list[str]:
        """What is wrong with these files, as those of one folder; one sentence each, beginning with file and key."""
        ...

    def try_quirk(self, file: Path, sample: str) -> Trial:
        """What the quirk in ``file`` makes of the folder ``sample``, or of the one path ``sample`` if there is none."""
        ...


@runtime_checkable
class SetsClock(Protocol):
    """Ability: its clock can be set. Measured before, and only when the station's own clock is vouched for.

    One that can tell its clock tells the new one from then on in :meth:`Recorder.condition`; nothing else changes.
    """

    def set_clock(self, now: datetime) -> Drift:
        """Set it, read it again where it can be read, and return the drift that is left. ``now`` is this very moment.

        Raises what a recorder may raise where it does not take the time.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFile:
    """A file at the top of a card by which a recorder sets its clock to ``set_to`` when it is next switched on."""

    name: str
    content: bytes
    set_to: datetime


@runtime_checkable
class ReadsClockFile(Protocol):
    """Ability: its clock can be set by a file on its card. The driver says what is in it, and never writes it."""

    def clock_file(self, moment: datetime) -> ClockFile | None:
        """The file for this moment; ``None`` where this recorder is not known to read one."""
        ...


@runtime_checkable
class Erases(Protocol):
    """Ability: files can be erased on it; only with a permit."""

    def erase(self, item: Item, permit: object) -> None:
        """Erase this one file."""
        ...


@runtime_checkable
class Unlocks(Protocol):
    """Ability: it must be unlocked with a secret first."""

    def unlock(self, secret: str) -> None:
        """Unlock for this plug-in; a wrong secret raises :class:`~bwcdock.errors.NotAllowed`. Never guesses."""
        ...


@runtime_checkable
class SwitchesToDisk(Protocol):
    """Ability: it re-appears as a disk on the same port."""

    def switch_to_disk(self) -> None:
        """Ask it to; the disk is the same session."""
        ...


@runtime_checkable
class TellsDigests(Protocol):
    """Ability: it can tell the digest of a file itself."""

    def digests(self, item: Item) -> Digests:
        """What the recorder says; compared, never trusted instead of our own."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a sink holds under a key, by its own full reading of the stored bytes."""

    size: int
    digests: Digests
    version: str = ""
    readback: Literal["direct", "cached", "server"] = "direct"


@runtime_checkable
class Tidies(Protocol):
    """Ability of a sink: what a transfer that was never finished left behind can be removed."""

    def tidy(self, before: datetime) -> None:
        """Remove what this station began and last wrote to before that moment; nobody else's, nothing published."""
        ...


@runtime_checkable
class Gives(Protocol):
    """Ability of a sink: an object can be had back whole."""

    def give(self, key: str) -> Generator[memoryview]:
        """The bytes of the object under ``key`` in order, each chunk valid until the next is asked for.

        Nothing is proven by them: whoever takes them compares. Where there is no such object: ``Unreachable``. Close
        the generator, or exhaust it.
        """
        ...


@runtime_checkable
class Opens(Protocol):
    """Ability of a sink: an object lies as a file in a file system of this machine, to be read at any place of it."""

    def opened(self, key: str) -> FileIO:
        """The object under ``key``, opened for reading; its taker closes it.

        Nothing is proven by it. Where there is no such object: ``Unreachable``.
        """
        ...


@runtime_checkable
class Lists(Protocol):
    """Ability of a sink: what it holds can be listed."""

    def keys(self, prefix: str, suffix: str) -> Generator[str]:
        """Every key under ``prefix`` (at any depth; ``""``: everywhere) that ends in ``suffix``, in order of names."""
        ...


@runtime_checkable
class Locks(Protocol):
    """Ability of a sink: an object can be locked against deletion and overwriting (WORM)."""

    def lock(self, key: str, version: str, wanted: Lock) -> Lock:
        """Have the object locked at least as ``wanted`` says; answers what the store itself says afterwards.

        Never shortens and never lifts a hold. A store whose clock ends before ``wanted.until`` (Ceph 16 wraps after
        2105) is asked for the last moment it can keep, and for a hold. Answers less than was wanted only where the
        store keeps no locks.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a store was found to be able to, or to allow: a word for it, whether that is as it must be, a sentence.

    The words are ``rights`` (what the account may do beyond what it needs), ``clock`` and ``ability``.
    """

    word: str
    good: bool
    what: str
    remedy: str = ""


@runtime_checkable
class Probes(Protocol):
    """Ability of a sink: what it can and what it allows is found out by trying, where nothing can come of it."""

    def probe(self) -> Sequence[Probe]:
        """Everything that can be tried; may raise ``Unreachable``."""
        ...


class Sink(Protocol):
    """A place of central storage. It has no delete.

    Every call may raise :class:`~bwcdock.errors.Unreachable` (try later), :class:`~bwcdock.errors.Conflict`, or
    :class:`~bwcdock.errors.Declined` (this object never).
    """

    name: str

    def stat(self, key: str) -> Held | None:
        """Read the object under ``key`` in full and say what it is; ``None`` where there is none."""
        ...

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:
        """Store the file ``source`` under ``key``; durable when it returns.

        Resumes what an earlier call began. The same bytes again succeed and change nothing; other bytes under the key
        raise :class:`~bwcdock.errors.Conflict` and change nothing. ``keep_until`` ``None`` means permanent. A source
        that cannot be read, or is not what ``digests`` say, raises :class:`~bwcdock.errors.Untrue`.
        """
        ...

    def note(self, key: str, data: bytes) -> None:
        """Store a small document (manifest, checkpoint, receipt) under ``key``, with the same promises as ``put``."""
        ...

    def newest(self, prefix: str, suffix: str, most: int) -> list[str]:
        """The ``most`` greatest keys directly under ``prefix`` (a key without its last part) that end in ``suffix``.

        By name, the greatest first. For the heads of a ledger, which are named by their growth.
        """
        ...

    def recall(self, key: str) -> bytes | None:
        """The small document under ``key``, read from the store itself; ``None`` where there is none.

        An object too large to be a document raises :class:`~bwcdock.errors.Conflict`.
        """
        ...


class Marked(Protocol):
    """What central storage of every kind has: a marker, by which the station knows that it is the one it was."""

    def initialise(self) -> str:
        """Mark it as central storage and answer its id; one marked before (by another station) keeps it."""
        ...

    def marker(self) -> str:
        """The id in the marker; empty where there is none."""
        ...

    def foreign(self) -> list[str]:
        """What lies at the top of it that is neither ours nor the storage's own, by name; a few are enough."""
        ...


class Store(Sink, Marked, Protocol):
    """A sink of the settings."""
