"""The recorder's clock (0x5011): read as it stands, measured at the turn of a second, set where it can be set."""

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from bwcdock.core.facts import Drift, Finding, Severity
from bwcdock.errors import NotAllowed

from bwcdock_drivers.naming import to_utc
from bwcdock_drivers.quirks import zone as named

from .containers import Op, Prop, Shown, pack_text, shown
from .datasets import prop_desc, text_value
from .protocol import Refused, Session

TURN_S: Final = 1.2
"""How long a clock is asked again and again for its second to turn: once a second, and a little for slow answers."""

PAUSE_S: Final = 0.01

_ZONE = re.compile(r"(?:Z|[+-][0-9]{4})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A clock as it stood. ``turned``: its second turned within ``wide_ms`` before ``at_s`` (monotonic seconds);
    otherwise it may show any moment of its second.
    """

    text: str
    time: Shown
    at_s: float
    wide_ms: int
    turned: bool


def is_settable(session: Session) -> bool:
    """Whether the recorder has a clock that may be set."""
    if Prop.CLOCK not in session.info.props or Op.SET_PROP_VALUE not in session.info.operations:
        return False
    try:
        return prop_desc(session.fetch(Op.GET_PROP_DESC, Prop.CLOCK)).settable
    except Refused:
        return False


def read(session: Session) -> Reading | str | None:
    """The clock; the raw text where it is no time, ``None`` where there is no clock."""
    if Prop.CLOCK not in session.info.props:
        return None
    until = time.monotonic() + TURN_S
    before: tuple[str, float] | None = None
    while True:
        began_s = time.monotonic()
        try:
            text = text_value(session.fetch(Op.GET_PROP_VALUE, Prop.CLOCK))
        except Refused:
            return None
        ended_s = time.monotonic()
        found = shown(text)
        if found is None:
            return text
        # The turn fell between the asking before, whose answer was the old second, and the end of this one.
        if before is not None and before[0][:15] != text[:15]:
            wide_ms = round((ended_s - before[1]) * 1000) + 1
            return Reading(text=text, time=found, at_s=ended_s, wide_ms=wide_ms, turned=True)
        if ended_s > until:
            return Reading(text=text, time=found, at_s=ended_s, wide_ms=round((ended_s - began_s) * 1000), turned=False)
        before = (text, began_s)
        time.sleep(PAUSE_S)


def drift(reading: Reading, zone: str, now: datetime, since_s: float) -> Drift | None:
    """How far the clock is from the station's; ``now`` was ``since_s`` in monotonic seconds.

    ``zone`` is what is assumed of a clock that names none. ``None`` where it shows a year that no recorder shows.
    """
    showed = to_utc(reading.time.naive, reading.time.zone or zone)
    if showed is None:
        return None
    at = now + timedelta(seconds=reading.at_s - since_s)
    # At the turn it showed the full second some time within the last wide_ms; else somewhere in that second as well.
    span_ms = reading.wide_ms if reading.turned else reading.wide_ms + 1000
    middle = timedelta(milliseconds=reading.wide_ms / 2 if reading.turned else (reading.wide_ms - 1000) / 2)
    return Drift(
        method="protocol",
        offset_ms=round((showed - (at - middle)) / timedelta(milliseconds=1)),
        uncertainty_ms=span_ms // 2 + 1,
        read_at=at,
    )


def notes(reading: Reading | str | None, zone: str) -> list[Finding]:
    """What a person should know of a clock: that it names no zone, or shows no time."""
    if isinstance(reading, str):
        told = Finding(
            severity=Severity.WARN,
            code="clock.nonsense",
            what="What the recorder shows as its time is none.",
            remedy="Look at its screen, and set its clock by hand (校时).",
            evidence=(("shown", ascii(reading[:60])),),
        )
        return [told]
    if reading is None or reading.time.zone:
        return []
    told = Finding(
        severity=Severity.NOTE,
        code="clock.no_zone",
        what=f"The recorder's clock names no zone; it is taken for {zone}.",
        remedy="Check the zone in its menu (时区); a quirk file says it where it is another.",
        evidence=(("shown", ascii(reading.text[:60])), ("zone", zone)),
    )
    return [told]


def set_to(session: Session, zone: str, now: datetime, since_s: float, like: Reading) -> None:
    """Set the clock at a full second, in the zone it shows, or in ``zone`` where it shows none."""
    ahead_s = 1 - now.microsecond / 1e6
    local = now + timedelta(seconds=ahead_s)
    if like.time.zone:
        sign = -1 if like.time.zone[0] == "-" else 1
        hours, minutes = int(like.time.zone[1:3]), int(like.time.zone[4:])
        local = local.astimezone(timezone(sign * timedelta(hours=hours, minutes=minutes)))
    else:
        local = local.astimezone(named(zone))
    tail = _ZONE.search(like.text)
    time.sleep(max(0.0, since_s + ahead_s - time.monotonic()))
    try:
        session.give(Op.SET_PROP_VALUE, Prop.CLOCK, pack_text(f"{local:%Y%m%dT%H%M%S}{tail[0] if tail else ''}"))
    except Refused as refused:
        raise NotAllowed("set", f"The clock was not set: {refused}.", "Set it by hand (校时).") from refused
