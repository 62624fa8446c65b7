"""What the tests of the law share: the shipped packs, a calendar that knows nothing after 2026, and any basis."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from bwcdock import packs
from bwcdock.core.calendar import Calendar
from bwcdock.core.facts import Corrected
from bwcdock.core.local import Local, tighten
from bwcdock.core.rulepack import Period
from bwcdock.core.rules import Basis, Extension
from bwcdock.holidays_cn import build
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
SHANGHAI = ZoneInfo("Asia/Shanghai")
# A later edition of the package will know 2027; these tests speak of a station that does not.
CALENDAR = Calendar(zone="Asia/Shanghai", years=tuple(y for y in build("Asia/Shanghai").years if y.year <= 2026))
BY_CONSENT = Extension(by_role="unit-head", reason="连续执法")
RULES = [ROOT / "config/rules"]
PACKS = {name[:2]: packs.load(name, RULES) for name in packs.available(RULES)}
TO_CLOSE = Period(unit="working_days", count=2, close=time(17, 30))
PACKS["CLOSE"], _ = tighten(PACKS["S2"], Local(span=TO_CLOSE, away_span=TO_CLOSE))


def cn(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=SHANGHAI)  # type: ignore[misc, arg-type]


def when(
    end: datetime | None,
    *,
    doubt: timedelta = timedelta(0),
    method: str = "protocol",
    start: datetime | None = None,
) -> Corrected:
    doubt_ms = doubt // timedelta(milliseconds=1)
    return Corrected(start=start, end=end, method=method, offset_ms=0, uncertainty_ms=doubt_ms)


moments = st.datetimes(
    datetime.fromisoformat("2025-01-01"), datetime.fromisoformat("2026-11-01"), timezones=st.just(UTC)
)
wild = st.datetimes(timezones=st.just(UTC))
spans = st.timedeltas(timedelta(0), timedelta(days=40))


@st.composite
def bases(draw: st.DrawFn) -> Basis:
    listed = draw(moments)
    near = st.builds(lambda back: listed - back, st.timedeltas(timedelta(days=-3), timedelta(days=50)))
    end = draw(st.none() | near | wild)
    start = draw(st.none() | near)
    method = draw(st.sampled_from(["protocol", "newest-file", "uncorrected"]))
    doubt = draw(spans) // timedelta(milliseconds=1)
    return Basis(
        listed_at=listed,
        corrected=Corrected(start=start, end=end, method=method, offset_ms=0, uncertainty_ms=doubt),
        not_before=draw(st.none() | near),
        activity_end=draw(st.none() | near),
        returned=draw(st.none() | near),
        ground=draw(st.sampled_from(["", "remote", "nowhere"])),
        extension=draw(st.none() | st.builds(replace, st.just(BY_CONSENT), granted_at=st.none() | near)),
        tags=frozenset(draw(st.sets(st.sampled_from(["dispute", "case", "evidence", "guidance-only"])))),
    )


anyone = st.sampled_from(sorted(PACKS)).map(PACKS.__getitem__)
