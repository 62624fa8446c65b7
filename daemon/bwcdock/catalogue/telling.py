"""What a station says of its recordings, read from its ledger: all of it as of one moment."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bwcdock.catalogue.agreeing import Copy, Known, Mark, Sighting, Source
from bwcdock.catalogue.writing import HoldLine
from bwcdock.core.desk.holds import Hold
from bwcdock.core.facts import SPOOL, Entry
from bwcdock.core.record import Record
from bwcdock.core.statements import HoldLifted, HoldPlaced
from bwcdock.ledger import Reader
from bwcdock.ledger.codec import to_ms
from bwcdock.steps.annotating import Annotator
from bwcdock.steps.touched import touched


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that the leaves from ``start`` up to ``seq`` touch, as it is by now; ``at`` is the time of the last."""

    start: int
    seq: int
    at: datetime | None
    sightings: tuple[Sighting, ...]
    holds: tuple[HoldLine, ...]


@dataclass(slots=True, kw_only=True)
class Teller:
    """A station that tells of its recordings.

    What is told is of the ledger as it is, not as it was at the leaf. So where it was all told from the first leaf on,
    nothing that was said below ``fresh`` bears on a recording that does not know of it yet.
    """

    origin: str
    unit: str
    zone: ZoneInfo
    at_risk_ratio: float
    fresh: int = 0

    def told(self, ledger: Reader, start: int, most: int) -> Told:
        """What the next ``most`` leaves from ``start`` bear on. Everything said is of the ledger as it is now."""
        with ledger.still() as size:
            entries = list(ledger.entries(start, min(size, start + most)))
            if not entries:
                return Told(start=start, seq=start, at=None, sightings=(), holds=())
            end = start + len(entries)
            if start == 0:
                self.fresh = size
            records = {entry.fact.record: None for entry in entries if entry.fact.record}
            if self.fresh < end:
                records |= dict.fromkeys(touched(ledger, max(start, self.fresh), end))
            found = (ledger.record(record) for record in records)
            sightings = tuple(self._sightings(ledger, filter(None, found), size))
            holds = tuple(self._holds(ledger, entries, size))
        return Told(start=start, seq=end, at=entries[-1].at, sightings=sightings, holds=holds)

    def _sightings(self, ledger: Reader, records: Iterable[Record], size: int) -> Iterator[Sighting]:
        annotator, at = Annotator(ledger, self.at_risk_ratio), ledger.entry(size - 1).at
        mark = Mark(source=Source.LEDGER, seq=size)
        for record in records:
            yield Sighting(
                record=record.id,
                station=self.origin,
                known=known(record, self.unit, self.zone),
                known_of=mark,
                copies=copies(record),
                said=annotator.annotation(record, "", at),
                said_of=mark,
            )

    def _holds(self, ledger: Reader, entries: Iterable[Entry], size: int) -> Iterator[HoldLine]:
        names = {entry.fact.matter: None for entry in entries if isinstance(entry.fact, HoldPlaced | HoldLifted)}
        for name in names:
            if hold := ledger.matter(Hold, name):
                yield HoldLine(
                    station=self.origin,
                    id=hold.id,
                    is_open=hold.state == "placed",
                    reason=hold.reason,
                    placed_by=hold.placed_by,
                    since=hold.since,
                    of=Mark(source=Source.LEDGER, seq=size),
                )


def known(record: Record, unit: str, zone: ZoneInfo) -> Known:
    """What the fold of a recording's facts says of it."""
    owed, corrected, received = record.obligation, record.corrected, record.sealed_at
    return Known(
        recorder=record.recorder,
        unit=unit,
        path=record.item.path,
        size=record.item.size,
        state=record.state,
        kind=record.item.kind,
        recorded_at=record.recorded_at,
        start=corrected.start,
        end=corrected.end,
        measured=corrected.method != "uncorrected",
        uncertainty_ms=corrected.uncertainty_ms,
        sha256=record.digests.sha256 if record.digests and received else "",
        user=record.item.officer,
        duration_ms=record.media.duration_ms if record.media else None,
        received_at=received,
        day=day_of(received, zone),
        pack=owed.pack if owed else "",
        article=owed.article if owed else "",
        due=owed.due if owed else None,
        basis_at=owed.basis_at if owed else None,
        met_by=owed.met_by if owed else "confirmed",
        owed=owed.sinks if owed else (),
        confirmed=tuple(sorted(record.first_confirmed)),
        keep_until=owed.keep_until if owed else None,
        permanent=owed.permanent if owed else False,
    )


def copies(record: Record) -> tuple[Copy, ...]:
    """What is known of its copies in central storage."""
    good = [
        Copy(
            sink=held.sink,
            key=held.key,
            version=held.version,
            confirmed_ms=to_ms(held.confirmed_at),
            looked_ms=to_ms(held.looked_at) if held.looked_at else None,
        )
        for held in record.held
    ]
    bad = [Copy(sink=place, key="", bad=True) for place in record.bad_places if place != SPOOL]
    return tuple(sorted((*good, *bad)))


def day_of(moment: datetime | None, zone: ZoneInfo) -> str:
    """The local day of a moment, ``YYYY-MM-DD``; empty where there is none."""
    return moment.astimezone(zone).date().isoformat() if moment else ""
