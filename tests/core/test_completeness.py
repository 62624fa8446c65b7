"""Holes, doubles and misplaced files are told once each, and an ordinary card tells nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import process_time

import pytest
from bwcdock.core.completeness import MAX_PER_CODE, Known, judge
from bwcdock.core.facts import Claim, Drift, Item, Kind, Severity
from hypothesis import given, settings
from hypothesis import strategies as st

NINE = datetime(2024, 5, 1, 1, 0, tzinfo=UTC)
NOW = NINE + timedelta(days=2)
NEVER = None


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def item(
    number: int, start: float | None = None, length=5.0, *, size=1000, kind=Kind.VIDEO, series="", activity="", path=""
) -> Item:
    begin = at(5 * number if start is None else start)
    end = begin + timedelta(minutes=length)
    return Item(
        path=path or f"DCIM/{number:04}.MP4",
        size=size,
        modified=end,
        claim=Claim(start=begin, end=end, source="name", zone="+08:00"),
        kind=kind,
        series=series,
        sequence=number,
        activity=activity,
    )


def known(old: Item) -> Known:
    return Known(
        record="r" + old.path,
        path=old.path,
        size=old.size,
        modified=old.modified,
        kind=old.kind,
        series=old.series,
        sequence=old.sequence,
        start=old.claim.start,
        end=old.claim.end,
    )


def codes(items, before=(), last=NEVER, drift=None) -> list[str]:
    return [f.code for f in judge(items, [known(old) for old in before], last, NOW, drift)]


def test_an_ordinary_card_tells_nothing():
    card = [item(n, activity="a") for n in range(1, 30)]
    assert codes(card) == []
    assert codes(card, card[:10], at(52)) == []
    assert codes([]) == []


# --- running numbers ----------------------------------------------------------------------------------------------


def test_a_hole_is_told_with_its_neighbours():
    (finding,) = judge([item(1), item(2), item(6)], [], NEVER, NOW, None)
    assert finding.what == "3 running numbers are missing between 2 and 6."
    assert ("before", "DCIM/0002.MP4") in finding.evidence
    assert ("after", "DCIM/0006.MP4") in finding.evidence
    assert finding.severity is Severity.WARN


def test_numbers_of_earlier_dockings_are_present():
    assert codes([item(1), item(4)], [item(2), item(3)]) == []
    assert codes([item(4)], [item(1), item(2)], at(16)) == ["sequence.hole"]


def test_a_hole_between_known_files_is_not_told_again():
    assert codes([item(1), item(4), item(5)], [item(1), item(4)], at(24)) == []
    assert codes([item(5)], [item(1), item(4)], at(24)) == []  # which are on the card no more


def test_zero_is_a_number_like_any_other():
    assert codes([item(0), item(2)]) == ["sequence.hole"]
    assert codes([item(0), item(1)]) == []


def test_series_count_for_themselves():
    card = [item(n, series=s, path=f"{s}{n}") for n in (1, 2, 3) for s in "AB"]
    assert codes(card) == []
    assert codes(card[:2] + card[4:]) == ["sequence.hole", "sequence.hole"]


def test_the_numbers_of_a_year_ago_do_not_fill_todays_hole():
    year_ago = [item(n, start=-525_600 + 5 * n, path=f"old/{n}") for n in range(1, 1000)]
    today = [item(n) for n in (1, 2, 5, 6)]
    assert codes(today, year_ago, at(6)) == ["sequence.hole"]
    assert codes([item(n) for n in (1, 2, 3, 4)], year_ago, at(6)) == []


def test_a_restarted_counter_is_a_note():
    (finding,) = judge([item(500, 0), item(501, 5), item(1, 10), item(2, 15)], [], NEVER, NOW, None)
    assert (finding.code, finding.severity) == ("sequence.hole", Severity.NOTE)


# --- overlaps and gaps --------------------------------------------------------------------------------------------


def test_two_films_at_the_same_time_overlap():
    (finding,) = judge([item(1, 0), item(2, 3)], [], NEVER, NOW, None)
    assert finding.code == "time.overlap"
    assert finding.what == "Two recordings of one recorder claim the same 2 min."


def test_a_file_inside_a_long_one_overlaps_also_when_others_lie_between():
    card = [item(1, 0, 60), item(2, 10, 1), item(3, 30, 1)]
    assert codes(card) == ["time.overlap", "time.overlap"]


def test_what_overlaps_is_told_with_the_first_that_reaches_as_far():
    photo = item(9, -1, 0, kind=Kind.PHOTO, series="p")  # what is none of these is passed over
    found = judge([photo, item(1, 0, 60), item(2, 30, 30), item(3, 40, 5)], [], NEVER, NOW, None)
    assert [dict(finding.evidence)["first"] for finding in found] == ["DCIM/0001.MP4"] * 2
    sound = item(2, 5, 5, activity="a", kind=Kind.AUDIO)
    card = [item(0, -9), item(1, 0, 10, activity="a"), sound, item(3, 30, activity="a")]
    (gap,) = judge(card, [], NEVER, NOW, None)
    assert dict(gap.evidence)["before"] == "DCIM/0001.MP4"


def test_an_inserted_file_overlaps_one_of_an_earlier_docking():
    assert codes([item(1, 0), item(2, 3)], [item(1, 0)]) == ["time.overlap"]
    assert codes([item(2, 3)], [item(1, 0)]) == ["time.overlap"]
    assert codes([item(1, 0), item(2, 3)], [item(1, 0), item(2, 3)]) == []


def test_no_overlap_within_resolution_of_photos_in_films_or_of_two_lenses():
    assert codes([item(1, 0), item(2, 5 - 0.9 / 60)]) == []
    assert codes([item(1, 0), item(2, 5 - 1 / 60)]) == []
    assert codes([item(1, 0), item(2, 5 - 1.1 / 60)]) == ["time.overlap"]
    assert codes([item(1, 0), item(2, 3, 0, kind=Kind.PHOTO)]) == []
    lenses = [item(n, series=s, path=f"{s}{n}") for n in (1, 2, 3) for s in ("front", "back")]
    assert codes(lenses) == []
    late = [item(1, 0, series="front"), item(1, 1 / 60, series="back", path="b")]
    assert codes(late) == []
    assert codes([late[0], item(1, 1.1 / 60, series="back", path="b")]) == ["time.overlap"]
    assert codes([item(1, 0, series="front"), item(2, 2, series="back")]) == ["time.overlap"]


def test_a_pause_inside_one_activity():
    assert codes([item(1, 0, activity="a"), item(2, 5 + 5.9 / 60, activity="a")]) == []
    assert codes([item(1, 0, activity="a"), item(2, 5 + 6 / 60, activity="a")]) == []
    assert codes([item(1, 0, activity="a"), item(2, 5 + 6.1 / 60, activity="a")]) == ["time.gap"]
    assert codes([item(1, 0, activity="a"), item(2, 60, activity="a")], [item(1, 0)]) == ["time.gap"]
    assert codes([item(1, 0, activity="a"), item(2, 60, activity="a")], [item(1, 0), item(2, 60)]) == []
    assert codes([item(1, 0, activity="a"), item(2, 60, activity="b")]) == []
    assert codes([item(1, 0), item(2, 60)]) == []
    (finding,) = judge([item(1, 0, activity="a"), item(2, 10, activity="a")], [], NEVER, NOW, None)
    assert finding.what == "Recording paused for 5 min inside one activity."
    assert "书面说明" in finding.remedy


def test_sidecars_are_not_recordings():
    film = item(1, 0)
    film = Item(path=film.path, size=1, modified=film.modified, claim=film.claim, kind=film.kind, sidecars=("DCIM/s",))
    assert codes([film, item(9, 1, path="DCIM/s")]) == []


# --- against the station's time -----------------------------------------------------------------------------------


def fast(minutes: float, bound="exact") -> Drift:
    return Drift(method="protocol", offset_ms=int(minutes * 60_000), uncertainty_ms=0, read_at=NOW, bound=bound)


def test_the_future_is_told_unless_the_drift_explains_it():
    late = [item(1, 2 * 1440 + 10)]
    assert codes(late) == ["time.future"]
    assert codes(late, drift=fast(20)) == []
    assert codes(late, drift=fast(16, "at_least")) == []
    assert codes([item(1, 2 * 1440 - 4.5)]) == []
    assert codes([item(1, 2 * 1440 + 61 / 60, 0)]) == []  # a minute, and the second that its name does not show
    assert codes([item(1, 2 * 1440 + 61.1 / 60, 0)]) == ["time.future"]
    begun = replace(late[0], modified=None, claim=replace(late[0].claim, end=None))
    assert codes([begun]) == ["time.future"]


def test_a_new_file_from_before_the_last_docking():
    assert codes([item(1)], last=at(9)) == []
    assert codes([item(1)], last=at(11)) == ["time.before_last_docking"]
    assert codes([item(1)], last=NEVER) == []
    assert codes([item(1)], [item(1)], last=at(11)) == []  # it was there then
    log = item(1, kind=Kind.OTHER, series="log", path="log")
    assert codes([log], last=at(11)) == []
    assert codes([log, item(1)], last=at(11)) == ["time.before_last_docking"]
    assert codes([item(1)], last=at(10 + 1 / 60)) == []  # within the second that its name does not show
    assert codes([item(1)], last=at(10 + 1.1 / 60)) == ["time.before_last_docking"]
    # The clock was slow by ten minutes: the file is really from after the docking.
    assert codes([item(1)], last=at(11), drift=fast(-10)) == []


def test_a_date_nobody_can_vouch_for_is_a_note():
    (unsure,) = judge([item(1)], [], at(60), NOW, None)
    (sure,) = judge([item(1)], [], at(60), NOW, fast(0))
    assert (unsure.severity, sure.severity) == (Severity.NOTE, Severity.WARN)


# --- content ------------------------------------------------------------------------------------------------------


def test_other_content_under_a_known_path():
    old = item(1)
    assert codes([item(1, size=999)], [old]) == ["content.changed"]
    longer = item(1, length=5.1)
    assert codes([longer], [old]) == ["content.changed"]
    (finding,) = judge([longer], [known(old)], NEVER, NOW, None)
    assert finding.severity is Severity.WARN
    assert ("record", "r" + old.path) in finding.evidence


def test_the_same_content_is_not_changed_by_fat_rounding_or_a_new_zone_setting():
    old = item(1)
    for shift in (timedelta(seconds=2), timedelta(hours=8), timedelta(hours=-1)):
        moved = Item(path=old.path, size=old.size, modified=old.modified + shift, claim=old.claim, kind=old.kind)
        assert codes([moved], [old]) == []


def test_what_has_no_time_is_known_by_its_size():
    timeless = replace(item(1), modified=None)
    assert codes([timeless], [item(1)]) == codes([item(1)], [timeless]) == []
    assert codes([replace(timeless, size=7)], [timeless]) == ["content.changed"]


def test_two_seconds_later_is_no_later_recording():
    for seconds, severity in ((2, Severity.WARN), (2.1, Severity.NOTE)):
        (finding,) = judge([item(1, seconds / 60)], [known(item(1, 0, size=7))], NEVER, NOW, None)
        assert (finding.code, finding.severity) == ("content.changed", severity)


def test_a_name_that_came_round_again_is_a_note():
    (finding,) = judge([item(1, 5000, path="x")], [known(item(1, 5, path="x"))], NEVER, at(9000), None)
    assert (finding.code, finding.severity) == ("content.changed", Severity.NOTE)


# --- how each is told ---------------------------------------------------------------------------------------------

TEN, DATED = "2024-05-01T02:00:00+00:00", {"method": "uncorrected", "uncertainty_ms": "1000"}


@pytest.mark.parametrize(
    ("items", "before", "what", "evidence"),
    [
        (
            [item(1, series="A"), item(3, series="A")], [],
            "1 running number is missing between 1 and 3 of series A.",
            {"series": "A", "before": "DCIM/0001.MP4", "after": "DCIM/0003.MP4", "missing": "1"},
        ),
        (
            [item(1), item(4)], [],
            "2 running numbers are missing between 1 and 4.",
            {"series": "", "before": "DCIM/0001.MP4", "after": "DCIM/0004.MP4", "missing": "2"},
        ),
        (
            [item(500, 0), item(501, 5), item(1, 10)], [],
            "498 running numbers are missing between 1 and 500; the counter was probably restarted.",
            {"series": "", "before": "DCIM/0001.MP4", "after": "DCIM/0500.MP4", "missing": "498"},
        ),
        (
            [item(1, 0, 60), item(2, 57)], [],
            "Two recordings of one recorder claim the same 3 min.",
            {
                "first": "DCIM/0001.MP4", "first_end": TEN, "second": "DCIM/0002.MP4",
                "second_start": "2024-05-01T01:57:00+00:00",
            },
        ),
        (
            [item(1, 0, 60, activity="a"), item(2, 62, activity="a")], [],
            "Recording paused for 2 min inside one activity.",
            {
                "activity": "a", "before": "DCIM/0001.MP4", "before_end": TEN, "after": "DCIM/0002.MP4",
                "after_start": "2024-05-01T02:02:00+00:00", "pause_ms": "120000",
            },
        ),
        (
            [item(1, 2 * 1440 + 60, 0)], [],
            "A file is dated 1 h in the future.",
            DATED | {
                "path": "DCIM/0001.MP4", "time": "2024-05-03T02:00:00+00:00", "against": "2024-05-03T01:00:00+00:00",
            },
        ),
        (
            [item(1, 60, 0)], [],
            "A new file is dated 1 h before the last docking, "
            "but was not there then: a clock set back, a later re-recording, or a file put in.",
            DATED | {"path": "DCIM/0001.MP4", "time": TEN, "against": "2024-05-01T03:00:00+00:00"},
        ),
        (
            [item(1, 60, 0)], [item(1, 60, 0, size=7)],
            "A file seen before has another size or time now: it was changed on the recorder.",
            {"path": "DCIM/0001.MP4", "record": "rDCIM/0001.MP4", "size": "7 → 1000", "modified": f"{TEN} → {TEN}"},
        ),
        (
            [item(1, 60, 0)], [replace(item(1, 60, 0, size=7), modified=None)],
            "A file seen before has another size or time now: it was changed on the recorder.",
            {"path": "DCIM/0001.MP4", "record": "rDCIM/0001.MP4", "size": "7 → 1000", "modified": f" → {TEN}"},
        ),
        (
            [item(1, 60, 0)], [item(1, 0, 0, size=7)],
            "A name seen before now holds a later recording.",
            {
                "path": "DCIM/0001.MP4", "record": "rDCIM/0001.MP4", "size": "7 → 1000",
                "modified": f"2024-05-01T01:00:00+00:00 → {TEN}",
            },
        ),
    ],
)  # fmt: skip
def test_each_says_what_it_rests_on(items, before, what, evidence):
    last = at(120) if "against" in evidence and "before the last" in what else NEVER
    (finding,) = judge(items, [known(old) for old in before], last, NOW, None)
    assert (finding.what, dict(finding.evidence)) == (what, evidence)
    assert finding.remedy.endswith(".")
    is_explained = "restarted" in what or "holds a later" in what or "uncorrected" in evidence.values()
    assert finding.severity is (Severity.NOTE if is_explained else Severity.WARN)


@pytest.mark.parametrize(
    ("basis", "is_sure"), [("protocol", True), ("", True), ("folder-name", False), ("none", False)]
)
def test_two_folders_of_one_name_may_be_two_recorders(basis, is_sure):
    old, later = item(1, size=7), item(1, 5000)
    (finding,) = judge([item(1)], [known(old)], NEVER, NOW, None, basis=basis)
    assert (finding.severity, "on the recorder" in finding.what) == (Severity.WARN, is_sure)
    assert ("two folders have the same name" in finding.remedy) is not is_sure
    assert dict(finding.evidence)["size"] == "7 → 1000"
    (again,) = judge([later], [known(old)], NEVER, at(9000), None, basis=basis)
    assert (again.severity, again.what) == (Severity.NOTE, "A name seen before now holds a later recording.")


# --- limits -------------------------------------------------------------------------------------------------------


def test_a_hostile_card_is_summed_up():
    card = [item(2 * n, 0.5 * n, 60) for n in range(1, 1001)]
    found = judge(card, [], at(99_999), NOW, None)
    for code in ("sequence.hole", "time.overlap", "time.before_last_docking"):
        of_code = [finding for finding in found if finding.code == code]
        assert len(of_code) == MAX_PER_CODE + 1
        assert "more findings" in of_code[-1].what
        assert of_code[-1].remedy.endswith(".")
        assert {finding.severity for finding in of_code} == {of_code[0].severity}
    last_hole = next(f for f in found if f.code == "sequence.hole" and "more findings" in f.what)
    assert dict(last_hole.evidence) == {"more": str(999 - MAX_PER_CODE), "total": "999"}


def test_the_pack_article_is_cited():
    found = judge([item(1), item(3)], [known(item(1, size=1))], NEVER, NOW, None, articles={"originals": "S3 第十一条"})
    assert {f.code: dict(f.evidence).get("article") for f in found} == {
        "sequence.hole": None,
        "content.changed": "S3 第十一条",
    }


def test_twenty_thousand_files_take_no_time_worth_noting():
    card = [item(n % 9_999 + 1, 5 * n, path=str(n)) for n in range(20_000)]
    began = process_time()
    judge(card, [known(old) for old in card[:10_000]], at(5 * 10_000), at(10**6), None)
    assert process_time() - began < 3  # measured 0.15 s; n² would take minutes


MOMENT = st.none() | st.datetimes(timezones=st.just(UTC))


@st.composite
def anything(draw):
    return Item(
        path=draw(st.sampled_from(["a", "b", "c", "d"])),
        size=draw(st.integers(0, 2)),
        modified=draw(MOMENT),
        claim=Claim(start=draw(MOMENT), end=draw(MOMENT), source="name", zone="+08:00"),
        kind=draw(st.sampled_from(Kind)),
        series=draw(st.sampled_from(["", "x"])),
        sequence=draw(st.none() | st.integers(-5, 10**12)),
        activity=draw(st.sampled_from(["", "y"])),
        sidecars=draw(st.sampled_from([(), ("a",)])),
    )


@settings(max_examples=150)
@given(
    items=st.lists(anything(), max_size=8),
    before=st.lists(anything(), max_size=4),
    last=MOMENT,
    offset=st.none() | st.integers(-(10**16), 10**16),
    bound=st.sampled_from(["exact", "at_least"]),
)
def test_no_card_makes_it_raise_and_the_answer_does_not_depend_on_the_order(items, before, last, offset, bound):
    drift = None
    if offset is not None:
        drift = Drift(method="gps", offset_ms=offset, uncertainty_ms=0, read_at=NOW, bound=bound)
    found = judge(items, [known(old) for old in before], last, NOW, drift)
    assert all(finding.remedy and finding.what.endswith(".") for finding in found)
    # Where paths are unique the order of listing changes nothing but the order of the per-file findings.
    if len({each.path for each in items}) == len(items):
        again = judge(items[::-1], [known(old) for old in before], last, NOW, drift)
        assert sorted(f.what for f in again) == sorted(f.what for f in found)
