"""The ledger for threads: one call at a time, and findings told once until they are settled."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from bwcdock.core.facts import Actor, Entry, Fact, Finding, Found, Settled
from bwcdock.ledger import Ledger
from bwcdock.ports import Clock

T = TypeVar("T")
STATION = Actor()


class Book:
    """The one way from a step into the ledger.

    A step that holds the book holds up every other step, so nothing but the ledger is touched inside.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.RLock()
        self._told = {(o.subject_kind, o.subject, o.finding.code): o.finding.what for o in ledger.findings()}

    def record(self, facts: Sequence[Fact], actor: Actor = STATION) -> tuple[Entry, ...]:
        """Write what was proven, in one transaction. When it fails the process ends, and the ordinary start finds out.

        A finding that is told already about its subject in the same words is left out; so is settling what is not open.
        """
        with self._lock:
            told = dict(self._told)
            news = [fact for fact in facts if _is_news(fact, told)]
            if not news:
                return ()
            entries = self._ledger.append(news, self._clock.now(), actor)
            self._told = told
            return entries

    def ask(self, question: Callable[[Ledger], T]) -> T:
        """Put a question to the ledger while no step writes."""
        with self._lock:
            return question(self._ledger)

    def is_told(self, code: str, subject_kind: str = "station", subject: str = "") -> bool:
        """Whether this finding is open about this subject."""
        with self._lock:
            return (subject_kind, subject, code) in self._told

    def close(self) -> None:
        """Let go of the ledger, between two writes: a step that comes later finds it closed."""
        with self._lock:
            self._ledger.close()


def _is_news(fact: Fact, told: dict[tuple[str, str, str], str]) -> bool:
    """Whether a finding (or its end) is one that ``told`` does not know; ``told`` knows it then."""
    match fact:
        case Found(finding=finding):
            key = (*fact.about, finding.code)
            if told.get(key) == finding.what:
                return False
            told[key] = finding.what
        case Settled(code=code):
            return told.pop((*fact.about, code), None) is not None
    return True


def once_each(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding a code, the first: what holds for every file of a card is told once a card."""
    return tuple({finding.code: finding for finding in reversed(list(findings))}.values())[::-1]
