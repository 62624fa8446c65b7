"""Carry every signed head of the ledger to a sink, so that the ledger cannot be rolled back unseen."""

import base64
import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta

import rfc8785

from bwcdock.core.facts import Fact, Finding, Found, Settled, Severity
from bwcdock.errors import Conflict, LedgerBroken, Unreachable
from bwcdock.ledger import Checkpoint, Head, Ledger, Signer, Verifier
from bwcdock.ports import Sink, Tidies
from bwcdock.steps.book import Book

LOOK_BACK = 1000
"""How many of the newest documents among the heads are looked at for one that is ours: a power cut of a NAS empties
the last few; more is somebody's work, and is told in any case."""

NAMED = 5
"""How many of those that are none are named in the finding: the rest is for `bwcdock verify`."""

TURN_S = 10.0
"""How long a push waits for its turn: bringing a head takes a fraction of a second, so whoever has it longer hangs, or
brings those of many days; the push is tried again."""

ABANDONED = timedelta(days=14)
"""After how long an unfinished transfer is given up: longer than central storage is ever away without being missed.
What is sent later begins anew; nothing is lost by it."""

TIDY_EVERY = timedelta(days=1)


def folder_of(station: str) -> str:
    """Where this station's heads lie in central storage."""
    return f"checkpoints/{station}"


def head_key(folder: str, size: int) -> str:
    """The key of the head over ``size`` leaves, without its ending: sorted by name is sorted by growth."""
    return f"{folder}/{size:020d}"


def newest_head(sink: Sink, folder: str, verifier: Verifier) -> tuple[Checkpoint | None, list[str]]:
    """The newest head there that ``verifier`` signed, and the keys of what lies above it and is none.

    Anybody who may write there can put something there, and a power cut of a NAS leaves empty files. Raises
    Unreachable.
    """
    strange: list[str] = []
    for key in sink.newest(folder, ".note", LOOK_BACK):
        try:
            note = sink.recall(key)
            told = verifier.open(note.decode("utf-8", "replace")) if note is not None else None
        except (Conflict, LedgerBroken):
            told = None
        if told is not None and key == f"{head_key(folder, told.size)}.note":
            return told, strange
        strange.append(key)
    return None, strange


def seen(sinks: Iterable[Sink], station: str, verifier: Verifier) -> int:
    """How many leaves stand under the newest head in any of these, for who looks beside the station; 0 in none."""
    sizes = [0]
    for sink in sinks:
        with suppress(Unreachable):
            head, _ = newest_head(sink, folder_of(station), verifier)
            sizes.append(head.size if head else 0)
    return max(sizes)


class Witness:
    """What one sink has of the heads. Nothing is stored about it: after a start the sink itself is asked."""

    def __init__(self, book: Book, sink: Sink, signer: Signer, station: str) -> None:
        self._book = book
        self._sink = sink
        self._signer = signer
        self._folder = folder_of(station)
        self._turn = threading.Lock()  # pushes to one sink run side by side
        self._asked = False
        self._has: Checkpoint | None = None  # the newest head it has
        self._tidied_at: datetime | None = None

    @property
    def size(self) -> int:
        """Leaves under the newest head it is known to have; 0 while it was not asked since the start."""
        has = self._has
        return has.size if has is not None else 0

    def bring(self) -> Checkpoint | None:
        """Bring what it lacks, oldest first, each head with the proof that it continues the one before.

        Answers the newest head it then has; a sink that had none is given the newest alone. Where other bytes lie in
        place of a head, that is told and the next head goes there. Raises Unreachable, and LedgerBroken where the sink
        has a head of this key that this ledger does not continue: it was put back, or forked. If it dies between a
        proof and its head, the next call repeats the proof, which is the same bytes.
        """
        if not self._turn.acquire(timeout=TURN_S):
            what = f"Another transfer has been bringing the ledger's heads there for {TURN_S:g} s."
            raise Unreachable("witness", what, "It is tried again by itself.", self._sink.name)
        try:
            if not self._asked:
                self._ask()
            self._tidy()
            strange = []
            for head in self._book.ask(self._lacking):
                try:
                    self._give(head.checkpoint)
                except Conflict as error:
                    strange.append(error.key)
            if strange:
                self._book.record([self._found(strange)])
            return self._has
        finally:
            self._turn.release()

    def _lacking(self, ledger: Ledger) -> list[Head]:
        if self._has is not None:
            return ledger.heads(after=self._has.size)
        last = ledger.last_head()
        return [last] if last is not None else []

    def _give(self, head: Checkpoint) -> None:
        key = head_key(self._folder, head.size)
        if self._has is not None:
            self._sink.note(f"{key}.consistency", self._proof(self._has.size, head.size))
        self._sink.note(f"{key}.note", head.note.encode())
        self._has = head

    def _ask(self) -> None:
        """What the sink has. A head there that this ledger does not continue means that it was put back or forked."""
        has, strange = newest_head(self._sink, self._folder, self._signer.verifier)
        if has is not None:
            self._book.ask(lambda ledger: ledger.must_extend(has))
        ended = Settled(code=self._code, how="the newest document among the heads is a head of this station")
        self._book.record([self._found(strange) if strange else ended])
        self._has, self._asked = has, True

    def _tidy(self) -> None:
        now = self._book.now()
        if isinstance(self._sink, Tidies) and (self._tidied_at is None or now - self._tidied_at >= TIDY_EVERY):
            self._sink.tidy(now - ABANDONED)
            self._tidied_at = now

    @property
    def _code(self) -> str:
        return f"sink.heads.{self._sink.name}"

    def _found(self, strange: list[str]) -> Fact:
        named = ", ".join(ascii(key.rpartition("/")[2])[1:-1] for key in strange[:NAMED])
        more = f" and {len(strange) - NAMED} more" if len(strange) > NAMED else ""
        finding = Finding(
            severity=Severity.WARN,
            code=self._code,
            what=f"Among the heads in {self._sink.name} lies what is no head of this ledger: {named}{more}.",
            remedy=f"Find out who may write to {self._folder}, or whether that storage lost power: where heads are "
            "destroyed an older ledger could be put back unseen. Nothing is overwritten; the next heads go beside.",
        )
        return Found(finding=finding)

    def _proof(self, old: int, new: int) -> bytes:
        path = self._book.ask(lambda ledger: ledger.consistency(old, new))
        return rfc8785.dumps({"from": old, "to": new, "hashes": [base64.b64encode(h).decode() for h in path]})
