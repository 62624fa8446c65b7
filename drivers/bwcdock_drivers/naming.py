"""What a recorder's file names say, read with a quirk: times, officer, running number, markers, sidecars."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from bwcdock.core.facts import Claim, Finding, Item, Kind, Severity
from bwcdock.core.names import escape

from .quirks import MarkerRule, Quirk, zone

KINDS: dict[str, Kind] = (
    dict.fromkeys(("mp4", "mov", "avi", "mkv", "ts", "mts", "m2ts", "3gp", "m4v", "h264", "h265"), Kind.VIDEO)
    | dict.fromkeys(("wav", "mp3", "aac", "m4a", "amr", "ogg", "opus", "flac"), Kind.AUDIO)
    | dict.fromkeys(("jpg", "jpeg", "png", "heic", "bmp", "dng"), Kind.PHOTO)
)
"""What an extension means unless the quirk says otherwise; everything else is ``other``."""

# FAT dates begin in 1980 and end in 2107; recorders begin in this century, and 1990 leaves room for unset clocks.
_YEARS = range(1990, 2108)
_OFFICER_MAX = 64
_SEQ_DIGITS = 12  # a running number beyond that is a timestamp or an id


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A regular file as a card lists it: escaped path, the prefix of its file system in it, and its own times.

    ``modified`` is naive: what the recorder's clock showed. ``zone`` is empty where the file system keeps none.
    """

    path: str
    prefix: str = ""
    size: int
    modified: datetime | None
    zone: str = ""
    resolution_ms: int
    attributes: frozenset[str] = frozenset()

    @property
    def inner(self) -> str:
        """The path inside its own file system, which is what patterns see."""
        return self.path[len(self.prefix) :]


@dataclass(frozen=True, slots=True)
class Named:
    """An item with the device and the model its name gives, if any."""

    item: Item
    device: str
    model: str


def printable(text: str) -> str:
    """Text from a stranger as a screen may show it: every part between slashes escaped."""
    return "/".join(escape(part.encode("utf-8", "surrogatepass")) if part else "" for part in text.split("/"))


FOLDERS_KEPT = 256
"""Folders whose names are kept ready for comparing: a card lists one folder after the other."""

YEARS = range(1970, 2200)
"""Years a claim may name: FAT begins in 1980 and ends in 2107, clocks that lost their time begin in 1970."""


def to_utc(naive: datetime, zone_name: str) -> datetime | None:
    """A clock's showing as UTC; of two moments with the same showing, the earlier.

    ``None`` for years that no recorder's clock shows: arithmetic on the ends of the calendar overflows everywhere.
    """
    if not YEARS.start <= naive.year < YEARS.stop:
        return None
    return naive.replace(tzinfo=zone(zone_name), fold=0).astimezone(UTC)


STRAY = "stray"
"""The marker of a recording where none belongs: staged and never published, found by a disk check, thrown away."""


def skipped(quirk: Quirk, found: Found) -> bool:
    """Whether the quirk says this is no recording and belongs to none. A recording is one wherever it lies."""
    if any(g.search(found.inner) for g in quirk.skip.globs):
        return True
    if quirk.clock.set_file and found.inner.lower() == quirk.clock.set_file.lower():
        return True  # ours, until the recorder has read it
    return _astray(quirk, found) and kind_of(quirk, found.path) is Kind.OTHER


def _astray(quirk: Quirk, found: Found) -> bool:
    return _lies_in(found, quirk.skip.folders)


def _lies_in(found: Found, folders: tuple[str, ...]) -> bool:
    return bool(folders) and not _folders(found.inner.rpartition("/")[0]).isdisjoint(_folded(folders))


@lru_cache(FOLDERS_KEPT)
def _folders(parent: str) -> frozenset[str]:
    return frozenset(part.casefold() for part in parent.split("/"))


@lru_cache(FOLDERS_KEPT)
def _folded(folders: tuple[str, ...]) -> frozenset[str]:
    return frozenset(folder.casefold() for folder in folders)


def _moment(date: str, time: str) -> datetime | None:
    """``yyyymmdd`` and ``hhmmss`` (or ``yyyymmddhhmmss`` in ``time``), with any separators, as a naive time."""
    digits = "".join(re.findall(r"[0-9]", time))
    if len(digits) == 6:
        digits = "".join(re.findall(r"[0-9]", date)) + digits
    if len(digits) != 14:
        return None
    try:
        moment = datetime(  # noqa: DTZ001  a recorder's clock has no zone of its own
            int(digits[:4]), int(digits[4:6]), int(digits[6:8]), int(digits[8:10]), int(digits[10:12]), int(digits[12:])
        )
    except ValueError:
        return None
    return moment if moment.year in _YEARS else None


def _claim_by_name(groups: dict[str, str], text: str, zone_name: str) -> Claim | None:
    date = groups.get("date", "")
    start = _moment(date, groups.get("start") or groups.get("time") or "")
    end = _moment(date, groups.get("end") or "")
    if start and end and end < start:
        end += timedelta(days=1)  # a recording over midnight lies in the folder of the day it began
    if not (start or end):
        return None
    return Claim(
        start=to_utc(start, zone_name) if start else None,
        end=to_utc(end, zone_name) if end else None,
        source="name",
        zone=zone_name,
        text=text,
    )


def _claim_by_mtime(found: Found, modified: datetime | None, text: str, zone_name: str) -> Claim:
    """A file is modified last when its recording ends."""
    return Claim(start=None, end=modified, source="mtime", zone=zone_name, text=text, resolution_ms=found.resolution_ms)


def modified_text(found: Found) -> str:
    """The file's own modification time as it stands on the card: naive, or with the offset kept beside it."""
    return found.modified.isoformat(sep=" ") + found.zone if found.modified else ""


def kind_of(quirk: Quirk, path: str) -> Kind:
    """What the extension says."""
    extension = path.rpartition("/")[2].rpartition(".")[2].lower()
    return quirk.kinds.get(extension) or KINDS.get(extension, Kind.OTHER)


def _marked(rule: MarkerRule, found: Found, flag: str) -> bool:
    return (
        _lies_in(found, rule.folders)
        or not found.attributes.isdisjoint(rule.attributes)
        or bool(flag and flag in rule.flags)
        or bool(rule.names and any(p.search(found.inner.rpartition("/")[2]) for p in rule.names))
    )


def read_name(quirk: Quirk, inner: str) -> tuple[int, re.Match[str] | None]:
    """The first naming pattern that fits the path, by its place, and what it reads; -1 and nothing where none does."""
    for place, pattern in enumerate(quirk.naming.patterns):
        if match := pattern.search(inner):
            return place, match
    return -1, None


def named_groups(match: re.Match[str] | None) -> dict[str, str]:
    """What a naming pattern read, by group; groups that are empty or did not take part are left out."""
    return {name: text for name, text in match.groupdict().items() if text} if match else {}


def describe(quirk: Quirk, found: Found) -> Named:
    """The item a file is, with everything its name says."""
    _, match = read_name(quirk, found.inner)
    groups = named_groups(match)
    kind = kind_of(quirk, found.path)
    own_zone = found.zone or quirk.clock.zone
    seq = groups.get("seq", "")
    counted = kind is not Kind.OTHER and seq.isascii() and seq.isdigit() and len(seq) <= _SEQ_DIGITS
    claim = _claim_by_name(groups, match[0].strip("/"), quirk.clock.zone) if match else None
    modified = to_utc(found.modified, own_zone) if found.modified else None
    as_told = modified_text(found)
    flag = groups.get("flag", "")
    markers = {m for m, rule in quirk.markers.items() if _marked(rule, found, flag)}
    item = Item(
        path=found.path,
        size=found.size,
        modified=modified,
        claim=claim or _claim_by_mtime(found, modified, as_told, own_zone),
        kind=kind,
        modified_text=as_told,
        markers=tuple(sorted(markers | {STRAY} if _astray(quirk, found) else markers)),
        officer=groups.get("officer", "")[:_OFFICER_MAX],
        series=(groups.get("series") or groups.get("activity", "")) if counted else "",
        sequence=int(seq) if counted else None,
        activity=groups.get("activity", ""),
    )
    return Named(item, groups.get("device", ""), groups.get("model", ""))


def _pairing_key(quirk: Quirk, path: str) -> str:
    if quirk.sidecar.key and (m := quirk.sidecar.key.search(path)):
        return path[: m.start()] + "\0".join(g or "" for g in m.groups())
    return path.rpartition(".")[0]


def with_sidecars(quirk: Quirk, items: Sequence[Item]) -> list[Item]:
    """The same items, each recording naming the files that belong to it."""
    wanted = set(quirk.sidecar.extensions)
    beside: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if item.kind is Kind.OTHER and item.path.rpartition(".")[2].lower() in wanted:
            beside[_pairing_key(quirk, item.path)].append(item.path)
    return [
        i if i.kind is Kind.OTHER else replace(i, sidecars=tuple(beside.get(_pairing_key(quirk, i.path), ())))
        for i in items
    ]


def agreed(devices: Iterable[str]) -> tuple[str, tuple[Finding, ...]]:
    """The device most names give; a finding when they do not agree. Of equals, the first in the alphabet."""
    counts = Counter(d for d in devices if d)
    if not counts:
        return "", ()
    ranked = sorted(counts.items(), key=lambda dc: (-dc[1], dc[0]))
    if len(ranked) == 1:
        return ranked[0][0], ()
    finding = Finding(
        severity=Severity.WARN,
        code="identity.mixed",
        what=f"The file names give {len(ranked)} different recorders; most name {ranked[0][0]}.",
        remedy="Check whose files these are; a card may have been used in two recorders.",
        evidence=tuple((device, str(count)) for device, count in ranked[:20]),
    )
    return ranked[0][0], (finding,)
