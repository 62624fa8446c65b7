"""Says what a recorder's clock, battery and storage mean for its next duty."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bwcdock.core.clocks import zone_hint
from bwcdock.core.facts import Condition, Drift, Finding, Identity, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a figure becomes a finding.

    - ``drift_warn_ms`` 60 000: a minute. The start and end times are content of the record (S2 §11(1)), kept to the
      minute on paper; a clock further off contradicts the paper.
    - ``drift_note_ms`` 3 000: what GA/T 947.2 allows a recorder's clock per day. More than a day's worth is noted, so
      that a clock that runs away is seen before it is a minute off.
    - ``zone_tolerance_ms`` 30 000: how near to a whole quarter of an hour an offset must be to be called a zone
      mistake. By chance one offset in fifteen falls in there; the finding says "probably".
    - ``reading_age_s`` one day: a reading older than that has gone stale by ``drift_note_ms``.
    - ``battery_low_percent`` 20: a recorder runs 8 to 10 hours on a charge; a fifth is two hours at best, the
      length of one outing.
    - ``storage_free_low_percent`` 10 of the card, and
    - ``storage_free_low_bytes`` 5.2 GB: two hours at 2.6 GB an hour, the most GA/T 947.2 lets 1080p take. Capped at a
      quarter of the card, since a small card is not made larger by warning.
    """

    drift_warn_ms: int = 60_000
    drift_note_ms: int = 3_000
    zone_tolerance_ms: int = 30_000
    reading_age_s: int = 86_400
    battery_low_percent: int = 20
    storage_free_low_percent: int = 10
    storage_free_low_bytes: int = 5_200_000_000


def assess(
    identity: Identity,
    condition: Condition,
    limits: Limits,
    now: datetime,
    *,
    articles: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """What the condition of a recorder means, in fixed order: clock, battery, storage, card, the driver's own notes.

    ``articles`` gives the rule pack's article for each check (``clock``, ``battery``, ``storage``, ``device``), such as
    ``{"clock": "S4 第十一条"}``; it goes into the evidence. Nothing here is a refusal: footage is pulled from a
    recorder in any condition.
    """
    name = f"recorder {identity.serial}"
    found = (
        *_clock(name, condition.drift, limits, now),
        *_battery(name, condition.battery, limits),
        *_storage(name, condition, limits),
        *_card(name, condition),
    )
    return (*(cited(finding, articles) for finding in found), *condition.notes)


CHECKS = {
    "clock": "clock", "battery": "battery", "storage": "storage", "card": "device",
    "sequence": "continuity", "time": "continuity", "content": "originals",
}  # fmt: skip
"""Which check of the rule pack a finding belongs to, by the first word of its code."""


def cited(finding: Finding, articles: Mapping[str, str] | None) -> Finding:
    """The finding with the article that asks for its check, where the pack names one."""
    article = (articles or {}).get(CHECKS.get(finding.code.partition(".")[0], ""))
    if not article:
        return finding
    return replace(finding, evidence=(*finding.evidence, ("article", article)))


def span(ms: int) -> str:
    """A duration as people say it, without sign: ``2 d 3 h``, ``1 min 35 s``, ``0.4 s``."""
    seconds = abs(ms) // 1000
    if seconds < 10:
        return f"{abs(ms) / 1000:g} s"
    parts = ((seconds // 86_400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def _clock(name: str, drift: Drift | None, limits: Limits, now: datetime) -> tuple[Finding, ...]:
    if drift is None:
        return (_clock_unknown(name, "it cannot be read", ()),)
    evidence = (
        ("offset_s", f"{drift.offset_ms / 1000:g}"),
        ("uncertainty_s", f"{drift.uncertainty_ms / 1000:g}"),
        ("method", drift.method),
        ("bound", drift.bound),
        ("read_at", drift.read_at.isoformat()),
    )
    if now - drift.read_at > timedelta(seconds=limits.reading_age_s):
        return (_clock_unknown(name, "its last reading is too old", evidence),)
    if drift.bound == "at_least":
        return (_clock_bound(name, drift, limits, evidence),)
    # An offset within its own uncertainty is no offset.
    if abs(drift.offset_ms) <= max(limits.drift_note_ms, drift.uncertainty_ms):
        return ()
    off = _clock_off(name, drift, limits, evidence)
    minutes = zone_hint(drift.offset_ms, limits.zone_tolerance_ms + drift.uncertainty_ms)
    if minutes is None:
        return (off,)
    zone = Finding(
        severity=Severity.WARN,
        code="clock.zone",
        what=f"The clock of {name} is off by {minutes / 60:+g} h almost exactly: probably a wrong time zone.",
        remedy="Set the zone in the recorder's menu (时区) or in its quirk file, then set its clock (校时).",
        evidence=(*evidence, ("zone_minutes", str(minutes))),
    )
    return off, zone


def _clock_unknown(name: str, reason: str, evidence: tuple[tuple[str, str], ...]) -> Finding:
    return Finding(
        severity=Severity.NOTE,
        code="clock.unknown",
        what=f"The clock of {name} is not known: {reason}.",
        remedy="Compare the time on its screen with the station's and set it by hand if needed (校时).",
        evidence=evidence,
    )


def _clock_off(name: str, drift: Drift, limits: Limits, evidence: tuple[tuple[str, str], ...]) -> Finding:
    direction = "fast" if drift.offset_ms > 0 else "slow"
    return Finding(
        severity=Severity.WARN if abs(drift.offset_ms) > limits.drift_warn_ms else Severity.NOTE,
        code="clock.drift",
        what=(
            f"The clock of {name} is {span(drift.offset_ms)} {direction} "
            f"(± {span(drift.uncertainty_ms)}, measured by {drift.method})."
        ),
        remedy="Set its clock (校时) before it is issued again.",
        evidence=evidence,
    )


def _clock_bound(name: str, drift: Drift, limits: Limits, evidence: tuple[tuple[str, str], ...]) -> Finding:
    """A one-sided bound: a file from the future proves a fast clock; nothing proves a right one."""
    if abs(drift.offset_ms) <= max(limits.drift_note_ms, drift.uncertainty_ms):
        return _clock_unknown(name, "only a lower bound of its error is known", evidence)
    ahead = drift.offset_ms > 0
    return Finding(
        severity=Severity.WARN if abs(drift.offset_ms) > limits.drift_warn_ms else Severity.NOTE,
        code="clock.ahead" if ahead else "clock.behind",
        what=f"The clock of {name} is at least {span(drift.offset_ms)} {'fast' if ahead else 'slow'}, perhaps more.",
        remedy="Set its clock (校时); times of its recordings are shown uncorrected.",
        evidence=evidence,
    )


def _battery(name: str, percent: int | None, limits: Limits) -> tuple[Finding, ...]:
    if percent is None or not 0 <= percent <= 100:
        finding = Finding(
            severity=Severity.NOTE,
            code="battery.unknown",
            what=f"The battery of {name} is not known: it does not tell.",
            remedy="Look at its own display before it is issued again.",
        )
    elif percent < limits.battery_low_percent:
        finding = Finding(
            severity=Severity.WARN,
            code="battery.low",
            what=f"The battery of {name} is at {percent} %, below {limits.battery_low_percent} %.",
            remedy="Leave it docked to charge before it is issued again (充电).",
            evidence=(("percent", str(percent)), ("limit_percent", str(limits.battery_low_percent))),
        )
    else:
        return ()
    return (finding,)


def _storage(name: str, condition: Condition, limits: Limits) -> tuple[Finding, ...]:
    free, total = condition.storage_free, condition.storage_total
    if free is None or free < 0 or (total is not None and (total <= 0 or free > total)):
        return (
            Finding(
                severity=Severity.NOTE,
                code="storage.unknown",
                what=f"The free storage of {name} is not known.",
                remedy="Look at its own display before it is issued again.",
            ),
        )
    need = limits.storage_free_low_bytes
    if total is not None:
        need = max(total * limits.storage_free_low_percent // 100, min(need, total // 4))
    if free >= need:
        return ()
    share = f" ({free * 100 // total} %)" if total else ""
    return (
        Finding(
            severity=Severity.WARN,
            code="storage.low",
            what=f"The storage of {name} has {free / 1e9:.1f} GB free{share}, below {need / 1e9:.1f} GB.",
            remedy="Have its proven recordings released from it, or change its card (清理存储).",
            evidence=(("free", str(free)), ("total", str(total or "")), ("limit", str(need))),
        ),
    )


def _card(name: str, condition: Condition) -> tuple[Finding, ...]:
    if not condition.dirty:
        return ()
    return (
        Finding(
            severity=Severity.NOTE,
            code="card.dirty",
            what=f"The card of {name} was not closed properly: its last recording is probably cut short.",
            remedy="Check that the last recording plays to its end; ask why the recorder lost power.",
            evidence=(("dirty", "yes"),),
        ),
    )
