"""The protocol, damaged on purpose in one place at a time: what each campaign must see, and what no cut can tell."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bwcdock import durable
from bwcdock.calls import System
from bwcdock.core.facts import Digests, Pulled, Released
from bwcdock.core.record import State
from bwcdock.durable import PartFile
from bwcdock.ledger import Ledger, cache, schema
from bwcdock.ledger import ledger as ledger_module
from bwcdock.reading import read_back
from bwcdock.sinks.filesystem import FilesystemSink
from bwcdock.spool import Spool
from bwcdock.steps import housekeeping, perform

from power.fuse_names import FAIL
from power.sites import here
from power.stories import ARRIVED, HELD, INTERRUPTED, LEDGER, PULL, PULLED, PUSH, RELEASE, Story

Damage = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutant:
    """``damage`` is there while the story is recorded, and ``after`` also when the power is back.

    ``equivalent`` says why no cut can tell it from the program; without it the campaign must find it out. ``finish``
    has every state worked on to the end: what was damaged shows only there.
    """

    name: str
    story: Story
    damage: Damage = lambda _: None
    after: Damage = lambda _: None
    equivalent: str = ""
    finish: bool = False


# --- the ledger ------------------------------------------------------------------------------------------------------


def pragmas(*said: str) -> Damage:
    """Another mode of SQLite than the program asks for."""

    def damage(patch: pytest.MonkeyPatch) -> None:
        real = schema.connect

        def connect(path: Path) -> sqlite3.Connection:
            db = real(path)
            for pragma in said:
                db.execute(f"PRAGMA {pragma}").fetchall()
            return db

        patch.setattr(schema, "connect", connect)

    return damage


def two_transactions(patch: pytest.MonkeyPatch) -> None:
    """The leaves are committed, and then the cache."""

    def insert(db: sqlite3.Connection, frontier: Any, bodies: Sequence[bytes]) -> list:
        folded: list = []
        with pytest.MonkeyPatch.context() as inside:
            inside.setattr(cache, "fold", lambda _, some: folded.extend(some))
            entries = real(db, frontier, bodies)
        if entries[0].seq:
            db.execute("COMMIT")
            db.execute("BEGIN IMMEDIATE")
        cache.fold(db, folded)
        return entries

    real = ledger_module._insert
    patch.setattr(ledger_module, "_insert", insert)


def heads_unsynced(patch: pytest.MonkeyPatch) -> None:
    """Only the signed heads are kept weakly."""
    real = schema.connect

    def connect(path: Path) -> sqlite3.Connection:
        db = real(path)
        if path.name == schema.HEADS_FILE:
            db.execute("PRAGMA synchronous = NORMAL").fetchall()
        return db

    patch.setattr(schema, "connect", connect)


# --- the order of a seal ----------------------------------------------------------------------------------------------


def sealed_before_its_name_is_safe(patch: pytest.MonkeyPatch) -> None:
    """The name is given, the fact committed, and the folder synced after it."""
    waiting: list[Path] = []
    real_publish, real_append = durable.publish, Ledger.append

    def publish(part: Path, final: Path, **how: Any) -> None:
        with pytest.MonkeyPatch.context() as inside:
            inside.setattr(durable, "_sync_names", lambda *_: None)
            real_publish(part, final, **how)
        waiting.append(Path(os.path.realpath(final.parent)))

    def append(ledger: Ledger, *facts: Any) -> Any:
        told = real_append(ledger, *facts)
        while waiting:
            durable.fsync_dir(waiting.pop())
        return told

    patch.setattr(durable, "publish", publish)
    patch.setattr(Ledger, "append", append)


def named_before_its_bytes_are_safe(patch: pytest.MonkeyPatch) -> None:
    """No sync and no reading back before the final name; the bytes are synced after it."""

    def seal(spool: Spool, record: str, digests: Digests, size: int) -> str:
        part, whole = spool._part(record), spool._whole(record)
        durable.publish(part, whole)
        fd = os.open(whole, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        durable.discard(part)
        return "direct"

    patch.setattr(Spool, "seal", seal)
    never_synced_after_the_pull(patch)


def never_synced_after_the_pull(patch: pytest.MonkeyPatch) -> None:
    """A part is complete, and its bytes are on their way."""
    real = PartFile.sync

    def sync(part: PartFile) -> None:
        if part._reserved != part.length:
            real(part)

    patch.setattr(PartFile, "sync", sync)


def tries_a_sync_again(patch: pytest.MonkeyPatch) -> None:
    """The sync of a whole file fails once; it is tried again, and believed."""
    real, failed = System.fsync, []

    def fsync(fd: int) -> None:
        if not failed and here(fd).startswith("bytes: PartFile.sync < Pull.finish"):
            failed.append(fd)
            os.setxattr(os.path.dirname(os.readlink(f"/proc/self/fd/{fd}")), FAIL, b"1")
            with suppress(OSError):
                real(fd)
        real(fd)

    patch.setattr(System, "fsync", staticmethod(fsync))


def neither_sync_of_a_whole_file(patch: pytest.MonkeyPatch) -> None:
    never_synced_after_the_pull(patch)
    real = Spool.seal

    def seal(*arguments: Any) -> Any:
        with pytest.MonkeyPatch.context() as inside:
            inside.setattr(PartFile, "sync", lambda _: None)
            return real(*arguments)

    patch.setattr(Spool, "seal", seal)


def folders_of_central_storage_unsynced(patch: pytest.MonkeyPatch) -> None:
    """Neither of the two syncs of the name of a new folder there."""
    real = durable.make_dirs

    def make_dirs(path: Path, **how: Any) -> None:
        with pytest.MonkeyPatch.context() as inside:
            inside.setattr(durable, "_sync_names", lambda *_: None)
            real(path, **how)

    patch.setattr(durable, "make_dirs", make_dirs)
    patch.setattr(FilesystemSink, "_sync_step", lambda *_, **__: None)


# --- the order of a release -------------------------------------------------------------------------------------------


def released_before_it_is_gone(patch: pytest.MonkeyPatch) -> None:
    """The fact first, and then the act."""
    waiting: list[Callable[[], None]] = []
    real_drop, real_append = Spool.drop, Ledger.append

    def append(ledger: Ledger, facts: Sequence, *rest: Any) -> Any:
        told = real_append(ledger, facts, *rest)
        if any(isinstance(fact, Released) for fact in facts):
            waiting.pop()()
        return told

    patch.setattr(Spool, "drop", lambda *arguments: waiting.append(lambda: real_drop(*arguments)))
    patch.setattr(Ledger, "append", append)


def gone_before_it_is_intended(patch: pytest.MonkeyPatch) -> None:
    """The act first, and then the intent."""
    real = perform.release

    def release(bench: Any, record: str) -> Any:
        durable.discard(bench.spool._whole(record))
        durable.fsync_dir(bench.spool._whole(record).parent)
        return real(bench, record)

    patch.setattr(perform, "release", release)


# --- what a cut left --------------------------------------------------------------------------------------------------


def believes_any_length(patch: pytest.MonkeyPatch) -> None:
    """What lies there after a power cut is taken for what was written."""
    patch.setattr(PartFile, "_believe", lambda part: part._mark())


def marked_before_its_bytes_are_safe(patch: pytest.MonkeyPatch) -> None:
    """The mark of an interrupted pull is written before the sync, not after it."""

    def hold(part: PartFile) -> None:
        part._held = part._length
        part._mark()
        part.sync()

    patch.setattr(PartFile, "hold", hold)


def adopts_what_nobody_digested(patch: pytest.MonkeyPatch) -> None:
    """The start takes a part of full length for a pulled one, with the digest that it has."""
    real = housekeeping.start

    def start(bench: Any) -> Any:
        opened = real(bench)
        for record in bench.book.ask(lambda ledger: ledger.records()):
            part = bench.spool._part(record.id)
            if (
                record.state is State.LISTED
                and record.item.size
                and bench.spool.part_length(record.id) == record.item.size
            ):
                found = read_back(part, sha256=True)
                digests = Digests(sha256=found.sha256, blake3=found.blake3)
                bench.book.record([_pulled(record, digests)])
        return opened

    patch.setattr(housekeeping, "start", start)


def _pulled(record: Any, digests: Digests) -> Pulled:
    about = {"record": record.id, "session": record.session, "recorder": record.recorder}
    return Pulled(**about, digests=digests, size=record.item.size, edges="0" * 32)


EQUIVALENT = {
    "bytes: PartFile.sync < Spool.seal < seal": "the end of the pull has synced these bytes; without both it is seen",
    "names: PartFile.sync < Spool.seal < seal": "the name of a part is needed by nobody once the file has its own",
    "bytes: PartFile.sync < Pull.finish < perform": "the seal syncs them before the name; a part is no promise",
    "names: PartFile.sync < Pull.finish < perform": "the seal gives the name that lasts",
    "bytes: PartFile.sync < PartFile._believe < PartFile.__init__": "asks for an old error of the disk, of which a cut "
    "knows nothing",
    "names: PartFile.sync < PartFile._believe < PartFile.__init__": "as the bytes",
    "names: PartFile.sync < FilesystemSink._arrive < FilesystemSink._store": "the object has its own name, synced when "
    "it is published",
    "names: FilesystemSink._sync_step < FilesystemSink._step < FilesystemSink._folder": "for folders that another "
    "process made and did not sync: needs two cuts",
    "names: make_dirs < FilesystemSink._step < FilesystemSink._folder": "the same folder is synced "
    "once more right after, by FilesystemSink._sync_step; without both it is seen",
    "names: write_small < _write_once < _establish": "what is made next in the same folder syncs it",
    "names: Ledger.create < _establish < found": "SQLite has synced the folder with its own journal",
    "names: make_dirs < FilesystemSink.initialise < establish": "the marker beside it syncs the same folder",
    "names: make_dirs < _establish < found": "the settings come last, and sync the same folder",
    "names: write_small < Signer.generate < _establish": "the public key comes after it in the same folder",
}
"""The places where a sync can be left out without any cut telling it, and why."""

MUTANTS = (
    Mutant("the ledger in WAL with synchronous NORMAL", PULL, pragmas("synchronous = NORMAL")),
    Mutant("the ledger with synchronous OFF", PULL, pragmas("synchronous = OFF")),
    Mutant("the ledger in a rollback journal, FULL", PULL, pragmas("journal_mode = DELETE", "synchronous = FULL")),
    Mutant(
        "the ledger in a rollback journal, EXTRA",
        PULL,
        pragmas("journal_mode = DELETE", "synchronous = EXTRA"),
        equivalent="as safe as WAL, and slower: what EXTRA is set for",
    ),
    Mutant("the heads in WAL with synchronous NORMAL", LEDGER, heads_unsynced),
    Mutant("leaves and cache in two transactions", PULL, two_transactions),
    Mutant("sealed before its name is safe", PULL, sealed_before_its_name_is_safe),
    Mutant("confirmed before its name is safe", PUSH, sealed_before_its_name_is_safe),
    Mutant("named before its bytes are safe", PULLED, named_before_its_bytes_are_safe, finish=True),
    Mutant("a sync that failed is tried again", PULL, tries_a_sync_again),
    Mutant("neither sync of a whole file", PULL, neither_sync_of_a_whole_file),
    Mutant("no name of a folder of central storage is safe", PUSH, folders_of_central_storage_unsynced),
    Mutant("released before it is gone", RELEASE, released_before_it_is_gone),
    Mutant("gone before the release is intended", RELEASE, gone_before_it_is_intended),
    Mutant("any length is believed after a cut", INTERRUPTED, after=believes_any_length, finish=True),
    Mutant("marked before its bytes are safe", HELD, marked_before_its_bytes_are_safe, finish=True),
    Mutant("what nobody digested is adopted", ARRIVED, after=adopts_what_nobody_digested, finish=True),
)
