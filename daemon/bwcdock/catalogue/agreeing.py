"""What stations say of a recording, and how those that met the same one agree: the same in whatever order it comes.

A *sighting* is all that one station says of one recording. A newer one of the same station takes the place of the
older (:func:`join`), and what the catalogue holds of the recording is a pure function of the sightings of all stations
(:func:`agree`). Both are commutative, associative and harmless twice, so nothing depends on who wrote when.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from typing import Literal

from pydantic import TypeAdapter

from bwcdock.core.facts import Kind, Obligation
from bwcdock.core.record import State
from bwcdock.core.rules import Verdict, met_when, verdict
from bwcdock.manifest import Annotation, Holding, Officer


class Source(IntEnum):
    """Where something is from; the greater knows more, and has the last word whatever its place in the ledger."""

    CENTRAL = 0
    """Signed papers in central storage, which know nothing of what the station did not put there."""
    LEDGER = 1


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Mark:
    """Of when something is: the number of leaves of the station's ledger it rests on."""

    source: Source
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a station knows of a recording itself.

    ``user`` is whom the recorder names; who it was stands in the annotation. ``measured`` says that the recorder's
    clock was known exactly when its times were corrected. ``received_at`` is the first seal, ``day`` its local day at
    the station. ``confirmed`` are the sinks that held it whole, each with the first time.
    """

    recorder: str
    unit: str
    path: str
    size: int
    state: State
    kind: Kind
    recorded_at: datetime
    start: datetime | None
    end: datetime | None
    measured: bool
    uncertainty_ms: int
    sha256: str = ""
    user: str = ""
    duration_ms: int | None = None
    received_at: datetime | None = None
    day: str = ""
    pack: str = ""
    article: str = ""
    due: datetime | None = None
    basis_at: datetime | None = None
    met_by: Literal["sealed", "confirmed"] = "confirmed"
    owed: tuple[str, ...] = ()
    confirmed: tuple[tuple[str, datetime], ...] = ()
    keep_until: datetime | None = None
    permanent: bool = False

    @property
    def met_at(self) -> datetime | None:
        """When the obligation to offload was met, as :func:`bwcdock.core.rules.met_when` judges it."""
        if self.due is None or self.basis_at is None:
            return None
        return met_when(
            obligation(self.article, self.due, self.basis_at, met_by=self.met_by, sinks=self.owed),
            sealed_at=self.received_at,
            confirmed=self.confirmed,
        )


KNOWN: TypeAdapter[Known] = TypeAdapter(Known)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Copy:
    """What one station says of the copy in one of its places of central storage.

    ``bad`` says that it lost the sealed digest or is gone; its key is then no longer known.
    """

    sink: str
    key: str
    version: str = ""
    confirmed_ms: int | None = None
    looked_ms: int | None = None
    bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """All that one station says of one recording; each part with its mark, ``None`` where it says nothing of it."""

    record: str
    station: str
    known: Known | None = None
    known_of: Mark = Mark(source=Source.CENTRAL, seq=-1)
    copies: tuple[Copy, ...] = ()
    said: Annotation | None = None
    said_of: Mark = Mark(source=Source.CENTRAL, seq=-1)

    @property
    def met_at(self) -> datetime | None:
        """When it was offloaded: by the station's own word, else as it follows from what is known."""
        judged = self.said.judged if self.said else None
        told = judged.met_at if judged else None
        return told or (self.known.met_at if self.known else None)


def join(one: Sighting, other: Sighting) -> Sighting:
    """What the same station says of the same recording after both: of each part the newer.

    Papers in central storage know of one place each, so what they know of places is put together.
    """
    assert (one.record, one.station) == (other.record, other.station)
    older, newer = sorted((one, other), key=_of_known)
    said = max((one, other), key=_of_said)
    known, copies = newer.known, newer.copies
    if newer.known_of.source is Source.CENTRAL and known is not None and older.known is not None:
        known = replace(known, confirmed=_first((*older.known.confirmed, *known.confirmed)))
        copies = tuple({copy.sink: copy for copy in sorted((*older.copies, *newer.copies))}.values())
    return Sighting(
        record=one.record,
        station=one.station,
        known=known,
        known_of=newer.known_of,
        copies=copies,
        said=said.said,
        said_of=said.said_of,
    )


def _of_known(sighting: Sighting) -> tuple[bool, Mark, bytes, str]:
    """Two of the same mark differ only where papers were made at two times; then any order will do that is one."""
    known = sighting.known
    plain = KNOWN.dump_json(replace(known, confirmed=())) if known else b""
    return known is not None, sighting.known_of, plain, repr(sighting.copies)


def _of_said(sighting: Sighting) -> tuple[bool, Mark, str]:
    said = sighting.said
    return said is not None, sighting.said_of, said.model_dump_json() if said else ""


def _first(pairs: Iterable[tuple[str, datetime]]) -> tuple[tuple[str, datetime], ...]:
    found: dict[str, datetime] = {}
    for sink, at in pairs:
        found[sink] = min(at, found.get(sink, at))
    return tuple(sorted(found.items()))


# --- agreeing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What the catalogue holds of one recording, out of what all ``stations`` that met it say.

    ``disputed`` says that two of them sealed different bytes under one id, which somebody must look at. ``holds`` are
    those that stand. Where stations said different things of what it shows, all of it stands here, a stroke between.
    """

    record: str
    stations: tuple[str, ...]
    recorder: str
    unit: str
    path: str
    size: int
    state: State
    kind: Kind
    recorded_at: datetime
    start: datetime | None
    end: datetime | None
    duration_ms: int | None
    sha256: str
    disputed: bool
    user: str
    officers: tuple[Officer, ...]
    received_at: datetime | None
    case: str
    category: str
    parties: tuple[str, ...]
    place: str
    event: str
    activity: str
    note: str
    tags: tuple[str, ...]
    important: bool
    unrelated: bool
    sensitive: tuple[str, ...]
    holds: tuple[Holding, ...]
    pack: str
    article: str
    due: datetime | None
    basis_at: datetime | None
    met_at: datetime | None
    excuse: str
    keep_until: datetime | None
    permanent: bool

    def stands(self, now: datetime, at_risk_ratio: float) -> Verdict | None:
        """How it stands against its deadline at ``now``; ``None`` where no rule has spoken."""
        if self.due is None or self.basis_at is None:
            return None
        owed = obligation(self.article, self.due, self.basis_at, met_by="sealed", sinks=())
        return verdict(owed, self.met_at, now, at_risk_ratio, self.excuse)


_BEST = (State.RELEASED, State.SEALED, State.PULLED, State.LISTED, State.QUARANTINED, State.LOST)
"""How far a recording came, best first: what one station holds proven is not lost because another could not read it."""


def agree(sightings: Iterable[Sighting]) -> Agreed | None:
    """What they say together; ``None`` where nobody knows the recording itself.

    What it *is* comes from whoever brought it furthest and knew its times best; the deadline is the earliest anybody
    was given, met when it was first met; it is kept as long as the longest, and held by whatever holds it anywhere.
    """
    told = sorted((s for s in sightings if s.known is not None), key=_precedence)
    if not told:
        return None
    knowns = [s.known for s in told if s.known is not None]
    said = [s.said for s in told if s.said is not None]
    first, owed = knowns[0], _strictest(knowns)
    kept = _kept(knowns, said)
    digests = {known.sha256 for known in knowns} - {""}
    return Agreed(
        record=told[0].record,
        stations=tuple(sorted(s.station for s in told)),
        recorder=first.recorder,
        unit=first.unit,
        path=first.path,
        size=first.size,
        state=first.state,
        kind=first.kind,
        recorded_at=first.recorded_at,
        start=first.start,
        end=first.end,
        duration_ms=first.duration_ms,
        sha256=next((known.sha256 for known in knowns if known.sha256), ""),
        disputed=len(digests) > 1,
        user=first.user,
        officers=tuple(sorted({o for a in said for o in a.officers}, key=lambda o: (o.id, o.name, o.unit, o.team))),
        received_at=min((known.received_at for known in knowns if known.received_at), default=None),
        case=_all(a.case.number if a.case else "" for a in said),
        category=_all(a.category for a in said),
        parties=_parties(said),
        place=_all(a.place for a in said),
        event=_all(a.event for a in said),
        activity=_all(a.activity for a in said),
        note=_all(a.note for a in said),
        tags=tuple(sorted({tag for a in said for tag in a.tags})),
        important=any(a.important for a in said),
        unrelated=any(a.unrelated for a in said),
        sensitive=tuple(sorted({a.sensitive for a in said} - {""})),
        holds=tuple(hold for a in said for hold in a.holds if hold.state == "placed"),
        pack=owed.pack if owed else "",
        article=owed.article if owed else "",
        due=owed.due if owed else None,
        basis_at=owed.basis_at if owed else None,
        met_at=min((met for s in told if (met := s.met_at)), default=None),
        excuse=next((a.judged.excuse for a in said if a.judged and a.judged.excuse), ""),
        keep_until=None if kept is None else kept[0],
        permanent=kept is not None and kept[1],
    )


def _precedence(sighting: Sighting) -> tuple[int, bool, int, bool, float, str]:
    known = sighting.known
    assert known is not None
    received = known.received_at
    return (
        _BEST.index(known.state),
        not known.measured,
        known.uncertainty_ms,
        received is None,
        received.timestamp() if received else 0.0,
        sighting.station,
    )


def _strictest(knowns: Sequence[Known]) -> Known | None:
    owed = [known for known in knowns if known.due is not None and known.basis_at is not None]
    return min(owed, key=lambda k: (k.due, k.basis_at, k.pack, k.article), default=None)


def _kept(knowns: Sequence[Known], said: Sequence[Annotation]) -> tuple[datetime | None, bool] | None:
    """Until when it is kept at least, and whether for ever; ``None`` where nobody says."""
    ends = [(known.keep_until, known.permanent) for known in knowns if known.due is not None]
    ends += [(a.kept.until, a.kept.permanent) for a in said if a.kept is not None]
    if any(permanent for _, permanent in ends):
        return None, True
    return (max((until for until, _ in ends if until is not None), default=None), False) if ends else None


def _parties(said: Sequence[Annotation]) -> tuple[str, ...]:
    """Of the recording and of its case: a party of the case need not be said again of each of its recordings."""
    return tuple(sorted({p for a in said for p in (*a.parties, *(a.case.parties if a.case else ()))}))


def _all(words: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(filter(None, words)))


def obligation(
    article: str, due: datetime, basis_at: datetime, *, met_by: Literal["sealed", "confirmed"], sinks: tuple[str, ...]
) -> Obligation:
    """As much of an obligation as its judges look at: they stay the only ones that judge."""
    return Obligation(
        pack="",
        article=article,
        quote="",
        due=due,
        basis="",
        basis_at=basis_at,
        met_by=met_by,
        sinks=sinks,
        keep_article="",
        keep_until=None,
    )
