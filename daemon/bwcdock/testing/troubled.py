"""Central storage and a spool that get into trouble when a test says so, around real ones."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

from bwcdock.calls import SYSTEM, System
from bwcdock.core.facts import Digests
from bwcdock.errors import Unreachable
from bwcdock.ports import Held, Sink
from bwcdock.spool import Room, Spool

T = TypeVar("T")
SinkCall = Literal["stat", "put", "note", "recall", "newest"]


class TroubledSink:
    """The sink ``inner``, until it is told to hang or to fail. ``inner`` itself stays free of it, for looking."""

    def __init__(self, inner: Sink) -> None:
        self.name = inner.name
        self.inner = inner
        self.down = False
        """Every call fails as unreachable for as long as this is set."""
        self._hangs: dict[str, tuple[str, threading.Event]] = {}
        self._once: dict[str, Literal["before", "after"]] = {}
        self.hanging = 0
        """How many calls hang now."""

    def hang(self, call: SinkCall, prefix: str = "") -> None:
        """From now on this call, for keys that begin with ``prefix``, does not return until :meth:`let_go`."""
        self._hangs[call] = (prefix, threading.Event())

    def let_go(self) -> None:
        """End every hanging: who hangs now is told that the sink cannot be reached."""
        hangs, self._hangs = self._hangs, {}
        for _, event in hangs.values():
            event.set()

    def fail_once(self, call: SinkCall, how: Literal["before", "after"]) -> None:
        """The next such call fails, before it had its effect or after."""
        self._once[call] = how

    def forgive(self) -> None:
        """No failure waits any more, and it can be reached."""
        self._once.clear()
        self.down = False

    def stat(self, key: str) -> Held | None:
        """As the inner sink."""
        return self._call("stat", key, lambda: self.inner.stat(key))

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:
        """As the inner sink."""
        self._call("put", key, lambda: self.inner.put(key, source, digests, keep_until))

    def note(self, key: str, data: bytes) -> None:
        """As the inner sink."""
        self._call("note", key, lambda: self.inner.note(key, data))

    def recall(self, key: str) -> bytes | None:
        """As the inner sink."""
        return self._call("recall", key, lambda: self.inner.recall(key))

    def newest(self, prefix: str, suffix: str, most: int) -> list[str]:
        """As the inner sink."""
        return self._call("newest", prefix, lambda: self.inner.newest(prefix, suffix, most))

    def _call(self, call: SinkCall, key: str, work: Callable[[], T]) -> T:
        prefix, event = self._hangs.get(call, ("", None))
        if event is not None and key.startswith(prefix):
            self.hanging += 1
            event.wait()
            self.hanging -= 1
            raise self._away(call)
        how = self._once.pop(call, None)
        if self.down or how == "before":
            raise self._away(call)
        result = work()
        if how == "after":
            raise self._away(call)
        return result

    def _away(self, call: str) -> Unreachable:
        return Unreachable(call, f"{self.name} did not answer.", "Look after its network.", self.name)


class SmallSpool(Spool):
    """A spool on a volume of ``size`` bytes, which may be changed at any time; nothing of it is kept back."""

    def __init__(self, root: Path, size: int, *, system: System = SYSTEM) -> None:
        super().__init__(root, reserve=0.0, system=system)
        self.size = size

    def room(self) -> Room:
        """What is left of ``size`` beside the files that are there."""
        used = 0
        for folder in ("part", "whole", "quarantine"):
            for path in (self.root / folder).iterdir():
                with suppress(FileNotFoundError):  # a partial file that was published meanwhile
                    used += path.stat().st_blocks * 512  # with what is reserved, as the file system counts
        return Room(free=max(0, self.size - used), total=self.size, reserve=0, inodes_free=None)
