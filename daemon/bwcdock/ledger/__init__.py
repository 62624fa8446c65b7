"""Append, prove and verify the one tree of facts, with the cache tables beside it."""

from bwcdock.ledger.cache import OpenFinding
from bwcdock.ledger.checkpoint import Checkpoint, Head, Signer, Verifier
from bwcdock.ledger.codec import Unrecordable, forget_common, parts
from bwcdock.ledger.counting import Counts, LastSeen, Queue, Stands, Waits
from bwcdock.ledger.ledger import Ledger
from bwcdock.ledger.reader import Reader, open_read_only
from bwcdock.ledger.searching import Page, Sought
from bwcdock.ledger.verify import Disagreement, check, check_export, export

__all__ = [
    "Checkpoint",
    "Counts",
    "Disagreement",
    "Head",
    "LastSeen",
    "Ledger",
    "OpenFinding",
    "Page",
    "Queue",
    "Reader",
    "Signer",
    "Sought",
    "Stands",
    "Unrecordable",
    "Verifier",
    "Waits",
    "check",
    "check_export",
    "export",
    "forget_common",
    "open_read_only",
    "parts",
]
