"""Who could have signed in as whom is in the ledger, and whoever lets people in does nothing else (三员分立)."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bwcdock.core import desk
from bwcdock.core.desk.people import Person, in_one_hand, roles_of
from bwcdock.core.facts import Actor, Entry
from bwcdock.core.statements import PersonEntered, SignInSet
from cli_world import run, station, well
from desk_world import DEVICE, KEEPER, OFFICER, OTHER, World

T0 = datetime(2026, 3, 2, tzinfo=UTC)
SYSTEM, AUDIT = ("071", "system-administrator"), ("072", "auditor")


@pytest.fixture
def world(tmp_path) -> World:
    made = World(tmp_path, "S4-fuzhou")
    for (person, role), name in ((SYSTEM, "系统员"), (AUDIT, "审计员")):
        made.does(made.custodian, "enter-person", person=person, name=name, roles=[role])
    return made


def set_by(world: World, person: str) -> list[tuple[str, str, str]]:
    told = world.bed.ask(lambda ledger: ledger.matter(Person, person))
    return [(each.what, each.by, each.role) for each in told.sign_ins]


def test_a_code_given_by_another_is_told_apart_from_ones_own_password(world):
    world.does(SYSTEM, "set-sign-in", person=OFFICER, what="code")
    world.does(world.officer, "set-sign-in", person=OFFICER, what="password")
    world.does(SYSTEM, "set-sign-in", person=OFFICER, what="code")
    assert set_by(world, OFFICER) == [("password", OFFICER, "officer"), ("code", *SYSTEM)]
    entered = [entry for entry in world.bed.entries() if isinstance(entry.fact, SignInSet)]
    assert [(e.fact.what, e.actor.name) for e in entered] == [("code", "071"), ("password", OFFICER), ("code", "071")]
    world.does(world.custodian, "enter-person", person=OFFICER, name="李警官", roles=["officer"])
    assert len(set_by(world, OFFICER)) == 2, "entering a person anew forgets nothing"


@pytest.mark.parametrize("what", ["code", "blocked", "token"])
def test_the_system_administrator_lets_others_in_and_keeps_them_out(world, what):
    world.does(SYSTEM, "set-sign-in", person=OFFICER, what=what)
    assert set_by(world, OFFICER) == [(what, *SYSTEM)]


@pytest.mark.parametrize("what", ["password", "totp", "pin"])
def test_what_only_its_user_may_know_is_set_by_nobody_else(world, what):
    assert f"A {what} is set by nobody but {OFFICER}" in world.is_refused(
        SYSTEM, "set-sign-in", person=OFFICER, what=what
    )
    world.does(SYSTEM, "set-sign-in", person=SYSTEM[0], what=what)
    assert set_by(world, SYSTEM[0]) == [(what, *SYSTEM)]


def test_nobody_else_sets_anything_for_others(world):
    for who in (world.custodian, world.officer, world.head, AUDIT):
        told = world.is_refused(who, "set-sign-in", person=OTHER, what="code")
        assert told == "How 003 signs in is set by himself, or by a system-administrator."
    assert "There is no person '099'" in world.is_refused(SYSTEM, "set-sign-in", person="099", what="code")
    world.does(world.custodian, "leave-person", person=OTHER, reason="调动")
    assert "does not work here" in world.is_refused(SYSTEM, "set-sign-in", person=OTHER, what="code")


def test_a_role_of_the_house_does_nothing_else(world):
    fault = {"device": DEVICE, "what": "x"}
    asked = {"access": "copy", "applicant": "072", "reason": "抽查", "records": ["ffffffff"]}
    for who, may in ((SYSTEM, "set-sign-in"), (AUDIT, "request-access、set-sign-in")):
        told = world.is_refused(who, "report-fault", **fault)
        assert told.endswith(f"may not do this (report-fault), but: {may}.")
        assert "may not do this" in world.is_refused(who, "enter-person", person="099", name="冒名", roles=["officer"])
    assert "may not do this" in world.is_refused(SYSTEM, "request-access", **asked)
    assert "There is no recording" in world.is_refused(AUDIT, "request-access", **asked)  # as far as the recording
    assert "is not 审计员 (auditor)" in world.is_refused((KEEPER, "auditor"), "set-sign-in", person=KEEPER, what="pin")


@pytest.mark.parametrize("rules", ["S0-siping-tiedong", "S1-dalian-jinpu", "S2-guhan", "S3-twelfth-division"])
def test_every_pack_knows_them(tmp_path, rules):
    world = World(tmp_path, rules, leaders=("officer",))
    world.does(world.custodian, "enter-person", person="071", name="甲", roles=["system-administrator", "auditor"])
    with world.bed.bench() as bench:
        assert {"system-administrator", "auditor"} <= {term.id for term in roles_of(bench.pack)}


def entered(*roles: str) -> Person:
    fact = PersonEntered(matter="001", name="王管理", roles=roles)
    person = desk.apply(None, Entry(seq=0, at=T0, fact=fact, actor=Actor(name="001", role=roles[0])))
    assert isinstance(person, Person)
    return person


@pytest.mark.parametrize(
    ("roles", "named"),
    [
        (("administrator", "system-administrator"), True),
        (("administrator", "officer", "auditor"), True),
        (("keeper", "auditor"), True),
        (("administrator", "keeper", "officer"), False),
        (("system-administrator", "auditor"), False),
        (("system-administrator",), False),
    ],
)
def test_who_keeps_footage_and_watches_over_it_is_named(roles, named):
    found = in_one_hand([entered(*roles)])
    assert bool(found) is named
    assert all(set(told) == set(roles) - {"officer"} for _, told in found)


def test_the_first_person_may_let_people_in_as_well_and_the_doctor_says_so(tmp_path):
    dock = station(tmp_path / "dock")
    roles = ("--roles", "administrator", "--roles", "system-administrator", "--roles", "officer")
    first = ("--as", "001", "--role", "administrator", "--person", "001", "--name", "王管理")
    assert topic(dock, "roles") == []
    well("-C", dock, "desk", "enter-person", *first, *roles)
    well("-C", dock, "desk", "set-sign-in", "--as", "001", "--role", "officer", "--person", "001", "--what", "pin")
    (told,) = topic(dock, "roles")
    assert told["well"], "a small unit may have nobody else"
    assert "王管理 (001) is administrator and system-administrator in one" in told["what"]
    assert "no role 'boss'" in run("-C", dock, "desk", "enter-person", *first, "--roles", "boss").err
    well("-C", dock, "audit")


def topic(dock: Path, name: str) -> list[dict]:
    return [line for line in json.loads(run("-C", dock, "doctor", "--json").out) if line["topic"] == name]
