"""Central storage proven from nothing but its own folder and the station's public key."""

import base64
import itertools
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from bwcdock.core.facts import Sealed
from bwcdock.errors import LedgerBroken, Misused, Untrue
from bwcdock.ledger import codec
from bwcdock.ledger.checkpoint import Checkpoint, Verifier
from bwcdock.ledger.tree import leaf_hash, verify_consistency, verify_inclusion
from bwcdock.manifest import (
    CHECKS,
    MANIFEST,
    MAX_DOCUMENT,
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
from bwcdock.reading import Buffers, Whole, read_back
from bwcdock.sinks.filesystem import MARKER

CHECKPOINTS = "checkpoints"

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
    central: Path
    verifiers: tuple[Verifier, ...]
    pace: Callable[[int], None]
    buffers: Buffers = field(default_factory=lambda: Buffers(count=1))
    lines: list[str] = field(default_factory=list)
    objects: int = 0
    size: int = 0
    receipts: int = 0
    statements: int = 0
    heads: dict[tuple[str, int], Checkpoint] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)

    def say(self, place: Path, what: str) -> None:
        # A name in central storage may come from anyone who can write there: one line stays one line.
        name = str(place.relative_to(self.central))
        self.lines.append(f"{name.encode('unicode_escape').decode() if not name.isprintable() else name}: {what}")


def verify(central: Path, public_keys: str, *, pace: Callable[[int], None] = lambda _: None) -> Report:
    """Check every signature, digest, proof and list in ``central``; reads every byte, changes nothing.

    ``public_keys`` is the station's key in its C2SP text, or one a line where several stations share the storage.
    ``pace`` is called with the size of every chunk read. Raises ``Misused`` where a key is none or the directory is no
    central storage (a share that is not mounted leaves an empty folder), ``OSError`` where the directory itself cannot
    be read; what else cannot be read is a line of the report.

    What was removed with its manifest and its receipt leaves no trace here; only the station's ledger knows of it.
    """
    verifiers = tuple(Verifier.parse(line) for line in public_keys.splitlines() if line.strip())
    run = _Run(central=central, verifiers=verifiers, pace=pace)
    if MARKER not in os.listdir(central):
        hint = f"Mount it, or name the directory that holds {MARKER}; nothing was proven."
        raise Misused("verify", f"{central} is no central storage: there is no {MARKER} in it.", hint)
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
    logs: dict[tuple[Path, str], list[tuple[Path, Checkpoint]]] = defaultdict(list)
    for path in _files(run, run.central / CHECKPOINTS):
        if path.suffix == ".consistency":
            if not path.with_suffix(".note").exists():
                run.say(path, "a consistency proof without its checkpoint.")
        elif (checkpoint := _checkpoint(run, path)) is not None:
            logs[path.parent, checkpoint.origin].append((path, checkpoint))
            earlier = run.heads.setdefault((checkpoint.origin, checkpoint.size), checkpoint)
            if earlier.root != checkpoint.root:
                run.say(path, f"the log was forked: two signed trees of {checkpoint.size} leaves.")
    for chain in logs.values():
        chain.sort(key=lambda entry: entry[1].size)
        for (_, old), (path, new) in itertools.pairwise(chain):
            _continues(run, path, old, new)
    if not run.heads:
        run.say(run.central / CHECKPOINTS, "no checkpoint of the keys given: nothing of their stations is proven here.")


def _checkpoint(run: _Run, path: Path) -> Checkpoint | None:
    data = _document(run, path)
    if data is None:
        return None
    problem = "no key given"
    for verifier in run.verifiers:
        try:
            checkpoint = verifier.open(data.decode())
        except (LedgerBroken, UnicodeDecodeError) as error:
            problem = error.what if isinstance(error, LedgerBroken) else "it is no text."
            continue
        if path.name != f"{checkpoint.size:020}.note":
            run.say(path, f"holds the checkpoint of {checkpoint.size} leaves, under another name.")
        return checkpoint
    run.say(path, f"no checkpoint of this station: {problem}")
    return None


def _continues(run: _Run, path: Path, old: Checkpoint, new: Checkpoint) -> None:
    if old.size in {0, new.size}:
        return
    proof = path.with_suffix(".consistency")
    data = _document(run, proof)
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
    for path in _files(run, run.central, skip=(CHECKPOINTS, RECEIPTS, STATEMENTS, CHECKS)):
        if path.name.endswith(MANIFEST):
            manifest = _opened(run, path, Manifest)
            target = path.with_name(path.name.removesuffix(MANIFEST))
            if manifest is None:
                continue
            _position(run, path, manifest)
            if manifest.key not in {"", str(target.relative_to(run.central))}:
                run.say(path, f"belongs to {manifest.key}: it was moved.")
            if not target.is_file() or target.is_symlink():
                run.say(path, "a manifest without its object.")
                continue
            _object(run, target, manifest)
            if run.records.setdefault(manifest.record, manifest.sha256) != manifest.sha256:
                run.say(path, f"record {manifest.record} is here twice with different bytes.")
        else:
            run.objects += 1
            if not os.path.lexists(path.with_name(path.name + MANIFEST)):
                run.say(path, "an object without a manifest.")


def _object(run: _Run, path: Path, manifest: Manifest) -> None:
    try:
        found = read_back(path, sha256=True, buffers=run.buffers, pace=run.pace)
    except OSError as error:
        run.say(path, f"cannot be read: {error.strerror}.")
        return
    run.size += found.size
    if found.size != manifest.size:
        run.say(path, f"has {found.size} bytes; its manifest says {manifest.size}.")
    for name, is_, was in (("SHA-256", found.sha256, manifest.sha256), ("BLAKE3", found.blake3, manifest.blake3)):
        if is_ != was:
            run.say(path, f"{name} is {is_}; its manifest says {was}.")


def _position(run: _Run, path: Path, manifest: Manifest) -> None:
    """The sealed fact is in the signed tree, and says of these bytes what the manifest says."""
    position = manifest.position
    try:
        leaf = _unbase64(position.leaf)
        hashes = [_unbase64(h) for h in position.path]
        fact = codec.decode(leaf).entry.fact
    except (ValueError, LedgerBroken) as error:
        run.say(path, f"its ledger position cannot be read: {error}.")
        return
    checkpoint = next((c for v in run.verifiers if (c := _note(v, position.checkpoint)) is not None), None)
    if checkpoint is None or checkpoint.origin != position.origin:
        run.say(path, "its checkpoint is not signed by this station.")
        return
    if not verify_inclusion(leaf_hash(leaf), position.seq, checkpoint.size, hashes, checkpoint.root):
        run.say(path, f"leaf {position.seq} is not in the tree its checkpoint signs.")
    if not isinstance(fact, Sealed) or (fact.record, fact.size, fact.digests.sha256, fact.digests.blake3) != (
        manifest.record,
        manifest.size,
        manifest.sha256,
        manifest.blake3,
    ):
        run.say(path, "the leaf in the ledger seals something else than the manifest says.")
    known = run.heads.get((checkpoint.origin, checkpoint.size))
    if known is None:
        run.say(path, f"leads to the checkpoint of {checkpoint.size} leaves, which is not in {CHECKPOINTS}/.")
    elif known.root != checkpoint.root:
        run.say(path, f"the log was forked: two signed trees of {checkpoint.size} leaves.")


def _note(verifier: Verifier, note: str) -> Checkpoint | None:
    try:
        return verifier.open(note)
    except LedgerBroken:
        return None


# --- receipts ---------------------------------------------------------------------------------------------------------


def _receipts(run: _Run) -> None:
    for path in _files(run, run.central / RECEIPTS):
        receipt = _opened(run, path, Receipt)
        if receipt is None:
            continue
        run.receipts += 1
        for line in receipt.lines:
            if line.state not in OWED_STATES:
                continue
            held = run.records.get(line.record)
            if held is None:
                run.say(path, f"record {line.record} ({line.path}) was handed over and is not in central storage.")
            elif line.sha256 and held != line.sha256:
                run.say(path, f"record {line.record} was handed over with other bytes than central storage holds.")


# --- statements -------------------------------------------------------------------------------------------------------


def _statements(run: _Run) -> None:
    """Every statement signed and in its place, under a head that is here, and none missing between two of a ledger."""
    told: dict[str, list[Heard]] = defaultdict(list)
    for path in _files(run, run.central / STATEMENTS):
        statement = _opened(run, path, Statement)
        if statement is None:
            continue
        run.statements += 1
        if str(path.relative_to(run.central)) != statement.key:
            run.say(path, f"belongs to {statement.key}: it was moved.")
            continue
        if (statement.origin, statement.seq + 1) not in run.heads:
            run.say(path, f"leads to the checkpoint of {statement.seq + 1} leaves, which is not in {CHECKPOINTS}/.")
        told[statement.origin].append(heard(statement))
    for of_one in told.values():
        for key, what in missing(of_one):
            run.say(run.central / key, f"{what}.")


# --- common -----------------------------------------------------------------------------------------------------------


def _opened(run: _Run, path: Path, model: type[M]) -> M | None:
    data = _document(run, path)
    if data is None:
        return None
    problem = "no key given"
    for verifier in run.verifiers:
        try:
            return open_signed(data, model, verifier)
        except Untrue as error:
            problem = error.what
    run.say(path, problem)
    return None


def _files(run: _Run, top: Path, *, skip: tuple[str, ...] = ()) -> Iterator[Path]:
    """Every file below ``top`` in order; dotted names are the sink's own workshop, links lead outside and are told."""

    def lost(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            run.say(Path(error.filename), f"cannot be read: {error.strerror}.")

    for where, folders, files in os.walk(top, onerror=lost):
        here = Path(where)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and (here != top or f not in skip))
        for name in (*(f for f in folders if (here / f).is_symlink()), *sorted(files)):
            path = here / name
            if path.is_symlink():
                run.say(path, "a symbolic link; nothing in central storage is one.")
            elif not name.startswith("."):
                yield path


def _document(run: _Run, path: Path) -> bytes | None:
    try:
        with Whole(path) as whole:
            return whole.read(0, MAX_DOCUMENT + 1)
    except FileNotFoundError:
        run.say(path, "is missing.")
    except OSError as error:
        run.say(path, f"cannot be read: {error.strerror}.")
    return None


def _unbase64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
