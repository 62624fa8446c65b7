"""Judges by a rule pack: what one recording obliges to, and how it stands against that now.

Every doubt with a known bound is settled on the strict side: a deadline counts from the earliest moment the recording
can have ended, keeping from the latest. A doubt without one is said aloud.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import floor

from bwcdock.core.calendar import Calendar, Counted
from bwcdock.core.facts import Corrected, Finding, Obligation, Severity
from bwcdock.core.rulepack import Archive, Away, Deadline, Extending, Keep, Period, Retention, Ruled, RulePack, Term

__all__ = [
    "AT_RISK_RATIO", "EPOCH", "Basis", "Extension", "Reckoned", "RulePack", "Standing", "Verdict",
    "archive_due", "longer_kept", "met_when", "oblige", "reckon", "verdict",
]  # fmt: skip

AT_RISK_RATIO = 0.25
"""A deadline is at risk in the last quarter of its span: six hours of twenty-four, one shift's notice."""

PLAUSIBLE_AGE = timedelta(days=31)
"""How long footage may lie on a recorder before its claimed age is doubted: longer than any trip, shorter than a clock
that fell back to its factory date. Doubt only makes keeping longer."""

ONE_ACTIVITY = timedelta(hours=24)
"""How long after a recording its day's activity (当天执法活动) may be said to have ended: a day and a night."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CENTURY = timedelta(days=36525)
"""Claims and uncertainties from outside are bounded, so that no arithmetic on them can overflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """A person let the deadline be extended: in which role (a role id of the pack), why, and when he said so."""

    by_role: str
    reason: str
    granted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What is known about one recording when the law speaks; when more becomes known, it speaks again.

    ``listed_at`` is the station's time at which the file was first listed: it cannot have ended later. ``not_before``
    is the last time the same recorder was listed without it: it cannot have ended earlier. ``activity_end`` and
    ``returned`` are statements of people; ``ground`` is the id of the away case's ground; ``tags`` are tag ids.
    """

    listed_at: datetime
    corrected: Corrected
    not_before: datetime | None = None
    activity_end: datetime | None = None
    returned: datetime | None = None
    ground: str = ""
    extension: Extension | None = None
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoned:
    """How a deadline came about: the clause that speaks, what it counts from, the days counted."""

    clause: Deadline | Away | Extending
    basis: str
    basis_at: datetime
    counted: Counted


# --- obliging ------------------------------------------------------------------------------------------------------


def oblige(
    pack: RulePack, basis: Basis, calendar: Calendar, sinks: tuple[str, ...]
) -> tuple[Obligation, tuple[Finding, ...]]:
    """What the pack asks for this recording, with everything a person should know about how sure that is."""
    reckoned, findings = reckon(pack, basis, calendar)
    kept, kept_from, kept_until = _keeping(pack, basis, calendar)
    if pack.deadline.met_by == "confirmed" and not sinks:
        what = f"{pack.deadline.article} is met by the central store, and no sink is configured: it can never be met."
        findings += (_finding("deadline.no-sink", what, "Configure the sink the regulation names.", pack.deadline),)
    return Obligation(
        pack=pack.name,
        article=reckoned.clause.article,
        quote=reckoned.clause.quote,
        due=reckoned.counted.due,
        basis=reckoned.basis,
        basis_at=reckoned.basis_at,
        met_by=pack.deadline.met_by,
        sinks=sinks,
        keep_article=kept.article,
        keep_until=kept_until,
        permanent=kept_until is None,
        rests_on=(*_inputs(pack, basis, calendar, reckoned), *_kept_on(pack, basis, kept, kept_from)),
    ), findings


def reckon(pack: RulePack, basis: Basis, calendar: Calendar) -> tuple[Reckoned, tuple[Finding, ...]]:
    """When this recording is due, by which clause. An allowance (away, extension) can only add time."""
    rule = pack.deadline
    counted_from, basis_at, findings = _starts(pack, basis)
    best = Reckoned(clause=rule, basis=counted_from, basis_at=basis_at, counted=_count(calendar, basis_at, rule.span))
    returned, said = _away(pack, basis)
    findings += said
    if rule.away is not None and returned is not None:
        counted = _count(calendar, returned, rule.away.span)
        away = Reckoned(clause=rule.away, basis="returned", basis_at=returned, counted=counted)
        best = max(best, away, key=_due)
    said = _refused_extension(pack, basis, best.counted.due)
    findings += said
    if rule.extension is not None and basis.extension is not None and not said:
        counted = _count(calendar, best.basis_at, rule.extension.span)
        extended = Reckoned(clause=rule.extension, basis=best.basis, basis_at=best.basis_at, counted=counted)
        best = max(best, extended, key=_due)
    return best, findings + _unpublished(best)


def longer_kept(now: Obligation, promised: Obligation) -> Obligation:
    """``now``, kept at least as long as was ``promised``: what a person says later never shortens it."""
    if now.permanent or (not promised.permanent and (now.keep_until or EPOCH) >= (promised.keep_until or EPOCH)):
        return now
    return replace(
        now, keep_article=promised.keep_article, keep_until=promised.keep_until, permanent=promised.permanent
    )


def archive_due(archive: Archive, moment: datetime, calendar: Calendar) -> Counted:
    """By when the case's file must hold its footage; ``moment`` is when the case closed or the inspection ended."""
    return _count(calendar, moment, archive.span)


def _due(reckoned: Reckoned) -> datetime:
    return reckoned.counted.due


def _count(calendar: Calendar, moment: datetime, period: Period) -> Counted:
    match period.unit:
        case "hours":
            return calendar.add_hours(moment, period.count)
        case "days":
            return calendar.end_of_days(moment, period.count, close=period.close)
        case "working_days":
            return calendar.end_of_working_days(moment, period.count, close=period.close)
        case "same_day":
            return calendar.end_of_same_day(moment, close=period.close)


def _starts(pack: RulePack, basis: Basis) -> tuple[str, datetime, tuple[Finding, ...]]:
    """The moment the clock of the deadline starts: the earliest the recording (or the activity) can have ended."""
    if pack.deadline.basis == "recording_end" or basis.activity_end is None:
        return _recorded(pack, basis)
    # An activity that ends after docking has not ended for the footage docked.
    ended, made = min(basis.activity_end, basis.listed_at), _believable_end(basis)
    if made is None or ended - made <= ONE_ACTIVITY:  # a sum might lie beyond the year 9999
        return "activity_end", ended, ()
    what = f"The activity is said to have ended more than a day after the recording; {pack.deadline.article} means that"
    remedy = "Have the officer state when the activity of that day ended, or write down why the deadline was missed."
    refused = _finding("deadline.activity-refused", f"{what} day's.", remedy, pack.deadline)
    counted_from, basis_at, said = _recorded(pack, basis)
    return counted_from, basis_at, (refused, *said)


def _recorded(pack: RulePack, basis: Basis) -> tuple[str, datetime, tuple[Finding, ...]]:
    """The earliest the recording can have ended, what that rests on, and every doubt without a bound."""
    start, end = basis.corrected.start, basis.corrected.end
    remedy = "Compare the recorder's clock with the station's, and have the officer state when the recording ended."
    counted_from, claimed = "recording_end", end
    if end is None:
        counted_from, claimed = "recording_start", start
    if claimed is None:
        what = "When the recording ended is not known; its deadline counts from docking, the latest it can have been."
        return "listed_at", basis.listed_at, (_finding("deadline.end-unknown", what, remedy, pack.deadline),)
    said: tuple[Finding, ...] = ()
    disproved, since = _earliest(basis, claimed) > basis.listed_at, "docking"
    if end is not None and start is not None and start <= basis.listed_at < end:
        # Of an end that cannot be only the start is left: it ended after that, and nobody can say how long after.
        counted_from, claimed, since = "recording_start", start, "the start it claims"
    if disproved:
        what = f"The recorder claims a time after docking; its deadline counts from {since} instead."
        said = (_finding("deadline.end-after-docking", what, remedy, pack.deadline),)
    earliest = _earliest(basis, claimed)
    if earliest > basis.listed_at:
        return "listed_at", basis.listed_at, said
    not_before = min(basis.not_before or EPOCH, basis.listed_at)
    if earliest < not_before and basis.not_before is not None:
        if claimed + _uncertainty(basis) >= not_before:
            return "not_before", not_before, said
        what = "The recorder claims a time before it was last docked without this file; the deadline counts from then."
        return "not_before", not_before, (*said, _finding("deadline.end-disproved", what, remedy, pack.deadline))
    if basis.listed_at - earliest > PLAUSIBLE_AGE:
        what = "The recording would be more than a month old; its deadline may rest on a clock that was reset."
        return counted_from, earliest, (*said, _finding("deadline.end-doubtful", what, remedy, pack.deadline))
    return counted_from, earliest, said


def _earliest(basis: Basis, claimed: datetime) -> datetime:
    return max(claimed, EPOCH) - _uncertainty(basis)


def _uncertainty(basis: Basis) -> timedelta:
    return min(timedelta(milliseconds=max(basis.corrected.uncertainty_ms, 0)), CENTURY)


def _away(pack: RulePack, basis: Basis) -> tuple[datetime | None, tuple[Finding, ...]]:
    """The return the away case counts from, where the case applies; else why it does not."""
    if not basis.ground:
        return None, ()
    away = pack.deadline.away
    clause = away or pack.deadline
    # Footage docked at the unit was back at the unit, whatever return was written down later.
    returned = None if basis.returned is None else min(basis.returned, basis.listed_at)
    made = basis.corrected.start or basis.corrected.end
    remedy = "Complete the trip's entry, or write down why the deadline was missed."
    if away is None:
        what = f"{clause.article} knows no case for officers away from the unit; the ordinary deadline stands."
    elif basis.ground not in _ids(away.grounds):
        what = f"The ground {basis.ground!r} is none of those in {clause.article}; the ordinary deadline stands."
    elif returned is None:
        what = (
            f"{clause.article} counts from the return to the unit, and none is recorded; the ordinary deadline stands."
        )
    elif made is not None and returned < made <= basis.listed_at:
        what = f"The recording was made after the return; {clause.article} leaves it the ordinary deadline."
    else:
        return returned, ()
    return None, (_finding("deadline.away-refused", what, remedy, clause),)


def _refused_extension(pack: RulePack, basis: Basis, due: datetime) -> tuple[Finding, ...]:
    """Why an extension that was granted does not count; empty where it counts, or none was granted."""
    granted = basis.extension
    if granted is None:
        return ()
    rule = pack.deadline.extension
    clause = rule or pack.deadline
    if rule is None:
        what = f"{clause.article} knows no extension; the ordinary deadline stands."
    elif barred := sorted(basis.tags & set(rule.barred_by)):
        names = "、".join(term.label for term in pack.tags if term.id in barred)
        what = f"{clause.article} forbids an extension for {names}; the ordinary deadline stands."
    elif granted.by_role not in rule.by:
        names = "、".join(term.label for term in pack.roles if term.id in rule.by)
        what = f"Only {names} may extend under {clause.article}, not {granted.by_role!r}; the ordinary deadline stands."
    elif not granted.reason.strip():
        what = f"{clause.article} extends for a special reason, and none is written; the ordinary deadline stands."
    elif granted.granted_at is not None and granted.granted_at >= due:
        what = f"The extension was granted after the deadline of {clause.article} had passed; it mends nothing."
    else:
        return ()
    remedy = "Store the footage now, and write down why it is late."
    return (_finding("deadline.extension-refused", what, remedy, clause),)


def _unpublished(reckoned: Reckoned) -> tuple[Finding, ...]:
    """Say aloud that a deadline rests on a year whose holidays are not known."""
    counted = reckoned.counted
    if not counted.unpublished:
        return ()
    years = "、".join(map(str, counted.unpublished))
    finding = _finding(
        "calendar.unpublished",
        f"The holiday notice of {years} is not known: weekends count as days off, all other days as working days.",
        "Enter the State Council's notice in holidays.toml, or update the chinesecalendar package.",
        reckoned.clause,
    )
    bounds = (("due", _text(counted.due)), ("due at the earliest", _text(counted.earliest)))
    return (replace(finding, evidence=(*finding.evidence, *bounds)),)


# --- keeping -------------------------------------------------------------------------------------------------------


def _keeping(pack: RulePack, basis: Basis, calendar: Calendar) -> tuple[Retention, datetime, datetime | None]:
    """The class that keeps longest of all that apply, what it counts from, and until when (``None``: no end)."""
    order = list(Keep)
    classes = [rule for rule in pack.retention if not rule.tags or basis.tags & set(rule.tags)]
    kept = max(classes, key=lambda rule: (order.index(rule.keep), rule.months))
    latest = _latest_end(basis)
    if kept.keep is not Keep.MONTHS:
        return kept, latest, None
    return kept, latest, calendar.end_of_months(latest, kept.months).due


def _latest_end(basis: Basis) -> datetime:
    """The latest the recording can have ended. A clock not measured, or a claim too old to believe, proves nothing."""
    end = _believable_end(basis)
    if end is None:
        return basis.listed_at
    # The order matters: a claim in the year 9999 must not overflow.
    return min(min(end, basis.listed_at) + _uncertainty(basis), basis.listed_at)


def _believable_end(basis: Basis) -> datetime | None:
    """The claimed end of the recording, where a measured clock claims it and nothing known speaks against its age."""
    end = basis.corrected.end
    if end is None or basis.corrected.method == "uncorrected":
        return None
    if end < basis.listed_at - PLAUSIBLE_AGE or (basis.not_before is not None and end < basis.not_before):
        return None
    return end


# --- judging -------------------------------------------------------------------------------------------------------


class Standing(StrEnum):
    """How a recording stands against its deadline."""

    NOT_DUE = "not_due"
    AT_RISK = "at_risk"
    OVERDUE = "overdue"
    """Past due and not stored."""
    LATE = "late"
    """Stored, after it was due."""
    MET = "met"
    EXCUSED = "excused"
    """Overdue or late, with an excuse a person accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A judgement with the article it rests on.

    ``seconds_left`` is whole seconds, rounded down, from now (or from when it was met) to due; negative once past.
    """

    kind: Standing
    article: str
    due: datetime
    seconds_left: int
    excuse: str = ""


def met_when(
    obligation: Obligation, *, sealed_at: datetime | None, confirmed: Iterable[tuple[str, datetime]]
) -> datetime | None:
    """When the footage was stored as the rule means it: sealed on the dock, or confirmed by every sink it names.

    ``confirmed`` are pairs of sink and moment; of a sink confirmed twice, the first counts.
    """
    if obligation.met_by == "sealed":
        return sealed_at
    first: dict[str, datetime] = {}
    for sink, at in confirmed:
        first[sink] = min(at, first.get(sink, at))
    if not obligation.sinks or not all(sink in first for sink in obligation.sinks):
        return None
    return max(first[sink] for sink in obligation.sinks)


def verdict(
    obligation: Obligation,
    met_at: datetime | None,
    now: datetime,
    at_risk_ratio: float = AT_RISK_RATIO,
    excuse: str = "",
) -> Verdict:
    """How it stands at ``now``; ``met_at`` is from :func:`met_when`. At the moment it is due, it is too late."""
    left = obligation.due - (now if met_at is None else met_at)
    past = left <= timedelta(0)
    if met_at is not None:
        kind = Standing.LATE if past else Standing.MET
    elif past:
        kind = Standing.OVERDUE
    else:
        at_risk = left <= (obligation.due - obligation.basis_at) * at_risk_ratio
        kind = Standing.AT_RISK if at_risk else Standing.NOT_DUE
    if past and excuse:
        kind = Standing.EXCUSED
    return Verdict(
        kind=kind,
        article=obligation.article,
        due=obligation.due,
        seconds_left=floor(left / timedelta(seconds=1)),
        excuse=excuse if kind is Standing.EXCUSED else "",
    )


# --- words -----------------------------------------------------------------------------------------------------------


def _inputs(pack: RulePack, basis: Basis, calendar: Calendar, reckoned: Reckoned) -> tuple[tuple[str, str], ...]:
    """Everything the deadline was computed from, in a fixed order; what is not known is left out."""
    extension = basis.extension
    moments = (
        ("listed_at", basis.listed_at),
        ("not_before", basis.not_before),
        ("recording_start", basis.corrected.start),
        ("recording_end", basis.corrected.end),
        ("activity_end", basis.activity_end),
        ("returned", basis.returned),
        ("extension_granted_at", extension.granted_at if extension else None),
    )
    years = sorted({day.day.year for day in reckoned.counted.days})
    return (
        *((key, _text(moment)) for key, moment in moments if moment is not None),
        ("clock_method", basis.corrected.method),
        ("clock_uncertainty_ms", str(basis.corrected.uncertainty_ms)),
        *((("ground", basis.ground),) if basis.ground else ()),
        *((("extension", f"{extension.by_role}: {extension.reason}"),) if extension else ()),
        *(("tag", tag) for tag in sorted(basis.tags)),
        ("zone", calendar.zone),
        *((f"holidays_{year}", calendar.source(year) or "unpublished") for year in years),
        ("regulation", pack.title),
        *((("pack_sha256", pack.digest),) if pack.digest else ()),
        *(("tightened", words) for words in pack.tightened),
    )


def _kept_on(pack: RulePack, basis: Basis, kept: Retention, kept_from: datetime) -> tuple[tuple[str, str], ...]:
    unclassified = not kept.tags and pack.floor.only not in {"", *basis.tags}
    return (
        ("kept_as", kept.id),
        ("kept_how", f"{kept.months} months" if kept.months else kept.keep.value),
        ("kept_from", _text(kept_from)),
        *((("kept_class", "unclassified"),) if unclassified else ()),
    )


def _finding(code: str, what: str, remedy: str, clause: Ruled) -> Finding:
    evidence = (("article", clause.article), ("quote", clause.quote))
    return Finding(severity=Severity.WARN, code=code, what=what, remedy=remedy, evidence=evidence)


def _ids(terms: Iterable[Term]) -> set[str]:
    return {term.id for term in terms}


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
