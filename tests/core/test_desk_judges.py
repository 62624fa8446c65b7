"""What follows from what people stated: who must agree, what is owed and by when, whose a recording is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from bwcdock.core.desk import attribution, cases, equipment, expiring, explaining, owing, people
from bwcdock.core.desk.access import Access, approval_for
from bwcdock.core.desk.attribution import Own
from bwcdock.core.desk.cases import ArchiveDue, Case
from bwcdock.core.desk.circumstances import Circumstances, basis_of
from bwcdock.core.desk.devices import Device, Issue
from bwcdock.core.desk.holds import Hold, keeping
from bwcdock.core.desk.people import Person, Team
from bwcdock.core.desk.times import Activity, Extension, Trip
from bwcdock.core.facts import Corrected
from bwcdock.core.rulepack import Approval, Archive, Equipment, Interruption, Period, Term, Unrecorded
from bwcdock.core.rules import Basis, Standing, archive_due, oblige, verdict
from bwcdock.core.rules import Extension as Allowed
from bwcdock.core.statements import Label
from law import CALENDAR, PACKS
from lives import CORRECTED, STORED, item, life, listed, obliged, pulled, sealed

T0 = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
S4 = PACKS["S4"]
RULED = {"article": "第一条", "quote": "…"}


def at(hours: float) -> datetime:
    return T0 + hours * HOUR


def matter(shape, of, /, state="active", **more):
    return shape(id=of, state=state, since=T0, at=T0, by="x", **more)


# --- seeing, copying, giving out --------------------------------------------------------------------------------------

PLAIN = Approval(**RULED, act="copy", chain=("unit-head",))
PRIVATE = Approval(**RULED, act="copy", chain=("unit-leader",), when="privacy")
SECRET = Approval(**RULED, act="copy", chain=("unit-leader", "unit-head"), when="secret")
VIEW = Approval(**RULED, act="view_inside", chain=("administrator",))


@pytest.mark.parametrize(
    ("rules", "act", "labels", "rule"),
    [
        ((VIEW, PLAIN, PRIVATE, SECRET), "copy", (), PLAIN),
        ((VIEW, PLAIN, PRIVATE, SECRET), "copy", (Label(tags=frozenset({"case"})),), PLAIN),
        ((VIEW, PLAIN, PRIVATE, SECRET), "view_inside", (Label(sensitive="secret"),), VIEW),
        ((VIEW, PLAIN, PRIVATE, SECRET), "copy", (Label(), Label(sensitive="privacy")), PRIVATE),
        ((VIEW, PLAIN, PRIVATE, SECRET), "copy", (Label(tags=frozenset({"secret"})),), SECRET),
        ((VIEW, SECRET, PRIVATE), "copy", (Label(sensitive="privacy"), Label(sensitive="secret")), SECRET),
        ((VIEW, PRIVATE, SECRET), "copy", (), None),
        ((VIEW, PLAIN), "publish", (), None),
    ],
)
def test_which_rule_of_approval_speaks(rules, act, labels, rule):
    assert approval_for(replace(S4, approvals=rules), act, labels) == rule


# --- cases ------------------------------------------------------------------------------------------------------------

TWO_DAYS = Archive(**RULED, basis=("inspection_ended", "case_closed"), span=Period(unit="days", count=2))
ONE_DAY = Archive(**RULED, basis=("case_closed",), span=Period(unit="days", count=1))
FILING = replace(S4, archive=(TWO_DAYS, ONE_DAY))


def due(archive: Archive, basis: str, moment: datetime) -> ArchiveDue:
    return ArchiveDue(archive=archive, basis=basis, basis_at=moment, counted=archive_due(archive, moment, CALENDAR))


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (matter(Case, "1", "open"), None),
        (matter(Case, "1", "closed", inspection_ended=T0), due(TWO_DAYS, "inspection_ended", T0)),
        (matter(Case, "1", "closed", case_closed=T0), due(ONE_DAY, "case_closed", T0)),
        (
            matter(Case, "1", "closed", inspection_ended=at(-48), case_closed=T0),
            due(TWO_DAYS, "inspection_ended", at(-48)),
        ),
        (matter(Case, "1", "archived", case_closed=T0), None),
    ],
)
def test_by_when_a_case_file_holds_its_footage(case, said):
    assert cases.due(case, FILING, CALENDAR) == said
    assert cases.due(case, replace(S4, archive=()), CALENDAR) is None


def test_what_belongs_to_no_case_is_loose():
    bound = (Label(case="1"), Label(unrelated=True), Label(tags=frozenset({"guidance-only"})))
    assert [cases.is_loose(label) for label in (Label(), Label(tags=frozenset({"case"})), *bound)] == [True] * 2 + [
        False
    ] * 3


# --- the end of keeping -----------------------------------------------------------------------------------------------

KEPT_UNTIL = at(0)
DONE = (*STORED, obliged(keep_until=KEPT_UNTIL))
UNCLASSIFIED = obliged(keep_until=KEPT_UNTIL, rests_on=(("kept_class", "unclassified"),))
ARTICLE = {"article": "第十四条"}


def request(state, **more):
    asked = {
        "act": "copy", "applicant": "003", "requested_by": "003", "reason": "x", "records": ("r1",), "chain": (),
        **RULED,
    }  # fmt: skip
    return matter(Access, "a1", state, **asked | more)


def hold(**named):
    return matter(
        Hold, named.pop("of", "h1"), named.pop("state", "placed"), **{"reason": "诉讼", "placed_by": "x"} | named
    )


@pytest.mark.parametrize(
    ("facts", "holds", "requests", "why"),
    [
        (DONE, (), (), None),
        (DONE[:4], (), (), ("kept.until", {"until": "2024-10-28T04:00:00+00:00", **ARTICLE})),
        ((listed(), pulled(), sealed()), (), (), ("kept.unjudged", {})),
        ((*STORED, obliged(permanent=True)), (), (), ("kept.for-ever", ARTICLE)),
        ((*STORED, obliged(keep_until=None)), (), (), ("kept.for-ever", ARTICLE)),
        (
            (*STORED, obliged(keep_until=KEPT_UNTIL + SECOND)), (), (),
            ("kept.until", {"until": "2026-03-02T08:00:01+00:00", **ARTICLE}),
        ),
        ((listed(), pulled(), sealed(), DONE[-1]), (), (), ("kept.unfinished", {})),
        ((*STORED, UNCLASSIFIED), (), (), ("kept.unclassified", ARTICLE)),
        (DONE, (hold(device="A001"),), (), ("kept.hold", {"hold": "h1", "reason": "诉讼"})),
        (DONE, (hold(person="003"),), (), ("kept.hold", {"hold": "h1", "reason": "诉讼"})),
        (DONE, (hold(device="B"), hold(state="lifted", device="A001")), (), None),
        (DONE, (), (request("requested"),), ("kept.request", {"request": "a1"})),
        (DONE, (), (request("granted"),), ("kept.request", {"request": "a1"})),
        (DONE, (), (request("refused"), request("granted", used=(1,)), request("granted", records=("r2",))), None),
    ],
)  # fmt: skip
def test_what_keeps_a_recording_whose_time_has_come(facts, holds, requests, why):
    now = T0 if facts != DONE[:4] else datetime(2024, 10, 28, 3, tzinfo=UTC)
    said = expiring.why_kept(life(*facts), {"003"}, now, holds, requests)
    assert (said and (said.code, dict(said.evidence))) == why
    assert said is None or said.what.endswith((".", ")", "诉讼"))


def test_a_hold_keeps_what_its_span_touches():
    start, end = CORRECTED.start, CORRECTED.end
    record, shortest = life(listed()), timedelta(milliseconds=1)
    for named, fits in (
        ({"since_recorded": end}, True),
        ({"since_recorded": end + shortest}, False),
        ({"until_recorded": start}, True),
        ({"until_recorded": start - shortest}, False),
    ):
        assert hold(**named).fits(record, ()) is fits
    for known in ({"end": None}, {"start": None}):
        half = life(listed(corrected=replace(CORRECTED, **known)))
        moment = half.corrected.start or half.corrected.end
        assert hold(since_recorded=moment, until_recorded=moment).fits(half, ())
        assert not hold(since_recorded=moment + shortest).fits(half, ())
        assert not hold(until_recorded=moment - shortest).fits(half, ())
    unknown = life(listed(corrected=replace(CORRECTED, start=None, end=None)))
    assert hold(since_recorded=T0, until_recorded=T0).fits(unknown, ())
    there = replace(record, label=Label(place="五一广场"))
    assert hold(place="广场").fits(there, ())
    assert not hold(place="公园").fits(there, ())
    first, second = hold(device="A001"), hold(of="h2", device="A001")
    assert keeping(record, (), (hold(device="B"), first, second)) is first
    assert keeping(record, (), (hold(device="B"),)) is None


# --- whose it is ------------------------------------------------------------------------------------------------------

WANG = matter(Person, "003", name="王", user_numbers=("7",))
LI = matter(Person, "004", name="李", user_numbers=("8", "9"))
TWIN = matter(Person, "005", name="赵", user_numbers=("9",))
ALL = (WANG, LI, TWIN)


def issue(to, hours, back=None):
    returned = None if back is None else at(back)
    return Issue(to=to, at=at(hours), by="x", expected_back=None, checked=(), findings=(), returned_at=returned)


def device(*issues, of="A001", state="in_service", **more):
    return matter(Device, of, state, issues=issues, **more)


def test_who_held_it_from_the_moment_of_issue_to_the_moment_of_return():
    mine = device(issue("003", 1, 2), issue("004", 3))
    shown = {1 - 0.001: "", 1: "003", 2 - 0.001: "003", 2: "", 3: "004"}
    assert {hours: mine.holder_at(at(hours)) for hours in shown} == shown


def test_everybody_a_recording_may_be_by():
    mine = device(issue("003", -99_999))
    record = life(listed(item=item(officer="8")))
    assert attribution.holder_of(record, mine) == "003"
    assert attribution.holder_of(record, None) == ""
    assert attribution.officers_of(record, {"A001": mine}, ALL) == {"003", "004", "8"}
    assert attribution.officers_of(record, {}, ()) == {"8"}
    assert attribution.officers_of(life(listed()), {}, ALL) == frozenset()
    assert attribution.shown(frozenset({"004", "8", "003"}), {"003": WANG, "004": LI}) == ("003", "004")
    assert attribution.shown(frozenset({"9", "8"}), {}) == ("8", "9")


def test_by_what_ones_own_recordings_are_found():
    devices = (device(issue("003", 1, 2), issue("004", 3)), device(issue("003", 5), of="B"))
    assert attribution.own("003", devices, ALL) == Own(
        numbers=("003", "7"), spans=(("A001", at(1), at(2)), ("B", at(5), None))
    )
    assert attribution.own("004", devices, ALL).numbers == ("004", "8")  # 9 may be another's
    assert attribution.own("nobody", devices, ALL) == Own(numbers=("nobody",), spans=())


OUT = issue("003", 1)


@pytest.mark.parametrize(
    ("register", "users", "told"),
    [
        (None, ["9"], {}),
        (device(OUT), ["7", "003", ""], {}),
        (device(), [], {}),
        (
            device(OUT, state="repair"), ["7"],
            {"device.state": "A001 is repair in the register and was docked."},
        ),
        (device(OUT), ["77"], {"device.user-unknown": "A001 names user 77, whom the register does not know."}),
        (device(OUT), ["8"], {"device.lent": "A001 is issued to 003 and was used by 004."}),
        (device(), ["7"], {"device.not-issued": "A001 was used by 003 and is issued to nobody."}),
        (
            device(OUT, state="lost"), ["8", "77", "78", "005", "77"],
            {
                "device.state": "A001 is lost in the register and was docked.",
                "device.lent": "A001 is issued to 003 and was used by 004.",
                "device.user-unknown": "A001 names user 77, whom the register does not know.",
            },
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_register(register, users, told):
    found = attribution.judge("A001", users, register, ALL, S4)
    assert {finding.code: finding.what for finding in found} == told
    assert [finding.code for finding in found] == list(told)
    for finding in found:
        assert finding.severity.value == "warn"
        assert finding.remedy.endswith(".")
        rule = next(duty for duty in S4.duties if duty.id == "no-lending")
        lent = (("article", rule.article), ("quote", rule.quote))
        assert finding.evidence == (lent if finding.code == "device.lent" else ())


def test_a_pack_that_says_nothing_of_lending_is_not_cited():
    (finding,) = attribution.judge("A001", ["8"], device(OUT), ALL, replace(S4, duties=()))
    assert finding.evidence == ()


# --- roles ------------------------------------------------------------------------------------------------------------


def test_the_roles_of_a_station_are_the_packs_and_the_houses():
    assert people.roles_of(S4) == (*S4.roles, *people.HOUSE_ROLES)
    own = Term(id="auditor", label="审计")
    assert people.roles_of(replace(S4, roles=(*S4.roles, own))) == (*S4.roles, own, people.HOUSE_ROLES[1])


def test_who_has_too_much_in_one_hand():
    def who(*roles, state="active"):
        return matter(Person, "/".join(roles), state, name="x", roles=roles)

    both = who("auditor", "keeper", "officer")
    three = who("system-administrator", "administrator", "auditor")
    fine = (who("administrator", "keeper"), who("auditor", "system-administrator"), who("officer"), who())
    gone = who("administrator", "auditor", state="left")
    assert people.in_one_hand((both, *fine, gone, three)) == (
        (both, ("keeper", "auditor")),
        (three, ("administrator", "auditor", "system-administrator")),
    )


# --- explanations -----------------------------------------------------------------------------------------------------

REASONS, GROUNDS = (Term(id="a", label="甲"),), (Term(id="b", label="乙"),)
BREAK = Interruption(**RULED, reasons=REASONS, spoken=True, written=True, report_to="unit-head")
NONE = Unrecorded(**RULED, grounds=GROUNDS, signed_by="unit-leader")
LATE = replace(S4.deadline, extension=replace(S4.deadline.extension, by=("administrator",)))
KNOWS = replace(
    S4,
    deadline=LATE,
    interruption=BREAK,
    unrecorded=NONE,
    approvals=(VIEW, PRIVATE, replace(PLAIN, chain=("unit-leader",))),
)
KNOWS_NOTHING = replace(KNOWS, interruption=None, unrecorded=None, deadline=replace(S4.deadline, extension=None))
NOBODY_NAMED = replace(KNOWS, interruption=replace(BREAK, report_to=""), unrecorded=replace(NONE, signed_by=""))
CHAINS = ("administrator", "unit-leader")


@pytest.mark.parametrize(
    ("pack", "what", "reasons", "signers"),
    [
        (KNOWS, "not_recorded", GROUNDS, ("unit-leader",)),
        (KNOWS, "interruption", REASONS, ("unit-head",)),
        (KNOWS, "late", (), ("administrator",)),
        (KNOWS, "device_fault", (), ("unit-head",)),
        *((KNOWS_NOTHING, what, (), CHAINS) for what in ("not_recorded", "interruption", "late", "device_fault")),
        (NOBODY_NAMED, "not_recorded", GROUNDS, CHAINS),
        (NOBODY_NAMED, "interruption", REASONS, CHAINS),
        (replace(KNOWS, unrecorded=None), "not_recorded", (), ("unit-head",)),
        (replace(KNOWS, interruption=None), "not_recorded", GROUNDS, ("unit-leader",)),
    ],
)
def test_which_reasons_there_are_and_who_signs(pack, what, reasons, signers):
    assert (explaining.reasons(pack, what), explaining.signers(pack, what)) == (reasons, signers)


# --- what bears on a deadline -----------------------------------------------------------------------------------------


def trip(of, back, ground="remote", *, state="back", start=-9, device="A001", **more):
    ended = None if back is None else at(back)
    return matter(Trip, of, state, person="003", device=device, ground=ground, out=at(start), back=ended, **more)


def activity(ended, began=-9, device="A001"):
    return matter(Activity, "d", person="003", device=device, began=at(began), ended=at(ended))


def extension(until, reason="x", since=-9, device="A001", granted=T0):
    more = {"since_recorded": at(since), "until_recorded": at(until), "reason": reason, "role": "unit-head"}
    return replace(matter(Extension, "m", device=device, **more), at=granted)


def test_what_covers_a_moment_covers_its_first_and_its_last():
    for one in (trip("t", 2, start=1), activity(2, 1), extension(2, since=1)):
        hours = {1 - 0.001: False, 1: True, 2: True, 2 + 0.001: False}
        assert {hour: one.covers("A001", at(hour)) for hour in hours} == hours
        assert not one.covers("B", at(1))
    assert trip("t", None, start=1, state="out").covers("A001", at(99))


MADE = Corrected(start=at(0), end=at(1), method="protocol", offset_ms=0, uncertainty_ms=0)


def test_nothing_stated_is_nothing_known():
    assert basis_of("A001", MADE, at(2)) == Basis(listed_at=at(2), corrected=MADE)
    seen = basis_of("A001", MADE, at(2), not_before=at(-1), tags=frozenset({"case"}))
    assert seen == Basis(listed_at=at(2), corrected=MADE, not_before=at(-1), tags=frozenset({"case"}))


def test_of_several_that_fit_the_first_to_end_counts():
    told = Circumstances(
        trips=(
            trip("t1", 5), trip("t2", 3, "overtime"), trip("t3", None, "open", state="out"), trip("t4", 2, device="B"),
        ),
        activities=(activity(7), activity(6), activity(0.5), activity(2, device="B")),
        extensions=(
            extension(4, "late", granted=at(1)), extension(9, "soon"), extension(9, "not", device="B", granted=at(-9)),
        ),
    )  # fmt: skip
    assert basis_of("A001", MADE, at(4), told=told) == Basis(
        listed_at=at(4), corrected=MADE, activity_end=at(6), returned=at(3), ground="overtime",
        extension=Allowed(by_role="unit-head", reason="soon", granted_at=T0),
    )  # fmt: skip
    # One that is out has not come back before it docked: docking is then the earlier.
    assert basis_of("A001", MADE, at(2), told=told).ground == "open"
    only_start = replace(MADE, end=None)
    assert basis_of("A001", only_start, at(4), told=told).activity_end == at(0.5)
    assert basis_of("A001", replace(only_start, start=None), at(4), told=told) == Basis(
        listed_at=at(4), corrected=replace(only_start, start=None)
    )


# --- what may be owed by what is out ----------------------------------------------------------------------------------


def may_owe(*devices, docked=None, trips=(), activities=(), pack=PACKS["S1"], now=24):
    told = Circumstances(trips=trips, activities=activities)
    return owing.may_owe(devices, docked or {}, told, pack, CALENDAR, at(now), 0.5)


def owed(since, pack=PACKS["S1"], method="issue", listed=24, **more):
    moment = Corrected(start=since, end=since, method=method, offset_ms=0, uncertainty_ms=0)
    return oblige(pack, Basis(listed_at=at(listed), corrected=moment, **more), CALENDAR, ())[0]


def test_a_recorder_that_is_out_may_owe_from_its_issue_or_from_when_it_was_last_emptied():
    out = replace(OUT, expected_back=at(9))
    (one,) = may_owe(device(out))
    assert (one.device, one.holder, one.since, one.expected_back, one.last_seen) == ("A001", "003", at(1), at(9), None)
    assert (one.obligation, one.ground, one.away) == (owed(at(1)), "", False)
    assert one.verdict == verdict(owed(at(1)), None, at(24), 0.5)
    (early,) = may_owe(device(out), now=14)
    assert early.verdict.kind is Standing.AT_RISK
    (emptied,) = may_owe(device(out), docked={"A001": at(3)})
    assert (emptied.since, emptied.last_seen, emptied.obligation) == (at(3), at(3), owed(at(3)))
    (before,) = may_owe(device(out), docked={"A001": at(0)})
    assert (before.since, before.last_seen) == (at(1), at(0))


def test_what_is_back_or_retired_owes_nothing_and_the_earliest_due_comes_first():
    devices = (
        device(issue("003", 1, 2)), device(OUT, state="retired"), device(issue("003", 5), of="B"), device(of="D"),
        device(OUT, of="C", state="lost"),
    )  # fmt: skip
    assert [one.device for one in may_owe(*devices)] == ["C", "B"]


def test_an_open_trip_explains_it_and_where_the_pack_counts_from_the_return_nothing_has_begun():
    open_ = trip("t", None, state="out", start=0, expected_back=at(50))
    s0 = PACKS["S0"]
    (one,) = may_owe(device(OUT), trips=(trip("t0", 2), open_), pack=s0, now=30)
    assert (one.ground, one.away, one.expected_back) == ("remote", True, at(50))
    assert one.obligation == owed(at(30), s0, "trip", listed=30)
    (told,) = may_owe(device(OUT), activities=(activity(5),), pack=s0)
    assert (told.obligation.basis, told.obligation.basis_at) == ("activity_end", at(5))
    (strict,) = may_owe(device(OUT), trips=(open_,))  # S1 knows no case for officers who are away
    assert strict.obligation.basis_at == at(1)
    assert (strict.obligation.due, strict.away) == (owed(at(1)).due, True)
    (other,) = may_owe(device(OUT), trips=(replace(open_, device="B"), trip("t1", 20)), pack=s0)
    assert (other.ground, other.expected_back) == ("", None)
    (no_word,) = may_owe(device(replace(OUT, expected_back=at(9))), trips=(replace(open_, expected_back=None),))
    assert no_word.expected_back == at(9)


# --- what a team has --------------------------------------------------------------------------------------------------


def test_what_each_team_has_against_each_rule():
    rules = (Equipment(article="1", quote="p", officers=2), Equipment(article="2", quote="q", least=4))
    (nothing,) = equipment.ratios([Equipment(**RULED)], [matter(Team, "T", name="t", unit="u", officers=9)], [])
    assert (nothing.needed, nothing.missing) == (0, 0)
    teams = [matter(Team, "U", name="二队", unit="u", officers=3), matter(Team, "T", name="一队", unit="u", officers=0)]
    devices = [device(of=f"D{n}", state=state, team="U") for n, state in enumerate(("in_service", "repair", "lost"))]
    found = equipment.ratios(rules, teams, devices)
    assert [(one.team, one.name, one.officers, one.article, one.quote) for one in found] == [
        ("T", "一队", 0, "1", "p"), ("T", "一队", 0, "2", "q"), ("U", "二队", 3, "1", "p"), ("U", "二队", 3, "2", "q"),
    ]  # fmt: skip
    assert [(one.in_service, one.repair, one.needed, one.missing) for one in found] == [
        (0, 0, 0, 0), (0, 0, 4, 4), (1, 1, 2, 1), (1, 1, 4, 3),
    ]  # fmt: skip
