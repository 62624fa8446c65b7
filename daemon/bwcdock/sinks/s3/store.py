"""Central storage in a bucket of an S3 store.

What it promises rests on no server's good name: what it can do is tried first, what it says it did is looked at again,
and what it holds is read back in full by version.
"""

import heapq
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from bwcdock.core.facts import Digests
from bwcdock.errors import Conflict, Declined, Unreachable
from bwcdock.ports import Held, Lock, Probe
from bwcdock.settings import S3Sink
from bwcdock.sinks.keys import MAX_KEY, MAX_NOTE, check_key
from bwcdock.sinks.s3 import rights
from bwcdock.sinks.s3.abilities import PROBE, Abilities, Probing
from bwcdock.sinks.s3.bucket import Bucket, Object
from bwcdock.sinks.s3.connecting import connect
from bwcdock.sinks.s3.locking import Locking, kept
from bwcdock.sinks.s3.probes import probes
from bwcdock.sinks.s3.sending import Sending, Unsure, encryption
from bwcdock.sinks.s3.uploads import Uploads

MARKER = ".bwcdock-central"
"""Names the place: a bucket that was made anew, or another one of the same name, has none or another."""

BELIEVED_S = 3600.0
"""How long the marker is believed once it was read: a bucket is not exchanged between two recordings."""

_TRIES = 2  # an upload that the store has forgotten is begun once more; twice is the store's trouble


class S3Store:
    """A sink in the bucket and below the prefix that ``settings`` name, which must carry our marker.

    ``identity``, ``station`` and ``pace`` as in :class:`~bwcdock.sinks.filesystem.FilesystemSink`; ``uploads`` is the
    folder for notes on unfinished uploads, ``now`` the station's clock. Beside the errors of the contract:
    :class:`~bwcdock.errors.Untrue` where the source is not what was sealed, and those of the spool where an upload
    cannot be noted there.

    The first version under a key is the truth of it: whatever is written later, by whomever, is no overwriting, and a
    delete marker over it is an alarm (``Conflict``), not an absence.
    """

    def __init__(
        self,
        settings: S3Sink,
        *,
        access_key: str,
        secret_key: str,
        uploads: Path,
        now: Callable[[], datetime],
        identity: str | None = "",
        station: str = "",
        pace: Callable[[int], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = settings.name
        self.client = connect(settings, access_key, secret_key)
        self._settings = settings
        self._identity = identity
        self._now = now
        self._pace = pace
        self._monotonic = monotonic
        self._bucket = Bucket(self.client, settings)
        self._probing = Probing(self._bucket, station, encryption(settings))
        self._uploads = Uploads(uploads)
        self._sending = Sending(self._bucket, settings, self._probing, self._uploads, pace)
        self._locking = Locking(self._bucket, now)
        self._known_until = -BELIEVED_S
        self._mutex = threading.Lock()
        self._busy: set[str] = set()

    # --- what it is -------------------------------------------------------------------------------------------------

    def abilities(self) -> Abilities:
        """What the store can do, by trying."""
        return self._probing.all()

    def can_more(self) -> tuple[str, ...]:
        """Rights this credential should not have and has, as far as they can be tried without harm."""
        return rights.too_many(self._bucket, self._probing)

    def probe(self) -> list[Probe]:
        """See :class:`bwcdock.ports.Probes`."""
        return list(probes(self._bucket, self._probing, self._now()))

    def initialise(self) -> str:
        """See :class:`bwcdock.ports.Marked`. Where two stations do it at once, the first marker counts for both."""
        self._fit()
        if not self.marker():
            with suppress(Unsure):  # then the other one's is there, or nothing, which is told below
                self._sending.small(MARKER, f"{secrets.token_hex(16)}\n".encode())
        marker = self.marker()
        if not marker:
            what = f"{self.name} took its marker and does not have it."
            raise Unreachable("initialise", what, "Look after the store.", self.name)
        return marker

    def marker(self) -> str:
        """See :class:`bwcdock.ports.Marked`."""
        found = self._first(MARKER)
        return self._small(found).decode(errors="replace").strip() if found else ""

    def foreign(self) -> list[str]:
        """See :class:`bwcdock.ports.Marked`: of the first page, which is enough."""
        keys, folders = next(self._bucket.pages("", delimiter="/"))
        return sorted({name.rstrip("/") for name in (*keys, *folders)} - {MARKER, PROBE})

    # --- the contract -----------------------------------------------------------------------------------------------

    def stat(self, key: str) -> Held | None:
        """See :class:`bwcdock.ports.Sink`: the first version, read in full.

        With ``trust_server_digest``, and where the store has a SHA-256 of the whole that is its own, that stands for
        the reading. The BLAKE3 beside it is then our own word from when it was put; it proves nothing, and need not.
        """
        self._ready(key)
        found = self._seen(key)
        if found is None:
            return None
        if self._settings.trust_server_digest and found.meta_blake3:
            told = self._bucket.head(key, found.version, digested=True)
            if told is not None and told.sha256_full:
                digests = Digests(sha256=told.sha256_full, blake3=told.meta_blake3)
                return Held(size=told.size, digests=digests, version=found.version, readback="server")
        size, digests = self._bucket.digested(found, self._pace)
        return Held(size=size, digests=digests, version=found.version)

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:
        """See :class:`bwcdock.ports.Sink`.

        Before it returns the store has said what it holds, and that it is locked. If it dies after the last part and
        before the lock, the next call finds the object and locks it.
        """
        self._ready(key)
        self._fit()
        with self._alone(key):
            found = self._seen(key)
            if found is None:
                found = self._sent(key, lambda: self._sending.send(key, source, digests))
            self._must_agree(found, source, digests)
            if begun := self._uploads.of(key):
                self._sending.give_up(begun)  # begun before the object came to be otherwise
            if self._settings.lock:
                self._locking.secure(key, found.version, kept(keep_until))

    def note(self, key: str, data: bytes) -> None:
        """See :class:`bwcdock.ports.Sink`."""
        self._ready(key)
        with self._alone(key):
            found = self._seen(key) or self._sent(key, lambda: self._sending.small(key, data))
            if found.size != len(data) or self._small(found) != data:
                raise self._conflict("note", key)

    def recall(self, key: str) -> bytes | None:
        """See :class:`bwcdock.ports.Sink`."""
        self._ready(key)
        found = self._seen(key)
        return self._small(found) if found else None

    def newest(self, prefix: str, suffix: str, most: int) -> list[str]:
        """See :class:`bwcdock.ports.Sink`. A store lists in one direction only, so that all of it is looked through."""
        self._ready(prefix)
        found = (key for keys, _ in self._bucket.pages(f"{prefix}/", delimiter="/") for key in keys)
        return heapq.nlargest(most, (key for key in found if key.endswith(suffix) and _plain(key)))

    # --- abilities --------------------------------------------------------------------------------------------------

    def give(self, key: str) -> Generator[memoryview]:
        """See :class:`bwcdock.ports.Gives`: the first version, also where a delete marker lies over it."""
        self._ready(key)
        found = self._first(key)
        if found is None:
            raise Unreachable("give", f"{self.name} does not have {key}.", "Look at central storage.", self.name)
        for piece in self._bucket.read(key, found.version):
            self._pace(len(piece))
            yield memoryview(piece)

    def keys(self, prefix: str, suffix: str) -> Generator[str]:
        """See :class:`bwcdock.ports.Lists`. What a delete marker lies over is not listed."""
        self._ready(prefix or MARKER, ours=not prefix)
        under = f"{prefix}/" if prefix else ""
        for key in self._in_order(under) if self._probing.ordered() else self._walked(under):
            if key.endswith(suffix) and _plain(key):
                yield key

    def lock(self, key: str, version: str, wanted: Lock) -> Lock:
        """See :class:`bwcdock.ports.Locks`: on exactly this version."""
        self._ready(key)
        if not self._settings.lock:
            return Lock()
        self._fit()
        return self._locking.secure(key, version, wanted)

    def tidy(self, before: datetime) -> None:
        """See :class:`bwcdock.ports.Tidies`: uploads by our notes, and those with which the store was tried."""
        self._ready(MARKER, ours=True)
        before = max(before, self._now() - timedelta(seconds=self._settings.abort_unfinished_after_s))
        for begun in self._uploads.older(before):
            if self._claimed(begun.key):  # else it is being sent just now
                try:
                    self._sending.give_up(begun)
                finally:
                    self._released(begun.key)
        for key, upload, since in self._bucket.uploads(f"{self._probing.folder}/"):
            if since < before:
                self._sending.drop(key, upload)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _sent(self, key: str, send: Callable[[], None]) -> Object:
        """Have it sent, and look at what is there then: the first version, whoever wrote it."""
        for _ in range(_TRIES):
            error = None
            try:
                send()
            except Unsure as unsure:
                error = unsure.error
                if unsure.gone and self._first(key) is None and (begun := self._uploads.of(key)):
                    self._uploads.forget(begun.key)
                    continue
            found = self._seen(key)
            if found is not None:
                return found
            if error is not None:
                raise error
        what = f"{self.name} took {key} and does not have it."
        raise Unreachable("put", what, "Look after the store; it is sent again.", self.name)

    def _must_agree(self, found: Object, source: Path, digests: Digests) -> None:
        """Length and our own word decide where both say the same; else the bytes do."""
        try:
            size = source.stat().st_size
        except OSError:
            size = -1  # then the object alone can say what it is
        same = (found.size == size, found.meta_sha256 == digests.sha256)
        if all(same):
            return
        if not any(same) or self._bucket.digested(found, self._pace)[1] != digests:
            raise self._conflict("put", found.key)

    def _ready(self, key: str, *, ours: bool = False) -> None:
        """The key is one, and the place is the one it was: found out once an hour."""
        if not ours:
            check_key(key)
            if len(f"{self._settings.prefix}/{key}".encode()) > MAX_KEY + 1 - bool(self._settings.prefix):
                what = f"The key {key!r} is too long together with the sink's prefix."
                raise Declined("check key", what, "Shorten the sink's layout or prefix in the settings.")
        if self._monotonic() < self._known_until:
            return
        marker = self.marker()
        if not marker or self._identity not in {"", marker}:
            place = self._settings.place
            what = f"{place} is not the central storage it was." if marker else f"{place} has no marker."
            if marker and self._identity is None:
                what = f"{place} is central storage that this station has not taken into use."
            hint = "Correct the sink in the settings; a new one is taken into use with `bwcdock sinks init`."
            raise Unreachable("open central storage", what, hint, self.name)
        self._known_until = self._monotonic() + BELIEVED_S

    def _fit(self) -> None:
        """A store that cannot lock is used only where the settings say that it need not."""
        if self._settings.lock and not (self._probing.object_lock() and self._probing.versions()):
            what = f"{self.name} cannot lock what is stored there: its bucket was made without object lock."
            hint = "Have the bucket made anew with object lock, or write lock = false where nothing else is to be had."
            raise Unreachable("lock", what, hint, self.name)

    def _first(self, key: str) -> Object | None:
        return self._bucket.first(key, versioned=self._probing.versions())

    def _seen(self, key: str) -> Object | None:
        """The first version; ``Conflict`` where somebody put a delete marker over it."""
        found = self._first(key)
        if found is not None and found.hidden:
            what = f"Somebody deleted {key} in {self.name}; what was stored is still there as version {found.version}."
            hint = "Have the delete marker removed, and take the right to delete from whoever put it there."
            raise Conflict("look", what, hint, key)
        return found

    def _small(self, found: Object) -> bytes:
        if found.size <= MAX_NOTE:
            data = b"".join(self._bucket.read(found.key, found.version))
            if len(data) <= MAX_NOTE:
                return data
        what = f"{self.name} holds something too large to be a document under {found.key}."
        raise Conflict("recall", what, "Find out who put it there.", found.key)

    def _conflict(self, op: str, key: str) -> Conflict:
        what = f"{self.name} holds other bytes under {key}."
        return Conflict(op, what, "Nothing was overwritten. Find out who wrote it; bwcdock audit compares both.", key)

    def _in_order(self, under: str) -> Iterator[str]:
        for keys, _ in self._bucket.pages(under):
            yield from keys

    def _walked(self, under: str) -> Iterator[str]:
        """In order of names, folder by folder: what a folder is named sorts with its slash, as every key in it does."""
        names: list[str] = []
        for keys, folders in self._bucket.pages(under, delimiter="/"):
            names += [*keys, *folders]
        for name in sorted(set(names)):
            if name.endswith("/"):
                yield from self._walked(name)
            else:
                yield name

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """One transfer of a key at a time: two would share its note and its upload."""
        if not self._claimed(key):
            what = f"{key} is being sent to {self.name} already."
            raise Unreachable("put", what, "It is tried again.", self.name)
        try:
            yield
        finally:
            self._released(key)

    def _claimed(self, key: str) -> bool:
        with self._mutex:
            free = key not in self._busy
            self._busy.add(key)
        return free

    def _released(self, key: str) -> None:
        with self._mutex:
            self._busy.discard(key)


def _plain(key: str) -> bool:
    """Whether it could be a key of ours: neither dotted names nor what somebody else named strangely."""
    return key.isprintable() and not any(not part or part.startswith(".") for part in key.split("/"))
