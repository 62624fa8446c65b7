"""Carry every signed head of the ledger to a sink, so that the ledger cannot be rolled back unseen."""

import base64
import threading

import rfc8785

from bwcdock.ledger import Head, Ledger, Signer
from bwcdock.ports import Sink
from bwcdock.steps.book import Book


def folder_of(station: str) -> str:
    """Where this station's heads lie in central storage."""
    return f"checkpoints/{station}"


class Witness:
    """What one sink has of the heads. Nothing is stored about it: after a start the sink itself is asked."""

    def __init__(self, book: Book, sink: Sink, signer: Signer, station: str) -> None:
        self._book = book
        self._sink = sink
        self._signer = signer
        self._folder = folder_of(station)
        self._lock = threading.Lock()  # pushes to one sink run side by side
        self._has: int | None = None  # leaves under the newest head it has; None: not asked yet

    def bring(self) -> None:
        """Bring what it lacks, oldest first, each head with the proof that it continues the one before.

        Raises Unreachable, Conflict, and LedgerBroken where the sink has a head that this ledger does not continue. If
        it dies between a proof and its head, the next call repeats the proof, which is the same bytes.
        """
        with self._lock:
            if self._has is None:
                self._has = self._ask()
            for head in self._book.ask(self._lacking):
                size = head.checkpoint.size
                key = f"{self._folder}/{size:020d}"  # sorted by name is sorted by growth
                if self._has:
                    self._sink.note(f"{key}.consistency", self._proof(self._has, size))
                self._sink.note(f"{key}.note", head.checkpoint.note.encode())
                self._has = size

    def _lacking(self, ledger: Ledger) -> list[Head]:
        return ledger.heads(after=self._has or 0)

    def _ask(self) -> int:
        """What the sink has. A head there that this ledger does not continue means that it was put back or forked."""
        newest = self._sink.newest(self._folder, ".note")
        note = self._sink.recall(newest) if newest else None
        if note is None:
            return 0
        told = self._signer.verifier.open(note.decode("utf-8", "replace"))
        self._book.ask(lambda ledger: ledger.must_extend(told))
        return told.size

    def _proof(self, old: int, new: int) -> bytes:
        path = self._book.ask(lambda ledger: ledger.consistency(old, new))
        return rfc8785.dumps({"from": old, "to": new, "hashes": [base64.b64encode(h).decode() for h in path]})
