"""What is proven of central storage: every signature, digest, proof and list in it."""

import base64
import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from bwcdock.core.facts import Sealed
from bwcdock.errors import LedgerBroken, Untrue
from bwcdock.ledger import codec
from bwcdock.ledger.checkpoint import Checkpoint, Verifier
from bwcdock.ledger.tree import leaf_hash, verify_consistency, verify_inclusion
from bwcdock.manifest import (
    CHECKS,
    MANIFEST,
    RECEIPTS,
    STATEMENTS,
    Heard,
    Manifest,
    Receipt,
    Statement,
    heard,
    missing,
    open_signed,
)
from bwcdock.verify_central.places import Folder, Place, Unseen

CHECKPOINTS = "checkpoints"

NOTE, PROOF = ".note", ".consistency"
"""What a head is called, and the proof that it continues the one before it."""

M = TypeVar("M", bound=BaseModel)

OWED_STATES = frozenset({"sealed", "stored", "released"})
"""States on a receipt whose bytes must be in central storage; quarantined and lost ones were never whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found: ``disagreements``, one line each, and how much was looked at (``size`` in bytes)."""

    disagreements: tuple[str, ...]
    objects: int
    size: int
    receipts: int
    checkpoints: int
    statements: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not self.disagreements


@dataclass(slots=True)
class _Run:
    central: Place
    verifiers: tuple[Verifier, ...]
    pace: Callable[[int], None]
    lines: list[str] = field(default_factory=list)
    objects: int = 0
    size: int = 0
    receipts: int = 0
    statements: int = 0
    heads: dict[tuple[str, int], Checkpoint] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)

    def say(self, name: str, what: str) -> None:
        # A name in central storage may come from anyone who can write there: one line stays one line.
        self.lines.append(f"{name.encode('unicode_escape').decode() if not name.isprintable() else name}: {what}")


def verify(central: Path, public_keys: str, *, pace: Callable[[int], None] = lambda _: None) -> Report:
    """See :func:`prove`, of a directory. Raises ``OSError`` where the directory itself cannot be read."""
    return prove(Folder(central), public_keys, pace=pace)


def prove(central: Place, public_keys: str, *, pace: Callable[[int], None] = lambda _: None) -> Report:
    """Check every signature, digest, proof and list in ``central``; reads every byte, changes nothing.

    ``public_keys`` is the station's key in its C2SP text, or one a line where several stations share the storage.
    ``pace`` is called with the size of what was read. Raises ``Misused`` where a key is none or the place is no
    central storage (a share that is not mounted leaves an empty folder); what cannot be read is a line of the report.

    What was removed with its manifest and its receipt leaves no trace here; only the station's ledger knows of it.
    """
    verifiers = tuple(Verifier.parse(line) for line in public_keys.splitlines() if line.strip())
    run = _Run(central=central, verifiers=verifiers, pace=pace)
    central.must_be_central()
    _checkpoints(run)
    _objects(run)
    _receipts(run)
    _statements(run)
    return Report(
        disagreements=tuple(run.lines),
        objects=run.objects,
        size=run.size,
        receipts=run.receipts,
        checkpoints=len(run.heads),
        statements=run.statements,
    )


# --- checkpoints ------------------------------------------------------------------------------------------------------


def _checkpoints(run: _Run) -> None:
    """Every checkpoint signed, and each a continuation of the one before it of the same log in the same folder."""
    logs: dict[tuple[str, str], list[tuple[str, Checkpoint]]] = defaultdict(list)
    for name in _names(run, CHECKPOINTS):
        if name.endswith(PROOF):
            if _document(run, name.removesuffix(PROOF) + NOTE) is None:
                run.say(name, "a consistency proof without its checkpoint.")
        elif (checkpoint := _checkpoint(run, name)) is not None:
            logs[name.rpartition("/")[0], checkpoint.origin].append((name, checkpoint))
            earlier = run.heads.setdefault((checkpoint.origin, checkpoint.size), checkpoint)
            if earlier.root != checkpoint.root:
                run.say(name, f"the log was forked: two signed trees of {checkpoint.size} leaves.")
    for chain in logs.values():
        chain.sort(key=lambda entry: entry[1].size)
        for (_, old), (name, new) in itertools.pairwise(chain):
            _continues(run, name, old, new)
    if not run.heads:
        run.say(CHECKPOINTS, "no checkpoint of the keys given: nothing of their stations is proven here.")


def _checkpoint(run: _Run, name: str) -> Checkpoint | None:
    data = _required(run, name)
    if data is None:
        return None
    problem = "no key given"
    for verifier in run.verifiers:
        try:
            checkpoint = verifier.open(data.decode())
        except (LedgerBroken, UnicodeDecodeError) as error:
            problem = error.what if isinstance(error, LedgerBroken) else "it is no text."
            continue
        if name.rpartition("/")[2] != f"{checkpoint.size:020}{NOTE}":
            run.say(name, f"holds the checkpoint of {checkpoint.size} leaves, under another name.")
        return checkpoint
    run.say(name, f"no checkpoint of this station: {problem}")
    return None


def _continues(run: _Run, name: str, old: Checkpoint, new: Checkpoint) -> None:
    if old.size in {0, new.size}:
        return
    proof = name.removesuffix(NOTE) + PROOF
    data = _required(run, proof)
    if data is None:
        return
    try:
        told = json.loads(data)
        hashes = [_unbase64(h) for h in told["hashes"]]
        ends = (told["from"], told["to"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        run.say(proof, f"no consistency proof: {error}.")
        return
    if ends != (old.size, new.size):
        run.say(proof, f"leads from {ends[0]!r} to {ends[1]!r} leaves; {old.size} to {new.size} is missing.")
    elif not verify_consistency(old.size, new.size, hashes, old.root, new.root):
        run.say(proof, f"the tree of {new.size} leaves does not continue the tree of {old.size}: history was changed.")


# --- objects ----------------------------------------------------------------------------------------------------------


def _objects(run: _Run) -> None:
    bare: dict[str, None] = {}  # objects whose manifest has not come yet: it follows, so there are ever few
    for name in _names(run, "", but=(CHECKPOINTS, RECEIPTS, STATEMENTS, CHECKS)):
        if not name.endswith(MANIFEST):
            run.objects += 1
            bare[name] = None
            continue
        target = name.removesuffix(MANIFEST)
        bare.pop(target, None)
        manifest = _opened(run, name, Manifest)
        if manifest is None:
            continue
        _position(run, name, manifest)
        if manifest.key not in {"", target}:
            run.say(name, f"belongs to {manifest.key}: it was moved.")
        if not _object(run, name, target, manifest):
            continue
        if run.records.setdefault(manifest.record, manifest.sha256) != manifest.sha256:
            run.say(name, f"record {manifest.record} is here twice with different bytes.")
    for name in bare:
        if _document(run, name + MANIFEST) is None:  # a station that pushes meanwhile puts it there after the object
            run.say(name, "an object without a manifest.")


def _object(run: _Run, name: str, target: str, manifest: Manifest) -> bool:
    """Whether there is an object; what it is compared with its manifest."""
    try:
        found = run.central.object(target, run.pace)
    except Unseen as error:
        run.say(target, str(error))
        return True
    if found is None:
        run.say(name, "a manifest without its object.")
        return False
    run.size += found.size
    if found.size != manifest.size:
        run.say(target, f"has {found.size} bytes; its manifest says {manifest.size}.")
    for digest, is_, was in (("SHA-256", found.sha256, manifest.sha256), ("BLAKE3", found.blake3, manifest.blake3)):
        if is_ != was:
            run.say(target, f"{digest} is {is_}; its manifest says {was}.")
    return True


def _position(run: _Run, name: str, manifest: Manifest) -> None:
    """The sealed fact is in the signed tree, and says of these bytes what the manifest says."""
    position = manifest.position
    try:
        leaf = _unbase64(position.leaf)
        hashes = [_unbase64(h) for h in position.path]
        fact = codec.decode(leaf).entry.fact
    except (ValueError, LedgerBroken) as error:
        run.say(name, f"its ledger position cannot be read: {error}.")
        return
    checkpoint = next((c for v in run.verifiers if (c := _note(v, position.checkpoint)) is not None), None)
    if checkpoint is None or checkpoint.origin != position.origin:
        run.say(name, "its checkpoint is not signed by this station.")
        return
    if not verify_inclusion(leaf_hash(leaf), position.seq, checkpoint.size, hashes, checkpoint.root):
        run.say(name, f"leaf {position.seq} is not in the tree its checkpoint signs.")
    if not isinstance(fact, Sealed) or (fact.record, fact.size, fact.digests.sha256, fact.digests.blake3) != (
        manifest.record,
        manifest.size,
        manifest.sha256,
        manifest.blake3,
    ):
        run.say(name, "the leaf in the ledger seals something else than the manifest says.")
    known = run.heads.get((checkpoint.origin, checkpoint.size))
    if known is None:
        run.say(name, f"leads to the checkpoint of {checkpoint.size} leaves, which is not in {CHECKPOINTS}/.")
    elif known.root != checkpoint.root:
        run.say(name, f"the log was forked: two signed trees of {checkpoint.size} leaves.")


def _note(verifier: Verifier, note: str) -> Checkpoint | None:
    try:
        return verifier.open(note)
    except LedgerBroken:
        return None


# --- receipts ---------------------------------------------------------------------------------------------------------


def _receipts(run: _Run) -> None:
    for name in _names(run, RECEIPTS):
        receipt = _opened(run, name, Receipt)
        if receipt is None:
            continue
        run.receipts += 1
        for line in receipt.lines:
            if line.state not in OWED_STATES:
                continue
            held = run.records.get(line.record)
            if held is None:
                run.say(name, f"record {line.record} ({line.path}) was handed over and is not in central storage.")
            elif line.sha256 and held != line.sha256:
                run.say(name, f"record {line.record} was handed over with other bytes than central storage holds.")


# --- statements -------------------------------------------------------------------------------------------------------


def _statements(run: _Run) -> None:
    """Every statement signed and in its place, under a head that is here, and none missing between two of a ledger."""
    told: dict[str, list[Heard]] = defaultdict(list)
    for name in _names(run, STATEMENTS):
        statement = _opened(run, name, Statement)
        if statement is None:
            continue
        run.statements += 1
        if name != statement.key:
            run.say(name, f"belongs to {statement.key}: it was moved.")
            continue
        if (statement.origin, statement.seq + 1) not in run.heads:
            run.say(name, f"leads to the checkpoint of {statement.seq + 1} leaves, which is not in {CHECKPOINTS}/.")
        told[statement.origin].append(heard(statement))
    for of_one in told.values():
        for key, what in missing(of_one):
            run.say(key, f"{what}.")


# --- common -----------------------------------------------------------------------------------------------------------


def _opened(run: _Run, name: str, model: type[M]) -> M | None:
    data = _required(run, name)
    if data is None:
        return None
    problem = "no key given"
    for verifier in run.verifiers:
        try:
            return open_signed(data, model, verifier)
        except Untrue as error:
            problem = error.what
    run.say(name, problem)
    return None


def _names(run: _Run, top: str, but: tuple[str, ...] = ()) -> Iterator[str]:
    """Every name under ``top`` that is to be looked at; of the others it is said what is wrong."""
    for name, problem in run.central.names(top, but):
        if problem:
            run.say(name, problem)
        else:
            yield name


def _required(run: _Run, name: str) -> bytes | None:
    """A paper that must be there."""
    try:
        data = run.central.document(name)
    except Unseen as error:
        run.say(name, str(error))
        return None
    if data is None:
        run.say(name, "is missing.")
    return data


def _document(run: _Run, name: str) -> bytes | None:
    """A paper that may be there."""
    try:
        return run.central.document(name)
    except Unseen as error:
        run.say(name, str(error))
        return b""


def _unbase64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
