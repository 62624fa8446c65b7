"""Whose fault it is, whether trying again helps, and what to do about it."""

from collections.abc import Sequence
from typing import Literal

from bwcdock.core.facts import Lock, Span
from bwcdock.core.refusal import Refusal


class BwcdockError(Exception):
    """The root: ``op`` is what was being done, ``what`` went wrong (one sentence), ``hint`` is the remedy.

    ``why`` is ``what`` with a code, where people are told of it in Chinese; without one its code is empty.
    """

    def __init__(self, op: str, what: str | Refusal, hint: str) -> None:
        self.why = what if isinstance(what, Refusal) else Refusal(code="", what=what)
        super().__init__(f"{op}: {self.why.what} {hint}".strip())
        self.op = op
        self.what = self.why.what
        self.hint = hint


class Unplugged(BwcdockError):
    """The recorder went away in the middle. Nobody's fault; what was read stays, and resumes."""


class Unreadable(BwcdockError):
    """The recorder has the file but cannot give these bytes, also after retries."""

    def __init__(self, op: str, what: str, hint: str, spans: Sequence[Span] = ()) -> None:
        super().__init__(op, what, hint)
        self.spans = tuple(spans)


class Misbehaved(BwcdockError):
    """The recorder (or its reader process) hung, crashed, or answered nonsense; this recorder alone is at fault."""


class NotAllowed(BwcdockError):
    """The recorder or the system forbids it (permissions, password, write protection)."""


class Untrue(BwcdockError):
    """Two readings of the same bytes differ."""


class SpoolFull(BwcdockError):
    """No room in the spool; ``missing`` is how many bytes would be needed."""

    def __init__(self, op: str, what: str, hint: str, missing: int) -> None:
        super().__init__(op, what, hint)
        self.missing = missing


class SpoolBroken(BwcdockError):
    """The spool's disk failed a write or a sync: the inode concerned is gone and is never synced again."""


Ailment = Literal["away", "full", "credentials", "clock"]
"""Why a sink cannot be used: gone or busy; no room left; it does not take who we say we are, or does not let us do it;
its clock and ours are too far apart for it to answer. All of them pass without anything being lost."""


class Unreachable(BwcdockError):
    """A sink cannot be used for now (``ailment`` says why); trying later helps."""

    def __init__(self, op: str, what: str | Refusal, hint: str, sink: str = "", *, ailment: Ailment = "away") -> None:
        super().__init__(op, what, hint)
        self.sink = sink
        self.ailment = ailment


class Declined(BwcdockError):
    """A sink will not take this object however often it is tried; the recording stays here, and somebody is told."""


class Unlocked(BwcdockError):
    """A sink locks an object less firmly than it has to be; ``lock`` is what it told of it."""

    def __init__(self, op: str, what: str, hint: str, lock: Lock) -> None:
        super().__init__(op, what, hint)
        self.lock = lock


class Conflict(BwcdockError):
    """A sink holds other bytes under our key. An alarm: never overwritten."""

    def __init__(self, op: str, what: str, hint: str, key: str) -> None:
        super().__init__(op, what, hint)
        self.key = key


class LedgerBroken(BwcdockError):
    """The ledger could not be written, or does not agree with its own proofs. The process ends on purpose."""


class Misused(BwcdockError):
    """Wrong usage or configuration: the operator's to mend. Exit status 2."""
