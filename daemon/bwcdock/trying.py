"""Tries a central storage end to end with a small object, as a station uses it, and says what came of each step."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bwcdock import durable
from bwcdock.core.facts import Digests, Lock
from bwcdock.core.locking import satisfies
from bwcdock.errors import BwcdockError, Conflict
from bwcdock.manifest import CHECKS
from bwcdock.ports import Gives, Held, Lists, Locks, Probes, Sink
from bwcdock.reading import read_back

KEPT = timedelta(days=1)
"""How long the object of a try is locked for: as short as a lock can be looked at."""

SIZE = 64 << 10
"""Bytes of the object: enough to be wrong in, and nothing to wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One step: a word for it, whether it is as it must be (``None``: not offered), what was found, the remedy."""

    step: str
    good: bool | None
    what: str
    remedy: str = ""


def tried(store: Sink, station: str, room: Path, now: datetime) -> Iterator[Tried]:
    """Every step in turn; what cannot be tried without the one that failed is left out.

    ``room`` is a folder in which the object may lie meanwhile. Nothing of the station is touched, and nothing is ever
    deleted in central storage: what it was tried with stays there.
    """
    key = f"{CHECKS}/{station}/{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    with _source(room) as (source, digests), _source(room) as (other, other_digests):
        yield (first := _told("reach", lambda: _reach(store, key)))
        if not first.good:
            return
        for step, attempt in (
            ("write", lambda: _write(store, key, source, digests, now)),
            ("again", lambda: _again(store, key, source, digests, now)),
            ("read", lambda: _read(store, key, digests)),
        ):
            yield (told := _told(step, attempt))
            if not told.good:
                return
        yield _told("overwrite", lambda: _overwrite(store, key, other, other_digests, digests, now))
        yield _told("document", lambda: _document(store, f"{key}.note"))
        yield _told("lock", lambda: _lock(store, key, now))
        yield _told("list", lambda: _list(store, key))
        yield _told("give", lambda: _give(store, key, source))
    if not isinstance(store, Probes):
        yield Tried(step="rights", good=None, what="Whether the account may delete cannot be tried without harm.")
        return
    try:
        yield from (Tried(step=p.word, good=p.good, what=p.what, remedy=p.remedy) for p in store.probe())
    except BwcdockError as error:
        yield Tried(step="rights", good=False, what=error.what, remedy=error.hint)


class _Lacking(Exception):
    """The storage does not offer it."""


class _Wrong(Exception):
    """It is not as it must be: what was found, and what to do."""


def _told(step: str, attempt: Callable[[], str]) -> Tried:
    try:
        return Tried(step=step, good=True, what=attempt())
    except _Lacking as lacking:
        return Tried(step=step, good=None, what=str(lacking))
    except _Wrong as wrong:
        return Tried(step=step, good=False, what=wrong.args[0], remedy=wrong.args[1])
    except BwcdockError as error:
        return Tried(step=step, good=False, what=error.what, remedy=error.hint)


@contextmanager
def _source(room: Path) -> Iterator[tuple[Path, Digests]]:
    path = room / f"check-{secrets.token_hex(8)}"
    durable.write_small(path, secrets.token_bytes(SIZE), mode=0o600)
    try:
        found = read_back(path, sha256=True)
        yield path, Digests(sha256=found.sha256, blake3=found.blake3)
    finally:
        durable.discard(path)


def _reach(store: Sink, key: str) -> str:
    if store.stat(key) is not None:
        raise _Wrong("It has an object under a name made up this moment.", "Find out what answers there.")
    return "It answers, and is the storage that this station has taken into use."


def _write(store: Sink, key: str, source: Path, digests: Digests, now: datetime) -> str:
    store.put(key, source, digests, now + KEPT)
    return f"{SIZE >> 10} KiB are stored under {key}."


def _again(store: Sink, key: str, source: Path, digests: Digests, now: datetime) -> str:
    before = store.stat(key)
    store.put(key, source, digests, now + KEPT)
    if store.stat(key) != before:
        raise _Wrong("The same bytes stored again changed the object.", "Do not use this storage; report it.")
    return "The same bytes again change nothing, as after an interruption."


def _held(store: Sink, key: str) -> Held:
    if (held := store.stat(key)) is None:
        raise _Wrong("It does not have what it took a moment ago.", "Look after the storage.")
    return held


def _read(store: Sink, key: str, digests: Digests) -> str:
    held = _held(store, key)
    if held.size != SIZE or held.digests != digests:
        raise _Wrong("It gives back other bytes than were written.", "Check its disks and memory.")
    return f"Every byte comes back as it was ({held.readback})."


def _overwrite(store: Sink, key: str, other: Path, others: Digests, mine: Digests, now: datetime) -> str:
    remedy = "Recordings would not be safe there: it needs versions or write-once rules."
    try:
        store.put(key, other, others, now + KEPT)
    except Conflict:
        if _held(store, key).digests != mine:
            raise _Wrong("It refused to overwrite, and overwrote.", remedy) from None
        return "Other bytes under the same name are refused."
    raise _Wrong("It took other bytes under the name of an object.", remedy)


def _document(store: Sink, key: str) -> str:
    store.note(key, b"bwcdock tried this storage here.\n")
    if store.recall(key) != b"bwcdock tried this storage here.\n":
        raise _Wrong("A small document does not come back as it was.", "Look after the storage.")
    if store.newest(key.rpartition("/")[0], ".note", 1) != [key]:
        raise _Wrong("The newest document of a folder is not found.", "Nobody else may write there meanwhile.")
    return "Small documents come back, and the newest is found."


def _lock(store: Sink, key: str, now: datetime) -> str:
    if not isinstance(store, Locks):
        raise _Lacking("It keeps no locks: only its own rules keep anything from being deleted.")
    wanted = Lock(until=now + KEPT)
    has = store.lock(key, _held(store, key).version, wanted)
    if has == Lock():
        raise _Lacking("Its locks are switched off in the settings.")
    if not satisfies(has, wanted):
        what = f"Asked to lock until {wanted.until:%Y-%m-%d %H:%M} UTC, it says {_said(has)}."
        raise _Wrong(what, "Its bucket needs object lock; look at the credential's rights.")
    return f"The object is locked {_said(has)}, as the storage itself says."


def _said(lock: Lock) -> str:
    until = f"until {lock.until:%Y-%m-%d %H:%M} UTC" if lock.until else "without a date"
    return f"{until}{' and under a hold' if lock.hold else ''}"


def _list(store: Sink, key: str) -> str:
    if not isinstance(store, Lists):
        raise _Lacking("It cannot be listed.")
    if key not in store.keys(key.rpartition("/")[0], ""):
        raise _Wrong("The object is not in the list of its folder.", "Look after the storage.")
    return "The object is in the list of its folder."


def _give(store: Sink, key: str, source: Path) -> str:
    if not isinstance(store, Gives):
        raise _Lacking("An object cannot be had back whole.")
    if b"".join(bytes(chunk) for chunk in store.give(key)) != source.read_bytes():
        raise _Wrong("It gives out other bytes than were written.", "Check its disks and the line.")
    return "The object can be had back."
