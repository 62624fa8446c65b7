"""Pull one recording: read it once from the recorder, digest it twice on the way, and have it synced in the spool.

Three threads share the work of one pull, because each of them waits for something else: the recorder's lane reads into
page-aligned buffers, one thread feeds SHA-256, one writes to the disk and feeds BLAKE3. Nothing is copied between them
and no byte passes through the event loop. The next file's reading may begin while this file's digests finish.

Progress is the length of the partial file. If it dies anywhere here, the next pull re-hashes what is there, compares
the last block with the recorder, and goes on.
"""

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue

from blake3 import blake3

from bwcdock.core.facts import Digests, Pulled, Quarantined
from bwcdock.core.record import Record
from bwcdock.durable import PartFile
from bwcdock.errors import BwcdockError, Unplugged, Unreadable, Untrue
from bwcdock.ports import Recorder
from bwcdock.reading import BLOCK, Buffers, Reading
from bwcdock.spool import Spool, broken
from bwcdock.steps.salvage import Bad, salvage

EDGE = 64 * 1024
"""How much of the beginning and of the end makes the edge digest: one read each on any recorder."""


@dataclass(slots=True)
class Progress:
    """What a screen may look at while a pull runs: bytes done of ``size``, and when it last moved.

    ``resumed`` of the bytes done were there before. ``began_at`` and ``moved_at`` are in monotonic seconds, ``None``
    while it waits for its lane.
    """

    size: int
    done: int = 0
    resumed: int = 0
    began_at: float | None = None
    moved_at: float | None = None


@dataclass(slots=True)
class _Shared:
    """A buffer on its way through both consumers; the last one to let go gives it back."""

    view: memoryview
    offset: int
    release: Callable[[], None]
    users: int = 2
    lock: threading.Lock = field(default_factory=threading.Lock)

    def done(self) -> None:
        with self.lock:
            self.users -= 1
            last = self.users == 0
        if last:
            self.release()


class _Consumer(threading.Thread):
    """One consumer of buffers, in order. After an error it goes on letting go of buffers, so that nobody waits."""

    def __init__(self, name: str, take: Callable[[memoryview, int], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._take = take
        self._queue: SimpleQueue[_Shared | None] = SimpleQueue()
        self.error: BaseException | None = None
        self.start()

    def put(self, shared: _Shared | None) -> None:
        self._queue.put(shared)

    def run(self) -> None:
        while (shared := self._queue.get()) is not None:
            if self.error is None:
                try:
                    self._take(shared.view, shared.offset)
                except BaseException as error:
                    self.error = error
            shared.done()

    def finish(self) -> BaseException | None:
        """Wait for everything given so far; answer what went wrong."""
        self.put(None)
        self.join()
        return self.error


class Pull:
    """One pull. ``read`` runs on the recorder's lane; ``finish`` anywhere else, once, after ``read`` returned.

    ``came`` is called with the size of every buffer that was read.
    """

    def __init__(
        self,
        record: Record,
        session: str,
        recorder: Recorder,
        spool: Spool,
        buffers: Buffers,
        *,
        monotonic: Callable[[], float],
        came: Callable[[float], object] = lambda _: None,
        retries: int = 3,
        retry_wait_s: float = 1.0,
    ) -> None:
        self.record = record
        self.progress = Progress(size=record.item.size)
        self._session = session
        self._recorder = recorder
        self._spool = spool
        self._buffers = buffers
        self._monotonic = monotonic
        self._came = came
        self._retries = retries
        self._retry_wait_s = retry_wait_s
        self._stop = threading.Event()
        self._part: PartFile | None = None
        self._sha256 = hashlib.sha256()
        self._blake3 = blake3()
        self._resumed_at = 0
        self._consumers: tuple[_Consumer, ...] = ()
        self._bad: Bad | None = None

    def cancel(self) -> None:
        """Ask the reading to end at the next buffer; the partial file stays."""
        self._stop.set()

    # --- on the recorder's lane ---------------------------------------------------------------------------------------

    def read(self) -> None:
        """Read from the recorder until the end of the file; every byte read goes to both consumers."""
        try:
            self._read()
        except BaseException:
            self.abandon()  # here too: whoever waited for it may have given up long ago
            raise

    def _read(self) -> None:
        item = self.record.item
        self.progress.began_at = self.progress.moved_at = self._monotonic()
        self._part = self._spool.open_part(self.record.id)
        try:
            offset = self._resumed_at = self._resume(self._part)
            self.progress.resumed = self.progress.done = offset
        except Unreadable as error:
            # What was brought is kept as the good beginning it was, and of the rest what can be read.
            self._bad = self._salvage(self._let_go(), error, tried=False)
            return
        self._part.preallocate(item.size)
        self._consumers = (
            _Consumer("sha256", lambda view, _: self._sha256.update(view)),
            _Consumer("write", self._write),
        )
        try:
            while offset < item.size:
                if self._stop.is_set():
                    raise Unplugged("pull", "The station is stopping.", "It resumes at the next start.")
                self._failed_consumer()
                offset += self._pass_on(offset, item.size)
            self._at_end(item.size)
        except Unreadable as error:
            self._finish_consumers()
            self._part.sync()
            self._let_go()
            self._bad = self._salvage(offset, error)

    def _let_go(self) -> int:
        """Close the partial file, which is set aside next; how long it is."""
        part, self._part = self._part, None
        assert part is not None
        part.close()
        return part.length

    def _salvage(self, offset: int, error: Unreadable, *, tried: bool = True) -> Bad:
        def moved(at: int) -> None:
            if self._stop.is_set():
                raise Unplugged("salvage", "The station is stopping.", "The file is tried again at the next docking.")
            self.progress.done, self.progress.moved_at = at, self._monotonic()

        with self._buffers.lend() as buffer:
            return salvage(
                self.record, self._recorder, self._spool, buffer, error, start=offset, moved=moved, tried=tried
            )

    def _pass_on(self, offset: int, size: int) -> int:
        """Read one buffer and hand it on; return how many bytes."""
        buffer = self._buffers.take()
        got = 0
        try:
            got = self._fill(buffer[: -(-(size - offset) // BLOCK) * BLOCK], offset, size)
        finally:
            if not got:
                self._buffers.give(buffer)
        shared = _Shared(buffer[:got], offset, lambda: self._buffers.give(buffer))
        for consumer in self._consumers:
            consumer.put(shared)
        self.progress.done = offset + got
        self.progress.moved_at = self._monotonic()
        self._came(got)
        return got

    def _fill(self, view: memoryview, offset: int, size: int) -> int:
        """Fill ``view`` as far as the file goes: only the last buffer of a file may end off a page boundary."""
        got = 0
        while got < len(view) and offset + got < size:
            try:
                step = self._read_once(view[got:], offset + got)
            except Unreadable:
                # What came before the bad place is good: pass it on, and meet the bad place again at the next call.
                if got < BLOCK:
                    raise
                return got // BLOCK * BLOCK
            if step == 0:
                what = f"The file ends at {offset + got} bytes; {size} were listed."
                raise Untrue("pull", what, "The recorder changed it while it was read; it is pulled again.")
            got += step
        if offset + got > size:
            raise Untrue("pull", f"The file gave more than the {size} bytes listed.", "It is pulled again.")
        return got

    def _read_once(self, view: memoryview, offset: int) -> int:
        for attempt in range(self._retries + 1):
            try:
                return self._recorder.read_into(self.record.item, offset, view)
            except Unreadable:
                # A worn card or a tired hub often reads at the second try; a yank says Unplugged and is not retried.
                if attempt == self._retries or self._stop.is_set():
                    raise
                self._stop.wait(self._retry_wait_s)
        raise AssertionError("unreachable")

    def _at_end(self, size: int) -> None:
        """A file that goes on past its listed size is still growing, or was listed wrongly."""
        with self._buffers.lend() as buffer:
            try:
                more = self._recorder.read_into(self.record.item, size, buffer[:BLOCK])
            except Unreadable:
                return  # it gives nothing more: what lies there is no byte of this file, and all of the file is here
        if more:
            raise Untrue("pull", f"The file is longer than the {size} bytes listed.", "It is pulled again.")

    def _write(self, view: memoryview, offset: int) -> None:
        assert self._part is not None
        self._part.write_at(view, offset)
        self._blake3.update(view)

    def _failed_consumer(self) -> None:
        for consumer in self._consumers:
            if consumer.error:
                raise consumer.error

    def _resume(self, part: PartFile) -> int:
        """Re-hash what an earlier pull brought and compare its last block with the recorder; where to go on."""
        keep = min(part.length, self.record.item.size) // BLOCK * BLOCK
        part.truncate(keep)
        if not keep:
            return 0
        with self._buffers.lend() as mine, Reading(part.fileno()) as reading:
            for offset in range(0, keep, len(mine)):
                got = reading.fill(mine[: keep - offset], offset)
                self._sha256.update(mine[:got])
                self._blake3.update(mine[:got])
                self.progress.moved_at = self._monotonic()
            with self._buffers.lend() as theirs:
                self._compare(reading, keep, mine, theirs)
        return keep

    def _compare(self, reading: Reading, keep: int, mine: memoryview, theirs: memoryview) -> None:
        """Whether the recorder still holds what was brought, by its last block.

        A place may have worn out since it was read. Where nothing at the end can be read any more the beginning is
        compared instead, and Unreadable is raised where that cannot be read either.
        """
        length = min(EDGE, len(mine), keep)
        worn: Unreadable | None = None
        for start in dict.fromkeys((keep - length, 0)):
            try:
                got = self._fill(theirs[:length], start, keep)
            except Unreadable as error:
                self.progress.moved_at = self._monotonic()
                worn = error
                continue
            reading.fill(mine[:got], start)
            if mine[:got] != theirs[:got]:
                what = "What was pulled before is not what the recorder holds now."
                raise Untrue("resume", what, "The partial copy is dropped and the file pulled again.")
            return
        assert worn is not None
        raise worn

    # --- off the lane -------------------------------------------------------------------------------------------------

    def finish(self) -> Pulled | Quarantined:
        """Wait for the digests and the last write, sync, and say what is proven."""
        if self._bad:
            return self._quarantined(self._bad)
        assert self._part is not None
        try:
            self._finish_consumers()
            self._part.sync()
            told = self._edges(self._part)
        finally:
            self._part.close()
        digests = Digests(sha256=self._sha256.hexdigest(), blake3=self._blake3.hexdigest())
        if self.record.digests not in {None, digests}:
            # Sealed once, its copies lost or rotten since: only the same bytes may take their place.
            raise Untrue(
                "pull", "The recorder now gives other bytes than were sealed.", "The custodian must look at it."
            )
        return Pulled(
            record=self.record.id,
            session=self._session,
            recorder=self.record.recorder,
            size=self.record.item.size,
            digests=digests,
            edges=told,
            resumed_at=self._resumed_at,
        )

    def read_again(self) -> None:
        """Read the file a second time on the lane and compare: a card that answers differently is found out."""
        again = blake3()
        offset, size = 0, self.record.item.size
        with self._buffers.lend() as buffer:
            while offset < size:
                if self._stop.is_set():
                    raise Unplugged("read again", "The station is stopping.", "It is read again at the next docking.")
                got = self._fill(buffer[: -(-(size - offset) // BLOCK) * BLOCK], offset, size)
                again.update(buffer[:got])
                offset += got
                self.progress.moved_at = self._monotonic()
        if again.digest() != self._blake3.digest():
            what = "The recorder gave other bytes at the second reading."
            raise Untrue("read again", what, "It is pulled again; a card that does so again is set apart.")

    def abandon(self) -> None:
        """After an error in ``read``: let go of everything; what was written stays as the partial file.

        Twice is fine, also while a read hangs on another thread: that one ends when it comes back.
        """
        self._stop.set()
        with suppress(BwcdockError):  # the error that made us abandon is the one that is told
            self._finish_consumers()
        part, self._part = self._part, None
        if part:
            with suppress(BwcdockError):  # also after a power cut it then goes on from here, not from the beginning
                part.hold()
            part.close()

    def _edges(self, part: PartFile) -> str:
        try:
            with self._buffers.lend() as buffer, Reading(part.fileno()) as reading:
                return edges(reading.fill, self.record.item.size, buffer)
        except OSError as error:
            raise broken("read part", part.path, error) from error

    def _finish_consumers(self) -> None:
        consumers, self._consumers = self._consumers, ()
        errors = [error for consumer in consumers if (error := consumer.finish())]
        if errors:
            raise errors[0]

    def _quarantined(self, bad: Bad) -> Quarantined:
        return Quarantined(
            record=self.record.id,
            session=self._session,
            recorder=self.record.recorder,
            reason="unreadable",
            what=bad.error.what,
            hint=bad.error.hint,
            unreadable=bad.spans,
            runs=bad.runs,
        )


def edges(fill: Callable[[memoryview, int], int], size: int, buffer: memoryview) -> str:
    """BLAKE3 (32 hex digits) of the size, the first and the last :data:`EDGE` bytes.

    ``fill(view, offset)`` reads into a view and answers how many bytes, fewer only at the end or when asked again;
    ``buffer`` is page-aligned and holds at least ``EDGE + BLOCK`` bytes.
    """
    told = blake3(size.to_bytes(8, "big"))
    tail = max(0, size - EDGE) // BLOCK * BLOCK
    for start, end in ((0, min(EDGE, size)), (tail, size if tail else 0)):
        offset = start
        while offset < end:
            got = min(fill(buffer[: -(-(end - offset) // BLOCK) * BLOCK], offset), end - offset)
            if got == 0:
                raise Untrue("edges", f"The file ends at {offset} bytes; {size} were listed.", "It is listed again.")
            told.update(buffer[:got])
            offset += got
    return told.hexdigest()[:32]
