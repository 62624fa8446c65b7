"""What each statement leaves of its matter, whole: nothing it said is lost, and nothing it did not say is changed."""

from datetime import UTC, datetime, timedelta

import pytest
from bwcdock.core import desk
from bwcdock.core.desk.access import Access, Agreed, Used
from bwcdock.core.desk.cases import Case
from bwcdock.core.desk.checking import Judged, Skipped, SpotCheck
from bwcdock.core.desk.devices import Device, Issue
from bwcdock.core.desk.expiring import Expiry
from bwcdock.core.desk.explaining import Explanation
from bwcdock.core.desk.holds import Hold
from bwcdock.core.desk.papers import Paper
from bwcdock.core.desk.people import Handover, Person, SetSignIn, Team
from bwcdock.core.desk.times import Activity, Extension, Trip
from bwcdock.core.facts import Actor, Entry
from bwcdock.core.record import Illegal
from bwcdock.core.statements import (
    AccessApproved,
    AccessRefused,
    AccessRequested,
    AccessUsed,
    ActivityEnded,
    CaseArchived,
    CaseOpened,
    CaseStep,
    CheckDrawn,
    CheckJudged,
    CheckSkipped,
    DeviceIssued,
    DeviceRegistered,
    DeviceReturned,
    DeviceStateSet,
    ExpiryApproved,
    ExpiryProposed,
    ExplanationGiven,
    ExplanationJudged,
    ExtensionGranted,
    FaultReported,
    HandedOver,
    HoldLifted,
    HoldPlaced,
    PaperIssued,
    PersonEntered,
    PersonLeft,
    Serviced,
    SignInSet,
    TeamEntered,
    TripBegun,
    TripEnded,
)
from lives import finding

T0 = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
WAS = T0 - HOUR


def at(hour: int) -> datetime:
    return T0 + hour * HOUR


def said(*facts):
    """The matter after these facts: the nth at hour n, by person ``p<n>`` in role ``r<n>``, at place 10 + n."""
    matter = None
    for n, fact in enumerate(facts):
        actor = Actor(name=f"p{n}", role=f"r{n}")
        matter = desk.apply(matter, Entry(seq=10 + n, at=at(n), fact=fact, actor=actor))
    return matter


def heard(of, n, state, **more):
    """What every matter has after its fact number n."""
    seen = tuple(range(10, 11 + n))
    return {"id": of, "state": state, "since": T0, "at": at(n), "by": f"p{n}", "entries": seen, **more}


ISSUED_FOR = {"expected_back": at(9), "checked": ("clock",), "findings": (finding(),)}
DEVICE = (
    DeviceRegistered(matter="A", model="m", unit="u", team="t"),
    DeviceIssued(matter="A", to="003", **ISSUED_FOR),
    FaultReported(matter="A", what="screen"),
    FaultReported(matter="A", what="clip", since=WAS),
    DeviceReturned(matter="A", note="dirty"),
    DeviceStateSet(matter="A", state="repair", reason="clip", footage=("r1",)),
    Serviced(matter="A", what="mended"),
    DeviceRegistered(matter="A", model="n"),
)
OUT = Issue(to="003", at=at(1), by="p1", **ISSUED_FOR)
BACK = Issue(to="003", at=at(1), by="p1", **ISSUED_FOR, returned_at=at(4), returned_to="p4", note="dirty")
OF_A = {"model": "m", "unit": "u", "team": "t"}
FAULTS = ((at(2), "screen"), (WAS, "clip"))
AWAY = {"reason": "clip", "footage": ("r1",)}


@pytest.mark.parametrize(
    ("n", "device"),
    [
        (0, Device(**heard("A", 0, "in_service", **OF_A))),
        (1, Device(**heard("A", 1, "in_service", **OF_A, issues=(OUT,)))),
        (3, Device(**heard("A", 3, "in_service", **OF_A, issues=(OUT,), faults=FAULTS))),
        (4, Device(**heard("A", 4, "in_service", **OF_A, issues=(BACK,), faults=FAULTS))),
        (5, Device(**heard("A", 5, "repair", **OF_A, **AWAY, issues=(BACK,), faults=FAULTS))),
        (6, Device(**heard("A", 6, "repair", **OF_A, **AWAY, issues=(BACK,), service=((at(6), "mended"),)))),
        (7, Device(**heard("A", 7, "repair", model="n", **AWAY, issues=(BACK,), service=((at(6), "mended"),)))),
    ],
)
def test_a_device(n, device):
    assert said(*DEVICE[: n + 1]) == device


def test_a_return_is_of_the_last_issue_and_leaves_the_others():
    twice = said(DEVICE[0], *(DeviceIssued(matter="A", to="003"), DeviceReturned(matter="A")) * 2)
    assert [(issue.at, issue.returned_at) for issue in twice.issues] == [(at(1), at(2)), (at(3), at(4))]


def test_a_device_that_is_out_and_one_that_is_back():
    out, back = said(*DEVICE[:2]), said(*DEVICE[:5])
    assert (out.out, out.holder, back.out, back.holder) == (OUT, "003", None, "")
    assert back.holder_at(at(4)) == ""


ASKED = {
    "act": "copy", "applicant": "003", "reason": "办案", "records": ("r1",), "chain": ("r1", "r2"), "article": "第一条",
    "quote": "…",
}  # fmt: skip
FIRST, SECOND = Agreed(by="p1", role="r1", at=at(1), note="yes"), Agreed(by="p2", role="r2", at=at(2))
ACCESS = (
    AccessRequested(matter="a1", **ASKED),
    AccessApproved(matter="a1", note="yes"),
    AccessApproved(matter="a1"),
    AccessUsed(matter="a1", how="copied", who="003", copies=2, note="disk"),
    AccessUsed(matter="a1", how="viewed", who="004"),
)
LINE = Used(how="copied", who="003", by="p3", at=at(3), copies=2, note="disk")


@pytest.mark.parametrize(
    ("facts", "state", "more", "next_role"),
    [
        (ACCESS[:1], "requested", {}, "r1"),
        (ACCESS[:2], "requested", {"agreed": (FIRST,)}, "r2"),
        (ACCESS[:3], "granted", {"agreed": (FIRST, SECOND)}, ""),
        (ACCESS[:4], "granted", {"agreed": (FIRST, SECOND), "used": (LINE,)}, ""),
        (
            ACCESS, "granted",
            {
                "agreed": (FIRST, SECOND),
                "used": (LINE, Used(how="viewed", who="004", by="p4", at=at(4), copies=0)),
            },
            "",
        ),
        ((ACCESS[0], AccessRefused(matter="a1", reason="no")), "refused", {"refusal": "no"}, ""),
    ],
)  # fmt: skip
def test_a_request(facts, state, more, next_role):
    access = said(*facts)
    assert access == Access(**heard("a1", len(facts) - 1, state, requested_by="p0", **ASKED, **more))
    assert access.next_role == next_role


def test_a_case():
    facts = (
        CaseOpened(matter="案1", category="x", parties=("甲",), handler="003"),
        CaseStep(matter="案1", step="inspection_ended", moment=WAS),
        CaseStep(matter="案1", step="case_closed", moment=T0),
        CaseArchived(matter="案1", file="f1", files=3),
    )
    of = {"category": "x", "parties": ("甲",), "handler": "003"}
    assert said(*facts[:1]) == Case(**heard("案1", 0, "open", **of))
    assert said(*facts[:2]) == Case(**heard("案1", 1, "closed", **of, inspection_ended=WAS))
    ended = of | {"inspection_ended": WAS, "case_closed": T0}
    assert said(*facts[:3]) == Case(**heard("案1", 2, "closed", **ended))
    assert said(*facts) == Case(**heard("案1", 3, "archived", **ended, file="f1", files=3))


def test_a_spot_check():
    of = {"unit": "u", "percent": 10, "seed": "s", "population": 20, "population_digest": "d", "sample": ("r1", "r2")}
    drawn = CheckDrawn(matter="c1", since=WAS, until=T0, **of)
    judged = CheckJudged(matter="c1", of="r1", points=(("sound", True), ("light", False), ("place", True)), remark="x")
    skipped = CheckSkipped(matter="c1", of="r2", reason="lost")
    span = {"since_recorded": WAS, "until_recorded": T0}
    fresh, half, done = said(drawn), said(drawn, judged), said(drawn, judged, skipped)
    assert fresh == SpotCheck(**heard("c1", 0, "drawn", **of, **span))
    assert (fresh.left, fresh.score_percent) == (("r1", "r2"), None)
    line = Judged(record="r1", by="p1", at=at(1), points=judged.points, remark="x")
    assert half == SpotCheck(**heard("c1", 1, "drawn", **of, **span, judged=(line,)))
    assert (half.left, half.score_percent) == (("r2",), 66)
    skip = Skipped(record="r2", by="p2", at=at(2), reason="lost")
    assert done == SpotCheck(**heard("c1", 2, "done", **of, **span, judged=(line,), skipped=(skip,)))
    assert said(drawn, CheckSkipped(matter="c1", of="r2", reason="x"), judged).state == "done"
    assert said(CheckDrawn(matter="c1", since=WAS, until=T0, **of | {"sample": ()})).state == "done"


def test_the_end_of_keeping_needs_two():
    facts = (
        ExpiryProposed(matter="x1", records=("r1",)),
        ExpiryApproved(matter="x1", note="y"),
        ExpiryApproved(matter="x1"),
    )
    of = {"records": ("r1",), "proposed_by": "p0"}
    both = (Agreed(by="p1", role="r1", at=at(1), note="y"), Agreed(by="p2", role="r2", at=at(2)))
    assert said(*facts[:1]) == Expiry(**heard("x1", 0, "proposed", **of))
    assert said(*facts[:2]) == Expiry(**heard("x1", 1, "proposed", **of, agreed=both[:1]))
    assert said(*facts) == Expiry(**heard("x1", 2, "approved", **of, agreed=both))


def test_an_explanation():
    of = {
        "what": "interruption", "person": "003", "device": "A", "records": ("r1",), "reason": "battery", "text": "没电",
        "basis": "b", "spoken": True, "spoken_in": "r1", "reported_to": "004", "facts": ("f",),
    }  # fmt: skip
    given = ExplanationGiven(matter="e1", since=WAS, until=T0, **of)
    of |= {"written_by": "p0", "since_when": WAS, "until_when": T0}
    refused, accepted = (ExplanationJudged(matter="e1", accepted=yes, note="n") for yes in (False, True))
    assert said(given) == Explanation(**heard("e1", 0, "given", **of))
    judged = {"judged_by": "p1", "judged_as": "r1", "judged_at": at(1), "note": "n"}
    assert said(given, accepted) == Explanation(**heard("e1", 1, "accepted", **of, **judged))
    assert said(given, refused) == Explanation(**heard("e1", 1, "refused", **of, **judged))
    assert said(given, refused, accepted).state == "accepted"
    with pytest.raises(Illegal, match=r"ExplanationJudged: .* is accepted"):
        said(given, accepted, refused)


def test_a_hold():
    of = {"reason": "诉讼", "records": ("r1",), "person": "003", "place": "广场", "device": "A"}
    placed = HoldPlaced(matter="h1", since=WAS, until=T0, **of)
    of |= {"placed_by": "p0", "since_recorded": WAS, "until_recorded": T0}
    assert said(placed) == Hold(**heard("h1", 0, "placed", **of))
    assert said(placed, HoldLifted(matter="h1", reason="over")) == Hold(**heard("h1", 1, "lifted", **of))


def test_a_person():
    of = {"name": "王", "certificate": "c", "unit": "u", "team": "t", "roles": ("keeper",)}
    entered = PersonEntered(matter="003", user_numbers=("7",), **of)
    own = Actor(name="003", role="officer")
    person, sign_ins = said(entered), []
    for n, way in enumerate(("password", "totp", "password"), 1):
        person = desk.apply(person, Entry(seq=10 + n, at=at(n), fact=SignInSet(matter="003", what=way), actor=own))
        sign_ins.append(SetSignIn(what=way, by="003", role="officer", at=at(n)))
    told = heard("003", 3, "active", user_numbers=("7",), sign_ins=tuple(sign_ins[1:]), **of)
    assert person == Person(**told | {"by": "003"})
    assert said(entered, PersonLeft(matter="003", reason="x")) == Person(**heard("003", 1, "left", **of))
    assert person.may_act_as("keeper")
    assert not person.may_act_as("administrator")
    assert not said(entered, PersonLeft(matter="003", reason="x")).may_act_as("keeper")


def test_what_is_told_at_once():
    team = TeamEntered(matter="T", name="t", unit="u", officers=3)
    assert said(team, TeamEntered(matter="T", name="n", unit="v", officers=4)) == Team(
        **heard("T", 1, "standing", name="n", unit="v", officers=4)
    )
    of = {"giver": "003", "taker": "004", "devices": ("A",), "left_open": ("x",)}
    assert said(HandedOver(matter="o1", **of)) == Handover(**heard("o1", 0, "made", **of))
    of = {"paper": "receipt", "subject": "s1", "sha256": "d", "copies": 2}
    assert said(PaperIssued(matter="n1", **of)) == Paper(**heard("n1", 0, "issued", **of))
    of = {"person": "003", "device": "A", "began": WAS, "ended": T0}
    assert said(ActivityEnded(matter="d1", **of)) == Activity(**heard("d1", 0, "ended", **of))
    assert said(ExtensionGranted(matter="m1", device="A", since=WAS, until=T0, reason="x")) == Extension(
        **heard("m1", 0, "granted", device="A", since_recorded=WAS, until_recorded=T0, reason="x", role="r0")
    )


def test_a_trip():
    of = {"person": "003", "device": "A", "ground": "remote", "out": WAS, "expected_back": at(5), "where": "山里"}
    begun, ended = TripBegun(matter="t1", **of), TripEnded(matter="t1", back=T0)
    assert said(begun) == Trip(**heard("t1", 0, "out", **of))
    assert said(begun, ended) == Trip(**heard("t1", 1, "back", **of, back=T0))
