"""From what lies on a card to what the station hears: items, identity, findings and clock, by way of a quirk."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bwcdock.core.facts import Drift, Finding, Identity, Item, Kind, Severity, Sighting
from bwcdock.core.inquiry import inquiry
from bwcdock.ports import ClockFile

from . import naming
from .matching import Looks
from .naming import Found, Named
from .quirks import Quirk, Quirks, zone

PLUG_TO_LOOK_MS = 60_000
"""How much time may pass between the firmware writing its plug-in file and the station opening the card, in ms.

Enumeration takes up to 10 s, a drop folder is let settle for some seconds, a control protocol may ask for disk mode
first, and the lane may be busy. The station's clock stands for the moment of opening, so all of this is uncertainty.
"""

LISTED_MAX = 200
"""How many examples a finding lists; the rest is counted."""

EVIDENCE_BYTES = 12 << 10
"""Bytes of evidence of one finding: a leaf of the ledger holds 60 KiB, and a card can have several findings."""

_SHOWN = 120  # characters of a path in evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A listed card, before any quirk: its files, its file system, and the serial to fall back on with its basis."""

    sighting: Sighting
    filesystem: str
    label: str
    fallback: tuple[str, str]
    found: Sequence[Found]
    notes: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A card read with its quirk."""

    quirk: Quirk
    identity: Identity
    items: tuple[Item, ...]
    notes: tuple[Finding, ...]
    plugged: Found | None = None
    newest: tuple[datetime, int] | None = None


def finding(
    code: str, severity: Severity, what: str, remedy: str, examples: Iterable[tuple[str, str]], count: int | None = None
) -> Finding:
    """A finding whose evidence is at most 200 examples and 12 KiB; ``count`` is how many there are in all."""
    evidence: list[tuple[str, str]] = []
    room, total = EVIDENCE_BYTES, 0
    for name, detail in examples:
        total += 1
        pair = (name if len(name) <= _SHOWN else f"{name[: _SHOWN - 1]}…", detail[:_SHOWN])
        room -= len(pair[0].encode()) + len(pair[1].encode()) + 8
        if room > 0 and len(evidence) < LISTED_MAX:
            evidence.append(pair)
    rest = max(total, count or 0) - len(evidence)
    if rest:
        evidence.append(("more", str(rest)))
    return Finding(severity=severity, code=code, what=what, remedy=remedy, evidence=tuple(evidence))


def described(card: Card, quirks: Quirks) -> Described:
    """Choose the quirk and read the card with it."""
    quirk, *tied = quirks.fitting(
        Looks(
            label=card.label,
            filesystem=card.filesystem,
            inquiry=inquiry(card.sighting.properties),
            paths=[f.inner for f in card.found],
            told=card.sighting.properties,
        )
    )
    kept = [f for f in card.found if not naming.skipped(quirk, f)]
    named = [naming.describe(quirk, f) for f in kept]
    items = naming.with_sidecars(quirk, sorted((n.item for n in named), key=lambda i: i.path))
    identity, mixed = _identity(card, quirk, named)
    notes = [*card.notes, *mixed]
    if tied:
        names = [(q.name, q.about) for q in (quirk, *tied)]
        what = f"{len(names)} quirks describe this recorder equally closely; {quirk.name} is taken by its name alone."
        notes.append(finding("quirk.tie", Severity.WARN, what, "Give one of them another condition in [match].", names))
    if len(kept) < len(card.found):
        left = [(f.path, f"{f.size} bytes") for f in card.found if naming.skipped(quirk, f)]
        what = f"Files left on the recorder because the quirk {quirk.name} says they are no recordings: {len(left)}."
        notes.append(finding("files.skipped", Severity.NOTE, what, "Check the quirk if one of them is.", left))
    odd = [(i.path, "") for i in items if "\\" in i.path]
    if odd:
        what = f"Names with characters that steer, hide or cannot be shown, now escaped: {len(odd)}."
        notes.append(finding("name.hostile", Severity.WARN, what, "Look at what made these names.", odd))
    plug = quirk.clock.plug_file
    plugged = [f for f in card.found if plug and f.modified and plug.search(f.inner)]
    return Described(
        quirk=quirk,
        identity=identity,
        items=tuple(items),
        notes=tuple(notes),
        plugged=max(plugged, key=lambda f: (f.modified or datetime.min, f.path), default=None),  # noqa: DTZ901
        newest=_newest(items, {f.path: f.resolution_ms for f in card.found}),
    )


def _identity(card: Card, quirk: Quirk, named: Sequence[Named]) -> tuple[Identity, tuple[Finding, ...]]:
    rule = quirk.identity
    media = [n for n in named if n.item.kind is not Kind.OTHER]
    by_name, mixed = naming.agreed(n.device for n in media)
    match = rule.label.search(card.label) if rule.label else None
    known = {"name-group": by_name, "label": match["device"] if match else "", "volume-serial": card.fallback[0]}
    basis = next((b for b in rule.serial if known[b]), "volume-serial")
    model = rule.model or naming.agreed(n.model for n in media)[0]
    told = card.fallback[1] if basis == "volume-serial" else basis
    # Some firmware formats every card with serial number 0: then two recorders would be one.
    weak = told == "volume-serial" and not known[basis].strip("vol-0")
    identity = Identity(
        serial=known[basis],
        basis="none" if weak else told,
        vendor=rule.vendor,
        model=model,
        label=card.label,
        quirk=quirk.name,
    )
    return identity, mixed if basis == "name-group" else (_WEAK,) if weak else ()


_WEAK = Finding(
    severity=Severity.WARN,
    code="identity.weak",
    what="This card has no serial number and no name tells its recorder: two such cards cannot be told apart.",
    remedy="Format it once on a computer, or give its model a quirk with a label or a naming pattern.",
)


def _newest(items: Sequence[Item], resolutions: dict[str, int]) -> tuple[datetime, int] | None:
    """The latest time anything on the card shows, with its resolution."""
    times = [(i.modified, resolutions[i.path]) for i in items if i.modified]
    times += [(t, i.claim.resolution_ms) for i in items for t in (i.claim.start, i.claim.end) if t]
    return max(times, default=None)


def clock_file(of: Described, moment: datetime) -> ClockFile | None:
    """The file that sets the clock of such a recorder to this moment; ``None`` where none is known to."""
    rule = of.quirk.clock
    if rule.set_file is None or rule.set_format is None:
        return None
    shown = moment.replace(microsecond=0)
    text = shown.astimezone(zone(rule.zone)).strftime(rule.set_format)
    return ClockFile(name=rule.set_file, content=text.encode("ascii"), set_to=shown)


def drift(of: Described, now: datetime, since_open_ms: int, *, live: bool) -> Drift | None:
    """The clock's drift, by the plug-in file if the recorder wrote one just now, else as a bound, else ``None``.

    ``now`` is the station's time and ``since_open_ms`` how long ago the card was opened.
    """
    looked = now - timedelta(milliseconds=since_open_ms)
    plugged = of.plugged
    if live and plugged and plugged.modified:
        shown = naming.to_utc(plugged.modified, plugged.zone or of.quirk.clock.zone)
        # Written at this plug-in, it is the newest file there is; an older one tells of another day.
        if shown and (of.newest is None or shown >= of.newest[0] - timedelta(milliseconds=plugged.resolution_ms)):
            return Drift(
                method="plug-file",
                offset_ms=round((shown - looked) / timedelta(milliseconds=1)),
                uncertainty_ms=PLUG_TO_LOOK_MS + plugged.resolution_ms,
                read_at=looked,
            )
    if of.newest and of.newest[0] > now:
        ahead = round((of.newest[0] - now) / timedelta(milliseconds=1))
        return Drift(method="newest-file", offset_ms=ahead, uncertainty_ms=of.newest[1], read_at=now, bound="at_least")
    return None
