"""What the signed papers in central storage say of recordings: manifests, and the statements that came after them."""

import base64
import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from bwcdock.catalogue.agreeing import Copy, Known, Mark, Sighting, Source
from bwcdock.catalogue.telling import day_of
from bwcdock.catalogue.writing import HoldLine
from bwcdock.core.facts import Kind
from bwcdock.core.record import State
from bwcdock.errors import Misused, Untrue
from bwcdock.ledger import Verifier, codec
from bwcdock.ledger.codec import to_ms
from bwcdock.manifest import (
    MANIFEST,
    STATEMENTS,
    Annotation,
    DayCount,
    Manifest,
    Statement,
    key_of,
    open_by_any,
)
from bwcdock.ports import Lists, Sink

M = TypeVar("M", bound=BaseModel)

AT_ONCE = 500
"""Papers read for one transaction."""

_KINDS = {"mp4": Kind.VIDEO, "mov": Kind.VIDEO, "avi": Kind.VIDEO, "wav": Kind.AUDIO, "jpeg": Kind.PHOTO}
"""What a container holds. A manifest does not say what the recorder called it."""

_OTHER = ("checkpoints/", "receipts/", f"{STATEMENTS}/", "checks/")
"""What else lies in central storage; recordings never do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A paper that was not believed, and why."""

    key: str
    why: str

    def __str__(self) -> str:
        return f"{self.key}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What some papers say. ``keys`` are the objects of which a manifest was believed, each with its station."""

    sightings: tuple[Sighting, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    holds: tuple[HoldLine, ...] = ()
    days: tuple[tuple[str, DayCount], ...] = ()
    refused: tuple[Refused, ...] = ()


class Papers:
    """The papers in one place of central storage, believed where a key that was given signed them. Blocking.

    ``zone`` is that of the stations: a paper does not say it.
    """

    def __init__(self, name: str, sink: Sink, keys: Sequence[Verifier], zone: ZoneInfo) -> None:
        if not isinstance(sink, Lists):
            raise Misused("read central storage", f"What {name} holds cannot be listed.", "Name another with --sink.")
        self.name = name
        self._sink: Sink = sink
        self._lists: Lists = sink
        self._keys: Mapping[str, Verifier] = {key_of(verifier): verifier for verifier in keys}
        self._zone = zone

    def manifests(self, share: int = 0, of: int = 1) -> Generator[Batch]:
        """Of every recording what its manifest says, some hundred at a time. Changes nothing.

        Several readers take a share each: every ``of``-th some hundred, beginning with the ``share``-th.
        """
        found, number = self._beside_their_objects(), -1
        while keys := list(islice(found, AT_ONCE)):
            number += 1
            if number % of != share:
                continue
            sightings, believed, refused = [], [], []
            for key, is_there in keys:
                try:
                    sighting = self._of_manifest(key, is_there=is_there)
                except Untrue as error:
                    refused.append(Refused(key=key, why=error.what))
                else:
                    sightings.append(sighting)
                    believed.append((key.removesuffix(MANIFEST), sighting.station))
            yield Batch(sightings=tuple(sightings), keys=tuple(believed), refused=tuple(refused))

    def statements(self, *, newest_first: bool) -> Generator[Batch]:
        """What the statements say after the manifests, one paper at a time, in their order or against it."""
        for key in sorted(self._lists.keys(STATEMENTS, ".json"), reverse=newest_first):
            try:
                yield self._of_statement(key)
            except Untrue as error:
                yield Batch(refused=(Refused(key=key, why=error.what),))

    def holds(self, key: str) -> bool:
        """Whether a manifest lies beside this object now: asked a second time of what a listing did not have."""
        return self._sink.recall(key + MANIFEST) is not None

    def _beside_their_objects(self) -> Iterator[tuple[str, bool]]:
        """The keys of all manifests, and whether the object of each is there: it stands before it, in its folder."""
        folder, seen = "", set[str]()
        for key in self._lists.keys("", ""):
            if key.startswith(_OTHER):
                continue
            here = key.rpartition("/")[0]
            if here != folder:
                folder, seen = here, set()
            if key.endswith(MANIFEST):
                yield key, key.removesuffix(MANIFEST) in seen
            else:
                seen.add(key)

    def _of_manifest(self, key: str, *, is_there: bool) -> Sighting:
        told = self._opened(key, Manifest)
        place = key.removesuffix(MANIFEST)
        if told.key not in {"", place}:
            raise _untrue(f"It belongs to {told.key}: it was moved.")
        if not is_there:
            raise _untrue("A manifest without its object.")
        try:
            # Its time alone: what else the leaf says the manifest says too, and its proof is for `bwcdock verify`.
            received = codec.from_ms(json.loads(base64.b64decode(told.position.leaf, validate=True))["t"])
            size = int(told.position.checkpoint.split("\n", 2)[1])
        except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
            raise _untrue("Its place in the ledger cannot be read.") from error
        owed, corrected = told.obligation, told.corrected
        known = Known(
            recorder=told.recorder.serial,
            unit=told.unit,
            path=told.path,
            size=told.size,
            state=State.SEALED,
            kind=_KINDS.get(told.media.container, Kind.OTHER),
            recorded_at=corrected.start or corrected.end or received,
            start=corrected.start,
            end=corrected.end,
            measured=corrected.method != "uncorrected",
            uncertainty_ms=corrected.uncertainty_ms,
            sha256=told.sha256,
            user=told.officer,
            duration_ms=told.media.duration_ms,
            received_at=received,
            day=day_of(received, self._zone),
            pack=owed.pack,
            article=owed.article,
            due=owed.due,
            basis_at=owed.basis_at,
            met_by=owed.met_by,
            owed=owed.sinks,
            # A manifest is written when all bytes were read back: the confirmation follows within seconds.
            confirmed=((self.name, told.at),),
            keep_until=owed.keep_until,
            permanent=owed.permanent,
        )
        return Sighting(
            record=told.record,
            station=told.position.origin,
            known=known,
            known_of=Mark(source=Source.CENTRAL, seq=size),
            copies=(Copy(sink=self.name, key=place, confirmed_ms=to_ms(told.at)),),
        )

    def _of_statement(self, key: str) -> Batch:
        told = self._opened(key, Statement)
        if key != told.key:
            raise _untrue(f"It belongs to {told.key}: it was moved.")
        of = Mark(source=Source.CENTRAL, seq=told.seq)
        sightings = [
            Sighting(record=each.record, station=told.origin, said=each, said_of=of) for each in told.annotations
        ]
        return Batch(
            sightings=tuple(sightings),
            holds=tuple(_holds(told.origin, told.annotations, of)),
            days=tuple((told.origin, day) for day in told.days),
        )

    def _opened(self, key: str, model: type[M]) -> M:
        """The paper, signed by a key that was given, for the ledger that key signs."""
        data = self._sink.recall(key)
        if data is None:
            raise _untrue("It is gone since it was listed.")
        told, verifier = open_by_any(data, model, self._keys)
        origin = told.position.origin if isinstance(told, Manifest) else getattr(told, "origin", "")
        if origin != verifier.origin:
            raise _untrue(f"It speaks of the ledger {origin!a}, and is signed by the key of {verifier.origin!a}.")
        return told


def _holds(station: str, annotations: Iterable[Annotation], of: Mark) -> Iterator[HoldLine]:
    for each in annotations:
        for hold in each.holds:
            yield HoldLine(
                station=station,
                id=hold.id,
                is_open=hold.state == "placed",
                reason=hold.reason,
                placed_by=hold.by,
                since=hold.since,
                of=of,
            )


def _untrue(what: str) -> Untrue:
    return Untrue("read central storage", what, "Compare it with the station's ledger.")
