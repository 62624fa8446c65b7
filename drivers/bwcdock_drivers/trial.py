"""Tries a quirk on a sample: what it would read of every name, before any recorder is docked with it."""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from bwcdock.core.facts import Identity, Item, Sighting
from bwcdock.core.names import escape
from bwcdock.errors import Misused
from bwcdock.ports import Reading, Trial

from .card import Card, described
from .matching import Looks
from .naming import Found, named_groups, read_name
from .quirks import DEFAULT, Quirk, Quirks, read, zone

_SAID_BY_FILES = ("paths", "folders", "without")


def asked(file: Path) -> Quirk:
    """The quirk in ``file``, whatever else is wrong with it than its form."""
    quirk, problems = read(file)
    if quirk is None:
        raise Misused("try the quirk", f"{file.name}: {problems[0]}.", "Correct it; `bwcdock quirk lint` tells all.")
    return quirk


def of_name(quirk: Quirk, sample: str) -> Trial:
    """What the quirk makes of one path, as it stands on the recorder."""
    if os.path.isabs(sample) and os.path.lexists(sample):
        what = f"{sample} is a file of this machine."
        raise Misused("try the quirk", what, "Name the folder that is the card's top, or a path as it stands on it.")
    path = "/".join(escape(os.fsencode(part)) for part in sample.split("/") if part)
    if not path:
        raise Misused("try the quirk", "There is no name to read.", "Name a path such as DCIM/100MEDIA/a.mp4.")
    found = Found(path=path, size=0, modified=None, resolution_ms=1)
    sighting = Sighting(port="sample", source="", live=False)
    card = Card(sighting=sighting, filesystem="", label="", fallback=("", "volume-serial"), found=[found])
    seen = described(card, Quirks.only(quirk))
    return tried(quirk, seen.identity, seen.items, [path])


def tried(quirk: Quirk, identity: Identity, items: Sequence[Item], paths: Sequence[str]) -> Trial:
    """What the quirk made of these files; ``items`` are those that it does not leave."""
    whole = Quirks.only(quirk).all[0]
    own = len(quirk.naming.patterns)
    kept = {item.path for item in items}
    return Trial(
        quirk=quirk.name,
        conditions=tuple(_conditions(quirk, paths)),
        identity=identity,
        readings=tuple(_reading(whole, own, item) for item in items),
        left=tuple(path for path in paths if path not in kept),
    )


def _conditions(quirk: Quirk, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each condition: those on files are judged, the others are about what no sample tells."""
    rule = quirk.match
    failed = rule.failing_files(Looks(label="", filesystem="", inquiry="", paths=paths))
    for name in type(rule).model_fields:
        value = getattr(rule, name)
        if value and name in _SAID_BY_FILES:
            for place in range(len(value)):
                yield f"{name}.{place}", "fails" if f"{name}.{place}" in failed else "holds"
        elif value:
            yield name, "unknown"


def _reading(quirk: Quirk, own: int, item: Item) -> Reading:
    place, match = read_name(quirk, item.path)
    pattern = "" if place < 0 else f"{place + 1}" if place < own else f"{DEFAULT} {place - own + 1}"
    shown = item.claim.zone
    return Reading(
        item=item,
        pattern=pattern,
        groups=tuple(named_groups(match).items()),
        start=_shown(item.claim.start, shown),
        end=_shown(item.claim.end, shown),
    )


def _shown(moment: datetime | None, zone_name: str) -> str:
    return moment.astimezone(zone(zone_name)).strftime("%Y-%m-%d %H:%M:%S") if moment else ""
