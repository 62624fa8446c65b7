"""When something was recorded: the recorder's claim, set right by its clock's measured drift.

The rule table. "Claim" is what the name, EXIF, container or file time says; it is never overwritten.

====================  =====================  ===========================  ==========================================
claim has             besides there is       start is                     end is
====================  =====================  ===========================  ==========================================
start and end         –                      the claim                    the claim
start                 container's duration   the claim                    start + duration
start, a photo        –                      the claim                    start: a photo is a moment
start                 file time at most 6 h  the claim                    file time: a file is last written when its
                      later                                               recording ends
end                   container's duration   end - duration               the claim
nothing               file time              file time - duration, where  file time
                                             the duration is known
anything else         –                      what is there                what is there
====================  =====================  ===========================  ==========================================

Then, with an exact drift, both are moved by it: *corrected = claimed - offset* (a fast clock claims too late). A drift
of which only a lower bound is known corrects nothing. The container's own date corrects nothing either: QuickTime names
no zone and recorders stamp it at start or at close; :func:`container_clock` compares it with the claim and says so.

The uncertainty is a sum of named terms, each a bound (they may all err the same way):

1. the step of the claim's source (``resolution_ms``: a name shows whole seconds, FAT two);
2. how well the drift was measured (``drift.uncertainty_ms``);
3. what the clock may have wandered between the recording and that measurement: 3 s a day (GA/T 947.2 allows no more);
4. the file time's two seconds, where start or end was completed from it;
5. the bound itself, where the clock is only known to be off by at least that much.

Where nothing is known of the clock (``method="uncorrected"``) the sum covers only the sources; the clock's own error is
unknown then, not zero.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bwcdock.core.facts import Claim, Corrected, Drift, Finding, Item, Kind, MediaFacts, Severity

FAT_STEP_MS = 2_000
"""FAT keeps a file's modification time in steps of two seconds."""

WANDER_MS_PER_DAY = 3_000
"""The clock error GA/T 947.2 allows a recorder per day."""

LONGEST_FILE = timedelta(hours=6)
"""A file time later than this after the start is not the end of the recording: recorders cut files well below (4 GiB on
FAT32), and the commonest mistake, Beijing time read as UTC, is eight hours."""

ZONE_STEP_MS = 15 * 60_000
"""Every zone in use differs from UTC by a multiple of a quarter of an hour."""

ZONE_REACH_MS = 14 * 3_600_000
"""No zone in use is further from UTC; a larger difference is a wrong date, not a wrong zone."""

CONTAINER_TOLERANCE_MS = 5_000
"""Name, container and first frame are stamped at different moments of starting up; more than this is worth a note."""

UNSET_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
"""A container dated earlier was stamped by a clock that was never set, or counts from another epoch."""

UNCORRECTED = "uncorrected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Start and end by the recorder's own clock, completed by the rule table; ``resolution_ms`` is terms 1 and 4."""

    start: datetime | None
    end: datetime | None
    resolution_ms: int


def claimed(item: Item, media: MediaFacts | None = None) -> Claimed:
    """The item's claim with its missing end or start completed; by the recorder's clock, uncorrected."""
    start, end, step = item.claim.start, item.claim.end, item.claim.resolution_ms
    duration = media.duration_ms if media else None
    if start is None and end is None and item.modified:
        end, step = item.modified, max(step, FAT_STEP_MS)
    if start is not None and end is None:
        if duration is not None:
            end = shifted(start, duration)
        elif item.kind is Kind.PHOTO:
            end = start
        elif item.modified and timedelta(0) <= item.modified - start <= LONGEST_FILE:
            end, step = item.modified, step + FAT_STEP_MS
    elif start is None and end is not None and duration is not None:
        start = shifted(end, -duration)
    return Claimed(start=start, end=end, resolution_ms=step)


def correct(item: Item, drift: Drift | None, media: MediaFacts | None) -> Corrected:
    """When the item was recorded, with how that is known and how far it may be off; by the table and terms above.

    ``media`` is ``None`` before sealing; at sealing the container's duration gives a better end.
    """
    times = claimed(item, media)
    exact = drift if drift and drift.bound == "exact" else None
    offset = exact.offset_ms if exact else 0
    uncertainty = times.resolution_ms
    if exact:
        moment = times.start or times.end
        uncertainty += exact.uncertainty_ms + (wander_ms(moment, exact.read_at) if moment else 0)
    elif drift:
        uncertainty += abs(drift.offset_ms)
    return Corrected(
        start=shifted(times.start, -offset),
        end=shifted(times.end, -offset),
        method=exact.method if exact else UNCORRECTED,
        offset_ms=offset,
        uncertainty_ms=uncertainty,
    )


def wander_ms(recorded: datetime, read_at: datetime) -> int:
    """How far a clock may have wandered between a recording and its measurement, in whole milliseconds, rounded up."""
    seconds = abs((read_at - recorded) // timedelta(seconds=1)) + 1
    return -(-seconds * WANDER_MS_PER_DAY // 86_400)


def shifted(moment: datetime | None, ms: int) -> datetime | None:
    """The moment moved by ``ms``; ``None`` where there is none or the calendar ends (a hostile date)."""
    try:
        return moment + timedelta(milliseconds=ms) if moment else None
    except OverflowError:
        return None


def milliseconds(difference: timedelta) -> int:
    """A difference of two times in whole milliseconds, rounded down."""
    return difference // timedelta(milliseconds=1)


def zone_hint(difference_ms: int, tolerance_ms: int) -> int | None:
    """How many minutes of zone explain a difference of two times, or ``None``.

    The nearest multiple of 15 minutes other than zero, if it is at most 14 hours and ``tolerance_ms`` or less away.
    A tolerance of half a step or more would explain everything, so it is cut to a minute.
    """
    steps = round(difference_ms / ZONE_STEP_MS)
    near = abs(difference_ms - steps * ZONE_STEP_MS) <= min(tolerance_ms, 60_000)
    return steps * 15 if steps and near and abs(steps) * ZONE_STEP_MS <= ZONE_REACH_MS else None


def container_clock(item: Item, media: MediaFacts) -> tuple[Finding, ...]:
    """Compare the container's own date with the claim; a note where they disagree, nothing where they agree.

    They agree if the container was stamped at the start or at the end of the claim, in UTC or in the claim's own zone
    (the usual habit of recorders: local time written as if UTC). Another multiple of 15 minutes is a zone
    (``time.zone``), anything else is noted as it is (``time.container``): a clock that was changed between, or a file
    that was not made by this recorder in one go.
    """
    times = claimed(item, media)
    ends = [moment for moment in (times.start, times.end) if moment]
    if not media.started or media.started < UNSET_BEFORE or not ends or item.claim.source in ("media", "exif"):
        return ()
    differences = [milliseconds(media.started - moment) for moment in ends]
    tolerance = CONTAINER_TOLERANCE_MS + times.resolution_ms
    habit = _zone_offset_ms(item.claim)
    if any(abs(difference - usual) <= tolerance for difference in differences for usual in (0, habit)):
        return ()
    evidence = (
        ("path", item.path),
        ("claim", " / ".join(moment.isoformat() for moment in ends)),
        ("container", media.started.isoformat()),
        ("difference_ms", str(differences[0])),
    )
    for difference in differences:
        minutes = zone_hint(difference, tolerance)
        if minutes is not None:
            return (
                Finding(
                    severity=Severity.NOTE,
                    code="time.zone",
                    what=f"The container's date is {minutes / 60:+g} h from the claim: probably another time zone.",
                    remedy="Check the zone in the recorder's quirk file and in its menu (时区).",
                    evidence=(*evidence, ("zone_minutes", str(minutes))),
                ),
            )
    return (
        Finding(
            severity=Severity.NOTE,
            code="time.container",
            what=f"The container's date is {differences[0] / 1000:+.0f} s from the claimed start.",
            remedy="Ask whether the recorder's clock was changed, or the file made or edited elsewhere.",
            evidence=evidence,
        ),
    )


def _zone_offset_ms(claim: Claim) -> int:
    """The offset of the claim's zone at the claim; 0 where the zone is not known here."""
    moment = claim.start or claim.end
    try:
        if claim.zone[:1] in ("+", "-"):
            return milliseconds(datetime.fromisoformat(f"2000-01-01T00:00{claim.zone}").utcoffset() or timedelta(0))
        offset = moment.astimezone(ZoneInfo(claim.zone)).utcoffset() if moment else None
    except (KeyError, OSError, OverflowError, ValueError):
        return 0
    return milliseconds(offset or timedelta(0))
