"""Applies a bureau's own settings to its rule pack, the stricter ones only."""

from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from bwcdock.core.facts import Finding, Severity
from bwcdock.core.rulepack import Period, Ruled, RulePack

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """What a bureau sets for itself over its pack; ``None`` leaves the pack's value."""

    span: Period | None = None
    away_span: Period | None = None
    extension_span: Period | None = None
    met_by: Literal["sealed", "confirmed"] | None = None
    keep_months: int | None = None


def tighten(pack: RulePack, local: Local) -> tuple[RulePack, tuple[Finding, ...]]:
    """The pack with what the bureau made stricter.

    What would be looser is not applied, and is a finding that names the article: a setting never beats the law.
    """
    notes = _Notes()
    rule, floor = pack.deadline, pack.floor
    deadline = replace(
        rule,
        span=notes.period("span", local.span, rule.span, rule),
        away=rule.away
        and replace(rule.away, span=notes.period("away_span", local.away_span, rule.away.span, rule.away)),
        extension=rule.extension
        and replace(
            rule.extension,
            span=notes.period("extension_span", local.extension_span, rule.extension.span, rule.extension),
        ),
        met_by=notes.choose("met_by", local.met_by, rule.met_by, rule, stricter=local.met_by == "confirmed"),
    )
    stricter = (local.keep_months or 0) > floor.months
    months = notes.choose("keep_months", local.keep_months, floor.months, floor, stricter=stricter)
    for key, setting, clause in (
        ("away_span", local.away_span, rule.away),
        ("extension_span", local.extension_span, rule.extension),
    ):
        if setting is not None and clause is None:
            notes.loosened(key, str(setting), "nothing", rule)
    tightened = replace(
        pack,
        deadline=deadline,
        retention=tuple(replace(each, months=months) if each is floor else each for each in pack.retention),
        tightened=(*pack.tightened, *notes.words),
    )
    return tightened, tuple(notes.findings)


@dataclass(slots=True)
class _Notes:
    """What was changed, in words, and what was not allowed to."""

    words: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def choose(self, key: str, new: T | None, old: T, clause: Ruled, *, stricter: bool) -> T:
        """``new`` where it is set and stricter, else ``old``."""
        if new is None or new == old:
            return old
        if not stricter:
            self.loosened(key, str(new), str(old), clause)
            return old
        self.words.append(f"{key}: {old} -> {new}")
        return new

    def period(self, key: str, new: Period | None, old: Period, clause: Ruled) -> Period:
        return self.choose(key, new, old, clause, stricter=new is not None and _never_longer(new, old))

    def loosened(self, key: str, new: str, old: str, clause: Ruled) -> None:
        self.findings.append(
            Finding(
                severity=Severity.WARN,
                code="rules.loosened",
                what=f"The local setting {key} = {new} is looser than {clause.article} ({old}), which stands.",
                remedy=f"Remove {key} from local.toml, or set it stricter.",
                evidence=(("article", clause.article), ("quote", clause.quote), ("setting", key)),
            )
        )


def _never_longer(new: Period, old: Period) -> bool:
    """Whether ``new`` is shown to end no later than ``old``, from whatever moment both count."""
    if new.unit == "same_day":
        # What happens after a close of business has until 24:00 of its day: an earlier close is not always earlier.
        # n days and n working days end after the day they start on, whenever business closes.
        return old.close is None if old.unit == "same_day" else old.unit in {"days", "working_days"}
    if new.unit == old.unit:
        closes = old.close is None or (new.close is not None and new.close <= old.close)
        return new.count <= old.count and closes
    # n days run to 24:00 of the n-th day after the first, so they hold n times 24 hours; the same day may hold none.
    return new.unit == "hours" and old.close is None and new.count <= 24 * old.count
