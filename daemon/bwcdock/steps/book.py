"""The ledger for threads: one call at a time, and findings told once until they are settled."""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from bwcdock.core.facts import Actor, Entry, Fact, Finding, Found, Settled
from bwcdock.ledger import Ledger
from bwcdock.ledger.codec import from_ms, to_ms
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

    def record(self, facts: Sequence[Fact], actor: Actor = STATION) -> tuple[Entry, ...]:
        """Write what was proven, in one transaction. When it fails the process ends, and the ordinary start finds out.

        A finding that is told already about its subject in the same words is left out; so is settling what is not open.
        """
        return self.decide(lambda _ledger, _at: facts, actor)

    def decide(
        self, facts_of: Callable[[Ledger, datetime], Sequence[Fact]], actor: Actor = STATION
    ) -> tuple[Entry, ...]:
        """Write what ``facts_of`` makes of the ledger as it is, at the very moment that its entries will carry.

        Nobody writes in between, so what it found in the ledger still holds; it may touch nothing else. Otherwise as
        :meth:`record`.
        """
        with self._lock:
            # As the ledger writes it: whole milliseconds, and never before its last leaf.
            last = next(self._ledger.entries(self._ledger.size - 1)).at
            at = max(from_ms(to_ms(self._clock.now())), last)
            told: dict[tuple[str, str, str], str | None] = {}
            news = [fact for fact in facts_of(self._ledger, at) if self._is_news(fact, told)]
            return self._ledger.append(news, at, actor)

    def ask(self, question: Callable[[Ledger], T]) -> T:
        """Put a question to the ledger while no step writes."""
        with self._lock:
            return question(self._ledger)

    def now(self) -> datetime:
        """The station's time."""
        return self._clock.now()

    def close(self) -> None:
        """Let go of the ledger, between two writes: a step that comes later finds it closed."""
        with self._lock:
            self._ledger.close()

    def _is_news(self, fact: Fact, told: dict[tuple[str, str, str], str | None]) -> bool:
        """Whether a finding (or its end) is new to the ledger and to ``told``, what is written with it; which grows."""
        words: str | None = None
        match fact:
            case Found(finding=finding):
                code, words = finding.code, finding.what
            case Settled(code=code):
                pass
            case _:
                return True
        key = (*fact.about, code)
        if key not in told:
            known = self._ledger.finding(*key)
            told[key] = known.what if known else None
        is_new = told[key] != words
        told[key] = words
        return is_new


def once_each(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding a code, the first: what holds for every file of a card is told once a card."""
    return tuple({finding.code: finding for finding in reversed(list(findings))}.values())[::-1]
