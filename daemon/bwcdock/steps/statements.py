"""Carry what is known of recordings beyond their manifests to a sink, so that central storage alone can tell all of it.

A manifest is written once, at the push. What people say later (case, parties, place, holds …) and what the rules
conclude from it goes there in signed statements, each up to a leaf of the ledger that the sink has a signed head over.
"""

import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bwcdock import __version__
from bwcdock.core.facts import Confirmed, CopyBad, Fact, Finding, Found, LookedAgain, Sealed, Settled, Severity
from bwcdock.errors import Conflict, Unreachable, Untrue
from bwcdock.ledger import Reader, open_read_only
from bwcdock.manifest import MANIFEST, STATEMENTS, Annotation, DayCount, Statement, open_signed, sign
from bwcdock.ports import Sink
from bwcdock.steps.annotating import Annotator
from bwcdock.steps.bench import Bench
from bwcdock.steps.touched import touched
from bwcdock.steps.witness import LOOK_BACK, NAMED, TURN_S

ROOM = 4 << 20
"""Bytes of annotations in one part: some 3000 recordings; a sink takes documents of 16 MiB, and few are as large."""

OF_DAYS: tuple[type[Fact], ...] = (Sealed, Confirmed, LookedAgain, CopyBad)
"""Facts after which a day's counts are otherwise than before."""

PART = "-"
"""What stands before the number in the name of a part that is not the last."""


def folder_of(station: str) -> str:
    """Where this station's statements lie in central storage."""
    return f"{STATEMENTS}/{station}"


class Statements:
    """What one sink was told. Nothing is stored about it: after a start, and after a failure, the sink is asked.

    The ledger is read on a connection of its own, since nobody has to wait for that. What is said may therefore be
    newer than the leaf it is said up to, and is then said once more by the next statement.
    """

    def __init__(self, bench: Bench, sink: str) -> None:
        self._bench = bench
        self._sink: Sink = bench.sinks[sink]
        self._folder = folder_of(bench.settings.station.name)
        self._turn = threading.Lock()
        self._spoken: int | None = None  # the leaf up to which the sink was told; -1: nothing
        self._looked = -1  # the leaf up to which there was nothing more to tell

    def bring(self) -> int:
        """Tell it what is new; answers the leaf up to which it has been told (-1: nothing yet). Raises Unreachable.

        If it dies in the middle, the parts that arrived are true as far as they go, and the next call begins anew
        behind the last whole statement: with the same bytes where nothing was added to the ledger since.
        """
        if not self._turn.acquire(timeout=TURN_S):
            what = f"Another transfer has been telling it there for {TURN_S:g} s."
            raise Unreachable("tell", what, "It is tried again by itself.", self._sink.name)
        try:
            if self._spoken is None:
                self._spoken = self._ask()
                self._looked = self._spoken
            head = self._bench.book.ask(lambda ledger: ledger.checkpoint())
            with open_read_only(self._bench.settings.paths.ledger) as ledger:
                self._tell(_Told(self._bench, ledger, self._sink.name), self._spoken, head.size - 1)
            return self._spoken
        except BaseException:
            self._spoken = None  # what arrived is for the sink to say
            raise
        finally:
            self._turn.release()

    def _tell(self, told: "_Told", after: int, seq: int) -> None:
        """Every part of the next statement, if there is anything to state; its head is there before it."""
        first = True
        for statement in told.parts(after, self._looked + 1, seq):
            if first:
                self._bench.witnesses[self._sink.name].bring()
            first = False
            try:
                self._sink.note(statement.key, sign(statement, self._bench.signer))
            except Conflict as error:
                self._bench.book.record([self._found([error.key])])
                raise Unreachable("tell", error.what, error.hint, self._sink.name) from error
            if statement.last:
                self._spoken = seq
        self._looked = seq

    def _ask(self) -> int:
        """The leaf up to which the newest whole statement there speaks. What lies above it and is none is told.

        First the heads: where the sink has one that this ledger does not continue, nothing goes there.
        """
        self._bench.witnesses[self._sink.name].bring()
        strange: list[str] = []
        spoken = -1
        for key in self._sink.newest(self._folder, ".json", LOOK_BACK):
            if PART in key.rpartition("/")[2]:
                continue  # of a statement whose last part never came, or came and was found already
            if (statement := self._opened(key)) is not None:
                spoken = statement.seq
                break
            strange.append(key)
        ended = Settled(code=self._code, how="the newest document among the statements is one of this station")
        self._bench.book.record([self._found(strange) if strange else ended])
        return spoken

    def _opened(self, key: str) -> Statement | None:
        try:
            data = self._sink.recall(key)
            statement = open_signed(data, Statement, self._bench.signer.verifier) if data is not None else None
        except (Conflict, Untrue):
            return None
        return statement if statement is not None and statement.key == key else None

    @property
    def _code(self) -> str:
        return f"sink.statements.{self._sink.name}"

    def _found(self, strange: list[str]) -> Fact:
        named = ", ".join(ascii(key.rpartition("/")[2])[1:-1] for key in strange[:NAMED])
        more = f" and {len(strange) - NAMED} more" if len(strange) > NAMED else ""
        finding = Finding(
            severity=Severity.WARN,
            code=self._code,
            what=f"Among the statements in {self._sink.name} lies what this station did not state: {named}{more}.",
            remedy=f"Find out who may write to {self._folder}. Nothing is overwritten; the next statements go beside, "
            "and what is missing is stated again.",
        )
        return Found(finding=finding)


class _Told:
    """What is to be told to one sink, made from the ledger as it is."""

    def __init__(self, bench: Bench, ledger: Reader, sink: str) -> None:
        self._bench = bench
        self._ledger = ledger
        self._sink = sink
        self._annotator = Annotator(ledger, bench.settings.law.at_risk_ratio)

    def parts(self, after: int, since: int, seq: int) -> Iterator[Statement]:
        """The parts of the statement up to ``seq``, made of what leaves ``since`` on bear on; none where that is
        nothing. ``after`` is where the statement before ended.
        """
        at = self._ledger.entry(seq).at
        days = self._days(since, seq + 1)
        filled: list[Annotation] = []
        number, room = 1, ROOM
        for annotation in self._annotations(sorted(set(touched(self._ledger, since, seq + 1))), at):
            size = len(annotation.model_dump_json())
            if filled and size > room:
                yield self._part(after, seq, number, filled, at=at)
                filled, number, room = [], number + 1, ROOM
            filled.append(annotation)
            room -= size
        if filled or days:
            yield self._part(after, seq, number, filled, at=at, days=days)

    def _part(
        self,
        after: int,
        seq: int,
        number: int,
        annotations: Iterable[Annotation],
        *,
        at: datetime,
        days: tuple[DayCount, ...] | None = None,
    ) -> Statement:
        """One part; the last is the one with the days."""
        return Statement(
            station=self._bench.settings.station.name,
            origin=self._ledger.origin,
            sink=self._sink,
            after=after,
            seq=seq,
            part=number,
            last=days is not None,
            annotations=tuple(annotations),
            days=days or (),
            at=at,
            station_version=__version__,
        )

    # --- days ---------------------------------------------------------------------------------------------------------

    def _days(self, since: int, until: int) -> tuple[DayCount, ...]:
        """The counts of every local day whose recordings were sealed, confirmed, looked at or struck off meanwhile."""
        ids = dict.fromkeys(rid for _, rid in self._ledger.said([kind.ev for kind in OF_DAYS], since, until))
        zone = ZoneInfo(self._bench.settings.station.zone)
        records = (self._ledger.record(rid) for rid in ids)
        days = {record.sealed_at.astimezone(zone).date() for record in records if record and record.sealed_at}
        return tuple(self._count(day, zone) for day in sorted(days))

    def _count(self, day: date, zone: ZoneInfo) -> DayCount:
        begins, ends = (datetime.combine(d, time(), zone).astimezone(UTC) for d in (day, day + timedelta(days=1)))
        received, stored, readable = self._ledger.stored(self._sink, begins, ends)
        return DayCount(day=day.isoformat(), received=received, stored=stored, readable=readable)

    # --- recordings ---------------------------------------------------------------------------------------------------

    def _annotations(self, ids: Iterable[str], at: datetime) -> Iterator[Annotation]:
        """Of those of these recordings that are confirmed there."""
        for name in ids:
            record = self._ledger.record(name)
            copy = next((copy for copy in record.held if copy.sink == self._sink), None) if record else None
            if record is not None and copy is not None:
                yield self._annotator.annotation(record, copy.key + MANIFEST, at)
