"""Decides whether a recorder's clock is to be set, and by what it shows afterwards whether it took the time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bwcdock.core.checks import span
from bwcdock.core.clocks import wander_ms
from bwcdock.core.facts import Drift
from bwcdock.core.session import ClockSetting, Session, State

UNVOUCHED = "unvouched"
"""How the kernel's word on the station's clock begins where nobody vouches for that clock."""

How = Literal["protocol", "set-file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """When a clock is set at all.

    - ``enabled``: whether the bureau wants it.
    - ``beyond_ms``: how far off a clock must be that is told the time by its protocol.
    - ``file_beyond_ms``: how far off one must be that reads a file when it is next switched on. By then the file is
      late by as long as it lay there, so only a clock that is further off gains by it.
    - ``reading_age_s``: how old the measurement may be.
    """

    enabled: bool
    beyond_ms: int
    file_beyond_ms: int
    reading_age_s: int = 86_400

    def beyond(self, how: How) -> int:
        """The threshold for this way of setting it, in ms."""
        return self.beyond_ms if how == "protocol" else max(self.beyond_ms, self.file_beyond_ms)


def why_not(
    session: Session, drift: Drift | None, terms: Terms, *, how: How, station: str, now: datetime
) -> Literal["", "off", "state", "once", "unvouched", "unmeasured", "right"]:
    """Why the clock of this docking's recorder is not set now; empty where it is to be.

    Only a docking that is drained: never while something is pulled, never one that was refused or is at fault. Once a
    docking. Only by a clock that is vouched for, and only after it was measured: what its recordings claim can be
    corrected by the measurement alone, and nobody can measure it afterwards.
    """
    if not terms.enabled:
        return "off"
    if session.state is not State.DRAINED:
        return "state"
    if session.clock is not None:
        return "once"
    if station.startswith(UNVOUCHED):
        return "unvouched"
    if drift is None or now - drift.read_at > timedelta(seconds=terms.reading_age_s):
        return "unmeasured"
    # An offset within its own uncertainty is no offset.
    if abs(drift.offset_ms) <= max(terms.beyond(how), drift.uncertainty_ms):
        return "right"
    return ""


def came_of(
    setting: ClockSetting, drift: Drift | None, *, tolerance_ms: int
) -> Literal["taken", "ignored", "interrupted", "unread"]:
    """What a clock that is measured after a setting tells of it.

    One that was told the time must be right, but for what it may have wandered since. A file is read at some moment
    after it was written, and by that the clock may be late; but one that is as far off as before has not read it.
    ``unread``: the measurement tells nothing. ``interrupted``: it was not taken, and may never have been written.
    """
    if drift is None or drift.bound != "exact":
        return "unread"
    since = setting.set_to or setting.intended_at
    width_ms = tolerance_ms + drift.uncertainty_ms + wander_ms(since, drift.read_at)
    if abs(drift.offset_ms) <= width_ms:
        return "taken"
    lay_ms = max(0, round((drift.read_at - since) / timedelta(milliseconds=1)))
    is_late = setting.how == "set-file" and -lay_ms - width_ms <= drift.offset_ms < 0
    is_as_before = setting.before.bound == "exact" and abs(drift.offset_ms - setting.before.offset_ms) <= width_ms
    if is_late and not is_as_before:
        return "taken"
    return "ignored" if setting.stands == "written" else "interrupted"


def english(setting: ClockSetting) -> str:
    """How the clock of a recorder was set, and what it was off by before and after."""
    how, before = f"by {setting.how.replace('-', ' ')}", f"{_off(setting.before)} before"
    after = f", {_off(setting.after)} after" if setting.after else ""
    match setting.stands:
        case "taken":
            return f"set {how}: {before}{after}"
        case "written":
            return f"written {how}, to be compared at the next docking: {before}"
        case "not-set":
            return f"not set {how} ({setting.reason}): {before}{after}"
    return f"being set {how}, with no outcome yet: {before}"


def _off(drift: Drift) -> str:
    if not drift.offset_ms:
        return "right"
    at_least = "at least " if drift.bound == "at_least" else ""
    return f"{at_least}{span(drift.offset_ms)} {'fast' if drift.offset_ms > 0 else 'slow'}"
