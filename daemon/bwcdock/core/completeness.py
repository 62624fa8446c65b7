"""Says what is missing, doubled or out of place among the recordings of one recorder.

The law behind it: recording runs unbroken from arrival to end (S0 §8, S1 §8, S2 §13, S3 §9, S4 §12); nothing is picked
out, recorded afterwards or inserted (S3 §11: 不得任意选择取舍或者事后补录，不得插入其他画面).

=========================  ==========================================================================================
code                       says
=========================  ==========================================================================================
sequence.hole              numbers are missing between two files of one series
time.overlap               two files of one kind claim the same time on one recorder
time.gap                   a pause inside one activity
time.future                a file dated later than now
time.before_last_docking   a file that was not there at the last docking is dated before it
content.changed            a path seen before now has other content
=========================  ==========================================================================================

Times compared with each other are the recorder's own; only those compared with the station's are corrected. Everything
is sorted once and swept once: n log n, also for a card with hundreds of thousands of names.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from bwcdock.core.checks import cited, span
from bwcdock.core.clocks import FAT_STEP_MS, UNCORRECTED, claimed, correct, milliseconds, zone_hint
from bwcdock.core.facts import Corrected, Drift, Finding, Item, Kind, Severity
from bwcdock.core.sequence import Hole, holes

MAX_PER_CODE = 10
"""Most findings of one code; the rest is one more finding with their count: with ordinary names all codes together fit
into one leaf (60 KiB), and no card can flood the ledger."""

GAP_MS = 5_000
"""A pause longer than this inside one activity is reported. GA/T 947.2 allows 0.04 s between segments, but names show
whole seconds and file times two, so the standard's figure cannot be seen from outside."""

FUTURE_MS = 60_000
"""How far after now a time may lie before it is called the future: a recorder may still write while it is docked."""

WEAK = frozenset({"folder-name", "intake", "none"})
"""Identities that two recorders can share by chance: what differs between two dockings may be two recorders."""

_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A recording of this recorder from an earlier docking. ``start`` and ``end`` are as claimed, not corrected."""

    record: str
    path: str
    size: int
    modified: datetime | None
    kind: Kind = Kind.OTHER
    series: str = ""
    sequence: int | None = None
    start: datetime | None = None
    end: datetime | None = None


class _Take(NamedTuple):
    """One recording, new or known, as the sweeps need it; a tuple, because there may be hundreds of thousands."""

    path: str
    kind: Kind
    series: str
    sequence: int | None
    start: datetime | None
    end: datetime | None
    step_ms: int
    activity: str = ""
    new: bool = False


class _Span(NamedTuple):
    """A take of which both is known, and its times."""

    take: _Take
    start: datetime
    end: datetime


def judge(
    items: Sequence[Item],
    known: Sequence[Known],
    last_docked: datetime | None,
    now: datetime,
    drift: Drift | None,
    *,
    articles: Mapping[str, str] | None = None,
    basis: str = "",
) -> tuple[Finding, ...]:
    """Everything worth telling about the files of one card, beside what earlier dockings brought.

    ``known`` are this recorder's recordings of *earlier* dockings, wherever they are now; what they already showed
    among themselves is not told again. ``last_docked`` is when its files were last listed completely. ``articles`` as
    in :func:`bwcdock.core.checks.assess`, for the checks ``continuity`` and ``originals``. ``basis`` is what the
    recorder is known by: where that is weak (:data:`WEAK`), nobody is accused of what another's folder explains. At
    most :data:`MAX_PER_CODE` findings of a code, and one with the count of the rest; the order is fixed.
    """
    sidecars = {path for item in items for path in item.sidecars}
    items = [item for item in items if item.path not in sidecars]
    by_path: dict[str, list[Known]] = {}
    for record in known:
        by_path.setdefault(record.path, []).append(record)
    fresh = [item for item in items if not any(_same(item, old) for old in by_path.get(item.path, ()))]
    takes = _takes(items, known, {item.path for item in fresh})
    dated = [(item, correct(item, drift, None)) for item in fresh]
    found = (
        *_capped(_holes(takes), _hole),
        *_capped(_overlaps(takes), _overlap),
        *_capped(_gaps(takes), _gap),
        *_capped(_future(dated, now), _from_future),
        *_capped(_before(dated, last_docked), _from_before),
        *_capped(
            ((item, by_path[item.path][-1]) for item in fresh if item.path in by_path),
            _differs if basis in WEAK else _changed,
        ),
    )
    return tuple(cited(finding, articles) for finding in found)


def _same(item: Item, old: Known) -> bool:
    """Whether a listed file is the recording known from before: same size, and the same time but for FAT or a zone."""
    if item.size != old.size:
        return False
    if item.modified is None or old.modified is None:
        return True
    difference = milliseconds(item.modified - old.modified)
    # A whole zone's difference is a changed setting of ours, not a changed file.
    return abs(difference) <= FAT_STEP_MS or zone_hint(difference, FAT_STEP_MS) is not None


def _takes(items: Sequence[Item], known: Sequence[Known], fresh: set[str]) -> list[_Take]:
    """Items and known recordings in one list, in order of the recorder's time; a path counts once, as listed now."""
    takes: list[_Take] = []
    for item in items:
        times = claimed(item)
        takes.append(
            _Take(
                path=item.path,
                kind=item.kind,
                series=item.series,
                sequence=item.sequence,
                activity=item.activity,
                start=times.start,
                end=times.end,
                step_ms=times.resolution_ms,
                new=item.path in fresh,
            )
        )
    listed = {item.path for item in items}
    takes += [
        _Take(
            path=record.path,
            kind=record.kind,
            series=record.series,
            sequence=record.sequence,
            start=record.start,
            end=record.end,
            step_ms=FAT_STEP_MS,
        )
        for record in known
        if record.path not in listed
    ]
    # What has no time comes first: it then counts as present and disturbs no pair.
    takes.sort(key=lambda take: (take.start or take.end or _EARLIEST, take.sequence or 0, take.path))
    return takes


def _capped(cases: Iterable[_T], tell: Callable[[_T], Finding]) -> Iterator[Finding]:
    """The first findings in full, the rest as one count; a sentence is made only for those that are kept."""
    last, rest = None, 0
    for index, case in enumerate(cases):
        if index < MAX_PER_CODE:
            last = tell(case)
            yield last
        else:
            rest += 1
    if last and rest:
        yield Finding(
            severity=last.severity,
            code=last.code,
            what=f"There are {rest} more findings of this kind on this card.",
            remedy="Look at the whole card: so many at once have one common cause.",
            evidence=(("more", str(rest)), ("total", str(rest + MAX_PER_CODE))),
        )


# --- running numbers ----------------------------------------------------------------------------------------------


def _holes(takes: Iterable[_Take]) -> Iterator[tuple[_Take, _Take, Hole]]:
    """Missing numbers of each series, next to at least one new file."""
    series: dict[str, list[_Take]] = {}
    for take in takes:
        if take.sequence is not None and take.sequence >= 0:
            series.setdefault(take.series, []).append(take)
    for members in series.values():
        for hole in holes([take.sequence or 0 for take in members]):
            before, after = members[hole.before], members[hole.after]
            if before.new or after.new:
                yield before, after, hole


def _hole(case: tuple[_Take, _Take, Hole]) -> Finding:
    before, after, hole = case
    return Finding(
        severity=Severity.NOTE if hole.restart else Severity.WARN,
        code="sequence.hole",
        what=(
            f"{hole.missing} running number{'s are' if hole.missing > 1 else ' is'} missing between "
            f"{before.sequence} and {after.sequence}{f' of series {before.series}' if before.series else ''}"
            f"{'; the counter was probably restarted' if hole.restart else ''}."
        ),
        remedy="Find out whether files were deleted on the recorder, overwritten, or docked at another station.",
        evidence=(
            ("series", before.series),
            ("before", before.path),
            ("after", after.path),
            ("missing", str(hole.missing)),
        ),
    )


# --- times on one recorder ----------------------------------------------------------------------------------------


def _overlaps(takes: Iterable[_Take]) -> Iterator[tuple[_Take, _Take, timedelta]]:
    """Each take that starts before the one reaching furthest of its kind ends, where at least one of them is new.

    Photos are taken during films, so only films overlap films and sound overlaps sound. Two series that start together
    are the two lenses of one recorder.
    """
    reach: dict[Kind, _Span] = {}
    for one in _spans(takes):
        take, start, end = one
        if take.kind not in (Kind.VIDEO, Kind.AUDIO):
            continue
        front = reach.get(take.kind)
        if front and (take.new or front.take.new):
            tolerance = timedelta(milliseconds=max(front.take.step_ms, take.step_ms))
            twin = front.take.series != take.series and start - front.start <= tolerance
            if front.end - start > tolerance and not twin:
                yield front.take, take, min(front.end, end) - start
        if front is None or end > front.end:
            reach[take.kind] = one


def _spans(takes: Iterable[_Take]) -> Iterator[_Span]:
    for take in takes:
        if take.start is not None and take.end is not None:
            yield _Span(take, take.start, take.end)


def _overlap(case: tuple[_Take, _Take, timedelta]) -> Finding:
    first, second, common = case
    return Finding(
        severity=Severity.WARN,
        code="time.overlap",
        what=f"Two recordings of one recorder claim the same {span(milliseconds(common))}.",
        remedy="Find out whether its clock was set back, or one of the files was put on the card from elsewhere.",
        evidence=(
            ("first", first.path),
            ("first_end", _text(first.end)),
            ("second", second.path),
            ("second_start", _text(second.start)),
        ),
    )


def _gaps(takes: Iterable[_Take]) -> Iterator[tuple[_Take, _Take, timedelta]]:
    """Pauses between the segments of one activity."""
    reach: dict[str, _Span] = {}
    for one in _spans(takes):
        take, start, end = one
        if not take.activity or take.kind is Kind.PHOTO:
            continue
        front = reach.get(take.activity)
        if front and (take.new or front.take.new):
            tolerance = timedelta(milliseconds=GAP_MS + max(front.take.step_ms, take.step_ms))
            if start - front.end > tolerance:
                yield front.take, take, start - front.end
        if front is None or end > front.end:
            reach[take.activity] = one


def _gap(case: tuple[_Take, _Take, timedelta]) -> Finding:
    first, second, pause = case
    return Finding(
        severity=Severity.WARN,
        code="time.gap",
        what=f"Recording paused for {span(milliseconds(pause))} inside one activity.",
        remedy="Ask the officer for the reason: spoken on the next recording, or in writing (书面说明).",
        evidence=(
            ("activity", first.activity),
            ("before", first.path),
            ("before_end", _text(first.end)),
            ("after", second.path),
            ("after_start", _text(second.start)),
            ("pause_ms", str(milliseconds(pause))),
        ),
    )


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


# --- times against the station ------------------------------------------------------------------------------------


class _Misdated(NamedTuple):
    item: Item
    corrected: Corrected
    moment: datetime
    against: datetime


def _future(dated: Iterable[tuple[Item, Corrected]], now: datetime) -> Iterator[_Misdated]:
    """New files whose corrected time lies after now, beyond all uncertainty."""
    for item, times in dated:
        moment = times.end or times.start
        if moment and moment - now > timedelta(milliseconds=FUTURE_MS + times.uncertainty_ms):
            yield _Misdated(item, times, moment, now)


def _from_future(case: _Misdated) -> Finding:
    return _misdated(
        case,
        "time.future",
        f"A file is dated {span(milliseconds(case.moment - case.against))} in the future.",
        "Set the recorder's clock (校时) and note the right time with the record.",
    )


def _before(dated: Iterable[tuple[Item, Corrected]], last_docked: datetime | None) -> Iterator[_Misdated]:
    """New recordings that ended before the last docking, beyond all uncertainty, and yet were not there then."""
    for item, times in dated:
        moment = times.end or times.start
        # Logs and position files carry old dates honestly.
        if last_docked is None or moment is None or item.kind is Kind.OTHER:
            continue
        if last_docked - moment > timedelta(milliseconds=times.uncertainty_ms):
            yield _Misdated(item, times, moment, last_docked)


def _from_before(case: _Misdated) -> Finding:
    return _misdated(
        case,
        "time.before_last_docking",
        f"A new file is dated {span(milliseconds(case.against - case.moment))} before the last docking, "
        "but was not there then: a clock set back, a later re-recording, or a file put in.",
        "Ask how the file came onto the card (事后补录或插入); compare its container's date and encoder.",
    )


def _misdated(case: _Misdated, code: str, what: str, remedy: str) -> Finding:
    return Finding(
        # A clock of which nothing is known may be wrong by any amount: then it is no more than a note.
        severity=Severity.NOTE if case.corrected.method == UNCORRECTED else Severity.WARN,
        code=code,
        what=what,
        remedy=remedy,
        evidence=(
            ("path", case.item.path),
            ("time", _text(case.moment)),
            ("against", _text(case.against)),
            ("method", case.corrected.method),
            ("uncertainty_ms", str(case.corrected.uncertainty_ms)),
        ),
    )


# --- content ------------------------------------------------------------------------------------------------------


def _changed(pair: tuple[Item, Known]) -> Finding:
    """The same path with other content: another recording under a name that came round again, or a changed file."""
    item, old = pair
    start = claimed(item).start
    again = bool(start and old.start and start - old.start > timedelta(milliseconds=FAT_STEP_MS))
    return Finding(
        severity=Severity.NOTE if again else Severity.WARN,
        code="content.changed",
        what=(
            "A name seen before now holds a later recording."
            if again
            else "A file seen before has another size or time now: it was changed on the recorder."
        ),
        remedy="Keep both recordings; find out what changed the file on the recorder, and report it.",
        evidence=(
            ("path", item.path),
            ("record", old.record),
            ("size", f"{old.size} → {item.size}"),
            ("modified", f"{_text(old.modified)} → {_text(item.modified)}"),
        ),
    )


def _differs(pair: tuple[Item, Known]) -> Finding:
    """The same, where only the folder's name says that it is the same recorder."""
    found = _changed(pair)
    if found.severity is Severity.NOTE:
        return found
    return replace(
        found,
        what="A file of this name in a folder of this name had another size or time before.",
        remedy="Both are kept. Look first whether two folders have the same name; else ask what changed the file.",
    )
