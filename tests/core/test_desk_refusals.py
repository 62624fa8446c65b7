"""Each refusal of the desk: at its limit and not before it, with its code and the values in its sentence."""

from datetime import UTC, datetime, timedelta

import pytest
from bwcdock.core import desk
from bwcdock.core.facts import Actor, Entry
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
    PersonEntered,
    SignInSet,
    TeamEntered,
    TripBegun,
    TripEnded,
)

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
WAS = NOW - 3 * HOUR
KEEPER = Actor(name="002", role="keeper")
ADMINISTRATOR, LEADER = Actor(name="005", role="administrator"), Actor(name="006", role="unit-head")


def refused(before, fact, actor=KEEPER):
    """What speaks against ``fact`` now, after what was said before (facts, or pairs of a fact and who said it)."""
    matter = None
    for seq, said in enumerate(before):
        stated, who = said if isinstance(said, tuple) else (said, KEEPER)
        matter = desk.apply(matter, Entry(seq=seq, at=WAS, fact=stated, actor=who))
    why = desk.why_not(matter, Entry(seq=99, at=NOW, fact=fact, actor=actor))
    if why is None:
        return None
    assert why.what.endswith((".", ")"))
    assert all(value in why.what for name, value in why.evidence if name in {"ways", "person", "id", "record"})
    return why.code, dict(why.evidence)


def asks(**otherwise):
    plain = {
        "matter": "a1", "act": "copy", "applicant": "003", "reason": "办案", "records": ("r1",),
        "chain": ("unit-head", "administrator"), "article": "第一条", "quote": "…",
    }  # fmt: skip
    return AccessRequested(**plain | otherwise)


def used(**otherwise):
    return AccessUsed(**{"matter": "a1", "how": "copied", "who": "003", "copies": 1} | otherwise)


AGREED = AccessApproved(matter="a1")
ASKED_LEADER = [asks(), (AGREED, LEADER)]
GRANTED = [*ASKED_LEADER, (AGREED, ADMINISTRATOR)]
VIEWING = [asks(act="view_inside"), *GRANTED[1:]]
OUTSIDE = [asks(act="view_outside"), *GRANTED[1:]]
HE_AS = {role: Actor(name="003", role=role) for role in ("unit-head", "administrator")}


@pytest.mark.parametrize(
    ("before", "fact", "actor", "told"),
    [
        ([], asks(), KEEPER, None),
        ([], asks(reason=" "), KEEPER, ("access.incomplete", {})),
        ([], asks(applicant=" "), KEEPER, ("access.incomplete", {})),
        ([], asks(records=()), KEEPER, ("access.no-recordings", {})),
        ([], asks(chain=()), KEEPER, ("access.nobody-approves", {})),
        ([asks()], AGREED, LEADER, None),
        (
            [asks()], AGREED, ADMINISTRATOR,
            ("access.not-next", {"id": "a1", "role": "unit-head", "own": "administrator"}),
        ),
        (
            [asks()], AccessRefused(matter="a1", reason="x"), KEEPER,
            ("access.not-next", {"id": "a1", "role": "unit-head", "own": "keeper"}),
        ),
        ([asks()], AGREED, HE_AS["unit-head"], ("access.same-person", {"person": "003", "id": "a1"})),
        (
            [asks()], AGREED, Actor(name="002", role="unit-head"),
            ("access.same-person", {"person": "002", "id": "a1"}),
        ),
        (
            ASKED_LEADER, AGREED, Actor(name="006", role="administrator"),
            ("access.same-person", {"person": "006", "id": "a1"}),
        ),
        (ASKED_LEADER, AccessRefused(matter="a1", reason="x"), ADMINISTRATOR, None),
        (
            ASKED_LEADER, AccessRefused(matter="a1", reason="x"), HE_AS["administrator"],
            ("access.same-person", {"person": "003", "id": "a1"}),
        ),
        (GRANTED, used(), KEEPER, None),
        (GRANTED, used(copies=0), KEEPER, ("access.no-count", {})),
        (GRANTED, used(how="viewed", copies=0), KEEPER, None),
        (GRANTED, used(who=" "), KEEPER, ("access.no-reader", {})),
        (VIEWING, used(), KEEPER, ("access.viewing-only", {"id": "a1"})),
        (OUTSIDE, used(), KEEPER, ("access.viewing-only", {"id": "a1"})),
        (VIEWING, used(how="viewed", copies=0), KEEPER, None),
    ],
)  # fmt: skip
def test_access(before, fact, actor, told):
    assert refused(before, fact, actor) == told


OPENED = CaseOpened(matter="案1")
ENDED = CaseStep(matter="案1", step="inspection_ended", moment=WAS)


def drawn(**otherwise):
    plain = {
        "matter": "c1", "unit": "u", "since": WAS, "until": NOW, "percent": 10, "seed": "seed", "population": 2,
        "population_digest": "d", "sample": ("r1", "r2"),
    }  # fmt: skip
    return CheckDrawn(**plain | otherwise)


def judged(of="r1"):
    return CheckJudged(matter="c1", of=of, points=(("sound", True),))


def skipped(of="r1", reason="lost"):
    return CheckSkipped(matter="c1", of=of, reason=reason)


@pytest.mark.parametrize(
    ("before", "fact", "told"),
    [
        ([OPENED], CaseStep(matter="案1", step="case_closed", moment=NOW), None),
        ([OPENED], CaseStep(matter="案1", step="case_closed", moment=NOW + SECOND), ("case.future", {})),
        ([OPENED, ENDED], ENDED, ("case.step-twice", {"case": "案1"})),
        ([OPENED, ENDED], CaseStep(matter="案1", step="case_closed", moment=WAS), None),
        ([OPENED, ENDED], CaseArchived(matter="案1", file="f", files=0), None),
        ([OPENED, ENDED], CaseArchived(matter="案1", file="f", files=-1), ("case.negative", {})),
        ([], drawn(percent=1), None),
        ([], drawn(percent=100), None),
        ([], drawn(percent=0), ("check.percent", {})),
        ([], drawn(percent=101), ("check.percent", {})),
        ([], drawn(seed=" "), ("check.no-seed", {})),
        ([drawn()], judged(), None),
        ([drawn()], judged("r3"), ("check.not-drawn", {"record": "r3", "id": "c1"})),
        ([drawn()], skipped("r3"), ("check.not-drawn", {"record": "r3", "id": "c1"})),
        ([drawn(), judged()], judged(), ("check.twice", {"record": "r1"})),
        ([drawn(), skipped()], skipped(), ("check.twice", {"record": "r1"})),
        ([drawn(), skipped()], judged("r2"), None),
        ([drawn()], skipped(reason=" "), ("check.no-reason", {})),
    ],
)
def test_cases_and_spot_checks(before, fact, told):
    assert refused(before, fact) == told


HERE = DeviceRegistered(matter="A001")
ISSUED = [HERE, DeviceIssued(matter="A001", to="003")]


@pytest.mark.parametrize(
    ("before", "fact", "told"),
    [
        ([], HERE, None),
        ([HERE], DeviceIssued(matter="A001", to="003", expected_back=NOW + SECOND), None),
        ([HERE], DeviceIssued(matter="A001", to="003", expected_back=NOW), ("device.back-before", {"device": "A001"})),
        (
            ISSUED, DeviceIssued(matter="A001", to="004"),
            ("device.issued", {"device": "A001", "person": "003", "since": "2026-03-02T05:00:00+00:00"}),
        ),
        (ISSUED, DeviceReturned(matter="A001"), None),
        ([HERE], DeviceReturned(matter="A001"), ("device.return-unissued", {"device": "A001"})),
        (
            [HERE], DeviceStateSet(matter="A001", state="in_service", reason="x"),
            ("device.same-state", {"device": "A001", "kind": "device", "state": "in_service"}),
        ),
        (
            ISSUED, DeviceStateSet(matter="A001", state="repair", reason="x"),
            ("device.still-out", {"device": "A001", "person": "003"}),
        ),
        (
            ISSUED, DeviceStateSet(matter="A001", state="retired", reason="x"),
            ("device.still-out", {"device": "A001", "person": "003"}),
        ),
        (ISSUED, DeviceStateSet(matter="A001", state="lost", reason="x"), None),
        ([HERE], DeviceStateSet(matter="A001", state="repair", reason="x"), None),
        ([HERE], FaultReported(matter="A001", what="x"), None),
        ([HERE], FaultReported(matter="A001", what="x", since=NOW), None),
        ([HERE], FaultReported(matter="A001", what="x", since=NOW + SECOND), ("device.fault-future", {})),
    ],
)  # fmt: skip
def test_devices(before, fact, told):
    assert refused(before, fact) == told


def explains(**otherwise):
    return ExplanationGiven(**{"matter": "e1", "what": "interruption", "person": "003", "text": "没电"} | otherwise)


AGREES, JUDGES = ExpiryApproved(matter="x1"), ExplanationJudged(matter="e1", accepted=True)


def holds(**named):
    return HoldPlaced(**{"matter": "h1", "reason": "诉讼"} | named)


@pytest.mark.parametrize(
    ("before", "fact", "actor", "told"),
    [
        ([], explains(), KEEPER, None),
        ([], explains(text=" "), KEEPER, ("explanation.empty", {})),
        ([], explains(text="", reason="battery"), KEEPER, None),
        ([], explains(what="late", records=("r1",)), KEEPER, None),
        ([], explains(what="late"), KEEPER, ("explanation.no-recordings", {})),
        ([], explains(what="not_recorded", basis="第一条"), KEEPER, None),
        ([], explains(what="not_recorded", basis=" "), KEEPER, ("explanation.no-basis", {})),
        ([], explains(since=NOW, until=NOW), KEEPER, None),
        ([], explains(since=NOW, until=WAS), KEEPER, ("explanation.span", {})),
        ([], explains(since=NOW), KEEPER, None),
        ([explains()], JUDGES, LEADER, None),
        ([explains()], JUDGES, KEEPER, ("explanation.own", {})),
        ([explains()], JUDGES, HE_AS["unit-head"], ("explanation.own", {})),
        ([], ExpiryProposed(matter="x1", records=("r1",)), KEEPER, None),
        ([], ExpiryProposed(matter="x1", records=()), KEEPER, ("expiry.no-recordings", {})),
        ([ExpiryProposed(matter="x1", records=("r1",))], AGREES, KEEPER, None),
        (
            [ExpiryProposed(matter="x1", records=("r1",)), (AGREES, LEADER)], AGREES, LEADER,
            ("expiry.same-person", {"person": "006", "id": "x1"}),
        ),
        ([ExpiryProposed(matter="x1", records=("r1",)), (AGREES, LEADER)], AGREES, KEEPER, None),
        ([], holds(), KEEPER, ("hold.empty", {})),
        *(([], holds(**named), KEEPER, None) for named in (
            {"records": ("r1",)}, {"person": "003"}, {"place": "广场"}, {"device": "A001"}, {"since": WAS},
            {"until": NOW}, {"since": NOW, "until": NOW},
        )),
        ([], holds(since=NOW, until=WAS), KEEPER, ("hold.span", {})),
        ([], holds(device="A001", reason=" "), KEEPER, ("hold.no-reason", {})),
        ([holds(device="A001")], HoldLifted(matter="h1", reason=" "), KEEPER, ("hold.no-reason", {})),
        ([holds(device="A001")], HoldLifted(matter="h1", reason="x"), KEEPER, None),
    ],
)  # fmt: skip
def test_explanations_holds_and_the_end_of_keeping(before, fact, actor, told):
    assert refused(before, fact, actor) == told


PERSON = PersonEntered(matter="003", name="王")
SYSTEM = Actor(name="007", role="system-administrator")


@pytest.mark.parametrize(
    ("before", "fact", "actor", "told"),
    [
        ([], PERSON, KEEPER, None),
        ([], PersonEntered(matter="003", name=" "), KEEPER, ("person.no-name", {})),
        ([PERSON], SignInSet(matter="003", what="password"), HE_AS["unit-head"], None),
        (
            [PERSON], SignInSet(matter="003", what="code"), KEEPER,
            ("sign-in.not-his", {"person": "003", "role": "system-administrator"}),
        ),
        *(([PERSON], SignInSet(matter="003", what=way), SYSTEM, None) for way in ("code", "blocked", "token")),
        *(
            ([PERSON], SignInSet(matter="003", what=way), SYSTEM, (
                "sign-in.his-alone", {"way": way, "person": "003", "ways": "code, blocked, token"}
            ))
            for way in ("password", "totp", "pin")
        ),
        ([], TeamEntered(matter="T", name="t", unit="u", officers=0), KEEPER, None),
        ([], TeamEntered(matter="T", name="t", unit="u", officers=-1), KEEPER, ("team.negative", {})),
        ([], HandedOver(matter="o1", giver="003", taker="004", devices=(), left_open=()), KEEPER, None),
        (
            [], HandedOver(matter="o1", giver="003", taker="003", devices=(), left_open=()), KEEPER,
            ("handover.himself", {}),
        ),
    ],
)  # fmt: skip
def test_people(before, fact, actor, told):
    assert refused(before, fact, actor) == told


def begins(**otherwise):
    return TripBegun(**{"matter": "t1", "person": "003", "device": "A001", "ground": "remote", "out": WAS} | otherwise)


def lasts(began, ended):
    return ActivityEnded(matter="d1", person="003", device="A001", began=began, ended=ended)


def extends(reason="连续执法", since=WAS, until=NOW):
    return ExtensionGranted(matter="m1", device="A001", since=since, until=until, reason=reason)


@pytest.mark.parametrize(
    ("before", "fact", "told"),
    [
        ([], begins(out=NOW), None),
        ([], begins(out=NOW + SECOND), ("trip.future", {})),
        ([], begins(expected_back=WAS + SECOND), None),
        ([], begins(expected_back=WAS), ("trip.back-before", {})),
        ([begins()], TripEnded(matter="t1", back=WAS), None),
        ([begins()], TripEnded(matter="t1", back=NOW), None),
        (
            [begins()], TripEnded(matter="t1", back=WAS - SECOND),
            ("trip.return-before", {"trip": "t1", "since": "2026-03-02T05:00:00+00:00"}),
        ),
        ([begins()], TripEnded(matter="t1", back=NOW + SECOND), ("trip.return-future", {})),
        ([], lasts(WAS, WAS), None),
        ([], lasts(WAS, NOW), None),
        ([], lasts(WAS, WAS - SECOND), ("activity.span", {})),
        ([], lasts(WAS, NOW + SECOND), ("activity.future", {})),
        ([], extends(), None),
        ([], extends(since=NOW), None),
        ([], extends(reason=" "), ("extension.no-reason", {})),
        ([], extends(since=NOW, until=WAS), ("extension.span", {})),
    ],
)  # fmt: skip
def test_times(before, fact, told):
    assert refused(before, fact) == told


@pytest.mark.parametrize(
    ("before", "fact", "told"),
    [
        ([], TripEnded(matter="t1", back=WAS), ("matter.none", {"kind": "trip", "id": "t1"})),
        (
            [begins(), TripEnded(matter="t1", back=WAS)], TripEnded(matter="t1", back=WAS),
            ("matter.state", {"kind": "trip", "id": "t1", "state": "back", "ev": "trip.ended"}),
        ),
        (
            GRANTED[:1], used(),
            ("matter.state", {"kind": "access", "id": "a1", "state": "requested", "ev": "access.used"}),
        ),
    ],
)  # fmt: skip
def test_what_no_table_allows(before, fact, told):
    assert refused(before, fact) == told
