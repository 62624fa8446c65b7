"""A central storage in memory that keeps state, fails to a table, and can lie."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from blake3 import blake3

from bwcdock.core.facts import Digests
from bwcdock.errors import Ailment, Conflict, Declined, Unreachable, Untrue
from bwcdock.ports import Held, Lock
from bwcdock.reading import read_back
from bwcdock.sinks.keys import MAX_NOTE, check_key


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkFault:
    """At the ``nth`` call of ``op`` (from 1): fail ``before`` or ``after`` the effect, or ``lie``.

    A lying ``put`` or ``note`` says that all is well and keeps other bytes (one bit turned); a lying ``stat`` says that
    nothing is there. ``cut`` (``put`` only) fails when ``at`` bytes have arrived; they stay for the next try.
    """

    op: Literal["stat", "put", "note", "lock"]
    nth: int
    how: Literal["before", "after", "lie", "cut"]
    at: int = 0


class MemorySink:
    """A sink in memory. ``objects`` is what is published, ``arrived`` what a cut transfer left, ``calls`` every call.

    ``down`` makes every call fail as unreachable for as long as it is set, as ``ails`` says: the NAS is gone, or full.
    ``declines`` makes it refuse, for good, whatever has this in its key.
    """

    def __init__(self, name: str = "central", faults: Iterable[SinkFault] = ()) -> None:
        self.name = name
        self.objects: dict[str, bytes] = {}
        self.kept_until: dict[str, datetime | None] = {}
        self.arrived: dict[tuple[str, str], bytes] = {}
        self.calls: list[tuple[str, str]] = []
        self.sent = 0
        self.down = False
        self.ails: Ailment = "away"
        self.declines = ""
        self._faults: dict[tuple[str, int], SinkFault] = {(f.op, f.nth): f for f in faults}

    def stat(self, key: str) -> Held | None:
        """See :class:`bwcdock.ports.Sink`."""
        fault = self._begin("stat", key)
        data = None if fault and fault.how == "lie" else self.objects.get(key)
        self._end(fault)
        if data is None:
            return None
        return Held(size=len(data), digests=digests_of(data), version=_version(data))

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:
        """See :class:`bwcdock.ports.Sink`."""
        fault = self._begin("put", key)
        data = source.read_bytes()
        if digests_of(data) != digests:
            raise Untrue("put", f"{source.name} is not what was sealed.", "Verify the spool copy.")
        if self._agrees(key, data):
            return
        arrived = self.arrived.get((key, digests.blake3), b"")
        if fault and fault.how == "cut":
            self.sent += max(0, fault.at - len(arrived))
            self.arrived[key, digests.blake3] = data[: max(fault.at, len(arrived))]
            raise Unreachable("put", f"{self.name} went away.", "It is tried again.", self.name)
        self.sent += len(data) - len(arrived)
        self.arrived.pop((key, digests.blake3), None)
        self._keep(key, data, fault)
        self.kept_until[key] = keep_until
        self._end(fault)

    def note(self, key: str, data: bytes) -> None:
        """See :class:`bwcdock.ports.Sink`."""
        fault = self._begin("note", key)
        if not self._agrees(key, data):
            self._keep(key, data, fault)
        self._end(fault)

    def recall(self, key: str) -> bytes | None:
        """See :class:`bwcdock.ports.Sink`."""
        self._begin("recall", key)
        data = self.objects.get(key)
        if data is not None and len(data) > MAX_NOTE:
            raise Conflict("recall", f"{self.name} holds no document under {key}.", "Look at it.", key)
        return data

    def newest(self, prefix: str, suffix: str, most: int) -> list[str]:
        """See :class:`bwcdock.ports.Sink`."""
        self._begin("newest", prefix)
        here = [key for key in self.objects if key.rpartition("/")[0] == prefix and key.endswith(suffix)]
        return sorted(here, reverse=True)[:most]

    def rot(self, key: str, at: int = 0) -> None:
        """Turn one bit of what lies under ``key``, as a disk does."""
        self.objects[key] = _turned(self.objects[key], at)

    def _begin(self, op: str, key: str) -> SinkFault | None:
        check_key(key)
        self.calls.append((op, key))
        fault = self._faults.get((op, sum(1 for o, _ in self.calls if o == op)))
        if self.down or (fault and fault.how == "before"):
            what = f"{self.name} cannot be used ({self.ails})."
            raise Unreachable(op, what, "Mount it.", self.name, ailment=self.ails)
        if op == "put" and self.declines and self.declines in key:
            raise Declined(op, f"{self.name} takes no {self.declines}.", "Ask for it to be let in.")
        return fault

    def _end(self, fault: SinkFault | None) -> None:
        if fault and fault.how == "after":
            raise Unreachable(fault.op, f"{self.name} did not answer.", "It is tried again.", self.name)

    def _agrees(self, key: str, data: bytes) -> bool:
        there = self.objects.get(key)
        if there is not None and there != data:
            raise Conflict("put", f"{self.name} holds other bytes under {key}.", "Look at it.", key)
        return there is not None

    def _keep(self, key: str, data: bytes, fault: SinkFault | None) -> None:
        self.objects[key] = _turned(data, 0) if fault and fault.how == "lie" else data


class LockingSink(MemorySink):
    """A sink in memory that locks (WORM): ``locks`` is what stands on each object, ``version`` and all.

    ``keeps_locks`` off, it is a store that takes every wish and keeps none. ``latest`` is where its clock ends.
    """

    def __init__(
        self, name: str = "central", faults: Iterable[SinkFault] = (), *, latest: datetime | None = None
    ) -> None:
        super().__init__(name, faults)
        self.locks: dict[tuple[str, str], Lock] = {}
        self.keeps_locks = True
        self._latest = latest

    def lock(self, key: str, version: str, wanted: Lock) -> Lock:
        """See :class:`bwcdock.ports.Locks`: never shortens, never lifts."""
        fault = self._begin("lock", key)
        data = self.objects.get(key)
        if data is None or version != _version(data):
            raise Conflict("lock", f"{self.name} has no version {version} of {key}.", "Look at it.", key)
        stands = self.locks.get((key, version), Lock())
        until = [moment for moment in (stands.until, wanted.until) if moment is not None]
        hold = stands.hold or wanted.hold
        if self._latest is not None and until and max(until) > self._latest:
            until, hold = [self._latest], True
        if self.keeps_locks:
            self.locks[key, version] = Lock(until=max(until, default=None), hold=hold)
        self._end(fault)
        return self.locks.get((key, version), Lock())


def digests_of(source: bytes | Path) -> Digests:
    """Both digests of some bytes, or of a file."""
    if isinstance(source, Path):
        found = read_back(source, sha256=True)
        return Digests(sha256=found.sha256, blake3=found.blake3)
    return Digests(sha256=hashlib.sha256(source).hexdigest(), blake3=blake3(source).hexdigest())


def _version(data: bytes) -> str:
    return f"v-{blake3(data).hexdigest()[:8]}"


def _turned(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if data else b"\x01"
