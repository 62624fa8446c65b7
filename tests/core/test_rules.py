"""What a recording obliges to, and how it stands: the table of worked deadlines, and what holds for all of them."""

import tomllib
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from bwcdock.core.calendar import Calendar
from bwcdock.core.facts import Corrected, Finding, Obligation, Severity
from bwcdock.core.local import Local, tighten
from bwcdock.core.rulepack import Period, Ruled, RulePack
from bwcdock.core.rules import EPOCH, Basis, Extension, Standing, archive_due, met_when, oblige, reckon, verdict
from hypothesis import given, settings
from hypothesis import strategies as st
from law import BY_CONSENT, CALENDAR, PACKS, ROOT, SHANGHAI, anyone, bases, cn, moments, spans, when

TABLE = tomllib.loads((ROOT / "tests/data/deadlines.toml").read_text(encoding="utf-8"))


def basis_of(case: dict[str, Any]) -> Basis:
    def at(key: str, table: dict[str, Any] = case) -> datetime | None:
        return table[key].replace(tzinfo=SHANGHAI) if key in table else None

    ended, granted = at("ended"), case.get("extension")
    listed = at("listed") or (ended and ended + timedelta(hours=1))
    assert listed is not None
    extension = None
    if granted:
        extension = Extension(by_role=granted["by"], reason=granted["reason"], granted_at=at("at", granted))
    return Basis(
        listed_at=listed,
        corrected=when(ended, doubt=timedelta(seconds=case.get("doubt_s", 0)), start=at("started")),
        not_before=at("not_before"),
        activity_end=at("activity_end"),
        returned=at("returned"),
        ground=case.get("ground", ""),
        extension=extension,
        tags=frozenset(case.get("tags", ())),
    )


def said(findings: tuple[Finding, ...]) -> list[str]:
    """Their codes, after a look at what each of them owes a person."""
    for finding in findings:
        assert finding.severity is Severity.WARN
        assert finding.what.endswith((".", "。"))
        assert "None" not in finding.what
        assert finding.remedy.endswith(".")
        assert set(dict(finding.evidence)) >= {"article", "quote"}
    return [finding.code for finding in findings]


def kept_from(obligation: Obligation) -> datetime:
    return datetime.fromisoformat(dict(obligation.rests_on)["kept_from"])


def clause_of(pack: RulePack, name: str) -> Ruled:
    clause = {"": pack.deadline, "away": pack.deadline.away, "extension": pack.deadline.extension}[name]
    assert clause is not None
    return clause


@pytest.mark.parametrize("case", TABLE["case"], ids=lambda case: case["name"])
def test_worked_deadlines(case: dict[str, Any]):
    pack, basis = PACKS[case["pack"]], basis_of(case)
    obligation, findings = oblige(pack, basis, CALENDAR, ("centre",))
    assert obligation.due.astimezone(SHANGHAI).replace(tzinfo=None) == case["due"]
    assert said(findings) == case.get("findings", [])
    assert obligation.article == case["article"]
    assert obligation.quote == clause_of(pack, case.get("clause", "")).quote
    assert obligation.met_by == pack.deadline.met_by
    reckoned, _ = reckon(pack, basis, CALENDAR)
    assert [day.day for day in reckoned.counted.days if day.counted] == case.get("counted", [])
    if later := case.get("later"):
        known = replace(basis, tags=basis.tags | set(later["tags"]))
        again, findings = oblige(pack, known, CALENDAR, ("centre",))
        assert again.due.astimezone(SHANGHAI).replace(tzinfo=None) == later["due"]
        assert said(findings) == later["findings"]


def test_the_table_has_its_worked_cases_for_each_pack():
    packs_ = [case["pack"] for case in TABLE["case"]]
    assert len({case["name"] for case in TABLE["case"]}) == len(packs_)
    assert all(packs_.count(pack) >= 8 for pack in ("S0", "S1", "S2", "S3", "S4"))


@pytest.mark.parametrize("case", TABLE["archive"], ids=lambda case: case["name"])
def test_the_case_file_has_its_own_clock(case: dict[str, Any]):
    (archive,) = PACKS[case["pack"]].archive
    counted = archive_due(archive, case["moment"].replace(tzinfo=SHANGHAI), CALENDAR)
    assert counted.due.astimezone(SHANGHAI).replace(tzinfo=None) == case["due"]
    assert sum(day.counted for day in counted.days) == archive.span.count


# --- what an obligation says of itself -------------------------------------------------------------------------------


def test_an_obligation_names_its_words_and_all_it_rests_on():
    basis = Basis(
        listed_at=cn(2025, 9, 30, 16),
        corrected=when(cn(2025, 9, 30, 15), doubt=timedelta(seconds=2), start=cn(2025, 9, 30, 14)),
        not_before=cn(2025, 9, 29, 9),
        activity_end=cn(2025, 9, 30, 17),
        returned=cn(2025, 9, 30, 18),
        ground="remote",
        extension=replace(BY_CONSENT, granted_at=cn(2025, 9, 30, 15, 30)),
        tags=frozenset({"evidence", "case"}),
    )
    obligation, _ = oblige(PACKS["S4"], basis, CALENDAR, ("centre",))
    assert "2个工作日内" in obligation.quote
    assert (obligation.pack, obligation.sinks) == (PACKS["S4"].name, ("centre",))
    assert (obligation.basis, obligation.basis_at) == ("recording_end", cn(2025, 9, 30, 14, 59, 58))
    assert obligation.rests_on == (
        ("listed_at", "2025-09-30T08:00:00.000+00:00"),
        ("not_before", "2025-09-29T01:00:00.000+00:00"),
        ("recording_start", "2025-09-30T06:00:00.000+00:00"),
        ("recording_end", "2025-09-30T07:00:00.000+00:00"),
        ("activity_end", "2025-09-30T09:00:00.000+00:00"),
        ("returned", "2025-09-30T10:00:00.000+00:00"),
        ("extension_granted_at", "2025-09-30T07:30:00.000+00:00"),
        ("clock_method", "protocol"),
        ("clock_uncertainty_ms", "2000"),
        ("ground", "remote"),
        ("extension", "unit-head: 连续执法"),
        ("tag", "case"),
        ("tag", "evidence"),
        ("zone", "Asia/Shanghai"),
        ("holidays_2025", CALENDAR.source(2025)),
        ("regulation", PACKS["S4"].title),
        ("pack_sha256", PACKS["S4"].digest),
        ("kept_as", "evidence"),
        ("kept_how", "permanent"),
        ("kept_from", "2025-09-30T07:00:02.000+00:00"),
    )


def test_what_is_not_known_is_left_out_of_what_it_rests_on():
    plain = Basis(listed_at=cn(2026, 12, 31, 16), corrected=when(None))
    obligation, _ = oblige(replace(PACKS["CLOSE"], digest=""), plain, CALENDAR, ())
    assert obligation.rests_on == (
        ("listed_at", "2026-12-31T08:00:00.000+00:00"),
        ("clock_method", "protocol"),
        ("clock_uncertainty_ms", "0"),
        ("zone", "Asia/Shanghai"),
        ("holidays_2026", CALENDAR.source(2026)),
        ("holidays_2027", "unpublished"),
        ("regulation", PACKS["CLOSE"].title),
        ("tightened", "span: 2 working_days -> 2 working_days, close 17:30"),
        ("tightened", "away_span: 2 working_days -> 2 working_days, close 17:30"),
        ("kept_as", "floor"),
        ("kept_how", "60 months"),
        ("kept_from", "2026-12-31T08:00:00.000+00:00"),
    )


def test_where_only_the_start_is_known_it_counts_from_the_start_and_says_so():
    started, docked = cn(2026, 6, 10, 14), cn(2026, 6, 10, 15)
    obligation, findings = oblige(
        PACKS["S1"], Basis(listed_at=docked, corrected=when(None, start=started)), CALENDAR, ()
    )
    assert (obligation.basis, obligation.basis_at, said(findings)) == ("recording_start", started, [])
    after = Basis(listed_at=docked, corrected=when(None, start=docked + timedelta(hours=1)))
    obligation, (finding,) = oblige(PACKS["S1"], after, CALENDAR, ())
    assert (obligation.basis, finding.code) == ("listed_at", "deadline.end-after-docking")
    assert "counts from docking instead" in finding.what


def test_a_refusal_names_the_tags_and_the_roles_and_the_words():
    basis = Basis(
        listed_at=cn(2026, 6, 10, 16), corrected=when(cn(2026, 6, 10, 15)), extension=BY_CONSENT,
        tags=frozenset({"dispute", "sudden-event", "evidence"}),
    )  # fmt: skip
    _, (finding,) = oblige(PACKS["S4"], basis, CALENDAR, ("centre",))
    assert "for 现场发生纠纷冲突、矛盾纠纷、突发事件、突发性案件; the" in finding.what
    assert "除外" in dict(finding.evidence)["quote"]
    s4, by = PACKS["S4"], tuple(role.id for role in PACKS["S4"].roles[:2])
    assert s4.deadline.extension is not None
    either = replace(s4.deadline, extension=replace(s4.deadline.extension, by=by))
    granted = replace(BY_CONSENT, by_role="nobody")
    _, (finding,) = oblige(
        replace(s4, deadline=either), replace(basis, tags=frozenset(), extension=granted), CALENDAR, ("centre",)
    )
    assert f"Only {s4.roles[0].label}、{s4.roles[1].label} may extend" in finding.what


@pytest.mark.parametrize(
    ("span", "due"),
    [
        (Period(unit="days", count=2, close=time(17, 30)), cn(2026, 6, 12, 17, 30)),
        (Period(unit="working_days", count=3, close=time(17, 30)), cn(2026, 6, 15, 17, 30)),
        (Period(unit="same_day", close=time(17, 30)), cn(2026, 6, 10, 17, 30)),
    ],
    ids=["days", "working days", "the same day"],
)
def test_a_close_of_business_ends_each_kind_of_period(span: Period, due: datetime):
    pack = replace(PACKS["S1"], deadline=replace(PACKS["S1"].deadline, span=span))
    basis = Basis(listed_at=cn(2026, 6, 10, 16), corrected=when(cn(2026, 6, 10, 15)))
    assert oblige(pack, basis, CALENDAR, ())[0].due == due


def test_an_unpublished_year_is_told_with_both_moments():
    basis = Basis(listed_at=cn(2026, 12, 31, 19), corrected=when(cn(2026, 12, 31, 18)), extension=BY_CONSENT)
    _, (finding,) = oblige(PACKS["S4"], basis, CALENDAR, ("centre",))
    assert "2027" in finding.what
    evidence = dict(finding.evidence)
    assert evidence["due"] == "2027-01-04T16:00:00.000+00:00"
    assert evidence["due at the earliest"] == "2027-01-02T16:00:00.000+00:00"
    before = replace(basis, corrected=when(cn(2026, 12, 30, 18)))
    _, (finding,) = oblige(PACKS["S4"], before, Calendar(zone="Asia/Shanghai"), ("centre",))
    assert "notice of 2026、2027 is" in finding.what


def test_a_central_store_without_a_sink_can_never_be_met():
    _, findings = oblige(
        PACKS["S2"], Basis(listed_at=cn(2026, 6, 8, 11), corrected=when(cn(2026, 6, 8, 10))), CALENDAR, ()
    )
    assert said(findings) == ["deadline.no-sink"]
    _, findings = oblige(PACKS["S2"], Basis(listed_at=cn(2026, 6, 8, 11), corrected=when(None)), CALENDAR, ())
    assert said(findings) == ["deadline.end-unknown", "deadline.no-sink"]


def test_reckoning_explains_every_day():
    basis = Basis(listed_at=cn(2026, 6, 12, 19), corrected=when(cn(2026, 6, 12, 18)), extension=BY_CONSENT)
    reckoned, _ = reckon(PACKS["S4"], basis, CALENDAR)
    assert [day.why.value for day in reckoned.counted.days] == ["start", "weekend", "weekend", "working", "working"]


@pytest.mark.parametrize("end", [EPOCH.replace(year=1), EPOCH.replace(year=9999)], ids=["year 1", "year 9999"])
@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS.keys())
def test_no_claim_is_too_wild_to_judge(pack: RulePack, end: datetime):
    corrected = when(end, doubt=timedelta(days=400_000))
    obligation, findings = oblige(pack, Basis(listed_at=cn(2026, 6, 12), corrected=corrected), CALENDAR, ("centre",))
    assert obligation.due <= cn(2026, 6, 17)
    assert said(findings)


def test_the_very_moment_of_docking_is_no_time_after_it():
    docked, hour = cn(2026, 6, 10, 15), timedelta(hours=1)
    for corrected, counted_from, codes in (
        (when(docked), "recording_end", []),
        (when(docked, start=docked - hour), "recording_end", []),
        (when(docked + hour, start=docked), "recording_start", ["deadline.end-after-docking"]),
    ):
        basis = Basis(listed_at=docked, corrected=corrected)
        obligation, findings = oblige(PACKS["S1"], basis, CALENDAR, ())
        assert (obligation.basis, obligation.basis_at, said(findings)) == (counted_from, docked, codes)


def test_what_was_made_at_the_very_return_was_made_away():
    back, docked = cn(2026, 6, 10, 15), cn(2026, 6, 10, 16)
    refused = ("recording_start", ["deadline.away-refused"])
    for start, told in ((back, ("returned", [])), (back + timedelta(seconds=1), refused), (docked, refused)):
        basis = Basis(listed_at=docked, corrected=when(None, start=start), ground="remote", returned=back)
        obligation, findings = oblige(PACKS["S0"], basis, CALENDAR, ())
        assert (obligation.basis, said(findings)) == told


def test_a_month_old_is_believed_and_a_second_more_is_doubted():
    ended = cn(2026, 5, 1, 9)
    for more, codes in ((timedelta(0), []), (timedelta(seconds=1), ["deadline.end-doubtful"])):
        basis = Basis(listed_at=ended + timedelta(days=31) + more, corrected=when(ended))
        obligation, findings = oblige(PACKS["S1"], basis, CALENDAR, ())
        assert (obligation.basis, obligation.basis_at, said(findings)) == ("recording_end", ended, codes)
        assert kept_from(obligation) == (basis.listed_at if codes else ended)


def test_the_very_moment_it_was_seen_without_the_file_is_no_time_before_it():
    seen, doubt = cn(2026, 6, 10, 15), timedelta(minutes=30)
    for corrected, counted_from in ((when(seen), "recording_end"), (when(seen - doubt, doubt=doubt), "not_before")):
        basis = Basis(listed_at=cn(2026, 6, 10, 16), corrected=corrected, not_before=seen)
        obligation, findings = oblige(PACKS["S1"], basis, CALENDAR, ())
        assert (obligation.basis, obligation.basis_at, findings) == (counted_from, seen, ())
        assert kept_from(obligation) == (seen if counted_from == "recording_end" else basis.listed_at)


def test_an_allowance_made_tighter_than_the_rule_itself_takes_no_time_away():
    hour = Period(unit="hours", count=1)
    s4, _ = tighten(PACKS["S4"], Local(extension_span=hour))
    s0, _ = tighten(PACKS["S0"], Local(away_span=hour))
    made = when(cn(2026, 6, 10, 9))
    extended = Basis(listed_at=cn(2026, 6, 10, 10), corrected=made, extension=BY_CONSENT)
    away = Basis(listed_at=cn(2026, 6, 10, 10), corrected=made, ground="remote", returned=cn(2026, 6, 10, 9, 30))
    assert oblige(s4, extended, CALENDAR, ())[0].due == cn(2026, 6, 11, 9)
    assert oblige(s0, away, CALENDAR, ())[0].due == cn(2026, 6, 11)


# --- keeping ---------------------------------------------------------------------------------------------------------


def kept(pack: str, *tags: str, corrected: Corrected | None = None, listed: datetime | None = None) -> Obligation:
    basis = Basis(
        listed_at=listed or cn(2026, 6, 12, 9), corrected=corrected or when(cn(2026, 6, 10, 15)), tags=frozenset(tags)
    )
    return oblige(PACKS[pack], basis, CALENDAR, ("centre",))[0]


def test_the_floor_counts_months_from_the_recording():
    assert kept("S1").keep_until == cn(2027, 6, 11)
    assert kept("S4", "guidance-only").keep_until == cn(2028, 6, 11)
    assert kept("S4", "guidance-only").keep_article == "第十九条第（一）项"


def test_the_longest_class_wins_and_names_its_article():
    assert (kept("S4", "case").permanent, kept("S4", "case").keep_article) == (True, "第十九条第（二）项")
    both = kept("S4", "guidance-only", "case", "dispute")
    assert (both.permanent, both.keep_until, both.keep_article) == (True, None, "第十九条第（三）项第3目")
    assert kept("S1", "obstruction").permanent


def test_untagged_footage_of_s4_is_marked_unclassified():
    assert ("kept_class", "unclassified") in kept("S4").rests_on
    assert ("kept_class", "unclassified") not in kept("S4", "guidance-only").rests_on
    assert ("kept_class", "unclassified") not in kept("S1").rests_on


@pytest.mark.parametrize(
    "corrected",
    [
        when(None),
        when(cn(2026, 6, 10, 15), method="uncorrected"),
        when(cn(1970, 1, 1), method="uncorrected"),
        when(cn(2015, 1, 1)),
        when(cn(2099, 1, 1)),
        when(cn(2026, 6, 12, 8, 59), doubt=timedelta(days=400)),
    ],
    ids=["no end", "not measured", "1970", "reset, then set right", "the future", "hardly known"],
)
def test_a_wrong_clock_never_sets_the_expiry(corrected: Corrected):
    assert kept("S1", corrected=corrected).keep_until == cn(2027, 6, 13)


def test_a_claim_before_the_recorder_was_last_seen_without_it_never_sets_the_expiry():
    basis = Basis(
        listed_at=cn(2026, 6, 12, 9), corrected=when(cn(2026, 6, 1, 9)), not_before=cn(2026, 6, 10, 9)
    )  # fmt: skip
    assert oblige(PACKS["S1"], basis, CALENDAR, ())[0].keep_until == cn(2027, 6, 13)


def test_the_uncertainty_of_the_end_lengthens_keeping():
    assert kept("S1", corrected=when(cn(2026, 6, 10, 23, 30), doubt=timedelta(hours=1))).keep_until == cn(2027, 6, 12)


# --- verdicts --------------------------------------------------------------------------------------------------------

OWED = kept("S1")  # recorded 10 June 15:00, due 11 June 15:00
DUE = cn(2026, 6, 11, 15)


def test_the_life_of_a_deadline():
    second = timedelta(seconds=1)
    assert verdict(OWED, None, DUE - timedelta(hours=6) - second).kind is Standing.NOT_DUE
    assert verdict(OWED, None, DUE - timedelta(hours=6)).kind is Standing.AT_RISK
    assert verdict(OWED, None, DUE - timedelta(hours=12), 0.5).kind is Standing.AT_RISK
    assert verdict(OWED, None, DUE - second).kind is Standing.AT_RISK
    assert verdict(OWED, None, DUE).kind is Standing.OVERDUE
    assert verdict(OWED, DUE - second, DUE + second).kind is Standing.MET
    assert verdict(OWED, DUE, DUE + second).kind is Standing.LATE
    assert (verdict(OWED, None, DUE).article, verdict(OWED, None, DUE).due) == ("第二十一条", DUE)


def test_seconds_left_round_down():
    assert verdict(OWED, None, DUE - timedelta(milliseconds=1500)).seconds_left == 1
    assert verdict(OWED, None, DUE + timedelta(milliseconds=1500)).seconds_left == -2
    assert verdict(OWED, DUE - timedelta(minutes=1), DUE + timedelta(days=9)).seconds_left == 60


def test_an_excuse_excuses_only_a_breach():
    assert verdict(OWED, None, DUE, excuse="扩展坞故障").kind is Standing.EXCUSED
    assert verdict(OWED, DUE, DUE, excuse="扩展坞故障").excuse == "扩展坞故障"
    on_time = verdict(OWED, DUE - timedelta(hours=1), DUE, excuse="扩展坞故障")
    assert (on_time.kind, on_time.excuse) == (Standing.MET, "")


def test_what_meets_the_deadline():
    sealed, first, second = cn(2026, 6, 10, 16), cn(2026, 6, 10, 17), cn(2026, 6, 10, 18)
    central = replace(OWED, met_by="confirmed", sinks=("a", "b"))
    assert met_when(OWED, sealed_at=sealed, confirmed=()) == sealed
    assert met_when(central, sealed_at=sealed, confirmed=[("a", first)]) is None
    assert met_when(central, sealed_at=sealed, confirmed=[("a", first), ("b", second), ("b", DUE)]) == second
    assert met_when(replace(central, sinks=()), sealed_at=sealed, confirmed=[("a", first)]) is None


# --- what holds for all ----------------------------------------------------------------------------------------------


@given(pack=anyone, basis=bases(), met=st.none() | moments, now=moments, ratio=st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_nothing_past_due_is_ever_called_not_due(
    pack: RulePack, basis: Basis, met: datetime | None, now: datetime, ratio: float
):
    obligation, _ = oblige(pack, basis, CALENDAR, ("centre",))
    said = verdict(obligation, met, now, ratio)
    if met is None:
        assert (said.kind is Standing.OVERDUE) == (now >= obligation.due)
    else:
        assert said.kind is (Standing.MET if met < obligation.due else Standing.LATE)


@given(pack=anyone, basis=bases())
@settings(max_examples=100, deadline=None)
def test_what_it_counts_from_is_among_what_it_rests_on(pack: RulePack, basis: Basis):
    obligation, findings = oblige(pack, basis, CALENDAR, ())
    named = datetime.fromisoformat(dict(obligation.rests_on)[obligation.basis])
    assert obligation.basis_at < max(named, EPOCH) + timedelta(milliseconds=1)
    said(findings)


@given(pack=anyone, basis=bases(), more=spans)
@settings(max_examples=150, deadline=None)
def test_more_doubt_is_never_due_later_nor_kept_shorter(pack: RulePack, basis: Basis, more: timedelta):
    doubt = basis.corrected.uncertainty_ms + more // timedelta(milliseconds=1)
    vaguer = replace(basis, corrected=replace(basis.corrected, uncertainty_ms=doubt))
    sure, unsure = (oblige(pack, each, CALENDAR, ("centre",))[0] for each in (basis, vaguer))
    assert unsure.due <= sure.due
    assert unsure.permanent or sure.keep_until is None or (unsure.keep_until or sure.keep_until) >= sure.keep_until


@given(pack=anyone, basis=bases(), tag=st.sampled_from(["dispute", "case", "evidence", "guidance-only"]))
@settings(max_examples=100, deadline=None)
def test_a_later_tag_never_gives_more_time_nor_keeps_shorter(pack: RulePack, basis: Basis, tag: str):
    before, _ = oblige(pack, basis, CALENDAR, ("centre",))
    after, _ = oblige(pack, replace(basis, tags=basis.tags | {tag}), CALENDAR, ("centre",))
    assert after.due <= before.due
    assert after.permanent or (after.keep_until is not None and after.keep_until == before.keep_until)


@given(pack=anyone, basis=bases(), ago=st.timedeltas(timedelta(0), timedelta(days=50)))
@settings(max_examples=100, deadline=None)
def test_keeping_never_ends_before_the_true_end_would_say(pack: RulePack, basis: Basis, ago: timedelta):
    """No true end is after listing; an unmeasured clock proves nothing, a measured one errs by its doubt at most."""
    truth = basis.listed_at - ago
    measured = basis.corrected.method != "uncorrected"
    if measured and basis.corrected.end is not None:
        doubt = timedelta(milliseconds=basis.corrected.uncertainty_ms)
        claimed = basis.corrected.end
        if abs(claimed - truth) > doubt:
            return
    obligation, _ = oblige(pack, replace(basis, tags=frozenset()), CALENDAR, ("centre",))
    assert obligation.keep_until is not None
    assert obligation.keep_until >= CALENDAR.end_of_months(truth, pack.floor.months).due
