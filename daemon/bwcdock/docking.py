"""One docked recorder: its lane, its driver, its buffers and its pulls in flight; gone as a whole when it goes."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bwcdock.core.facts import Fact, Sighting
from bwcdock.core.record import Record
from bwcdock.core.session import Session
from bwcdock.errors import BwcdockError, Misbehaved, Unplugged
from bwcdock.lanes import Lane
from bwcdock.ports import Driver, ReadsClockFile, Recorder
from bwcdock.reading import Buffers
from bwcdock.steps.bench import Bench
from bwcdock.steps.clock_file import off_by, set_by_file
from bwcdock.steps.dock import Docked, claimant, dock
from bwcdock.steps.erase import Looked, look
from bwcdock.steps.pull import Progress, Pull
from bwcdock.steps.recheck import recheck
from bwcdock.steps.set_clock import set_clock
from bwcdock.steps.switch import Told

STALL_LOOKS = 8
"""How often within its time limit a read is looked at: a hung one is given up at most an eighth too late."""

LEAVE_S = 5.0
"""How long a recorder may take to let go, whatever it is doing. Then its slot is free and its thread left behind."""


class Docking:
    """A recorder from plug to unplug. All methods belong to the event loop; all blocking work goes to the lane.

    ``leaving`` is set while its pulls end; ``gone`` by the station, so that it is let go of once. ``since`` is when it
    was opened, in monotonic seconds. ``told`` is what the recorder said before it became the disk it is now, or before
    it was told to become one. Whoever may have something changed on the recorder holds ``writing``; ``changing`` is
    set while that is being written, of which ``show`` tells people.
    """

    def __init__(
        self,
        bench: Bench,
        sighting: Sighting,
        session: str,
        told: Told | None = None,
        *,
        show: Callable[[], None] = lambda: None,
    ) -> None:
        self.sighting = sighting
        self.session = session
        self.told = told
        self.serial = ""
        self.records: frozenset[str] = frozenset()
        self.leaving = False
        self.gone = False
        self.writing = asyncio.Lock()
        self.changing = False
        self._show = show
        self.since = bench.clock.monotonic()
        self._bench = bench
        self._stack = ExitStack()
        # Its thread closes the driver, whenever it comes out of the last call: a hung one may take a day for it.
        name = f"recorder {sighting.port}"
        self._lane = Lane(name, depth=bench.settings.limits.lane_calls, last=self._stack.close)
        self._recorder: Recorder | None = None
        self._pulls: dict[str, Pull] = {}
        chosen = bench.settings.pull
        self._buffers = Buffers(chosen.buffers, chosen.chunk)

    @property
    def moving(self) -> dict[str, Progress]:
        """How far each pull in flight is, by record."""
        return {rid: pull.progress for rid, pull in self._pulls.items()}

    @contextmanager
    def changed(self) -> Iterator[None]:
        """While something is written to it: people are told to wait. From the thread that has it written."""
        self.changing = True
        self._show()
        try:
            yield
        finally:
            self.changing = False
            self._show()

    async def dock(self, drivers: Sequence[Driver]) -> Docked | None:
        """Open, identify, check and list; ``None`` when no driver claims it."""
        limits = self._bench.settings.pull
        driver = await self._lane.call(claimant, drivers, self.sighting, timeout_s=limits.open_timeout_s)
        if driver is None:
            return None
        self._recorder = await self._lane.call(self._open, driver, timeout_s=limits.open_timeout_s)
        listing = self._lane.submit(self._list, driver, self._recorder)
        docked = await self._while_it_moves(listing, limits.list_timeout_s)
        self.serial = docked.identity.serial
        self.records = frozenset(docked.items)
        return docked

    async def _while_it_moves(self, listing: asyncio.Future[Docked], limit_s: float) -> Docked:
        """What listing says. The limit is for every step of it: a card with many sealed files is slow, not hung."""
        loop = asyncio.get_running_loop()
        signs, since = self._lane.signs, loop.time()
        while not listing.done():
            await asyncio.wait({listing}, timeout=limit_s / STALL_LOOKS)
            if self._lane.signs != signs:
                signs, since = self._lane.signs, loop.time()
            elif loop.time() - since > limit_s and not listing.done():
                self._lane.give_up(f"did not answer within {limit_s:g} s")
        return listing.result()

    def _list(self, driver: Driver, recorder: Recorder) -> Docked:
        docked = dock(self._bench, self.session, driver.name, recorder, self._buffers, self.told)
        if docked.told is not None:
            # Known before its disk can be sighted; and let go of, since what holds it open could keep it from coming.
            self.told, self._recorder = docked.told, None
            self._stack.close()
        return docked

    def _open(self, driver: Driver) -> Recorder:
        return self._stack.enter_context(driver.open(self.sighting))

    async def look(self, session: Session, doubtful: Sequence[str]) -> Looked:
        """What lies on it now, once it is drained; settles what an earlier erasing left open."""
        if self._recorder is None or self.leaving:
            raise Unplugged("look", "The recorder is leaving.", "It is looked at again at the next docking.")
        limit_s = self._bench.settings.pull.list_timeout_s
        return await self._lane.call(
            look, self._bench, session, self._recorder, self._buffers, doubtful, timeout_s=limit_s
        )

    async def recheck(self) -> Fact | None:
        """Look at its clock, battery and room again; what is otherwise than before, ``None`` where nothing is."""
        if self._recorder is None or self.leaving:
            return None
        limit_s = self._bench.settings.pull.open_timeout_s
        return await self._lane.call(recheck, self._bench, self.session, self._recorder, self.told, timeout_s=limit_s)

    async def set_clock(self) -> bool:
        """Set its clock where it can be told the time, once it is drained; whether it was to be set.

        What came of it stands in the ledger.
        """
        if self._recorder is None or self.leaving:
            return False
        limit_s = self._bench.settings.pull.open_timeout_s
        try:
            return await self._lane.call(
                set_clock, self._bench, self.session, self._recorder, self.told, self.changed, timeout_s=limit_s
            )
        finally:
            self.changing = False  # also where the call hangs: all its recordings are here, and it may be taken

    async def set_clock_by_file(self, session: Session, writer: Lane) -> bool:
        """Have ``writer`` see to the file by which it sets its clock, if it reads one; whether it was to be set."""
        recorder = self._recorder
        if recorder is None or self.leaving or not isinstance(recorder, ReadsClockFile):
            return False
        limit_s = self._bench.settings.pull.open_timeout_s
        drift = await self._lane.call(off_by, self._bench, session, recorder, self.told, timeout_s=limit_s)
        if drift is not None:
            await writer.submit(set_by_file, self._bench, session, recorder, drift, self.changed)
        return drift is not None

    async def pull(self, record: Record, house: Lane) -> tuple[Fact, ...]:
        """Read one recording on the lane, finish it on ``house``; what it proved. Raises what reading raises."""
        if self._recorder is None or self.leaving:
            raise Unplugged("pull", "The recorder is leaving.", "It resumes at the next docking.")
        chosen = self._bench.settings.pull
        job = Pull(
            record,
            self.session,
            self._recorder,
            self._bench.spool,
            self._buffers,
            monotonic=self._bench.clock.monotonic,
            came=self._bench.meters.pulling(self.serial, self.sighting.slot),
            retries=chosen.retries,
            retry_wait_s=chosen.retry_wait_s,
        )
        self._pulls[record.id] = job
        try:
            try:
                await self._unless_stalled(self._lane.submit(job.read), job)
            except Exception:  # a recorder that hung or went away, or a bug of its driver
                await house.submit(job.abandon)
                raise
            fact = await house.submit(job.finish)
            if chosen.second_read:
                await self._unless_stalled(self._lane.submit(job.read_again), job)
            now = self._bench.clock.monotonic()
            self._bench.meters.took("pull", now - (job.progress.began_at or now), record.item.size)
            return (fact,)
        finally:
            self._pulls.pop(record.id, None)

    async def _unless_stalled(self, reading: asyncio.Future[None], job: Pull) -> None:
        limit_s = self._bench.settings.pull.call_timeout_s
        while True:
            await asyncio.wait({reading}, timeout=limit_s / STALL_LOOKS)
            if reading.done():
                return reading.result()
            moved_at = job.progress.moved_at
            if moved_at is not None and self._bench.clock.monotonic() - moved_at > limit_s:
                self._lane.give_up("hung in a read")
                what = f"It gave no byte for {limit_s:g} s."
                raise Misbehaved("pull", what, "Take the recorder out and dock it again.")

    async def leave(self) -> None:
        """Stop the pulls, close the driver, end the lane; however badly the recorder behaves, within LEAVE_S."""
        self.leaving = True
        for pull in list(self._pulls.values()):
            pull.cancel()
        try:
            letting_go = self._lane.submit(self._stack.close)
            await asyncio.wait({letting_go}, timeout=LEAVE_S)
            if not letting_go.done():
                self._lane.give_up("did not let go in time")
            letting_go.result()
        except BwcdockError:
            pass  # stuck before, or now: its thread is left behind, and nothing waits for it
        finally:
            self._lane.close()
            self._buffers.let_go()
